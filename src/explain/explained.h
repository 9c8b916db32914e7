/*
 * explained: one request of a session with the decision about it, as what `gatepost explain` says is written from.
 */
#ifndef GATEPOST_EXPLAIN_EXPLAINED_H
#define GATEPOST_EXPLAIN_EXPLAINED_H

#include "core/explanation.h"

#include <stdio.h>

/* Where what is known of logins comes from. */
enum login_source { LOGIN_ASSUMED_NONE, LOGIN_PRETENDED, LOGIN_OF_DAEMON };

struct explained {
    const struct request *request;
    const struct explanation *explanation;
    enum login_source source;
    struct str login;          /* the one that is pretended, or empty */
    const struct rules *rules; /* by which changes are tried; NULL: they cannot be */
    int64_t now;
    const char *program; /* how gatepost is to be called, as words of a shell */
};

/* Decides with what is known of logins, where it is asked for. Returns 0, or -ENOMEM. */
int explained_decide(struct decide_query *query, const struct login_facts *logins, struct decision *decision);

/* What becomes of it. */
enum outcome {
    OUTCOME_OPEN,    /* nothing yet, or nothing that concerns a message */
    OUTCOME_TAKEN,   /* ours */
    OUTCOME_RELAYED, /* sent on to another server */
    OUTCOME_LEFT,    /* left to Postfix's reject_unauth_destination, which lets its own domains through alone */
    OUTCOME_DEFERRED,
    OUTCOME_REFUSED
};

enum outcome explained_outcome(const struct explained *x);

/* REASON_NONE where nothing is refused. */
enum reason explained_reason(const struct explained *x);

/* The note of the step that answered; NULL where there is none. */
const struct str *explained_answer(const struct explained *x);

/* The last note of a refusal that is only observed, or NULL. */
const struct str *explained_observed(const struct explained *x);

bool explained_is_state(const struct explained *x, const char *state);

/* The recipient is one that Postfix would send on to where its local part says. */
bool explained_is_routed(const struct explained *x);

/* The recipient is postmaster without a domain, which Postfix takes without asking anybody. */
bool explained_is_postmaster(const struct explained *x);

/* The answer is that a copy goes to this address. */
bool explained_is_copied(const struct explained *x, struct str *to);

/* The client as it is compared, sender and recipient as they were sent; what is long is cut off. */
void explained_put_client(FILE *out, const struct explained *x);
void explained_put_sender(FILE *out, const struct explained *x);
void explained_put_recipient(FILE *out, const struct explained *x);

/* Writes the text, cut off where it is longer than anybody would read. */
void explained_put_text(FILE *out, struct str text);

/* Writes the row and the setting that mattered to a step, each in brackets, with ? for what could steer a terminal. */
void explained_put_row(FILE *out, const struct str *note);

/* Calls write with a stream, and returns what it wrote there; the caller frees it. NULL where memory is short. */
typedef void explained_write(FILE *out, const struct explained *x);
char *explained_text(explained_write *write, const struct explained *x);

#endif
