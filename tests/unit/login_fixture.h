/*
 * login_fixture: a store of logins to be tested, with a loop and a folder of its own, and for Redis a server.
 *
 * Times are seconds after the fixture's beginning, which is the present: Redis forgets what has ended by its own clock.
 * Whatever takes too long fails the test.
 */
#ifndef GATEPOST_TESTS_LOGIN_FIXTURE_H
#define GATEPOST_TESTS_LOGIN_FIXTURE_H

#include "store/login_store.h"

#include <sys/types.h>

enum login_kind { LOGIN_IN_SQLITE, LOGIN_IN_REDIS, LOGIN_KIND_COUNT };

enum { FIXTURE_PATH_SIZE = 128, FIXTURE_NAMES_BYTES = 64 * 1024 };

struct login_fixture {
    char folder[FIXTURE_PATH_SIZE], path[FIXTURE_PATH_SIZE], url[FIXTURE_PATH_SIZE];
    int64_t start; /* Unix seconds */
    uv_loop_t loop;
    struct login_store *store;
    pid_t server;
    int n_up, n_down;  /* what the listener was told */
    struct error down; /* and why */
    bool may_warn;     /* a warning does not fail the test */
};

/* Login names, sorted; in a list each is "address user ends". */
struct login_names {
    char **name;
    size_t n;
};

/* What was answered: outcomes and numbers as in the request, names sorted and with a | between them. */
struct login_answer {
    int n_done;
    enum login_outcome outcome;
    char why[sizeof(struct error)];
    char names[FIXTURE_NAMES_BYTES];
    size_t n_entries, n_removed;
    bool whole;
};

void fixture_begin(struct login_fixture *fixture, enum login_kind kind);

/* Opens the store and returns what that gave; fixture->store is NULL after a failure. */
int fixture_try_open(struct login_fixture *fixture, bool may_be_down, struct error *error);

/* Opens the store and waits until it is up. */
void fixture_open(struct login_fixture *fixture);

/* Closes the store and runs the loop to its end. */
void fixture_close(struct login_fixture *fixture);

/* Ends the server, and removes the folder. The store has been closed. */
void fixture_end(struct login_fixture *fixture);

/* Runs the loop until *number is at least `least`. */
void fixture_await(struct login_fixture *fixture, const int *number, int least);

/* Ask, and wait for the answer, which is the caller's. */
void fixture_ask(struct login_fixture *fixture, struct login_request *request, struct login_answer *answer);
enum login_outcome fixture_record(struct login_fixture *fixture, const char *address, const char *user, int now,
                                  int ends);
enum login_outcome fixture_look_up(struct login_fixture *fixture, const char *address, int now,
                                   struct login_answer *answer);

/* Asks for all parts of the list. The caller calls fixture_names_fini. */
void fixture_list(struct login_fixture *fixture, int now, struct login_names *names);

/* The names with a | between them; what is too long is cut. */
void fixture_names_join(const struct login_names *names, char text[FIXTURE_NAMES_BYTES]);
void fixture_names_fini(struct login_names *names);

/* A `done` that fills the struct login_answer in request->context. */
void fixture_on_done(struct login_request *request);

#endif
