/*
 * login_rows: the logins that a job of a store has read, until what asked for them is done.
 *
 * One block holds the entries and one the texts, so that reading costs no allocation once they have grown to what is
 * usual. As both move while they grow, an entry's pointers are right only after login_rows_settle.
 */
#ifndef GATEPOST_STORE_LOGIN_ROWS_H
#define GATEPOST_STORE_LOGIN_ROWS_H

#include "store/login_store.h"

struct login_rows {
    struct login_entry *entries;
    size_t n, room;
    char *text; /* each entry's address and user, one after the other */
    size_t text_bytes, text_room;
};

/* Adds an entry with copies of the texts. Returns 0, or -ENOMEM with nothing added. */
int login_rows_add(struct login_rows *rows, struct str address, struct str user, int64_t ends_at);

/* Takes the last entry away; there is one. */
void login_rows_drop_last(struct login_rows *rows);

/* The texts of the last entry, until another is added; there is one. */
void login_rows_last(const struct login_rows *rows, struct str *address, struct str *user);

/* Makes all pointers right, in the entries and in the requests that own them: each the n_entries after those of the one
 * before it. Nothing is added after that. */
void login_rows_settle(struct login_rows *rows, struct login_request *requests);

/* Forgets the entries; keeps memory for the next ones, but not more than is usual. */
void login_rows_clear(struct login_rows *rows);

void login_rows_fini(struct login_rows *rows);

#endif
