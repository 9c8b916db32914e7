#include "cli/row_hits.h"

#include "console/times.h"

#include <errno.h>

int row_hits_open(struct row_hits *hits, const struct cli *cli)
{
    enum { BUSY_MS = 5000 };
    struct error error;
    *hits = (struct row_hits){ 0 };
    int r = hit_db_open(&hits->db, cli->database, DATABASE_EXPECT, BUSY_MS, &error);
    if (r == -ENOENT)
        return cli_fail(STATUS_DONE, "no hits have been counted yet: gatepostd keeps them in %s-hits", cli->database);
    if (r == 0)
        r = hit_db_begin_reading(hits->db, &hits->since, &hits->lost_at, &error);
    return r < 0 ? cli_fail(cli_status_of_opening(r), "%s", error.text) : STATUS_DONE;
}

void row_hits_close(struct row_hits *hits)
{
    hit_db_close(hits->db);
}

void row_hits_warn(const struct row_hits *hits, int64_t from)
{
    char text[TIMES_TEXT_SIZE];
    if (hits->db && hits->since > from) {
        times_format(hits->since, text);
        (void)cli_fail(STATUS_DONE, "hits are counted since %s only: what these rows did before is not known", text);
    }
    if (hits->lost_at > from) {
        times_format(hits->lost_at, text);
        (void)cli_fail(STATUS_DONE, "not all hits could be counted, last at %s: rows may have been hit more often",
                       text);
    }
}

int row_hits_find(struct row_hits *hits, enum rule_table table, const struct stored_row *row, uint64_t *n,
                  int64_t *last, struct error *error)
{
    *n = 0;
    *last = 0;
    if (!hits->db)
        return 0;
    int r = hit_db_find(hits->db, table, str_of(row->key), str_of(row->client), n, last, error);
    if (*last < row->created) { /* of a row that was there before this one */
        *n = 0;
        *last = 0;
    }
    return r;
}
