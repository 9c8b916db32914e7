#!/usr/bin/python3
"""Attempts to relay without the right to, in every spelling we know of, under every setting that should refuse them.

An attempt that Postfix answers with a permit is carried through to the end of its message, so that a leak shows up
where it hurts: in Postfix's log, as a delivery to a domain that is not ours."""

from typing import NamedTuple

from harness import Gatepostd, expect, expect_equal, run
from mta import OURS, Dovecot, Postfix
from smtp import Client, SmtpSession

SITE = ("domain example.com", "domain mail.example.com", "domain second.example", "domain host.example",
        "domain alias.example", "relay-domain backup.example", "user anna@example.com",
        "alias boss@example.com anna@example.com", "accept-from friend@far.example 192.0.2.80",
        "grant 198.51.100.0/24", "refuse 198.51.100.99", "grant 192.0.2.50", "grant mail.partner.example",
        "grant .partner.example", "grant 2001:db8:5::/48", "refuse 2001:db8:5:6::/64")

# Rules on top of SITE, and the step of the ladder that they come to.
LADDER = ("nobody", "addresses", "local-users", "local-hosts")
RULE_SETS = (
    *((("set relay_for " + step,), step) for step in LADDER),
    (("set relay_for local-hosts", "set refuse_routed_recipient no", "set reply_style code"), "local-hosts"),
    (("set observe all",), "observe"),
    (("set observe relay,routed,list,local-sender",), "observe"),
)

OUTSIDER = Client()
REMOTE = "carol@example.org"


class Attempt(NamedTuple):
    what: str
    recipient: str | bytes = REMOTE
    sender: str = "fred@example.net"
    client: Client = OUTSIDER
    hello: str = "client.example.net"
    service: str = "spec"
    may_from: str = None    # the step of relay_for from which on it relays by right
    deferred: bool = False  # 450 where relay_for looks at host names: the name may be verified later


def to(what, recipient):
    return Attempt(what, recipient)


def by(what, sender, may_from=None):
    return Attempt(what, sender=sender, may_from=may_from)


def client(what, addr="192.0.2.10", name="client.example.net", reverse=None, **more):
    return Attempt(what, client=Client(addr, name, reverse), **more)


ATTEMPTS = (
    to("a plain recipient", "carol@example.org"),
    to("upper case", "CAROL@EXAMPLE.ORG"),
    to("a trailing dot", "carol@example.org."),
    to("our domain in front of theirs", "carol@example.com.example.org"),
    to("our domain behind theirs", "carol@notexample.com"),
    to("a host below ours", "carol@sub.example.com.example.org"),
    to("an address literal", "carol@[203.0.113.9]"),
    to("an IPv6 literal", "carol@[IPv6:2001:db8::9]"),
    to("a quoted domain", 'carol@"example.org"'),
    to("a quoted domain with a blank", 'carol@"example.org "'),
    to("a quoted domain with a tab", 'carol@"example .org\t"'),
    to("a quoted local part", '"carol smith"@example.org'),
    to("a comment", "carol(bob@example.com)@example.org"),
    to("postmaster at a remote domain", "postmaster@example.org"),
    to("quoted postmaster at a remote domain", '"postmaster"@example.org'),
    to("MAILER-DAEMON at a remote domain", "MAILER-DAEMON@example.org"),
    to("no local part", "@example.org"),
    # routed through us
    to("percent", "carol%example.org@example.com"),
    to("percent, upper case", "carol%EXAMPLE.ORG@EXAMPLE.COM"),
    to("percent, trailing dots", "carol%example.org.@example.com."),
    to("percent at a virtual host", "carol%example.org@host.example"),
    to("percent at a virtual alias domain", "carol%example.org@alias.example"),
    to("percent at a relay domain", "carol%example.org@backup.example"),
    to("percent twice", "carol%example.org%example.com@example.com"),
    to("percent to a literal", "carol%[203.0.113.9]@example.com"),
    to("percent at our own literal", "carol%example.org@[127.0.0.1]"),
    to("percent behind an extension", "bob+x%example.org@example.com"),
    to("percent without a domain", "carol%example.org"),
    to("percent and an empty domain", '"carol%example.org@"'),
    to("percent, quoted", '"carol%example.org"@example.com'),
    to("postmaster percent", "postmaster%example.org"),
    to("bang", "example.org!carol@example.com"),
    to("bang path", "example.com!example.org!carol@example.com"),
    to("bang without a domain", "example.org!carol"),
    to("bang without a domain, quoted", '"example.org!carol"'),
    to("bang at a relay domain", "example.org!carol@backup.example"),
    to("bang and percent", "example.org!carol%example.net@example.com"),
    to("two @", "carol@example.org@example.com"),
    to("two @, ours first", "carol@example.com@example.org"),
    to("two @, quoted", '"carol@example.org"@example.com'),
    to("two @, quoted, at a virtual host", '"carol@example.org"@host.example'),
    to("two @, escaped", "carol\\@example.org@example.com"),
    to("three @ and percent", "carol%example.org@example.com@second.example"),
    to("@ and a blank in quotes", '"carol@example.org "@example.com'),
    to("source route", "@example.com:carol@example.org"),
    to("source route of two", "@example.com,@mail.example.com:carol@example.org"),
    to("source route to a percent", "@example.org:carol%example.org@example.com"),
    to("source route in quotes", '"@example.com:carol@example.org"@example.com'),
    # beyond ASCII
    to("IDN as U-label", "carol@b\u00fccher.example"),
    to("IDN as A-label", "carol@xn--bcher-kva.example"),
    to("IDN as U-label, upper case", "carol@B\u00dcCHER.EXAMPLE"),
    to("IDN with an ideographic full stop", "carol@example\u3002org"),
    to("IDN that folds to ASCII", "carol@\uff45xample.org"),
    to("percent to a U-label", "carol%b\u00fccher.example@example.com"),
    to("percent from a UTF-8 local part", "c\u00e4rol%example.org@example.com"),
    to("invalid UTF-8", b"carol\xff%example.org@example.com"),
    to("invalid UTF-8 in the domain", b"carol@ex\xffample.org"),
    # by a forged sender
    by("the null sender", ""),
    by("MAILER-DAEMON", "MAILER-DAEMON"),
    by("mailer-daemon of a remote domain", "Mailer-Daemon@example.net"),
    by("MAILER-DAEMON of our domain", "MAILER-DAEMON@example.com", "local-hosts"),
    by("a local user", "anna@example.com", "local-users"),
    by("a local user, spelled otherwise", 'Anna@"EXAMPLE. COM."', "local-users"),
    by("a local user, by percent", "anna%example.com", "local-users"),
    by("an extension of a local user", "anna+x@example.com", "local-hosts"),
    by("an alias", "boss@example.com", "local-hosts"),
    by("nobody in particular, at home", "nobody@host.example", "local-hosts"),
    by("a sender of a relay domain", "anna@backup.example"),
    by("a local user without a domain", "anna"),
    by("a local user at a single label", "anna@mail"),
    by("a local user behind another domain", "anna%example.com@example.net"),
    by("a local user in quotes at another domain", '"anna@example.com"@example.net'),
    by("a local user at two domains", "anna@example.com@example.net"),
    by("our domain in front of another", "anna@example.com.example.net"),
    by("our domain's end", "anna@notexample.com"),
    by("an accepted sender from another client", "friend@far.example"),
    by("an accepted sender by bang from another client", "far.example!friend"),
    # by the client
    client("IPv4-mapped", "::ffff:192.0.2.10"),
    client("IPv4-mapped, refused in a granted block", "::ffff:198.51.100.99"),
    client("refused in a granted block", "198.51.100.99"),
    client("refused in a granted block, IPv6", "2001:db8:5:6::1"),
    client("refused, with a granted name", "198.51.100.99", "mail.example.net"),
    client("a granted IPv4 address in the end of an IPv6 one", "2001:db8::192.0.2.50"),
    client("no address", "[UNAVAILABLE]", "[UNAVAILABLE]"),
    client("no name", name="[UNAVAILABLE]"),
    client("no name for now", name="[TEMPUNAVAIL]"),
    client("a granted name, forged in reverse", name="[UNAVAILABLE]", reverse="mail.partner.example", deferred=True),
    client("the same for now", name="[TEMPUNAVAIL]", reverse="any.partner.example", deferred=True),
    client("the same by percent", name="[UNAVAILABLE]", reverse="mail.partner.example", deferred=True,
           recipient="carol%example.org@example.com"),
    client("a granted name, as reverse of another", name="client.example.net", reverse="mail.partner.example"),
    client("a name above the granted ones", name="partner.example"),
    client("a name that ends alike", name="notpartner.example"),
    client("a granted name in front", name="mail.partner.example.example.net"),
    client("a granted name in EHLO", name="[UNAVAILABLE]", hello="mail.partner.example"),
    client("a granted address in EHLO", name="[UNAVAILABLE]", hello="[192.0.2.50]"),
    # by another door
    Attempt("the class directly", service="direct"),
    Attempt("percent, the class directly", "carol%example.org@example.com", service="direct"),
    Attempt("bang, the class directly", "example.org!carol", service="direct"),
    Attempt("two @, the class directly", "carol@example.org@host.example", service="direct"),
    Attempt("without delay", service="early"),
    Attempt("policy_context = client alone", service="context"),
    Attempt("percent, policy_context = client alone", "carol%example.org@example.com", service="context"),
    Attempt("a port with AUTH, without it", service="sasl"),
)

# Looks like relaying and is none: accepted, because in the end it is for one of us.
AT_HOME = (
    to("upper case", "Bob@EXAMPLE.COM"),
    to("a trailing dot", "bob@example.com."),
    to("a blank in a quoted domain", 'bob@"example. com"'),
    to("a source route to us", "@example.org:bob@example.com"),
    to("no domain", "bob"),
    to("postmaster", "postmaster"),
    to("a full-width @, which is a letter to Postfix", "carol\uff20example.org"),
    to("a full-width percent at home", "carol\uff05example.org@example.com"),
    to("an extension that looks like an address", "bob+carol=example.org@example.com"),
    to("our relay domain", "carol@backup.example"),
)


def carry_through(postfix, one):
    """Tries the recipient and, where it is accepted, sends the message as well. Returns the reply to the recipient and
    the addresses that the message went to."""
    with SmtpSession(postfix.ports[one.service], one.client, hello=one.hello) as session:
        reply = session.try_rcpt(one.sender, one.recipient)
        if reply.code != 250:
            return reply, []
        return reply, postfix.delivered(session.data("Subject: an attempt\n\n%s\n" % one.what))


def test_attempts(tap, gate, postfix):
    for rules, step in RULE_SETS:
        gate.rules(*SITE, *rules)
        for one in ATTEMPTS:
            if one.may_from and step in LADDER and LADDER.index(step) >= LADDER.index(one.may_from):
                continue
            with tap.case("%s: %s" % (", ".join(rules), one.what)):
                reply, went_to = carry_through(postfix, one)
                text = "<%s> to <%s>: %s, went to %s" % (one.sender, one.recipient, reply, went_to)
                if one.deferred and reply.code == 450 and step != "nobody":
                    expect("4.7.25" in reply.text, text)
                else:
                    expect(500 <= reply.code <= 599, text)


def test_at_home(tap, gate, postfix):
    gate.rules(*SITE)
    for one in AT_HOME:
        with tap.case("accepted, because it is for us: " + one.what):
            reply, went_to = carry_through(postfix, one)
            text = "<%s>: %s, went to %s" % (one.recipient, reply, went_to)
            expect(reply.code == 250 and went_to and all(is_ours(address) for address in went_to), text)


def test_sessions(tap, gate, postfix):
    """Attempts that need more than one command."""
    gate.rules(*SITE)
    with tap.case("a remote recipient behind one of ours, in one transaction"):
        with SmtpSession(postfix.ports["spec"]) as session:
            expect_equal(session.try_rcpt("fred@example.net", "bob@example.com").code, 250)
            expect_equal(session.rcpt(REMOTE).code, 554)
            expect_equal(session.rcpt("carol%example.org@example.com").code, 554)
            expect_equal(postfix.delivered(session.data("Subject: one of three\n\ntext\n")), ["bob@example.com"])
    with tap.case("a transaction after one that was permitted for its sender"):
        with SmtpSession(postfix.ports["spec"], Client("192.0.2.80")) as session:
            expect_equal(session.try_rcpt("friend@far.example", REMOTE).code, 250)
            expect_equal(session.try_rcpt("fred@example.net", REMOTE).code, 554)
            expect_equal(session.try_rcpt("", REMOTE).code, 554)
    with tap.case("AUTH with a wrong password, and without an offer"):
        for service, code in (("sasl", 535), ("spec", 503)):
            with SmtpSession(postfix.ports[service]) as session:
                expect_equal(session.auth_plain("anna@example.com", "wrong").code, code)
                expect_equal(session.try_rcpt("anna@example.com", REMOTE).code, 554)
    with tap.case("a second transaction in the text of a message, after bare line ends"):
        with SmtpSession(postfix.ports["spec"]) as session:
            expect_equal(session.try_rcpt("fred@example.net", "bob@example.com").code, 250)
            expect_equal(session.command("DATA").code, 354)
            session.send(b"Subject: smuggling\n\nx\n.\nMAIL FROM:<fred@example.net>\nRCPT TO:<carol@example.org>\n"
                         b"DATA\nSubject: smuggled\n\nx\n.\n")
            postfix.delivered(session.command("\r\n."))


def is_ours(address):
    local_part, _, domain = address.rpartition("@")
    return domain.lower() in OURS and not set(local_part) & set("%!@")


def test_nothing_leaked(tap, gate, postfix):
    with tap.case("after all attempts: nothing was delivered to a domain that is not ours"):
        expect_equal([address for address in postfix.all_recipients() if not is_ours(address)], [])
    with tap.case("after all attempts: the log shows what is relayed by right, so it would have shown a leak"):
        gate.rules(*SITE)
        reply, went_to = carry_through(postfix, client("by right", "192.0.2.50"))
        expect_equal((reply.code, went_to), (250, [REMOTE]))
        expect_equal([address for address in postfix.all_recipients() if not is_ours(address)], [REMOTE])


def program(tap, scratch):
    gate = Gatepostd(scratch)
    postfix = Postfix(scratch, gate.endpoint)
    Dovecot(scratch, postfix, {"anna@example.com": "secret"})
    for test in (test_attempts, test_at_home, test_sessions, test_nothing_leaked):
        test(tap, gate, postfix)
    with tap.case("gatepostd ends cleanly"):
        gate.stop()


if __name__ == "__main__":
    run(program)
