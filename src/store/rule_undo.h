/*
 * rule_undo: puts back rows as the log of changes says that they were.
 *
 * All within the transaction of a rule_edit, so that it is itself logged. What is to be undone is copied out of the log
 * first, since each row that is written pushes the oldest out of it. Changes are undone one by one, the newest first:
 * then each row has been, and can be, what the change before it left.
 */
#ifndef GATEPOST_STORE_RULE_UNDO_H
#define GATEPOST_STORE_RULE_UNDO_H

#include "store/rule_log.h"

struct rule_undo;

/* The caller calls rule_undo_close before it ends the transaction. */
int rule_undo_open(struct rule_undo **undo, struct rule_edit *edit, struct error *error);

/* NULL is fine. */
void rule_undo_close(struct rule_undo *undo);

/* The oldest and the newest change that the log held when the transaction began; 0 and 0 where it was empty. */
int rule_undo_find_ends(struct rule_undo *undo, int64_t *oldest, int64_t *newest, struct error *error);

/* Copies a part of the log, and adds the number of its changes to *n. */
int rule_undo_take(struct rule_undo *undo, int64_t first, int64_t last, int64_t *n, struct error *error);

/* All that has been taken, the newest first, for rule_log_walk. */
extern const struct rule_log_part rule_undo_taken;

enum rule_undo_outcome {
    RULE_UNDONE,
    RULE_UNDO_CHANGED,   /* the row is not as the change left it */
    RULE_UNDO_OCCUPIED,  /* another row has the key that it had */
    RULE_UNDO_SENSELESS, /* what the log says makes no sense */
};

/* Undoes one of the changes that have been taken. Returns 0 with the outcome, or a negative errno with the fault in
 * *error: -EINVAL where the database refuses such a row. Nothing is done but with RULE_UNDONE. */
int rule_undo_change(struct rule_undo *undo, const struct logged_change *change, enum rule_undo_outcome *outcome,
                     struct error *error);

/* What this transaction has written so far that lets strangers relay. */
struct rule_undo_opened {
    char relay_for[32];    /* its value; "" where it is untouched or has its default */
    int64_t n_senders;     /* accept entries for any client, */
    char sender_text[256]; /* and one of them, perhaps cut */
};

int rule_undo_find_opened(struct rule_undo *undo, int64_t now, struct rule_undo_opened *opened, struct error *error);

#endif
