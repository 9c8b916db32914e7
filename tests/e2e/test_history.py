#!/usr/bin/env python3
"""gatepost history: who changed what when, however it was done."""

import os
import sqlite3
import subprocess
import time

from admin import SECONDS, Gatepost
from harness import expect, expect_equal, run


def lines(text):
    """Each line as its number, its name and its words; the time is looked at elsewhere."""
    return [tuple(line.split("  ", 1)[1].strip().split(None, 1)) for line in text.splitlines()]


def words(gatepost, *arguments):
    """What was done, one text a change, with who did it in front."""
    return [rest.replace("(by SQL)", "SQL") for _, rest in lines(gatepost("history", *arguments))]


def squeezed(texts):
    return [" ".join(text.split()) for text in texts]


def tells(tap, gatepost):
    with tap.case("nothing yet: nothing to tell"):
        expect_equal(gatepost("history"), "")
        expect_equal(gatepost.json("history"), [])
        expect("no such change" in gatepost("history", "deny", "192.0.2.1", status=1), "said")
    with tap.case("who: --by, SUDO_USER, the login name, and SQL"):
        gatepost("add", "deny", "203.0.113.0/24", "--note", "port scans", "--by", "alice")
        gatepost("add", "grant", "192.0.2.7", "--note", "a", env={**os.environ, "SUDO_USER": "bob"})
        env = {name: value for name, value in os.environ.items() if name != "SUDO_USER"}
        gatepost("set", "relay_for", "nobody", env=env)
        gatepost.sql("UPDATE relay_grant SET note = 'b'; DELETE FROM setting;")
        me = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        expect_equal(squeezed(words(gatepost)), [
            "alice added deny 203.0.113.0/24 # port scans", "bob added grant 192.0.2.7 # a",
            "%s set relay_for: addresses (default) -> nobody" % me,
            'SQL changed grant 192.0.2.7: note "a" -> "b"', "SQL set relay_for: nobody -> addresses (default)"])
    with tap.case("when: in local time"):
        for zone in ("UTC", "Asia/Tokyo"):
            shown = gatepost("history", "deny", env={**os.environ, "TZ": zone}).split()[0]
            at, = gatepost.rows("SELECT at FROM rule_change WHERE kind = 'access_block'")
            os.environ["TZ"] = zone
            time.tzset()
            expect_equal(shown, time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(at[0])))
        os.environ.pop("TZ")
        time.tzset()
    with tap.case("plain sqlite3 in all its forms"):
        gatepost.sql("""
            REPLACE INTO relay_grant(client, verdict, note, created) SELECT client, 'refuse', note, created FROM relay_grant;
            INSERT INTO access_block(block) VALUES('203.0.113.0/24') ON CONFLICT(block) DO UPDATE SET note = 'upsert';
            INSERT OR IGNORE INTO access_block(block) VALUES('203.0.113.0/24');
            UPDATE access_block SET block = '203.0.113.0/25' WHERE block = '203.0.113.0/24';
            INSERT INTO access_block(block) VALUES('203.0.113.128/25');
            UPDATE OR REPLACE access_block SET block = '203.0.113.0/25' WHERE block = '203.0.113.128/25';
            BEGIN; DELETE FROM access_block; ROLLBACK;""")
        expect_equal(squeezed(words(gatepost))[5:], [
            "SQL changed grant 192.0.2.7: verdict grant -> refuse",
            'SQL changed deny 203.0.113.0/24: note "port scans" -> "upsert"',
            "SQL changed deny 203.0.113.0/24: block 203.0.113.0/24 -> 203.0.113.0/25",
            "SQL added deny 203.0.113.128/25",
            "SQL removed deny 203.0.113.0/25 # upsert",
            "SQL changed deny 203.0.113.128/25: block 203.0.113.128/25 -> 203.0.113.0/25"])


def chooses(tap, gatepost):
    cases = (
        ("grant", "1 2"), ("refuse", "2"), ("deny", "3 4 5 7"), ("allow", "6"), ("kill", "8"), ("accept", "9 10"),
        ("setting", "11 12"), ("domain", "13"), ("user", ""), ("deny 192.0.2.0/255.255.255.0", "3"),
        ("deny 192.0.2.64-127", "4 5"), ("deny 192.0.2.64-192.0.2.127", "4 5"), ("grant 192.0.2.7/32", "1 2"),
        ("refuse 192.0.2.8", "2"), ("kill Fred@EXAMPLE.net", "8"), ("accept @example.ORG", "9 10"),
        ("domain B\u00fccher.example", "13"), ("setting archive", "12"), ("--by alice", "1 2"),
        ("--by alice refuse", "2"), ("--by nobody", ""), ("--since 1000", "1 2 3 4 5 6 7 8 9 10 11 12 13"),
        ("--since 2001-09-09T01:46", "5 6 7 8 9 10 11 12 13"), ("--since 1h", "13"), ("deny 999.9.9.9", "7"))
    gatepost("init")
    gatepost("add", "grant", "192.0.2.7", "--by", "alice")
    gatepost.sql("UPDATE relay_grant SET client = '192.0.2.8', verdict = 'refuse';")
    gatepost.rows("UPDATE rule_change SET \"by\" = 'alice'")
    gatepost.sql("""INSERT INTO access_block(block) VALUES('192.0.2.7/24'), ('192.0.2.64/26');
        UPDATE access_block SET note = 'x' WHERE block = '192.0.2.64/26';
        INSERT INTO access_block(block, verdict) VALUES('192.0.2.0/25', 'grant');
        INSERT INTO access_block(block) VALUES('999.9.9.9');
        INSERT INTO kill_entry(sender) VALUES('fred@example.net');
        INSERT INTO accept_entry(sender, client) VALUES('@Example.org', ''), ('@example.org', '192.0.2.1');
        INSERT INTO setting VALUES('max_recipients', '5'), ('archive', 'inbound');
        UPDATE rule_change SET at = 1000 * seq;
        UPDATE rule_change SET at = 1000000000 * seq / 5 + 60 WHERE seq > 4;
        INSERT INTO local_domain(domain) VALUES('b\u00fccher.EXAMPLE');
        UPDATE rule_change SET at = 1600000000 WHERE at > 1600000000 AND seq < 13;""")
    for arguments, seqs in cases:
        with tap.case("history %s: %s" % (arguments, seqs or "nothing")):
            shown = gatepost("history", *arguments.split(), env={**os.environ, "TZ": "UTC"})
            expect_equal(" ".join(seq for seq, _ in lines(shown)), seqs)
            expect_equal(" ".join(str(row["seq"]) for row in gatepost.json("history", *arguments.split())), seqs)
    with tap.case("--by with an empty name: what was made by SQL"):
        expect_equal(len(gatepost("history", "--by", "").splitlines()), 11)
    for arguments, status, text in (("nonsense", 2, "setting, deny"), ("deny 192.0.2.1 x", 2, "a kind and a key"),
                                    ("deny nonsense", 65, "no block"), ("kill @@", 65, "more than one @"),
                                    ("setting nonsense", 1, "gatepost get"), ("deny 192.0.2.99", 1, "no such change"),
                                    ("setting reply_style", 1, "no such change"), ("--since soon", 65, "2h"),
                                    ("--since", 2, "--since"), ("--since -5", 65, "2h"), ("--frob", 2, "--frob")):
        with tap.case("history %s: %d" % (arguments, status)):
            expect(text in gatepost("history", *arguments.split(), status=status), "said")


def folds(tap, gatepost):
    gatepost("init")
    blocks = ["192.0.2.%d" % i for i in range(200)]
    gatepost("add", "deny", *blocks, "--by", "alice")
    gatepost("add", "kill", *("u%d@example.net" % i for i in range(10)))
    with tap.case("many changes of one transaction are one line, few are not"):
        shown = lines(gatepost("history"))
        expect_equal(shown[0], ("1-200", "alice       added 200 deny  (--all shows each)"))
        expect_equal(len(shown), 11)
    with tap.case("--all shows each, and so does JSON"):
        expect_equal(len(gatepost("history", "--all").splitlines()), 210)
        expect_equal([row["new"]["block"] for row in gatepost.json("history", "deny")], blocks)
    with tap.case("one of them by its key"):
        expect_equal(lines(gatepost("history", "deny", "192.0.2.77"))[0][0], "78")
    with tap.case("a full log, of which the oldest is gone"):
        gatepost.sql("""WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 100100) INSERT INTO
            access_block(block) SELECT printf('2001:db8::%x:%x', i / 65536, i % 65536) FROM n;""")
        shown = gatepost("history")
        expect(len(shown.splitlines()) < 5 and "-100310 " in shown, shown[-500:])
        expect_equal(len(gatepost("history", "--all").splitlines()), 100000)
    with tap.case("the reader may leave early"):
        reader = subprocess.Popen(gatepost.argv("history", "--all"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        reader.stdout.readline()
        reader.stdout.close()
        err = reader.stderr.read().decode()
        reader.stderr.close()
        expect_equal(reader.wait(SECONDS), 74, err)
        expect("could not be written" in err, err)
        with open("/dev/full", "w") as full:
            gatepost("history", status=74, stdout=full)


def hostile(tap, gatepost):
    gatepost("init")
    db = sqlite3.connect(gatepost.path)
    db.execute("PRAGMA ignore_check_constraints = ON")
    change = "INSERT INTO rule_change(at, \"by\", kind, key, op, old, new) VALUES(?, ?, ?, ?, ?, ?, ?)"
    nasty = "\x1b]0;owned\x07'; DROP TABLE setting; --\u202e\n"
    deep = "[" * 5000 + "]" * 5000
    rows = [(at, by, kind, key, op, old, new)
            for at in (0, -1, 2**63 - 1)
            for by, kind, key in ((nasty, nasty, nasty), ("", "", ""), (None, "access_block", "192.0.2.1"),
                                  ("x", "setting", "relay_for"))
            for op, old, new in (("insert", None, "{"), ("frob", nasty, None), ("delete", '{"block": {}}', None),
                                 ("update", '{"block":"' + "x" * 100000 + '"}', '{"block":"a","note":"\\u001b[2J"}'),
                                 ("insert", None, '{"block": "\\u0000", "expires": 1e300, "created": "x"}'),
                                 ("insert", None, deep), ("insert", None, "null"), ("", None, None),
                                 ("insert", None, '{"name": "no_such", "value": null}'),
                                 ("delete", '{"name": "relay_for", "value": "anyone"}', None))]
    db.executemany(change, rows)
    db.execute("INSERT INTO rule_change(\"by\", kind, key, op, old) VALUES(CAST(x'fffe' AS TEXT), CAST(x'00ff' AS TEXT),"
               " CAST(x'80' AS TEXT), 'delete', CAST(x'7b8000' AS TEXT))")
    db.commit()
    db.close()
    for arguments in ((), ("--all",), ("deny",), ("deny", "192.0.2.1"), ("setting",), ("--by", nasty)):
        with tap.case("a log full of nonsense: history %s" % " ".join(arguments)[:20]):
            shown = gatepost("history", *arguments)
            expect(shown and "\x07" not in shown and "\u202e" not in shown, "shown as it stands")
            gatepost.json("history", *arguments)
    with tap.case("all of it is there, once"):
        expect_equal(len(gatepost("history", "--all").splitlines()), len(rows) + 1)
        expect_equal(len(gatepost.json("history")), len(rows) + 1)
    for word in (nasty, "\x01", "x" * 100000, "\udcff\udcfe", "%s%n", ""):
        for arguments in ((word,), ("deny", word), ("kill", word), ("setting", word), ("--since", word)):
            with tap.case("history %s %r" % (arguments[0][:9], word[:9])):
                done = subprocess.run(gatepost.argv("history", *arguments), capture_output=True, timeout=SECONDS)
                expect(done.returncode in (1, 2, 65), "status %d" % done.returncode)
                expect(b"\x1b" not in done.stderr and done.stderr.startswith(b"gatepost: "), str(done.stderr[:200]))
    with tap.case("a script that holds the database does not keep anybody from reading"):
        holder = sqlite3.connect(gatepost.path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        gatepost("history")
        holder.close()


def program(tap, scratch):
    first = Gatepost(scratch, "first")
    first("init")
    tells(tap, first)
    chooses(tap, Gatepost(scratch, "second"))
    folds(tap, Gatepost(scratch, "third"))
    hostile(tap, Gatepost(scratch, "fourth"))


if __name__ == "__main__":
    run(program)
