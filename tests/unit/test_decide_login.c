/*
 * The decision where it hangs on logins, is only observed, or waits for a host name.
 */
#include "scene.h"
#include "suite.h"

#define OURS "domain example.com; "
#define ADDR OURS "pop_before_smtp_match=address; "
#define OUT  "RCPT to=x@example.org"

static const struct scene_case login_cases[] = {
    { "a foreign recipient asks for the login", OURS, OUT, NULL, "? 192.0.2.10" },
    { "one of ours does not", OURS, "RCPT", NULL, "DUNNO" },
    { "SASL does not", OURS, OUT " sasl=alice", NULL, "OK" },
    { "a granted client does not", OURS "grant 192.0.2.10", OUT, NULL, "OK" },
    { "a refused client does not", OURS "refuse 192.0.2.10", OUT, NULL, "relay:example.org" },
    { "a client without address does not", OURS, OUT " client=unknown", NULL, "relay:example.org" },
    { "an empty sender does not", OURS, OUT " from=", NULL, "relay:example.org" },
    { "it does with match address", ADDR, OUT " from=", NULL, "? 192.0.2.10" },
    { "turned off, it does not", OURS "pop_before_smtp=0", OUT, NULL, "relay:example.org" },
    { "where anyone may relay, it does not", OURS "relay_for=anyone", OUT, NULL, "OK" },
    { "a refused client may not, even then", OURS "relay_for=anyone; refuse 192.0.2.10", OUT, NULL,
      "relay:example.org" },
    { "nobody but the authenticated: a login still counts", OURS "relay_for=nobody", OUT, "fred@example.net", "OK" },
    { "IPv6 whole", OURS, OUT " client=2001:db8::1:2:3", NULL, "? 2001:db8::1:2:3" },
    { "IPv6 cut", OURS "pop_before_smtp_ipv6_prefix=64", OUT " client=2001:db8::1:2:3:4", NULL, "? 2001:db8::" },
    { "IPv4 is not cut", OURS "pop_before_smtp_ipv6_prefix=64", OUT, NULL, "? 192.0.2.10" },
    { "no login", OURS, OUT, "none", "relay:example.org" },
    { "the sender's", OURS, OUT, "fred@example.net", "OK" },
    { "in other case", OURS, OUT " from=FRED@Example.NET", "fred@example.net", "OK" },
    { "somebody else's", OURS, OUT, "bob@example.net", "relay:example.org" },
    { "among others", OURS, OUT, "bob@example.net fred@example.net", "OK" },
    { "the sender with an extension", OURS, OUT " from=fred+x@example.net", "fred@example.net", "OK" },
    { "not the login with one", OURS, OUT, "fred+x@example.net", "relay:example.org" },
    { "a name without domain at a local one", OURS, OUT " from=fred@example.com", "fred", "OK" },
    { "but not at a foreign one", OURS, OUT, "fred", "relay:example.org" },
    { "nor at one of kind relay", OURS "relay backup.example", OUT " from=fred@backup.example", "fred",
      "relay:example.org" },
    { "a bare sender at a local domain", OURS, OUT " from=fred", "fred@example.com", "OK" },
    { "a bare sender and a bare login", OURS, OUT " from=fred", "fred", "OK" },
    { "an alias", OURS "user info@example.com fred@example.net", OUT " from=info@example.com", "fred@example.net",
      "OK" },
    { "an alias without domain", OURS "user info fred", OUT " from=info+x@example.com", "fred@example.com", "OK" },
    { "somebody else's alias", OURS "user info@example.com bob@example.net", OUT " from=info@example.com",
      "fred@example.net", "relay:example.org" },
    { "an expired alias", OURS "user info@example.com fred@example.net until 1000", OUT " from=info@example.com",
      "fred@example.net", "relay:example.org" },
    { "any sender at the address", ADDR, OUT, "bob", "OK" },
    { "as many accounts as may be", ADDR, OUT, "a b c", "OK" },
    { "more accounts than may be", ADDR, OUT, "a b c d", "relay:example.org" },
    { "no limit of accounts", ADDR "pop_before_smtp_max_accounts=0", OUT, "a b c d e f g", "OK" },
    { "no account", ADDR, OUT, "none", "relay:example.org" },
    { "a routed recipient", OURS, "RCPT to=a%b@example.com", "fred@example.net", "OK" },
    { "a closed list", OURS "list staff no", "RCPT to=staff@example.com", "fred@example.net", "DUNNO" },
    { "a closed list without", OURS "list staff no", "RCPT to=staff@example.com", "none", "list" },
    { "a local sender", OURS "local_sender_auth=yes", "MAIL from=fred@example.com", "fred@example.com", "DUNNO" },
    { "a local sender without", OURS "local_sender_auth=yes", "MAIL from=fred@example.com", "bob", "local-sender" },
    { "the null sender of who has logged in", ADDR "refuse_null_sender=authenticated", "MAIL from=", "fred",
      "null-sender" },
    { "and of who has not", ADDR "refuse_null_sender=authenticated", "MAIL from=", "none", "DUNNO" },
    { "vrfy takes no login", ADDR, "VRFY from=", "fred", "vrfy" },
    { "the limit of recipients", OURS "max_recipients=1", "DATA count=2", "fred@example.net", "recipients" },
    { "the outbound archive", OURS "archive_to=log@example.com; archive=outbound", "DATA", "fred@example.net",
      "BCC log@example.com" },
    { "the inbound archive", OURS "archive_to=log@example.com; archive=inbound", "DATA", "fred@example.net", "DUNNO" },
};

static const struct scene_case away_cases[] = {
    { "what hangs on it waits", OURS, OUT, "away", "unavailable" },
    { "what does not goes on", OURS, "RCPT", "away", "DUNNO" },
    { "a refused client is refused", OURS "refuse 192.0.2.10", OUT, "away", "relay:example.org" },
    { "no local domain, but a login would permit", "", OUT, "away", "unavailable" },
    { "a routed recipient waits", OURS, "RCPT to=a%b@example.com", "away", "unavailable" },
    { "a closed list waits", OURS "list staff no", "RCPT to=staff@example.com", "away", "unavailable" },
    { "a local sender waits", OURS "local_sender_auth=yes", "MAIL from=fred@example.com", "away", "unavailable" },
    { "a null sender waits", ADDR "refuse_null_sender=authenticated", "MAIL from=", "away", "unavailable" },
    { "a local sender is not refused at DATA", OURS "local_sender_auth=yes", "DATA from=fred@example.com", "away",
      "DUNNO" },
    { "nor at END-OF-MESSAGE", OURS "local_sender_auth=yes", "END-OF-MESSAGE from=fred@example.com", "away", "DUNNO" },
    { "a null sender is not refused at DATA", ADDR "refuse_null_sender=authenticated", "DATA from=", "away", "DUNNO" },
    { "the limit is not applied", OURS "max_recipients=1", "DATA count=2", "away", "DUNNO" },
    { "the inbound copy is made", OURS "archive_to=log@example.com; archive=inbound", "DATA", "away",
      "BCC log@example.com" },
    { "the outbound copy is made", OURS "archive_to=log@example.com; archive=outbound", "DATA", "away",
      "BCC log@example.com" },
    { "the limit is left out and the copy made",
      OURS "local_sender_auth=yes; max_recipients=1; archive_to=log@example.com; archive=outbound",
      "DATA count=2 from=fred@example.com", "away", "BCC log@example.com" },
    { "what is observed either way does not wait", OURS "observe=all", OUT, "away", "DUNNO" },
    { "what is observed one way waits, if it permits the other", OURS "observe=relay", OUT, "away", "unavailable" },
    { "an observed list is no ground to wait", OURS "observe=list; list staff no", "RCPT to=staff@example.com", "away",
      "DUNNO" },
};

/* Logins that wait for the store, which is away; and a store that does not tell all. */
static const struct scene_case part_cases[] = {
    { "the sender's own login waits", OURS, OUT, "away fred@example.net", "OK" },
    { "or that of its account", OURS "user info@example.com fred@example.net", OUT " from=info@example.com",
      "away bob fred@example.net", "OK" },
    { "somebody else's login waits", OURS, OUT, "away bob@example.net", "unavailable" },
    { "any sender: one that waits is not enough", ADDR, OUT, "away fred@example.net", "unavailable" },
    { "any sender: nor are too many", ADDR, OUT, "away a b c d e", "unavailable" },
    { "any sender: nor is no limit", ADDR "pop_before_smtp_max_accounts=0", OUT, "away a", "unavailable" },
    { "an observed refusal is none", OURS "observe=relay", OUT, "away fred@example.net", "OK" },
    { "the limit is applied", OURS "max_recipients=1", "DATA count=2", "away fred@example.net", "recipients" },
    { "the sender is among those told", OURS, OUT, "more a fred@example.net", "OK" },
    { "it may be among the others", OURS, OUT, "more a b", "unavailable" },
    { "more than may be, whoever they are", ADDR, OUT, "more a b c d", "relay:example.org" },
    { "no limit", ADDR "pop_before_smtp_max_accounts=0", OUT, "more a b c d", "OK" },
};

static const struct {
    const char *rules, *request, *logins, *login;
    size_t too_many;
} blame_cases[] = {
    { OURS, OUT, "bob fred@example.net", "fred@example.net", 0 },
    { OURS, OUT, "bob", "", 0 },
    { OURS, "RCPT", "fred@example.net", "", 0 }, /* made no difference */
    { OURS "grant 192.0.2.10", OUT, "fred@example.net", "", 0 },
    { ADDR, OUT, "bob anna", "bob", 0 },
    { ADDR, OUT, "a b c d", "", 4 },
    { ADDR "grant 192.0.2.10", OUT, "a b c d", "", 0 },
    { OURS, OUT, "away fred@example.net", "fred@example.net", 0 },
    { OURS, OUT, "away bob", "", 0 },
    { OURS "local_sender_auth=yes", "MAIL from=fred@example.com", "fred", "fred", 0 },
};

START_TEST(the_login_that_made_the_difference_is_named)
{
    struct scene scene;
    scene_decide(&scene, blame_cases[_i].rules, blame_cases[_i].request, blame_cases[_i].logins, SCENE_NOW);
    ck_assert_msg(str_is(scene.decision.login, blame_cases[_i].login), "%.*s", STR_ARGS(scene.decision.login));
    ck_assert_uint_eq(scene.decision.too_many_logins, blame_cases[_i].too_many);
    scene_fini(&scene);
}
END_TEST

static const struct scene_case observe_cases[] = {
    { "access", OURS "observe=access; deny 192.0.2.10", "RCPT", NULL, "DUNNO would=access" },
    { "submission", OURS "observe=submission; submission_ports=25", "MAIL", NULL, "DUNNO would=submission" },
    { "vrfy", OURS "observe=vrfy", "VRFY from=", NULL, "DUNNO would=vrfy" },
    { "kill", OURS "observe=kill; kill @example.net", "RCPT", NULL, "DUNNO would=kill" },
    { "null-sender", OURS "observe=null-sender; refuse_null_sender=yes", "RCPT from=", NULL,
      "DUNNO would=null-sender" },
    { "invalid-sender", OURS "observe=invalid-sender; require_valid_sender=yes", "RCPT from=fred@a..b", NULL,
      "DUNNO would=invalid-sender" },
    { "local-sender", OURS "observe=local-sender; local_sender_auth=yes", "MAIL from=fred@example.com", "none",
      "DUNNO would=local-sender" },
    { "local-sender asks for the login, so that the log is true", OURS "observe=local-sender; local_sender_auth=yes",
      "MAIL from=fred@example.com", NULL, "? 192.0.2.10" },
    { "routed, and what comes after it", OURS "observe=routed", "RCPT to=a%b@example.com", "none",
      "DUNNO would=routed" },
    { "list", OURS "observe=list; list staff no", "RCPT to=staff@example.com", "none", "DUNNO would=list" },
    { "relay", OURS "observe=relay", OUT, "none", "DUNNO would=relay" },
    { "recipients, and the copy is made", OURS "observe=recipients; max_recipients=1; archive_to=log@example.com",
      "DATA count=2 sasl=alice", NULL, "BCC log@example.com would=recipients" },
    { "several", OURS "observe=access,kill; deny 192.0.2.10; kill @example.net", "RCPT", NULL,
      "DUNNO would=access,kill" },
    { "another reason still refuses", OURS "observe=access; deny 192.0.2.10; kill @example.net", "RCPT", NULL,
      "kill would=access" },
    { "all: a refusal", OURS "observe=all; kill @example.net", "RCPT", NULL, "DUNNO would=kill" },
    { "all: a permit", OURS "observe=all", OUT " sasl=alice", NULL, "DUNNO do=OK" },
    { "all: a copy", OURS "observe=all; archive_to=log@example.com", "DATA", NULL, "DUNNO do=BCC" },
    { "all: a login is asked for the log", OURS "observe=all", OUT, NULL, "? 192.0.2.10" },
    { "all: also where nothing would be refused", "observe=all", OUT, NULL, "? 192.0.2.10" },
    { "all: with it", OURS "observe=all", OUT, "fred@example.net", "DUNNO do=OK" },
    { "all: without it", OURS "observe=all", OUT, "none", "DUNNO would=relay" },
};

#define NAMED   OURS "grant mail.example.net; pop_before_smtp=0; "
#define REVERSE " name=unknown reverse=mail.example.net"

static const struct scene_case unverified_cases[] = {
    { "relay", NAMED, OUT REVERSE, NULL, "unverified" },
    { "routed", NAMED, "RCPT to=a%b@example.com" REVERSE, NULL, "unverified" },
    { "list", NAMED "list staff no", "RCPT to=staff@example.com" REVERSE, NULL, "unverified" },
    { "local-sender", NAMED "local_sender_auth=yes", "MAIL from=fred@example.com" REVERSE, NULL, "unverified" },
    { "vrfy", NAMED, "VRFY from=" REVERSE, NULL, "unverified" },
    { "kill is refused all the same", NAMED "kill @example.net", "RCPT" REVERSE, NULL, "kill" },
    { "access too", NAMED "deny 192.0.2.10", "RCPT" REVERSE, NULL, "access" },
    { "a verified name needs no reverse one", NAMED, OUT " name=mail.example.net", NULL, "OK" },
    { "another verified name", NAMED, OUT " name=a.example.org reverse=mail.example.net", NULL, "relay:example.org" },
    { "another reverse name", NAMED, OUT " name=unknown reverse=a.example.org", NULL, "relay:example.org" },
    { "no reverse name either", NAMED, OUT " name=unknown reverse=unknown", NULL, "relay:example.org" },
    { "nobody may relay by name", NAMED "relay_for=nobody", OUT REVERSE, NULL, "relay:example.org" },
    { "the exact name is longer than a refused block", NAMED "refuse 192.0.2.0/24", OUT REVERSE, NULL, "unverified" },
    { "a domain is shorter", OURS "grant .example.net; refuse 192.0.2.0/24", OUT REVERSE, NULL, "relay:example.org" },
    { "observed, it is not deferred", NAMED "observe=relay", OUT REVERSE, NULL, "DUNNO would=relay" },
    { "with a login it is permitted", OURS "grant mail.example.net", OUT REVERSE, "fred@example.net", "OK" },
    { "and without deferred", OURS "grant mail.example.net", OUT REVERSE, "none", "unverified" },
    { "with the store away it waits", OURS "grant mail.example.net", OUT REVERSE, "away", "unavailable" },
};

SCENE_TEST(login_counts_where_it_should, login_cases)
SCENE_TEST(nothing_is_decided_on_missing_knowledge, away_cases)
SCENE_TEST(what_is_known_counts_where_it_suffices, part_cases)
SCENE_TEST(observed_reason_is_only_noted, observe_cases)
SCENE_TEST(unverified_name_defers, unverified_cases)

int main(void)
{
    Suite *suite = suite_create("decide_login");
    TCase *tcase = suite_case(suite, "decide_login");
    tcase_add_loop_test(tcase, login_counts_where_it_should, 0, COUNT(login_cases));
    tcase_add_loop_test(tcase, nothing_is_decided_on_missing_knowledge, 0, COUNT(away_cases));
    tcase_add_loop_test(tcase, what_is_known_counts_where_it_suffices, 0, COUNT(part_cases));
    tcase_add_loop_test(tcase, the_login_that_made_the_difference_is_named, 0, COUNT(blame_cases));
    tcase_add_loop_test(tcase, observed_reason_is_only_noted, 0, COUNT(observe_cases));
    tcase_add_loop_test(tcase, unverified_name_defers, 0, COUNT(unverified_cases));
    return suite_run(suite);
}
