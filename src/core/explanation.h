/*
 * explanation: a decision in texts, as the command line shows it.
 *
 * It is made from a decision, or read from pairs of name and value, as which the daemon hands its own over
 * (gatepostd(8), CONTROL SOCKET); either way it is the same.
 */
#ifndef GATEPOST_CORE_EXPLANATION_H
#define GATEPOST_CORE_EXPLANATION_H

#include "core/reply.h"

/* Of the whole decision. */
enum explanation_field {
    EXPLANATION_ACTION, /* what comes after action= */
    EXPLANATION_REASON,
    EXPLANATION_LOGINS, /* what was known: known, unavailable, or nothing where it did not matter */
    EXPLANATION_LOGIN,  /* the login that made the difference */
    EXPLANATION_TOO_MANY_ACCOUNTS,
    EXPLANATION_OBSERVE_ALL,  /* yes */
    EXPLANATION_RECIPIENT_IS, /* at RCPT: local or relay, as its domain is, or foreign */
    EXPLANATION_FIELDS
};

/* Of one step on the way. */
enum explanation_note_field {
    NOTE_STEP, /* its number; the first of each note */
    NOTE_NAME,
    NOTE_OUTCOME, /* passed, observed, decided */
    NOTE_WHY,
    NOTE_REASON,
    NOTE_TABLE, /* the row that mattered */
    NOTE_KEY,
    NOTE_CLIENT,
    NOTE_COLUMN,
    NOTE_VALUE,
    NOTE_SETTING, /* the setting that mattered */
    NOTE_SETTING_VALUE,
    EXPLANATION_NOTE_FIELDS
};

/* What does not apply is empty. */
struct explanation {
    struct str field[EXPLANATION_FIELDS];
    struct str note[DECIDE_NOTES][EXPLANATION_NOTE_FIELDS];
    size_t n_notes;
    char action[REPLY_MAX_BYTES];
    char too_many[24];
    char key[DECIDE_NOTES][RULE_TEXT_BYTES];
    char client[DECIDE_NOTES][BLOCK_TEXT_SIZE];
};

/* Everything it says points into itself, or belongs to the decision, its rules and its logins. */
void explanation_make(struct explanation *explanation, const struct decision *decision,
                      const struct decide_query *query);

/* Calls visit with each name and value that applies, in an order that explanation_take understands. */
typedef void explanation_visit(void *context, const char *name, struct str value);
void explanation_each(const struct explanation *explanation, explanation_visit *visit, void *context);

/* Takes the next pair; a name that is not known is passed over, and of more than DECIDE_NOTES notes the last
 * one is overwritten. The explanation
 * is all zeros at first, and points to the values. */
void explanation_take(struct explanation *explanation, struct str name, struct str value);

#endif
