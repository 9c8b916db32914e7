#!/usr/bin/env python3
"""gatepost-backup: dated copies that are sound, and that stay when a new one fails."""

import fcntl
import os
import re
import sqlite3
import subprocess
import threading

from admin import Gatepost
from harness import BUILD_DIR, SOURCE_DIR, Gatepostd, expect, expect_equal, run, wait_until

BACKUP = SOURCE_DIR / "scripts/gatepost-backup"
GATEPOST = BUILD_DIR / "gatepost"
NAME = re.compile(r"gatepost-\d{4}-\d\d-\d\dT\d{6}Z\.db")
OLD = ["gatepost-20%02d-01-01T000000Z.db" % year for year in range(1, 7)]


class Folder:
    """Where copies are kept; made anew for each case."""

    def __init__(self, scratch, name, old=()):
        self.path = scratch.folder(name, 0o700)
        for one in old:
            (self.path / one).write_text("old")

    def names(self):
        return sorted(path.name for path in self.path.iterdir() if path.name != ".lock")

    def new(self):
        return [name for name in self.names() if NAME.fullmatch(name) and name not in OLD]


def backup(folder, *options, status=0, gatepost=None, database=None):
    where = ["--gatepost", gatepost] if gatepost else ["--database", database]
    path = folder if isinstance(folder, str) else folder.path
    done = subprocess.run([BACKUP, "--dir", path, *where, *options], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=100, env={**os.environ, "PATH": "%s:%s" % (BUILD_DIR, os.environ["PATH"])})
    expect_equal(done.returncode, status, done.stdout + done.stderr)
    return done.stderr if status else done.stdout


def rows_of(path):
    db = sqlite3.connect("file:%s?mode=ro&immutable=1" % path, uri=True)
    try:
        return db.execute("SELECT block FROM access_block ORDER BY block").fetchall()
    finally:
        db.close()


def copies(tap, scratch):
    gate = Gatepostd(scratch)
    gate.cli("add", "deny", "203.0.113.0/24", "198.51.100.7")
    with tap.case("a copy while the daemon runs, with the rights of the original, in a folder for nobody else that is made"):
        folder = Folder(scratch, "first")
        folder.path.rmdir()
        expect_equal(backup(folder, database=gate.database), "")
        expect_equal((folder.names(), folder.path.stat().st_mode & 0o777), (folder.new(), 0o700))
        copy = folder.path / folder.new()[0]
        expect_equal((copy.stat().st_mode, rows_of(copy)), (gate.database.stat().st_mode, [("198.51.100.7",), ("203.0.113.0/24",)]))
    with tap.case("gatepost and sqlite3 read it"):
        listed = subprocess.run([GATEPOST, "--database", copy, "list"], capture_output=True, text=True, timeout=30)
        expect("203.0.113.0/24" in listed.stdout, listed.stdout + listed.stderr)
    with tap.case("while others write, each copy holds whole transactions"):
        folder = Folder(scratch, "busy")
        stop = threading.Event()

        def write():
            db = sqlite3.connect(gate.database, timeout=30)
            number = 0
            while not stop.is_set():
                with db:
                    for last in range(10):
                        db.execute("INSERT INTO access_block (block) VALUES (?)", ("192.0.2.%d/%d" % (
                            number % 250, 32 - last),))
                    db.execute("DELETE FROM access_block WHERE block LIKE '192.0.2.%'")
                    for last in range(10):
                        db.execute("INSERT INTO access_block (block) VALUES (?)", ("2001:db8:%x:%x::/64" % (number, last),))
                number += 1
            db.close()

        writer = threading.Thread(target=write)
        writer.start()
        try:
            backup(folder, gatepost="%s --database %s" % (GATEPOST, gate.database))
        finally:
            stop.set()
            writer.join()
        rows = [row[0] for row in rows_of(folder.path / folder.new()[0])]
        expect_equal((len([row for row in rows if row.startswith("2001")]) % 10, [row for row in rows if row.startswith("192")]),
                     (0, []))
    with tap.case("the daemon reports nothing"):
        gate.expect_no_report()


def rotation(tap, scratch, gatepost):
    others = ["gatepost-mine.db", "gatepost-2001-01-01T000000Z.db.txt", "notes"]
    with tap.case("the oldest are removed, other files are not"):
        folder = Folder(scratch, "rotated", OLD + others)
        backup(folder, "--keep", "3", database=gatepost.path)
        expect_equal(folder.names(), sorted(OLD[-2:] + others + folder.new()))
    with tap.case("fewer than --keep stay all"):
        folder = Folder(scratch, "few", OLD)
        backup(folder, database=gatepost.path)
        expect_equal(folder.names(), sorted(OLD + folder.new()))
    with tap.case("--keep 1"):
        folder = Folder(scratch, "one", OLD)
        backup(folder, "--keep", "1", database=gatepost.path)
        expect_equal((folder.names(), len(folder.new())), (folder.new(), 1))
    with tap.case("--dry-run says what it would do, and does nothing"):
        folder = Folder(scratch, "dry", OLD)
        said = backup(folder, "--keep", "5", "--dry-run", database=gatepost.path)
        expect(re.search(r"would write .*/gatepost-\d{4}.*Z\.db\n", said), said)
        expect_equal((re.findall(r"would remove .*/(.*)", said), folder.names()), (OLD[:2], OLD))
        expect(not (folder.path / ".lock").exists(), "no lock is left")
    with tap.case("a folder with blanks and a newline in its name"):
        folder = Folder(scratch, "a folder\n-x", OLD)
        backup(folder, "--keep", "2", database=gatepost.path)
        expect_equal(len(folder.names()), 2)


def stub(scratch, name, text):
    path = scratch.path / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


def failures(tap, scratch, gatepost):
    real = "exec %s \"$@\"\n" % GATEPOST
    corrupt = scratch.path / "corrupt.db"
    corrupt.write_bytes(b"not a database\n" * 1000)
    for number, (title, status, where) in enumerate((
            ("no database", 69, {"database": scratch.path / "no.db"}),
            ("a database that is none", None, {"database": corrupt}),
            ("no gatepost", 69, {"gatepost": "/nonexistent/gatepost"}),
            ("a gatepost that fails", 75, {"gatepost": stub(scratch, "fails", "exit 75\n")}),
            ("a copy that is no database", 1, {"gatepost": stub(
                scratch, "rubbish", 'case " $* " in *" backup "*) head -c 9999 /dev/zero >"$2" ;; *) shift; ' + real + "esac\n")}),
            ("no copy at all, and success", 1, {"gatepost": stub(
                scratch, "liar", 'case " $* " in *" backup "*) ;; *) ' + real + "esac\n")}),
            ("a copy that can be opened and is not sound", 1, {"gatepost": stub(
                scratch, "unsound", 'case " $* " in *" backup "*) head -c 9999 /dev/zero >"$2" ;; *) exit 0 ;; esac\n')}))):
        with tap.case(title + ": the old copies stay, and nothing else"):
            folder = Folder(scratch, "failure%d" % number, OLD)
            done = subprocess.run([BACKUP, "--dir", folder.path, "--keep", "1"] + [word for key, value in where.items()
                                  for word in ("--" + key, value)], capture_output=True, text=True, timeout=100,
                                  env={**os.environ, "PATH": "%s:%s" % (BUILD_DIR, os.environ["PATH"])})
            expect(done.returncode == status or status is None and done.returncode not in (0, 2), "%d %s" % (
                done.returncode, done.stderr))
            expect("stay" in done.stderr or "cannot be run" in done.stderr, done.stderr)
            expect_equal(folder.names(), OLD)
    with tap.case("one that is stopped leaves nothing, and lets the next one work"):
        folder = Folder(scratch, "stopped", OLD)
        process = subprocess.Popen([BACKUP, "--dir", folder.path, "--gatepost", stub(
            scratch, "slow", 'case " $* " in *" backup "*) echo x >"$2"; exec sleep 60 ;; esac\n')], start_new_session=True, stderr=subprocess.DEVNULL)
        wait_until(lambda: (folder.path / ".new.db").exists(), "the copy has begun")
        with_lock = backup(folder, database=gatepost.path, status=69)
        expect("another backup is at work" in with_lock, with_lock)
        os.killpg(process.pid, 15)
        expect_equal(process.wait(10), 143)
        expect_equal(folder.names(), OLD)
        backup(folder, database=gatepost.path)
        expect_equal(len(folder.new()), 1)
    with tap.case("one that was killed leaves what the next one removes"):
        folder = Folder(scratch, "killed", [".new.db", ".new.db-journal"])
        backup(folder, database=gatepost.path)
        expect_equal(folder.names(), folder.new())
    with tap.case("two at once: one of them waits for nobody"):
        folder = Folder(scratch, "locked", OLD)
        with open(folder.path / ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            backup(folder, database=gatepost.path, status=69)
        expect_equal(folder.names(), OLD)
    with tap.case("a folder that others can write to is not trusted"):
        folder = Folder(scratch, "shared", OLD)
        folder.path.chmod(0o777)
        expect("others can write" in backup(folder, database=gatepost.path, status=74), "it says so")
        expect_equal(folder.names(), OLD)
    with tap.case("a folder that cannot be"):
        expect("cannot be made" in backup("/dev/null/x", database=gatepost.path, status=74), "it says so")
    for words in (["--keep", "0"], ["--keep", "-1"], ["--keep", "many"], ["--keep", ""], ["--keep"], ["--dir", ""], ["x"],
                  ["--no-such"], ["--gatepost", "gatepost"], ["--keep", "1; rm -rf /"]):
        with tap.case("gatepost-backup %s: 2" % " ".join(words)):
            expect("usage:" in backup(folder, *words, database=gatepost.path, status=2), "usage")
    with tap.case("--help"):
        expect("Logins are not copied" in backup(folder, "--help", database=gatepost.path), "help")


def program(tap, scratch):
    gatepost = Gatepost(scratch)
    gatepost("add", "deny", "203.0.113.7")
    copies(tap, scratch)
    rotation(tap, scratch, gatepost)
    failures(tap, scratch, gatepost)


if __name__ == "__main__":
    run(program)
