/*
 * redis_rig: what the suites of the Redis store share. A folder, a real redis-server in it, and a store on a loop whose
 * listener and requests are recorded.
 *
 * Servers die with the test's process; the folder is made and removed by the suite's own process, so that nothing is
 * left behind by a test that fails.
 */
#ifndef GATEPOST_TESTS_REDIS_RIG_H
#define GATEPOST_TESTS_REDIS_RIG_H

#include "store/login_store.h"

#include <sys/types.h>

enum { RIG_TIMEOUT_MS = 1000, RIG_PATIENCE_MS = 20000, RIG_TEXT_SIZE = 2048, RIG_NAME_SIZE = 64 };

extern char rig_folder[RIG_NAME_SIZE];

/* Unchecked fixtures. */
void rig_make_folder(void);
void rig_remove_folder(void);

/* Starts redis-server on the socket `name` in the folder, with more arguments, and waits until it answers. */
pid_t rig_start_redis(const char *name, const char *const *arguments);
void rig_stop_redis(pid_t pid);

/* Runs a command of words as somebody else would; the answer is valid until the next: a status, an error, a text or a
 * number, and the elements of an array with blanks between. */
const char *rig_redis(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A store and what it has told. */
struct rig {
    uv_loop_t loop;
    struct login_store *store;
    unsigned n_up, n_down, n_warned;
    char cause[RIG_TEXT_SIZE], warning[RIG_TEXT_SIZE];
    bool is_up, closing;
};

void rig_init(struct rig *rig); /* the loop alone */
void rig_open_in(struct rig *rig, const char *url, uint32_t timeout_ms);
void rig_open(struct rig *rig, const char *url, uint32_t timeout_ms); /* both */
void rig_open_at(struct rig *rig, const char *name);                  /* the socket in the folder */
void rig_close(struct rig *rig);

/* Runs the loop until the condition holds; the test fails where that takes too long. */
#define rig_wait(rig, condition)                                                                                       \
    do {                                                                                                               \
        uint64_t rig_end = uv_hrtime() + RIG_PATIENCE_MS * UINT64_C(1000000);                                          \
        while (!(condition)) {                                                                                         \
            ck_assert_msg(uv_hrtime() < rig_end, "waited in vain for: %s", #condition);                                \
            rig_round(rig);                                                                                            \
        }                                                                                                              \
    } while (0)
void rig_round(struct rig *rig); /* one round of the loop, which waits at most some milliseconds */

/* A request and what became of it. */
struct rig_request {
    struct login_request request;
    char cursor[LOGIN_CURSOR_SIZE];
    bool done;
    unsigned order;            /* of those that are done */
    char names[RIG_TEXT_SIZE]; /* "user user", of a list "address/user=end address/user=end" */
    char why[RIG_TEXT_SIZE];
    char address[IP_TEXT_SIZE], user[LOGIN_NAME_MAX_BYTES + 1];
};

void rig_fill(struct rig_request *request, enum login_verb verb, const char *address, const char *user, int64_t ends_at,
              int64_t now);
int rig_submit(struct rig *rig, struct rig_request *request); /* filled in */

/* Each of these waits until it is done. */
enum login_outcome rig_ask(struct rig *rig, struct rig_request *request);
enum login_outcome rig_record(struct rig *rig, const char *address, const char *user, int64_t ends_at, int64_t now);
const char *rig_look_up(struct rig *rig, const char *address, int64_t now); /* the names, or why there are none */

#endif
