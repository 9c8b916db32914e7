#!/usr/bin/env python3
"""POP before SMTP with a real Postfix, on both stores: who has just logged in may relay, and nobody else."""

import time

from harness import Gatepostd, expect, expect_equal, run, wait_until
from logins import RedisLogins, SqliteLogins
from mta import Postfix
from smtp import Client, SmtpSession

REMOTE = "carol@example.org"
REFUSED = "554 5.7.1 <%s>: Recipient address rejected: unknown local host example.org, not a gateway" % REMOTE
ALICE, BOB = "alice@example.com", "bob@example.com"
HERE, ELSEWHERE = "192.0.2.10", "192.0.2.11"
SITE = ("domain example.com", "domain mail.example.com", "user " + ALICE, "user " + BOB,
        "alias info@example.com " + ALICE, "alias sales " + ALICE, "alias boss@example.com " + BOB)
BY_ADDRESS = "set pop_before_smtp_match address"
NARROW, WIDE = "set pop_before_smtp_ipv6_prefix 128", "set pop_before_smtp_ipv6_prefix 64"
CROWD = [(name + "@example.com", HERE) for name in ("anna", "otto", "emma", "karl", "rosa")]

# What is asked, rules on top of SITE, logins, client, sender, whether it is relayed.
MATCHES = (
    ("who logged in", (), [(ALICE, HERE)], HERE, ALICE, True),
    ("nobody logged in", (), [], HERE, ALICE, False),
    ("from another address", (), [(ALICE, HERE)], ELSEWHERE, ALICE, False),
    ("as another account", (), [(ALICE, HERE)], HERE, BOB, False),
    ("as the same name elsewhere", (), [(ALICE, HERE)], HERE, "alice@example.net", False),
    ("as nobody", (), [(ALICE, HERE)], HERE, "", False),
    ("two at one address, the one", (), [(ALICE, HERE), (BOB, HERE)], HERE, ALICE, True),
    ("two at one address, the other", (), [(ALICE, HERE), (BOB, HERE)], HERE, BOB, True),
    ("one at two addresses", (), [(ALICE, HERE), (ALICE, ELSEWHERE)], HERE, ALICE, True),
    ("as an alias", (), [(ALICE, HERE)], HERE, "info@example.com", True),
    ("as an alias without domain", (), [(ALICE, HERE)], HERE, "sales@mail.example.com", True),
    ("as another's alias", (), [(ALICE, HERE)], HERE, "boss@example.com", False),
    ("with an extension", (), [(ALICE, HERE)], HERE, "alice+lists@example.com", True),
    ("with a bare sender", (), [(ALICE, HERE)], HERE, "alice", True),
    ("upper case in the login", (), [("Alice@EXAMPLE.com", HERE)], HERE, ALICE, True),
    ("upper case in the sender", (), [(ALICE, HERE)], HERE, "ALICE@Example.COM", True),
    ("login without domain", (), [("alice", HERE)], HERE, ALICE, True),
    ("login without domain, any local one", (), [("Alice", HERE)], HERE, "alice@mail.example.com", True),
    ("login without domain, a foreign one", (), [("alice", HERE)], HERE, "alice@example.net", False),
    ("login without domain, as an alias", (), [("alice", HERE)], HERE, "info@example.com", True),
    ("from IPv4 in IPv6", (), [(ALICE, "::ffff:192.0.2.10")], HERE, ALICE, True),
    ("from a refused client", ("refuse " + HERE,), [], HERE, ALICE, False),
    ("from IPv6", (NARROW,), [(ALICE, "2001:db8:1:2::5")], "2001:db8:1:2::5", ALICE, True),
    ("from IPv6 in another spelling", (NARROW,), [(ALICE, "2001:DB8:1:2:0::5")], "2001:db8:1:2::5", ALICE, True),
    ("from the same /64, not covered", (NARROW,), [(ALICE, "2001:db8:1:2::5")], "2001:db8:1:2::6", ALICE, False),
    ("from the same /64, covered", (WIDE,), [(ALICE, "2001:db8:1:2::5")], "2001:db8:1:2:3:4:5:6", ALICE, True),
    ("from another /64", (WIDE,), [(ALICE, "2001:db8:1:2::5")], "2001:db8:1:3::5", ALICE, False),
    ("match=address: any sender", (BY_ADDRESS,), [(ALICE, HERE)], HERE, "fred@example.net", True),
    ("match=address: from another address", (BY_ADDRESS,), [(ALICE, HERE)], ELSEWHERE, ALICE, False),
    ("match=address: three accounts", (BY_ADDRESS,), CROWD[:3], HERE, "fred@example.net", True),
    ("match=address: four accounts", (BY_ADDRESS,), CROWD[:4], HERE, "fred@example.net", False),
    ("match=address: four accounts, nor their own senders", (BY_ADDRESS,), CROWD[:4], HERE, CROWD[0][0], False),
    ("match=address: five, at most five", (BY_ADDRESS, "set pop_before_smtp_max_accounts 5"), CROWD, HERE, BOB, True),
    ("match=address: five, no limit", (BY_ADDRESS, "set pop_before_smtp_max_accounts 0"), CROWD, HERE, BOB, True),
    ("match=address: one account in four spellings", (BY_ADDRESS, "set pop_before_smtp_max_accounts 1"),
     [(name, HERE) for name in ("otto@example.com", "Otto@example.com", "OTTO@EXAMPLE.COM", "otto@Example.com")],
     HERE, "fred@example.net", True),
)


class Site:
    """One store, a daemon on it, and a Postfix that asks the daemon."""

    def __init__(self, scratch, store):
        self.store = store
        self.gate = Gatepostd(scratch, name=store.name + ".gate", logins=store.url)
        self.postfix = Postfix(scratch, self.gate.endpoint, name=store.name + ".postfix")

    def anew(self, *rules):
        self.store.clear()
        self.gate.rules(*SITE, *rules)

    def logged_in(self, *logins):
        for user, address in logins:
            expect_equal(self.gate.login(user, address), "action=OK")

    def session(self, client):
        return SmtpSession(self.postfix.ports["spec"], Client(client))

    def ask(self, client, sender, recipient=REMOTE):
        with self.session(client) as session:
            return session.try_rcpt(sender, recipient)

    def expect_relayed(self, client, sender, relayed=True):
        reply = self.ask(client, sender)
        expect(reply.code == 250 if relayed else str(reply) == REFUSED, str(reply))


def matching(case, site):
    for title, rules, logins, client, sender, relayed in MATCHES:
        with case("%s: %s" % (title, "relayed" if relayed else "refused")):
            site.anew(*rules)
            site.logged_in(*logins)
            site.expect_relayed(client, sender, relayed)


def ends(case, site):
    site.anew()
    with case("in one session: refused, and relayed from the login on"):
        with site.session(HERE) as session:
            expect_equal(str(session.try_rcpt(ALICE, REMOTE)), REFUSED)
            site.logged_in((ALICE, HERE))
            expect_equal(session.try_rcpt(ALICE, REMOTE).code, 250)
            expect_equal(site.postfix.delivered(session.data("Subject: hello\n\ntext\n")), [REMOTE])
    with case("in one session: relayed until the login ends"):
        with site.session(HERE) as session:
            site.store.put(HERE, ALICE, int(time.time()) + 3)
            expect_equal(session.try_rcpt(ALICE, REMOTE).code, 250)
            wait_until(lambda: session.try_rcpt(ALICE, REMOTE).code == 554, "the login ends", 10)
    with case("a login that has ended counts as absent, and a new one counts"):
        site.store.put(HERE, ALICE, int(time.time()) - 1)
        site.expect_relayed(HERE, ALICE, False)
        site.logged_in((ALICE, HERE))
        site.expect_relayed(HERE, ALICE)
    with case("match=address does not count those that have ended"):
        site.anew(BY_ADDRESS)
        site.logged_in(*CROWD)
        site.expect_relayed(HERE, BOB, False)
        for user, _ in CROWD[:3]:
            site.store.put(HERE, user, int(time.time()) - 1)
        site.expect_relayed(HERE, BOB)
    with case("after gatepost login remove: refused"):
        site.anew()
        site.logged_in((ALICE, HERE), (BOB, HERE), (ALICE, ELSEWHERE))
        site.gate.cli("login", "remove", HERE)
        site.expect_relayed(HERE, ALICE, False)
        site.expect_relayed(HERE, BOB, False)
        site.expect_relayed(ELSEWHERE, ALICE)
    with case("after gatepost login add: relayed"):
        site.gate.cli("login", "add", "Bob@example.com", "192.0.2.12")
        site.expect_relayed("192.0.2.12", BOB)
    with case("with pop_before_smtp = 0 no record counts, and none is made"):
        site.gate.change("set pop_before_smtp 0")
        site.expect_relayed(ELSEWHERE, ALICE, False)
        expect_equal(site.gate.login(ALICE, "192.0.2.13"), "action=OK not recorded")
        site.gate.change("unset pop_before_smtp")
        site.expect_relayed(ELSEWHERE, ALICE)
        site.expect_relayed("192.0.2.13", ALICE, False)
    with case("a client that is refused afterwards: refused"):
        site.gate.change("refuse " + ELSEWHERE)
        site.expect_relayed(ELSEWHERE, ALICE, False)
    with case("the relay is closed to all others (relay_for = nobody), not to logins"):
        site.gate.change("set relay_for nobody", "grant 192.0.2.20")
        site.expect_relayed("192.0.2.20", "fred@example.net", False)
        site.expect_relayed("192.0.2.12", BOB)


def other_steps(case, site):
    """The steps of SPEC 7 besides relaying in which a login counts."""
    with case("local_sender_auth: our sender is accepted with a login only"):
        site.anew("set local_sender_auth yes")
        expect_equal(site.ask(HERE, ALICE, BOB).code, 554)
        site.logged_in((ALICE, HERE))
        expect_equal(site.ask(HERE, ALICE, BOB).code, 250)
        reply = site.ask(HERE, BOB, ALICE)
        expect(reply.code == 554 and "local sender not authorized" in reply.text, str(reply))
    with case("refuse_null_sender = authenticated: refused with a login, not without"):
        site.anew(BY_ADDRESS, "set refuse_null_sender authenticated")
        expect_equal(site.ask(HERE, "", BOB).code, 250)
        site.logged_in((ALICE, HERE))
        reply = site.ask(HERE, "", BOB)
        expect(reply.code == 554 and "null sender not accepted" in reply.text, str(reply))
    with case("max_recipients: counted for a message of a login, not for others"):
        site.anew("set max_recipients 2")
        site.logged_in((ALICE, HERE))
        for client, code in ((HERE, 554), (ELSEWHERE, 354)):
            with site.session(client) as session:
                session.mail(ALICE)
                for name in ("bob", "anna", "otto"):
                    expect_equal(session.rcpt(name + "@example.com").code, 250)
                reply = session.command("DATA")
                expect_equal(reply.code, code, str(reply))
                expect((code == 354) != ("too many recipients" in reply.text), str(reply))
    with case("archive = outbound: the message of a login is copied, another's is not"):
        site.anew("set archive outbound", "set archive_to archive@example.com")
        site.logged_in((ALICE, HERE))
        for client, to in ((HERE, [BOB, "archive@example.com"]), (ELSEWHERE, [BOB])):
            with site.session(client) as session:
                expect_equal(session.try_rcpt(ALICE, BOB).code, 250)
                expect_equal(sorted(site.postfix.delivered(session.data("Subject: copy\n\ntext\n"))), sorted(to))
    with case("routed recipients and closed lists open with a login"):
        site.anew("closed-list staff")
        for recipient in ("carol%example.org@example.com", "staff@example.com"):
            expect_equal(site.ask(HERE, ALICE, recipient).code, 554)
        site.logged_in((ALICE, HERE))
        expect_equal(site.ask(HERE, ALICE, "staff@example.com").code, 250)
        with SmtpSession(site.postfix.ports["direct"], Client(HERE)) as session:
            expect_equal(session.try_rcpt(ALICE, "carol%example.org@example.com").code, 250)
    with case("a submission port wants SASL: a login is not enough"):
        port = site.postfix.ports["spec"]
        site.anew("set submission_ports %d" % port)
        site.logged_in((ALICE, HERE))
        with SmtpSession(port, Client(HERE, destaddr="192.0.2.1", destport=str(port))) as session:
            expect_equal(session.try_rcpt(ALICE, REMOTE).code, 554)


def program(tap, scratch):
    for store in (RedisLogins(scratch), SqliteLogins(scratch)):
        def case(text, name=store.name):
            return tap.case("%s: %s" % (name, text))
        with case("runs to its end"):
            site = Site(scratch, store)
            for part in (matching, ends, other_steps):
                part(case, site)
            site.gate.stop()


if __name__ == "__main__":
    run(program)
