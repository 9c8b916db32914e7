#!/usr/bin/env python3
"""Hits of rules, as the daemon counts them and `gatepost list` shows them, and what is done to their file."""

import json
import os
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

from harness import BUILD_DIR, COMMAND_SECONDS, Gatepostd, expect, expect_equal, run, wait_until
from policy import PolicySession

DAY = 86400
HERE, GRANTED, DENIED, REMOTE = "192.0.2.10", "192.0.2.70", "203.0.113.7", "carol@example.org"

# The rules, and what is asked of them: client, sender, recipient, state.
SITE = ("domain example.com", "grant 192.0.2.64/26", "deny 203.0.113.0/24", "deny 198.51.100.1-198.51.100.50",
        "kill @*widget.example", "kill @example.edu", "accept-from @example.net 192.0.2.9", "closed-list staff",
        "allow 192.0.2.0/255.255.255.128")
REQUESTS = (
    (DENIED, "a@example.net", REMOTE, "RCPT"),                     # deny
    (DENIED, "a@example.net", "", "CONNECT"),                      # deny
    ("198.51.100.1", "a@example.net", REMOTE, "RCPT"),             # the range, by one of its prefixes
    ("198.51.100.50", "a@example.net", REMOTE, "RCPT"),            # and by another
    (GRANTED, "a@example.net", REMOTE, "RCPT"),                    # allow, grant
    (HERE, "a@bluewidget.example", REMOTE, "MAIL"),                # allow, kill
    ("192.0.2.9", "a@example.net", REMOTE, "RCPT"),                # allow, accept
    ("198.51.100.99", "a@example.net", "bob@example.com", "RCPT"),  # domain
    ("198.51.100.99", "a@example.net", "staff@example.com", "RCPT"),  # list
    ("198.51.100.99", "a@example.net", REMOTE, "RCPT"),            # no row
)
HITS = {"203.0.113.0/24": 2, "198.51.100.1-198.51.100.50": 2, "192.0.2.64/26": 1, "192.0.2.0/255.255.255.128": 3,
        "@*widget.example": 1, "@example.edu": 0, "@example.net": 1, "example.com": 1, "staff": 1}


def ask_all(gate):
    with PolicySession(gate) as session:
        for request in REQUESTS:
            session.ask(*request)


def hits_path(gate):
    return Path(str(gate.database) + "-hits")


def hits_sql(gate, *statements):
    with closing(sqlite3.connect(hits_path(gate), timeout=10)) as database, database:
        return [row for statement in statements for row in database.execute(statement).fetchall()]


def written(gate):
    """{key: hits} of the file itself; nothing while that is absent or just being made."""
    try:
        return dict(hits_sql(gate, "SELECT key, hits FROM hit")) if hits_path(gate).exists() else {}
    except sqlite3.OperationalError:
        return {}


def gatepost(gate, *words, status=0):
    """What is printed, and what is complained of."""
    done = subprocess.run([BUILD_DIR / "gatepost", "--database", gate.database, *words], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=COMMAND_SECONDS)
    expect_equal(done.returncode, status, "gatepost %r\n%s%s" % (words, done.stdout, done.stderr))
    return done.stdout, done.stderr


def listed(gate, *words):
    """{key: row}"""
    rows = json.loads(gatepost(gate, "list", "--json", *words)[0])
    keys = {"deny": "block", "allow": "block", "grant": "client", "refuse": "client", "kill": "sender",
            "accept": "sender", "user": "address", "list": "address"}
    return {row[keys[row["kind"]]] if row["kind"] in keys else row["domain"]: row for row in rows}


def hang_up(gate):
    gate.process.send_signal(signal.SIGHUP)


def counting(tap, gate):
    begin = int(time.time())
    gate.rules(*SITE)
    with tap.case("nothing is counted yet: zeros, and never"):
        expect_equal({row["hits"] for row in listed(gate, "--hits").values()}, {0})
        expect_equal(gatepost(gate, "list", "kill", "--hits"),
                     ("kill           0  never                @*widget.example\n"
                      "kill           0  never                @example.edu\n", ""))
    with tap.case("SIGHUP has the hits written, each row's exactly"):
        ask_all(gate)
        hang_up(gate)
        wait_until(lambda: written(gate) == {key: n for key, n in HITS.items() if n}, "the hits: %s" % written(gate))
        expect_equal({key: row["hits"] for key, row in listed(gate, "--hits").items()}, HITS)
    with tap.case("the last match is now, and null where there was none"):
        for key, row in listed(gate, "--hits").items():
            expect(row["last"] is None if HITS[key] == 0 else begin <= row["last"] <= time.time(), str(row))
    with tap.case("without --hits nothing of it is shown"):
        expect("hits" not in listed(gate)["staff"], "JSON has no hits")
        expect_equal(gatepost(gate, "list", "list"), ("list    staff remote_mail no\n", ""))
    with tap.case("and SIGTERM, too; the list needs no daemon"):
        ask_all(gate)
        gate.stop()
        expect_equal({key: row["hits"] for key, row in listed(gate, "--hits").items()},
                     {key: 2 * n for key, n in HITS.items()})
        text, complaint = gatepost(gate, "list", "deny", "--hits")
        expect_equal([line.split()[:2] + line.split()[3:] for line in text.splitlines()],
                     [["deny", "4", "198.51.100.1-198.51.100.50"], ["deny", "4", "203.0.113.0/24"]])
        expect_equal(complaint, "")
        expect(not Path(str(hits_path(gate)) + "-wal").exists(), "no log is left behind")
    with tap.case("the file has the mode of the rules"):
        expect_equal(hits_path(gate).stat().st_mode, gate.database.stat().st_mode)
    with tap.case("counts go on after a restart"):
        gate.start()
        ask_all(gate)
        hang_up(gate)
        wait_until(lambda: written(gate).get("staff") == 3, "the third round")
        expect_equal(written(gate), {key: 3 * n for key, n in HITS.items() if n})
    with tap.case("an explanation is no hit, asked of the daemon or not"):
        for where in ((), ("--live",)):
            gate.cli("explain", *where, "--client", DENIED, "--from", "a@example.net", "--to", REMOTE)
        ask_all(gate)
        hang_up(gate)
        wait_until(lambda: written(gate).get("staff") == 4, "the fourth round")
        expect_equal(written(gate)["203.0.113.0/24"], 8)
    with tap.case("who holds the rules keeps no hits from being written"):
        with closing(sqlite3.connect(gate.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            ask_all(gate)
            hang_up(gate)
            wait_until(lambda: written(gate).get("staff") == 5, "the fifth round")
            expect("cannot be written" not in gate.text(), "no warning")
    with tap.case("hits of a row that is gone are dropped, and a new row begins anew"):
        gate.cli("remove", "deny", "203.0.113.0/24")
        gate.cli("remove", "kill", "@*widget.example")
        time.sleep(1.1)  # times are in seconds
        gate.cli("add", "deny", "203.0.113.0/24")
        expect_equal(listed(gate, "--hits")["203.0.113.0/24"]["hits"], 0)
        gate.settle()
        ask_all(gate)
        hang_up(gate)
        wait_until(lambda: written(gate).get("staff") == 6, "the sixth round")
        expect_equal(listed(gate, "--hits")["203.0.113.0/24"]["hits"], 2)
        expect("@*widget.example" not in written(gate), str(written(gate)))


def unused(tap, gate):
    """The times are put where the cases need them."""
    now = int(time.time())
    gate.rules("kill old-and-used@example.net", "kill old-and-idle@example.net", "kill old-and-never@example.net",
               "kill new@example.net", "deny 203.0.113.0/24")
    gate.sql("UPDATE kill_entry SET created = %d WHERE sender <> 'new@example.net';"
             "UPDATE access_block SET created = %d, expires = %d;" % (now - 200 * DAY, now - 200 * DAY, now - DAY))
    hits_sql(gate, "DELETE FROM hit", "UPDATE counting SET since = %d" % (now - 150 * DAY),
             "INSERT INTO hit VALUES ('kill_entry', 'old-and-used@example.net', '', 7, %d)" % (now - 80 * DAY),
             "INSERT INTO hit VALUES ('kill_entry', 'old-and-idle@example.net', '', 9, %d)" % (now - 100 * DAY))
    for words, expected, said in (
            (("--unused", "90d"), {"old-and-idle@example.net", "old-and-never@example.net", "203.0.113.0/24"}, ""),
            (("kill", "--unused", "90d"), {"old-and-idle@example.net", "old-and-never@example.net"}, ""),
            (("--unused", "90d", "--expired"), {"203.0.113.0/24"}, ""),
            (("--unused", "10w"), {"old-and-used@example.net", "old-and-idle@example.net", "old-and-never@example.net",
                                   "203.0.113.0/24"}, ""),
            (("--unused", "180d"), {"old-and-never@example.net", "203.0.113.0/24"}, "hits are counted since "),
            (("--unused", "300d"), set(), "hits are counted since ")):
        with tap.case("list %s" % " ".join(words)):
            expect_equal(set(listed(gate, *words)), expected)
            text, complaint = gatepost(gate, "list", *words)
            expect_equal(len(text.splitlines()), len(expected))
            expect(said in complaint and bool(said) == bool(complaint), complaint)
    with tap.case("--unused and --hits together"):
        text, _ = gatepost(gate, "list", "kill", "--unused", "90d", "--hits")
        expect_equal([line.split()[1] for line in text.splitlines()], ["9", "0"])
        expect_equal(listed(gate, "--unused", "90d", "--hits")["old-and-idle@example.net"]["last"], now - 100 * DAY)
    with tap.case("that hits had to be left out is said"):
        hits_sql(gate, "UPDATE counting SET lost = 3, lost_at = %d" % (now - 10 * DAY))
        expect("not all hits could be counted" in gatepost(gate, "list", "--unused", "90d")[1], "a word on it")
        expect_equal(gatepost(gate, "list", "--unused", "9d")[1], "")
    for words, status, said in ((("--unused", "soon"), 65, "90s, 15m"), (("--unused", "-1d"), 65, "90s, 15m"),
                                (("--unused",), 2, "needs a value"), (("--hits", "kill", "deny"), 2, "one kind")):
        with tap.case("list %s: %d" % (" ".join(words), status)):
            expect(said in gatepost(gate, "list", *words, status=status)[1], said)


def spoil_with_letter(path):
    path.write_text("Dear administrator, this is a letter and no database.\n" * 50)


def spoil_with_device(path):
    path.symlink_to("/dev/zero")


def spoil_with_pipe(path):
    os.mkfifo(path)


def remove(path):
    for suffix in ("", "-wal", "-shm"):
        one = Path(str(path) + suffix)
        if one.is_dir() and not one.is_symlink():
            one.rmdir()
        else:
            one.unlink(missing_ok=True)


def spoiling(tap, gate):
    """Neither an answer nor a hit is lost to what stands in the place of the file."""
    path = hits_path(gate)
    for name, spoil, said in (("a letter", spoil_with_letter, "not an SQLite database"),
                              ("a folder", Path.mkdir, "directory"),
                              ("/dev/zero", spoil_with_device, "not a regular file"),
                              ("a pipe", spoil_with_pipe, "not a regular file")):
        with tap.case("in the place of the file: %s" % name):
            gate.rules(*SITE)
            remove(path)
            spoil(path)
            seen = gate.text().count("cannot be written")
            for _ in range(2):
                ask_all(gate)
                hang_up(gate)
                wait_until(lambda seen=seen: gate.text().count("cannot be written") > seen, "a warning")
            expect_equal(gate.text().count("cannot be written"), seen + 1, "it is said once")
            expect(said in gatepost(gate, "list", "--hits", status=78)[1], "the list says what it is")
            expect("198.51.100" in gatepost(gate, "list")[0], "the list without hits is as ever")
            remove(path)
            ask_all(gate)
            hang_up(gate)
            wait_until(lambda: written(gate).get("staff") == 3, "the hits of all three rounds")
            expect_equal(written(gate), {key: 3 * n for key, n in HITS.items() if n})
    with tap.case("a file that somebody deletes is made anew"):
        remove(path)
        ask_all(gate)
        hang_up(gate)
        wait_until(lambda: written(gate).get("staff") == 1, "the hits")
    with tap.case("with no file the list says so, and shows what it has"):
        gate.stop()
        remove(path)
        text, complaint = gatepost(gate, "list", "--hits", "kill")
        expect("no hits have been counted yet" in complaint, complaint)
        expect_equal(len(text.splitlines()), 2)
        expect_equal(listed(gate, "--hits")["staff"]["hits"], None)
        expect("no hits" in gatepost(gate, "list", "--unused", "90d")[1], "--unused says so, too")
    with tap.case("signals while it ends, from rotation or an impatient hand, cost none"):
        gate.start()
        ask_all(gate)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            gate.process.terminate()
            wait_until(lambda: "stopping on SIGTERM" in gate.text().splitlines()[-1], "that it stops")
            for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT) * 5:
                time.sleep(0.03)
                gate.process.send_signal(number)
            other.execute("ROLLBACK")
        gate.stop()
        expect_equal(written(gate).get("staff"), 1)
        remove(path)
    with tap.case("a daemon that can never write them starts, answers, and ends well"):
        path.mkdir()
        gate.start()
        ask_all(gate)
        gate.stop()
        expect("hits of rules could not be written and are lost" in gate.text(), gate.text()[-1000:])


def program(tap, scratch):
    gate = Gatepostd(scratch)
    counting(tap, gate)
    unused(tap, gate)
    spoiling(tap, gate)


if __name__ == "__main__":
    run(program)
