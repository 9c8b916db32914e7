#!/usr/bin/env python3
"""Lists of others and our own, taken in and written out, as an administrator does it."""

import os
import random
import sqlite3
import subprocess

from admin import Gatepost
from harness import expect, expect_equal, run

KINDS = ("deny", "allow", "grant", "refuse", "kill", "accept", "domain", "user", "list")
TABLES = ("access_block", "relay_grant", "kill_entry", "accept_entry", "local_domain", "local_user", "local_list")

KILL_LST = b"\xef\xbb\xbffred@example.org  \r\n@*widget.example\r\nspam.example\r\n192.0.2.66\r\nFred@Example.ORG\r\n"
ACCEPT_TXT = "partner@example.org\r\npartner.example\r\n198.51.100.7\r\n"
ICEWARP = "# trusted\r\n192.0.2.1-50 ; the desks\r\n192.0.2.64/255.255.255.192\r\n198.51.100.*\r\n203.0.113.7 # printer\r\n" \
          "mail.example.net ; the other server\r\n"

# A list is refused as a whole: kind, text, what is said
REFUSED = (
    ("deny", "192.0.2.1\n192.0.2.300\n192.0.2.2\n", ":2: \"192.0.2.300\""),
    ("deny", "192.0.2.1\nmail.example.net\n", ":2: "),
    ("kill", "a@example.net\nfred@@widget.example\n", ":2: \"fred@@widget.example\" has more than one @"),
    ("refuse", "mail.example.net\n", ":1: \"mail.example.net\": a host name cannot be refused"),
    ("list", "staff remote_mail perhaps\n", ":1: remote mail: \"perhaps\" is neither yes nor no"),
    ("user", "info account a@b@c\n", ":1: account"),
    ("domain", "example.com\n*.example.com\na,b.example\n", ":2: \"*.example.com\" is not one domain"),
    ("kill", "user@.x.example\n@*a\nu@a*b.example\n", ":3: \"u@a*b.example\": an address has one host"),
    ("domain", "user@example.com\n", ":1: \"user@example.com\" is an address"),
    ("deny", "192.0.2.0/24 reject\n192.0.2.7 dunno\n", ":2: 192.0.2.7 would count here, but never does in Postfix"),
    ("grant", "!192.0.2.5 192.0.2.0/24\n", "gatepost add refuse 192.0.2.5"),
    ("grant", "192.0.2.0 255.255.255.0\n192.0.2.1 reject\n", "--from imail or --from cidr"),
    ("user", "info account a@example.com\ninfo account b@example.com\n", ":2: \"info\" contradicts line 1"),
    ("deny", "192.0.2.1 until yesterday\n", ":1: until"),
    ("deny", "{\"block\": \"192.0.2.1\",}", ":1: this is no JSON"),
)


def foreign(tap, gatepost):
    with tap.case("kill.lst: byte order mark, CRLF, trailing blanks, bare hosts, addresses, repeated in other case"):
        said = gatepost("import", "kill", gatepost.file("kill.lst", KILL_LST))
        expect("is read as a list of IMail" in said and "4 added, 1 repeated" in said, said)
        expect_equal(sorted(gatepost.rows("SELECT sender FROM kill_entry")),
                     [("@*widget.example",), ("@spam.example",), ("fred@example.org",)])
        expect_equal(gatepost.rows("SELECT block, verdict FROM access_block"), [("192.0.2.66", "deny")])
    with tap.case("accept.txt wants to know from where"):
        path = gatepost.file("accept.txt", ACCEPT_TXT)
        expect("--any-client" in gatepost("import", "accept", path, status=2), "it is not said")
        gatepost("import", "accept", path, "--client", "198.51.100.0/28")
        expect_equal(sorted(gatepost.rows("SELECT sender, client FROM accept_entry")),
                     [("@partner.example", "198.51.100.0/28"), ("partner@example.org", "198.51.100.0/28")])
        expect_equal(gatepost.rows("SELECT client, verdict FROM relay_grant"), [("198.51.100.7", "grant")])
    with tap.case("IceWarp's trusted addresses, with their remarks as notes"):
        said = gatepost("import", "grant", gatepost.file("trusted.txt", ICEWARP))
        expect("a list of IceWarp" in said and "5 added" in said, said)
        expect_equal(gatepost.rows("SELECT client, note FROM relay_grant WHERE note LIKE 'the%' ORDER BY client"),
                     [("192.0.2.1-192.0.2.50", "the desks"), ("mail.example.net", "the other server")])
    with tap.case("mynetworks, and what of it is not taken"):
        path = gatepost.file("networks", "127.0.0.0/8 [2001:db8::]/32, hash:/etc/postfix/nets /etc/nets $x\n")
        done = gatepost.run("import", "grant", path)
        expect_equal(done.returncode, 0, done.stderr)
        expect_equal(done.stderr.decode().count("is not taken because"), 3, done.stderr)
        expect(gatepost.rows("SELECT 1 FROM relay_grant WHERE client = '2001:db8::/32'"), "IPv6 is missing")
    with tap.case("from standard input"):
        gatepost("import", "refuse", "-", text="203.0.113.0/24\n")
        expect(gatepost.rows("SELECT 1 FROM relay_grant WHERE client = '203.0.113.0/24' AND verdict = 'refuse'"), "absent")


def refused(tap, gatepost):
    before = gatepost.dump()
    for kind, text, says in REFUSED:
        with tap.case("import %s %r" % (kind, text[:40])):
            said = gatepost("import", kind, gatepost.file("list", text), status=65)
            expect(says in said, "%r is not in:\n%s" % (says, said))
    with tap.case("what is there with another verdict is not turned"):
        gatepost("add", "allow", "203.0.113.9")
        said = gatepost("import", "deny", gatepost.file("list", "192.0.2.1\n203.0.113.9\n"), status=65)
        expect(":2: " in said and "gatepost remove allow 203.0.113.9" in said, said)
        gatepost("remove", "allow", "203.0.113.9")
    with tap.case("nothing has been changed by any of them"):
        def rules(dump):
            return [line for line in dump if "rule_change" not in line and "sqlite_sequence" not in line]
        expect(rules(gatepost.dump()) == rules(before), "something has changed")


def merged(tap, scratch):
    gatepost = Gatepost(scratch, "merged")
    with tap.case("--dry-run shows the difference and makes none"):
        gatepost("add", "deny", "192.0.2.1", "192.0.2.2", "--note", "old")
        gatepost("add", "allow", "192.0.2.99")
        path = gatepost.file("list", "192.0.2.2 # new\n192.0.2.3 until 2100-01-01T00:00\n")
        before = gatepost.dump()
        said = gatepost("import", "deny", path, "--replace", "--dry-run")
        expect("- deny 192.0.2.1 # old" in said and "~ deny 192.0.2.2 # new  (was 192.0.2.2 # old)" in said
               and "+ deny 192.0.2.3 until 2100-01-01T00:00:00" in said, said)
        expect(gatepost.dump() == before, "something has changed")
    with tap.case("--replace swaps the kind, and leaves the other verdict"):
        gatepost("import", "deny", path, "--replace", "--by", "alice")
        expect_equal(gatepost.rows("SELECT block, verdict, note FROM access_block ORDER BY block"),
                     [("192.0.2.2", "deny", "new"), ("192.0.2.3", "deny", None), ("192.0.2.99", "grant", None)])
        expect_equal(gatepost.rows('SELECT DISTINCT "by" FROM rule_change WHERE seq > 3'), [("alice",)])
    with tap.case("without --replace what is there keeps note and expiry where the list says none"):
        gatepost("import", "deny", gatepost.file("list", "192.0.2.2/32\n192.0.2.4\n"))
        expect_equal(gatepost.rows("SELECT block, note FROM access_block WHERE verdict = 'deny' ORDER BY block"),
                     [("192.0.2.2", "new"), ("192.0.2.3", None), ("192.0.2.4", None)])
    with tap.case("an expired row does not stand in the way"):
        gatepost.rows("INSERT INTO access_block (block, verdict, expires) VALUES ('192.0.2.50', 'grant', 5)")
        gatepost("import", "deny", gatepost.file("list", "192.0.2.50\n"))
        expect_equal(gatepost.rows("SELECT verdict, expires FROM access_block WHERE block = '192.0.2.50'"), [("deny", None)])
    with tap.case("with --note only rows with that note are swapped"):
        gatepost("add", "domain", "example.com", "example.org")
        gatepost("import", "domain", gatepost.file("list", "example.com relay\nexample.net\n"), "--note", "robot", "--replace")
        said = gatepost("import", "domain", gatepost.file("list", "example.com relay\nexample.info\n"), "--note", "robot", "--replace")
        expect("1 added, 1 removed, 1 left to whom they belong" in said, said)
        expect_equal(gatepost.rows("SELECT domain, kind, note FROM local_domain ORDER BY domain"),
                     [("example.com", "local", None), ("example.info", "local", "robot"), ("example.org", "local", None)])
    with tap.case("rows that mean the same in other spellings become one with --replace"):
        gatepost.rows("INSERT INTO access_block (block) VALUES ('198.51.100.0/255.255.255.0'), ('198.51.100.*')")
        gatepost("import", "deny", gatepost.file("list", "198.51.100.0/24\n"), "--replace")
        expect_equal(gatepost.rows("SELECT count(*) FROM access_block WHERE verdict = 'deny'"), [(1,)])


def fill(gatepost, seed):
    """Rows of every kind that are awkward to write down."""
    rand = random.Random(seed)
    def some(*choices):
        return rand.choice(choices)
    notes = (None, "a note", " framed ", '"', "# not a comment", "\u00fcber", "a 'quoted' \\ one", "")
    blocks = ["192.0.2.%d" % i for i in range(1, 9)] + ["198.51.100.0/24", "203.0.113.64/26", "2001:db8::/32", "2001:db8:1::7"]
    rand.shuffle(blocks)
    expires = (None, None, 4102444800, 5)
    for block in blocks:
        gatepost.rows("INSERT INTO access_block (block, verdict, note, expires) VALUES (?, ?, ?, ?)",
                      block, some("deny", "grant"), some(*notes), some(*expires))
        gatepost.rows("INSERT INTO relay_grant (client, verdict, note, expires) VALUES (?, ?, ?, ?)",
                      block, some("refuse", "grant"), some(*notes), some(*expires))
    for name in ("mail.example.net", ".example.org"):
        gatepost.rows("INSERT INTO relay_grant (client, note) VALUES (?, ?)", name, some(*notes))
    for sender in ("fred@example.net", "@example.org", "@.example.org", "@*widget.example", "john smith@example.com", "a#b;c@example.com",
                   '"q"@example.com'):
        gatepost.rows("INSERT INTO kill_entry (sender, note, expires) VALUES (?, ?, ?)", sender, some(*notes), some(*expires))
        gatepost.rows("INSERT INTO accept_entry (sender, client, note) VALUES (?, ?, ?)", sender, some("", "192.0.2.0/24"), some(*notes))
    for domain in ("example.com", ".example.com", "[192.0.2.1]"):
        gatepost.rows("INSERT INTO local_domain (domain, kind, note) VALUES (?, ?, ?)", domain, some("local", "relay"), some(*notes))
    for address in ("bob", "info@example.com", "a b"):
        gatepost.rows("INSERT INTO local_user (address, account, note) VALUES (?, ?, ?)", address, some(None, "bob", "x y@example.com"), some(*notes))
        gatepost.rows("INSERT INTO local_list (address, remote_mail, note) VALUES (?, ?, ?)", address, some(None, "yes", "no"), some(*notes))


def contents(gatepost, columns="*"):
    return {table: sorted(gatepost.rows("SELECT %s FROM %s" % (columns, table)), key=repr) for table in TABLES}


def forged(tap, scratch):
    gatepost = Gatepost(scratch, "forged")
    with tap.case("who lets senders in from anywhere is told what that means, in the list as by an option, once"):
        for words, text, times in (((), "a@example.net from anywhere\nb@example.net from anywhere\n", 1), ((), "a@example.net from anywhere\n", 0),
                                   ((), "c@example.net from 192.0.2.1\n", 0), (("--any-client",), "d@example.net\n", 1)):
            said = gatepost.run("import", "accept", "-", *words, text=text).stderr.decode()
            expect_equal(said.count("forges such a sender"), times, "%r %s" % (text, said))


def other_kind(tap, scratch):
    source, copy = Gatepost(scratch, "denied"), Gatepost(scratch, "granted")
    source("add", "deny", "192.0.2.0/24")
    for form, kind in (("plain", "grant"), ("plain", "allow"), ("plain", "kill"), ("json", "grant"), ("cidr", "grant")):
        with tap.case("what is exported as deny, %s, does not become %s by mistake" % (form, kind)):
            said = copy("import", kind, "-", text=source("export", "deny", "--format", form), status=65)
            expect("kind deny" in said or "kind grant" in said, said)
            expect_equal(copy.rows("SELECT count(*) FROM rule_change"), [(0,)])
    with tap.case("but where the format is given, and a cidr table as the other verdict of its table"):
        copy("import", "grant", "-", "--from", "plain", text=source("export", "deny"))
        copy("import", "allow", "-", text=source("export", "deny", "--format", "cidr"))
        expect_equal(copy.rows("SELECT block, verdict FROM access_block UNION ALL SELECT client, verdict FROM relay_grant"),
                     [("192.0.2.0/24", "deny"), ("192.0.2.0/24", "grant")])


def identity(tap, scratch):
    for seed in range(2):
        source = Gatepost(scratch, "source%d" % seed)
        fill(source, seed)
        for form in ("plain", "json"):
            with tap.case("what is exported as %s is imported as the same (%d)" % (form, seed)):
                copy = Gatepost(scratch, "copy%d.%s" % (seed, form))
                for kind in KINDS:
                    path = copy.file("list", source("export", kind, "--format", form))
                    copy("import", kind, path)
                    expect("0 added" in source("import", kind, path, "--replace") and not source.run(
                        "import", kind, path, "--replace", "--dry-run").stdout.count(b"\n+ "), "in place it changes something")
                ours, theirs = contents(source), contents(copy)
                if form == "plain":  # which does not say when a row was created
                    ours, theirs = ({t: [r[:-2] + r[-1:] for r in rows] for t, rows in c.items()} for c in (ours, theirs))
                expect_equal(theirs, ours)
            with tap.case("and again as %s where it is, expired rows in whatever spelling among it (%d)" % (form, seed)):
                source.sql("INSERT OR IGNORE INTO access_block (block, expires) VALUES ('203.0.113.7-7', 5)")
                before = source.dump()
                for kind in KINDS:
                    source("import", kind, source.file("list", source("export", kind, "--format", form)))
                expect(source.dump() == before, "something has changed")
                source.rows("DELETE FROM access_block WHERE block = '203.0.113.7-7'")
        with tap.case("a cidr table too, but for what it cannot hold (%d)" % seed):
            copy = Gatepost(scratch, "copy%d.cidr" % seed)
            for kind in ("deny", "grant"):
                copy("import", kind, copy.file("list", source.run("export", kind, "--format", "cidr").stdout))
            live = "WHERE ifnull(expires, 9e9) > 6"
            for table, key in (("access_block", "block"), ("relay_grant", "client")):
                query = "SELECT %s, verdict, note, expires FROM %s %s AND %s NOT LIKE '%%example%%' ORDER BY 1" % (key, table, live, key)
                expect_equal(copy.rows(query), source.rows(query))


def cidr(tap, scratch):
    gatepost = Gatepost(scratch, "cidr")
    with tap.case("a cidr table has the longest first, ranges as prefixes, and no expired row"):
        gatepost("add", "deny", "192.0.2.0/24", "203.0.113.1-3")
        gatepost("add", "allow", "192.0.2.7", "192.0.2.0/28")
        gatepost.rows("INSERT INTO access_block (block, expires) VALUES ('198.51.100.1', 5)")
        lines = [line for line in gatepost("export", "deny", "--format", "cidr").splitlines() if not line.startswith("#")]
        expect_equal(lines, ["192.0.2.7 dunno", "203.0.113.1 reject", "203.0.113.2/31 reject", "192.0.2.0/28 dunno", "192.0.2.0/24 reject"])
    with tap.case("Postfix reads it as we do"):
        table = gatepost.file("table", gatepost("export", "deny", "--format", "cidr"))
        gatepost.file("main.cf", "")
        for address, verdict in (("192.0.2.7", "dunno"), ("192.0.2.9", "dunno"), ("192.0.2.99", "reject"), ("203.0.113.3", "reject")):
            done = subprocess.run(["postmap", "-c", gatepost.folder, "-q", address, "cidr:%s" % table], capture_output=True, text=True, timeout=20)
            expect_equal(done.stdout.strip(), verdict, done.stderr)


def long_and_hostile(tap, scratch):
    gatepost = Gatepost(scratch, "long")
    with tap.case("120,000 lines: the log is what it would be, and the daemon's way to follow it, too"):
        path = gatepost.file("many", "".join("user%d@example%d.com\n" % (i, i % 100) for i in range(120000)))
        said = gatepost("import", "kill", path)
        expect("120000 added" in said and "undo" not in said, said)
        expect_equal(gatepost.rows("SELECT count(*), max(seq), count(DISTINCT \"by\"), count(DISTINCT at) FROM rule_change"),
                     [(100000, 120000, 1, 1)])
        expect_equal(gatepost.rows("SELECT count(*) FROM rule_change r JOIN kill_entry k ON k.sender = r.key"
                                   " WHERE json_extract(r.new, '$.sender') = k.sender"), [(100000,)])
    before = gatepost.dump()
    hostile = {
        "binary": bytes(range(256)) * 100, "NUL": b"192.0.2.1\n\0", "long line": b"x" * 10000000, "escapes": b"\x1b]0;owned\x07\n" * 10,
        "SQL": b"'; DROP TABLE access_block; --\n", "quotes": b'"""\n', "UTF-16": "192.0.2.1\n".encode("utf-16"),
        "half JSON": b'[{"block": "192.0.2', "deep JSON": b"[" * 100000, "formats": b"%s%n%s\n", "a long key": b"a" * 60000 + b"@example.com\n",
    }
    for name, text in hostile.items():
        for kind in ("deny", "kill", "user"):
            if kind == "user" and name in ("SQL", "formats"):
                continue  # a name that is one, if a strange one
            with tap.case("import %s of %s" % (kind, name)):
                done = gatepost.run("import", kind, gatepost.file("hostile", text))
                expect_equal(done.returncode, 65, done.stdout + done.stderr[:500])
                expect(done.stderr.startswith(b"gatepost: "), done.stderr[:300])
                expect(b"\x1b" not in done.stderr + done.stdout, "a terminal escape gets through")
                expect(len(done.stderr) < 100000, "%d bytes are said" % len(done.stderr))
    for words, status in ((("import", "deny", "/dev/zero"), 65), (("import", "deny", "/nonexistent"), 65), (("import", "deny", "/tmp"), 65),
                          (("import", "deny"), 2), (("import", "nonsense", "-"), 2), (("import", "deny", "-", "--from", "x"), 2),
                          (("import", "kill", "-", "--from", "cidr"), 2), (("export", "kill", "--format", "cidr"), 2),
                          (("export",), 2), (("export", "deny", "--format", "x"), 2), (("edit",), 2), (("edit", "x"), 2)):
        with tap.case("gatepost " + " ".join(words)):
            gatepost(*words, status=status)
    with tap.case("all of them have left the rules as they were"):
        expect(gatepost.dump() == before, "something has changed")
    with tap.case("a pipe that closes is reported"):
        reader, writer = os.pipe()
        os.close(reader)
        done = gatepost.run("export", "kill", stdout=writer)
        os.close(writer)
        expect_equal(done.returncode, 74, done.stderr)
    with tap.case("a database that somebody holds: a wait, then a message, and nothing half done"):
        holder = sqlite3.connect(gatepost.path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        expect("locked" in gatepost("import", "deny", "-", text="192.0.2.1\n", status=69), "it is not said")
        holder.close()
        expect(gatepost.dump() == before, "something has changed")
    with tap.case("a bar shows what takes long, on a terminal only"):
        shown, status = gatepost.on_terminal("import", "kill", path, "--replace")
        expect_equal(status, 0, shown)
        expect("120000 there already" in shown, shown)


def program(tap, scratch):
    gatepost = Gatepost(scratch)
    foreign(tap, gatepost)
    refused(tap, gatepost)
    merged(tap, scratch)
    forged(tap, scratch)
    other_kind(tap, scratch)
    identity(tap, scratch)
    cidr(tap, scratch)
    long_and_hostile(tap, scratch)


if __name__ == "__main__":
    run(program)
