/*
 * What hangs on a recent POP or IMAP login (SPEC 7): when it is looked up, whose it is, and what holds when it cannot be
 * known.
 */
#include "scene.h"
#include "suite.h"

#include <stdio.h>

#define OURS "domain example.com; "
#define ADDRESS OURS "pop_before_smtp_match=address; "
#define OUT "RCPT to=x@example.org"
#define ALICE OUT " from=alice@example.com"
#define REFUSED "relay:example.org"
#define LOOKUP "? 192.0.2.10"

/* The same case with logins not yet asked, none, one that counts, and away. */
static const struct {
    const char *what, *rules, *request, *asked, *without, *with, *away;
} hanging[] = {
    { "foreign recipient", OURS, ALICE, LOOKUP, REFUSED, "OK", "unavailable" },
    { "routed recipient", OURS, "RCPT from=alice@example.com to=a%b@example.com", LOOKUP, "routed", "OK",
      "unavailable" },
    { "routed recipient, where it is allowed", OURS "refuse_routed_recipient=no",
      "RCPT from=alice@example.com to=a%b@example.com", LOOKUP, "DUNNO", "OK", "unavailable" },
    { "closed list", OURS "list staff no", "RCPT from=alice@example.com to=staff", LOOKUP, "list", "DUNNO",
      "unavailable" },
    { "local sender", OURS "local_sender_auth=yes", "MAIL from=alice@example.com", LOOKUP, "local-sender", "DUNNO",
      "unavailable" },
    { "null sender of authenticated clients", ADDRESS "refuse_null_sender=authenticated", "MAIL from=", LOOKUP, "DUNNO",
      "null-sender", "unavailable" },
    { "foreign recipient without local domains", "pop_before_smtp_match=address", ALICE, LOOKUP, "DUNNO", "OK",
      "unavailable" },
    { "unverified name", OURS "grant mail.example.net", ALICE " name=unknown reverse=mail.example.net", LOOKUP,
      "unverified", "OK", "unavailable" },
    { "a sender that is bare", OURS, OUT " from=alice", LOOKUP, REFUSED, "OK", "unavailable" },
    { "any sender", ADDRESS, OUT " from=bob@example.net", LOOKUP, REFUSED, "OK", "unavailable" },
    { "any sender, the null one", ADDRESS, OUT " from=", LOOKUP, REFUSED, "OK", "unavailable" },
    { "limit of recipients at DATA", OURS "max_recipients=1", "DATA from=alice@example.com count=2", LOOKUP, "DUNNO",
      "recipients", "DUNNO" },
    { "archive of what goes out", OURS "archive_to=log@example.com; archive=outbound", "DATA from=alice@example.com",
      LOOKUP, "DUNNO", "BCC log@example.com", "BCC log@example.com" },
    { "archive of what comes in", OURS "archive_to=log@example.com; archive=inbound", "DATA from=alice@example.com",
      LOOKUP, "BCC log@example.com", "DUNNO", "BCC log@example.com" },
    { "limit and archive of what goes out", OURS "max_recipients=1; archive_to=log@example.com; archive=outbound",
      "DATA from=alice@example.com count=2", LOOKUP, "DUNNO", "recipients", "BCC log@example.com" },
    { "limit and archive of what comes in", OURS "max_recipients=1; archive_to=log@example.com; archive=inbound",
      "DATA from=alice@example.com count=2", LOOKUP, "BCC log@example.com", "recipients", "BCC log@example.com" },
    { "limit and archive of all", OURS "max_recipients=1; archive_to=log@example.com",
      "DATA from=alice@example.com count=2", LOOKUP, "BCC log@example.com", "recipients", "BCC log@example.com" },
    { "local sender at DATA", OURS "local_sender_auth=yes", "DATA from=alice@example.com", LOOKUP, "local-sender",
      "DUNNO", "DUNNO" },
    { "local sender at DATA, with an archive", OURS "local_sender_auth=yes; archive_to=log@example.com",
      "DATA from=alice@example.com", LOOKUP, "local-sender", "BCC log@example.com", "BCC log@example.com" },
    { "local sender at END-OF-MESSAGE", OURS "local_sender_auth=yes", "END-OF-MESSAGE from=alice@example.com", LOOKUP,
      "local-sender", "DUNNO", "DUNNO" },
    { "null sender at DATA", ADDRESS "refuse_null_sender=authenticated", "DATA from=", LOOKUP, "DUNNO", "null-sender",
      "DUNNO" },
    { "null sender at END-OF-MESSAGE", ADDRESS "refuse_null_sender=authenticated", "END-OF-MESSAGE from=", LOOKUP,
      "DUNNO", "null-sender", "DUNNO" },
    { "what is observed with a login", OURS "archive_to=log@example.com; archive=outbound; max_recipients=1; "
                                            "observe=recipients",
      "DATA from=alice@example.com count=2", LOOKUP, "DUNNO", "BCC log@example.com would=recipients",
      "BCC log@example.com" },
};

START_TEST(answer_hangs_on_a_login)
{
    const char *const logins[] = { NULL, "none", "alice@example.com", "away" };
    const char *const expected[] = { hanging[_i].asked, hanging[_i].without, hanging[_i].with, hanging[_i].away };
    for (int i = 0; i < COUNT(logins); i++) {
        char what[160];
        (void)snprintf(what, sizeof what, "%s, logins: %s", hanging[_i].what, logins[i] ? logins[i] : "not asked");
        struct scene_case row = { what, hanging[_i].rules, hanging[_i].request, logins[i], expected[i] };
        scene_check(&row);
    }
}
END_TEST

/* The same answer whatever is known of logins: nothing is looked up. */
static const struct scene_case certain_cases[] = {
    { "our recipient", OURS, "RCPT from=alice@example.com", NULL, "DUNNO" },
    { "turned off", OURS "pop_before_smtp=0", ALICE, NULL, REFUSED },
    { "turned off with match address", ADDRESS "pop_before_smtp=0", ALICE, NULL, REFUSED },
    { "after SASL", OURS, ALICE " sasl=alice", NULL, "OK" },
    { "from a granted client", OURS "grant 192.0.2.10", ALICE, NULL, "OK" },
    { "from a refused client", OURS "refuse 192.0.2.10", ALICE, NULL, REFUSED },
    { "from a refused client with match address", ADDRESS "refuse 192.0.2.10", ALICE, NULL, REFUSED },
    { "from an accepted sender", OURS "accept alice@example.com", ALICE, NULL, "OK" },
    { "from a local user", OURS "relay_for=local-users; user alice@example.com", ALICE, NULL, "OK" },
    { "where anyone may relay", OURS "relay_for=anyone", ALICE, NULL, "OK" },
    { "from what is no address", OURS, ALICE " client=unknown", NULL, REFUSED },
    { "from what is no address, with match address", ADDRESS, ALICE " client=unknown", NULL, REFUSED },
    { "the empty sender is nobody's account", OURS, OUT " from=", NULL, REFUSED },
    { "nor is <>", OURS, OUT " from=<>", NULL, REFUSED },
    { "the empty sender at authenticated", OURS "refuse_null_sender=authenticated", "MAIL from=", NULL, "DUNNO" },
    { "refused before", OURS "kill alice@example.com", ALICE, NULL, "kill" },
    { "denied before", OURS "deny 192.0.2.10", ALICE, NULL, "access" },
    { "VRFY", OURS, "VRFY from=alice@example.com", NULL, "vrfy" },
    { "a local sender at MAIL, unasked", OURS, "MAIL from=alice@example.com", NULL, "DUNNO" },
    { "few recipients", OURS "max_recipients=2", "DATA from=alice@example.com count=2", NULL, "DUNNO" },
    { "an archive of all", OURS "archive_to=log@example.com", "DATA from=alice@example.com", NULL,
      "BCC log@example.com" },
    { "an open list", OURS "list staff yes", "RCPT from=alice@example.com to=staff", NULL, "DUNNO" },
    { "END-OF-MESSAGE", OURS, "END-OF-MESSAGE from=alice@example.com", NULL, "DUNNO" },
};

START_TEST(nothing_is_looked_up_in_vain)
{
    static const char *const logins[] = { NULL, "none", "alice@example.com", "away" };
    struct scene_case row = certain_cases[_i];
    for (int i = 0; i < COUNT(logins); i++) {
        row.logins = logins[i];
        scene_check(&row);
    }
}
END_TEST

/* With match sender: whose login permits which sender. */
#define TWO OURS "domain example.net; "

static const struct scene_case sender_cases[] = {
    { "the sender itself", OURS, ALICE, "alice@example.com", "OK" },
    { "in another case", OURS, OUT " from=Alice@EXAMPLE.com.", "ALICE@example.COM", "OK" },
    { "one of several", OURS, ALICE, "bob@example.com alice@example.com", "OK" },
    { "one of more than max_accounts", OURS, ALICE,
      "a@example.com b@example.com c@example.com d@example.com alice@example.com", "OK" },
    { "somebody else", OURS, ALICE, "bob@example.com", REFUSED },
    { "the same name elsewhere", OURS, ALICE, "alice@example.org", REFUSED },
    { "a sender of another site who logged in", OURS, OUT, "fred@example.net", "OK" },
    { "the sender has an extension", OURS, OUT " from=alice+x@example.com", "alice@example.com", "OK" },
    { "the login has one", OURS, ALICE, "alice+x@example.com", REFUSED },
    { "both have the same", OURS, OUT " from=alice+x@example.com", "alice+x@example.com", "OK" },
    { "both have one, not the same", OURS, OUT " from=alice+x@example.com", "alice+y@example.com", REFUSED },
    { "an extension with another delimiter", OURS "recipient_delimiter=-", OUT " from=alice-x@example.com",
      "alice@example.com", "OK" },
    { "not with a delimiter that is not set", OURS "recipient_delimiter=-", OUT " from=alice+x@example.com",
      "alice@example.com", REFUSED },
    { "with no delimiter", OURS "recipient_delimiter=", OUT " from=alice+x@example.com", "alice@example.com",
      REFUSED },
    { "a login without domain, at a local domain", OURS, ALICE, "alice", "OK" },
    { "at every local domain", TWO, OUT " from=alice@example.net", "alice", "OK" },
    { "not at a domain of kind relay", "domain example.com; relay example.net", OUT " from=alice@example.net", "alice",
      REFUSED },
    { "not elsewhere", OURS, OUT " from=alice@example.net", "alice", REFUSED },
    { "not at a single label", OURS, OUT " from=alice@mail", "alice", REFUSED },
    { "not at an expired domain", OURS "domain example.net until 1000", OUT " from=alice@example.net", "alice",
      REFUSED },
    { "a bare sender", OURS, OUT " from=alice", "alice", "OK" },
    { "a bare sender, a login at a local domain", OURS, OUT " from=alice", "alice@example.com", "OK" },
    { "a bare sender, a login elsewhere", OURS, OUT " from=alice", "alice@example.net", REFUSED },
    { "a bare sender with an extension", OURS, OUT " from=alice+x", "alice", "OK" },
    { "a bare sender, somebody else", OURS, OUT " from=alice", "bob", REFUSED },
    { "a percent sender", OURS, OUT " from=alice%example.com", "alice@example.com", "OK" },
    { "a bang sender", OURS, OUT " from=example.com!alice", "alice@example.com", "OK" },
    { "an alias", OURS "user sales@example.com alice@example.com", OUT " from=sales@example.com", "alice@example.com",
      "OK" },
    { "somebody else's alias", OURS "user sales@example.com alice@example.com", OUT " from=sales@example.com",
      "bob@example.com", REFUSED },
    { "the account is not the alias", OURS "user sales@example.com alice@example.com", ALICE, "sales@example.com",
      REFUSED },
    { "an alias with an extension", OURS "user sales@example.com alice@example.com", OUT " from=sales+x@example.com",
      "alice@example.com", "OK" },
    { "an alias of a login without domain", OURS "user sales@example.com alice", OUT " from=sales@example.com",
      "alice", "OK" },
    { "an alias of a name, a login with a local domain", OURS "user sales@example.com alice",
      OUT " from=sales@example.com", "alice@example.com", "OK" },
    { "an alias of a name, a login elsewhere", OURS "user sales@example.com alice", OUT " from=sales@example.com",
      "alice@example.net", REFUSED },
    { "an alias of an address, a login without domain", OURS "user sales@example.com alice@example.com",
      OUT " from=sales@example.com", "alice", "OK" },
    { "an alias of an address elsewhere, a login without domain", OURS "user sales@example.com alice@example.net",
      OUT " from=sales@example.com", "alice", REFUSED },
    { "an alias elsewhere", OURS "user sales@example.net alice@example.com", OUT " from=sales@example.net",
      "alice@example.com", "OK" },
    { "an alias at every local domain", TWO "user sales alice@example.com", OUT " from=sales@example.net",
      "alice@example.com", "OK" },
    { "which is none elsewhere", OURS "user sales alice@example.com", OUT " from=sales@example.net",
      "alice@example.com", REFUSED },
    { "a bare alias", OURS "user sales alice@example.com", OUT " from=sales", "alice@example.com", "OK" },
    { "a bare sender, an alias at a local domain", OURS "user sales@example.com alice@example.com", OUT " from=sales",
      "alice@example.com", "OK" },
    { "a bare sender, an alias elsewhere", OURS "user sales@example.net alice@example.com", OUT " from=sales",
      "alice@example.com", REFUSED },
    { "an alias in another spelling", OURS "user SALES@Example.com. ALICE@Example.com.", OUT " from=sales@example.com",
      "alice@example.com", "OK" },
    { "every account of an alias counts",
      OURS "user sales@example.com alice@example.com; user SALES@example.com bob@example.com",
      OUT " from=sales@example.com", "alice@example.com", "OK" },
    { "and the other", OURS "user sales@example.com alice@example.com; user SALES@example.com bob@example.com",
      OUT " from=sales@example.com", "bob@example.com", "OK" },
    { "an alias of an alias is none", OURS "user a@example.com b@example.com; user b@example.com alice@example.com",
      OUT " from=a@example.com", "alice@example.com", REFUSED },
    { "an account is nobody's alias", OURS "user sales@example.com", OUT " from=sales@example.com", "alice@example.com",
      REFUSED },
    { "an expired alias", OURS "user sales@example.com alice@example.com until 1000", OUT " from=sales@example.com",
      "alice@example.com", REFUSED },
    { "an alias about to expire", OURS "user sales@example.com alice@example.com until 1001",
      OUT " from=sales@example.com", "alice@example.com", "OK" },
    { "Unicode case folding", OURS, OUT " from=\xc5\xbfta\xef\xac\x80@example.com", "staff@example.com", "OK" },
};

/* With match address: any sender, as long as few accounts share the address. */
static const struct scene_case address_cases[] = {
    { "nobody", ADDRESS, OUT, "none", REFUSED },
    { "one account", ADDRESS, OUT, "alice@example.com", "OK" },
    { "as many as set by default", ADDRESS, OUT, "a b c", "OK" },
    { "one too many", ADDRESS, OUT, "a b c d", REFUSED },
    { "as many as set", ADDRESS "pop_before_smtp_max_accounts=1", OUT, "a", "OK" },
    { "more than set", ADDRESS "pop_before_smtp_max_accounts=1", OUT, "a b", REFUSED },
    { "no limit", ADDRESS "pop_before_smtp_max_accounts=0", OUT, "a b c d e f g h i j k l m n o p q r s t u v", "OK" },
    { "no limit, and nobody", ADDRESS "pop_before_smtp_max_accounts=0", OUT, "none", REFUSED },
    { "even the sender among too many", ADDRESS, ALICE, "a b c alice@example.com", REFUSED },
    { "the null sender", ADDRESS, OUT " from=", "a", "OK" },
    { "with relay_for nobody", ADDRESS "relay_for=nobody", OUT, "a", "OK" },
    { "our recipient is not answered OK for it", ADDRESS, "RCPT", "a", "DUNNO" },
};

/* Which address is looked up. */
#define V6 OUT " client=2001:db8:1:2:3:4:5:6"

static const struct scene_case lookup_cases[] = {
    { "IPv4", ADDRESS, OUT, NULL, "? 192.0.2.10" },
    { "IPv4 whatever the IPv6 prefix", ADDRESS "pop_before_smtp_ipv6_prefix=48", OUT, NULL, "? 192.0.2.10" },
    { "mapped IPv4", ADDRESS "pop_before_smtp_ipv6_prefix=64", OUT " client=::ffff:192.0.2.10", NULL, "? 192.0.2.10" },
    { "IPv6 whole", ADDRESS, V6, NULL, "? 2001:db8:1:2:3:4:5:6" },
    { "IPv6 cut to 64", ADDRESS "pop_before_smtp_ipv6_prefix=64", V6, NULL, "? 2001:db8:1:2::" },
    { "IPv6 cut to 48", ADDRESS "pop_before_smtp_ipv6_prefix=48", V6, NULL, "? 2001:db8:1::" },
    { "IPv6 cut to 127", ADDRESS "pop_before_smtp_ipv6_prefix=127", OUT " client=2001:db8::ff", NULL,
      "? 2001:db8::fe" },
    { "IPv6 cut to 65", ADDRESS "pop_before_smtp_ipv6_prefix=65", OUT " client=2001:db8::ffff:1:2:3", NULL,
      "? 2001:db8:0:0:8000::" },
};

/* With observe, what would be logged is part of the answer, but no ground for deferring. */
#define ALL ADDRESS "observe=all; "

static const struct scene_case observe_cases[] = {
    { "asked for the log", ADDRESS "observe=relay", OUT, NULL, LOOKUP },
    { "observed, nobody", ADDRESS "observe=relay", OUT, "none", "DUNNO would=relay" },
    { "observed, logged in", ADDRESS "observe=relay", OUT, "a", "OK" },
    { "observed, unknown: OK is not given", ADDRESS "observe=relay", OUT, "away", "unavailable" },
    { "a list observed, nobody", ADDRESS "list staff no; observe=list", "RCPT to=staff", "none", "DUNNO would=list" },
    { "a list observed, logged in", ADDRESS "list staff no; observe=list", "RCPT to=staff", "a", "DUNNO" },
    { "a list observed, asked for the log", ADDRESS "list staff no; observe=list", "RCPT to=staff", NULL, LOOKUP },
    { "all, nobody", ALL, OUT, "none", "DUNNO would=relay" },
    { "all, logged in", ALL, OUT, "a", "DUNNO do=OK" },
    { "all, asked for the log", ALL, OUT, NULL, LOOKUP },
    { "all, asked for what would be done", "pop_before_smtp_match=address; observe=all", OUT, NULL, LOOKUP },
};

/* Where the reply is DUNNO in any case, an unknown login may be logged as one likes, but nobody is deferred. */
static const struct {
    const char *rules, *request;
} lenient[] = {
    { ALL, OUT },
    { ADDRESS "list staff no; observe=list", "RCPT to=staff" },
    { ADDRESS "local_sender_auth=yes; observe=local-sender", "MAIL from=a@example.com" },
    { ADDRESS "local_sender_auth=yes; observe=local-sender", "DATA from=a@example.com" },
    { ADDRESS "refuse_null_sender=authenticated; observe=null-sender", "MAIL from=" },
};

START_TEST(observed_reason_is_not_deferred_for)
{
    struct scene scene;
    scene_decide(&scene, lenient[_i].rules, lenient[_i].request, "away", SCENE_NOW);
    ck_assert(!scene.decision.needs_login);
    ck_assert_str_eq(scene.action, "DUNNO");
    scene_fini(&scene);
}
END_TEST

/* What is deferred says why, in the log too. */
START_TEST(unavailable_is_the_last_note)
{
    struct scene scene;
    scene_decide(&scene, ADDRESS, OUT, "away", SCENE_NOW);
    const struct decide_note *last = &scene.decision.notes[scene.decision.n_notes - 1];
    ck_assert_int_eq(last->outcome, NOTE_DECIDED);
    ck_assert_int_eq(last->reason, REASON_UNAVAILABLE);
    ck_assert_int_eq(last->step, STEP_RCPT);
    ck_assert_ptr_null(scene.decision.rule);
    scene_fini(&scene);
}
END_TEST

#define CASE_TEST(name, table)                                                                                         \
    START_TEST(name)                                                                                                   \
    {                                                                                                                  \
        scene_check(&(table)[_i]);                                                                                     \
    }                                                                                                                  \
    END_TEST

CASE_TEST(login_is_the_senders_own, sender_cases)
CASE_TEST(login_is_from_the_address, address_cases)
CASE_TEST(login_address_is_cut_to_the_prefix, lookup_cases)
CASE_TEST(observed_reason_is_part_of_the_answer, observe_cases)

int main(void)
{
    Suite *suite = suite_create("decide: login");
    TCase *known = suite_case(suite, "known or not");
    tcase_add_loop_test(known, answer_hangs_on_a_login, 0, COUNT(hanging));
    tcase_add_loop_test(known, nothing_is_looked_up_in_vain, 0, COUNT(certain_cases));
    tcase_add_loop_test(known, observed_reason_is_part_of_the_answer, 0, COUNT(observe_cases));
    tcase_add_loop_test(known, observed_reason_is_not_deferred_for, 0, COUNT(lenient));
    tcase_add_test(known, unavailable_is_the_last_note);
    TCase *whose = suite_case(suite, "whose");
    tcase_add_loop_test(whose, login_is_the_senders_own, 0, COUNT(sender_cases));
    tcase_add_loop_test(whose, login_is_from_the_address, 0, COUNT(address_cases));
    tcase_add_loop_test(whose, login_address_is_cut_to_the_prefix, 0, COUNT(lookup_cases));
    return suite_run(suite);
}
