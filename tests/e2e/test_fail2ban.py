#!/usr/bin/env python3
"""fail2ban with gatepost's action and filters: what a real gatepostd and a real Postfix log is found by a real fail2ban,
which bans by rules that take effect; and nobody else's rules are touched."""

import re
import shutil
import subprocess
import time

from harness import BUILD_DIR, SOURCE_DIR, Gatepostd, command, end_process, expect, expect_equal, run, wait_until
from mta import Postfix
from smtp import Client, Closed, SmtpSession

ATTACKER = Client("203.0.113.9", "bad.example.net")
SIXTH = Client("2001:db8::9", "bad.example.net")

JAILS = """
[gatepost]
enabled = true
backend = polling
logpath = {gatepostd}
usedns = no
ignoreip =
maxretry = 3
findtime = 10m
bantime = 2h
action = gatepost[gatepost="{gatepost} --database {database}"]

[gatepost-overlong]
enabled = true
backend = polling
logpath = {postfix}
usedns = no
ignoreip =
maxretry = 2
findtime = 10m
bantime = -1
action = gatepost[gatepost="{gatepost} --database {database}"]
"""


class Fail2ban:
    def __init__(self, scratch):
        self.folder = scratch.path / "fail2ban"
        shutil.copytree("/etc/fail2ban", self.folder)
        shutil.rmtree(self.folder / "jail.d")
        shutil.copytree(SOURCE_DIR / "scripts/fail2ban", self.folder, dirs_exist_ok=True)
        self.log = scratch.path / "fail2ban.log"
        (self.folder / "fail2ban.local").write_text("[Definition]\ndbfile = None\nlogtarget = %s\n" % self.log)
        self.scratch = scratch
        self.where = ["-c", self.folder, "-s", scratch.path / "fail2ban.sock", "-p", scratch.path / "fail2ban.pid"]

    def matched(self, log, filter_name):
        """The addresses that a filter finds in a log, and the lines that it leaves alone."""
        path = self.scratch.path / "some.log"
        path.write_text(log)
        out = command("fail2ban-regex", "-c", self.folder, "--print-all-missed", "-o", "ip", path, filter_name)
        said = command("fail2ban-regex", "-c", self.folder, "--print-all-missed", path, filter_name)
        return out.split(), re.findall(r"^\|  (.*)", said[said.find("Missed line"):], re.M)

    def start(self, gate, postfix):
        (self.folder / "jail.local").write_text(JAILS.format(gatepostd=gate.stderr, postfix=postfix.maillog, database=gate.database,
                                                             gatepost=BUILD_DIR / "gatepost"))
        with open(self.scratch.path / "fail2ban.out", "wb") as out:
            process = subprocess.Popen(["fail2ban-server", *self.where, "-xf", "start"], stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=out)
        self.scratch.at_end(lambda: end_process(process))
        wait_until(lambda: "gatepost-overlong' started" in self.text() or process.poll() is not None, "fail2ban starts")
        expect(process.poll() is None, (self.scratch.path / "fail2ban.out").read_text())

    def text(self):
        return self.log.read_text() if self.log.exists() else ""

    def client(self, *words):
        return command("fail2ban-client", *self.where[:4], *words)


def refusals(postfix, client, count=1):
    """Relay attempts, each refused."""
    with SmtpSession(postfix.ports["spec"], client) as session:
        for _ in range(count):
            reply = session.try_rcpt("fred@example.net", "carol@example.org")
            expect(500 <= reply.code < 600, str(reply))


def session_of(postfix, client, *lines):
    with SmtpSession(postfix.ports["spec"], client) as session:
        for line in lines:
            try:
                session.command(line)
            except Closed:
                break


def filters(tap, fail2ban, gate, postfix):
    gate.rules("domain example.com", "set relay_for addresses", "kill spam@example.net", "kill @*a b.example", "deny 203.0.113.66",
               "closed-list staff", "grant 203.0.113.70", "set max_recipients 1")
    refusals(postfix, ATTACKER)
    refusals(postfix, SIXTH)
    with SmtpSession(postfix.ports["spec"], ATTACKER) as session:
        session.command("VRFY bob@example.com")
        session.try_rcpt("spam@example.net", "bob@example.com")
        session.try_rcpt("fred@example.net", "a%b@example.com")
        session.try_rcpt("time=2020-01-01T00:00:00Z@example.net", "x@example.org")
    others = Client("203.0.113.10", "client=203.0.113.99")
    with SmtpSession(postfix.ports["spec"], Client("203.0.113.66")) as session:
        session.try_rcpt("fred@example.net", "bob@example.com")
    with SmtpSession(postfix.ports["spec"], others) as session:
        session.try_rcpt("fred@example.net", "bob@example.com")
        session.try_rcpt('"action=REJECT reason=relay state=RCPT client=203.0.113.98 "@example.net', "staff@example.com")
    gate.change("set observe all")
    with SmtpSession(postfix.ports["spec"], Client("203.0.113.11")) as session:
        session.try_rcpt("spam@example.net", "bob@example.com")
    gate.change("set observe kill", "set reply_style code")
    refusals(postfix, Client("203.0.113.12"))
    gate.decision(client="203.0.113.12")
    expected = ["203.0.113.9", "2001:db8::9"] + ["203.0.113.9"] * 4 + ["203.0.113.12"]
    for form, log in (
            ("on standard error", gate.text()),
            ("in syslog", re.sub(r"(?m)^time=\S+ ", "Nov 24 22:10:53 mail gatepostd[123]: ", gate.text())),
            ("on standard error, put into syslog", re.sub(r"(?m)^", "Nov 24 22:10:53 mail gatepostd[123]: ", gate.text())),
            ("with the dates of journalctl", re.sub(r"(?m)^", "2026-11-24T22:10:53+0000 mail gatepostd[123]: ", gate.text()))):
        with tap.case("what gatepostd refuses is found, " + form):
            found, missed = fail2ban.matched(log, "gatepost")
            expect_equal(found, expected, log)
        with tap.case("and what is not: denied already, observed, a list, what is only written by a client, " + form):
            for text in ("reason=access", "would=kill", "reason=list", "client=203.0.113.98"):
                expect(any(text in line for line in missed), "%s is not in\n%s" % (text, "\n".join(missed)))
    with tap.case("other reasons can be asked for"):
        found, _ = fail2ban.matched(gate.text(), "gatepost[reasons='list']")
        expect_equal(found, ["203.0.113.10"])


def overlong(tap, fail2ban, postfix):
    session_of(postfix, ATTACKER, "EHLO " + "x" * 3000)
    session_of(postfix, SIXTH, "MAIL FROM:<%s@example.net>" % ("x" * 5000))
    session_of(postfix, Client("203.0.113.20", "unknown"), "X" * 100000, "NOOP " + "x" * 3000)
    session_of(postfix, Client("203.0.113.21"), "EHLO " + "x" * 1000, "MAIL FROM:<%s@example.net>" % ("x" * 300), "FOO",
               "MAIL FROM:<request longer than 2048: a[203.0.113.98]: request longer than 9: x>", "GET / HTTP/1.1")
    wait_until(lambda: "non-SMTP command" in postfix.log(), "the log of the last session")
    with tap.case("over-long commands are found in Postfix's log, and no others"):
        found, _ = fail2ban.matched(postfix.log(), "gatepost-overlong")
        expect_equal(found, ["203.0.113.9", "2001:db8::9", "203.0.113.20", "203.0.113.20"], postfix.log())
    with tap.case("also of a smtpd with a name of its own, with ports, and of postscreen"):
        found, _ = fail2ban.matched(
            "Nov 24 22:10:53 mail postfix/submission/smtpd[1]: warning: a.example[192.0.2.1]:4711: request longer than 2048: EHLO x\n"
            "Nov 24 22:10:53 mail postfix/postscreen[1]: COMMAND LENGTH LIMIT from [192.0.2.2]:4711 after EHLO\n"
            "Nov 24 22:10:53 mail other/smtpd[1]: warning: a.example[192.0.2.3]: request longer than 2048: EHLO x\n", "gatepost-overlong")
        expect_equal(found, ["192.0.2.1", "192.0.2.2"])


def denied(gate, address):
    """The rows of access_block for an address: verdict, note, and seconds until it expires."""
    rows = gate.sql(".mode list\nSELECT verdict, ifnull(note, ''), ifnull(expires - unixepoch(), 'never') FROM access_block"
                    " WHERE block = '%s';" % address)
    return [tuple(row.split("|")) for row in rows.splitlines()]


def action(tap, fail2ban, gate, postfix):
    gate.rules("domain example.com", "allow 203.0.113.30")
    gate.sql("INSERT INTO access_block (block, note, expires) VALUES ('203.0.113.31', 'by hand', unixepoch() + 999999);")
    fail2ban.start(gate, postfix)
    for address in ("203.0.113.32", "2001:db8::32"):
        with tap.case("a ban of %s is a row that expires" % address):
            fail2ban.client("set", "gatepost", "banip", address)
            verdict, note, seconds = wait_until(lambda one=address: denied(gate, one), "the row")[0]
            expect_equal((verdict, note), ("deny", "fail2ban gatepost " + address))
            expect(7100 < int(seconds) <= 7200, seconds)
        with tap.case("and is gone when it ends"):
            fail2ban.client("set", "gatepost", "unbanip", address)
            wait_until(lambda one=address: not denied(gate, one), "the row is removed")
    with tap.case("a ban for ever"):
        fail2ban.client("set", "gatepost-overlong", "banip", "203.0.113.33")
        expect_equal(wait_until(lambda: denied(gate, "203.0.113.33"), "the row"),
                     [("deny", "fail2ban gatepost-overlong 203.0.113.33", "never")])
    with tap.case("rows of an administrator are neither shortened nor turned nor removed"):
        before = [denied(gate, one)[0][:2] for one in ("203.0.113.30", "203.0.113.31")]
        for verb in ("banip", "unbanip"):
            for address in ("203.0.113.30", "203.0.113.31"):
                fail2ban.client("set", "gatepost", verb, address)
        fail2ban.client("set", "gatepost", "banip", "203.0.113.34")
        wait_until(lambda: denied(gate, "203.0.113.34"), "what came behind")
        expect_equal([denied(gate, one)[0][:2] for one in ("203.0.113.30", "203.0.113.31")], before)
        expect(int(denied(gate, "203.0.113.31")[0][2]) > 900000, str(denied(gate, "203.0.113.31")))
        expect("ERROR" not in fail2ban.text(), fail2ban.text())
    with tap.case("history tells that it was fail2ban"):
        expect_equal(gate.sql('SELECT DISTINCT "by" FROM rule_change WHERE key = \'203.0.113.32\';').split(), ["fail2ban"])
    with tap.case("relay attempts are banned: the next is denied"):
        fresh = Client("203.0.113.40", "bad.example.net")
        time.sleep(1)
        refusals(postfix, fresh, 3)
        wait_until(lambda: denied(gate, "203.0.113.40"), "fail2ban bans")
        gate.settle()
        with SmtpSession(postfix.ports["spec"], fresh) as session:
            expect("access denied" in session.try_rcpt("fred@example.net", "bob@example.com").text, "denied")
    with tap.case("and so is who sends over-long commands"):
        session_of(postfix, Client("203.0.113.41"), "EHLO " + "x" * 3000, "EHLO " + "x" * 3000)
        wait_until(lambda: denied(gate, "203.0.113.41"), "fail2ban bans")
    with tap.case("refusals of who is denied do not prolong that"):
        found, _ = fail2ban.matched(gate.text(), "gatepost")
        refusals(postfix, Client("203.0.113.40"))
        expect_equal(fail2ban.matched(gate.text(), "gatepost")[0], found)
    with tap.case("the daemon reports nothing"):
        gate.expect_no_report()


def program(tap, scratch):
    gate = Gatepostd(scratch)
    postfix = Postfix(scratch, gate.endpoint)
    fail2ban = Fail2ban(scratch)
    with tap.case("nothing is switched on as it is installed"):
        jails = (SOURCE_DIR / "scripts/fail2ban/jail.d/gatepost.conf").read_text()
        expect_equal(re.findall(r"(?m)^(?:enabled = (.*)|(\[.*\]))", jails),
                     [("", "[gatepost]"), ("false", ""), ("", "[gatepost-overlong]"), ("false", "")])
    filters(tap, fail2ban, gate, postfix)
    overlong(tap, fail2ban, postfix)
    action(tap, fail2ban, gate, postfix)


if __name__ == "__main__":
    run(program)
