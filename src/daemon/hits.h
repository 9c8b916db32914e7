/*
 * hits: counts which rules matter in decisions, and has that written down.
 *
 * The loop fills one table while a worker writes the other to the database of hits, once in an interval, when a table
 * runs full, and at the end. What cannot be written is kept and tried again; no decision ever waits for it, or hangs on
 * it.
 */
#ifndef GATEPOST_DAEMON_HITS_H
#define GATEPOST_DAEMON_HITS_H

#include "core/decide.h"

#include <uv.h>

struct hits;

/* Counts for the rules whose database is at that path, and begins by having the database of hits made where it is
 * absent. Returns 0, or -ENOMEM with the fault in *error. */
int hits_open(struct hits **hits, uv_loop_t *loop, const char *rules_path, uint64_t interval_ms, struct error *error);

/* Counts a hit, at `now` (Unix seconds), for each rule that mattered in the decision. */
void hits_count(struct hits *hits, const struct decision *decision, int64_t now);

/* Has what is counted written soon, and not only when the interval is over. */
void hits_write(struct hits *hits);

/* Has the rest written, and ends; what cannot be written now is lost, and said to be. Nothing is counted any more. The
 * loop must be run for that to end. NULL is fine. */
void hits_close(struct hits *hits);

/* After the loop has ended. NULL is fine. */
void hits_free(struct hits *hits);

#endif
