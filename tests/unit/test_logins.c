/*
 * Logins as the connections ask and report them, over a store that does what the test says.
 */
#include "daemon/logins.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The store: what is asked is held until the test answers it. */
static struct fake {
    struct login_store base;
    struct login_listener listener;
    enum login_store_state state;
    struct login_request *held[1024];
    size_t n_held;
    bool closed;
} fake;

static int fake_submit(struct login_store *store, struct login_request *request)
{
    (void)store;
    if (fake.state == LOGIN_STORE_DOWN)
        return -EAGAIN;
    ck_assert_uint_lt(fake.n_held, sizeof fake.held / sizeof *fake.held);
    fake.held[fake.n_held++] = request;
    return 0;
}

static enum login_store_state fake_state(const struct login_store *store)
{
    (void)store;
    return fake.state;
}

/* Answers the first that is held. */
static void fake_answer(enum login_outcome outcome, const char *names)
{
    static char words[256];
    static struct login_entry entries[16];
    ck_assert_uint_gt(fake.n_held, 0);
    struct login_request *request = fake.held[0];
    memmove(fake.held, fake.held + 1, --fake.n_held * sizeof *fake.held);
    struct str rest = str_of(strcpy(words, names ? names : "")), word;
    request->n_entries = 0;
    while (str_next_word(&rest, &word))
        entries[request->n_entries++] = (struct login_entry){ request->address, word, 0 };
    request->entries = entries;
    request->whole = true;
    request->outcome = outcome;
    request->why = outcome == LOGIN_DONE ? NULL : "the fake says so";
    request->done(request);
}

static void fake_close(struct login_store *store)
{
    (void)store;
    fake.closed = true;
    while (fake.n_held > 0)
        fake_answer(LOGIN_AWAY, NULL);
}

static const struct login_store_ops fake_ops = { fake_submit, fake_state, fake_close };

/* In the place of that of login_store.c. */
int login_store_open(struct login_store **store, uv_loop_t *loop, const struct login_store_options *options,
                     struct error *error)
{
    (void)loop;
    (void)error;
    fake = (struct fake){ .base = { &fake_ops }, .listener = options->listener, .state = LOGIN_STORE_UP };
    *store = &fake.base;
    return 0;
}

static void fake_change(enum login_store_state state)
{
    fake.state = state;
    fake.listener.changed(fake.listener.context, state == LOGIN_STORE_UP, state == LOGIN_STORE_UP ? NULL : "gone");
}

/* One desk for each test. It waits a tenth of a second longer for an answer than it would a store to give up. */
enum { ANSWER_LIMIT_MS = 100 };

static uv_loop_t loop;
static struct logins *logins;

static void set_up(void)
{
    static const struct login_store_options options = { .url = "fake:" };
    struct error error;
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(logins_open(&logins, &loop, &options, &error), 0);
}

static void tear_down(void)
{
    logins_close(logins);
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    ck_assert(fake.closed);
    logins_free(logins);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}

/* Reports. */

struct told {
    struct login_report report;
    int n;
    bool waits;
};

static void on_report(struct login_report *report, const char *why_it_waits)
{
    struct told *told = report->context;
    told->n++;
    told->waits = why_it_waits != NULL;
}

static void report(struct told *told, const char *user, const char *address)
{
    struct login_event event = { .ends_at = time(NULL) + 60 };
    ck_assert_int_eq(mail_parse(&event.user, str_of(user), MAIL_AS_SENT), 0);
    (void)snprintf(event.address, sizeof event.address, "%s", address);
    *told = (struct told){ .report = { .answered = on_report, .context = told } };
    ck_assert_int_eq(logins_record(logins, &event, time(NULL), &told->report), 0);
    login_event_fini(&event);
}

/* Look-ups: "known a b", "unavailable a". */

struct asked {
    struct login_wait wait;
    int n;
    size_t n_names;
    char text[256];
};

static void on_asked(struct login_wait *wait)
{
    struct asked *asked = wait->context;
    asked->n++;
    asked->n_names = wait->facts.n_names;
    size_t n =
        (size_t)snprintf(asked->text, sizeof asked->text, "%s%s",
                         wait->facts.state == LOGIN_KNOWN ? "known" : "unavailable", wait->facts.more ? " more" : "");
    for (size_t i = 0; i < wait->facts.n_names && i < 8; i++)
        n += (size_t)snprintf(asked->text + n, sizeof asked->text - n, " %.*s", STR_ARGS(wait->facts.names[i]));
}

static void ask(struct asked *asked, const char *address)
{
    struct ip_addr addr;
    ck_assert(ip_parse(str_of(address), &addr));
    *asked = (struct asked){ .wait = { .answered = on_asked, .context = asked } };
    ck_assert_int_eq(logins_look_up(logins, &addr, time(NULL), &asked->wait), 0);
}

static void expect_held(size_t n)
{
    ck_assert_uint_eq(fake.n_held, n);
}

START_TEST(a_login_is_acknowledged_once_it_is_stored)
{
    struct told told;
    report(&told, "Alice@Example.com", "192.0.2.7");
    ck_assert_int_eq(told.n, 0);
    expect_held(1);
    ck_assert(str_is(fake.held[0]->user, "alice@example.com"));
    fake_answer(LOGIN_DONE, NULL);
    ck_assert(told.n == 1 && !told.waits);
    ck_assert_ptr_null(logins_waiting(logins));
}
END_TEST

START_TEST(a_login_that_cannot_be_stored_waits_and_is_stored_later)
{
    static const enum login_outcome outcomes[] = { LOGIN_AWAY, LOGIN_NO_WRITES, LOGIN_BAD_KEY };
    struct told told;
    report(&told, "alice", "192.0.2.7");
    int64_t ends_at = fake.held[0]->ends_at;
    fake_answer(outcomes[_i], NULL);
    ck_assert(told.n == 1 && told.waits);
    ck_assert_ptr_nonnull(logins_waiting(logins));
    while (fake.n_held == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    ck_assert(str_is(fake.held[0]->user, "alice"));
    ck_assert_int_eq(fake.held[0]->ends_at, ends_at);
    fake_answer(LOGIN_DONE, NULL);
    ck_assert_ptr_null(logins_waiting(logins));
    ck_assert_int_eq(told.n, 1);
}
END_TEST

START_TEST(while_the_store_is_down_logins_wait_in_order)
{
    struct told told[3];
    fake_change(LOGIN_STORE_DOWN);
    report(&told[0], "a", "192.0.2.7");
    report(&told[1], "b", "192.0.2.8");
    report(&told[2], "c", "192.0.2.7");
    for (int i = 0; i < 3; i++)
        ck_assert(told[i].n == 1 && told[i].waits);
    expect_held(0);
    fake_change(LOGIN_STORE_UP);
    expect_held(3);
    ck_assert(str_is(fake.held[0]->user, "a") && str_is(fake.held[1]->user, "b") && str_is(fake.held[2]->user, "c"));
    for (int i = 0; i < 3; i++)
        fake_answer(LOGIN_DONE, NULL);
    ck_assert_ptr_null(logins_waiting(logins));
}
END_TEST

START_TEST(a_store_that_takes_nothing_is_tried_with_one_login)
{
    struct told told[3];
    report(&told[0], "a", "192.0.2.7");
    fake_answer(LOGIN_NO_WRITES, NULL);
    report(&told[1], "b", "192.0.2.8");
    report(&told[2], "c", "192.0.2.9");
    ck_assert(told[1].n == 1 && told[1].waits);
    expect_held(0);
    while (fake.n_held == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    expect_held(1);
    fake_answer(LOGIN_NO_WRITES, NULL);
    expect_held(0);
    while (fake.n_held == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    fake_answer(LOGIN_DONE, NULL);
    expect_held(2);
    report(&told[0], "d", "192.0.2.10");
    expect_held(3);
    for (int i = 0; i < 3; i++)
        fake_answer(LOGIN_DONE, NULL);
    ck_assert(told[0].n == 1 && !told[0].waits);
    ck_assert_ptr_null(logins_waiting(logins));
}
END_TEST

START_TEST(one_bad_key_does_not_hold_up_the_others)
{
    struct told told[2];
    fake_change(LOGIN_STORE_DOWN);
    report(&told[0], "bad", "192.0.2.7");
    report(&told[1], "good", "192.0.2.8");
    fake_change(LOGIN_STORE_UP);
    expect_held(2);
    fake_answer(LOGIN_BAD_KEY, NULL);
    fake_answer(LOGIN_DONE, NULL);
    ck_assert_ptr_nonnull(logins_waiting(logins));
    ck_assert(str_is(logins_waiting(logins)->request.user, "bad"));
    ck_assert_ptr_null(logins_waiting(logins)->next);
    expect_held(0);
    report(&told[1], "next", "192.0.2.8");
    fake_answer(LOGIN_DONE, NULL);
    ck_assert(told[1].n == 1 && !told[1].waits);
}
END_TEST

START_TEST(a_look_up_joins_what_is_stored_and_what_waits)
{
    struct told told;
    struct asked asked;
    report(&told, "waits", "192.0.2.7");
    fake_answer(LOGIN_NO_WRITES, NULL);
    ask(&asked, "192.0.2.7");
    ck_assert_int_eq(asked.n, 0);
    fake_answer(LOGIN_DONE, "a waits b");
    ck_assert_str_eq(asked.text, "known a waits b");
    ask(&asked, "192.0.2.7");
    fake_answer(LOGIN_DONE, "a");
    ck_assert_str_eq(asked.text, "known a waits");
    ask(&asked, "192.0.2.8");
    fake_answer(LOGIN_DONE, "");
    ck_assert_str_eq(asked.text, "known");
    ask(&asked, "192.0.2.7");
    fake_answer(LOGIN_AWAY, NULL);
    ck_assert_str_eq(asked.text, "unavailable waits");
    ck_assert_int_eq(asked.n, 1);
    fake_change(LOGIN_STORE_DOWN);
    ask(&asked, "192.0.2.7");
    ck_assert_str_eq(asked.text, "unavailable waits");
    ask(&asked, "192.0.2.8");
    ck_assert_str_eq(asked.text, "unavailable");
}
END_TEST

START_TEST(who_has_gone_is_told_nothing)
{
    struct told told;
    struct asked asked;
    ask(&asked, "192.0.2.7");
    report(&told, "alice", "192.0.2.7");
    login_wait_cancel(&asked.wait);
    login_report_cancel(&told.report);
    fake_answer(LOGIN_DONE, "a");
    fake_answer(LOGIN_AWAY, NULL);
    ck_assert_int_eq(asked.n, 0);
    ck_assert_int_eq(told.n, 0);
    ck_assert_ptr_nonnull(logins_waiting(logins));
    login_wait_cancel(&asked.wait);
    login_report_cancel(&told.report);
}
END_TEST

START_TEST(a_look_up_that_takes_too_long_opens_nothing_and_holds_up_nobody)
{
    struct asked asked, next;
    ask(&asked, "192.0.2.7");
    while (asked.n == 0)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    ck_assert_str_eq(asked.text, "unavailable");
    ask(&next, "192.0.2.8");
    ck_assert_int_eq(next.n, 1);
    ck_assert_str_eq(next.text, "unavailable");
    expect_held(1);
    fake_answer(LOGIN_DONE, "a");
    ck_assert_int_eq(asked.n, 1);
    ask(&next, "192.0.2.8");
    fake_answer(LOGIN_DONE, "b");
    ck_assert_str_eq(next.text, "known b");
}
END_TEST

START_TEST(a_login_that_takes_too_long_waits_and_counts)
{
    static const enum login_outcome outcomes[] = { LOGIN_DONE, LOGIN_AWAY, LOGIN_BAD_KEY };
    struct told told, next;
    struct asked asked;
    report(&told, "alice", "192.0.2.7");
    while (told.n == 0)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    ck_assert(told.n == 1 && told.waits);
    report(&next, "bob", "192.0.2.7");
    ck_assert(next.n == 1 && next.waits);
    expect_held(1);
    ask(&asked, "192.0.2.7");
    expect_held(2);
    fake_answer(outcomes[_i], NULL);
    fake_answer(LOGIN_DONE, "");
    ck_assert(strcmp(asked.text, _i == 0 ? "known bob" : "known bob alice") == 0 ||
              strcmp(asked.text, "known alice bob") == 0);
    while (logins_waiting(logins)) {
        while (fake.n_held == 0)
            (void)uv_run(&loop, UV_RUN_ONCE);
        fake_answer(LOGIN_DONE, NULL);
    }
    ck_assert_int_eq(told.n, 1);
}
END_TEST

START_TEST(a_late_login_joins_the_same_that_waits)
{
    struct told told[2];
    report(&told[0], "alice", "192.0.2.7");
    report(&told[1], "alice", "192.0.2.7");
    fake_answer(LOGIN_NO_WRITES, NULL);
    while (told[1].n == 0)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    ck_assert(told[1].waits);
    ck_assert_ptr_null(logins_waiting(logins)->next);
    fake_answer(LOGIN_NO_WRITES, NULL);
    ck_assert_ptr_null(logins_waiting(logins)->next);
}
END_TEST

START_TEST(a_late_login_that_was_removed_stays_removed)
{
    struct told told;
    report(&told, "mallory", "192.0.2.66");
    (void)logins_forget(logins, str_of("192.0.2.66"));
    while (told.n == 0)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    ck_assert_ptr_null(logins_waiting(logins));
    fake_answer(LOGIN_NO_WRITES, NULL);
    ck_assert_ptr_null(logins_waiting(logins));
}
END_TEST

START_TEST(a_loop_that_stood_still_does_not_blame_the_store)
{
    struct asked asked;
    ask(&asked, "192.0.2.7");
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    (void)usleep((unsigned)(ANSWER_LIMIT_MS + 5 * _i) * 1000);
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    ck_assert_int_eq(asked.n, 0);
    fake_answer(LOGIN_DONE, "a");
    ck_assert_str_eq(asked.text, "known a");
}
END_TEST

START_TEST(with_nothing_left_to_try_the_next_login_is_tried)
{
    struct told told;
    report(&told, "a", "192.0.2.7");
    fake_answer(LOGIN_NO_WRITES, NULL);
    ck_assert_uint_eq(logins_forget(logins, str_of("192.0.2.7")), 1);
    report(&told, "b", "192.0.2.8");
    fake_answer(LOGIN_DONE, NULL);
    ck_assert(told.n == 1 && !told.waits);
}
END_TEST

START_TEST(a_bad_key_alone_defers_nobody_else)
{
    struct told told;
    report(&told, "bad", "192.0.2.7");
    for (int i = 0; i < 3; i++) {
        fake_answer(LOGIN_BAD_KEY, NULL);
        report(&told, "good", "192.0.2.8");
        expect_held(1);
        fake_answer(LOGIN_DONE, NULL);
        ck_assert(told.n == 1 && !told.waits);
        while (fake.n_held == 0)
            (void)uv_run(&loop, UV_RUN_ONCE);
    }
    fake_answer(LOGIN_DONE, NULL);
}
END_TEST

/* The first of the queue cannot be stored, after a time in which nothing could. */
START_TEST(a_bad_key_in_front_lets_the_others_by)
{
    struct told told[2];
    report(&told[0], "bad", "192.0.2.7");
    fake_answer(LOGIN_NO_WRITES, NULL);
    report(&told[1], "good", "192.0.2.8");
    while (fake.n_held == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    fake_answer(LOGIN_BAD_KEY, NULL);
    expect_held(1);
    ck_assert(str_is(fake.held[0]->user, "good"));
    fake_answer(LOGIN_DONE, NULL);
    ck_assert(str_is(logins_waiting(logins)->request.user, "bad"));
    ck_assert_ptr_null(logins_waiting(logins)->next);
}
END_TEST

START_TEST(forgotten_logins_are_not_stored)
{
    struct told told[3];
    fake_change(LOGIN_STORE_DOWN);
    report(&told[0], "a", "192.0.2.7");
    report(&told[1], "b", "192.0.2.7");
    report(&told[2], "c", "192.0.2.8");
    fake_change(LOGIN_STORE_UP);
    expect_held(3); /* two of them are forgotten while the store has them */
    ck_assert_uint_eq(logins_forget(logins, str_of("192.0.2.7")), 2);
    ck_assert_uint_eq(logins_forget(logins, str_of("192.0.2.7")), 0);
    for (int i = 0; i < 3; i++)
        fake_answer(LOGIN_AWAY, NULL);
    ck_assert(str_is(logins_waiting(logins)->request.user, "c"));
    ck_assert_ptr_null(logins_waiting(logins)->next);
    ck_assert_uint_eq(logins_forget(logins, str_of("192.0.2.8")), 1);
    ck_assert_ptr_null(logins_waiting(logins));
}
END_TEST

START_TEST(one_login_that_fails_twice_waits_once)
{
    struct told told[2];
    report(&told[0], "alice", "192.0.2.7");
    report(&told[1], "alice", "192.0.2.7");
    expect_held(2);
    fake_answer(LOGIN_NO_WRITES, NULL);
    fake_answer(LOGIN_NO_WRITES, NULL);
    ck_assert(told[0].n == 1 && told[0].waits && told[1].n == 1 && told[1].waits);
    ck_assert_ptr_nonnull(logins_waiting(logins));
    ck_assert_ptr_null(logins_waiting(logins)->next);
}
END_TEST

START_TEST(a_login_that_is_removed_on_its_way_does_not_come_back)
{
    struct told told;
    report(&told, "mallory", "192.0.2.66");
    ck_assert_uint_eq(logins_forget(logins, str_of("192.0.2.66")), 0);
    fake_answer(LOGIN_NO_WRITES, NULL);
    ck_assert(told.n == 1 && !told.waits);
    ck_assert_ptr_null(logins_waiting(logins));
}
END_TEST

/* The store has an older one of the same login in hand. */
START_TEST(a_login_counts_once)
{
    struct told told;
    struct asked asked;
    fake_change(LOGIN_STORE_DOWN);
    report(&told, "a", "192.0.2.7");
    fake_change(LOGIN_STORE_UP);
    expect_held(1);
    fake_change(LOGIN_STORE_DOWN);
    report(&told, "a", "192.0.2.7");
    report(&told, "b", "192.0.2.7");
    ask(&asked, "192.0.2.7");
    ck_assert(strcmp(asked.text, "unavailable b a") == 0 || strcmp(asked.text, "unavailable a b") == 0);
    fake_change(LOGIN_STORE_UP);
    fake_answer(LOGIN_DONE, NULL);
}
END_TEST

START_TEST(very_many_that_wait_at_one_address_are_not_all_told)
{
    enum { MANY = 3 * LOGIN_NAMES_MAX };
    static struct told told;
    struct asked asked;
    char user[16];
    fake_change(LOGIN_STORE_DOWN);
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(user, sizeof user, "u%d", i);
        report(&told, user, "192.0.2.7");
    }
    ask(&asked, "192.0.2.7");
    ck_assert_uint_eq(asked.n_names, LOGIN_NAMES_MAX);
    fake.state = LOGIN_STORE_UP;
    ask(&asked, "192.0.2.7");
    fake_answer(LOGIN_DONE, "u1 x");
    ck_assert_uint_eq(asked.n_names, LOGIN_NAMES_MAX);
    ck_assert_int_eq(strncmp(asked.text, "known more u1 x u", 17), 0);
}
END_TEST

START_TEST(at_the_end_the_store_may_take_what_waits)
{
    static struct told told[2];
    fake_change(LOGIN_STORE_DOWN);
    report(&told[0], "a", "192.0.2.7");
    report(&told[1], "b", "192.0.2.7");
    fake.state = LOGIN_STORE_UP;
    logins_close(logins);
    ck_assert(!fake.closed);
    expect_held(2);
    fake_answer(LOGIN_DONE, NULL);
    if (_i == 0) {
        fake_answer(LOGIN_DONE, NULL);
        ck_assert_ptr_null(logins_waiting(logins));
    } else {
        (void)uv_run(&loop, UV_RUN_DEFAULT); /* its time is over */
    }
    ck_assert(fake.closed);
}
END_TEST

/* Its reporter has gone, but it counts. */
START_TEST(at_the_end_a_login_on_its_way_is_waited_for)
{
    static struct told told;
    report(&told, "alice", "192.0.2.7");
    login_report_cancel(&told.report);
    logins_close(logins);
    ck_assert(!fake.closed);
    expect_held(1);
    fake_answer(LOGIN_DONE, NULL);
    ck_assert(fake.closed);
}
END_TEST

START_TEST(the_end_answers_what_is_asked)
{
    static struct told told;
    static struct asked asked;
    ask(&asked, "192.0.2.7");
    report(&told, "alice", "192.0.2.7");
    logins_close(logins);
    ck_assert_str_eq(asked.text, "unavailable");
    ck_assert(told.n == 1 && told.waits);
}
END_TEST

/* The queue by itself. */

static struct queued_login *queue(struct login_queue *queue, const char *address, const char *user, int64_t ends_at)
{
    struct queued_login *login = queued_login_new(str_of(address), str_of(user), ends_at);
    ck_assert_ptr_nonnull(login);
    login_queue_add(queue, login);
    return login;
}

START_TEST(a_login_that_is_reported_again_is_prolonged_in_its_place)
{
    struct login_queue all = { 0 };
    queue(&all, "192.0.2.7", "a", 100);
    queue(&all, "192.0.2.7", "b", 100);
    queue(&all, "192.0.2.7", "a", 200);
    queue(&all, "192.0.2.7", "b", 50);
    ck_assert_uint_eq(all.n, 2);
    ck_assert(str_is(all.first->request.user, "a") && all.first->request.ends_at == 200);
    ck_assert_int_eq(all.last->request.ends_at, 100);
    all.first->submitted = true; /* the store has it: another is needed */
    struct queued_login *with_store = all.first;
    queue(&all, "192.0.2.7", "a", 300);
    ck_assert_uint_eq(all.n, 3);
    login_queue_drop(&all, with_store);
    ck_assert(with_store->dropped && !with_store->queued);
    free(with_store);
    queue(&all, "192.0.2.7", "a", 400);
    ck_assert_uint_eq(all.n, 2);
    login_queue_fini(&all);
}
END_TEST

START_TEST(a_full_queue_forgets_its_oldest)
{
    struct login_queue all = { 0 };
    char user[16];
    for (int i = 0; i < LOGIN_QUEUE_MAX + 3; i++) {
        (void)snprintf(user, sizeof user, "u%d", i);
        queue(&all, i % 2 ? "192.0.2.7" : "2001:db8::7", user, 100);
    }
    ck_assert_uint_eq(all.n, LOGIN_QUEUE_MAX);
    ck_assert_uint_eq(all.n_forgotten, 3);
    ck_assert(str_is(all.first->request.user, "u3"));
    size_t n = 0;
    for (struct queued_login *at = login_queue_at(&all, str_of("192.0.2.7")); at; at = at->next_here)
        n++;
    for (struct queued_login *at = login_queue_at(&all, str_of("2001:db8::7")); at; at = at->next_here)
        n++;
    ck_assert_uint_eq(n, LOGIN_QUEUE_MAX);
    login_queue_fini(&all);
    ck_assert_ptr_null(login_queue_at(&all, str_of("192.0.2.7")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("logins");
    TCase *desk = suite_case(suite, "desk"), *queue_case = suite_case(suite, "queue");
    tcase_add_checked_fixture(desk, set_up, tear_down);
    tcase_add_test(desk, a_login_is_acknowledged_once_it_is_stored);
    tcase_add_loop_test(desk, a_login_that_cannot_be_stored_waits_and_is_stored_later, 0, 3);
    tcase_add_test(desk, while_the_store_is_down_logins_wait_in_order);
    tcase_add_test(desk, a_store_that_takes_nothing_is_tried_with_one_login);
    tcase_add_test(desk, one_bad_key_does_not_hold_up_the_others);
    tcase_add_test(desk, a_look_up_joins_what_is_stored_and_what_waits);
    tcase_add_test(desk, who_has_gone_is_told_nothing);
    tcase_add_test(desk, a_look_up_that_takes_too_long_opens_nothing_and_holds_up_nobody);
    tcase_add_loop_test(desk, a_login_that_takes_too_long_waits_and_counts, 0, 3);
    tcase_add_test(desk, a_late_login_joins_the_same_that_waits);
    tcase_add_test(desk, a_late_login_that_was_removed_stays_removed);
    tcase_add_test(desk, a_bad_key_in_front_lets_the_others_by);
    tcase_add_loop_test(desk, a_loop_that_stood_still_does_not_blame_the_store, 0, 8);
    tcase_add_test(desk, with_nothing_left_to_try_the_next_login_is_tried);
    tcase_add_test(desk, a_bad_key_alone_defers_nobody_else);
    tcase_add_test(desk, forgotten_logins_are_not_stored);
    tcase_add_test(desk, one_login_that_fails_twice_waits_once);
    tcase_add_test(desk, a_login_that_is_removed_on_its_way_does_not_come_back);
    tcase_add_test(desk, a_login_counts_once);
    tcase_add_test(desk, very_many_that_wait_at_one_address_are_not_all_told);
    tcase_add_loop_test(desk, at_the_end_the_store_may_take_what_waits, 0, 2);
    tcase_add_test(desk, at_the_end_a_login_on_its_way_is_waited_for);
    tcase_add_test(desk, the_end_answers_what_is_asked);
    tcase_add_test(queue_case, a_login_that_is_reported_again_is_prolonged_in_its_place);
    tcase_add_test(queue_case, a_full_queue_forgets_its_oldest);
    return suite_run(suite);
}
