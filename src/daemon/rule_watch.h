/*
 * rule_watch: the rules in memory, kept in step with the database.
 *
 * A thread of its own looks every poll_ms whether somebody has committed a change, and makes the next version of the
 * rule set from it; the loop, which is woken for nothing else, puts that in force as a whole, between two requests, and
 * the thread frees what only the version before had. While the database cannot be read the last good rules stay in
 * force.
 */
#ifndef GATEPOST_DAEMON_RULE_WATCH_H
#define GATEPOST_DAEMON_RULE_WATCH_H

#include "conf/config.h"
#include "core/rules.h"

#include <uv.h>

struct rule_watch;

/* Opens (or creates) the database and reads the rules; for a moment at start-up that may block. Returns 0, or a
 * negative errno with the fault in *error. */
int rule_watch_open(struct rule_watch **watch, uv_loop_t *loop, const struct config *config, struct error *error);

/* Begins to look for changes. */
int rule_watch_start(struct rule_watch *watch);

/* The rules in force. They stay valid until control returns to the loop. */
const struct rules *rule_watch_rules(const struct rule_watch *watch);

struct rule_watch_state {
    uint64_t generation; /* grows with each version that is put in force */
    uint64_t age_ms;     /* of that version */
    size_t n_skipped;    /* rows that are not understood */
    bool stale;          /* the database cannot be read: there may be newer rules */
    uint64_t stale_ms;   /* for so long */
    struct error why;
};

/* How things stand. On the loop. */
void rule_watch_describe(struct rule_watch *watch, struct rule_watch_state *state);

/* Reads the rules anew as soon as may be, changed or not. */
void rule_watch_reread(struct rule_watch *watch);

/* Ends looking; the loop must be run for that to end. Rules stay valid until rule_watch_free. */
void rule_watch_stop(struct rule_watch *watch);

/* After the loop has ended. NULL is fine. */
void rule_watch_free(struct rule_watch *watch);

#endif
