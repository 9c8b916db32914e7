#include "core/explanation.h"
#include "scene.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_SIZE = 16384 };

#define OURS "domain example.com; "

/* Expected: some of the pairs, one a line, in their order. */
static const struct {
    const char *rules, *request, *logins, *expected;
} scenes[] = {
    { OURS "deny 192.0.2.0/24", "RCPT", NULL,
      "action=REJECT 5.7.1 access denied\nreason=access\nstep=1\nname=client\noutcome=decided\n"
      "why=access_block denies this client\nbecause=access\ntable=access_block\nkey=192.0.2.0/24\ncolumn=verdict\n"
      "value=deny\n" },
    { OURS, "RCPT to=x@example.org", "fred@example.net",
      "action=OK\nlogins=known\nlogin=fred@example.net\nstep=10\nsetting=pop_before_smtp\nsetting_value=30\n" },
    { OURS "pop_before_smtp_match=address", "RCPT to=x@example.org", "a b c d",
      "reason=relay\nlogins=known\ntoo_many_accounts=4\n" },
    { OURS, "RCPT to=x@example.org", "away",
      "action=DEFER 4.3.0 login records unavailable, try again later\nreason=unavailable\nlogins=unavailable\n"
      "step=10\nbecause=unavailable\n" },
    { OURS "accept fred@example.net 192.0.2.0/28", "RCPT to=x@example.org", NULL,
      "action=OK\ntable=accept_entry\nkey=fred@example.net\nclient=192.0.2.0/28\n" },
    { OURS "observe=all; kill @example.net", "RCPT", "none",
      "action=DUNNO\nobserve_all=yes\nstep=5\noutcome=observed\nbecause=kill\n" },
};

static void write_pair(void *context, const char *name, struct str value)
{
    char *text = context;
    size_t n = strlen(text);
    ck_assert_int_lt(snprintf(text + n, TEXT_SIZE - n, "%s=%.*s\n", name, STR_ARGS(value)), (int)(TEXT_SIZE - n));
}

/* Each line of `wanted` stands in the text, after the one before. */
static void expect_lines(const char *text, const char *wanted)
{
    char line[256];
    for (const char *at = text; *wanted; wanted += strlen(line)) {
        size_t n = strcspn(wanted, "\n") + 1;
        (void)snprintf(line, sizeof line, "%.*s", (int)n, wanted);
        while (at && strncmp(at, line, n) != 0)
            at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL;
        ck_assert_msg(at && *at, "\"%s\" is missing in\n%s", line, text);
    }
}

START_TEST(an_explanation_is_the_same_after_its_way_over_the_socket)
{
    static struct explanation made, read;
    static char text[TEXT_SIZE], again[TEXT_SIZE];
    struct scene scene;
    struct decide_query query;
    text[0] = again[0] = '\0';
    scene_decide(&scene, scenes[_i].rules, scenes[_i].request, scenes[_i].logins, SCENE_NOW);
    query = (struct decide_query){ .rules = scene.rules, .request = &scene.request, .logins = scene.facts };
    explanation_make(&made, &scene.decision, &query);
    explanation_each(&made, write_pair, text);
    expect_lines(text, scenes[_i].expected);

    memset(&read, 0, sizeof read);
    struct str rest = str_of(text);
    while (rest.n > 0) {
        struct str line = str_first(rest, str_find(rest, '\n'));
        size_t equals = str_find(line, '=');
        explanation_take(&read, str_first(line, equals), str_from(line, equals + 1));
        rest = str_from(rest, line.n + 1);
    }
    explanation_each(&read, write_pair, again);
    ck_assert_str_eq(text, again);
    scene_fini(&scene);
}
END_TEST

START_TEST(a_hostile_explanation_stays_within_bounds)
{
    static struct explanation read;
    static const struct str step = STR("step"), why = STR("why"), nonsense = STR("nonsense");
    memset(&read, 0, sizeof read);
    explanation_take(&read, why, why); /* of no step */
    for (int i = 0; i < 10 * DECIDE_NOTES; i++) {
        explanation_take(&read, step, step);
        explanation_take(&read, why, why);
        explanation_take(&read, nonsense, why);
    }
    ck_assert_uint_eq(read.n_notes, DECIDE_NOTES);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("explanation");
    TCase *tcase = suite_case(suite, "explanation");
    tcase_add_loop_test(tcase, an_explanation_is_the_same_after_its_way_over_the_socket, 0, COUNT(scenes));
    tcase_add_test(tcase, a_hostile_explanation_stays_within_bounds);
    return suite_run(suite);
}
