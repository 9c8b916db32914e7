/*
 * verdict: what a rule set says to one recorded request.
 *
 * Nobody knows who had logged in. Where the answer hangs on that, it is that for nobody, and the other one is known,
 * too: that for a login that counts.
 */
#ifndef GATEPOST_REPLAY_VERDICT_H
#define GATEPOST_REPLAY_VERDICT_H

#include "core/decide.h"

struct verdict {
    struct decision decision; /* without a login */
    bool needs_login;
    enum action login_action; /* with one, where needs_login */
    enum reason login_reason;
};

/* Finishes the verdict, whose decision is made, if need be by asking again. Returns 0, or -ENOMEM. */
int verdict_finish(struct verdict *verdict, const struct decide_query *query);

/* When the request was recorded, in Unix seconds, or 0. */
int64_t verdict_recorded_at(const struct request *request);

enum { VERDICT_NAME_BYTES = 64, RULE_NAME_BYTES = RULE_TEXT_BYTES + BLOCK_TEXT_SIZE + 32 };

/* DUNNO, OK, BCC, REJECT, DEFER. */
const char *verdict_name_action(enum action action, enum reason reason);

/* The action and, of a refusal, the reason, such as "REJECT relay". */
struct str verdict_name_answer(enum action action, enum reason reason, char text[VERDICT_NAME_BYTES]);

/* What the row is called: its kind, its key, and where it has one its client, such as "accept @example.org from
 * 192.0.2.0/24". */
struct str verdict_name_row(enum rule_table table, struct str key, struct str client, struct str value,
                            char text[RULE_NAME_BYTES]);

/* The same for what decided: the rule, else "setting NAME"; empty where neither did. */
struct str verdict_name_cause(const struct rule *rule, enum setting setting, char text[RULE_NAME_BYTES]);

#endif
