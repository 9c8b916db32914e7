/*
 * What may come next, from a command's arguments as its help shows them.
 */
#include "cli/usage.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 8 };

static const struct option options[] = {
    { "client", required_argument, NULL, 1 },
    { "yes", no_argument, NULL, 2 },
    { NULL, 0, NULL, 0 },
};

/* Words, and the arguments that may follow, each with the KIND and NAME before it. */
static const struct {
    const char *arguments, *words, *expected;
} cases[] = {
    { "", "", "" },
    { "KIND KEY...", "", "KIND() " },
    { "KIND KEY...", "deny", "KEY(deny) " },
    { "KIND KEY...", "deny 192.0.2.1 192.0.2.2", "KEY(deny) " },
    { "KIND FILE [--replace]", "deny", "FILE(deny) " },
    { "KIND FILE [--replace]", "deny file", "" },
    { "[KIND [KEY]] [--since TIME]", "", "KIND() " },
    { "[KIND [KEY]] [--since TIME]", "deny", "KEY(deny) " },
    { "[KIND [KEY]] [--since TIME]", "deny x", "" },
    { "[--since TIME] [--by NAME] SEQ...", "", "SEQ() " },
    { "[--since [TIME]] [KIND]", "", "KIND() " },
    { "NAME VALUE [--yes]", "relay_for", "VALUE(relay_for) " },
    { "--yes FILE", "", "FILE() " },
    { "--client A FILE", "", "FILE() " },
    { "[FILE]...", "a b c", "FILE() " },
    { "add USER ADDRESS | list [--json] | remove ADDRESS", "", "add() list() remove() " },
    { "add USER ADDRESS | list [--json] | remove ADDRESS", "add", "USER() " },
    { "add USER ADDRESS | list [--json] | remove ADDRESS", "add a", "ADDRESS() " },
    { "add USER ADDRESS | list [--json] | remove ADDRESS", "list", "" },
    { "add USER ADDRESS | list [--json] | remove ADDRESS", "frobnicate", "" },
    { "start|stop NAME", "", "start|stop() " },
    { "start|stop NAME", "stop", "NAME() " },
    { "start|stop NAME", "sto", "" },
    { "FILE... [--against OTHER.db | --with RULE]", "", "FILE() " },
    { "NAME=VALUE... | --client A [--name N]", "a=b", "NAME=VALUE() " },
    { "[[[", "", "" },
    { "]]] [-", "", "" },
    { "...", "x", "" },
};

static void note(void *context, struct str argument, const char *kind, const char *name)
{
    char *text = context;
    size_t n = strlen(text);
    (void)snprintf(text + n, 256 - n, "%.*s(%s%s) ", STR_ARGS(argument), kind ? kind : "", name ? name : "");
}

START_TEST(what_may_come_next)
{
    struct command command = { .arguments = cases[_i].arguments, .options = options };
    char copy[64], told[256] = "", *rest = copy;
    const char *words[WORDS_MAX];
    size_t n = 0;
    (void)snprintf(copy, sizeof copy, "%s", cases[_i].words);
    for (char *word; (word = strsep(&rest, " ")) != NULL && *word;)
        words[n++] = word;
    usage_each_next(&command, words, n, note, told);
    ck_assert_str_eq(told, cases[_i].expected);
}
END_TEST

static const struct {
    const char *arguments, *option, *expected;
} values[] = {
    { "[--format plain,json,cidr]", "format", "plain,json,cidr" },
    { "[--remote-mail yes|no] [--x Y]", "remote-mail", "yes|no" },
    { "FILE... [--against OTHER.db | --with RULE]", "against", "OTHER.db" },
    { "FILE... [--against OTHER.db | --with RULE]", "with", "RULE" },
    { "[--any-client] [--any N]", "any", "N" },
    { "[--json]", "json", "" },
    { "", "json", "" },
};

START_TEST(what_an_option_takes)
{
    struct command command = { .arguments = values[_i].arguments };
    struct str value = usage_of_option(&command, values[_i].option);
    ck_assert_msg(str_is(value, values[_i].expected), "--%s: \"%.*s\"", values[_i].option, STR_ARGS(value));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("usage");
    TCase *tcase = suite_case(suite, "usage");
    tcase_add_loop_test(tcase, what_may_come_next, 0, COUNT(cases));
    tcase_add_loop_test(tcase, what_an_option_takes, 0, COUNT(values));
    return suite_run(suite);
}
