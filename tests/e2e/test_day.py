#!/usr/bin/env python3
"""An administrator's first day, from the old server's lists to a tidy database: each command as it would be typed, and
what it does seen on a real Postfix."""

import re

from harness import Gatepostd, expect, expect_equal, run, wait_until
from mta import Postfix
from smtp import Client, SmtpSession

KILL_LST = "\ufefffred@example.org  \r\n@*widget.example\r\nspam.example\r\n203.0.113.66\r\nFred@Example.ORG\r\n"
ACCEPT_TXT = "partner@example.net\r\n"
TRUSTED_TXT = "# trusted, IceWarp\r\n192.0.2.1-50 ; the office\r\n198.51.100.* ; the branch\r\nmail.example.net ; the other server\r\n"
DOMAINS_TXT = "example.com\nmail.example.com\nsecond.example\nhost.example\nalias.example\nbackup.example relay\n"

OFFICE = Client("192.0.2.7", "office.example.net")
HOME = Client("203.0.113.9", "home.example.net")       # a colleague who works from home, whom nobody has thought of
SPAMMER = Client("203.0.113.66", "unknown")
REMOTE = "carol@example.org"


class Day:
    def __init__(self, scratch):
        self.folder = scratch.folder("old-server")
        self.folder.chmod(0o755)
        self.record = scratch.folder("spool", 0o755) / "requests"
        self.gate = Gatepostd(scratch, "--record", str(self.record))
        self.postfix = Postfix(scratch, self.gate.endpoint)

    def file(self, name, text):
        path = self.folder / name
        path.write_bytes(text.encode())
        return path

    def __call__(self, line, **options):
        """A command line; {name} stands for a file of the old server."""
        words = [word.format(record=self.record, **{path.name.replace(".", "_"): path for path in self.folder.iterdir()})
                 for word in re.findall(r'"[^"]*"|\S+', line)]
        return self.gate.cli(*(word.strip('"') for word in words), **options)

    def mail(self, client, sender, recipient):
        """One message; the reply to RCPT."""
        with SmtpSession(self.postfix.ports["spec"], client) as session:
            session.command("MAIL FROM:<%s>" % sender)
            reply = session.command("RCPT TO:<%s>" % recipient)
            return str(reply)


def come_over(tap, day):
    for name, text in (("kill.lst", KILL_LST), ("accept.txt", ACCEPT_TXT), ("trusted.txt", TRUSTED_TXT), ("domains.txt", DOMAINS_TXT)):
        day.file(name, text)
    with tap.case("first of all nothing is refused: observe"):
        day("set observe all")
    with tap.case("look at what the old lists would become"):
        said = day("import kill {kill_lst} --dry-run")
        expect("a list of IMail" in said and "+ deny 203.0.113.66" in said and "1 repeated" in said, said)
        expect_equal(day("list"), "")
    with tap.case("take them"):
        day("import kill {kill_lst}")
        day("import accept {accept_txt} --client 198.51.100.0/28")
        day("import grant {trusted_txt}")
        day("import domain {domains_txt}")
        expect_equal(len(day("list").splitlines()), 4 + 1 + 3 + 6)
    with tap.case("and look for what is wrong with them: nothing but that nothing is refused yet"):
        said = day("lint")
        expect("observe" in said and "error" not in said.splitlines()[0], said)


def watch(tap, day):
    with tap.case("while observing, everything goes as without gatepost, and is recorded"):
        day.gate.settle()
        expect(day.mail(OFFICE, "boss@example.com", "bob@example.com").startswith("250"), "local mail is not taken")
        expect(day.mail(SPAMMER, "x@example.net", "bob@example.com").startswith("250"), "a denied client is refused already")
        expect(day.mail(HOME, "anna@example.com", REMOTE).startswith("554"), "Postfix's own guard does not stand")
        wait_until(lambda: day.record.exists() and day.record.read_bytes().count(b"protocol_state=RCPT") >= 3, "the record is written")
    with tap.case("what would have been refused, had it been in force?"):
        said = day("replay {record}")
        expect("relay" in said and "access" in said, said)
        said = day('replay {record} --with "set observe vrfy"')
        expect("REJECT access" in said and "203.0.113.66" in said, said)
    with tap.case("then it is put in force"):
        day('set observe ""')
        day.gate.settle()
        expect(day.mail(SPAMMER, "x@example.net", "bob@example.com").startswith("554"), "a denied client is not refused")
        expect(day.mail(HOME, "fred@example.org", "bob@example.com").startswith("554"), "a killed sender is not refused")
        expect(day.mail(OFFICE, "boss@example.com", REMOTE).startswith("250"), "the office cannot relay")
        expect_equal(day("lint"), "")


def mend(tap, day):
    with tap.case("somebody calls: my mail is refused"):
        reply = day.mail(HOME, "anna@example.com", REMOTE)
        expect("example.org, not a gateway" in reply, reply)
    with tap.case("why?"):
        said = day("explain --client 203.0.113.9 --name home.example.net --from anna@example.com --to carol@example.org")
        offered = re.findall(r"gatepost .*?(add grant 203\.0\.113\.9\S*(?: --for \S+)?)", said)
        expect(offered, "no grant is offered:\n" + said)
        expect("carol@example.org" in said.strip().splitlines()[-1] or "carol@example.org" in said[-600:], said)
    with tap.case("the command that it offers mends it, at once, as Postfix sees it"):
        day(offered[0])
        day.gate.settle()
        expect(day.mail(HOME, "anna@example.com", REMOTE).startswith("250"), "it is still refused")
        expect("203.0.113.9" in day("list grant --hits"), "it is not listed")
    with tap.case("who did that, and back again"):
        line = day("history grant 203.0.113.9").strip().splitlines()[-1]
        expect("203.0.113.9" in line and "root" in line, line)
        seq = day.gate.sql("SELECT max(seq) FROM rule_change").strip()
        day("undo " + seq)
        day.gate.settle()
        expect(day.mail(HOME, "anna@example.com", REMOTE).startswith("554"), "it is still relayed")
    with tap.case("a whole import can be taken back, and that again"):
        first, last = (int(word) for word in re.search(r"undo (\d+)-(\d+)", day("import refuse -", text="192.0.2.40\n192.0.2.41\n")).groups())
        expect_equal(last - first, 1)
        day("undo %d-%d" % (first, last))
        expect_equal(day("list refuse"), "")
        newest = int(day.gate.sql("SELECT max(seq) FROM rule_change"))
        day("undo %d-%d" % (newest - 1, newest))
        expect_equal(len(day("list refuse").splitlines()), 2)


def tidy(tap, day):
    with tap.case("years later: what has expired goes"):
        day.gate.sql("INSERT INTO access_block (block, expires) VALUES ('203.0.113.77', unixepoch() - 90 * 86400), ('203.0.113.78', unixepoch() - 5)")
        expect("203.0.113.77" in day("list deny --expired"), "it is not listed")
        said = day("prune --expired --older-than 30d")
        expect("203.0.113.77" in said and "203.0.113.78" not in said, said)
        expect_equal(len(day("list deny --expired").splitlines()), 1)
    with tap.case("the daemon says how the day was"):
        said = day("status")
        expect("REJECT" in said and "access_block" in said or "deny" in said, said)
        report = day.gate.cli("status", "--json")
        expect('"203.0.113.66"' not in report, "a denied client is called a granted one")
    with tap.case("and everything is in the backup"):
        path = day.folder / "backup.db"
        day("backup %s" % path)
        expect_equal(day.gate.cli("list", "--database", path), day("list"))


def program(tap, scratch):
    day = Day(scratch)
    come_over(tap, day)
    watch(tap, day)
    mend(tap, day)
    tidy(tap, day)


if __name__ == "__main__":
    run(program)
