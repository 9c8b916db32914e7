#!/usr/bin/python3
"""Each reason of SPEC 8 and each setting behind it, as an SMTP client of a real Postfix sees it; and beside each
refusal the near case that is accepted."""

import re
import time
from typing import NamedTuple

from harness import Gatepostd, expect, expect_equal, run
from mta import Dovecot, Postfix
from smtp import Client, Closed, SmtpSession

SITE = ("domain example.com", "domain mail.example.com", "domain second.example", "domain host.example",
        "domain alias.example", "relay-domain backup.example")

OUTSIDER = Client()
GRANTED = Client("192.0.2.50")
UNKNOWN = Client("192.0.2.10", "[UNAVAILABLE]", "[UNAVAILABLE]")
FORGED = Client("192.0.2.10", "[UNAVAILABLE]", "mail.partner.example")
PARTNER = Client("192.0.2.10", "mail.partner.example")
LOGGED_IN = Client(login="anna@example.com")


class Try(NamedTuple):
    """One recipient of one sender, or the one command; says to which smtpd service and who sends it."""
    client: Client = OUTSIDER
    sender: str = "fred@example.net"
    recipient: str = "bob@example.com"
    service: str = "spec"
    command: str = None


REMOTE = "carol@example.org"
POSTFIX_REFUSES = "554 5.7.1 <%s>: Relay access denied" % REMOTE  # reject_unauth_destination, after a DUNNO
VRFY = "VRFY bob@example.com"
ETRN = "ETRN backup.example"
RCPT_REJECTED = "Recipient address rejected: "

# What the client sees, by reason: in style verb, in style code, text.
REPLIES = {
    "access": ("554 5.7.1", "521 5.7.1", "access denied"),
    "submission": ("554 5.7.0", "530 5.7.0", "authentication required"),
    "vrfy": ("554 5.7.1", "502 5.7.1", "command not available"),
    "kill": ("554 5.7.1", "501 5.7.1", "unacceptable mail address"),
    "null-sender": ("554 5.7.1", "550 5.7.1", "null sender not accepted"),
    # Postfix makes a sender's status code (x.1.7) a recipient's (x.1.3) at RCPT.
    "invalid-sender": ("554 5.1.3", "501 5.1.3", "sender must be user@host"),
    "local-sender": ("554 5.7.1", "550 5.7.1", "local sender not authorized"),
    "routed": ("554 5.7.1", "550 5.7.1", "routed recipient, not a gateway"),
    "list": ("554 5.7.1", "550 5.7.1", "remote mail to this list is not accepted"),
    "relay": ("554 5.7.1", "550 5.7.1", "unknown local host example.org, not a gateway"),
    "unverified": ("450 4.7.25", "450 4.7.25", "client host name not verified, try again later"),
    "recipients": ("554 5.5.3", "550 5.5.3", "too many recipients"),
}

# Reason, rules on top of SITE, what is refused for the reason, what is accepted all the same.
REASONS = (
    ("access", ("deny 192.0.2.64/28", "allow 192.0.2.66"),
     [Try(Client("192.0.2.65")), Try(Client("::ffff:192.0.2.79")), Try(Client("192.0.2.65"), service="direct"),
      Try(Client("192.0.2.65", login="anna@example.com"), service="sasl")],
     [Try(Client("192.0.2.66")), Try(Client("192.0.2.80")), Try(Client("192.0.2.63"))]),
    ("access", ("deny 2001:db8:1::/48", "allow 2001:db8:1:2::/64"),
     [Try(Client("2001:db8:1::25"))], [Try(Client("2001:db8:1:2::25")), Try(Client("2001:db8:2::25"))]),
    ("access", ("set unlisted_clients deny", "allow 192.0.2.0/26"),
     [Try(Client("192.0.2.64")), Try(Client("2001:db8::25"))], [Try(Client("192.0.2.63"))]),
    ("submission", ("set submission_ports 587, 2587",),
     [Try(Client(destport="587")), Try(Client("192.0.2.50", destport="2587")),
      Try(Client(destport="587"), command=VRFY)],
     [Try(Client(destport="25")), Try(Client(destport="587", login="anna@example.com"), service="sasl"),
      Try(Client(destport="587", login="anna@example.com"), service="sasl", recipient=REMOTE)]),
    ("vrfy", ("grant 192.0.2.50",),
     [Try(command=VRFY), Try(command=ETRN)],
     [Try(GRANTED, command=VRFY), Try(GRANTED, command=ETRN),
      Try(LOGGED_IN, command=VRFY, service="sasl"), Try(LOGGED_IN, command=ETRN, service="sasl")]),
    ("kill", ("kill bad@far.example",),
     [Try(sender="bad@far.example"), Try(LOGGED_IN, sender="bad@far.example", service="sasl")],
     [Try(sender="good@far.example"), Try(sender="bad@sub.far.example"), Try(sender="bad@example.net")]),
    ("kill", ("kill @far.example",),
     [Try(sender="anybody@far.example")], [Try(sender="anybody@sub.far.example")]),
    ("kill", ("kill @.far.example",),
     [Try(sender="anybody@a.b.far.example")], [Try(sender="anybody@far.example")]),
    ("kill", ("kill @*widget.example",),
     [Try(sender="a@widget.example"), Try(sender="a@bluewidget.example"), Try(sender="a@nifty.widget.example")],
     [Try(sender="a@widget.example.net"), Try(sender="a@widgets.example"), Try(sender="")]),
    ("null-sender", ("set refuse_null_sender yes",),
     [Try(sender=""), Try(GRANTED, sender="")], [Try(), Try(sender="mailer-daemon@far.example")]),
    ("null-sender", ("set refuse_null_sender authenticated",),
     [Try(LOGGED_IN, sender="", service="sasl")], [Try(sender=""), Try(LOGGED_IN, service="sasl")]),
    ("invalid-sender", ("set require_valid_sender yes",),
     # The rest of what SPEC 3 calls invalid does not come as far: Postfix itself answers "Bad sender address syntax".
     [Try(sender="fred"), Try(sender="@far.example"), Try(sender="fred@\u200d.example")],
     [Try(), Try(sender=""), Try(sender="fred@[192.0.2.1]"), Try(sender="fred@a_b.example"),
      Try(sender="fred@f\u00e4r.example"), Try(sender="fred@far.example."), Try(sender='fred@"far .example"')]),
    ("local-sender", ("set local_sender_auth yes", "grant 192.0.2.50", "accept anna@example.com"),
     [Try(sender="boss@example.com"), Try(sender="boss@host.example"), Try(sender="boss")],
     [Try(), Try(GRANTED, sender="boss@example.com"), Try(LOGGED_IN, sender="boss@example.com", service="sasl"),
      Try(sender="anna@example.com"), Try(sender="boss@backup.example"), Try(sender="boss@sub.host.example")]),
    ("routed", ("grant 192.0.2.50",),
     [Try(recipient="carol%example.org@example.com"), Try(recipient="example.org!carol@example.com"),
      Try(recipient="carol@example.org@example.com"), Try(recipient="carol%example.org@backup.example")],
     [Try(recipient="carol+example.org@example.com"),
      Try(GRANTED, recipient="carol%example.org@example.com", service="direct")]),
    ("list", ("closed-list staff@example.com", "list news@example.com", "grant 192.0.2.50"),
     [Try(recipient="staff@example.com")],
     [Try(recipient="news@example.com"), Try(recipient="staff2@example.com"),
      Try(GRANTED, recipient="staff@example.com"), Try(LOGGED_IN, recipient="staff@example.com", service="sasl")]),
    ("list", ("set list_remote_mail no", "list staff", "open-list news"),
     [Try(recipient="staff@example.com"), Try(recipient="staff@host.example")],
     [Try(recipient="news@example.com"), Try(recipient="staff@backup.example")]),
    ("relay", ("grant 192.0.2.50", "accept-from friend@far.example 192.0.2.0/28"),
     [Try(recipient=REMOTE), Try(recipient=REMOTE, sender=""), Try(FORGED, recipient=REMOTE),
      Try(Client("192.0.2.16"), sender="friend@far.example", recipient=REMOTE)],
     [Try(), Try(recipient="carol@backup.example"), Try(GRANTED, recipient=REMOTE),
      Try(sender="friend@far.example", recipient=REMOTE), Try(LOGGED_IN, recipient=REMOTE, service="sasl")]),
    ("unverified", ("grant .partner.example",),
     [Try(FORGED, recipient=REMOTE), Try(FORGED, command=VRFY), Try(FORGED, recipient="carol%example.org@example.com")],
     [Try(FORGED), Try(PARTNER, recipient=REMOTE), Try(PARTNER, command=VRFY)]),
)

# relay_for: the steps of the ladder, and from which step on (None: never) each of these may relay.
LADDER = ("nobody", "addresses", "local-users", "local-hosts", "anyone")
LADDER_RULES = ("grant 192.0.2.50", "grant .partner.example", "refuse 192.0.2.96/27", "accept friend@far.example",
                "user anna@example.com", "alias boss@example.com anna@example.com", "user staff")
LADDER_CASES = (
    ("an authenticated session", Try(LOGGED_IN, service="sasl"), "nobody"),
    ("an authenticated session of a refused client", Try(Client("192.0.2.99", login="anna"), service="sasl"), "nobody"),
    ("a granted address", Try(GRANTED), "addresses"),
    ("a granted host name", Try(PARTNER), "addresses"),
    ("an accepted sender", Try(sender="friend@far.example"), "addresses"),
    ("a local user", Try(sender="anna@example.com"), "local-users"),
    ("a local user without a name", Try(UNKNOWN, sender="Anna@Example.COM"), "local-users"),
    ("a row without domain, at a local one", Try(sender="staff@host.example"), "local-hosts"),
    ("an extension of a local user", Try(sender="anna+x@example.com"), "local-hosts"),
    ("an alias of a local user", Try(sender="boss@example.com"), "local-hosts"),
    ("another sender of a local domain", Try(sender="nobody@host.example"), "local-hosts"),
    ("a sender of a relay domain", Try(sender="anna@backup.example"), "anyone"),
    ("a stranger", Try(), "anyone"),
    ("the null sender", Try(sender=""), "anyone"),
    ("a refused client with an accepted sender", Try(Client("192.0.2.99"), sender="friend@far.example"), None),
    ("a refused client with a local user", Try(Client("192.0.2.99"), sender="anna@example.com"), None),
)

# text_REASON, what is refused for it, and the text that the client then sees.
TEXTS = (
    ("set text_relay %{sender} at %{client} may not send to %{recipient}: %{domain} is foreign, 100%%",
     Try(recipient="Carol@Example.ORG"),
     "fred@example.net at 192.0.2.10 may not send to Carol@Example.ORG: example.org is foreign, 100%"),
    ("set text_null_sender nobody sends from <%{sender}>", Try(sender=""), "nobody sends from <>"),
    ("set text_kill see https://www.example.com/unwanted", Try(sender="bad@far.example"),
     "see https://www.example.com/unwanted"),
    ("set text_access go away, %{client}", Try(Client("2001:DB8:0:0::66")), "go away, 2001:db8::66"),
)

# observe, what would be refused, would= in the log, and how the reply then begins.
OBSERVED = (
    ("kill", Try(sender="bad@far.example"), "kill", "250 "),
    ("kill relay", Try(sender="bad@far.example", recipient=REMOTE), "kill,relay", POSTFIX_REFUSES),
    ("relay", Try(recipient=REMOTE), "relay", POSTFIX_REFUSES),
    ("relay", Try(sender="bad@far.example"), "", "554 5.7.1 <bob@example.com>: %sunacceptable" % RCPT_REJECTED),
    ("access", Try(Client("2001:db8::66")), "access", "250 "),
    ("vrfy", Try(command=VRFY), "vrfy", "252 "),
    ("vrfy", Try(command=ETRN), "vrfy", "250 "),
    ("list", Try(recipient="staff@example.com"), "list", "250 "),
    ("all", Try(sender="bad@far.example"), "kill", "250 "),
    ("all", Try(GRANTED, recipient=REMOTE), "OK", POSTFIX_REFUSES),
)


def attempt(postfix, one):
    """The reply that decides over one Try."""
    with SmtpSession(postfix.ports[one.service], one.client) as session:
        return session.command(one.command) if one.command else session.try_rcpt(one.sender, one.recipient)


def describe(one):
    client = "%s %s" % (one.client.name, one.client.addr) + (" as " + one.client.login if one.client.login else "")
    return "%s, %s: %s" % (one.service, client, one.command or "<%s> to <%s>" % (one.sender, one.recipient))


def expect_refused(reply, one, reason, style):
    verb, code, text = REPLIES[reason]
    subject, what = one.recipient, RCPT_REJECTED
    if one.command:
        subject = one.command.split()[1]
        what = "Etrn command rejected: " if one.command == ETRN else RCPT_REJECTED
    expect_equal(str(reply), "%s <%s>: %s%s" % (code if style == "code" else verb, subject, what, text), describe(one))


def expect_closed(session):
    """521 ends the session: the next thing to be read is its end."""
    try:
        reply = session.reply()
    except Closed:
        return
    expect(False, "521 has to close the session, seen: %s" % (reply,))


def expect_accepted(reply, one):
    expect(reply.code in (250, 252), "%s\nexpected to be accepted, seen: %s" % (describe(one), reply))


def test_reasons(tap, gate, postfix):
    for style in ("verb", "code"):
        for reason, rules, refused, accepted in REASONS:
            gate.rules(*SITE, *rules, "set reply_style " + style)
            for one in refused:
                with tap.case("%s, style %s, refused: %s" % (reason, style, describe(one))):
                    expect_refused(attempt(postfix, one), one, reason, style)
            for one in accepted:
                with tap.case("%s, style %s, accepted: %s" % (reason, style, describe(one))):
                    expect_accepted(attempt(postfix, one), one)


def test_settings_off(tap, gate, postfix):
    """What the settings permit when they are turned the other way."""
    gate.rules(*SITE, "set refuse_vrfy no", "set refuse_routed_recipient no", "list staff@example.com")
    routed = "carol%example.org@example.com"
    for one, begin in ((Try(command=VRFY), "252 "), (Try(command=ETRN), "250 "), (Try(sender="fred"), "250 "),
                       (Try(recipient="staff@example.com"), "250 "), (Try(sender="boss@example.com"), "250 "),
                       (Try(sender=""), "250 "), (Try(recipient=routed), "554 5.7.1 <%s>: Relay access" % routed)):
        with tap.case("refused for no reason by default or when turned off: " + describe(one)):
            reply = attempt(postfix, one)
            expect(str(reply).startswith(begin), "expected: %s…\nseen:     %s" % (begin, reply))
    gate.rules()
    with tap.case("without a row in local_domain Postfix decides what is relaying"):
        expect_equal(str(attempt(postfix, Try(recipient=REMOTE))), POSTFIX_REFUSES)
        expect_accepted(attempt(postfix, Try()), Try())


def test_ladder(tap, gate, postfix):
    for step in LADDER:
        gate.rules(*SITE, *LADDER_RULES, "set relay_for " + step)
        for who, one, first in LADDER_CASES:
            one = one._replace(recipient=REMOTE)
            relays = first is not None and LADDER.index(step) >= LADDER.index(first)
            with tap.case("relay_for %s: %s %s" % (step, who, "relays" if relays else "is refused")):
                reply = attempt(postfix, one)
                expect_accepted(reply, one) if relays else expect_refused(reply, one, "relay", "verb")
        with tap.case("relay_for %s: mail to us needs no right" % step):
            one = Try(Client("192.0.2.99"))
            expect_accepted(attempt(postfix, one), one)


def test_texts(tap, gate, postfix):
    gate.rules(*SITE, "kill @far.example", "deny 2001:db8::66", "set refuse_null_sender yes",
               *(rule for rule, _, _ in TEXTS))
    for rule, one, text in TEXTS:
        with tap.case(rule):
            reply = attempt(postfix, one)
            expect_equal(reply.text, "5.7.1 <%s>: %s%s" % (one.recipient, RCPT_REJECTED, text))


def test_observe(tap, gate, postfix):
    for observe, one, would, begin in OBSERVED:
        with tap.case("observe %s: %s" % (observe, describe(one))):
            gate.rules(*SITE, "kill @far.example", "deny 2001:db8::66", "closed-list staff", "grant 192.0.2.50",
                       "set observe " + observe)
            before = len(gate.log())
            reply = attempt(postfix, one)
            expect(str(reply).startswith(begin), "expected: %s…\nseen:     %s" % (begin, reply))
            state = one.command.split()[0] if one.command else "RCPT"
            line = gate.decision(since=before, state=state, client=one.client.addr)
            expect_equal(set(line.get("would", "").split(",")), set(would.split(",")), "would= in the log")


def test_log(tap, gate, postfix):
    gate.rules(*SITE, "kill @far.example")
    attempt(postfix, Try(sender="bad@far.example", recipient="Log.1@example.com"))
    attempt(postfix, Try(recipient="\"log 2\"@example.com"))
    with tap.case("a refusal in the log: reason, rule, client, sender and recipient"):
        line = gate.decision(state="RCPT", recipient="Log.1@example.com")
        expect_equal((line["reason"], line["client"], line["sender"]), ("kill", "192.0.2.10", "bad@far.example"))
        expect(line["action"].startswith("REJECT"), str(line))
        expect("@far.example" in line.get("rule", ""), "no rule in %s" % line)
    with tap.case("a permit in the log, with blanks in a value"):
        expect_equal(gate.decision(state="RCPT", recipient="log 2@example.com")["action"], "DUNNO")


def test_submission(tap, gate, postfix):
    port = postfix.ports["sasl"]
    gate.rules(*SITE, "set submission_ports %d" % port, "grant 192.0.2.50")
    with tap.case("submission port: refused before AUTH, a granted client too"):
        for client in (OUTSIDER, GRANTED):
            with SmtpSession(port, client) as session:
                expect_equal(str(session.try_rcpt("anna@example.com", REMOTE)),
                             "554 5.7.0 <%s>: %sauthentication required" % (REMOTE, RCPT_REJECTED))
    with tap.case("submission port: a wrong password opens nothing"):
        with SmtpSession(port) as session:
            expect_equal(session.auth_plain("anna@example.com", "wrong").code, 535)
            expect_equal(session.try_rcpt("anna@example.com", REMOTE).code, 554)
    with tap.case("submission port: after AUTH the mail goes out"):
        with SmtpSession(port) as session:
            expect_equal(session.auth_plain("anna@example.com", "secret").code, 235)
            expect_equal(session.try_rcpt("anna@example.com", REMOTE).code, 250)
            expect_equal(postfix.delivered(session.data("Subject: submitted\n\ntext")), [REMOTE])
    with tap.case("the other port asks for no authentication"):
        expect_accepted(attempt(postfix, Try()), Try())


def test_delay_reject(tap, gate, postfix):
    """Access at CONNECT needs a client that is denied before any XCLIENT: one of the loopback block."""
    for style in ("verb", "code"):
        gate.rules(*SITE, "deny 127.0.0.66", "deny 192.0.2.66", "set reply_style " + style)
        code = REPLIES["access"][style == "code"]
        with tap.case("smtpd_delay_reject = no, style %s: refused in the greeting" % style):
            with SmtpSession(postfix.ports["early"], None, source="127.0.0.66", hello=None) as session:
                expect_equal(str(session.greeting),
                             code + " <unknown[127.0.0.66]>: Client host rejected: access denied")
                if style == "code":
                    expect_closed(session)
                else:
                    for line in ("EHLO client.example.net", "MAIL FROM:<fred@example.net>", "VRFY bob"):
                        expect_equal(session.command(line).code, 503, line)
                    expect_equal(session.quit().code, 221)
        with tap.case("smtpd_delay_reject = no, style %s: refused at XCLIENT" % style):
            with SmtpSession(postfix.ports["early"], None) as session:
                reply = session.command("XCLIENT " + Client("192.0.2.66").attributes())
                expect_equal(str(reply),
                             code + " <client.example.net[192.0.2.66]>: Client host rejected: access denied")
        with tap.case("smtpd_delay_reject = no, style %s: others are greeted" % style):
            with SmtpSession(postfix.ports["early"], OUTSIDER, source="127.0.0.67") as session:
                expect_equal((session.greeting.code, session.xclient_reply.code), (220, 220))
                expect_equal(session.try_rcpt("fred@example.net", "bob@example.com").code, 250)
                expect_equal(session.try_rcpt("fred@example.net", REMOTE).code, 550 if style == "code" else 554)
        with tap.case("smtpd_delay_reject = yes, style %s: refused at RCPT, after a friendly greeting" % style):
            with SmtpSession(postfix.ports["spec"], None, source="127.0.0.66") as session:
                expect_equal(session.greeting.code, 220)
                expect_equal(session.mail("fred@example.net").code, 250)
                expect_equal(str(session.rcpt("bob@example.com")),
                             code + " <bob@example.com>: Recipient address rejected: access denied")
                if style == "code":
                    expect_closed(session)
                else:
                    expect_equal(session.command("NOOP").code, 250)


def test_policy_context(tap, gate, postfix):
    """The service with policy_context = client in every list of every state judges the client and nothing else."""
    gate.rules(*SITE, "deny 192.0.2.66", "kill @far.example", "closed-list staff", "set refuse_null_sender yes",
               "grant 192.0.2.50", "set archive_to archive@example.com")
    for one, begin in ((Try(sender="bad@far.example"), "250 "), (Try(recipient="staff@example.com"), "250 "),
                       (Try(sender=""), "250 "), (Try(command=VRFY), "252 "), (Try(command=ETRN), "250 "),
                       (Try(recipient=REMOTE), POSTFIX_REFUSES), (Try(GRANTED, recipient=REMOTE), POSTFIX_REFUSES)):
        with tap.case("policy_context = client: " + describe(one)):
            reply = attempt(postfix, one._replace(service="context"))
            expect(str(reply).startswith(begin), "expected: %s…\nseen:     %s" % (begin, reply))
    with tap.case("policy_context = client: a denied client is refused"):
        with SmtpSession(postfix.ports["context"], None) as session:
            expect_equal(session.command("XCLIENT " + Client("192.0.2.66").attributes()).code, 554)


def send(postfix, client, sender, recipients, subject):
    """A whole message; the reply that ended it, or the first that was not friendly."""
    with SmtpSession(postfix.ports["spec"], client) as session:
        expect_equal(session.mail(sender).code, 250, "MAIL")
        for recipient in recipients:
            expect_equal(session.rcpt(recipient).code, 250, "RCPT " + recipient)
        return session.data("Subject: %s\n\nThe text of %s.\n" % (subject, subject))


def test_archive(tap, gate, postfix):
    kinds = {"inbound": (OUTSIDER, "bob@example.com"), "outbound": (GRANTED, REMOTE), "to us from a granted client":
             (GRANTED, "bob@example.com")}
    copied = {"all": kinds, "inbound": ("inbound",), "outbound": ("outbound", "to us from a granted client")}
    for archive, copies in copied.items():
        gate.rules(*SITE, "grant 192.0.2.50", "set archive_to archive@example.com", "set archive " + archive)
        for kind, (client, recipient) in kinds.items():
            with tap.case("archive %s: mail %s is %s" % (archive, kind, "copied" if kind in copies else "not copied")):
                subject = "archive %s, %s" % (archive, kind)
                seen = postfix.delivered(send(postfix, client, "fred@example.net", [recipient], subject))
                expect_equal(sorted(seen), sorted([recipient] + ["archive@example.com"] * (kind in copies)))
                copies_seen = [one.text for one in postfix.inbox()
                               if (one.to, one.subject) == ("archive@example.com", subject)]
                expect_equal(copies_seen, ["The text of %s." % subject] * (kind in copies))
    gate.rules(*SITE)
    with tap.case("archive_to empty: no copy"):
        reply = send(postfix, OUTSIDER, "fred@example.net", ["bob@example.com"], "no archive")
        expect_equal(postfix.delivered(reply), ["bob@example.com"])


def test_max_recipients(tap, gate, postfix):
    three = ["bob@example.com", "anna@example.com", REMOTE]
    for style in ("verb", "code"):
        gate.rules(*SITE, "grant 192.0.2.50", "set max_recipients 2", "set reply_style " + style)
        with tap.case("recipients, style %s: one more than max_recipients is refused at DATA" % style):
            expect_equal(str(send(postfix, GRANTED, "anna@example.com", three, "three")),
                         REPLIES["recipients"][style == "code"] + " <DATA>: Data command rejected: too many recipients")
        with tap.case("recipients, style %s: max_recipients are accepted" % style):
            seen = postfix.delivered(send(postfix, GRANTED, "anna@example.com", three[1:], "two"))
            expect_equal(sorted(seen), sorted(three[1:]))
        with tap.case("recipients, style %s: the limit is not for mail from outside" % style):
            three_of_us = three[:2] + ["otto@example.com"]
            seen = postfix.delivered(send(postfix, OUTSIDER, "fred@example.net", three_of_us, "inbound"))
            expect_equal(sorted(seen), sorted(three_of_us))


def test_wiring(tap, gate, postfix):
    # At a host of mydestination Postfix strips the routing before it looks, and the OK counts there.
    routed = Try(GRANTED, recipient="carol%example.org@host.example")
    gate.rules(*SITE, "grant 192.0.2.50", "kill @far.example")
    with tap.case("class through check_recipient_access: an OK to a routed recipient is discarded by Postfix"):
        expect_equal(str(attempt(postfix, routed)), "554 5.7.1 <%s>: Relay access denied" % routed.recipient)
    with tap.case("check_policy_service in the list itself: those who may relay use routed recipients"):
        expect_accepted(attempt(postfix, routed._replace(service="direct")), routed)
    for service in ("spec", "letter", "direct", "early", "sasl"):
        with tap.case("service %s: refuses, permits and relays alike" % service):
            one = Try(service=service)
            expect_accepted(attempt(postfix, one), one)
            expect_accepted(attempt(postfix, one._replace(client=GRANTED, recipient=REMOTE)), one)
            foreign, unwanted = one._replace(recipient=REMOTE), one._replace(sender="bad@far.example")
            expect_refused(attempt(postfix, foreign), foreign, "relay", "verb")
            expect_refused(attempt(postfix, unwanted), unwanted, "kill", "verb")


def test_expires(tap, gate, postfix):
    """A row ends by the clock alone: between the two looks nothing writes to the database."""
    gate.rules(*SITE)
    ends = int(time.time()) + 3
    gate.sql("INSERT INTO kill_entry(sender, expires) VALUES('@far.example', {0});"
             "INSERT INTO relay_grant(client, expires) VALUES('192.0.2.50', {0});"
             "INSERT INTO kill_entry(sender, expires) VALUES('@past.example', {1});".format(ends, ends - 10))
    gate.settle()
    cases = ((Try(sender="bad@far.example"), True, 554, 250), (Try(GRANTED, recipient=REMOTE), True, 250, 554),
             (Try(sender="bad@past.example"), False, 250, 250))
    changes = gate.sql("SELECT max(seq) FROM rule_change")
    for one, _, before, _ in cases:
        with tap.case("expires: before that second, " + describe(one)):
            reply = attempt(postfix, one)
            expect(time.time() < ends, "this machine was too slow to look before the row expired")
            expect_equal(reply.code, before, str(reply))
    time.sleep(max(0, ends - time.time()) + 0.1)
    for one, _, _, after in cases:
        with tap.case("expires: from that second on, " + describe(one)):
            expect_equal(attempt(postfix, one).code, after)
    with tap.case("expires: nothing was written for it"):
        expect(re.fullmatch(r"\d+\n", changes), "rule_change: %r" % changes)
        expect_equal(gate.sql("SELECT max(seq) FROM rule_change"), changes)


def program(tap, scratch):
    gate = Gatepostd(scratch)
    postfix = Postfix(scratch, gate.endpoint)
    Dovecot(scratch, postfix, {"anna@example.com": "secret"})
    for test in (test_reasons, test_settings_off, test_ladder, test_texts, test_observe, test_log, test_submission,
                 test_delay_reject, test_policy_context, test_archive, test_max_recipients, test_wiring, test_expires):
        test(tap, gate, postfix)
    with tap.case("gatepostd ends cleanly"):
        gate.stop()


if __name__ == "__main__":
    run(program)
