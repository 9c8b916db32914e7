/*
 * cidr_table: rows of blocks as a Postfix cidr table (cidr_table(5)), for postscreen and others.
 *
 * Postfix takes the first line that matches, so the longest blocks come first. What a row says beside its verdict
 * stands in a comment in front, which gatepost import reads.
 */
#ifndef GATEPOST_LISTS_CIDR_TABLE_H
#define GATEPOST_LISTS_CIDR_TABLE_H

#include "console/kind.h"
#include "store/rule_edit.h"

#include <stdio.h>

struct cidr_line;

/* All zeros but `now` is an empty table. */
struct cidr_table {
    int64_t now;
    struct cidr_line *lines;
    size_t n, size;
    size_t n_names, n_expired; /* rows that are left out */
};

/* Adds a row that is understood. Returns 0, or -ENOMEM. */
int cidr_table_add(struct cidr_table *table, const struct kind *kind, const struct stored_row *row);

/* Sorts and prints. */
void cidr_table_print(struct cidr_table *table, FILE *out);

void cidr_table_fini(struct cidr_table *table);

#endif
