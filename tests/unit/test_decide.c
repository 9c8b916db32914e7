/*
 * The steps of the decision (SPEC 7), each on both sides. Who may relay is in test_decide_rights.c, what hangs on a
 * login in test_decide_login.c; the language of the tables is in scene.h.
 */
#include "scene.h"
#include "suite.h"

static const struct scene_case client_cases[] = {
    { "who is not listed may connect", "", "CONNECT", NULL, "DUNNO" },
    { "a denied block may not", "deny 192.0.2.0/24", "CONNECT", NULL, "access" },
    { "a denied block is no other", "deny 192.0.2.0/24", "CONNECT client=198.51.100.1", NULL, "DUNNO" },
    { "who is not listed may not, if so set", "unlisted_clients=deny", "CONNECT", NULL, "access" },
    { "who is listed may, then", "unlisted_clients=deny; allow 192.0.2.10", "CONNECT", NULL, "DUNNO" },
    { "the longer prefix grants", "deny 192.0.2.0/24; allow 192.0.2.8/29", "CONNECT", NULL, "DUNNO" },
    { "the longer prefix denies", "allow 192.0.2.0/24; deny 192.0.2.8/29", "CONNECT", NULL, "access" },
    { "of equal length the denial wins", "allow 192.0.2.*; deny 192.0.2.0/24", "CONNECT", NULL, "access" },
    { "and in the other order", "deny 192.0.2.0/24; allow 192.0.2.0/255.255.255.0", "CONNECT", NULL, "access" },
    { "a range", "deny 192.0.2.1-10", "CONNECT", NULL, "access" },
    { "beyond a range", "deny 192.0.2.1-9", "CONNECT", NULL, "DUNNO" },
    { "IPv6", "deny 2001:db8::/32", "CONNECT client=2001:db8::25", NULL, "access" },
    { "an IPv6 block holds no IPv4", "deny ::/0", "CONNECT", NULL, "DUNNO" },
    { "a mapped address is the IPv4 address", "deny 192.0.2.10", "CONNECT client=::ffff:192.0.2.10", NULL, "access" },
    { "what is no address is in no block", "deny 0.0.0.0/0; deny ::/0", "CONNECT client=unknown", NULL, "DUNNO" },
    { "and is not listed", "unlisted_clients=deny; allow 0.0.0.0/0; allow ::/0", "CONNECT client=unknown", NULL,
      "access" },
    { "an empty address neither", "unlisted_clients=deny; allow 0.0.0.0/0", "CONNECT client=", NULL, "access" },
    { "SASL does not open a denied block", "deny 192.0.2.10", "RCPT sasl=alice", NULL, "access" },
    { "nor does a right to relay", "deny 192.0.2.10; grant 192.0.2.10", "RCPT", NULL, "access" },
    { "access comes before kill", "deny 192.0.2.10; kill @example.net", "RCPT", NULL, "access" },
    { "a row counts until its second", "deny 192.0.2.10 until 1001", "CONNECT", NULL, "access" },
    { "and not from that second on", "deny 192.0.2.10 until 1000", "CONNECT", NULL, "DUNNO" },
    { "an expired grant lets the broader row decide", "deny 192.0.2.0/24; allow 192.0.2.10 until 1000", "CONNECT", NULL,
      "access" },
};

static const struct scene_case state_cases[] = {
    { "CONNECT is not asked for the sender", "kill @example.net", "CONNECT", NULL, "DUNNO" },
    { "nor EHLO", "kill @example.net", "EHLO", NULL, "DUNNO" },
    { "nor HELO", "kill @example.net", "HELO", NULL, "DUNNO" },
    { "nor XCLIENT", "kill @example.net", "XCLIENT", NULL, "DUNNO" },
    { "nor a state that is not known", "kill @example.net", "BDAT", NULL, "DUNNO" },
    { "a state is spelled as Postfix does", "kill @example.net", "rcpt", NULL, "DUNNO" },
    { "CONNECT is not asked for the port", "submission_ports=25", "CONNECT", NULL, "DUNNO" },
    { "with context client only the client counts", "kill @example.net", "RCPT context=client", NULL, "DUNNO" },
    { "with context client MAIL is not asked either", "kill @example.net", "MAIL context=client", NULL, "DUNNO" },
    { "context client does not permit relaying", "domain example.com", "RCPT context=client to=x@example.org sasl=a",
      NULL, "DUNNO" },
    { "another context does not matter", "kill @example.net", "RCPT context=submission", NULL, "kill" },
    { "context is taken letter by letter", "kill @example.net", "RCPT context=Client", NULL, "kill" },
    { "a denied client is refused in context client", "deny 192.0.2.10", "RCPT context=client", NULL, "access" },
};

static const struct scene_case submission_cases[] = {
    { "no ports, no submission", "", "RCPT port=587", "none", "DUNNO" },
    { "without SASL", "submission_ports=587", "RCPT port=587", NULL, "submission" },
    { "with SASL", "submission_ports=587", "RCPT port=587 sasl=alice", NULL, "OK" },
    { "another port", "submission_ports=587", "RCPT port=25", "none", "DUNNO" },
    { "the second of the list", "submission_ports=465, 587", "MAIL port=587", NULL, "submission" },
    { "the first of the list", "submission_ports=465 587", "MAIL port=465", NULL, "submission" },
    { "none of the list", "submission_ports=465 587", "MAIL port=58", NULL, "DUNNO" },
    { "no port in the request", "submission_ports=465 587", "MAIL port=", NULL, "DUNNO" },
    { "a port that is no number", "submission_ports=465 587", "MAIL port=smtp", NULL, "DUNNO" },
    { "a granted client has to authenticate too", "submission_ports=587; grant 192.0.2.10", "RCPT port=587", NULL,
      "submission" },
    { "a login is not enough", "submission_ports=587; pop_before_smtp_match=address", "RCPT port=587", "fred",
      "submission" },
    { "it comes before vrfy", "submission_ports=587", "VRFY port=587 from=", NULL, "submission" },
    { "it comes before kill", "submission_ports=587; kill @example.net", "MAIL port=587", NULL, "submission" },
    { "at DATA", "submission_ports=587", "DATA port=587", NULL, "submission" },
    { "at END-OF-MESSAGE", "submission_ports=587", "END-OF-MESSAGE port=587", NULL, "submission" },
};

static const struct scene_case vrfy_cases[] = {
    { "VRFY from anybody", "", "VRFY from=", NULL, "vrfy" },
    { "ETRN from anybody", "", "ETRN from= to=", NULL, "vrfy" },
    { "VRFY after SASL", "", "VRFY from= sasl=alice", NULL, "DUNNO" },
    { "ETRN from a granted client", "grant 192.0.2.10", "ETRN from= to=", NULL, "DUNNO" },
    { "a grant does not count with relay_for nobody", "grant 192.0.2.10; relay_for=nobody", "VRFY from=", NULL,
      "vrfy" },
    { "a login does not open VRFY, and is not looked up", "pop_before_smtp_match=address", "VRFY from=", NULL, "vrfy" },
    { "VRFY is open, if so set", "refuse_vrfy=no", "VRFY from=", NULL, "DUNNO" },
    { "ETRN is open, if so set", "refuse_vrfy=no", "ETRN from= to=", NULL, "DUNNO" },
    { "VRFY is not asked for the recipient", "refuse_vrfy=no; domain example.com", "VRFY from= to=x@example.org", NULL,
      "DUNNO" },
    { "nor for the sender", "refuse_vrfy=no; kill @example.net", "VRFY", NULL, "DUNNO" },
};

static const struct scene_case kill_cases[] = {
    { "an address at MAIL", "kill fred@example.net", "MAIL", NULL, "kill" },
    { "an address at RCPT", "kill fred@example.net", "RCPT", NULL, "kill" },
    { "an address at DATA", "kill fred@example.net", "DATA", NULL, "kill" },
    { "an address at END-OF-MESSAGE", "kill fred@example.net", "END-OF-MESSAGE", NULL, "kill" },
    { "another address", "kill fred@example.net", "MAIL from=alfred@example.net", NULL, "DUNNO" },
    { "in another case", "kill Fred@Example.NET", "MAIL from=FRED@example.net", NULL, "kill" },
    { "a host", "kill @example.net", "MAIL", NULL, "kill" },
    { "a host is not those below it", "kill @example.net", "MAIL from=fred@a.example.net", NULL, "DUNNO" },
    { "hosts below", "kill @.example.net", "MAIL from=fred@a.b.example.net", NULL, "kill" },
    { "hosts below are not the host", "kill @.example.net", "MAIL", NULL, "DUNNO" },
    { "a suffix is the domain", "kill @*widget.example", "MAIL from=a@widget.example", NULL, "kill" },
    { "a suffix is what ends in it", "kill @*widget.example", "MAIL from=a@bluewidget.example", NULL, "kill" },
    { "a suffix is what is below", "kill @*widget.example", "MAIL from=a@nifty.widget.example", NULL, "kill" },
    { "a suffix is at the end", "kill @*widget.example", "MAIL from=a@widget.example.org", NULL, "DUNNO" },
    { "a trailing dot", "kill @example.net", "MAIL from=fred@example.net.", NULL, "kill" },
    { "blanks in the domain", "kill @example.net", "MAIL from=fred@exam~ple.net~", NULL, "kill" },
    { "a tab in the domain", "kill @example.net", "MAIL from=fred@exam\tple.net", NULL, "kill" },
    { "a blank before the trailing dot", "kill @example.net", "MAIL from=fred@example.net~.", NULL, "kill" },
    { "angle brackets", "kill @example.net", "MAIL from=<fred@example.net>", NULL, "kill" },
    { "IDN as U-label, killed as A-label", "kill @xn--bcher-kva.example",
      "MAIL from=a@B\xc3\x9c"
      "CHER.example",
      NULL, "kill" },
    { "IDN as A-label, killed as U-label",
      "kill @b\xc3\xbc"
      "cher.example",
      "MAIL from=a@xn--bcher-kva.example", NULL, "kill" },
    { "Unicode case folding", "kill staff@example.net", "MAIL from=\xc5\xbfta\xef\xac\x80@example.net", NULL, "kill" },
    { "a literal", "kill @[192.0.2.10]", "MAIL from=a@[192.0.2.10]", NULL, "kill" },
    { "a percent sender is rewritten", "kill @example.net", "MAIL from=fred%example.net", NULL, "kill" },
    { "at its last percent", "kill @example.net", "MAIL from=fred%example.org%example.net", NULL, "kill" },
    { "a bang sender is rewritten", "kill @example.net", "MAIL from=example.net!fred", NULL, "kill" },
    { "at its first bang", "kill @example.net", "MAIL from=example.net!example.org!fred", NULL, "kill" },
    { "bang before percent", "kill @example.net", "MAIL from=example.net!fred%example.org", NULL, "kill" },
    { "with an @ nothing is rewritten", "kill @example.net", "MAIL from=example.net!fred@example.org", NULL, "DUNNO" },
    { "a bare sender, as at a local domain", "kill fred@example.com; domain example.com", "MAIL from=fred", NULL,
      "kill" },
    { "a sender with an empty domain is bare", "kill fred@example.com; domain example.com", "MAIL from=fred@", NULL,
      "kill" },
    { "a bare sender and a killed local host", "kill @example.com; domain example.com", "MAIL from=fred", NULL,
      "kill" },
    { "a bare sender and a domain of kind relay", "kill fred@example.com; relay example.com", "MAIL from=fred", NULL,
      "DUNNO" },
    { "a bare sender and no such domain", "kill fred@example.com; domain example.org", "MAIL from=fred", NULL,
      "DUNNO" },
    { "one side of the percent is empty: bare", "kill fred%@example.com; domain example.com", "MAIL from=fred%", NULL,
      "kill" },
    { "one side of the bang is empty: bare", "kill !fred@example.com; domain example.com", "MAIL from=!fred", NULL,
      "kill" },
    { "the empty sender matches nothing", "kill @*m; domain example.com", "MAIL from=", NULL, "DUNNO" },
    { "nor does <>", "kill @*m; domain example.com", "MAIL from=<>", NULL, "DUNNO" },
    { "SASL does not override", "kill @example.net", "RCPT sasl=fred", NULL, "kill" },
    { "accept_entry does not override", "kill @example.net; accept @example.net", "RCPT", NULL, "kill" },
    { "a row counts until its second", "kill @example.net until 1001", "MAIL", NULL, "kill" },
    { "and not from that second on", "kill @example.net until 1000", "MAIL", NULL, "DUNNO" },
};

static const struct scene_case null_sender_cases[] = {
    { "accepted by default", "", "MAIL from=", NULL, "DUNNO" },
    { "refused", "refuse_null_sender=yes", "MAIL from=", NULL, "null-sender" },
    { "refused as <>", "refuse_null_sender=yes", "MAIL from=<>", NULL, "null-sender" },
    { "at RCPT", "refuse_null_sender=yes", "RCPT from=", NULL, "null-sender" },
    { "at DATA", "refuse_null_sender=yes", "DATA from=", NULL, "null-sender" },
    { "MAILER-DAEMON bare", "refuse_null_sender=yes", "MAIL from=MAILER-DAEMON", NULL, "null-sender" },
    { "MAILER-DAEMON in any case", "refuse_null_sender=yes", "MAIL from=Mailer-Daemon", NULL, "null-sender" },
    { "MAILER-DAEMON at a local domain", "refuse_null_sender=yes; domain example.com",
      "MAIL from=mailer-daemon@EXAMPLE.com", NULL, "null-sender" },
    { "MAILER-DAEMON below one", "refuse_null_sender=yes; domain .example.com", "MAIL from=mailer-daemon@a.example.com",
      NULL, "null-sender" },
    { "MAILER-DAEMON at a single label", "refuse_null_sender=yes", "MAIL from=MAILER-DAEMON@mail", NULL,
      "null-sender" },
    { "MAILER-DAEMON with an empty domain", "refuse_null_sender=yes", "MAIL from=MAILER-DAEMON@", NULL, "null-sender" },
    { "MAILER-DAEMON rewritten", "refuse_null_sender=yes; domain example.com", "MAIL from=MAILER-DAEMON%example.com",
      NULL, "null-sender" },
    { "MAILER-DAEMON at a domain of kind relay", "refuse_null_sender=yes; relay example.com",
      "MAIL from=mailer-daemon@example.com", NULL, "DUNNO" },
    { "MAILER-DAEMON elsewhere", "refuse_null_sender=yes; domain example.com", "MAIL from=mailer-daemon@example.net",
      NULL, "DUNNO" },
    { "MAILER-DAEMON with an extension", "refuse_null_sender=yes", "MAIL from=mailer-daemon+x", NULL, "DUNNO" },
    { "another bare sender", "refuse_null_sender=yes", "MAIL from=fred", NULL, "DUNNO" },
    { "SASL, refused from all", "refuse_null_sender=yes", "MAIL from= sasl=alice", NULL, "null-sender" },
    { "SASL, refused from authenticated ones", "refuse_null_sender=authenticated", "MAIL from= sasl=alice", NULL,
      "null-sender" },
    { "nobody known, refused from authenticated ones", "refuse_null_sender=authenticated; pop_before_smtp=0",
      "MAIL from=", NULL, "DUNNO" },
    { "granted, refused from authenticated ones",
      "refuse_null_sender=authenticated; pop_before_smtp=0; grant 192.0.2.10", "MAIL from=", NULL, "DUNNO" },
    { "SASL with a sender, refused from authenticated ones", "refuse_null_sender=authenticated", "MAIL sasl=alice",
      NULL, "DUNNO" },
    { "SASL, accepted", "", "MAIL from= sasl=alice", NULL, "DUNNO" },
    { "kill comes before it", "refuse_null_sender=yes; domain example.com; kill mailer-daemon@example.com",
      "MAIL from=MAILER-DAEMON@example.com", NULL, "kill" },
    { "it comes before invalid-sender", "refuse_null_sender=yes; require_valid_sender=yes", "MAIL from=MAILER-DAEMON",
      NULL, "null-sender" },
};

#define VALID    "require_valid_sender=yes"
#define LABEL_63 "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabc"

static const struct scene_case invalid_sender_cases[] = {
    { "anything goes by default", "", "MAIL from=fred@-.", NULL, "DUNNO" },
    { "user@host", VALID, "MAIL", NULL, "DUNNO" },
    { "no @", VALID, "MAIL from=fred", NULL, "invalid-sender" },
    { "a percent sender is judged as sent", VALID, "MAIL from=fred%example.net", NULL, "invalid-sender" },
    { "a bang sender is judged as sent", VALID, "MAIL from=example.net!fred", NULL, "invalid-sender" },
    { "no local part", VALID, "MAIL from=@example.net", NULL, "invalid-sender" },
    { "no domain", VALID, "MAIL from=fred@", NULL, "invalid-sender" },
    { "a dot for a domain", VALID, "MAIL from=fred@.", NULL, "invalid-sender" },
    { "a single label is a host name", VALID, "MAIL from=fred@mail", NULL, "DUNNO" },
    { "a trailing dot is dropped", VALID, "MAIL from=fred@example.net.", NULL, "DUNNO" },
    { "two dots at the end", VALID, "MAIL from=fred@example.net..", NULL, "invalid-sender" },
    { "an empty label", VALID, "MAIL from=fred@example..net", NULL, "invalid-sender" },
    { "a dot in front", VALID, "MAIL from=fred@.example.net", NULL, "invalid-sender" },
    { "digits, - and _", VALID, "MAIL from=fred@a-1._x.example", NULL, "DUNNO" },
    { "- at the beginning of a label", VALID, "MAIL from=fred@-a.example.net", NULL, "invalid-sender" },
    { "- at the end of a label", VALID, "MAIL from=fred@a-.example.net", NULL, "invalid-sender" },
    { "another character", VALID, "MAIL from=fred@exa$mple.net", NULL, "invalid-sender" },
    { "a label of 63", VALID, "MAIL from=fred@" LABEL_63 ".example", NULL, "DUNNO" },
    { "a label of 64", VALID, "MAIL from=fred@" LABEL_63 "d.example", NULL, "invalid-sender" },
    { "a literal", VALID, "MAIL from=fred@[192.0.2.1]", NULL, "DUNNO" },
    { "an IPv6 literal", VALID, "MAIL from=fred@[IPv6:2001:db8::1]", NULL, "DUNNO" },
    { "an IPv6 literal without its tag", VALID, "MAIL from=fred@[2001:db8::1]", NULL, "invalid-sender" },
    { "a literal that is no address", VALID, "MAIL from=fred@[192.0.2.300]", NULL, "invalid-sender" },
    { "a literal without its end", VALID, "MAIL from=fred@[192.0.2.1", NULL, "invalid-sender" },
    { "an IDN", VALID,
      "MAIL from=fred@b\xc3\xbc"
      "cher.example",
      NULL, "DUNNO" },
    { "bytes that are no UTF-8", VALID, "MAIL from=fred@b\xff.example", NULL, "invalid-sender" },
    { "two @: the last counts", VALID, "MAIL from=a@b@example.net", NULL, "DUNNO" },
    { "the null sender", VALID, "MAIL from=", NULL, "DUNNO" },
    { "the null sender as <>", VALID, "MAIL from=<>", NULL, "DUNNO" },
    { "SASL does not help", VALID, "MAIL from=fred sasl=fred", NULL, "invalid-sender" },
    { "at RCPT", VALID, "RCPT from=fred", NULL, "invalid-sender" },
};

/* Lengths around 253: three labels of 63 and what is left. */
#define LONG(last) "MAIL from=fred@" LABEL_63 "." LABEL_63 "." LABEL_63 "." last
#define LABEL_61   "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghija"

static const struct scene_case long_sender_cases[] = {
    { "a domain of 253 bytes is one", VALID, LONG(LABEL_61), NULL, "DUNNO" },
    { "and with a trailing dot", VALID, LONG(LABEL_61) ".", NULL, "DUNNO" },
    { "one of 254 is none", VALID, LONG(LABEL_61) "b", NULL, "invalid-sender" },
};

#define AUTH "local_sender_auth=yes; domain example.com; "

static const struct scene_case local_sender_cases[] = {
    { "not asked by default", "domain example.com", "MAIL from=a@example.com", NULL, "DUNNO" },
    { "a local sender from anybody", AUTH, "MAIL from=a@example.com", "none", "local-sender" },
    { "at RCPT", AUTH, "RCPT from=a@example.com", "none", "local-sender" },
    { "a sender elsewhere", AUTH, "MAIL", NULL, "DUNNO" },
    { "after SASL", AUTH, "MAIL from=a@example.com sasl=a", NULL, "DUNNO" },
    { "from a granted client", AUTH "grant 192.0.2.10", "MAIL from=a@example.com", NULL, "DUNNO" },
    { "a grant does not count with relay_for nobody", AUTH "grant 192.0.2.10; relay_for=nobody",
      "MAIL from=a@example.com", "none", "local-sender" },
    { "in accept_entry", AUTH "accept a@example.com", "MAIL from=a@example.com", NULL, "DUNNO" },
    { "in accept_entry for another client", AUTH "accept a@example.com 198.51.100.0/24", "MAIL from=a@example.com",
      "none", "local-sender" },
    { "in accept_entry with relay_for nobody", AUTH "accept a@example.com; relay_for=nobody", "MAIL from=a@example.com",
      "none", "local-sender" },
    { "in accept_entry from a refused client", AUTH "accept a@example.com; refuse 192.0.2.10",
      "MAIL from=a@example.com", NULL, "local-sender" },
    { "relay_for anyone does not authorize", AUTH "relay_for=anyone", "MAIL from=a@example.com", "none",
      "local-sender" },
    { "nor does local-users", AUTH "relay_for=local-users; user a@example.com", "MAIL from=a@example.com", "none",
      "local-sender" },
    { "a bare sender", AUTH, "MAIL from=a", "none", "local-sender" },
    { "a bare sender where no domain is local", "local_sender_auth=yes", "MAIL from=a", "none", "local-sender" },
    { "a single label", AUTH, "MAIL from=a@mail", "none", "local-sender" },
    { "a literal is no single label", AUTH, "MAIL from=a@[1]", NULL, "DUNNO" },
    { "a domain of kind relay", "local_sender_auth=yes; relay example.com", "MAIL from=a@example.com", NULL, "DUNNO" },
    { "a percent sender", AUTH, "MAIL from=a%example.com", "none", "local-sender" },
    { "a bang sender", AUTH, "MAIL from=EXAMPLE.com!a", "none", "local-sender" },
    { "a host below", "local_sender_auth=yes; domain .example.com", "MAIL from=a@x.example.com", "none",
      "local-sender" },
    { "the domain that it is below", "local_sender_auth=yes; domain .example.com", "MAIL from=a@example.com", NULL,
      "DUNNO" },
    { "the whole name wins over all below", "local_sender_auth=yes; domain .example.com; relay x.example.com",
      "MAIL from=a@x.example.com", NULL, "DUNNO" },
    { "the longest wins", "local_sender_auth=yes; relay .example.com; domain .b.example.com",
      "MAIL from=a@x.b.example.com", "none", "local-sender" },
    { "local where one row says so", "local_sender_auth=yes; relay example.com; domain EXAMPLE.COM.",
      "MAIL from=a@example.com", "none", "local-sender" },
    { "the empty sender", AUTH, "MAIL from=", NULL, "DUNNO" },
    { "an expired domain", "local_sender_auth=yes; domain example.com until 1000", "MAIL from=a@example.com", NULL,
      "DUNNO" },
    { "a domain about to expire", "local_sender_auth=yes; domain example.com until 1001", "MAIL from=a@example.com",
      "none", "local-sender" },
    { "an expired accept_entry", AUTH "accept a@example.com until 1000", "MAIL from=a@example.com", "none",
      "local-sender" },
    { "at DATA", AUTH, "DATA from=a@example.com", "none", "local-sender" },
    { "at END-OF-MESSAGE", AUTH, "END-OF-MESSAGE from=a@example.com", "none", "local-sender" },
};

static const struct scene_case mail_cases[] = {
    { "MAIL is never OK, not even after SASL", "domain example.com", "MAIL sasl=alice to=", NULL, "DUNNO" },
    { "nor from a granted client", "grant 192.0.2.10", "MAIL to=", NULL, "DUNNO" },
    { "MAIL is not asked for the recipient", "domain example.com", "MAIL to=x@example.org", NULL, "DUNNO" },
};

static const struct scene_case recipient_cases[] = {
    { "ours", "domain example.com", "RCPT", NULL, "DUNNO" },
    { "ours, of kind relay", "relay example.com", "RCPT", NULL, "DUNNO" },
    { "ours, below a domain", "domain .example.com", "RCPT to=bob@a.example.com", NULL, "DUNNO" },
    { "ours, in another spelling", "domain example.com", "RCPT to=bob@EXAMPLE.com.", NULL, "DUNNO" },
    { "ours without @", "domain example.com", "RCPT to=bob", NULL, "DUNNO" },
    { "ours as a literal", "domain [192.0.2.1]", "RCPT to=bob@[192.0.2.1]", NULL, "DUNNO" },
    { "ours, after SASL", "domain example.com", "RCPT sasl=alice", NULL, "OK" },
    { "ours, after SASL from a refused client", "domain example.com; refuse 192.0.2.10", "RCPT sasl=alice", NULL,
      "OK" },
    { "ours, from a granted client", "domain example.com; grant 192.0.2.10", "RCPT", NULL, "OK" },
    { "ours, a grant not counting", "domain example.com; grant 192.0.2.10; relay_for=nobody", "RCPT", NULL, "DUNNO" },
    { "ours, where anyone may relay", "domain example.com; relay_for=anyone", "RCPT", NULL, "DUNNO" },
    { "ours, from an accepted sender", "domain example.com; accept @example.net", "RCPT", NULL, "DUNNO" },
    { "foreign", "domain example.com", "RCPT to=x@Remote.Example.ORG.", "none", "relay:remote.example.org" },
    { "foreign as a literal", "domain example.com", "RCPT to=x@[198.51.100.1]", "none", "relay:[198.51.100.1]" },
    { "foreign with an empty domain", "domain example.com", "RCPT to=bob@", "none", "relay" },
    { "foreign, the null sender", "domain example.com", "RCPT from= to=x@example.org", NULL, "relay:example.org" },
    { "foreign, after SASL", "domain example.com", "RCPT to=x@example.org sasl=alice", NULL, "OK" },
    { "foreign and routed, after SASL", "domain example.com", "RCPT to=a%b@example.org sasl=alice", NULL, "OK" },
    { "foreign and routed", "domain example.com", "RCPT to=a%example.com@example.org", "none", "relay:example.org" },
    { "no domain is ours: Postfix decides", "", "RCPT to=x@example.org", "none", "DUNNO" },
    { "all of them have expired: Postfix decides", "domain example.com until 1000; relay example.net until 999",
      "RCPT to=x@example.org", "none", "DUNNO" },
    { "one of them has not", "domain example.com until 1000; relay example.net until 1001", "RCPT to=x@example.org",
      "none", "relay:example.org" },
    { "no domain is ours, after SASL", "", "RCPT to=x@example.org sasl=alice", NULL, "OK" },
    { "the domain below is not the domain", "domain .example.com", "RCPT", "none", "relay:example.com" },
    { "the domain is not what is below", "domain example.com", "RCPT to=x@a.example.com", "none",
      "relay:a.example.com" },
};

#define OURS   "domain example.com; "
#define ROUTES "refuse_routed_recipient=no; " OURS

static const struct scene_case routed_cases[] = {
    { "percent", OURS, "RCPT to=bob%example.org@example.com", "none", "routed" },
    { "bang", OURS, "RCPT to=example.org!bob@example.com", "none", "routed" },
    { "@", OURS, "RCPT to=bob@example.org@example.com", "none", "routed" },
    { "percent without @", OURS, "RCPT to=bob%example.org", "none", "routed" },
    { "bang without @", OURS, "RCPT to=example.org!bob", "none", "routed" },
    { "percent alone", OURS, "RCPT to=bob%@example.com", "none", "routed" },
    { "at a domain of kind relay", "relay example.com", "RCPT to=bob%example.org@example.com", "none", "routed" },
    { "where no domain is ours", "", "RCPT to=bob%example.org", "none", "routed" },
    { "to ourselves", OURS, "RCPT to=bob%example.com@example.com", "none", "routed" },
    { "after SASL", OURS, "RCPT to=bob%example.org@example.com sasl=alice", NULL, "OK" },
    { "from a granted client", OURS "grant 192.0.2.10", "RCPT to=bob%example.org@example.com", NULL, "OK" },
    { "where anyone may relay", OURS "relay_for=anyone", "RCPT to=bob%example.org@example.com", "none", "routed" },
    { "from an accepted sender", OURS "accept @example.net", "RCPT to=bob%example.org@example.com", "none", "routed" },
    { "where it is allowed", ROUTES, "RCPT to=bob%example.org@example.com", "none", "DUNNO" },
    { "where it is allowed, after SASL", ROUTES, "RCPT to=bob%example.org@example.com sasl=alice", NULL, "OK" },
    { "an extension is no route", OURS, "RCPT to=bob+x@example.com", NULL, "DUNNO" },
};

#define CLOSED OURS "list staff@example.com no; "

static const struct scene_case list_cases[] = {
    { "open", OURS "list staff@example.com yes", "RCPT to=staff@example.com", "none", "DUNNO" },
    { "open although others are closed", OURS "list staff@example.com yes; list_remote_mail=no",
      "RCPT to=staff@example.com", "none", "DUNNO" },
    { "closed", CLOSED, "RCPT to=staff@example.com", "none", "list" },
    { "closed although others are open", CLOSED "list_remote_mail=yes", "RCPT to=staff@example.com", "none", "list" },
    { "as set by default", OURS "list staff@example.com", "RCPT to=staff@example.com", "none", "DUNNO" },
    { "as set", OURS "list staff@example.com; list_remote_mail=no", "RCPT to=staff@example.com", "none", "list" },
    { "another recipient", CLOSED, "RCPT to=bob@example.com", "none", "DUNNO" },
    { "after SASL", CLOSED, "RCPT to=staff@example.com sasl=alice", NULL, "OK" },
    { "from a granted client", CLOSED "grant 192.0.2.10", "RCPT to=staff@example.com", NULL, "OK" },
    { "where anyone may relay", CLOSED "relay_for=anyone", "RCPT to=staff@example.com", "none", "list" },
    { "from an accepted sender", CLOSED "accept @example.net", "RCPT to=staff@example.com", "none", "list" },
    { "in another case", CLOSED, "RCPT to=STAFF@Example.Com", "none", "list" },
    { "in Unicode case folding", CLOSED, "RCPT to=\xc5\xbfta\xef\xac\x80@example.com", "none", "list" },
    { "with an extension", CLOSED, "RCPT to=staff+x@example.com", "none", "list" },
    { "an extension begins after the first character", OURS "list +staff@example.com no",
      "RCPT to=+staff+x@example.com", "none", "list" },
    { "with another delimiter", CLOSED "recipient_delimiter=-", "RCPT to=staff+x@example.com", "none", "DUNNO" },
    { "with one of several delimiters", CLOSED "recipient_delimiter=+-", "RCPT to=staff-x@example.com", "none",
      "list" },
    { "with no delimiter", CLOSED "recipient_delimiter=", "RCPT to=staff+x@example.com", "none", "DUNNO" },
    { "without @", CLOSED, "RCPT to=staff", "none", "list" },
    { "without @, with an extension", CLOSED, "RCPT to=staff+x", "none", "list" },
    { "a row without domain, at a local domain", OURS "list staff no", "RCPT to=staff@example.com", "none", "list" },
    { "a row without domain, without @", OURS "list staff no", "RCPT to=staff", "none", "list" },
    { "a row without domain, at a domain of kind relay", "relay example.com; list staff no",
      "RCPT to=staff@example.com", "none", "DUNNO" },
    { "a row with a domain of kind relay", "relay example.com; list staff@example.com no", "RCPT to=staff@example.com",
      "none", "list" },
    { "that row does not count without @", "relay example.com; list staff@example.com no", "RCPT to=staff", "none",
      "DUNNO" },
    { "the address before its local part", OURS "list staff no; list staff@example.com yes",
      "RCPT to=staff@example.com", "none", "DUNNO" },
    { "the extension before the name", OURS "list staff no; list staff+x yes", "RCPT to=staff+x@example.com", "none",
      "DUNNO" },
    { "of several a closed one wins", OURS "list staff@example.com yes; list STAFF@example.com no",
      "RCPT to=staff@example.com", "none", "list" },
    { "and in the other order", OURS "list STAFF@example.com no; list staff@example.com yes",
      "RCPT to=staff@example.com", "none", "list" },
    { "without @ a closed one wins", OURS "domain example.net; list staff@example.com yes; list staff@example.net no",
      "RCPT to=staff", "none", "list" },
    { "without @, the row without domain open", OURS "list staff yes; list staff@example.com no", "RCPT to=staff",
      "none", "list" },
    { "without @, the row without domain closed", OURS "list staff no; list staff@example.com yes", "RCPT to=staff",
      "none", "list" },
    { "an expired row", OURS "list staff@example.com no until 1000", "RCPT to=staff@example.com", "none", "DUNNO" },
    { "a row about to expire", OURS "list staff@example.com no until 1001", "RCPT to=staff@example.com", "none",
      "list" },
    { "not at a foreign domain", "domain example.com; list staff@example.org no; relay_for=anyone",
      "RCPT to=staff@example.org", "none", "OK" },
    { "routed to one by percent", CLOSED ROUTES, "RCPT to=staff%example.com@example.com", "none", "list" },
    { "routed to one by bang", CLOSED ROUTES, "RCPT to=example.com!staff@example.com", "none", "list" },
    { "routed to one by @", CLOSED ROUTES, "RCPT to=staff@example.com@example.com", "none", "list" },
    { "routed to one without @, by percent", CLOSED ROUTES, "RCPT to=staff%example.com", "none", "list" },
    { "routed to one without @, by bang", CLOSED ROUTES, "RCPT to=example.com!staff", "none", "list" },
    { "routed twice", CLOSED ROUTES, "RCPT to=staff%example.com%example.com@example.com", "none", "list" },
    { "routed by @ before bang", CLOSED ROUTES, "RCPT to=example.org!x@staff@example.com", "none", "DUNNO" },
    { "routed by bang before percent", CLOSED ROUTES, "RCPT to=example.com!staff%example.com@example.com", "none",
      "list" },
    { "routed elsewhere", CLOSED ROUTES, "RCPT to=staff%example.org@example.com", "none", "DUNNO" },
    { "routed away and back is not ours to follow", CLOSED ROUTES, "RCPT to=staff%example.com%example.org@example.com",
      "none", "DUNNO" },
    { "routed at a domain of kind relay", CLOSED ROUTES "relay example.net", "RCPT to=staff%example.com@example.net",
      "none", "DUNNO" },
    { "routed to one, after SASL", CLOSED ROUTES, "RCPT to=staff%example.com@example.com sasl=alice", NULL, "OK" },
    { "routed with an extension", CLOSED ROUTES, "RCPT to=staff+x%example.com@example.com", "none", "list" },
    { "routed to a name alone", CLOSED ROUTES, "RCPT to=staff@@example.com", "none", "list" },
    { "routes are refused first", CLOSED, "RCPT to=staff%example.com@example.com", "none", "routed" },
    { "the angle brackets are dropped", CLOSED, "RCPT to=<staff@example.com>", "none", "list" },
};

/* A route of so many hops to a closed list: ten are followed. */
static void check_hops(int hops, const char *expected)
{
    char request[256] = "RCPT to=staff";
    struct scene_case row = { "hops", CLOSED ROUTES, request, "none", expected };
    for (int i = 0; i < hops; i++)
        strcat(request, "%example.com");
    strcat(request, "@example.com");
    scene_check(&row);
}

static const struct scene_case data_cases[] = {
    { "no limit", OURS, "DATA count=5000 sasl=alice", NULL, "DUNNO" },
    { "up to the limit", OURS "max_recipients=3", "DATA count=3 sasl=alice", NULL, "DUNNO" },
    { "above the limit", OURS "max_recipients=3", "DATA count=4 sasl=alice", NULL, "recipients" },
    { "far above the limit", OURS "max_recipients=3", "DATA count=99999999999999999999999 sasl=alice", NULL,
      "recipients" },
    { "no number is 0", OURS "max_recipients=3", "DATA count= sasl=alice", NULL, "DUNNO" },
    { "what is not all digits is 0", OURS "max_recipients=3", "DATA count=9x sasl=alice", NULL, "DUNNO" },
    { "a sign is no digit", OURS "max_recipients=3", "DATA count=-9 sasl=alice", NULL, "DUNNO" },
    { "incoming", OURS "max_recipients=3", "DATA count=4", "none", "DUNNO" },
    { "to our own recipient, but from one who may relay", OURS "max_recipients=3; grant 192.0.2.10", "DATA count=4",
      NULL, "recipients" },
    { "from an accepted sender", OURS "max_recipients=3; accept @example.net", "DATA count=4", NULL, "recipients" },
    { "from a local user", OURS "max_recipients=3; relay_for=local-users; user a@example.com",
      "DATA count=4 from=a@example.com", NULL, "recipients" },
    { "from a local host", OURS "max_recipients=3; relay_for=local-hosts", "DATA count=4 from=a@example.com", NULL,
      "recipients" },
    { "where anyone may relay", OURS "max_recipients=3; relay_for=anyone", "DATA count=4", "none", "DUNNO" },
    { "from a refused client", OURS "max_recipients=3; relay_for=anyone; refuse 192.0.2.10", "DATA count=4", NULL,
      "DUNNO" },
    { "at RCPT nothing is counted", OURS "max_recipients=3", "RCPT count=4 sasl=alice", NULL, "OK" },
    { "at END-OF-MESSAGE neither", OURS "max_recipients=3", "END-OF-MESSAGE count=4 sasl=alice", NULL, "DUNNO" },
    { "a copy of all", "archive_to=log@example.com", "DATA", NULL, "BCC log@example.com" },
    { "a copy of all that is sent", "archive_to=log@example.com", "DATA sasl=alice", NULL, "BCC log@example.com" },
    { "a copy of what comes in", "archive_to=log@example.com; archive=inbound", "DATA", "none", "BCC log@example.com" },
    { "but not of what goes out", "archive_to=log@example.com; archive=inbound", "DATA sasl=alice", NULL, "DUNNO" },
    { "a copy of what goes out", "archive_to=log@example.com; archive=outbound", "DATA sasl=alice", NULL,
      "BCC log@example.com" },
    { "but not of what comes in", "archive_to=log@example.com; archive=outbound", "DATA", "none", "DUNNO" },
    { "where anyone may relay, mail comes in", "archive_to=log@example.com; archive=inbound; relay_for=anyone", "DATA",
      "none", "BCC log@example.com" },
    { "and does not go out", "archive_to=log@example.com; archive=outbound; relay_for=anyone", "DATA", "none",
      "DUNNO" },
    { "no archive", "archive=outbound", "DATA sasl=alice", NULL, "DUNNO" },
    { "the limit comes before the copy", "archive_to=log@example.com; max_recipients=3", "DATA count=4 sasl=alice",
      NULL, "recipients" },
    { "no copy at RCPT", OURS "archive_to=log@example.com", "RCPT", NULL, "DUNNO" },
    { "no copy at END-OF-MESSAGE", "archive_to=log@example.com", "END-OF-MESSAGE", NULL, "DUNNO" },
    { "END-OF-MESSAGE", OURS, "END-OF-MESSAGE to=x@example.org", NULL, "DUNNO" },
};

START_TEST(routes_are_followed_ten_times)
{
    check_hops(9, "list");
    check_hops(10, "list");
    check_hops(11, "DUNNO");
}
END_TEST

SCENE_TEST(client_may_connect_or_not, client_cases)
SCENE_TEST(only_some_states_are_asked_further, state_cases)
SCENE_TEST(submission_needs_sasl, submission_cases)
SCENE_TEST(vrfy_and_etrn_are_for_sasl_and_granted, vrfy_cases)
SCENE_TEST(killed_senders_are_refused, kill_cases)
SCENE_TEST(null_sender_is_known_and_refused, null_sender_cases)
SCENE_TEST(sender_must_be_valid_if_so_set, invalid_sender_cases)
SCENE_TEST(sender_domain_has_253_bytes_at_most, long_sender_cases)
SCENE_TEST(local_sender_must_be_authorized, local_sender_cases)
SCENE_TEST(mail_is_answered_dunno, mail_cases)
SCENE_TEST(recipient_is_ours_or_foreign, recipient_cases)
SCENE_TEST(routed_recipient_is_refused, routed_cases)
SCENE_TEST(closed_list_is_refused, list_cases)
SCENE_TEST(data_is_limited_and_archived, data_cases)

/* Access is asked in every state, kill in every one that has a sender. */
static const struct {
    const char *state;
    bool has_sender;
} states[] = {
    { "CONNECT", false }, { "EHLO", false }, { "HELO", false },          { "XCLIENT", false },
    { "VRFY", false },    { "ETRN", false }, { "NOOP", false },          { "MAIL", true },
    { "RCPT", true },     { "DATA", true },  { "END-OF-MESSAGE", true },
};

START_TEST(each_state_asks_what_it_should)
{
    struct scene_case denied = { "access", "deny 192.0.2.0/24", states[_i].state, NULL, "access" };
    struct scene_case killed = { "kill", "kill @example.net; refuse_vrfy=no", states[_i].state, NULL,
                                 states[_i].has_sender ? "kill" : "DUNNO" };
    scene_check(&denied);
    scene_check(&killed);
}
END_TEST

/* What the log shows of a decision: the step that decided, its row, its setting. */
static const struct {
    const char *rules, *request;
    enum decide_step step;
    const char *key; /* NULL: no row */
    enum setting setting;
} trails[] = {
    { "deny 192.0.2.*", "RCPT", STEP_CLIENT, "192.0.2.*", SETTING_NONE },
    { "unlisted_clients=deny", "RCPT", STEP_CLIENT, NULL, SETTING_UNLISTED_CLIENTS },
    { "", "EHLO", STEP_STATE, NULL, SETTING_NONE },
    { "submission_ports=25", "RCPT", STEP_SUBMISSION, NULL, SETTING_SUBMISSION_PORTS },
    { "", "VRFY", STEP_VRFY, NULL, SETTING_REFUSE_VRFY },
    { "grant 192.0.2.0/24", "ETRN", STEP_VRFY, "192.0.2.0/24", SETTING_NONE },
    { "grant 192.0.2.0/24", "ETRN sasl=alice", STEP_VRFY, NULL, SETTING_NONE },
    { "grant 192.0.2.0/24; refuse_vrfy=no", "ETRN", STEP_VRFY, NULL, SETTING_NONE },
    { "kill @Example.net", "RCPT", STEP_KILL, "@Example.net", SETTING_NONE },
    { "refuse_null_sender=yes", "RCPT from=", STEP_NULL_SENDER, NULL, SETTING_REFUSE_NULL_SENDER },
    { VALID, "RCPT from=x", STEP_INVALID_SENDER, NULL, SETTING_REQUIRE_VALID_SENDER },
    { AUTH "pop_before_smtp=0", "RCPT from=x@example.com", STEP_LOCAL_SENDER, "example.com",
      SETTING_LOCAL_SENDER_AUTH },
    { "", "MAIL", STEP_MAIL, NULL, SETTING_NONE },
    { "grant 192.0.2.0/24", "RCPT to=x@example.org", STEP_RCPT, "192.0.2.0/24", SETTING_NONE },
    { "accept @example.net", "RCPT to=x@example.org", STEP_RCPT, "@example.net", SETTING_NONE },
    { "relay_for=local-users; user fred@example.net", "RCPT to=x@example.org", STEP_RCPT, "fred@example.net",
      SETTING_RELAY_FOR },
    { "relay_for=local-hosts; domain example.net", "RCPT to=x@example.org", STEP_RCPT, "example.net",
      SETTING_RELAY_FOR },
    { CLOSED "pop_before_smtp=0", "RCPT to=staff@example.com", STEP_RCPT, "staff@example.com", SETTING_NONE },
    { "grant 192.0.2.0/24; domain example.com", "RCPT to=a%b@example.com", STEP_RCPT, "192.0.2.0/24", SETTING_NONE },
    { "refuse 192.0.2.0/24; domain example.com", "RCPT to=a%b@example.com sasl=alice", STEP_RCPT, NULL, SETTING_NONE },
    { "max_recipients=1", "DATA count=2 sasl=alice", STEP_DATA, NULL, SETTING_MAX_RECIPIENTS },
    { "archive_to=log@example.com", "DATA", STEP_DATA, NULL, SETTING_ARCHIVE_TO },
    { "", "END-OF-MESSAGE", STEP_END, NULL, SETTING_NONE },
};

START_TEST(decision_says_step_row_and_setting)
{
    struct scene scene;
    char key[RULE_TEXT_BYTES];
    scene_decide(&scene, trails[_i].rules, trails[_i].request, NULL, SCENE_NOW);
    const struct decision *decision = &scene.decision;
    ck_assert_uint_gt(decision->n_notes, 0);
    ck_assert_uint_le(decision->n_notes, DECIDE_NOTES);
    const struct decide_note *last = &decision->notes[decision->n_notes - 1];
    ck_assert_int_eq(last->outcome, NOTE_DECIDED);
    ck_assert_int_eq(last->step, trails[_i].step);
    ck_assert_ptr_eq(last->rule, decision->rule);
    ck_assert_int_eq(decision->setting, trails[_i].setting);
    if (trails[_i].key)
        ck_assert(str_is(rule_key_text(decision->rule, key), trails[_i].key));
    else
        ck_assert_ptr_null(decision->rule);
    for (size_t i = 0; i < decision->n_notes; i++)
        ck_assert_ptr_nonnull(decision->notes[i].why);
    scene_fini(&scene);
}
END_TEST

START_TEST(the_grant_that_authorizes_a_local_sender_is_told)
{
    struct scene scene;
    scene_decide(&scene, AUTH "grant 192.0.2.0/24", "MAIL from=x@example.com", NULL, SCENE_NOW);
    const struct decision *decision = &scene.decision;
    size_t n = 0;
    for (size_t i = 0; i < decision->n_notes; i++)
        n += decision->notes[i].step == STEP_LOCAL_SENDER && decision->notes[i].rule != NULL;
    ck_assert_uint_eq(n, 1);
    scene_fini(&scene);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("decide");
    TCase *steps = suite_case(suite, "steps");
    tcase_add_loop_test(steps, client_may_connect_or_not, 0, COUNT(client_cases));
    tcase_add_loop_test(steps, only_some_states_are_asked_further, 0, COUNT(state_cases));
    tcase_add_loop_test(steps, submission_needs_sasl, 0, COUNT(submission_cases));
    tcase_add_loop_test(steps, vrfy_and_etrn_are_for_sasl_and_granted, 0, COUNT(vrfy_cases));
    tcase_add_loop_test(steps, killed_senders_are_refused, 0, COUNT(kill_cases));
    tcase_add_loop_test(steps, null_sender_is_known_and_refused, 0, COUNT(null_sender_cases));
    tcase_add_loop_test(steps, sender_must_be_valid_if_so_set, 0, COUNT(invalid_sender_cases));
    tcase_add_loop_test(steps, sender_domain_has_253_bytes_at_most, 0, COUNT(long_sender_cases));
    tcase_add_loop_test(steps, local_sender_must_be_authorized, 0, COUNT(local_sender_cases));
    tcase_add_loop_test(steps, mail_is_answered_dunno, 0, COUNT(mail_cases));
    tcase_add_loop_test(steps, recipient_is_ours_or_foreign, 0, COUNT(recipient_cases));
    tcase_add_loop_test(steps, routed_recipient_is_refused, 0, COUNT(routed_cases));
    tcase_add_loop_test(steps, closed_list_is_refused, 0, COUNT(list_cases));
    tcase_add_test(steps, routes_are_followed_ten_times);
    tcase_add_loop_test(steps, data_is_limited_and_archived, 0, COUNT(data_cases));
    TCase *all = suite_case(suite, "all");
    tcase_add_loop_test(all, each_state_asks_what_it_should, 0, COUNT(states));
    tcase_add_loop_test(all, decision_says_step_row_and_setting, 0, COUNT(trails));
    tcase_add_test(all, the_grant_that_authorizes_a_local_sender_is_told);
    return suite_run(suite);
}
