/*
 * Pins naive.c by examples made by hand from SPEC sections 3 to 8, so that a mistake in it is found on its own and not
 * as a difference from the real decision.
 */
#include "naive.h"

#include "suite.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS_MAX = 40, NOW = 1000000 };

/*
 * rows:    lines TABLE|KEY|VALUE|CLIENT|EXPIRES; fields may be missing at the end, "-" is NULL
 * request: lines NAME=VALUE, before those of usual_request (the first counts)
 * logins:  login names separated by blanks; NULL none, "away" the store cannot be asked
 * NULL in the rest: no reason, nothing observed
 */
struct example {
    const char *name;
    const char *rows;
    const char *request;
    const char *logins;
    const char *action;
    const char *reason;
    const char *would;
    bool needs_login;
};

static const char usual_request[] = "protocol_state=RCPT\nclient_address=198.51.100.9\nclient_name=unknown\n"
                                    "reverse_client_name=unknown\nserver_port=25\nsender=fred@example.net\n"
                                    "recipient=postmaster\nrecipient_count=0\n";

#define SET(name, value)       "setting|" name "|" value "\n"
#define LOCAL                  "local_domain|example.com|local\n"
#define REMOTE                 "recipient=x@remote.example.org\n"
#define STATE(name)            "protocol_state=" name "\n"
#define FROM(sender)           "sender=" sender "\n"
#define TO(recipient)          "recipient=" recipient "\n"
#define CLIENT(address)        "client_address=" address "\n"
#define NAMED(name)            "client_name=" name "\n"
#define SASL                   "sasl_username=alice\n"
#define KILL(pattern)          "kill_entry|" pattern "\n"
#define GRANT(client)          "relay_grant|" client "|grant\n"
#define REFUSE(client)         "relay_grant|" client "|refuse\n"
#define USER(address, account) "local_user|" address "|" account "\n"
#define LIST(address, remote)  "local_list|" address "|" remote "\n"
#define BY_ADDRESS             SET("pop_before_smtp_match", "address")

#define DUNNO       .action = "DUNNO"
#define OK          .action = "OK"
#define DENIED      .action = "REJECT 5.7.1 access denied", .reason = "access"
#define KILLED      .action = "REJECT 5.7.1 unacceptable mail address", .reason = "kill"
#define NO_NULL     .action = "REJECT 5.7.1 null sender not accepted", .reason = "null-sender"
#define INVALID     .action = "REJECT 5.1.7 sender must be user@host", .reason = "invalid-sender"
#define NOT_YOU     .action = "REJECT 5.7.1 local sender not authorized", .reason = "local-sender"
#define ROUTED      .action = "REJECT 5.7.1 routed recipient, not a gateway", .reason = "routed"
#define CLOSED      .action = "REJECT 5.7.1 remote mail to this list is not accepted", .reason = "list"
#define NO_RELAY    .action = "REJECT 5.7.1 unknown local host remote.example.org, not a gateway", .reason = "relay"
#define UNVERIFIED  .action = "DEFER 4.7.25 client host name not verified, try again later", .reason = "unverified"
#define UNAVAILABLE .action = "DEFER 4.3.0 login records unavailable, try again later", .reason = "unavailable"
#define NEEDS       .needs_login = true

static const struct example examples[] = {
    /* 7.1 client */
    { "an unlisted client may connect", "", "", DUNNO },
    { "a denied client may not", "access_block|198.51.100.0/24|deny\n", "", DENIED },
    { "deny is what a block says by itself", "access_block|198.51.100.0/24|-\n", "", DENIED },
    { "in every state", "access_block|198.51.100.0/24|deny\n", STATE("CONNECT"), DENIED },
    { "with SASL too", "access_block|198.51.100.0/24|deny\n", SASL, DENIED },
    { "the longest prefix decides", "access_block|198.51.100.0/24|deny\naccess_block|198.51.100.9|grant\n", "", DUNNO },
    { "a range counts as its minimal prefixes: .8-11 is a /30, longer than .0/28",
      "access_block|198.51.100.8-11|grant\naccess_block|198.51.100.0/28|deny\n", "", DUNNO },
    { ".9-11 holds .9 as a /32", "access_block|198.51.100.9-11|grant\naccess_block|198.51.100.8/31|deny\n", "", DUNNO },
    { ".8-9 is as long as .8/31: deny wins", "access_block|198.51.100.8-9|grant\naccess_block|198.51.100.8/31|deny\n",
      "", DENIED },
    { "of equal ones the refusing", "access_block|0.0.0.0/0|deny\naccess_block|0.0.0.0/0.0.0.0|grant\n", "", DENIED },
    { "unlisted clients denied", SET("unlisted_clients", "deny"), "", DENIED },
    { "what is no address is unlisted", SET("unlisted_clients", "deny") "access_block|0.0.0.0/0|grant\n",
      CLIENT("unknown"), DENIED },
    { "a grant lets in", SET("unlisted_clients", "deny") "access_block|0.0.0.0/0|grant\n", "", DUNNO },
    { "a mapped client is IPv4", "access_block|198.51.100.0/24|deny\n", CLIENT("::ffff:198.51.100.9"), DENIED },
    { "an expired row is absent from that second on", "access_block|198.51.100.0/24|deny||1000000\n", "", DUNNO },
    { "and there until then", "access_block|198.51.100.0/24|deny||1000001\n", "", DENIED },
    { "so is a block that is none", "access_block|198.51.100.0/2 4|deny\naccess_block|mail.example.net|deny\n", "",
      DUNNO },
    { "an unknown verdict is skipped", "access_block|198.51.100.0/24|refuse\n", "", DUNNO },

    /* 7.2 states */
    { "HELO is let through", SET("unlisted_clients", "grant") KILL("fred@example.net"), STATE("HELO"), DUNNO },
    { "an unknown state too", KILL("fred@example.net"), STATE("BDAT"), DUNNO },
    { "and a client policy", KILL("fred@example.net"), "policy_context=client\n", DUNNO },
    { "another policy context is nothing special", KILL("fred@example.net"), "policy_context=x\n", KILLED },

    /* 7.3 submission */
    { "submission wants SASL", SET("submission_ports", "465, 587"), "server_port=587\n",
      .action = "REJECT 5.7.0 authentication required", .reason = "submission" },
    { "has it", SET("submission_ports", "465, 587"), "server_port=587\n" SASL, OK },
    { "another port", SET("submission_ports", "465, 587"), "", DUNNO },
    { "a login is not enough", SET("submission_ports", "587"), "server_port=587\n", "fred@example.net",
      .action = "REJECT 5.7.0 authentication required", .reason = "submission" },
    { "no port is not among them", SET("submission_ports", "587"), "server_port=\n", DUNNO },
    { "nor is 0 a port", SET("submission_ports", "587 0"), "server_port=587\n", DUNNO },
    { "a list with a word in it is no list of ports", SET("submission_ports", "587 smtp"), "server_port=587\n", DUNNO },

    /* 7.4 VRFY, ETRN */
    { "VRFY is refused", "", STATE("VRFY"), .action = "REJECT 5.7.1 command not available", .reason = "vrfy" },
    { "ETRN in codes", SET("reply_style", "code"), STATE("ETRN"), .action = "502 5.7.1 command not available",
      .reason = "vrfy" },
    { "VRFY of a granted client", GRANT("198.51.100.0/24"), STATE("VRFY"), DUNNO },
    { "VRFY with SASL", "", STATE("VRFY") SASL, DUNNO },
    { "VRFY allowed, and asked no more", SET("refuse_vrfy", "no") KILL("@example.net"), STATE("VRFY"), DUNNO },
    { "VRFY observed", SET("observe", "vrfy") KILL("@example.net"), STATE("VRFY"), DUNNO, .would = "vrfy" },
    { "VRFY unverified", GRANT("mail.example.net"), STATE("VRFY") "reverse_client_name=mail.example.net\n",
      UNVERIFIED },

    /* 7.5 kill */
    { "user@host, without case", KILL("Fred@Example.NET"), "", KILLED },
    { "user@host is not user+x@host", KILL("fred@example.net"), FROM("fred+x@example.net"), DUNNO },
    { "@host", KILL("@example.net"), "", KILLED },
    { "@host is not below it", KILL("@example.net"), FROM("fred@a.example.net"), DUNNO },
    { "@.host is below it", KILL("@.example.net"), FROM("fred@a.b.example.net"), KILLED },
    { "@.host is not host", KILL("@.example.net"), "", DUNNO },
    { "@*suffix in a label", KILL("@*widget.example"), FROM("a@bluewidget.example"), KILLED },
    { "@*suffix whole", KILL("@*widget.example"), FROM("a@widget.example"), KILLED },
    { "@*suffix below", KILL("@*widget.example"), FROM("a@nifty.widget.example"), KILLED },
    { "@*suffix is an end", KILL("@*widget.example"), FROM("a@widget.example.org"), DUNNO },
    { "@* wants a suffix", KILL("@*") KILL("@* .") KILL("@") KILL("@.") KILL("fred") KILL("fred@"), "", DUNNO },
    { "two @ are no pattern", KILL("fred@example.net@example.net"), "", DUNNO },
    { "brackets, blanks and a dot are dropped", KILL("<fred@example.net>"), FROM("<fred@exam ple\t.net .>"), KILLED },
    { "the local part keeps its blanks", KILL("fred@example.net"), FROM("fred @example.net"), DUNNO },
    { "the last @ counts", KILL("@example.net"), FROM("a@b@example.net"), KILLED },
    { "A-labels", KILL("@b\303\274cher.example"), FROM("x@XN--Bcher-KVA.example"), KILLED },
    { "and back", KILL("@.xn--bcher-kva.example"), FROM("x@a.B\303\234CHER.example."), KILLED },
    { "non-transitional", KILL("@strasse.example"), FROM("x@stra\303\237e.example"), DUNNO },
    { "the dot of another script", KILL("@example.com"), FROM("x@example\343\200\202com"), KILLED },
    { "folded local part", KILL("staff@example.net"), FROM("\305\277ta\357\254\200@example.net"), KILLED },
    { "full folding", KILL("STRASSE@example.net"), FROM("stra\303\237e@example.net"), KILLED },
    { "invalid UTF-8 folds in ASCII", KILL("A\377\303\204@example.net"), FROM("a\377\303\204@example.net"), KILLED },
    { "and only there", KILL("A\377\303\204@example.net"), FROM("a\377\303\244@example.net"), DUNNO },
    { "not convertible: as it stands", KILL("@X\303\274$.example"), FROM("a@x\303\274$.EXAMPLE"), KILLED },
    { "nor invalid UTF-8", KILL("@X\374.example"), FROM("a@x\374.EXAMPLE"), KILLED },
    { "a literal is a domain", KILL("@[IPv6:2001:DB8::1]"), FROM("x@[ipv6:2001:db8::1]"), KILLED },
    { "killed with SASL", KILL("@example.net"), SASL, KILLED },
    { "killed at DATA", KILL("@example.net"), STATE("DATA"), KILLED },
    { "a!b is b@a", KILL("fred@example.net"), FROM("example.net!fred"), KILLED },
    { "the first ! counts", KILL("@a"), FROM("a!b!fred"), KILLED },
    { "a%b is a@b", KILL("fred@example.net"), FROM("fred%example.net"), KILLED },
    { "the last % counts", KILL("@example.net"), FROM("a%b%example.net"), KILLED },
    { "! goes before %", KILL("a%example.net@example.org"), FROM("example.org!a%example.net"), KILLED },
    { "% where a side of ! is empty", KILL("!a@b"), FROM("!a%b"), KILLED },
    { "bare where a side of % is empty", LOCAL KILL("%b@example.com") KILL("a%@example.net"), FROM("%b"), KILLED },
    { "the other side", LOCAL KILL("a%@example.com") KILL("%b@example.net"), FROM("a%"), KILLED },
    { "not where there is an @", KILL("@example.net"), FROM("example.net!fred@example.org"), DUNNO },

    /* 7.5 kill, bare */
    { "bare, at a local domain", LOCAL KILL("fred@example.com"), FROM("Fred"), KILLED },
    { "bare with an empty domain", LOCAL KILL("fred@example.com"), FROM("fred@"), KILLED },
    { "bare, not another's", LOCAL KILL("bob@example.com"), FROM("fred"), DUNNO },
    { "bare, not at a relay domain", "local_domain|example.com|relay\n" KILL("@example.com"), FROM("fred"), DUNNO },
    { "bare, no local domain", KILL("@example.com"), FROM("fred"), DUNNO },
    { "bare, a wildcard's host", "local_domain|.example.com|local\n" KILL("@a.example.com"), FROM("fred"), KILLED },
    { "bare, not the wildcard's own name", "local_domain|.example.com|local\n" KILL("@example.com"), FROM("fred"),
      DUNNO },
    { "bare, a longer row overrides",
      "local_domain|.example.com|local\nlocal_domain|.a.example.com|relay\n" KILL("@.a.example.com"), FROM("fred"),
      DUNNO },
    { "bare, a whole name below that",
      "local_domain|x.a.example.com|local\nlocal_domain|.a.example.com|relay\n" KILL("@.a.example.com"), FROM("fred"),
      KILLED },
    { "bare, a pattern narrower than the wildcard", "local_domain|.example.com|local\n" KILL("@.b.a.example.com"),
      FROM("fred"), KILLED },
    { "bare, a suffix within a label", "local_domain|.example.com|local\n" KILL("@*get.example.com"), FROM("fred"),
      KILLED },
    { "bare, only that very host is free of the relay row",
      "local_domain|.com|relay\nlocal_domain|get.com|local\n" KILL("@*get.com"), FROM("fred"), KILLED },
    { "bare, a suffix wider than the wildcard", "local_domain|.example.com|local\n" KILL("@*com"), FROM("fred"),
      KILLED },
    { "bare, elsewhere", "local_domain|.example.com|local\n" KILL("@*.example.org"), FROM("fred"), DUNNO },
    { "bare, .domain is no host of itself",
      "local_domain|.com|local\nlocal_domain|.example.com|relay\n" KILL("@*.example.com"), FROM("fred"), DUNNO },

    /* 7.6 null sender */
    { "a null sender is taken", KILL("@example.net"), FROM(""), DUNNO },
    { "null refused", SET("refuse_null_sender", "yes"), FROM("<>"), NO_NULL },
    { "MAILER-DAEMON is null", SET("refuse_null_sender", "yes"), FROM("Mailer-Daemon"), NO_NULL },
    { "at a local domain", LOCAL SET("refuse_null_sender", "yes"), FROM("MAILER-DAEMON@example.com"), NO_NULL },
    { "at a single label", SET("refuse_null_sender", "yes"), FROM("mail!mailer-daemon"), NO_NULL },
    { "elsewhere it is a user", LOCAL SET("refuse_null_sender", "yes"), FROM("mailer-daemon@example.net"), DUNNO },
    { "null of SASL", SET("refuse_null_sender", "authenticated"), FROM("") SASL, NO_NULL },
    { "null of others", SET("refuse_null_sender", "authenticated"), FROM(""), DUNNO },
    { "null after a login, match sender: nobody's account", SET("refuse_null_sender", "authenticated"), FROM(""),
      "alice", DUNNO },
    { "null after a login, match address", SET("refuse_null_sender", "authenticated") BY_ADDRESS, FROM(""), "alice",
      NO_NULL, NEEDS },
    { "null, the store is away", SET("refuse_null_sender", "authenticated") BY_ADDRESS, FROM(""), "away", UNAVAILABLE,
      NEEDS },
    { "null, away, at DATA: not refused", SET("refuse_null_sender", "authenticated") BY_ADDRESS, FROM("") STATE("DATA"),
      "away", DUNNO, NEEDS },
    { "null, away, at END-OF-MESSAGE: not refused", SET("refuse_null_sender", "authenticated") BY_ADDRESS,
      FROM("") STATE("END-OF-MESSAGE"), "away", DUNNO, NEEDS },

    /* 7.7 valid sender */
    { "a valid sender", SET("require_valid_sender", "yes"), FROM("a@_x.b-c.example.1"), DUNNO },
    { "a literal is valid", SET("require_valid_sender", "yes"), FROM("a@[IPv6:2001:db8::1]"), DUNNO },
    { "so is one of IPv4", SET("require_valid_sender", "yes"), FROM("a@[192.0.2.1]"), DUNNO },
    { "but not with one bracket", SET("require_valid_sender", "yes"), FROM("a@[192.0.2.1"), INVALID },
    { "nor with none", SET("require_valid_sender", "yes"), FROM("a@IPv6:2001:db8::1"), INVALID },
    { "a literal of no address is not", SET("require_valid_sender", "yes"), FROM("a@[192.0.2]"), INVALID },
    { "after IDNA", SET("require_valid_sender", "yes"), FROM("a@b\303\274cher.example"), DUNNO },
    { "no domain", SET("require_valid_sender", "yes"), FROM("fred"), INVALID },
    { "not as rewritten", SET("require_valid_sender", "yes"), FROM("example.net!fred"), INVALID },
    { "no local part", SET("require_valid_sender", "yes"), FROM("@example.net"), INVALID },
    { "an empty label", SET("require_valid_sender", "yes"), FROM("a@b..example.net"), INVALID },
    { "a label of 63", SET("require_valid_sender", "yes"),
      FROM("a@a23456789012345678901234567890123456789012345678901234567890123.example"), DUNNO },
    { "a label of 64", SET("require_valid_sender", "yes"),
      FROM("a@a23456789012345678901234567890123456789012345678901234567890123x.example"), INVALID },
    { "a dash at the end", SET("require_valid_sender", "yes"), FROM("a@b-.example.net"), INVALID },
    { "not asked for", SET("require_valid_sender", "YES"), FROM("a@b-.example.net"), DUNNO },
    { "null is not invalid", SET("require_valid_sender", "yes"), FROM(""), DUNNO },

    /* 7.8 local sender */
    { "a local sender", LOCAL SET("local_sender_auth", "yes"), FROM("a@example.com"), NOT_YOU, NEEDS },
    { "bare", SET("local_sender_auth", "yes"), FROM("a"), NOT_YOU, NEEDS },
    { "a single label", SET("local_sender_auth", "yes"), FROM("a@mail"), NOT_YOU, NEEDS },
    { "not a literal", SET("local_sender_auth", "yes"), FROM("a@[IPv6:2001:db8::1]"), DUNNO },
    { "not of a relay domain", "local_domain|example.com|relay\n" SET("local_sender_auth", "yes"),
      FROM("a@example.com"), DUNNO },
    { "with SASL", LOCAL SET("local_sender_auth", "yes"), FROM("a@example.com") SASL, OK },
    { "with a login", LOCAL SET("local_sender_auth", "yes"), FROM("a@example.com"), "a", DUNNO, NEEDS },
    { "accepted", LOCAL SET("local_sender_auth", "yes") "accept_entry|@example.com||198.51.100.9\n",
      FROM("a@example.com"), DUNNO },
    { "accepted from all of IPv4", LOCAL SET("local_sender_auth", "yes") "accept_entry|@example.com||0.0.0.0/0\n",
      FROM("a@example.com"), DUNNO },
    { "accepted elsewhere", LOCAL SET("local_sender_auth", "yes") "accept_entry|@example.com||198.51.100.8\n",
      FROM("a@example.com"), NOT_YOU, NEEDS },
    { "observed", LOCAL SET("local_sender_auth", "yes") SET("observe", "local-sender"), FROM("a@example.com"), DUNNO,
      .would = "local-sender", NEEDS },
    { "observed and away: nothing to defer for", LOCAL SET("local_sender_auth", "yes") SET("observe", "local-sender"),
      FROM("a@example.com"), "away", DUNNO, NEEDS },
    { "away", LOCAL SET("local_sender_auth", "yes"), FROM("a@example.com") STATE("MAIL"), "away", UNAVAILABLE, NEEDS },
    { "away, at DATA", LOCAL SET("local_sender_auth", "yes"), FROM("a@example.com") STATE("DATA"), "away", DUNNO,
      NEEDS },
    { "unverified", LOCAL SET("local_sender_auth", "yes") GRANT(".example.net"),
      FROM("a@example.com") "reverse_client_name=mail.example.net\n", UNVERIFIED, NEEDS },

    /* 7.9 */
    { "MAIL ends here", LOCAL, STATE("MAIL") REMOTE, DUNNO },

    /* 7.10 ours */
    { "our recipient", LOCAL, TO("bob@example.com"), DUNNO },
    { "ours, and SASL", LOCAL, TO("bob@example.com") SASL, OK },
    { "ours, and granted", LOCAL GRANT("198.51.100.9"), TO("bob@example.com"), OK },
    { "ours, and a login: nothing asked", LOCAL, TO("bob@example.com"), "fred@example.net", DUNNO },
    { "of kind relay is ours", "local_domain|example.com|relay\n", TO("bob@example.com"), DUNNO },
    { "below a wildcard is ours", "local_domain|.com|relay\n", TO("bob@example.com"), DUNNO },
    { "routed", LOCAL, TO("a%remote.example@example.com"), ROUTED, NEEDS },
    { "routed, twice @", LOCAL, TO("a@b@example.com"), ROUTED, NEEDS },
    { "routed without @", LOCAL, TO("remote.example!a"), ROUTED, NEEDS },
    { "routed, SASL", LOCAL, TO("a%remote.example@example.com") SASL, OK },
    { "routed, login", LOCAL, TO("a%remote.example@example.com"), "fred@example.net", OK, NEEDS },
    { "routed, away", LOCAL, TO("a%remote.example@example.com"), "away", UNAVAILABLE, NEEDS },
    { "routed, not refused", LOCAL SET("refuse_routed_recipient", "no"), TO("a%b@example.com"), DUNNO, NEEDS },
    { "routed, only accepted", LOCAL "accept_entry|@example.net\n", TO("a%b@example.com"), ROUTED, NEEDS },
    { "no domain is ours", LOCAL, TO("postmaster"), DUNNO },

    /* 7.10.2 lists */
    { "a closed list", LOCAL LIST("staff@example.com", "no"), TO("Staff@example.com"), CLOSED, NEEDS },
    { "an open one", LOCAL LIST("staff@example.com", "yes") SET("list_remote_mail", "no"), TO("staff@example.com"),
      DUNNO },
    { "as the setting", LOCAL LIST("staff@example.com", "-") SET("list_remote_mail", "no"), TO("staff@example.com"),
      CLOSED, NEEDS },
    { "by default open", LOCAL LIST("staff@example.com", "-"), TO("staff@example.com"), DUNNO },
    { "to SASL", LOCAL LIST("staff@example.com", "no"), TO("staff@example.com") SASL, OK },
    { "to a login", LOCAL LIST("staff@example.com", "no"), TO("staff@example.com"), "FRED@example.net", DUNNO, NEEDS },
    { "rows that are no address",
      LOCAL LIST("a@b@example.com", "no") LIST("@example.com", "no") LIST("staff@", "no") LIST("", "no")
          LIST("staff", "maybe"),
      TO("staff@example.com"), DUNNO },
    { "a row without domain", LOCAL LIST("staff", "no"), TO("staff@example.com"), CLOSED, NEEDS },
    { "is not at a relay domain", "local_domain|example.com|relay\n" LIST("staff", "no"), TO("staff@example.com"),
      DUNNO },
    { "the address before its local part", LOCAL LIST("staff", "no") LIST("staff@example.com", "yes"),
      TO("staff@example.com"), DUNNO },
    { "the extension", LOCAL LIST("staff@example.com", "no"), TO("staff+x+y@example.com"), CLOSED, NEEDS },
    { "the local part before the address without extension",
      LOCAL LIST("staff@example.com", "no") LIST("staff+x", "yes"), TO("staff+x@example.com"), DUNNO },
    { "a first + is none", LOCAL LIST("+staff@example.com", "no"), TO("+staff+x@example.com"), CLOSED, NEEDS },
    { "another delimiter", LOCAL LIST("staff@example.com", "no") SET("recipient_delimiter", "-="),
      TO("staff=x@example.com"), CLOSED, NEEDS },
    { "no delimiter", LOCAL LIST("staff@example.com", "no") SET("recipient_delimiter", ""), TO("staff+x@example.com"),
      DUNNO },
    { "nor is a blank", LOCAL LIST("staff@example.com", "no") SET("recipient_delimiter", "- "),
      TO("staff+x@example.com"), CLOSED, NEEDS },
    { "a letter is no delimiter", LOCAL LIST("staff@example.com", "no") SET("recipient_delimiter", "x"),
      TO("staff+x@example.com"), CLOSED, NEEDS },
    { "a bare recipient", LOCAL LIST("staff@example.com", "no"), TO("staff"), CLOSED, NEEDS },
    { "bare: the refusing list of several", LOCAL LIST("staff", "yes") LIST("staff@example.com", "no"), TO("staff"),
      CLOSED, NEEDS },
    { "bare: not at a domain that is not local", LOCAL LIST("staff@example.org", "no"), TO("staff"), DUNNO },
    { "rows with the same key: the refusing one",
      LOCAL LIST("staff@example.com", "yes") LIST("STAFF@example.com.", "no"), TO("staff@example.com"), CLOSED, NEEDS },
    { "a closed list, unverified", LOCAL LIST("staff@example.com", "no") GRANT("mail.example.net"),
      TO("staff@example.com") "reverse_client_name=mail.example.net\n", UNVERIFIED, NEEDS },
    { "routed, unverified", LOCAL GRANT("mail.example.net"),
      TO("a%b@example.com") "reverse_client_name=mail.example.net\n", UNVERIFIED, NEEDS },
    { "killed, unverified or not", LOCAL KILL("@example.net") GRANT("mail.example.net"),
      "reverse_client_name=mail.example.net\n", KILLED },
    { "a list behind %", LOCAL SET("refuse_routed_recipient", "no") LIST("staff@example.com", "no"),
      TO("staff%example.com@example.com"), CLOSED, NEEDS },
    { "behind !, then %", LOCAL SET("refuse_routed_recipient", "no") LIST("staff@example.com", "no"),
      TO("example.com!staff%example.com@example.com"), CLOSED, NEEDS },
    { "behind @, and bare", LOCAL SET("refuse_routed_recipient", "no") LIST("staff", "no"), TO("staff@@example.com"),
      CLOSED, NEEDS },
    { "without @", LOCAL SET("refuse_routed_recipient", "no") LIST("staff@example.com", "no"), TO("example.com!staff"),
      CLOSED, NEEDS },
    { "not through a relay domain",
      "local_domain|example.org|relay\n" LOCAL SET("refuse_routed_recipient", "no") LIST("staff@example.com", "no"),
      TO("staff%example.com@example.org"), DUNNO, NEEDS },
    { "ten times, no more", LOCAL SET("refuse_routed_recipient", "no") LIST("s@example.com", "no"),
      TO("s@example.com@example.com@example.com@example.com@example.com@example.com@example.com@example.com"
         "@example.com@example.com@example.com"),
      CLOSED, NEEDS },
    { "eleven times", LOCAL SET("refuse_routed_recipient", "no") LIST("s@example.com", "no"),
      TO("s@example.com@example.com@example.com@example.com@example.com@example.com@example.com@example.com"
         "@example.com@example.com@example.com@example.com"),
      DUNNO, NEEDS },
    { "routing sees the domain unfolded",
      "local_domain|stra\303\237e.example|local\n" LOCAL SET("refuse_routed_recipient", "no") LIST("staff", "no"),
      TO("staff%stra\303\237e.example@example.com"), CLOSED, NEEDS },
    { "routed and list observed", LOCAL SET("observe", "routed list") LIST("a@example.com", "no"),
      TO("a%example.com@example.com"), DUNNO, .would = "routed,list", NEEDS },

    /* 7.10 relaying */
    { "no relay", LOCAL, REMOTE, NO_RELAY, NEEDS },
    { "no row in local_domain", "", REMOTE, DUNNO, NEEDS },
    { "nor one in a table of another name", "local_domains|example.com|local\n", REMOTE, DUNNO, NEEDS },
    { "none that is understood or in force",
      "local_domain|.|local\nlocal_domain|example.com|other\n"
      "local_domain|example.net|local||5\n",
      REMOTE, DUNNO, NEEDS },
    { "nobody, and SASL", LOCAL SET("relay_for", "nobody"), REMOTE SASL, OK },
    { "nobody, and granted", LOCAL SET("relay_for", "nobody") GRANT("198.51.100.9"), REMOTE, NO_RELAY, NEEDS },
    { "granted", LOCAL GRANT("198.51.100.0/255.255.255.0"), REMOTE, OK },
    { "granted by name", LOCAL GRANT("mail.example.net"), REMOTE NAMED("Mail.example.net"), OK },
    { "granted below a name", LOCAL GRANT(".example.net"), REMOTE NAMED("a.b.example.net"), OK },
    { "but not the name", LOCAL GRANT(".example.net"), REMOTE NAMED("example.net"), NO_RELAY, NEEDS },
    { "a name is longer than any prefix", LOCAL GRANT("mail.example.net") REFUSE("198.51.100.9"),
      REMOTE NAMED("mail.example.net"), OK },
    { ".name is shorter", LOCAL GRANT(".example.net") REFUSE("0.0.0.0/0"), REMOTE NAMED("mail.example.net"), NO_RELAY },
    { "a name refuses nobody", LOCAL GRANT("198.51.100.0/24") REFUSE("mail.example.net"),
      REMOTE NAMED("mail.example.net"), OK },
    { "no name: unknown", LOCAL GRANT("unknown") GRANT("[192.0.2.1]") GRANT("mail.9"), REMOTE NAMED("mail.9"), NO_RELAY,
      NEEDS },
    { "the reverse name permits nothing", LOCAL GRANT("mail.example.net"),
      REMOTE NAMED("other.example.net") "reverse_client_name=mail.example.net\n", NO_RELAY, NEEDS },
    { "it defers", LOCAL GRANT("mail.example.net"), REMOTE "reverse_client_name=mail.example.net\n", UNVERIFIED,
      NEEDS },
    { "but not where a prefix refuses", LOCAL GRANT(".example.net") REFUSE("198.51.100.0/24"),
      REMOTE "reverse_client_name=mail.example.net\n", NO_RELAY },
    { "nor below addresses", LOCAL SET("relay_for", "nobody") GRANT("mail.example.net"),
      REMOTE "reverse_client_name=mail.example.net\n", NO_RELAY, NEEDS },
    { "observed, it defers nothing", LOCAL SET("observe", "relay") GRANT("mail.example.net"),
      REMOTE "reverse_client_name=mail.example.net\n", DUNNO, .would = "relay", NEEDS },
    { "accepted sender", LOCAL "accept_entry|@example.net||198.51.100.0-198.51.100.20\n", REMOTE, OK },
    { "not from a refused client", LOCAL REFUSE("198.51.100.9") "accept_entry|@example.net\n", REMOTE, NO_RELAY },
    { "not where its client is no block", LOCAL "accept_entry|@example.net||mail.example.net\n", REMOTE, NO_RELAY,
      NEEDS },
    { "any client, known or not", LOCAL "accept_entry|@example.net||\n", REMOTE CLIENT("unknown"), OK },
    { "a bare sender is accepted nowhere", LOCAL "accept_entry|@*com\n", REMOTE FROM("a"), NO_RELAY, NEEDS },
    { "anyone", LOCAL SET("relay_for", "anyone"), REMOTE, OK },
    { "anyone but the refused", LOCAL SET("relay_for", "anyone") REFUSE("198.51.100.0/24"), REMOTE, "fred@example.net",
      NO_RELAY },
    { "refused, and SASL", LOCAL REFUSE("198.51.100.0/24"), REMOTE SASL, OK },
    { "local user", SET("relay_for", "local-users") LOCAL USER("fred@example.net", "-"), REMOTE, OK },
    { "who names itself", SET("relay_for", "local-users") LOCAL USER("fred@example.net", "FRED@example.net."), REMOTE,
      OK },
    { "an alias is none", SET("relay_for", "local-users") LOCAL USER("fred@example.net", "bob"), REMOTE, NO_RELAY,
      NEEDS },
    { "nor with an extension", SET("relay_for", "local-users") LOCAL USER("fred@example.net", "-"),
      REMOTE FROM("fred+x@example.net"), NO_RELAY, NEEDS },
    { "nor by a row without domain", SET("relay_for", "local-users") LOCAL USER("fred", "-"),
      REMOTE FROM("fred@example.com"), NO_RELAY, NEEDS },
    { "nor below local-users", LOCAL USER("fred@example.net", "-"), REMOTE, NO_RELAY, NEEDS },
    { "local host", SET("relay_for", "local-hosts") LOCAL, REMOTE FROM("any@example.com"), OK },
    { "not a bare sender", SET("relay_for", "local-hosts") LOCAL, REMOTE FROM("any"), NO_RELAY, NEEDS },
    { "not of a relay domain", SET("relay_for", "local-hosts") LOCAL "local_domain|example.net|relay\n", REMOTE,
      NO_RELAY, NEEDS },
    { "the ladder goes on", SET("relay_for", "local-hosts") LOCAL USER("fred@example.net", "-"), REMOTE, OK },
    { "an invalid value is the default", SET("relay_for", "everybody") LOCAL GRANT("198.51.100.9"), REMOTE, OK },
    { "an expired setting too", "setting|relay_for|anyone||999999\n" LOCAL, REMOTE, NO_RELAY, NEEDS },
    { "the longest local_domain",
      "local_domain|.example.com|relay\nlocal_domain|.a.example.com|local\n" SET("relay_for", "local-hosts"),
      REMOTE FROM("x@y.a.example.com"), OK },
    { "the whole name over any",
      "local_domain|y.a.example.com|relay\nlocal_domain|.a.example.com|local\n" SET("relay_for", "local-hosts"),
      REMOTE FROM("x@y.a.example.com"), NO_RELAY, NEEDS },
    { "local where one says so",
      "local_domain|EXAMPLE.com|local\nlocal_domain|example.com.|relay\n" SET("relay_for", "local-hosts"),
      REMOTE FROM("x@example.com"), OK },
    { "a recipient with an empty domain is not ours", LOCAL, TO("a@"),
      .action = "REJECT 5.7.1 unknown local host , not a gateway", .reason = "relay", NEEDS },

    /* logins */
    { "the account", LOCAL, REMOTE, "fred@example.net", OK, NEEDS },
    { "without the sender's extension", LOCAL, REMOTE FROM("fred+x@example.net"), "fred@example.net", OK, NEEDS },
    { "not without the login's", LOCAL, REMOTE, "fred+x@example.net", NO_RELAY, NEEDS },
    { "another account", LOCAL, REMOTE, "bob@example.net", NO_RELAY, NEEDS },
    { "a login without domain, elsewhere", LOCAL, REMOTE, "fred", NO_RELAY, NEEDS },
    { "at home", LOCAL, REMOTE FROM("fred@example.com"), "fred", OK, NEEDS },
    { "a bare sender", LOCAL, REMOTE FROM("fred"), "fred@example.com", OK, NEEDS },
    { "a bare sender, and a login elsewhere", LOCAL, REMOTE FROM("fred"), "fred@example.net", NO_RELAY, NEEDS },
    { "an alias", LOCAL USER("fred@example.net", "alice"), REMOTE, "bob alice", OK, NEEDS },
    { "every account of an alias", LOCAL USER("fred@example.net", "alice") USER("Fred@example.net", "bob"), REMOTE,
      "bob", OK, NEEDS },
    { "an alias with extension", LOCAL USER("info", "alice@example.com"), REMOTE FROM("info+x@example.com"), "alice",
      OK, NEEDS },
    { "the row with the extension is before it", LOCAL USER("info", "alice") USER("info+x@example.com", "bob"),
      REMOTE FROM("info+x@example.com"), "alice", NO_RELAY, NEEDS },
    { "a bare alias", LOCAL USER("info@example.com", "alice"), REMOTE FROM("info"), "alice", OK, NEEDS },
    { "an account that is the address itself adds none", LOCAL USER("fred@example.net", "-"), REMOTE,
      "bob@example.net fred@example.net", OK, NEEDS },
    { "nor does the next place in the order", LOCAL USER("fred+x@example.net", "-") USER("fred@example.net", "bob"),
      REMOTE FROM("fred+x@example.net"), "bob", NO_RELAY, NEEDS },
    { "a bare account is at home everywhere", LOCAL USER("fred@example.net", "alice"), REMOTE, "alice@example.com", OK,
      NEEDS },
    { "but only at home", LOCAL USER("fred@example.net", "alice"), REMOTE, "alice@example.net", NO_RELAY, NEEDS },
    { "bare sender and bare login, no local domain", "local_domain|example.com|relay\n", REMOTE FROM("fred"), "fred",
      OK, NEEDS },
    { "an empty sender is nobody's", LOCAL, REMOTE FROM(""), "alice", NO_RELAY },
    { "switched off", LOCAL SET("pop_before_smtp", "0"), REMOTE, "fred@example.net", NO_RELAY },
    { "no client address", LOCAL, REMOTE CLIENT("unknown"), "fred@example.net", NO_RELAY },
    { "any sender of the address", LOCAL BY_ADDRESS, REMOTE, "bob", OK, NEEDS },
    { "as many as allowed", LOCAL BY_ADDRESS, REMOTE, "a b c C", OK, NEEDS },
    { "more than allowed", LOCAL BY_ADDRESS, REMOTE, "a b c d", NO_RELAY, NEEDS },
    { "no limit", LOCAL BY_ADDRESS SET("pop_before_smtp_max_accounts", "0"), REMOTE, "a b c d e", OK, NEEDS },
    { "none", LOCAL BY_ADDRESS, REMOTE, NULL, NO_RELAY, NEEDS },
    { "away", LOCAL, REMOTE, "away", UNAVAILABLE, NEEDS },
    { "away, and not needed", LOCAL GRANT("198.51.100.9"), REMOTE, "away", OK },
    { "away, and relay observed", LOCAL SET("observe", "relay"), REMOTE, "away", UNAVAILABLE, NEEDS },
    { "away, in codes", LOCAL SET("reply_style", "code"), REMOTE, "away",
      .action = "451 4.3.0 login records unavailable, try again later", .reason = "unavailable", NEEDS },

    /* observe */
    { "observed, the next step decides", LOCAL KILL("@example.net") SET("observe", "kill,relay"), REMOTE, DUNNO,
      .would = "kill,relay", NEEDS },
    { "observed, another refuses", LOCAL KILL("@example.net") SET("observe", "kill"), REMOTE, NO_RELAY, .would = "kill",
      NEEDS },
    { "all", LOCAL KILL("@example.net") SET("observe", "all") SET("unlisted_clients", "deny"), REMOTE, DUNNO,
      .would = "access,kill,relay", NEEDS },
    { "all: no OK either", LOCAL SET("observe", "all"), REMOTE SASL, DUNNO },
    { "all: no BCC", SET("observe", "all") SET("archive_to", "a@example.com"), STATE("DATA"), DUNNO },
    { "all: no deferral", LOCAL SET("observe", "all"), REMOTE, "away", DUNNO, NEEDS },
    { "unverified cannot be observed", LOCAL KILL("@example.net") SET("observe", "kill unverified"), "", KILLED },
    { "nor what is no reason", LOCAL KILL("@example.net") SET("observe", "kill spam"), "", KILLED },
    { "nor all among others", LOCAL KILL("@example.net") SET("observe", "all kill"), "", KILLED },

    /* 7.11 DATA */
    { "too many recipients", SET("max_recipients", "5"), STATE("DATA") SASL "recipient_count=6\n",
      .action = "REJECT 5.5.3 too many recipients", .reason = "recipients" },
    { "just enough", SET("max_recipients", "5"), STATE("DATA") SASL "recipient_count=5\n", DUNNO },
    { "no limit on recipients", SET("max_recipients", "0"), STATE("DATA") SASL "recipient_count=6\n", DUNNO },
    { "no number", SET("max_recipients", "5"), STATE("DATA") SASL "recipient_count=6x\n", DUNNO },
    { "a great number", SET("max_recipients", "5"), STATE("DATA") SASL "recipient_count=99999999999999999999999\n",
      .action = "REJECT 5.5.3 too many recipients", .reason = "recipients" },
    { "not outgoing", SET("max_recipients", "5"), STATE("DATA") "recipient_count=6\n", DUNNO, NEEDS },
    { "not by anyone alone", SET("max_recipients", "5") SET("relay_for", "anyone"), STATE("DATA") "recipient_count=6\n",
      DUNNO, NEEDS },
    { "by anyone and a grant", SET("max_recipients", "5") SET("relay_for", "anyone") GRANT("198.51.100.9"),
      STATE("DATA") "recipient_count=6\n", .action = "REJECT 5.5.3 too many recipients", .reason = "recipients" },
    { "login", SET("max_recipients", "5"), STATE("DATA") "recipient_count=6\n", "fred@example.net",
      .action = "REJECT 5.5.3 too many recipients", .reason = "recipients", NEEDS },
    { "away: no limit", SET("max_recipients", "5"), STATE("DATA") "recipient_count=6\n", "away", DUNNO, NEEDS },
    { "archive all", SET("archive_to", "Archive@example.com"), STATE("DATA"), .action = "BCC Archive@example.com" },
    { "archive inbound", SET("archive_to", "a@example.com") SET("archive", "inbound"), STATE("DATA"),
      .action = "BCC a@example.com", NEEDS },
    { "inbound, not outbound", SET("archive_to", "a@example.com") SET("archive", "inbound"), STATE("DATA") SASL,
      DUNNO },
    { "outbound", SET("archive_to", "a@example.com") SET("archive", "outbound"), STATE("DATA") SASL,
      .action = "BCC a@example.com" },
    { "outbound, not inbound", SET("archive_to", "a@example.com") SET("archive", "outbound"), STATE("DATA"), DUNNO,
      NEEDS },
    { "away: the copy is made", SET("archive_to", "a@example.com") SET("archive", "outbound"), STATE("DATA"), "away",
      .action = "BCC a@example.com", NEEDS },
    { "of inbound too", SET("archive_to", "a@example.com") SET("archive", "inbound"), STATE("DATA"), "away",
      .action = "BCC a@example.com", NEEDS },
    { "the copy is made where the limit is observed",
      SET("max_recipients", "5") SET("observe", "recipients") SET("archive_to", "a@example.com"),
      STATE("DATA") SASL "recipient_count=6\n", .action = "BCC a@example.com", .would = "recipients" },
    { "no address for the archive", SET("archive_to", "archive"), STATE("DATA"), DUNNO },
    { "nor one that cannot be",
      SET("archive_to", "a@b@example.com") SET("archive_to", "a@-.example") SET("archive_to", "a b@example.com")
          SET("archive_to", "<a@example.com>"),
      STATE("DATA"), DUNNO },
    { "END-OF-MESSAGE", SET("archive_to", "a@example.com"), STATE("END-OF-MESSAGE"), DUNNO },

    /* 8 texts */
    { "a text of one's own", KILL("@example.net") SET("text_kill", "%{client} %{sender} %{recipient} %{domain} 5%% %x"),
      FROM("<Fred@Example.net>") TO("Bob@EXAMPLE.com."),
      .action = "REJECT 5.7.1 198.51.100.9 <Fred@Example.net> Bob@EXAMPLE.com. example.com 5% %x", .reason = "kill" },
    { "a reason with a dash", SET("refuse_null_sender", "yes") SET("text_null_sender", "no"), FROM(""),
      .action = "REJECT 5.7.1 no", .reason = "null-sender" },
    { "an unknown placeholder", KILL("@example.net") SET("text_kill", "%{helo}"), "", KILLED },
    { "an escaped one", KILL("@example.net") SET("text_kill", "%%{helo}"), "", .action = "REJECT 5.7.1 %{helo}",
      .reason = "kill" },
    { "an empty text", KILL("@example.net") SET("text_kill", ""), "", KILLED },
    { "a control character", KILL("@example.net") SET("text_kill", "a\tb"), "", KILLED },
    { "control characters of the network", KILL("@example.net") SET("text_kill", "%{sender}"),
      FROM("a\t\177\rb@example.net"), .action = "REJECT 5.7.1 a???b@example.net", .reason = "kill" },
    { "the first of two attributes counts", KILL("@example.net"), FROM("a@example.org") FROM("a@example.net"), DUNNO },
};

/* Splits text in place at each separator; missing parts stay as they are. */
static size_t split(char *text, char separator, char **parts, size_t max)
{
    size_t n = 0;
    while (text != NULL && n < max) {
        char *end = strchr(text, separator);
        if (end != NULL)
            *end++ = '\0';
        parts[n++] = text;
        text = end;
    }
    return n;
}

static size_t read_rows(char *text, struct naive_row *rows)
{
    char *lines[PARTS_MAX];
    size_t n = split(text, '\n', lines, PARTS_MAX) - 1; /* nothing follows the last newline */
    for (size_t i = 0; i < n; i++) {
        char *fields[5] = { NULL };
        split(lines[i], '|', fields, 5);
        rows[i] = (struct naive_row){ fields[0], fields[1], fields[3], fields[2], INT64_MAX };
        if (rows[i].value != NULL && strcmp(rows[i].value, "-") == 0)
            rows[i].value = NULL;
        if (fields[4] != NULL)
            rows[i].expires = strtoll(fields[4], NULL, 10);
    }
    return n;
}

static size_t read_attributes(char *text, struct naive_attr *attrs)
{
    char *lines[PARTS_MAX];
    size_t n = split(text, '\n', lines, PARTS_MAX) - 1;
    for (size_t i = 0; i < n; i++) {
        char *equals = strchr(lines[i], '=');
        *equals = '\0';
        attrs[i] = (struct naive_attr){ lines[i], equals + 1 };
    }
    return n;
}

static void decide(const struct example *example, struct naive_answer *answer)
{
    char row_text[2000], request_text[2000], login_text[200];
    char *names[PARTS_MAX];
    struct naive_row rows[PARTS_MAX];
    struct naive_attr attrs[PARTS_MAX];
    struct naive_logins logins = { NAIVE_LOGINS_KNOWN, (const char *const *)names, 0 };
    snprintf(row_text, sizeof row_text, "%s", example->rows);
    snprintf(request_text, sizeof request_text, "%s%s", example->request, usual_request);
    snprintf(login_text, sizeof login_text, "%s", example->logins == NULL ? "" : example->logins);
    if (strcmp(login_text, "away") == 0)
        logins.state = NAIVE_LOGINS_UNAVAILABLE;
    else if (login_text[0] != '\0')
        logins.n_accounts = split(login_text, ' ', names, PARTS_MAX);
    size_t n_rows = read_rows(row_text, rows), n_attrs = read_attributes(request_text, attrs);
    naive_decide(rows, n_rows, attrs, n_attrs, NOW, &logins, answer);
}

START_TEST(answers_are_those_of_the_specification)
{
    const struct example *example = &examples[_i];
    struct naive_answer answer;
    decide(example, &answer);
    const char *reason = example->reason == NULL ? "" : example->reason;
    const char *would = example->would == NULL ? "" : example->would;
    ck_assert_msg(strcmp(answer.action, example->action) == 0 && strcmp(answer.reason, reason) == 0 &&
                      strcmp(answer.would, would) == 0 && answer.needs_login == example->needs_login,
                  "%s (%d)\n  wanted %s | %s | %s | %d\n  got    %s | %s | %s | %d", example->name, _i, example->action,
                  reason, would, example->needs_login, answer.action, answer.reason, answer.would, answer.needs_login);
}
END_TEST

/* Blocks in every spelling, as a denied one. */
static const struct {
    const char *block, *inside, *outside;
} blocks[] = {
    { "192.0.2.7", "192.0.2.7", "192.0.2.8" },
    { "192.0.2.0/24", "192.0.2.255", "192.0.3.0" },
    { "192.0.2.77/24", "192.0.2.1", "192.0.1.255" },
    { "0.0.0.0/0", "203.0.113.5", "2001:db8::1" },
    { "192.0.2.0/255.255.255.128", "192.0.2.127", "192.0.2.128" },
    { "192.0.2.1-50", "192.0.2.50", "192.0.2.51" },
    { "192.0.2.1-192.0.3.50", "192.0.3.50", "192.0.2.0" },
    { "192.0.2.7-7", "192.0.2.7", "192.0.2.8" },
    { "192.0.2.*", "192.0.2.0", "192.0.3.0" },
    { "2001:db8::/32", "2001:db8:ffff::1", "2001:db9::" },
    { "2001:DB8::1", "2001:db8:0::1", "2001:db8::2" },
    { "2001:db8::1-2001:db8::ff", "2001:db8::ff", "2001:db8::100" },
    { "::/0", "2001:db8::1", "192.0.2.1" },
    { "::ffff:192.0.2.0/120", "192.0.2.9", "192.0.3.9" },
    { "192.0.2.0/24", "::ffff:c000:201", "::192.0.2.1" },
    /* not blocks */
    { "192.0.2.0/33", NULL, "192.0.2.0" },
    { "192.0.2.0/255.0.255.0", NULL, "192.0.2.0" },
    { "192.0.2.0/", NULL, "192.0.2.0" },
    { "192.0.2.9-1", NULL, "192.0.2.5" },
    { "192.0.2.1-256", NULL, "192.0.2.5" },
    { "192.0.2.1*", NULL, "192.0.2.10" },
    { "192.0.*.*", NULL, "192.0.2.5" },
    { "192.0.2", NULL, "192.0.2.0" },
    { "192.0.2.07", NULL, "192.0.2.7" },
    { "2001:db8::*", NULL, "2001:db8::1" },
    { "2001:db8::1-ff", NULL, "2001:db8::2" },
    { "192.0.2.0/24/8", NULL, "192.0.2.0" },
    { "192.0.*", NULL, "192.0.0.0" },
    { "*.0.2.1", NULL, "192.0.2.1" },
    { "::*", NULL, "::" },
    { "mail/24", NULL, "0.0.0.0" },
    { "mail-9", NULL, "0.0.0.0" },
    { "mail", NULL, "0.0.0.0" },
    { "192.0.2.1-mail", NULL, "192.0.2.1" },
    { "192.0.2.1-2001:db8::1", NULL, "192.0.2.1" },
    { "2001:db8::/ffff::", NULL, "2001:db8::" },
    { " 192.0.2.1", NULL, "192.0.2.1" },
    { "192.0.2.1 - 192.0.2.5", NULL, "192.0.2.1" },
    { "00000000000000000000000000000000000000000000000000000000000000000000000000192.0.2.1", NULL, "192.0.2.1" },
    { "2001:db8::/129", NULL, "2001:db8::" },
    { "", NULL, "192.0.2.1" },
};

static bool is_denied(const char *block, const char *client)
{
    struct naive_row row = { "access_block", block, NULL, "deny", INT64_MAX };
    struct naive_attr attr = { "client_address", client };
    struct naive_answer answer;
    naive_decide(&row, 1, &attr, 1, NOW, NULL, &answer);
    return strcmp(answer.reason, "access") == 0;
}

START_TEST(blocks_are_read_in_every_spelling)
{
    ck_assert_msg(blocks[_i].inside == NULL || is_denied(blocks[_i].block, blocks[_i].inside), "%s does not hold %s",
                  blocks[_i].block, blocks[_i].inside);
    ck_assert_msg(!is_denied(blocks[_i].block, blocks[_i].outside), "%s holds %s", blocks[_i].block,
                  blocks[_i].outside);
}
END_TEST

START_TEST(network_text_is_cut)
{
    char sender[400];
    struct naive_row rows[] = {
        { "kill_entry", "@example.net", NULL, NULL, INT64_MAX },
        { "setting", "text_kill", NULL, "<%{sender}>", INT64_MAX },
    };
    struct naive_attr attrs[] = { { "protocol_state", "MAIL" }, { "sender", sender } };
    struct naive_answer answer;
    memset(sender, 'a', 300);
    strcpy(sender + 300, "@example.net");
    naive_decide(rows, 2, attrs, 2, NOW, NULL, &answer);
    ck_assert_uint_eq(strlen(answer.action), strlen("REJECT 5.7.1 <>") + 256);
}
END_TEST

START_TEST(host_names_have_253_bytes_at_most)
{
    char sender[300] = "a@";
    struct naive_row row = { "setting", "require_valid_sender", NULL, "yes", INT64_MAX };
    struct naive_attr attrs[] = { { "protocol_state", "MAIL" }, { "sender", sender } };
    struct naive_answer answer;
    for (int i = 0; i < 126; i++)
        strcat(sender, "a.");
    strcat(sender, "b");
    naive_decide(&row, 1, attrs, 2, NOW, NULL, &answer);
    ck_assert_str_eq(answer.action, "DUNNO");
    strcat(sender, "b");
    naive_decide(&row, 1, attrs, 2, NOW, NULL, &answer);
    ck_assert_str_eq(answer.reason, "invalid-sender");
}
END_TEST

START_TEST(texts_have_512_bytes_at_most)
{
    char text[514];
    struct naive_row rows[] = {
        { "kill_entry", "@example.net", NULL, NULL, INT64_MAX },
        { "setting", "text_kill", NULL, text, INT64_MAX },
    };
    struct naive_attr attrs[] = { { "protocol_state", "MAIL" }, { "sender", "a@example.net" } };
    struct naive_answer answer;
    memset(text, 'x', 513);
    text[513] = '\0';
    naive_decide(rows, 2, attrs, 2, NOW, NULL, &answer);
    ck_assert_str_eq(answer.action, "REJECT 5.7.1 unacceptable mail address");
    text[512] = '\0';
    naive_decide(rows, 2, attrs, 2, NOW, NULL, &answer);
    ck_assert_uint_eq(strlen(answer.action), strlen("REJECT 5.7.1 ") + 512);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("naive");
    TCase *cases = suite_case(suite, "decisions");
    tcase_add_loop_test(cases, answers_are_those_of_the_specification, 0, COUNT(examples));
    tcase_add_loop_test(cases, blocks_are_read_in_every_spelling, 0, COUNT(blocks));
    tcase_add_test(cases, network_text_is_cut);
    tcase_add_test(cases, host_names_have_253_bytes_at_most);
    tcase_add_test(cases, texts_have_512_bytes_at_most);
    return suite_run(suite);
}
