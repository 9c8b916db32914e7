#!/usr/bin/env python3
"""The command line as an administrator uses it, and misuses it."""

import json
import os
import sqlite3
import subprocess
import time

from admin import Gatepost
from harness import BUILD_DIR, expect, expect_equal, run


# command line, exit status, what the message says
STEPS = (
    ("get relay_for", 69, "gatepost init"),
    ("init", 0, "schema version 1"),
    ("init", 0, "schema version 1"),
    ("add deny 203.0.113.7/255.255.255.0 198.51.100.1-50", 0, "203.0.113.0/24 (written 203.0.113.7/255.255.255.0; bits"),
    ("add deny 203.0.113.*", 0, "203.0.113.0/24"),
    ("add allow 203.0.113.0/24", 1, "gatepost remove deny 203.0.113.0/24"),
    ("remove allow 203.0.113.0/24", 1, "gatepost remove deny 203.0.113.0/24"),
    ("add allow 192.0.2.7", 0, "added allow 192.0.2.7"),
    ("add grant 192.0.2.0/24 mail.example.net .example.org 2001:DB8::/32", 0, "2001:db8::/32 (written 2001:DB8::/32)"),
    ("add refuse 192.0.2.13", 0, "added refuse"),
    ("add refuse mail.example.com", 65, "cannot be refused"),
    ("add grant 192.0.2.300", 65, "192.0.2.300"),
    ("add grant 192.0.2.1 192.0.2.300", 65, "192.0.2.300"),
    ("add grant unknown", 65, "unknown"),
    ("add kill @*widget.example Fred@Example.NET @.example.org", 0, "fred@example.net (written Fred@Example.NET)"),
    ("add kill widget.example", 65, "@host"),
    ("add kill a@@b", 65, "more than one @"),
    ("add kill a@b --client 192.0.2.1", 2, "--client"),
    ("add accept @example.org", 2, "--any-client"),
    ("add accept @example.org --client everywhere", 65, "everywhere"),
    ("add accept @example.org --client 192.0.2.0/24", 0, "from 192.0.2.0/24"),
    ("add accept @example.org --any-client", 0, "added accept"),
    ("add accept @example.org --any-client --client 192.0.2.1", 2, "contradict"),
    ("remove accept @example.org", 1, "2 clients"),
    ("remove accept @Example.ORG --client 192.0.2.*", 0, "removed accept @example.org from 192.0.2.0/24"),
    ("remove accept @example.org", 0, "removed accept"),
    ("add domain example.com B\u00dcCHER.example", 0, "xn--bcher-kva.example"),
    ("add domain .example.com --relay", 0, "added domain .example.com"),
    ("add user bob@example.com", 0, "added user"),
    ("add user info --account bob@example.com", 0, "added user info"),
    ("add user info --account eve@example.com", 1, "gatepost remove user info"),
    ("add list staff --remote-mail no", 0, "added list"),
    ("add list staff2 --remote-mail perhaps", 65, "neither yes nor no"),
    ("add deny 198.51.100.200 --for 2h --note a\u00a0note", 0, "until"),
    ("add deny 198.51.100.200 --for soon", 65, "2h"),
    ("add deny 198.51.100.200 --until 2001-01-01T00:00", 65, "past"),
    ("--json list deny", 0, '"note": "a\u00a0note"'),
    ("list nonsense", 2, "deny, allow"),
    ("list", 0, "domain  .example.com relay"),
    ("remove deny 198.51.100.200 192.0.2.99", 1, "192.0.2.99"),
    ("remove deny 198.51.100.200/255.255.255.255", 0, "removed deny 198.51.100.200"),
    ("remove deny 198.51.100.200", 1, "not there"),
    ("set relay_for anyone", 1, "--yes"),
    ("set relay_for local-users", 1, "forges"),
    ("set relay_for local-users --yes", 0, "relay_for"),
    ("get relay_for", 0, "local-users"),
    ("set relay_for addresses", 0, ""),
    ("set relay_for everybody", 65, "nobody, addresses"),
    ("set no_such 1", 65, "no setting"),
    ("get no_such", 1, "no setting"),
    ("set pop_before_smtp 99999", 65, "0 to 10080"),
    ("get", 0, 'pop_before_smtp              "30"  (default)'),
    ("get --json", 0, '"relay_for": "addresses"'),
    ("explain --client 203.0.113.9 --from a@example.net --to bob@example.com", 0, "access_block 203.0.113.0/24, verdict deny"),
    ("explain --client 192.0.2.13 --from a@example.net --to x@example.org", 0,
     "action=REJECT 5.7.1 unknown local host example.org, not a gateway"),
    ("explain --client 198.51.100.77 --from info@example.com --to x@example.org --login bob@example.com", 0, "action=OK"),
    ("explain client_address=192.0.2.1 sender=a@example.net recipient=x@example.org", 0, "relay_grant 192.0.2.0/24"),
    ("explain client_adress=192.0.2.1", 65, "client_adress"),
    ("explain nonsense", 2, "NAME=VALUE"),
    ("explain", 2, "explain what"),
    ("explain --from a@b", 2, "--client"),
    ("", 2, "which command"),
    ("frobnicate", 2, "frobnicate"),
    ("add", 2, "kind"),
    ("add deny", 2, "key"),
    ("add deny --for", 2, "--for"),
    ("add deny 192.0.2.1 --frob", 2, "--frob"),
    ("--help", 0, "explain"),
    ("add --help", 0, "Example"),
    ("--version", 0, "gatepost"),
)


def daily(tap, scratch, gatepost):
    for line, status, text in STEPS:
        with tap.case("gatepost %s: %d" % (line, status)):
            said = gatepost(*line.split(" ") if line else (), status=status)
            expect(text in said, "%r is not in:\n%s" % (text, said))
    with tap.case("several keys are all or none"):
        expect_equal(gatepost.rows("SELECT count(*) FROM relay_grant WHERE client = '192.0.2.1'"), [(0,)])
    with tap.case("control characters in a note are refused in words"):
        expect_equal(gatepost("add", "deny", "192.0.2.200", "--note", "a\nb", status=65), "gatepost: a control character in the note\n")
    with tap.case("a key in two spellings is one, also where it is there in a third"):
        gatepost.sql("INSERT INTO access_block (block) VALUES ('198.51.100.9-9')")
        gatepost("add", "deny", "198.51.100.8", "198.51.100.9", "198.51.100.9/32", "198.51.100.8/32", "--note", "x")
        expect_equal(gatepost.rows("SELECT block, note FROM access_block WHERE block GLOB '198.51.100.[89]*' ORDER BY 1"),
                     [("198.51.100.8", "x"), ("198.51.100.9-9", "x")])
        gatepost("remove", "deny", "198.51.100.9", "198.51.100.8", "198.51.100.9/32")
        expect_equal(gatepost.rows("SELECT 1 FROM access_block WHERE block GLOB '198.51.100.[89]*'"), [])
    with tap.case("JSON is what was put in"):
        listed = json.loads(gatepost("list", "--json"))
        expect({"kind": "user", "address": "info", "account": "bob@example.com"}.items()
               <= next(row for row in listed if row.get("address") == "info").items(), str(listed))
        json.loads(gatepost("explain", "--json", "client_address=192.0.2.1"))
    with tap.case("the same key again renews expiry and note"):
        gatepost("add", "deny", "198.51.100.201", "--for", "1h", "--note", "first")
        gatepost("add", "deny", "198.51.100.201", "--note", "second")
        expect_equal(gatepost.rows("SELECT note, expires FROM access_block WHERE block = '198.51.100.201'"), [("second", None)])
    with tap.case("an expired row is replaced, whatever its verdict"):
        gatepost.rows("INSERT INTO access_block (block, verdict, expires) VALUES ('198.51.100.202', 'grant', 5)")
        expect("expired" in gatepost("list", "allow", "--expired"), "it is listed as expired")
        gatepost("add", "deny", "198.51.100.202")
        expect_equal(gatepost.rows("SELECT verdict, expires FROM access_block WHERE block = '198.51.100.202'"), [("deny", None)])
    with tap.case("a row in another spelling is found"):
        gatepost.rows("INSERT INTO access_block (block) VALUES ('198.51.100.240/255.255.255.240')")
        gatepost("add", "allow", "198.51.100.240/28", status=1)
        gatepost("remove", "deny", "198.51.100.240-255")
    with tap.case("who changed what is written down"):
        gatepost("add", "kill", "eve@example.net", env={**os.environ, "SUDO_USER": "alice"})
        expect_equal(gatepost.rows('SELECT "by", kind, key, op FROM rule_change ORDER BY seq DESC LIMIT 1'),
                     [("alice", "kill_entry", "eve@example.net", "insert")])
    with tap.case("--by says so instead"):
        gatepost("remove", "kill", "eve@example.net", "--by", "the night shift")
        expect_equal(gatepost.rows('SELECT "by", op FROM rule_change ORDER BY seq DESC LIMIT 1'), [("the night shift", "delete")])
        gatepost("add", "kill", "eve@example.net")
    with tap.case("the path comes from the daemon's configuration file"):
        conf = scratch.path / "gatepost.conf"
        conf.write_text('database = "%s"\n' % gatepost.path)
        done = subprocess.run([BUILD_DIR / "gatepost", "list", "kill", "-c", conf], capture_output=True, text=True, timeout=30)
        expect("eve@example.net" in done.stdout, done.stdout + done.stderr)


def misuse(tap, scratch, gatepost):
    before = gatepost.dump()
    hostile = ("'; DROP TABLE access_block; --", "\x1b]0;owned\x07", "\x01\x02", "x" * 100000, "a\nb", "\udcff\udcfe", "%s%n%s", "")
    for word in hostile:
        for kind in ("deny", "grant", "domain", "user", "kill"):
            with tap.case("add %s %r" % (kind, word[:20])):
                done = subprocess.run([BUILD_DIR / "gatepost", "--database", gatepost.path, "add", kind, "--", word],
                                      stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
                expect(b"\x1b" not in done.stderr + done.stdout, "a terminal escape gets through")
                expect(b"Sanitizer" not in done.stderr and b"runtime error" not in done.stderr, str(done.stderr))
                if done.returncode == 0:  # a name that is one, if a strange one
                    subprocess.run([BUILD_DIR / "gatepost", "--database", gatepost.path, "remove", kind, "--", word],
                                   stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=True)
                else:
                    expect(done.returncode in (65, 1, 2), "status %d" % done.returncode)
                    expect(done.stderr.startswith(b"gatepost: "), str(done.stderr[:300]))
    with tap.case("the rules are as they were"):
        def rules(dump):
            return [line for line in dump if "rule_change" not in line and "sqlite_sequence" not in line]
        expect_equal(rules(gatepost.dump()), rules(before))
    with tap.case("a closed pipe is reported"):
        with open("/dev/full", "w") as full:
            gatepost("list", status=74, stdout=full)
    with tap.case("a database that somebody holds: a wait, then a message, and nothing half done"):
        holder = sqlite3.connect(gatepost.path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        expect("locked" in gatepost("add", "deny", "198.51.100.250", status=69), "the message says so")
        expect(time.monotonic() - begun > 1, "it waited")
        holder.execute("ROLLBACK")
        holder.close()
        expect_equal(gatepost.rows("SELECT count(*) FROM access_block WHERE block = '198.51.100.250'"), [(0,)])
    with tap.case("a file that is no database is left alone"):
        letter = scratch.path / "letter"
        letter.write_text("Dear administrator, this is a letter and no database.\n" * 30)
        for words in (("init",), ("add", "deny", "192.0.2.1"), ("list",)):
            done = subprocess.run([BUILD_DIR / "gatepost", "--database", letter, *words], capture_output=True, text=True, timeout=30)
            expect_equal(done.returncode, 78, done.stderr)
            expect("not an SQLite database" in done.stderr, done.stderr)
        expect(letter.read_text().startswith("Dear"), "it was changed")


def program(tap, scratch):
    gatepost = Gatepost(scratch, init=False)
    daily(tap, scratch, gatepost)
    misuse(tap, scratch, gatepost)


if __name__ == "__main__":
    run(program)
