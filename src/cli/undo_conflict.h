/*
 * undo_conflict: why a change cannot be undone, in words: what has been done to the same row since.
 *
 * The first few are told; of those that hang on the same later changes, only the first is.
 */
#ifndef GATEPOST_CLI_UNDO_CONFLICT_H
#define GATEPOST_CLI_UNDO_CONFLICT_H

#include "console/progress.h"
#include "console/seq_range.h"
#include "store/rule_undo.h"

enum {
    UNDO_CONFLICTS_TOLD = 5, /* each costs a look at the log */
    UNDO_LATER_TOLD = 5      /* later changes of one */
};

struct undo_conflicts {
    struct rule_db *db;
    const struct seq_range *ranges; /* what is being undone */
    size_t n_ranges;
    int64_t last_seq;          /* before this undo */
    struct progress *progress; /* to be taken away before anything is said */

    int64_t n;                                            /* conflicts */
    int64_t later[UNDO_CONFLICTS_TOLD * UNDO_LATER_TOLD]; /* what stands in the way */
    size_t n_later;
    bool incomplete; /* there is more in the way */
};

/* Tells of one. Returns 0, or a negative errno with the fault in *error. */
int undo_conflict_tell(struct undo_conflicts *conflicts, const struct logged_change *change,
                       enum rule_undo_outcome outcome, struct error *error);

/* Says that nothing has been undone, and what can be done. Returns an exit status. */
int undo_conflicts_end(const struct undo_conflicts *conflicts);

#endif
