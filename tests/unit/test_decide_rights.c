/*
 * Who may relay, and by what right (SPEC 5 and 7, definitions); what is only observed.
 */
#include "scene.h"
#include "suite.h"

#include <stdio.h>

#define OURS    "domain example.com; "
#define OUT     "RCPT to=x@example.org"
#define REFUSED "relay:example.org"

/* The ladder of relay_for: each step includes those before it. */
static const char *const ladder[] = { "nobody", "addresses", "local-users", "local-hosts", "anyone" };

static const struct {
    const char *what, *rules, *request;
    int from; /* the lowest step of the ladder on which it may relay */
} rights[] = {
    { "SASL", "", OUT " sasl=fred", 0 },
    { "SASL from a refused client", "refuse 192.0.2.10", OUT " sasl=fred", 0 },
    { "a granted block", "grant 192.0.2.0/24", OUT, 1 },
    { "a granted name", "grant client.example.net", OUT, 1 },
    { "an accepted sender", "accept fred@example.net", OUT, 1 },
    { "an accepted sender from its client", "accept fred@example.net 192.0.2.0/24", OUT, 1 },
    { "an account", "user fred@example.net", OUT, 2 },
    { "an account named as its own", "user fred@example.net FRED@example.NET", OUT, 2 },
    { "a sender of a local domain", "domain example.net", OUT, 3 },
    { "anybody", "", OUT, 4 },
    { "the null sender", "accept @*example.net; domain example.net", OUT " from=", 4 },
    { "a bare sender", "domain example.net; user fred; user fred@example.net", OUT " from=fred", 4 },
    { "an alias", "user fred@example.net alfred@example.net", OUT, 4 },
    { "a client of no grant", "grant 198.51.100.0/24", OUT, 4 },
    { "a sender accepted from another client", "accept @example.net 198.51.100.0/24", OUT, 4 },
    { "a refused client",
      "refuse 192.0.2.10; grant client.example.org; accept @example.net; user fred@example.net; "
      "domain example.net",
      OUT, 5 },
};

START_TEST(relay_for_is_a_ladder)
{
    size_t step = (size_t)_i % 5, row = (size_t)_i / 5;
    char rules[512], what[128];
    (void)snprintf(rules, sizeof rules, OURS "pop_before_smtp=0; relay_for=%s; %s", ladder[step], rights[row].rules);
    (void)snprintf(what, sizeof what, "%s, relay_for = %s", rights[row].what, ladder[step]);
    struct scene_case test = { what, rules, rights[row].request, NULL, (int)step >= rights[row].from ? "OK" : REFUSED };
    scene_check(&test);
}
END_TEST

#define NO_LOGINS OURS "pop_before_smtp=0; "

static const struct scene_case grant_cases[] = {
    { "the longer prefix grants", NO_LOGINS "refuse 192.0.2.0/24; grant 192.0.2.8/29", OUT, NULL, "OK" },
    { "the longer prefix refuses", NO_LOGINS "grant 192.0.2.0/24; refuse 192.0.2.8/29", OUT, NULL, REFUSED },
    { "of equal length the refusal wins", NO_LOGINS "refuse 192.0.2.0/24; grant 192.0.2.*", OUT, NULL, REFUSED },
    { "an exact name is longer than any prefix", NO_LOGINS "refuse 192.0.2.10; grant client.example.net", OUT, NULL,
      "OK" },
    { "a domain is shorter than any prefix", NO_LOGINS "refuse 192.0.2.0/24; grant .example.net", OUT, NULL, REFUSED },
    { "even than /0", NO_LOGINS "refuse 0.0.0.0/0; grant .example.net", OUT, NULL, REFUSED },
    { "a domain holds what is below it", NO_LOGINS "grant .example.net", OUT " name=a.b.example.net", NULL, "OK" },
    { "a domain does not hold itself", NO_LOGINS "grant .client.example.net", OUT, NULL, REFUSED },
    { "a name in another case", NO_LOGINS "grant CLIENT.example.net", OUT " name=Client.Example.NET.", NULL, "OK" },
    { "a name is exact", NO_LOGINS "grant client.example.net", OUT " name=a.client.example.net", NULL, REFUSED },
    { "a forged reverse name permits nothing", NO_LOGINS "grant other.example.net", OUT " reverse=other.example.net",
      NULL, REFUSED },
    { "IPv6", NO_LOGINS "grant 2001:db8::/32", OUT " client=2001:db8::25", NULL, "OK" },
    { "an IPv4 block holds no IPv6", NO_LOGINS "grant 0.0.0.0/0", OUT " client=2001:db8::25", NULL, REFUSED },
    { "a mapped address", NO_LOGINS "grant 192.0.2.10", OUT " client=::ffff:192.0.2.10", NULL, "OK" },
    { "what is no address is in no block", NO_LOGINS "grant 0.0.0.0/0; grant ::/0", OUT " client=unknown", NULL,
      REFUSED },
    { "a name without an address", NO_LOGINS "grant client.example.net", OUT " client=unknown", NULL, "OK" },
    { "a grant counts until its second", NO_LOGINS "grant 192.0.2.10 until 1001", OUT, NULL, "OK" },
    { "and not from that second on", NO_LOGINS "grant 192.0.2.10 until 1000", OUT, NULL, REFUSED },
    { "a name likewise", NO_LOGINS "grant client.example.net until 1000", OUT, NULL, REFUSED },
    { "an expired refusal", NO_LOGINS "grant 192.0.2.0/24; refuse 192.0.2.10 until 1000", OUT, NULL, "OK" },
};

#define ACCEPTS NO_LOGINS "accept @example.net"

static const struct scene_case accept_cases[] = {
    { "a host", ACCEPTS, OUT, NULL, "OK" },
    { "another host", ACCEPTS, OUT " from=fred@a.example.net", NULL, REFUSED },
    { "from the client's block", ACCEPTS " 192.0.2.0/24", OUT, NULL, "OK" },
    { "from another block", ACCEPTS " 198.51.100.0/24", OUT, NULL, REFUSED },
    { "from what is no address", ACCEPTS " 0.0.0.0/0", OUT " client=unknown", NULL, REFUSED },
    { "from anywhere, even what is no address", ACCEPTS, OUT " client=unknown", NULL, "OK" },
    { "a percent sender", ACCEPTS, OUT " from=fred%example.net", NULL, "OK" },
    { "a bang sender", ACCEPTS, OUT " from=example.net!fred", NULL, "OK" },
    { "a bare sender matches no pattern here", NO_LOGINS "accept fred@example.com; accept @example.com",
      OUT " from=fred", NULL, REFUSED },
    { "a row counts until its second", ACCEPTS " until 1001", OUT, NULL, "OK" },
    { "and not from that second on", ACCEPTS " until 1000", OUT, NULL, REFUSED },
    { "one that has expired leaves the other", ACCEPTS " 192.0.2.10 until 1000; accept @.net", OUT, NULL, "OK" },
};

#define USERS NO_LOGINS "relay_for=local-users; "
#define HOSTS NO_LOGINS "relay_for=local-hosts; "

static const struct scene_case user_cases[] = {
    { "an account", USERS "user fred@example.net", OUT, NULL, "OK" },
    { "in another case", USERS "user fred@example.net", OUT " from=FRED@EXAMPLE.NET.", NULL, "OK" },
    { "with an extension it is another", USERS "user fred@example.net", OUT " from=fred+x@example.net", NULL, REFUSED },
    { "a row without domain does not count", USERS "user fred", OUT " from=fred@example.com", NULL, REFUSED },
    { "a row that is an alias too", USERS "user fred@example.net al@example.net; user FRED@example.net", OUT, NULL,
      "OK" },
    { "a row counts until its second", USERS "user fred@example.net until 1001", OUT, NULL, "OK" },
    { "and not from that second on", USERS "user fred@example.net until 1000", OUT, NULL, REFUSED },
    { "rewritten", USERS "user fred@example.net", OUT " from=example.net!fred", NULL, "OK" },
    { "a host of kind local", HOSTS, OUT " from=x@example.com", NULL, "OK" },
    { "a host of kind relay", HOSTS "relay example.net", OUT, NULL, REFUSED },
    { "a host below", HOSTS "domain .example.net", OUT " from=x@a.example.net", NULL, "OK" },
    { "a bare sender has no domain", HOSTS, OUT " from=x", NULL, REFUSED },
    { "a single label neither", HOSTS, OUT " from=x@mail", NULL, REFUSED },
    { "an expired domain", HOSTS "domain example.net until 1000", OUT, NULL, REFUSED },
};

#define NAMELESS " name=unknown reverse=mail.example.net"

static const struct scene_case unverified_cases[] = {
    { "relay", NO_LOGINS "grant mail.example.net", OUT NAMELESS, NULL, "unverified" },
    { "by a domain", NO_LOGINS "grant .example.net", OUT NAMELESS, NULL, "unverified" },
    { "with a verified name", NO_LOGINS "grant mail.example.net", OUT " reverse=mail.example.net", NULL, REFUSED },
    { "with a reverse name not granted", NO_LOGINS "grant mail.example.org", OUT NAMELESS, NULL, REFUSED },
    { "no reverse name", NO_LOGINS "grant mail.example.org", OUT " name=unknown reverse=unknown", NULL, REFUSED },
    { "an empty reverse name", NO_LOGINS "grant mail.example.org", OUT " name=unknown reverse=", NULL, REFUSED },
    { "with relay_for nobody", NO_LOGINS "grant mail.example.net; relay_for=nobody", OUT NAMELESS, NULL, REFUSED },
    { "a prefix that refuses is longer than a domain", NO_LOGINS "grant .example.net; refuse 192.0.2.0/24",
      OUT NAMELESS, NULL, REFUSED },
    { "an exact name is longer than a prefix that refuses", NO_LOGINS "grant mail.example.net; refuse 192.0.2.0/24",
      OUT NAMELESS, NULL, "unverified" },
    { "an expired grant", NO_LOGINS "grant mail.example.net until 1000", OUT NAMELESS, NULL, REFUSED },
    { "vrfy", "grant mail.example.net", "VRFY from=" NAMELESS, NULL, "unverified" },
    { "local-sender", NO_LOGINS "grant mail.example.net; local_sender_auth=yes", "MAIL from=a@example.com" NAMELESS,
      NULL, "unverified" },
    { "routed", NO_LOGINS "grant mail.example.net", "RCPT to=a%b@example.com" NAMELESS, NULL, "unverified" },
    { "list", NO_LOGINS "grant mail.example.net; list staff no", "RCPT to=staff" NAMELESS, NULL, "unverified" },
    { "not access", "grant mail.example.net; deny 192.0.2.10", OUT NAMELESS, NULL, "access" },
    { "not submission", "grant mail.example.net; submission_ports=587", OUT " port=587" NAMELESS, NULL, "submission" },
    { "not kill", "grant mail.example.net; kill @example.net", OUT NAMELESS, NULL, "kill" },
    { "not null-sender", "grant mail.example.net; refuse_null_sender=yes", "MAIL from=" NAMELESS, NULL, "null-sender" },
    { "not invalid-sender", "grant mail.example.net; require_valid_sender=yes", "MAIL from=x" NAMELESS, NULL,
      "invalid-sender" },
    { "not recipients", "grant mail.example.net; max_recipients=1", "DATA count=2 sasl=alice" NAMELESS, NULL,
      "recipients" },
    { "our recipient is not deferred", NO_LOGINS "grant mail.example.net", "RCPT" NAMELESS, NULL, "DUNNO" },
    { "who may relay is not", NO_LOGINS "grant mail.example.net; accept @example.net", OUT NAMELESS, NULL, "OK" },
    { "where no domain is ours Postfix decides", "pop_before_smtp=0; grant mail.example.net", OUT NAMELESS, NULL,
      "DUNNO" },
    { "what is observed is not deferred", NO_LOGINS "grant mail.example.net; observe=relay", OUT NAMELESS, NULL,
      "DUNNO would=relay" },
};

/* Each reason with a request that meets it; observed, the next step decides. */
static const struct {
    const char *reason, *rules, *request, *refused, *observed;
} observed[] = {
    { "access", "deny 192.0.2.10", "RCPT", "access", "DUNNO" },
    { "access", "unlisted_clients=deny", "CONNECT", "access", "DUNNO" },
    { "access", "deny 192.0.2.10; kill @example.net", "RCPT", "access", "kill" },
    { "submission", "submission_ports=587", "RCPT port=587", "submission", "DUNNO" },
    { "submission", "submission_ports=587; kill @example.net", "RCPT port=587", "submission", "kill" },
    { "vrfy", "", "VRFY from=", "vrfy", "DUNNO" },
    { "kill", "kill @example.net", "RCPT", "kill", "DUNNO" },
    { "kill", "kill @example.net", OUT, "kill", REFUSED },
    { "kill", "kill @example.net", OUT " sasl=alice", "kill", "OK" },
    { "null-sender", "refuse_null_sender=yes", "MAIL from=", "null-sender", "DUNNO" },
    { "null-sender", "refuse_null_sender=authenticated", "MAIL from= sasl=a", "null-sender", "DUNNO" },
    { "null-sender", "refuse_null_sender=yes; require_valid_sender=yes", "MAIL from=MAILER-DAEMON", "null-sender",
      "invalid-sender" },
    { "invalid-sender", "require_valid_sender=yes", "MAIL from=fred@-", "invalid-sender", "DUNNO" },
    { "invalid-sender", "require_valid_sender=yes; local_sender_auth=yes", "MAIL from=fred", "invalid-sender",
      "local-sender" },
    { "local-sender", "local_sender_auth=yes", "MAIL from=fred", "local-sender", "DUNNO" },
    { "local-sender", "local_sender_auth=yes", OUT " from=fred", "local-sender", REFUSED },
    { "routed", "", "RCPT to=a%b@example.com", "routed", "DUNNO" },
    { "routed", "list a@example.com no", "RCPT to=a%example.com@example.com", "routed", "list" },
    { "list", "list staff no", "RCPT to=staff@example.com", "list", "DUNNO" },
    { "relay", "", OUT, REFUSED, "DUNNO" },
    { "recipients", "max_recipients=1", "DATA count=2 sasl=alice", "recipients", "DUNNO" },
    { "recipients", "max_recipients=1; archive_to=log@example.com", "DATA count=2 sasl=alice", "recipients",
      "BCC log@example.com" },
};

START_TEST(observed_reason_is_logged_and_the_next_step_decides)
{
    char rules[512], expected[128];
    struct scene_case row = { observed[_i].reason, rules, observed[_i].request, NULL, observed[_i].refused };
    (void)snprintf(rules, sizeof rules, NO_LOGINS "%s", observed[_i].rules);
    scene_check(&row);

    (void)snprintf(rules, sizeof rules, NO_LOGINS "%s; observe=%s", observed[_i].rules, observed[_i].reason);
    (void)snprintf(expected, sizeof expected, "%s would=%s", observed[_i].observed, observed[_i].reason);
    row.expected = expected;
    scene_check(&row);
}
END_TEST

/* Observing one reason leaves all others alone. */
START_TEST(other_reasons_are_not_observed)
{
    char rules[512];
    struct scene_case row = { observed[_i].reason, rules, observed[_i].request, NULL, observed[_i].refused };
    size_t used = (size_t)snprintf(rules, sizeof rules, NO_LOGINS "%s; observe=", observed[_i].rules);
    for (int r = 0; r < REASON_COUNT; r++)
        if (r != REASON_UNVERIFIED && r != REASON_UNAVAILABLE && strcmp(reasons[r].name, observed[_i].reason) != 0)
            used += (size_t)snprintf(rules + used, sizeof rules - used, "%s,", reasons[r].name);
    scene_check(&row);
}
END_TEST

#define ALL NO_LOGINS "observe=all; "

static const struct scene_case observe_cases[] = {
    { "several at once", NO_LOGINS "kill @example.net; observe=kill relay", OUT, NULL, "DUNNO would=kill,relay" },
    { "all the way",
      NO_LOGINS "deny 192.0.2.10; submission_ports=25; kill fred@example.com; "
                "refuse_null_sender=yes; require_valid_sender=yes; local_sender_auth=yes; "
                "observe=access,submission,kill,invalid-sender,local-sender,relay",
      OUT " from=fred", NULL, "DUNNO would=access,submission,kill,invalid-sender,local-sender,relay" },
    { "what did not happen is not logged", NO_LOGINS "observe=kill", OUT, NULL, REFUSED },
    { "all: a refusal", ALL, OUT, NULL, "DUNNO would=relay" },
    { "all: an OK", ALL, OUT " sasl=alice", NULL, "DUNNO do=OK" },
    { "all: a copy", ALL "archive_to=log@example.com", "DATA", NULL, "DUNNO do=BCC" },
    { "all: a DUNNO", ALL, "RCPT", NULL, "DUNNO" },
    { "all: several", ALL "deny 192.0.2.10; kill @example.net", OUT " sasl=alice", NULL,
      "DUNNO would=access,kill do=OK" },
    { "all: a denied client at CONNECT", ALL "deny 192.0.2.10", "CONNECT", NULL, "DUNNO would=access" },
    { "all: nothing is deferred", ALL "grant mail.example.net", OUT NAMELESS, NULL, "DUNNO would=relay" },
    { "all: VRFY", ALL, "VRFY from=", NULL, "DUNNO would=vrfy" },
};

SCENE_TEST(longest_row_of_relay_grant_decides, grant_cases)
SCENE_TEST(accepted_is_sender_and_client, accept_cases)
SCENE_TEST(local_users_and_hosts_may_relay, user_cases)
SCENE_TEST(unverified_name_is_deferred, unverified_cases)
SCENE_TEST(observed_reasons_add_up, observe_cases)

int main(void)
{
    Suite *suite = suite_create("decide: rights");
    TCase *relay = suite_case(suite, "may relay");
    tcase_add_loop_test(relay, relay_for_is_a_ladder, 0, 5 * COUNT(rights));
    tcase_add_loop_test(relay, longest_row_of_relay_grant_decides, 0, COUNT(grant_cases));
    tcase_add_loop_test(relay, accepted_is_sender_and_client, 0, COUNT(accept_cases));
    tcase_add_loop_test(relay, local_users_and_hosts_may_relay, 0, COUNT(user_cases));
    tcase_add_loop_test(relay, unverified_name_is_deferred, 0, COUNT(unverified_cases));
    TCase *observe = suite_case(suite, "observe");
    tcase_add_loop_test(observe, observed_reason_is_logged_and_the_next_step_decides, 0, COUNT(observed));
    tcase_add_loop_test(observe, other_reasons_are_not_observed, 0, COUNT(observed));
    tcase_add_loop_test(observe, observed_reasons_add_up, 0, COUNT(observe_cases));
    return suite_run(suite);
}
