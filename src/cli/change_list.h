/*
 * change_list: changes as lines of text, those of a kind that were made at once as one line.
 *
 *   2026-11-24T18:00:00  17-1016      alice       added 1000 deny  (--all shows each)
 *
 * At once: by the same name, in the same second, with nothing else in between. gatepost gives all changes of a
 * transaction the same second.
 */
#ifndef GATEPOST_CLI_CHANGE_LIST_H
#define GATEPOST_CLI_CHANGE_LIST_H

#include "store/rule_log.h"

#include <stdio.h>

enum { CHANGE_LIST_MANY = 10 }; /* more than these become one line */

struct change_list {
    FILE *out;
    bool all;   /* each has its line */
    bool plain; /* what was done, without when, which and who: all of it is of one transaction */

    /* The run that is being read. */
    int64_t n, first_seq, last_seq, at;
    char *who; /* owned */
    const char *verb, *kind;
    char *lines; /* of its changes, as long as they are not many; owned */
    size_t lines_n;
};

/* Takes the next change, in the order of the log. Returns 0 or -ENOMEM. */
int change_list_add(struct change_list *list, const struct logged_change *change);

/* Writes what is held back, and frees what it took. To be called after a failure too. */
void change_list_end(struct change_list *list);

#endif
