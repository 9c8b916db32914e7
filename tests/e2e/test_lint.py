#!/usr/bin/env python3
"""gatepost lint: what it says, what it leaves with, and that each of its commands mends what it is said to mend."""

import json
import os
import pty
import shlex
import sqlite3
import subprocess

from harness import BUILD_DIR, SOURCE_DIR, expect, expect_equal, run

README_RULES = "## Rules in five minutes"


class Site:
    """A database, and gatepost and sqlite3 on it, as an administrator's shell finds them."""

    def __init__(self, scratch):
        self.folder = scratch.folder("site")
        self.path = self.folder / "gatepost.db"
        tools = scratch.folder("tools")
        (tools / "gatepost").symlink_to(BUILD_DIR / "gatepost")
        (tools / "postconf").write_text("#!/bin/sh\n[ \"$*\" = '-xh mydomain' ] && echo example.com\n")
        (tools / "postconf").chmod(0o755)
        self.env = {**os.environ, "PATH": "%s:%s" % (tools, os.environ["PATH"]), "TZ": "UTC"}

    def fresh(self, sql=""):
        for path in self.folder.iterdir():
            path.unlink()
        self.shell("gatepost init --database %s" % self.path)
        self.sql(sql)

    def sql(self, text):
        with sqlite3.connect(self.path) as db:
            db.execute("PRAGMA ignore_check_constraints = on")
            db.executescript(text)

    def rules(self):
        """All rows, as they are."""
        with sqlite3.connect(self.path) as db:
            db.text_factory = bytes
            return {table: sorted(db.execute("SELECT * FROM %s" % table).fetchall(), key=repr)
                    for table in ("setting", "access_block", "relay_grant", "kill_entry", "accept_entry",
                                  "local_domain", "local_user", "local_list")}

    def shell(self, command, status=0):
        done = subprocess.run(["bash", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, env=self.env,
                              timeout=60)
        expect_equal(done.returncode, status, "%s\n%s%s" % (command[:500], done.stdout[-500:], done.stderr[-2000:]))
        expect(b"Sanitizer" not in done.stderr and b"runtime error" not in done.stderr, str(done.stderr))
        return done.stdout.decode()

    def lint(self, *options, status):
        return self.shell("gatepost lint --database %s %s" % (self.path, " ".join(options)), status)

    def findings(self, *options):
        """Those of --json; the exit status must fit them."""
        done = subprocess.run([BUILD_DIR / "gatepost", "lint", "--json", "--database", self.path, *options],
                              capture_output=True, timeout=60)
        expect(b"Sanitizer" not in done.stderr and b"runtime error" not in done.stderr, str(done.stderr))
        found = json.loads(done.stdout)
        bad = any(one["severity"] != "note" for one in found)
        expect_equal((done.returncode, done.stderr), (1 if bad else 0, b""), "exit status of lint")
        return found


def sane(tap, site):
    with tap.case("nothing is said of a new database"):
        site.fresh()
        expect_equal((site.lint(status=0), site.findings()), ("", []))
    with tap.case("nothing is said of the rules that the README shows"):
        text = (SOURCE_DIR / "README.md").read_text().split(README_RULES)[1].split("\n## ")[0]
        blocks = [line[4:] for line in text.splitlines() if line.startswith("    ")]
        commands = [line for line in blocks if line.startswith(("gatepost add", "gatepost set"))]
        statements = [line for line in blocks if line.startswith(("INSERT", "REPLACE"))]
        expect(len(commands) > 6 and len(statements) > 2, "the README has changed:\n" + text)
        for command in commands:
            site.shell(command.replace("gatepost ", "gatepost --database %s " % site.path, 1))
        site.sql("\n".join(statements))
        site.shell("gatepost --database %s add grant 127.0.0.0/8 ::1" % site.path)
        expect_equal((site.lint(status=0), site.findings()), ("", []))


TOLD = """\
errors
  grant-everybody  grant 0.0.0.0/0 # all of them
      this is an open relay: the block is larger than any network, so strangers are in it
      gatepost --database DATABASE remove grant 0.0.0.0/0

warnings
  host-bits  deny 203.0.113.9/28 until 2100-01-01T00:00:00
      bits below the mask are set, and do not count: the whole block is meant
      sqlite3 DATABASE "UPDATE access_block SET block = '203.0.113.0/28' WHERE block = '203.0.113.9/28'"

notes
  shadowed  kill fred@bluewidget.example
      this row changes nothing: broader ones say the same for as long: @*widget.example
      gatepost --database DATABASE remove kill fred@bluewidget.example

1 error, 1 warning, 1 note
"""

TOLD_SQL = """
INSERT INTO local_domain (domain) VALUES ('example.com');
INSERT INTO relay_grant (client, note) VALUES ('0.0.0.0/0', 'all of them');
INSERT INTO access_block (block, expires) VALUES ('203.0.113.9/28', 4102444800);
INSERT INTO kill_entry (sender) VALUES ('@*widget.example'), ('fred@bluewidget.example');
"""


def texts(tap, site):
    site.fresh(TOLD_SQL)
    with tap.case("findings are told by severity, with the row, why, and the command"):
        expect_equal(site.lint(status=1), TOLD.replace("DATABASE", str(site.path)))
    with tap.case("JSON says the same"):
        expect_equal([one["code"] for one in site.findings()], ["grant-everybody", "host-bits", "shadowed"])
        expect_equal(site.findings()[2], {
            "code": "shadowed", "severity": "note", "kind": "kill", "table": "kill_entry",
            "key": "fred@bluewidget.example", "client": None, "value": None,
            "why": "this row changes nothing: broader ones say the same for as long: @*widget.example",
            "mend": "gatepost --database %s remove kill fred@bluewidget.example" % site.path})
    with tap.case("--severity and --ignore choose, and the exit status goes with what is shown"):
        expect_equal([one["code"] for one in site.findings("--severity", "error")], ["grant-everybody"])
        expect_equal([one["code"] for one in site.findings("--ignore", "grant-everybody,host-bits")], ["shadowed"])
        expect_equal(site.findings("--severity=warning", "--ignore", "grant-everybody", "--ignore", "host-bits"), [])
        expect_equal(site.lint("--severity error --ignore grant-everybody", status=0), "")
    with tap.case("misuse is a usage error"):
        for options in ("--severity fatal", "--ignore no-such-code", "deny", "--frob"):
            expect_equal(site.lint(options, status=2), "")
    with tap.case("without a database there is nothing to look at"):
        site.shell("gatepost lint --database %s/none.db" % site.folder, status=69)
    with tap.case("a full disk is reported"):
        site.shell("gatepost lint --database %s > /dev/full" % site.path, status=74)
    with tap.case("a reader that leaves is no harm"):
        site.shell("gatepost lint --database %s | head -1 >/dev/null" % site.path)
    with tap.case("the command names no database that gatepost finds by itself"):
        conf = site.folder / "gatepost.conf"
        conf.write_text('database = "%s"\n' % site.path)
        expect("remove grant 0.0.0.0/0" in site.shell("gatepost lint -c %s" % conf, status=1), "it is told")
    with tap.case("a terminal gets colours, and is told that there is nothing"):
        expect("\033[31merrors\033[0m" in on_terminal(site, TERM="xterm", NO_COLOR=""), "colours")
        expect("\033" not in on_terminal(site, TERM="xterm", NO_COLOR="1"), "no colours")
        site.fresh()
        expect_equal(on_terminal(site, TERM="xterm", NO_COLOR="").strip(), "nothing found")


def on_terminal(site, **env):
    master, slave = pty.openpty()
    try:
        subprocess.run([BUILD_DIR / "gatepost", "lint", "--database", site.path], stdin=subprocess.DEVNULL,
                       stdout=slave, stderr=subprocess.PIPE, timeout=30, env={**site.env, **env})
        os.close(slave)
        slave = None
        text = b""
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:
                piece = b""
            if not piece:
                return text.decode()
            text += piece
    finally:
        os.close(master)
        if slave is not None:
            os.close(slave)


# Rules with findings of all codes, and some that lead to commands of all kinds. Each gets a database of its own.
MENDED = (
    ("relay-anyone", "INSERT INTO setting VALUES ('relay_for', 'anyone')"),
    ("forged-sender", "INSERT INTO setting VALUES ('relay_for', 'local-hosts')"),
    ("logins-unlimited", "INSERT INTO setting VALUES ('pop_before_smtp_match', 'address'), "
                         "('pop_before_smtp_max_accounts', '0')"),
    ("observe", "INSERT INTO setting VALUES ('observe', 'relay kill')"),
    ("nobody-may-connect", "INSERT INTO setting VALUES ('unlisted_clients', 'deny')"),
    ("nobody-may-connect", "INSERT INTO access_block (block) VALUES ('0.0.0.0/0'), ('192.0.2.0/24')"),
    ("host-bits", "INSERT INTO setting VALUES ('pop_before_smtp_skip', '192.0.2.7/24, ::1')"),
    ("host-bits", "INSERT INTO access_block (block, verdict, note) VALUES ('192.0.2.7/24', 'grant', 'it''s kept')"),
    ("host-bits", "INSERT INTO accept_entry (sender, client) VALUES ('o''hara@example.org', '192.0.2.7/24')"),
    ("not-understood", "INSERT INTO setting VALUES ('relay_for', 'everybody'), ('text_kill', 'no' || char(10))"),
    ("not-understood", "INSERT INTO setting VALUES ('it''s $HOME `id` \"!\"', '1')"),
    ("not-understood", "INSERT INTO relay_grant (client) VALUES ('192.0.2.300'), ('192.0.2.301')"),
    ("not-understood", "INSERT INTO relay_grant (client, verdict) VALUES ('192.0.2.3', 'perhaps')"),
    ("not-understood", "INSERT INTO access_block (block) VALUES ('192.0.2.9' || char(0)), ('192.0.2.9')"),
    ("not-understood", "INSERT INTO kill_entry (sender) VALUES ('a''b$(id)\\`\"!'), (CAST(x'ff1b5b324a' AS TEXT))"),
    ("not-understood", "INSERT INTO local_list (address) VALUES (printf('%.1000000c', 'x'))"),
    ("not-understood", "INSERT INTO local_domain (domain) VALUES ('a@' || char(10) || 'b')"),
    ("not-understood", "INSERT INTO accept_entry (sender, client) VALUES ('a@example.org', char(27) || ']0;x' || char(7))"),
    ("expired", "INSERT INTO access_block (block, expires) VALUES ('192.0.2.7', 5)"),
    ("expired", "INSERT INTO access_block (block, expires) VALUES ('192.0.2.7', 5), ('192.0.2.7/32', NULL)"),
    ("expired", "INSERT INTO accept_entry (sender, client, expires) VALUES ('-a b@example.org', '', 5), "
                "('-a b@example.org', '192.0.2.1', 5)"),
    ("expired", "INSERT INTO kill_entry (sender, expires) VALUES ('''; DROP TABLE kill_entry; --@example.org', 5), "
                "('@*$(id)', 5), (CAST(x'ff' AS TEXT) || '@example.org', 5), ('\u202e@example.org', 5)"),
    ("duplicate", "INSERT INTO relay_grant (client) VALUES ('192.0.2.0/24'), ('192.0.2.*'), ('192.0.2.0-255')"),
    ("duplicate", "INSERT INTO kill_entry (sender) VALUES ('J\u00dcRGEN''s@example.org'), ('j\u00fcrgen''s@example.org')"),
    ("duplicate", "INSERT INTO local_user (address, account) VALUES ('INFO', 'alice'), ('info', 'Alice')"),
    ("overruled", "INSERT INTO relay_grant (client, verdict) VALUES ('192.0.2.0/24', 'refuse'), ('192.0.2.*', 'grant')"),
    ("shadowed", "INSERT INTO relay_grant (client) VALUES ('192.0.2.0/24'), ('192.0.2.7'), ('192.0.2.9/32')"),
    ("shadowed", "INSERT INTO accept_entry (sender, client) VALUES ('@example.org', '192.0.2.0/24'), "
                 "('a@example.org', '192.0.2.1-3')"),
    ("shadowed", "INSERT INTO local_domain (domain) VALUES ('.example.net'), ('a.example.net')"),
    ("grant-everybody", "INSERT INTO relay_grant (client) VALUES ('0.0.0.0/0'), ('::/0'), ('192.0.2.7')"),
    ("grant-everybody", "INSERT INTO relay_grant (client) VALUES ('0.0.0.0/0'), ('0.0.0.0/0.0.0.0')"),
    ("grant-great-block", "INSERT INTO relay_grant (client) VALUES ('198.0.0.0/10')"),
    ("grant-private", "INSERT INTO relay_grant (client) VALUES ('10.0.0.0/8'), ('fc00::/7')"),
    ("grant-docker", "INSERT INTO relay_grant (client) VALUES ('172.17.0.0/16')"),
    ("grant-docker", "INSERT INTO relay_grant (client) VALUES ('172.17.0.1')"),
    ("grant-public-suffix", "INSERT INTO relay_grant (client) VALUES ('.com'), ('.co.uk')"),
    ("accept-any-client", "INSERT INTO accept_entry (sender) VALUES ('a@example.org'), ('@*example.net')"),
    ("accept-great-block", "INSERT INTO accept_entry (sender, client) VALUES ('a@example.org', '192.0.0.0/12')"),
    ("accept-everybody", "INSERT INTO accept_entry (sender) VALUES ('@*com'), ('@.org')"),
    ("list-with-domain", "INSERT INTO local_domain (domain) VALUES ('example.net'); INSERT INTO local_list (address, "
                         "remote_mail, note, expires) VALUES ('staff@example.com', 'no', 'it''s ours', 4102444800)"),
    ("list-with-domain", "INSERT INTO local_domain (domain) VALUES ('example.net'); INSERT INTO local_list (address) "
                         "VALUES ('-x@example.com'), ('-x@example.net'), (CAST(x'c3a9ff' AS TEXT) || '@example.net')"),
    ("no-local-domain", "DELETE FROM local_domain; INSERT INTO relay_grant (client) VALUES ('192.0.2.7')"),
)


def mending(tap, site):
    seen = set()
    for number, (code, sql) in enumerate(MENDED):
        with tap.case("%s is mended by its command: %s" % (code, sql[:60].replace("\n", " "))):
            site.fresh("INSERT INTO local_domain (domain) VALUES ('example.com');\n%s;" % sql)
            first = site.findings()
            expect(code in [one["code"] for one in first], "it is found: %s" % str(first)[:800])
            seen.update(one["code"] for one in first)
            before = first
            while before:
                one = before[0]
                rows = site.rules()
                site.shell(one["mend"])
                after = site.findings()
                expect(identity(one) not in map(identity, after), "still there: %s" % str(one)[:500])
                new = set(map(identity, after)) - set(map(identity, before))
                expect(not new, "new findings: %s" % str(new)[:800])
                expect_changes_one(one, rows, site.rules())
                before = after
            expect_equal(site.lint(status=0), "", "all is mended")
    with tap.case("each code has been mended"):
        listed = site.shell("sed -n 's/^    \\[LINT_.*{ \"\\([a-z-]*\\)\",.*/\\1/p' %s" % shlex.quote(
            str(SOURCE_DIR / "src/core/lint_codes.c"))).split()
        expect(len(listed) > 15, "the codes are found in the source")
        expect_equal(sorted(set(listed) - seen), [])


def identity(finding):
    return tuple(finding[name] for name in ("code", "table", "key", "client"))


def expect_changes_one(finding, before, after):
    """The command touches nothing but the row that it is about, and one that takes its place."""
    for table in before:
        gone = [row for row in before[table] if row not in after[table]]
        come = [row for row in after[table] if row not in before[table]]
        if table == finding["table"]:
            expect(len(gone) <= 1 and len(come) <= 1 and gone + come, "%s: %r -> %r" % (finding["mend"][:300], gone, come))
        else:
            expect_equal((gone, come), ([], []), finding["mend"][:300])


def kept(tap, site):
    with tap.case("what the row says besides is kept by the mending"):
        site.fresh("INSERT INTO local_domain (domain) VALUES ('example.com'), ('example.net');"
                   "INSERT INTO local_list (address, remote_mail, note, expires) VALUES"
                   " ('staff@example.com', 'no', 'it''s ours', 4102444800);"
                   "INSERT INTO access_block (block, verdict, note, created, expires) VALUES"
                   " ('192.0.2.7/24', 'deny', 'n', 7, 4102444800);")
        for one in site.findings():
            site.shell(one["mend"])
        rules = site.rules()
        expect_equal(rules["access_block"], [(b"192.0.2.0/24", b"deny", b"n", 7, 4102444800)])
        expect_equal([row[:3] + row[4:] for row in rules["local_list"]], [(b"staff", b"no", b"it's ours", 4102444800)])
    with tap.case("commands of one report can all be run, in any order"):
        site.fresh("INSERT INTO local_domain (domain) VALUES ('example.com');"
                   "INSERT INTO relay_grant (client) VALUES ('0.0.0.0/0'), ('192.0.2.0/24'), ('192.0.2.*'), ('192.0.2.7'),"
                   " ('192.0.2.7/32'), ('10.0.0.0/8'), ('.com'), ('.example.com'), ('a.b.example.com');")
        for one in reversed(site.findings()):
            site.shell(one["mend"])
        expect_equal([row[0] for row in site.rules()["relay_grant"]], [b".example.com", b"192.0.2.0/24"])


def hostile(tap, site):
    escape = "char(27) || '[2J' || char(7, 13, 10) || '\u202e'"
    with tap.case("what was put in by force is told without steering the terminal, and without an end in sight cut"):
        site.fresh("INSERT INTO access_block (block, note) VALUES (%s, %s);" % (escape, escape) +
                   "INSERT INTO accept_entry (sender, client, note) VALUES (%s, %s, %s);" % (escape, escape, escape) +
                   "INSERT INTO setting VALUES (%s, %s), ('relay_for', %s);" % (escape, escape, escape) +
                   "INSERT INTO local_user (address, account) VALUES ('\"; rm -rf / #', %s), (x'' || 'a@b@c', x'' || '');" % escape +
                   "INSERT INTO local_list (address, remote_mail) VALUES (CAST(x'c0afff' AS TEXT), %s);" % escape +
                   "INSERT INTO kill_entry (sender, expires) VALUES (printf('%.1000000c', 'y') || '@x.example', 5);" +
                   "INSERT INTO kill_entry (sender) VALUES (printf('%.1000000c', 'z'));")
        text = site.lint(status=1)
        text += site.shell("gatepost list kill --database %s | cut -c1-100; gatepost list accept --database %s"
                           % (site.path, site.path))
        bad = [c for c in text if (ord(c) < 32 and c != "\n") or c in "\x7f\u202e"]
        expect_equal(bad, [])
        expect(len(text) < 20000, "%d characters" % len(text))
        found = site.findings()
        expect(max(len(one["mend"]) for one in found) < 4000, "commands are short enough")
        expect_equal(sorted({one["code"] for one in found}), ["expired", "not-understood"])
        expect_equal(len(found), 8)  # the address that is an odd one, but one, is not among them
    with tap.case("their commands delete them and nothing else"):
        site.sql("INSERT INTO kill_entry (sender) VALUES ('fred@example.org')")
        for one in found:
            site.shell(one["mend"])
        rules = site.rules()
        expect_equal([row[0] for row in rules["kill_entry"]], [b"fred@example.org"])
        expect_equal({table: len(rows) for table, rows in rules.items() if rows}, {"kill_entry": 1, "setting": 1, "local_user": 1})
        expect_equal(site.lint(status=0), "")
    with tap.case("looking changes nothing"):
        before = site.rules()
        site.findings()
        expect_equal(site.rules(), before)
    with tap.case("a writer does not keep it from looking"):
        holder = sqlite3.connect(site.path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        holder.execute("INSERT INTO kill_entry (sender) VALUES ('FRED@example.org')")
        expect_equal(site.findings(), [])
        holder.execute("COMMIT")
        holder.close()
        expect_equal([one["code"] for one in site.findings()], ["duplicate"])


def many(tap, site):
    with tap.case("very many spellings of one block are told once each"):
        site.fresh("WITH RECURSIVE c (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < 19999) INSERT INTO "
                   "access_block (block) SELECT printf('198.51.%d.%d/16', i / 256, i % 256) FROM c;")
        found = site.findings()
        expect_equal({one["code"] for one in found}, {"duplicate"})
        expect_equal(len({one["key"] for one in found}), 19999)


def program(tap, scratch):
    site = Site(scratch)
    sane(tap, site)
    texts(tap, site)
    mending(tap, site)
    kept(tap, site)
    hostile(tap, site)
    many(tap, site)


if __name__ == "__main__":
    run(program)
