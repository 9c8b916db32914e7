/*
 * What every store of logins must do: one table of cases, run against each store.
 */
#include "login_fixture.h"
#include "suite.h"

#include <stdio.h>

/* To try one store alone, give its number as the first and the next one as the end. */
enum { FIRST_KIND = LOGIN_IN_SQLITE, END_KIND = LOGIN_KIND_COUNT };

enum { MAX_STEPS = 10, IN_FLIGHT = 200, LISTED = 1500, TURNS = 4 };

#define A   "192.0.2.1"
#define B   "192.0.2.10" /* begins like A */
#define V6  "2001:db8::1"
#define NET "2001:db8:0:1::"

struct step {
    enum login_verb verb;
    const char *address, *user;
    int now, ends;     /* seconds */
    const char *names; /* expected, as in struct login_answer */
    size_t n_removed;  /* expected */
};

#define RECORD(address, user, now, ends)                                                                               \
    {                                                                                                                  \
        LOGIN_RECORD, address, user, now, ends, "", 0                                                                  \
    }
#define LOOK_UP(address, now, names)                                                                                   \
    {                                                                                                                  \
        LOGIN_LOOK_UP, address, "", now, 0, names, 0                                                                   \
    }
#define REMOVE(address, now, n)                                                                                        \
    {                                                                                                                  \
        LOGIN_REMOVE, address, "", now, 0, "", n                                                                       \
    }
#define LIST(now, names)                                                                                               \
    {                                                                                                                  \
        LOGIN_LIST, "", "", now, 0, names, 0                                                                           \
    }

#define NAME_250  FIVE(FIVE("0123456789"))
#define NAME_255  NAME_250 "abcde"
#define NAME_1000 NAME_250 NAME_250 NAME_250 NAME_250
#define FIVE(s)   s s s s s

static const struct {
    const char *what;
    struct step steps[MAX_STEPS]; /* up to one without address */
} cases[] = {
    { "nothing is on record", { LOOK_UP(A, 0, ""), LIST(0, ""), REMOVE(A, 0, 0) } },
    { "a login is found", { RECORD(A, "alice", 0, 1000), LOOK_UP(A, 0, "alice"), LIST(0, A " alice 1000") } },
    { "another address has none", { RECORD(A, "alice", 0, 1000), LOOK_UP(B, 0, ""), LOOK_UP("192.0.2.", 0, "") } },
    { "it ends in its second",
      { RECORD(A, "alice", 0, 1000), LOOK_UP(A, 999, "alice"), LOOK_UP(A, 1000, ""), LIST(999, A " alice 1000"),
        LIST(1000, "") } },
    { "a newer login prolongs",
      { RECORD(A, "alice", 0, 1000), RECORD(A, "alice", 10, 2000), LOOK_UP(A, 1999, "alice"), LOOK_UP(A, 2000, ""),
        LIST(0, A " alice 2000") } },
    { "an older one never shortens",
      { RECORD(A, "alice", 0, 2000), RECORD(A, "alice", 10, 1000), LOOK_UP(A, 1999, "alice") } },
    { "nor does one that has ended",
      { RECORD(A, "alice", 0, 2000), RECORD(A, "alice", 10, 10), LOOK_UP(A, 10, "alice") } },
    { "what has ended leaves nothing",
      { RECORD(A, "alice", 0, -10), RECORD(A, "bob", 0, 0), LOOK_UP(A, 0, ""), LOOK_UP(A, -20, ""), LIST(-20, "") } },
    { "what had ended begins again",
      { RECORD(A, "alice", 0, 1000), RECORD(A, "alice", 1500, 2500), LOOK_UP(A, 2499, "alice") } },
    { "two users at one address",
      { RECORD(A, "bob", 0, 1000), RECORD(A, "alice", 0, 2000), LOOK_UP(A, 0, "alice|bob"),
        LOOK_UP(A, 1000, "alice") } },
    { "one user at two addresses",
      { RECORD(A, "alice", 0, 1000), RECORD(B, "alice", 0, 2000), LOOK_UP(A, 0, "alice"), LOOK_UP(B, 0, "alice"),
        LIST(0, A " alice 1000|" B " alice 2000"), LIST(1500, B " alice 2000") } },
    { "names with and without domain are two",
      { RECORD(A, "alice", 0, 1000), RECORD(A, "alice@example.com", 0, 1000),
        LOOK_UP(A, 0, "alice|alice@example.com") } },
    { "names are compared byte by byte",
      { RECORD(A, "alice", 0, 1000), RECORD(A, "Alice", 0, 1000), LOOK_UP(A, 0, "Alice|alice") } },
    { "IPv6",
      { RECORD(V6, "alice", 0, 1000), RECORD(NET, "bob", 0, 1000), LOOK_UP(V6, 0, "alice"), LOOK_UP(NET, 0, "bob"),
        LIST(0, NET " bob 1000|" V6 " alice 1000"), REMOVE(V6, 0, 1), LIST(0, NET " bob 1000") } },
    { "removing takes all of one address",
      { RECORD(A, "alice", 0, 1000), RECORD(A, "bob", 0, 1000), RECORD(B, "carol", 0, 1000), REMOVE(A, 0, 2),
        LOOK_UP(A, 0, ""), LOOK_UP(B, 0, "carol"), REMOVE(A, 0, 0) } },
    { "removing counts what is live",
      { RECORD(A, "alice", 0, 1000), RECORD(A, "bob", 0, 2000), REMOVE(A, 1500, 1), LOOK_UP(A, 1500, "") } },
    { "what was removed can be recorded, and for less",
      { RECORD(A, "alice", 0, 2000), REMOVE(A, 0, 1), RECORD(A, "alice", 0, 1000), LOOK_UP(A, 999, "alice"),
        LOOK_UP(A, 1000, "") } },
    { "blanks in names", { RECORD(A, "a b  c ", 0, 1000), LOOK_UP(A, 0, "a b  c "), LIST(0, A " a b  c  1000") } },
    { "quotes in names", { RECORD(A, "o'neil \"x\"", 0, 1000), LOOK_UP(A, 0, "o'neil \"x\"") } },
    { "percents and backslashes in names",
      { RECORD(A, "100%s%n\\r\\n$3", 0, 1000), LOOK_UP(A, 0, "100%s%n\\r\\n$3"), LIST(0, A " 100%s%n\\r\\n$3 1000") } },
    { "UTF-8 in names", { RECORD(A, "jürgen@exämple.com", 0, 1000), LOOK_UP(A, 0, "jürgen@exämple.com") } },
    { "bytes that are no UTF-8",
      { RECORD(A, "j\xfcrgen\xff", 0, 1000), RECORD(A, "j\xfcrgen\xfe", 0, 1000),
        LOOK_UP(A, 0, "j\xfcrgen\xfe|j\xfcrgen\xff") } },
    { "numbers as names", { RECORD(A, "007", 0, 1000), RECORD(A, "7", 0, 1000), LOOK_UP(A, 0, "007|7") } },
    { "255 bytes in a name",
      { RECORD(A, NAME_255, 0, 1000), LOOK_UP(A, 0, NAME_255), LIST(0, A " " NAME_255 " 1000"), REMOVE(A, 0, 1) } },
    { "1,000 bytes in a name, which differ at the end",
      { RECORD(A, NAME_1000 "x", 0, 1000), RECORD(A, NAME_1000 "y", 0, 2000),
        LOOK_UP(A, 0, NAME_1000 "x|" NAME_1000 "y"), LOOK_UP(A, 1000, NAME_1000 "y") } },
    { "an address is no pattern",
      { RECORD(A, "alice", 0, 1000), LOOK_UP("192.0.2.?", 0, ""), LOOK_UP("*", 0, ""), LOOK_UP("192.0.2.[1-9]", 0, ""),
        REMOVE("192.0.2.*", 0, 0), REMOVE("192.0.2._", 0, 0), REMOVE("%", 0, 0), LOOK_UP(A, 0, "alice") } },
    { "and is kept as it is",
      { RECORD("[1]*?", "alice", 0, 1000), LOOK_UP("[1]*?", 0, "alice"), REMOVE("[1]*?", 0, 1) } },
};

static void take_list_step(struct login_fixture *fixture, const struct step *step, struct login_answer *answer)
{
    struct login_names names = { 0 };
    *answer = (struct login_answer){ .outcome = LOGIN_DONE, .whole = true };
    fixture_list(fixture, step->now, &names);
    fixture_names_join(&names, answer->names);
    fixture_names_fini(&names);
}

static void take_step(struct login_fixture *fixture, const struct step *step, struct login_answer *answer)
{
    struct login_request request = {
        .verb = step->verb,
        .address = str_of(step->address),
        .user = str_of(step->user),
        .now = fixture->start + step->now,
        .ends_at = fixture->start + step->ends,
    };
    if (step->verb == LOGIN_LIST)
        take_list_step(fixture, step, answer);
    else
        fixture_ask(fixture, &request, answer);
}

static enum login_kind kind_of(int i, int n_cases)
{
    return (enum login_kind)(FIRST_KIND + i / n_cases);
}

START_TEST(stores_do_the_same)
{
    static const char *const verbs[] = { "record", "look up", "remove", "list" };
    struct login_fixture fixture;
    struct login_answer answer;
    const struct step *steps = cases[_i % COUNT(cases)].steps;
    const char *what = cases[_i % COUNT(cases)].what;
    fixture_begin(&fixture, kind_of(_i, COUNT(cases)));
    fixture_open(&fixture);
    for (int i = 0; i < MAX_STEPS && steps[i].address; i++) {
        take_step(&fixture, &steps[i], &answer);
        ck_assert_msg(answer.outcome == LOGIN_DONE, "%s, step %d (%s): %s", what, i, verbs[steps[i].verb], answer.why);
        ck_assert_msg(strcmp(answer.names, steps[i].names) == 0, "%s, step %d (%s): \"%s\", not \"%s\"", what, i,
                      verbs[steps[i].verb], answer.names, steps[i].names);
        ck_assert_msg(answer.n_removed == steps[i].n_removed, "%s, step %d: %zu removed", what, i, answer.n_removed);
        ck_assert_msg(answer.whole || steps[i].verb != LOGIN_LOOK_UP, "%s, step %d: not whole", what, i);
    }
    fixture_close(&fixture);
    fixture_end(&fixture);
}
END_TEST

/* Many logins of one address or of many, recorded all at once. */
struct many {
    struct login_request *requests;
    char (*texts)[2][32]; /* address and user */
    int n_done, n_failed;
};

static void on_recorded(struct login_request *request)
{
    struct many *many = request->context;
    many->n_done++;
    many->n_failed += request->outcome != LOGIN_DONE;
}

static void record_many(struct login_fixture *fixture, int n, int n_addresses)
{
    struct many many = { calloc((size_t)n, sizeof *many.requests), calloc((size_t)n, sizeof *many.texts), 0, 0 };
    ck_assert(many.requests && many.texts);
    for (int i = 0; i < n; i++) {
        (void)snprintf(many.texts[i][0], sizeof many.texts[i][0], "2001:db8::%x", 1 + i % n_addresses);
        (void)snprintf(many.texts[i][1], sizeof many.texts[i][1], "user%d", i);
        many.requests[i] = (struct login_request){
            .verb = LOGIN_RECORD,
            .address = str_of(many.texts[i][0]),
            .user = str_of(many.texts[i][1]),
            .now = fixture->start,
            .ends_at = fixture->start + 1000,
            .done = on_recorded,
            .context = &many,
        };
        ck_assert_int_eq(login_store_submit(fixture->store, &many.requests[i]), 0);
    }
    fixture_await(fixture, &many.n_done, n);
    ck_assert_int_eq(many.n_failed, 0);
    free(many.requests);
    free(many.texts);
}

START_TEST(long_list_is_complete)
{
    struct login_fixture fixture;
    struct login_names names = { 0 };
    fixture_begin(&fixture, kind_of(_i, 1));
    fixture_open(&fixture);
    record_many(&fixture, LISTED, LISTED / 2 + 1); /* most addresses have two */
    fixture_list(&fixture, 0, &names);
    ck_assert_uint_eq(names.n, LISTED);
    for (size_t i = 1; i < names.n; i++)
        ck_assert_str_ne(names.name[i - 1], names.name[i]);
    fixture_names_fini(&names);
    fixture_list(&fixture, 1000, &names);
    ck_assert_uint_eq(names.n, 0);
    fixture_names_fini(&names);
    fixture_close(&fixture);
    fixture_end(&fixture);
}
END_TEST

START_TEST(too_many_names_are_not_whole)
{
    struct login_fixture fixture;
    struct login_answer answer;
    fixture_begin(&fixture, kind_of(_i, 1));
    fixture_open(&fixture);
    record_many(&fixture, LOGIN_NAMES_MAX, 1);
    ck_assert_int_eq(fixture_look_up(&fixture, "2001:db8::1", 0, &answer), LOGIN_DONE);
    ck_assert(answer.whole);
    ck_assert_uint_eq(answer.n_entries, LOGIN_NAMES_MAX);
    ck_assert_int_eq(fixture_record(&fixture, "2001:db8::1", "one more", 0, 1000), LOGIN_DONE);
    ck_assert_int_eq(fixture_look_up(&fixture, "2001:db8::1", 0, &answer), LOGIN_DONE);
    ck_assert(!answer.whole);
    ck_assert_uint_le(answer.n_entries, LOGIN_NAMES_MAX);
    fixture_close(&fixture);
    fixture_end(&fixture);
}
END_TEST

START_TEST(logins_outlive_the_store)
{
    struct login_fixture fixture;
    struct login_answer answer;
    fixture_begin(&fixture, kind_of(_i, 1));
    fixture_open(&fixture);
    ck_assert_int_eq(fixture_record(&fixture, A, "alice", 0, 1000), LOGIN_DONE);
    fixture_close(&fixture);
    fixture_open(&fixture);
    ck_assert_int_eq(fixture_look_up(&fixture, A, 0, &answer), LOGIN_DONE);
    ck_assert_str_eq(answer.names, "alice");
    fixture_close(&fixture);
    fixture_end(&fixture);
}
END_TEST

/* Submits a mixture of everything. */
static void submit_mixture(struct login_fixture *fixture, struct login_request *requests, struct login_answer *answers)
{
    static char cursors[IN_FLIGHT][LOGIN_CURSOR_SIZE];
    for (int i = 0; i < IN_FLIGHT; i++) {
        answers[i].n_done = 0;
        requests[i] = (struct login_request){
            .verb = (enum login_verb)(i % 4),
            .cursor = cursors[i],
            .address = str_of(A),
            .user = str_of("alice"),
            .now = fixture->start,
            .ends_at = fixture->start + 1000,
            .done = fixture_on_done,
            .context = &answers[i],
        };
        ck_assert_int_eq(login_store_submit(fixture->store, &requests[i]), 0);
        ck_assert_int_eq(answers[i].n_done, 0);
    }
}

static bool is_any_open(const struct login_answer *answers)
{
    int i = 0;
    while (i < IN_FLIGHT && answers[i].n_done > 0)
        i++;
    return i < IN_FLIGHT;
}

/* Closed at once, or when the loop has turned a few times. */
START_TEST(closing_ends_everything_once)
{
    static struct login_request requests[IN_FLIGHT];
    struct login_fixture fixture;
    struct login_answer *answers = calloc(IN_FLIGHT, sizeof *answers);
    ck_assert_ptr_nonnull(answers);
    int turns = _i / (END_KIND - FIRST_KIND);
    fixture_begin(&fixture, kind_of(_i % (END_KIND - FIRST_KIND), 1));
    fixture_open(&fixture);
    submit_mixture(&fixture, requests, answers);
    for (int i = 0; i < turns && is_any_open(answers); i++)
        (void)uv_run(&fixture.loop, UV_RUN_ONCE);
    int n_down = fixture.n_down, n_up = fixture.n_up;
    fixture_close(&fixture);
    for (int i = 0; i < IN_FLIGHT; i++) {
        ck_assert_int_eq(answers[i].n_done, 1);
        ck_assert_msg(answers[i].outcome == LOGIN_DONE || answers[i].outcome == LOGIN_AWAY, "%s", answers[i].why);
    }
    ck_assert_int_eq(fixture.n_down, n_down);
    ck_assert_int_eq(fixture.n_up, n_up);
    free(answers);
    fixture_end(&fixture);
}
END_TEST

START_TEST(closing_before_anything_is_fine)
{
    struct login_fixture fixture;
    struct error error = { "" };
    fixture_begin(&fixture, kind_of(_i, 1));
    ck_assert_int_eq(fixture_try_open(&fixture, false, &error), 0);
    fixture_close(&fixture);
    ck_assert_int_eq(fixture.n_up + fixture.n_down, 0);
    fixture_end(&fixture);
}
END_TEST

enum { ASKED = 3 };

struct asker {
    struct login_fixture *fixture;
    int n_done;
};

static void ask_again_or_close(struct login_request *request)
{
    struct asker *asker = request->context;
    ck_assert_int_eq(request->outcome, LOGIN_DONE);
    if (++asker->n_done < ASKED)
        ck_assert_int_eq(login_store_submit(asker->fixture->store, request), 0);
    else
        login_store_close(asker->fixture->store);
}

START_TEST(done_may_submit_and_close)
{
    struct login_fixture fixture;
    struct asker asker = { &fixture, 0 };
    struct login_request request = {
        .verb = LOGIN_LOOK_UP, .address = str_of(A), .done = ask_again_or_close, .context = &asker
    };
    fixture_begin(&fixture, kind_of(_i, 1));
    fixture_open(&fixture);
    request.now = fixture.start;
    ck_assert_int_eq(login_store_submit(fixture.store, &request), 0);
    ck_assert_int_eq(uv_run(&fixture.loop, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(asker.n_done, ASKED);
    fixture_end(&fixture);
}
END_TEST

int main(void)
{
    const int n_kinds = END_KIND - FIRST_KIND;
    Suite *suite = suite_create("login_store");
    TCase *tcase = suite_case(suite, "login_store");
    tcase_add_loop_test(tcase, stores_do_the_same, 0, n_kinds * COUNT(cases));
    tcase_add_loop_test(tcase, long_list_is_complete, 0, n_kinds);
    tcase_add_loop_test(tcase, too_many_names_are_not_whole, 0, n_kinds);
    tcase_add_loop_test(tcase, logins_outlive_the_store, 0, n_kinds);
    tcase_add_loop_test(tcase, closing_ends_everything_once, 0, n_kinds * TURNS);
    tcase_add_loop_test(tcase, closing_before_anything_is_fine, 0, n_kinds);
    tcase_add_loop_test(tcase, done_may_submit_and_close, 0, n_kinds);
    return suite_run(suite);
}
