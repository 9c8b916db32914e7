/*
 * conclusion: what a whole session comes to: who decided, what would change that, and the sentence for the user.
 */
#ifndef GATEPOST_EXPLAIN_CONCLUSION_H
#define GATEPOST_EXPLAIN_CONCLUSION_H

#include "explain/explained.h"

/* What is kept of one request, since its explanation does not stay. */
struct conclusion_part {
    enum outcome outcome;
    bool is_recipient; /* at RCPT */
    bool is_message;   /* at DATA */
    bool is_copied;
    struct str recipient;
    const char *subject;              /* where it is not about mail, or NULL */
    char *because, *changes, *advice; /* owned */
};

struct conclusion {
    struct conclusion_part *parts;
    size_t n, size;
};

/* Takes the request's part, in the order of the session. Its recipient must outlive the conclusion. Returns 0, or
 * -ENOMEM. */
int conclusion_add(struct conclusion *conclusion, const struct explained *x);

/* Prints it; to are all recipients of the session, in case that none was asked about. */
void conclusion_print(const struct conclusion *conclusion, const struct str *to, size_t n_to);

void conclusion_fini(struct conclusion *conclusion);

/* Writes the whole sentence about one request alone. */
void conclusion_write_one(FILE *out, const struct explained *x);

#endif
