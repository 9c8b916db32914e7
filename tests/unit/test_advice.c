/*
 * What is said about a decision: the sentence for the user, what Postfix does, and the commands that change it.
 */
#include "explain/change.h"
#include "explain/conclusion.h"
#include "explain/postfix_reply.h"
#include "explain/remedy.h"
#include "scene.h"
#include "suite.h"

#define OURS    "domain example.com; "
#define LOG_IN  "log in with your mailbox password (SMTP AUTH), then send."
#define READ_IT "log in with your mailbox password (SMTP AUTH) or read your mail first, then send."

/* One decision, as struct explained has it. */
struct told {
    struct scene scene;
    struct decision decision;
    struct explanation explanation;
    struct explained x;
};

static void begin(struct told *told, const char *rules, const char *request, const char *logins)
{
    scene_decide(&told->scene, rules, request, logins ? logins : "none", SCENE_NOW);
    struct decide_query query = { .rules = told->scene.rules, .request = &told->scene.request, .now = SCENE_NOW };
    ck_assert_int_eq(explained_decide(&query, &told->scene.facts, &told->decision), 0);
    explanation_make(&told->explanation, &told->decision, &query);
    told->x = (struct explained){ .request = &told->scene.request,
                                  .explanation = &told->explanation,
                                  .rules = told->scene.rules,
                                  .now = SCENE_NOW,
                                  .program = "gatepost" };
}

static void expect(const struct explained *x, explained_write *write, const char *about, const char *expected)
{
    char *text = explained_text(write, x);
    ck_assert_ptr_nonnull(text);
    ck_assert_msg(strcmp(text, expected) == 0, "%s:\ngot:      %s\nexpected: %s", about, text, expected);
    free(text);
}

struct text_case {
    const char *rules, *request, *logins, *expected;
};

static void check(const struct text_case *row, explained_write *write)
{
    static struct told told;
    begin(&told, row->rules, row->request, row->logins);
    expect(&told.x, write, row->request, row->expected);
    scene_fini(&told.scene);
}

static const struct text_case sentences[] = {
    { OURS "deny 192.0.2.0/24", "RCPT", NULL,
      "Your mail to bob@example.com was refused because our server takes no connection from 192.0.2.10; send it by "
      "another network, or ask us to let that address in." },
    { OURS "unlisted_clients=deny", "RCPT client=unknown", NULL,
      "Your mail to bob@example.com was refused because our server takes no connection from the computer that sends "
      "it; "
      "send it by another network, or ask us to let that address in." },
    { OURS "deny 192.0.2.0/24", "CONNECT to=", NULL,
      "Your mail was refused because our server takes no connection from 192.0.2.10; send it by another network, or "
      "ask "
      "us to let that address in." },
    { OURS "submission_ports=587", "RCPT port=587", NULL,
      "Your mail to bob@example.com was refused because port 587 of our server is only for those who log in; switch on "
      "authentication (SMTP AUTH) with your mailbox password in your mail program, then send." },
    { OURS, "VRFY", NULL,
      "Your question for an address was refused because our server does not tell strangers which addresses there are; "
      "just send your mail." },
    { OURS, "ETRN", NULL,
      "Your request for waiting mail was refused because 192.0.2.10 is not among those that may fetch waiting mail "
      "here; "
      "ask us to let it." },
    { OURS "refuse_vrfy=no", "VRFY", NULL, "Your question for an address was not refused." },
    { OURS "kill @example.net", "RCPT", NULL,
      "Your mail to bob@example.com was refused because we take no mail from the sender fred@example.net; if you think "
      "that is a mistake, tell us from another address or by telephone." },
    { OURS "refuse_null_sender=yes", "RCPT from=", NULL,
      "Your mail to bob@example.com was refused because it has no sender address, as only automatic reports have; set "
      "your own address as the sender in your mail program, then send." },
    { OURS "refuse_null_sender=authenticated", "RCPT from= sasl=fred", NULL,
      "Your mail to bob@example.com was refused because it has no sender address, as only automatic reports have, and "
      "you are logged in; set your own address as the sender in your mail program, then send." },
    { OURS "require_valid_sender=yes", "RCPT from=fred", NULL,
      "Your mail to bob@example.com was refused because its sender address \"fred\" is not a whole one; write it as "
      "name@domain in the settings of your mail program, then send." },
    { OURS "local_sender_auth=yes", "RCPT from=anna@example.com", NULL,
      "Your mail to bob@example.com was refused because its sender anna@example.com is one of our own addresses, and "
      "whoever sent it from 192.0.2.10 had not logged in; " READ_IT },
    { OURS, "RCPT to=x%example.org@example.com", NULL,
      "Your mail to x%example.org@example.com was refused because x%example.org@example.com asks our server to send it "
      "on to somewhere else, which we do not; write to the address it is meant for." },
    { OURS "list staff no; pop_before_smtp=0", "RCPT to=Staff@example.com", NULL,
      "Your mail to Staff@example.com was refused because Staff@example.com is a list to which only our own users may "
      "write; " LOG_IN },
    { OURS, "RCPT to=x@example.org client=::ffff:203.0.113.9", NULL,
      "Your mail to x@example.org was refused because 203.0.113.9 is not allowed to send to other domains through this "
      "server; " READ_IT },
    { OURS "pop_before_smtp=0", "RCPT to=x@example.org", NULL,
      "Your mail to x@example.org was refused because 192.0.2.10 is not allowed to send to other domains through this "
      "server; " LOG_IN },
    { OURS "pop_before_smtp_match=address", "RCPT to=x@example.org", "a b c d",
      "Your mail to x@example.org was refused because 192.0.2.10 is not allowed to send to other domains through this "
      "server; reading mail first does not help, since more people than we allow read theirs from there; " LOG_IN },
    { OURS "grant mail.example.net", "RCPT to=x@example.org name=unknown reverse=mail.example.net", NULL,
      "Your mail to x@example.org is put off, and not lost, because the host name of 192.0.2.10 could not be checked "
      "just now; it is tried again by itself, and if that does not help, whoever runs that host must make its name and "
      "its address point to each other in DNS." },
    { OURS "grant 192.0.2.10; max_recipients=2", "DATA to= count=3", NULL,
      "Your mail was refused because it has 3 recipients, and we send on no more than 2 at once; send it to fewer at a "
      "time." },
    { OURS, "RCPT to=x@example.org", "away",
      "Your mail to x@example.org is put off, and not lost, because our server cannot find out just now whether mail "
      "was "
      "read from 192.0.2.10 before; try again in a few minutes, or log in with your mailbox password (SMTP AUTH)." },
    { OURS, "RCPT", NULL, "Your mail to bob@example.com is taken, provided that there is such an address." },
    { OURS "grant 192.0.2.10", "RCPT to=x@example.org", NULL,
      "Your mail to x@example.org is taken and sent on, since 192.0.2.10 is allowed to send to other domains through "
      "this server." },
    { OURS, "RCPT to=x@example.org sasl=fred", NULL,
      "Your mail to x@example.org is taken and sent on, since you logged in with your mailbox password." },
    { OURS, "RCPT to=x@example.org", "fred@example.net",
      "Your mail to x@example.org is taken and sent on, since fred@example.net has read mail from 192.0.2.10 not long "
      "ago." },
    { OURS, "RCPT to=x%example.org@example.com", "fred@example.net",
      "Your mail to x%example.org@example.com is taken and sent on, since fred@example.net has read mail from "
      "192.0.2.10 "
      "not long ago." },
    { OURS "accept @example.net", "RCPT to=x@example.org", NULL,
      "Your mail to x@example.org is taken and sent on, since mail from fred@example.net is allowed to go to other "
      "domains through this server." },
    { OURS "relay_for=anyone", "RCPT to=x@example.org", NULL,
      "Your mail to x@example.org is taken and sent on, since anybody may send to other domains through this server." },
    { "", "RCPT to=x@example.org", NULL,
      "Your mail to x@example.org is taken only if that domain is one of ours, and else refused with \"Relay access "
      "denied\", because 192.0.2.10 is not allowed to send to other domains through this server; " READ_IT },
    { OURS "refuse_routed_recipient=no", "RCPT to=x%example.org@example.com", NULL,
      "Your mail to x%example.org@example.com is most likely refused with \"Relay access denied\", because the address "
      "asks our server to send it on to somewhere else; write to the address it is meant for." },
    { OURS "archive_to=audit@example.com", "DATA to=", NULL,
      "Your mail is taken, and a copy of it is kept in our archive." },
    { OURS "observe=kill; kill @example.net", "RCPT", NULL,
      "Your mail to bob@example.com is taken, provided that there is such an address; but once a rule that we still "
      "try "
      "out is in force, it will be refused because we take no mail from the sender fred@example.net; if you think that "
      "is a mistake, tell us from another address or by telephone." },
    { OURS "observe=relay; pop_before_smtp=0", "RCPT to=x@example.org", NULL,
      "Your mail to x@example.org is taken only if that domain is one of ours, and else refused with \"Relay access "
      "denied\", because 192.0.2.10 is not allowed to send to other domains through this server; " LOG_IN },
    { OURS "observe=all; grant 192.0.2.10", "RCPT to=x@example.org", NULL,
      "Your mail to x@example.org is taken only if that domain is one of ours, and else refused with \"Relay access "
      "denied\", because our rules permit nothing while we try them out; " LOG_IN },
    { OURS, "MAIL to=", NULL, "Your mail meets with no objection so far." },
    { OURS "deny 192.0.2.0/24", "RCPT to=PostMaster", NULL,
      "Your mail to PostMaster is taken, provided that there is such an address." },
};

START_TEST(the_user_is_told)
{
    check(&sentences[_i], conclusion_write_one);
}
END_TEST

static const struct text_case postfix[] = {
    { OURS "deny 192.0.2.0/24", "RCPT", NULL,
      "answers 554 5.7.1 <bob@example.com>: Recipient address rejected: access denied" },
    { OURS "deny 192.0.2.0/24; reply_style=code", "RCPT", NULL,
      "answers 521 5.7.1 <bob@example.com>: Recipient address rejected: access denied, and closes the session" },
    { OURS "deny 192.0.2.0/24", "CONNECT", NULL,
      "answers 554 5.7.1 <the recipient>: Recipient address rejected: access denied to each RCPT, and here already "
      "with "
      "gatepost in smtpd_client_restrictions and smtpd_delay_reject = no" },
    { OURS "kill @example.net", "MAIL", NULL,
      "answers 554 5.7.1 <the recipient>: Recipient address rejected: unacceptable mail address to each RCPT, and here "
      "already with gatepost in smtpd_sender_restrictions and smtpd_delay_reject = no" },
    { OURS "require_valid_sender=yes", "RCPT from=fred", NULL,
      "answers 554 5.1.3 <bob@example.com>: Recipient address rejected: sender must be user@host" },
    { OURS, "RCPT to=x@example.org", "away",
      "answers 450 4.3.0 <x@example.org>: Recipient address rejected: login records unavailable, try again later" },
    { OURS "grant 192.0.2.10; max_recipients=2", "DATA to= count=3", NULL,
      "answers 554 5.5.3 <DATA>: Data command rejected: too many recipients" },
    { OURS, "ETRN", NULL, "answers 554 5.7.1 <the domain>: Etrn command rejected: command not available" },
    { OURS, "VRFY", NULL, "answers 554 5.7.1 <bob@example.com>: Recipient address rejected: command not available" },
    { "", "RCPT to=x@example.org", NULL,
      "refuses it by reject_unauth_destination, 554 5.7.1 <x@example.org>: Relay access denied, unless the domain is "
      "in "
      "mydestination, relay_domains or its like" },
    { OURS "observe=relay", "RCPT to=x@example.org", NULL,
      "refuses it by reject_unauth_destination, 554 5.7.1 <x@example.org>: Relay access denied, unless the domain is "
      "in "
      "mydestination, relay_domains or its like" },
    { OURS "observe=all; grant 192.0.2.10", "RCPT to=x@example.org", NULL,
      "refuses it by reject_unauth_destination, 554 5.7.1 <x@example.org>: Relay access denied, unless the domain is "
      "in "
      "mydestination, relay_domains or its like" },
    { OURS "observe=all", "RCPT to=x@example.org sasl=fred", NULL,
      "permits relaying; smtpd_recipient_restrictions still apply" },
    { OURS "grant 192.0.2.10", "RCPT to=x@example.org", NULL,
      "permits relaying; smtpd_recipient_restrictions still apply" },
    { OURS "grant 192.0.2.10", "RCPT", NULL,
      "permits it; smtpd_recipient_restrictions and the look-up of the recipient still apply" },
    { OURS "grant 192.0.2.10", "RCPT to=x%example.org@example.com", NULL,
      "permits relaying; smtpd_recipient_restrictions still apply" },
    { OURS "relay example.net; grant 192.0.2.10", "RCPT to=x%example.org@example.net", NULL,
      "drops the OK, since check_recipient_access permits no routed recipient at such a domain: "
      "554 5.7.1 <x%example.org@example.net>: Relay access denied; with check_policy_service directly in "
      "smtpd_relay_restrictions it counts" },
    { OURS, "RCPT", NULL,
      "goes on: reject_unauth_destination lets its own domains pass, and the recipient is looked up" },
    { OURS, "RCPT to=postmaster", NULL, "takes mail to <postmaster> without asking" },
    { OURS "archive_to=audit@example.com", "DATA to=", NULL, "takes the message, with a copy to audit@example.com" },
    { OURS, "DATA to=", NULL, "takes the message" },
    { OURS, "END-OF-MESSAGE to=", NULL, "takes the message" },
    { OURS, "CONNECT", NULL,
      "goes on; it asks here only with gatepost in smtpd_client_restrictions and smtpd_delay_reject = no" },
    { OURS, "RCPT context=client", NULL, "goes on" },
};

START_TEST(it_is_told_what_postfix_does)
{
    check(&postfix[_i], postfix_reply_write);
}
END_TEST

/* The commands, a line each. */
#define GRANT_BEYOND "gatepost add grant 192.0.2.10 --for 2h # which lets it relay, too\n"

static const struct text_case changes[] = {
    { OURS "deny 192.0.2.0/24", "RCPT", NULL,
      "gatepost add allow 192.0.2.10 --for 2h\ngatepost remove deny 192.0.2.0/24\n" },
    { OURS "deny 192.0.2.0/24; deny 192.0.0.0/16", "RCPT", NULL,
      "gatepost add allow 192.0.2.10 --for 2h\ngatepost remove deny 192.0.2.0/24 192.0.0.0/16\n" },
    { OURS "deny 192.0.2.10; deny 192.0.2.10/32", "RCPT", NULL, "gatepost remove deny 192.0.2.10/32 192.0.2.10\n" },
    /* The range holds a whole prefix of just this address, on which an equally long grant loses. */
    { OURS "deny 192.0.2.10-20; deny 192.0.2.10-11", "RCPT client=192.0.2.20", NULL,
      "gatepost remove deny 192.0.2.10-20\n" },
    { OURS "deny 192.0.2.0/24; unlisted_clients=deny", "RCPT", NULL, "gatepost add allow 192.0.2.10 --for 2h\n" },
    { OURS "unlisted_clients=deny", "RCPT client=2001:DB8::1", NULL,
      "gatepost add allow 2001:db8::1 --for 2h\ngatepost set unlisted_clients grant\n" },
    { OURS "unlisted_clients=deny", "RCPT client=unknown", NULL, "gatepost set unlisted_clients grant\n" },
    { OURS "deny 192.0.2.10", "RCPT to=x@example.org", NULL, "gatepost remove deny 192.0.2.10 # then: relay\n" },
    { OURS "submission_ports=25, 587", "RCPT port=587", NULL, "gatepost set submission_ports 25\n" },
    { OURS "submission_ports=587", "RCPT port=587", NULL, "gatepost set submission_ports ''\n" },
    { OURS, "VRFY", NULL, "gatepost set refuse_vrfy no\n" GRANT_BEYOND },
    { OURS "kill @example.net; kill @*ample.net; kill @.net", "RCPT", NULL,
      "gatepost remove kill @example.net @.net '@*ample.net'\n" },
    { OURS "kill it's@example.net", "RCPT from=it's@example.net", NULL, "gatepost remove kill \"it's@example.net\"\n" },
    { OURS "kill -x@example.net", "RCPT from=-x@example.net", NULL, "gatepost remove kill -- -x@example.net\n" },
    { OURS "refuse_null_sender=yes", "RCPT from=", NULL,
      "gatepost set refuse_null_sender authenticated\ngatepost set refuse_null_sender no\n" },
    { OURS "refuse_null_sender=authenticated", "RCPT from= sasl=fred", NULL, "gatepost set refuse_null_sender no\n" },
    { OURS "require_valid_sender=yes", "RCPT from=fred", NULL, "gatepost set require_valid_sender no\n" },
    { OURS "local_sender_auth=yes", "RCPT from=anna@example.com", NULL,
      "gatepost add grant 192.0.2.10 --for 2h\ngatepost add accept anna@example.com --client 192.0.2.10 --for 2h\n"
      "gatepost set local_sender_auth no\n" },
    { OURS "local_sender_auth=yes; relay_for=nobody", "RCPT from=anna@example.com", NULL,
      "gatepost set local_sender_auth no\n" },
    { OURS, "RCPT to=x%example.org@example.com", NULL,
      "gatepost add grant 192.0.2.10 --for 2h\ngatepost set refuse_routed_recipient no\n" },
    { OURS "list staff no", "RCPT to=staff@example.com", NULL, "gatepost remove list staff\n" GRANT_BEYOND },
    { OURS "list staff; list_remote_mail=no", "RCPT to=staff@example.com", NULL,
      "gatepost remove list staff\ngatepost set list_remote_mail yes\n" GRANT_BEYOND },
    { OURS, "RCPT to=x@example.org", NULL,
      "gatepost add grant 192.0.2.10 --for 2h\ngatepost add accept fred@example.net --client 192.0.2.10 --for 2h\n"
      "gatepost add domain example.org # where that domain is ours\n" },
    { OURS, "RCPT to=x@example.org client=unknown from=", NULL,
      "gatepost add domain example.org # where that domain is ours\n" },
    { OURS "refuse 192.0.2.0/24", "RCPT to=x@example.org from=", NULL,
      "gatepost add grant 192.0.2.10 --for 2h\ngatepost add domain example.org # where that domain is ours\n" },
    { OURS "refuse 192.0.2.10", "RCPT to=x@example.org from=", NULL,
      "gatepost remove refuse 192.0.2.10 && gatepost add grant 192.0.2.10 --for 2h\n"
      "gatepost add domain example.org # where that domain is ours\n" },
    { OURS "refuse 192.0.2.10; refuse 192.0.2.10/32; refuse 192.0.2.0/24", "RCPT to=x@example.org from=", NULL,
      "gatepost remove refuse 192.0.2.10/32 192.0.2.10 && gatepost add grant 192.0.2.10 --for 2h\n"
      "gatepost add domain example.org # where that domain is ours\n" },
    { OURS "relay_for=nobody", "RCPT to=x@example.org from=", NULL,
      "gatepost set relay_for addresses && gatepost add grant 192.0.2.10 --for 2h # then all rows of grant and accept "
      "count\n"
      "gatepost add domain example.org # where that domain is ours\n" },
    { "", "RCPT to=x@example.org from=", NULL, "gatepost add grant 192.0.2.10 --for 2h\n" },
    { OURS "grant mail.example.net", "RCPT to=x@example.org name=unknown reverse=mail.example.net", NULL,
      "gatepost add grant 192.0.2.10 --for 2h\n" },
    { OURS "grant 192.0.2.10; max_recipients=2", "DATA to= count=3", NULL, "gatepost set max_recipients 3\n" },
    { OURS, "RCPT to=x@example.org", "away", "gatepost add grant 192.0.2.10 --for 2h\n" },
    { OURS "grant 192.0.2.0/24; grant 192.0.2.0/28", "RCPT to=x@example.org", NULL,
      "gatepost remove grant 192.0.2.0/28 192.0.2.0/24\ngatepost add refuse 192.0.2.10 --for 2h\n" },
    { OURS "grant 192.0.2.10", "RCPT to=x@example.org", NULL, "gatepost remove grant 192.0.2.10\n" },
    { OURS "grant client.example.net", "RCPT to=x@example.org", NULL, "gatepost remove grant client.example.net\n" },
    { OURS "accept @example.net 192.0.2.0/28", "RCPT to=x@example.org", NULL,
      "gatepost remove accept @example.net --client 192.0.2.0/28\ngatepost add refuse 192.0.2.10 --for 2h\n" },
    { OURS "accept @example.net", "RCPT to=x@example.org", NULL,
      "gatepost remove accept @example.net --any-client\ngatepost add refuse 192.0.2.10 --for 2h\n" },
    { OURS "relay_for=anyone", "RCPT to=x@example.org", NULL,
      "gatepost add refuse 192.0.2.10 --for 2h\ngatepost set relay_for addresses\n" },
    { OURS "relay_for=local-users; user anna@example.com", "RCPT to=x@example.org from=anna@example.com", NULL,
      "gatepost remove user anna@example.com\ngatepost add refuse 192.0.2.10 --for 2h\n"
      "gatepost set relay_for addresses\n" },
    { OURS, "RCPT to=x@example.org", "fred@example.net", "gatepost add refuse 192.0.2.10 --for 2h\n" },
    { OURS, "RCPT to=x@example.org sasl=fred", NULL, "" },
    { OURS, "RCPT", NULL, "" },
    { OURS "observe=all", "RCPT to=x@example.org", NULL, "" },
};

START_TEST(what_would_change_it_is_told)
{
    check(&changes[_i], remedy_write);
}
END_TEST

START_TEST(without_the_rules_what_comes_into_question_is_offered)
{
    static struct told told;
    begin(&told, OURS "deny 192.0.2.0/24; unlisted_clients=deny", "RCPT", NULL);
    told.x.rules = NULL;
    expect(&told.x, remedy_write, "untried",
           "gatepost add allow 192.0.2.10 --for 2h\ngatepost remove deny 192.0.2.0/24\n"
           "gatepost set unlisted_clients grant\n");
    scene_fini(&told.scene);
}
END_TEST

/* A daemon of another version, or something that is none. */
START_TEST(rows_of_tables_that_are_not_known_are_in_no_command)
{
    static struct explanation explanation;
    static const struct request request = { .attr = { [ATTR_PROTOCOL_STATE] = STR("RCPT") } };
    struct explained x = { .request = &request, .explanation = &explanation, .now = SCENE_NOW, .program = "gatepost" };
    for (int r = 0; r < REASON_COUNT; r++) {
        memset(&explanation, 0, sizeof explanation);
        explanation_take(&explanation, str_of("reason"), str_of(reasons[r].name));
        explanation_take(&explanation, str_of("step"), str_of("1"));
        explanation_take(&explanation, str_of("outcome"), str_of("decided"));
        explanation_take(&explanation, str_of("table"), str_of("nonsense"));
        explanation_take(&explanation, str_of("key"), str_of("192.0.2.1"));
        free(explained_text(conclusion_write_one, &x));
        free(explained_text(postfix_reply_write, &x));
        char *commands = explained_text(remedy_write, &x);
        ck_assert_ptr_nonnull(commands);
        ck_assert_ptr_null(strstr(commands, "192.0.2.1"));
        free(commands);
    }
}
END_TEST

/* Nothing that a terminal or a shell would take for something else becomes part of a command. */
START_TEST(a_hostile_sender_is_in_no_command)
{
    static const char *const senders[] = { "a\033]0;x\a@example.net", "a\xe2\x80\xae@example.net",
                                           "a\xff@example.net" };
    static struct told told;
    char request[128];
    (void)snprintf(request, sizeof request, "RCPT to=x@example.org from=%s", senders[_i]);
    begin(&told, OURS, request, NULL);
    expect(&told.x, remedy_write, "hostile",
           "gatepost add grant 192.0.2.10 --for 2h\ngatepost add domain example.org # where that domain is ours\n");
    scene_fini(&told.scene);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("advice");
    TCase *tcase = suite_case(suite, "advice");
    tcase_add_loop_test(tcase, the_user_is_told, 0, COUNT(sentences));
    tcase_add_loop_test(tcase, it_is_told_what_postfix_does, 0, COUNT(postfix));
    tcase_add_loop_test(tcase, what_would_change_it_is_told, 0, COUNT(changes));
    tcase_add_test(tcase, without_the_rules_what_comes_into_question_is_offered);
    tcase_add_test(tcase, rows_of_tables_that_are_not_known_are_in_no_command);
    tcase_add_loop_test(tcase, a_hostile_sender_is_in_no_command, 0, 3);
    return suite_run(suite);
}
