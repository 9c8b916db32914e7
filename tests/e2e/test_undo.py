#!/usr/bin/env python3
"""gatepost undo: takes back what history shows, all or nothing."""

import os
import sqlite3
import subprocess
import threading
import time

from admin import SECONDS, Gatepost
from harness import Gatepostd, expect, expect_equal, run
from policy import ask

TABLES = ("access_block", "relay_grant", "kill_entry", "accept_entry", "local_domain", "local_user", "local_list",
          "setting")


def state(gatepost):
    """All rows, in the order of their texts: rowids may differ."""
    return {table: sorted(gatepost.rows("SELECT * FROM %s" % table), key=str) for table in TABLES}


def last_seq(gatepost):
    return gatepost.rows("SELECT ifnull(max(seq), 0) FROM rule_change")[0][0]


# What an administrator does, as commands of gatepost or as SQL, and what undo says of it.
DAYS = (
    ("add deny 203.0.113.0/24 198.51.100.7 --for 2h --note scans",
     ("removed deny 198.51.100.7 until ", "removed deny 203.0.113.0/24 until ")),
    ("remove deny 192.0.2.1", ("added deny 192.0.2.1 # one",)),
    ("add deny 192.0.2.1 --note two", ('changed deny 192.0.2.1: note "two" -> "one"',)),
    ("set max_recipients 7", ("set max_recipients: 7 -> 0 (default)",)),
    ("set relay_for addresses", ("set relay_for: addresses -> nobody",)),
    ("add accept @example.org --client 192.0.2.9", ("removed accept @example.org from 192.0.2.9",)),
    ("remove user info", ("added user info account bob",)),
    ("remove domain example.com", ("added domain example.com relay",)),
    ("SQL DELETE FROM local_list", ("added list staff remote_mail no",)),
    ("SQL UPDATE kill_entry SET sender = '@example.net', note = 'all of it'",
     ('changed kill @example.net: sender @example.net -> eve@example.net; note "all of it" -> none',)),
    ("SQL REPLACE INTO relay_grant(client, verdict, created) VALUES('192.0.2.2', 'refuse', 5)",
     ("changed refuse 192.0.2.2: verdict refuse -> grant; ",)),
    ("SQL DELETE FROM setting", ("set relay_for: addresses (default) -> nobody",)),
    ("SQL INSERT INTO local_user(address) VALUES('x') ON CONFLICT DO NOTHING", ("removed user x",)),
    ("SQL UPDATE OR REPLACE access_block SET block = '192.0.2.1' WHERE verdict = 'grant'",
     ("changed allow 192.0.2.1: block 192.0.2.1 -> 192.0.2.8", "added deny 192.0.2.1 # one")),
    ("SQL BEGIN; DELETE FROM access_block; INSERT INTO access_block(block) VALUES('192.0.2.1'); COMMIT",
     ("removed deny 192.0.2.1", "added allow 192.0.2.8", "added deny 192.0.2.1 # one")),
)

ROWS = """
    INSERT INTO access_block(block, verdict, note) VALUES('192.0.2.1', 'deny', 'one'), ('192.0.2.8', 'grant', NULL);
    INSERT INTO relay_grant(client, created, expires) VALUES('192.0.2.2', 7, 4000000000);
    INSERT INTO kill_entry(sender) VALUES('eve@example.net');
    INSERT INTO accept_entry(sender, client) VALUES('@example.org', '192.0.2.1');
    INSERT INTO local_domain(domain, kind) VALUES('example.com', 'relay');
    INSERT INTO local_user(address, account) VALUES('info', 'bob');
    INSERT INTO local_list(address, remote_mail) VALUES('staff', 'no');
    INSERT INTO setting VALUES('relay_for', 'nobody');"""


def takes_back(tap, gatepost):
    gatepost.sql(ROWS)
    before = state(gatepost)
    for day, expected in DAYS:
        with tap.case("undo of: %s" % day):
            mark = last_seq(gatepost)
            if day.startswith("SQL "):
                gatepost.sql(day[4:] + ";")
            else:
                gatepost(*day.split())
            after, end = state(gatepost), last_seq(gatepost)
            expect(after != before, "nothing was changed")
            asked = "%d-%d" % (mark + 1, end) if end > mark + 1 else str(end)
            dry = gatepost("undo", asked, "--dry-run")
            expect_equal((state(gatepost), last_seq(gatepost)), (after, end), "after --dry-run")
            said = gatepost("undo", asked, "--by", "alice")
            expect_equal(state(gatepost), before)
            expect_equal(said.splitlines()[:-1], dry.splitlines()[:-1])
            expect_equal(len(said.splitlines()), len(expected) + 1, said)
            for line, begin in zip(said.splitlines(), expected):
                expect(line.startswith(begin), "%s\ndoes not begin with\n%s" % (line, begin))
            expect_equal(gatepost.rows('SELECT DISTINCT "by" FROM rule_change WHERE seq > %d' % end), [("alice",)])
            back = said.splitlines()[-1].split(": gatepost ")[1]
        with tap.case("what it says takes that back too: %s" % back):
            gatepost(*back.split())
            expect_equal(state(gatepost), after)
            gatepost.sql("DELETE FROM setting; " + "".join("DELETE FROM %s; " % table for table in TABLES) + ROWS)
            gatepost.sql("UPDATE relay_grant SET created = 7;")
            before = state(gatepost)
    with tap.case("several numbers, ranges and repetitions, in any order"):
        mark = last_seq(gatepost)
        for i in range(6):
            gatepost("add", "deny", "198.51.100.%d" % i)
        gatepost("undo", str(mark + 6), "%d-%d" % (mark + 2, mark + 3), str(mark + 6), str(mark + 2))
        expect_equal([row["block"] for row in gatepost.json("list", "deny") if row["block"].startswith("198.")],
                     ["198.51.100.0", "198.51.100.3", "198.51.100.4"])
    with tap.case("under sudo by whoever called it"):
        gatepost("undo", str(mark + 1), env={**os.environ, "SUDO_USER": "bob"})
        expect_equal(gatepost.rows('SELECT "by" FROM rule_change ORDER BY seq DESC LIMIT 1'), [("bob",)])


def refuses(tap, gatepost):
    """Each on a log of its own: what was done, what is asked for, what the refusal says."""
    cases = (
        ("INSERT INTO access_block(block) VALUES('192.0.2.1'); UPDATE access_block SET note = 'x'", "1",
         ("change 1 cannot be undone (added deny 192.0.2.1)", "2  ", "(by SQL)", 'note none -> "x"', "undo 1 2")),
        ("INSERT INTO access_block(block) VALUES('192.0.2.1'); DELETE FROM access_block", "1",
         ("removed deny 192.0.2.1", "undo 1 2")),
        ("INSERT INTO access_block(block) VALUES('192.0.2.1');"
         "UPDATE access_block SET block = '192.0.2.2', verdict = 'grant'", "1", ("block 192.0.2.1 -> 192.0.2.2", "undo 1 2")),
        ("INSERT INTO access_block(block) VALUES('192.0.2.1'); DELETE FROM access_block;"
         "INSERT INTO access_block(block) VALUES('192.0.2.1')", "2", ("another rule has its key", "undo 2 3")),
        ("INSERT INTO access_block(block) VALUES('192.0.2.1'); UPDATE access_block SET block = '192.0.2.2';"
         "INSERT INTO access_block(block, note) VALUES('192.0.2.1', 'taken')", "2", ("another rule has its key", "# taken")),
        ("INSERT INTO setting VALUES('archive', 'all'); UPDATE setting SET value = 'inbound'", "1",
         ("setting has been changed", "set archive: all -> inbound")),
        ("INSERT INTO setting VALUES('archive', 'all'); DELETE FROM setting; INSERT INTO setting VALUES('archive', 'all')",
         "2", ("setting has been changed", "set archive: all (default) -> all")),
        ("INSERT INTO access_block(block) VALUES('192.0.2.1'); UPDATE access_block SET note = 'x';"
         "DELETE FROM rule_change WHERE seq = 2", "1", ("does not say who", "gatepost list")),
        ("INSERT INTO access_block(block) VALUES('192.0.2.1'); DELETE FROM access_block;"
         "INSERT INTO access_block(block) VALUES('192.0.2.1'); DELETE FROM rule_change WHERE seq = 3", "2",
         ("does not say since when",)),
        ("INSERT INTO rule_change(kind, key, op, old) VALUES('access_block', 'x', 'delete', '{' || char(27))", "1",
         ("no sense", "as the log has it: {?")),
        ("INSERT INTO kill_entry(sender) VALUES('a@b.example'), ('c@d.example'), ('e@f.example');"
         "UPDATE kill_entry SET note = 'x' WHERE sender <> 'c@d.example'", "1-3",
         ("change 3", "change 1", "undo 1-3 5 4", "nothing has been undone")),
        ("INSERT INTO kill_entry(sender) VALUES('a@b.example'); UPDATE kill_entry SET note = 1; UPDATE kill_entry"
         " SET note = 2; UPDATE kill_entry SET note = 3", "1-3", ("change 3", "undo 1-3 4")),
    )
    for done, asked, texts in cases:
        gatepost.sql("".join("DELETE FROM %s; " % table for table in TABLES)
                     + "DELETE FROM rule_change; UPDATE sqlite_sequence SET seq = 0; %s;" % done)
        before = gatepost.dump()
        with tap.case("undo %s after: %s" % (asked, done)):
            said = gatepost("undo", asked, status=1)
            for text in texts + ("nothing has been undone",):
                expect(text in said, "%r is not in:\n%s" % (text, said))
            expect_equal(gatepost.dump(), before)
    with tap.case("what hangs on the same later change is told once"):
        expect_equal(gatepost("undo", "1-3", status=1).count("cannot be undone"), 1)
    with tap.case("what it says is to be undone too does it"):
        gatepost("undo", "1-3", "4")
        expect_equal(gatepost.json("list"), [])
    with tap.case("a row that the database refuses"):
        gatepost.sql("INSERT INTO rule_change(kind, key, op, old) VALUES('access_block', 'x', 'delete',"
                     " '{\"block\": \"nonsense\", \"verdict\": \"deny\", \"created\": 1}');")
        expect("not a name" in gatepost("undo", str(last_seq(gatepost)), status=65), "said")


def reaches(tap, gatepost):
    """How far the log reaches."""
    gatepost.sql("DELETE FROM rule_change; UPDATE sqlite_sequence SET seq = 0;")
    with tap.case("an empty log"):
        expect("no change at all" in gatepost("undo", "1", status=1), "said")
    gatepost.sql("UPDATE sqlite_sequence SET seq = 100000;")
    for i in range(1, 6):
        gatepost("add", "deny", "192.0.2.%d" % i)
    gatepost.sql("DELETE FROM rule_change WHERE seq = 100003;")
    before = gatepost.dump()
    for asked, texts in (("1", ("older than the newest 100,000",)), ("100006", ("not been made yet",)),
                         ("5-7", ("older",)), ("9223372036854775806", ("not been made yet",)),
                         ("99999-100002", ("gatepost undo 100001-100002",)),
                         ("100004-100009", ("gatepost undo 100004-100005",)), ("1-200000", ("undo 100001-100005",)),
                         ("100003", ("no change 100003",)), ("100001 3", ("older",))):
        with tap.case("undo %s: %s" % (asked, texts[0])):
            said = gatepost("undo", *asked.split(), status=1)
            expect(all(text in said for text in texts), said)
            expect_equal(gatepost.dump(), before)
    with tap.case("a number that was left out within a range is no obstacle"):
        gatepost("undo", "100002-100004")
        expect_equal([row["block"] for row in gatepost.json("list")], ["192.0.2.1", "192.0.2.3", "192.0.2.5"])


def dangers(tap, gatepost):
    gatepost("init")
    gatepost("set", "relay_for", "local-users", "--yes")
    gatepost("set", "relay_for", "anyone", "--yes")
    gatepost("set", "relay_for", "nobody")
    gatepost("add", "accept", "@example.org", "--any-client")
    gatepost("remove", "accept", "@example.org")
    gatepost("add", "accept", "@example.net", "--client", "192.0.2.1")
    gatepost("remove", "accept", "@example.net")
    before = gatepost.dump()
    for asked, text in (("3", "anybody at all"), ("2-3", "forges"), ("5", "accept @example.org from anywhere")):
        with tap.case("undo %s wants --yes, as set and add do" % asked):
            said = gatepost("undo", asked, status=1)
            expect(text in said and "--yes" in said, said)
            expect_equal(gatepost.dump(), before)
            expect("--yes" in gatepost("undo", asked, "--dry-run", status=1), "--dry-run says so too")
            expect("would undo" in gatepost("undo", asked, "--dry-run", "--yes"), "with --yes")
            expect_equal(gatepost.dump(), before)
    for asked in ("1-3", "4-5", "7"):
        with tap.case("undo %s does not: what is left opens nothing" % asked):
            gatepost("undo", asked)
            gatepost("undo", gatepost("history").splitlines()[-1].split()[1], status=0 if asked == "7" else 1)
    gatepost("undo", "5", "--yes")
    with tap.case("with --yes it is done"):
        expect("from anywhere" in gatepost("list", "accept"), "it is there")
    with tap.case("of one that has expired nothing comes"):
        gatepost.sql("UPDATE accept_entry SET expires = 5; DELETE FROM accept_entry;")
        gatepost("undo", str(last_seq(gatepost)))


def whole_import(tap, gatepost):
    """5,000 rows in one transaction, some of them over others."""
    gatepost("init")
    blocks = ["192.0.2.%d" % i for i in range(200)] + ["2001:db8::%x" % i for i in range(1, 4801)]
    gatepost("add", "deny", *blocks[::100], "--note", "before")
    before, mark = state(gatepost), last_seq(gatepost)
    gatepost("add", "deny", *blocks, "--note", "import", "--by", "alice")
    after = state(gatepost)
    with tap.case("a whole import is undone as one"):
        said = gatepost("undo", "%d-%d" % (mark + 1, mark + 5000))
        expect_equal(state(gatepost), before)
        expect("removed " in said and "undid 5000 changes" in said, said)
        expect(len(said.splitlines()) < 250, "rows of a kind are one line")
    with tap.case("and put back as one"):
        gatepost(*said.splitlines()[-1].split(": gatepost ")[1].split())
        expect_equal(state(gatepost), after)
    with tap.case("one row of it that was changed since: nothing is undone, and that is named"):
        seq = last_seq(gatepost)
        gatepost("remove", "deny", blocks[250], "--by", "bob")
        dump = gatepost.dump()
        said = gatepost("undo", "%d-%d" % (seq - 4999, seq), status=1)
        expect("bob  removed deny %s" % blocks[250] in said and "undo %d-%d %d" % (seq - 4999, seq, seq + 1) in said, said)
        expect_equal(gatepost.dump(), dump)
    with tap.case("all of it changed since: told in bounded space and time"):
        gatepost("remove", "deny", *(block for block in blocks if block != blocks[250]))
        said = gatepost("undo", "%d-%d" % (seq - 4999, seq), status=1)
        expect(len(said.splitlines()) < 20 and "more in the way" in said, said)


def two_administrators(tap, gatepost):
    gatepost("init")
    gatepost("add", "deny", "192.0.2.1")
    before = gatepost.dump()
    with tap.case("a script that holds the database: a wait, a clear message, and nothing half done"):
        holder = sqlite3.connect(gatepost.path, isolation_level=None, check_same_thread=False)
        holder.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        expect("locked" in gatepost("undo", "1", status=69), "said")
        expect(time.monotonic() - begun > 1, "it waited")
        holder.execute("ROLLBACK")
        expect_equal(gatepost.dump(), before)
    with tap.case("one that lets go in time is waited for"):
        holder.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.5, lambda: holder.execute("ROLLBACK"))
        timer.start()
        gatepost("undo", "1")
        timer.join()
        holder.close()
        expect_equal(gatepost.json("list"), [])
    with tap.case("of several that undo the same at once one does it, and the others are told"):
        gatepost("add", "deny", "192.0.2.9")
        seq = str(last_seq(gatepost))
        others = [subprocess.Popen(gatepost.argv("undo", seq, "--by", "admin%d" % i), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True) for i in range(4)]
        done = [other.communicate(timeout=SECONDS) for other in others]
        expect_equal(sorted(other.returncode for other in others), [0, 1, 1, 1], str(done))
        expect(all("removed deny 192.0.2.9" in out + err for out, err in done), str(done))
        expect_equal(last_seq(gatepost), int(seq) + 1)


def misuse(tap, gatepost):
    before = gatepost.dump()
    hostile = ("", "x", "0", "-5", "1-", "-1-2", "5-3", "1;DROP TABLE setting", "1 OR 1=1", "\x1b]0;owned\x07", "\x01",
               "9" * 100000, "1e9", "1" + "\u0661", "\udcff", "%s%n", "18446744073709551617", "9223372036854775807")
    for word in hostile:
        with tap.case("undo %r" % word[:20]):
            done = subprocess.run(gatepost.argv("undo", "--", word), capture_output=True, timeout=SECONDS)
            expect_equal(done.returncode, 65, done.stderr[:300])
            expect(b"\x1b" not in done.stderr and done.stderr.startswith(b"gatepost: "), str(done.stderr[:300]))
    for words, text in (((), "numbers of changes"), (("--frob", "1"), "--frob"), (("1", "-5"), "no such option")):
        with tap.case("undo %s: 2" % " ".join(words)):
            expect(text in gatepost("undo", *words, status=2), "said")
    with tap.case("ten thousand numbers"):
        expect("log holds only" in gatepost("undo", *map(str, range(1, 10001)), status=1), "said")
    with tap.case("nothing has changed"):
        expect_equal(gatepost.dump(), before)


def in_force(tap, gate):
    """A daemon sees an undo as it sees all changes."""
    def answer():
        return ask(gate, "192.0.2.66", "a@example.net", "bob@example.com").action
    gate.rules("domain example.com")
    gate.cli("add", "deny", "192.0.2.0/24")
    gate.settle()
    with tap.case("before: refused"):
        expect("access denied" in answer(), answer())
    with tap.case("undone: accepted at once; and undone again"):
        seq = int(gate.cli("history").splitlines()[-1].split()[1])
        gate.cli("undo", seq)
        gate.settle()
        expect("DUNNO" in answer(), answer())
        gate.cli("undo", seq + 1)
        gate.settle()
        expect("access denied" in answer(), answer())
        gate.stop()


def program(tap, scratch):
    first = Gatepost(scratch, "first")
    first("init")
    takes_back(tap, first)
    refuses(tap, first)
    reaches(tap, first)
    dangers(tap, Gatepost(scratch, "dangers"))
    whole_import(tap, Gatepost(scratch, "import"))
    two = Gatepost(scratch, "two")
    two_administrators(tap, two)
    misuse(tap, two)
    in_force(tap, Gatepostd(scratch))


if __name__ == "__main__":
    run(program)
