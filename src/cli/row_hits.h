/*
 * row_hits: how often rows have mattered, as the daemon has written it down beside the rules.
 */
#ifndef GATEPOST_CLI_ROW_HITS_H
#define GATEPOST_CLI_ROW_HITS_H

#include "console/cli.h"
#include "store/hit_db.h"
#include "store/rule_edit.h"

struct row_hits {
    struct hit_db *db;      /* NULL: nothing has been written down yet */
    int64_t since, lost_at; /* Unix seconds: when counting began; when hits had to be left out, or 0 */
};

/* Opens what there is for the database of rules that cli_open has opened. An absent file is no failure: a note on
 * standard error says so. Returns 0, or after a message an exit status. The caller calls row_hits_close. */
int row_hits_open(struct row_hits *hits, const struct cli *cli);
void row_hits_close(struct row_hits *hits);

/* Says on standard error where counting does not tell all of the time from `from` on. */
void row_hits_warn(const struct row_hits *hits, int64_t from);

/* The hits of the row since it was made, and the last; zeros where there is none. Returns 0, or a negative errno with
 * the reason in *error. */
int row_hits_find(struct row_hits *hits, enum rule_table table, const struct stored_row *row, uint64_t *n,
                  int64_t *last, struct error *error);

#endif
