/*
 * Every allocation of the Redis store fails once: that costs a request or the connection, and nothing else.
 */
#include "failing.h"
#include "redis_rig.h"
#include "suite.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

enum { NOW = 2000000000, URL_SIZE = 128, N_VERBS = 4 };

static void on_changed(void *context, bool up, const char *why)
{
    (void)context;
    (void)up;
    (void)why;
}

static void on_warned(void *context, const char *text)
{
    (void)context;
    (void)text;
}

static void on_done(struct login_request *request)
{
    ++*(unsigned *)request->context;
}

/* Asks until it is answered; false where that does not come about. */
static bool ask(uv_loop_t *loop, struct login_store *store, struct login_request *request)
{
    uint64_t end = uv_hrtime() + RIG_PATIENCE_MS * UINT64_C(1000000);
    unsigned n_done = 0;
    request->context = &n_done;
    request->outcome = LOGIN_AWAY;
    while (request->outcome != LOGIN_DONE && uv_hrtime() < end) {
        n_done = 0;
        request->cursor[0] = '\0';
        int r = login_store_submit(store, request);
        if (r == 0)
            while (n_done == 0 && uv_hrtime() < end)
                (void)uv_run(loop, UV_RUN_ONCE);
        else
            (void)uv_run(loop, r == -ENOMEM ? UV_RUN_NOWAIT : UV_RUN_ONCE);
    }
    return request->outcome == LOGIN_DONE && n_done == 1;
}

/* Uses the store for all it can do. Returns 0; the error of opening it, or -ETIMEDOUT. */
static int use(const char *url)
{
    static const enum login_verb verbs[N_VERBS] = { LOGIN_RECORD, LOGIN_LOOK_UP, LOGIN_LIST, LOGIN_REMOVE };
    struct error error;
    struct login_store *store = NULL;
    struct login_store_options options = {
        .url = url, .prefix = "gatepost:", .timeout_ms = RIG_TIMEOUT_MS, .listener = { on_changed, on_warned, NULL }
    };
    uv_loop_t loop;
    (void)signal(SIGPIPE, SIG_IGN);
    int r = uv_loop_init(&loop);
    if (r == 0)
        r = login_store_open(&store, &loop, &options, &error);
    for (size_t i = 0; i < N_VERBS && r == 0; i++) {
        char cursor[LOGIN_CURSOR_SIZE] = "";
        struct login_request request = { .verb = verbs[i],
                                         .cursor = cursor,
                                         .address = STR("192.0.2.7"),
                                         .user = STR("alice"),
                                         .ends_at = NOW + 60,
                                         .now = NOW,
                                         .done = on_done };
        if (!ask(&loop, store, &request))
            r = -ETIMEDOUT;
    }
    login_store_close(store);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop);
    return r;
}

START_TEST(failed_allocation_costs_a_request_or_the_connection)
{
    char url[URL_SIZE];
    long n = 0;
    bool failed = true;
    pid_t redis = rig_start_redis("s", NULL);
    (void)snprintf(url, sizeof url, "redis+unix://%s/s", rig_folder);
    for (; failed; n++) {
        left = n;
        int r = use(url);
        failed = left < 0;
        left = -1;
        ck_assert_msg(r == 0 || r == -ENOMEM, "allocation %ld: %d", n, r);
    }
    ck_assert_int_gt(n, 20);
    rig_stop_redis(redis);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redis_memory");
    TCase *tcase = suite_case(suite, "redis_memory");
    tcase_add_unchecked_fixture(tcase, rig_make_folder, rig_remove_folder);
    tcase_add_test(tcase, failed_allocation_costs_a_request_or_the_connection);
    return suite_run(suite);
}
