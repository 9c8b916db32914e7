#!/usr/bin/env python3
"""gatepost prune: what has expired goes, and nothing else."""

import os
import sqlite3
import subprocess
import time

from admin import SECONDS, Gatepost
from harness import expect, expect_equal, run

DAY = 86400

# A row of each kind and of each age: the words of gatepost list, the SQL with its expiry.
ROWS = (
    ("deny", "INSERT INTO access_block(block, verdict, expires) VALUES('192.0.2.%d', 'deny', %s)"),
    ("allow", "INSERT INTO access_block(block, verdict, expires) VALUES('198.51.100.%d', 'grant', %s)"),
    ("grant", "INSERT INTO relay_grant(client, verdict, expires) VALUES('192.0.2.%d', 'grant', %s)"),
    ("refuse", "INSERT INTO relay_grant(client, verdict, expires) VALUES('198.51.100.%d', 'refuse', %s)"),
    ("kill", "INSERT INTO kill_entry(sender, expires) VALUES('k%d@example.net', %s)"),
    ("accept", "INSERT INTO accept_entry(sender, client, expires) VALUES('a%d@example.net', '192.0.2.1', %s)"),
    ("domain", "INSERT INTO local_domain(domain, expires) VALUES('d%d.example', %s)"),
    ("user", "INSERT INTO local_user(address, expires) VALUES('u%d@example.com', %s)"),
    ("list", "INSERT INTO local_list(address, expires) VALUES('l%d@example.com', %s)"),
)
# How old, in days: never expires, expires in a day, expired so long ago.
AGES = (None, -1, 1, 20, 40)


def fill(gatepost):
    now = int(time.time())
    expiries = ["NULL" if age is None else str(now - age * DAY) for age in AGES]
    gatepost.sql("BEGIN IMMEDIATE;\n" + "".join(
        "DELETE FROM %s;\n" % table for table in ("access_block", "relay_grant", "kill_entry", "accept_entry",
                                                  "local_domain", "local_user", "local_list")) + "".join(
        sql % (i + 1, expiry) + ";\n" for _, sql in ROWS for i, expiry in enumerate(expiries)) + "COMMIT;\n")


def remaining(gatepost):
    """How many rows of each kind there are, and how many of them have expired."""
    rows = {kind: gatepost.json("list", kind) for kind, _ in ROWS}
    now = time.time()
    return {kind: (len(rows[kind]), sum((row["expires"] or now + 9) <= now for row in rows[kind])) for kind, _ in ROWS}


def prunes(tap, gatepost):
    for words, gone in (("prune --expired", 3), ("prune --expired --older-than 30d", 1),
                        ("prune --older-than 2w --expired", 2), ("prune --expired --older-than 20w", 0)):
        with tap.case("%s: %d of each kind" % (words, gone)):
            fill(gatepost)
            dry = gatepost(*words.split(), "--dry-run")
            expect("would remove %d expired rules" % (9 * gone) in dry, dry)
            expect_equal(remaining(gatepost), {kind: (5, 3) for kind, _ in ROWS})
            said = gatepost(*words.split())
            expect("removed %d expired rules" % (9 * gone) in said, said)
            expect_equal(said.splitlines()[:-1], dry.splitlines()[:-1])
            expect_equal(len(said.splitlines()), 9 * gone + 1)
            expect_equal(remaining(gatepost), {kind: (5 - gone, 3 - gone) for kind, _ in ROWS})
    for kind, _ in ROWS:
        with tap.case("prune %s --expired: of that kind alone" % kind):
            fill(gatepost)
            before = remaining(gatepost)
            said = gatepost("prune", kind, "--expired")
            expect("removed 3 expired rules" in said, said)
            expect_equal(remaining(gatepost), {**before, kind: (2, 0)})
            expect_equal({line.split()[0] for line in said.splitlines()[:-1]}, {kind})
    with tap.case("one that expires just now has expired; one, in words"):
        gatepost.sql("DELETE FROM access_block; DELETE FROM relay_grant; DELETE FROM kill_entry;"
                     "INSERT INTO kill_entry(sender, expires) VALUES('now@example.net', unixepoch());")
        expect("removed 1 expired rule\n" in gatepost("prune", "kill", "--expired"), "one")
    with tap.case("--json lists what has been removed"):
        fill(gatepost)
        expect_equal({row["block"] for row in gatepost.json("prune", "deny", "--expired")},
                     {"192.0.2.3", "192.0.2.4", "192.0.2.5"})
        expect_equal(gatepost.json("prune", "deny", "--expired"), [])
    with tap.case("it is logged, in one transaction and with a name"):
        fill(gatepost)
        gatepost("prune", "--expired", env={**os.environ, "SUDO_USER": "alice"})
        seen = gatepost.rows('SELECT "by", op, count(*), count(DISTINCT at), count(DISTINCT kind) FROM rule_change'
                             " WHERE seq > (SELECT max(seq) FROM rule_change) - 27 GROUP BY 1, 2")
        expect_equal(seen, [("alice", "delete", 27, 1, 7)])
    with tap.case("where nothing has expired nothing is written"):
        before = gatepost.rows("SELECT max(seq) FROM rule_change")
        expect("removed 0 expired rules" in gatepost("prune", "--expired"), "said")
        expect_equal(gatepost.rows("SELECT max(seq) FROM rule_change"), before)


def misuse(tap, gatepost):
    fill(gatepost)
    before = gatepost.dump()
    for words, status, text in (("prune", 2, "--expired"), ("prune deny", 2, "--expired"),
                                ("prune --expired nonsense", 2, "no kind"), ("prune --expired deny kill", 2, "one kind"),
                                ("prune --expired --older-than", 2, "--older-than"),
                                ("prune --expired --older-than soon", 65, "2h"),
                                ("prune --expired --older-than -3d", 65, "2h"),
                                ("prune --expired --frob", 2, "--frob")):
        with tap.case("%s: %d" % (words, status)):
            expect(text in gatepost(*words.split(), status=status), "said")
    with tap.case("where it cannot be printed nothing is removed"):
        with open("/dev/full", "w") as full:
            gatepost("prune", "--expired", status=74, stdout=full)
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w") as pipe:
            gatepost("prune", "--expired", status=74, stdout=pipe)
        expect_equal(gatepost.dump(), before)
    with tap.case("a script that holds the database: a wait, a message, and nothing half done"):
        holder = sqlite3.connect(gatepost.path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        expect("locked" in gatepost("prune", "--expired", status=69), "said")
        expect(time.monotonic() - begun > 1, "it waited")
        holder.execute("ROLLBACK")
        expect_equal(gatepost.dump(), before)
    with tap.case("rows that are changed while their list is read stay, and that is said"):
        gatepost.sql("INSERT INTO access_block(block, expires, note) WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1"
                     " FROM n WHERE i < 3000) SELECT printf('2001:db8::%x', i), 5, 'a long note, to fill a pipe' FROM n;")
        process = subprocess.Popen(gatepost.argv("prune", "deny", "--expired"), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        first = process.stdout.readline()  # it is in the middle of its list: the pipe is full
        holder.execute("UPDATE access_block SET expires = NULL WHERE block = '2001:db8::5'")
        out, err = process.communicate(timeout=SECONDS)
        expect_equal(process.returncode, 0, err)
        expect("removed 3002 expired rules" in out and first, out[-200:])
        expect("gatepost history" in err, err)
        expect_equal(gatepost.rows("SELECT count(*) FROM access_block WHERE block = '2001:db8::5'"), [(1,)])
        holder.close()
    with tap.case("what is in a note steers no terminal"):
        db = sqlite3.connect(gatepost.path)
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute("INSERT INTO kill_entry(sender, note, expires) VALUES('x@example.net', ?, 5)", ("\x1b]0;owned\x07\n",))
        db.commit()
        db.close()
        expect("?]0;owned??" in gatepost("prune", "kill", "--expired"), "said")


def program(tap, scratch):
    gatepost = Gatepost(scratch)
    gatepost("init")
    prunes(tap, gatepost)
    misuse(tap, gatepost)


if __name__ == "__main__":
    run(program)
