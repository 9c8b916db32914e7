/*
 * seq_range: numbers of changes as people write them, "17" or "17-1016".
 */
#ifndef GATEPOST_CONSOLE_SEQ_RANGE_H
#define GATEPOST_CONSOLE_SEQ_RANGE_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seq_range {
    int64_t first, last;
};

enum { SEQ_RANGE_TEXT_SIZE = 48 };

/* Returns 0, or -EINVAL with what would be right in *error. */
int seq_range_parse(const char *text, struct seq_range *range, struct error *error);

/* As it is written. */
void seq_range_format(const struct seq_range *range, char text[SEQ_RANGE_TEXT_SIZE]);

/* Sorts the ranges and joins those that touch; returns how many are left. */
size_t seq_ranges_join(struct seq_range *ranges, size_t n);

/* Whether one of the ranges holds the number. */
bool seq_ranges_hold(const struct seq_range *ranges, size_t n, int64_t seq);

#endif
