#!/usr/bin/env python3
"""The whole way: a user reads mail with a real Dovecot, its post-login program reports that to gatepostd, and a real
Postfix then relays for the user from that address, and for nobody else from anywhere else."""

import os
import pwd
import signal
import time

from harness import BUILD_DIR, SOURCE_DIR, Gatepostd, command, expect, expect_equal, run, wait_until
from logins import RedisLogins, SqliteLogins
from mailbox import Mailbox, imap_login, imap_mail, pop3_login, pop3_mail
from mta import Postfix
from smtp import Client, SmtpSession

HOOK = BUILD_DIR / "gatepost-postlogin"
REFRESH = SOURCE_DIR / "scripts/gatepost-refresh-logins"
REMOTE = "carol@example.org"
ALICE, BOB = "alice@example.com", "bob@example.com"
USERS = {ALICE: "secret", BOB: "words"}
SITE = ("domain example.com", "user " + ALICE, "user " + BOB, "alias info@example.com " + ALICE)
MESSAGE = "Subject: hello\n\nFor you.\n"
SLOWEST_LOGIN = 2.0  # 0.3 s are promised; the rest is for a slow machine


class Site:
    def __init__(self, scratch, store):
        self.store = store
        self.gate = Gatepostd(scratch, "--login-group", "dovecot", name=store.name, logins=store.url)
        self.gate.rules(*SITE)
        self.postfix = Postfix(scratch, self.gate.endpoint, name=store.name + ".postfix")
        self.mailbox = Mailbox(scratch, USERS, hook="%s --socket %s" % (HOOK, self.gate.login_socket),
                               hook_user="dovecot", name=store.name + ".mailbox")
        for user in USERS:
            self.mailbox.put(user, MESSAGE)

    def read_mail(self, protocol, user, address):
        """Logs in, sees the mail, and leaves. Returns how long the login took."""
        begun = time.monotonic()
        if protocol == "imap":
            session = imap_login(self.mailbox.imap_port, user, USERS[user.lower()], address)
            took, mail = time.monotonic() - begun, imap_mail(session)
            session.logout()
        else:
            session = pop3_login(self.mailbox.pop3_port, user, USERS[user.lower()], address)
            took, mail = time.monotonic() - begun, pop3_mail(session)
            session.quit()
        expect_equal(mail, [MESSAGE])
        return took

    def relays(self, client, sender):
        with SmtpSession(self.postfix.ports["spec"], Client(client)) as session:
            reply = session.try_rcpt(sender, REMOTE)
            expect(reply.code in (250, 554), str(reply))
            return reply.code == 250


def logins(case, site):
    for protocol in ("imap", "pop3"):
        for title, typed, address, elsewhere in (
                ("IPv4", ALICE, "192.0.2.10", "192.0.2.11"), ("IPv6", ALICE, "2001:db8::10", "2001:db8::11"),
                ("upper case", "Alice@EXAMPLE.com", "192.0.2.20", "192.0.2.21")):
            with case("%s, %s: the login opens the relay for this user from there, no more" % (protocol, title)):
                site.store.clear()
                expect(not site.relays(address, ALICE), "relays before the login")
                site.read_mail(protocol, typed, address)
                expect(site.relays(address, ALICE) and site.relays(address, "info@example.com"), "does not relay")
                expect(not site.relays(elsewhere, ALICE), "relays from another address")
                expect(not site.relays(address, BOB), "relays as another account")
    with case("IPv6 with a /64: any address of it"):
        site.store.clear()
        site.gate.change("set pop_before_smtp_ipv6_prefix 64")
        site.read_mail("imap", ALICE, "2001:db8:1:2::5")
        expect(site.relays("2001:db8:1:2:3::6", ALICE) and not site.relays("2001:db8:1:3::6", ALICE), "not by the /64")
        site.gate.rules(*SITE)
    with case("a message goes out"):
        site.read_mail("imap", ALICE, "192.0.2.10")
        with SmtpSession(site.postfix.ports["spec"], Client("192.0.2.10")) as session:
            expect_equal(session.try_rcpt(ALICE, REMOTE).code, 250)
            expect_equal(site.postfix.delivered(session.data(MESSAGE)), [REMOTE])
    with case("a wrong password opens nothing"):
        site.store.clear()
        try:
            imap_login(site.mailbox.imap_port, ALICE, "wrong", "192.0.2.10")
        except Exception:
            pass
        expect(not site.relays("192.0.2.10", ALICE), "relays")
    with case("after gatepost login remove and after expiry: refused"):
        for address in ("192.0.2.10", "192.0.2.11"):
            site.read_mail("imap", ALICE, address)
        site.gate.cli("login", "remove", "192.0.2.10")
        site.store.put("192.0.2.11", ALICE, int(time.time()) - 1)
        expect(not site.relays("192.0.2.10", ALICE) and not site.relays("192.0.2.11", ALICE), "relays")


def daemon_away(case, site):
    """Users get their mail, whatever becomes of gatepostd."""
    for title, begin, end in (
            ("hangs (SIGSTOP)", lambda: site.gate.process.send_signal(signal.SIGSTOP),
             lambda: site.gate.process.send_signal(signal.SIGCONT)),
            ("is dead", site.gate.kill, site.gate.start)):
        for protocol in ("imap", "pop3"):
            with case("%s: users get their mail while gatepostd %s" % (protocol, title)):
                site.store.clear()
                begin()
                try:
                    took = site.read_mail(protocol, ALICE, "192.0.2.30")
                finally:
                    end()
                expect(took < SLOWEST_LOGIN, "the login took %.2f s" % took)
    with case("gatepostd is back: logins count again"):
        site.read_mail("pop3", ALICE, "192.0.2.30")
        expect(site.relays("192.0.2.30", ALICE), "does not relay")


def refresh(case, site):
    """A session that outlives its record."""
    def run_it():
        command(REFRESH, "--socket", site.gate.login_socket, "--doveadm", "doveadm -c %s" % site.mailbox.config)
    with case("gatepost-refresh-logins prolongs the logins of open sessions, and of these alone"):
        site.store.clear()
        site.read_mail("imap", BOB, "192.0.2.41")
        sessions = [imap_login(site.mailbox.imap_port, ALICE, USERS[ALICE], "192.0.2.40"),
                    pop3_login(site.mailbox.pop3_port, BOB, USERS[BOB], "2001:db8::40")]
        wait_until(lambda: len(site.mailbox.doveadm("-f", "tab", "who", "-1").splitlines()) == 3, "both are listed")
        site.store.clear()
        before = int(time.time())
        run_it()
        expect_equal({address: list(users) for address, users in site.store.records().items()},
                     {"192.0.2.40": [ALICE], "2001:db8::40": [BOB]})
        expect(site.store.records()["192.0.2.40"][ALICE] >= before + 30 * 60 - 1, "not prolonged")
        expect(site.relays("192.0.2.40", ALICE) and site.relays("2001:db8::40", BOB), "does not relay")
        expect(not site.relays("192.0.2.41", BOB), "relays after the session")
        sessions[0].logout()
        sessions[1].quit()


def program(tap, scratch):
    expect(os.getuid() == 0 and pwd.getpwnam("dovecot"), "root, and Dovecot's users")
    for store in (SqliteLogins(scratch), RedisLogins(scratch)):
        def case(text, name=store.name):
            return tap.case("%s: %s" % (name, text))
        with case("runs to its end"):
            site = Site(scratch, store)
            logins(case, site)
            if store.name == "sqlite":  # what follows has nothing to do with the store
                daemon_away(case, site)
                refresh(case, site)
            site.gate.stop()


if __name__ == "__main__":
    run(program)
