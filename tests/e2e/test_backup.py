#!/usr/bin/env python3
"""gatepost backup: whole while others write, all or nothing, and nothing overwritten that must stay."""

import os
import pty
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import threading
import time

from admin import SECONDS, Gatepost
from harness import BUILD_DIR, Gatepostd, expect, expect_equal, run

MANY = """WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < %d)
    INSERT INTO access_block(block, note) SELECT printf('2001:db8::%%x:%%x', i / 65536, i %% 65536), 'a note' FROM n"""


def left_over(folder, *expected):
    """What is in the folder beyond what is expected there."""
    return sorted(set(os.listdir(folder)) - set(expected))


def copies(tap, scratch, gatepost, folder):
    copy = folder / "copy.db"
    with tap.case("the copy is the same, in one file, and a database at once"):
        gatepost("add", "deny", "192.0.2.66", "--note", "it's \u00e9vil", "--for", "2h")
        gatepost("add", "grant", "198.51.100.0/24")
        gatepost("set", "max_recipients", "100")
        said = gatepost("backup", copy)
        expect("%d bytes" % copy.stat().st_size in said and str(copy) in said, said)
        expect_equal(left_over(folder), ["copy.db"])
        expect_equal(gatepost.dump(copy), gatepost.dump())
        expect_equal(gatepost.rows("PRAGMA journal_mode", path=copy), [("wal",)])
        other = Gatepost(scratch, "restored")
        shutil.copy(copy, other.path)
        expect_equal(other("list"), gatepost("list"))
        other("add", "kill", "eve@example.net")
        with sqlite3.connect(other.path) as db:
            expect_equal(db.execute('SELECT count(*) FROM rule_change WHERE "by" IS NOT NULL').fetchone(), (4,))
    for mode, expected in ((0o600, 0o600), (0o644, 0o644), (0o640, 0o640), (0o660, 0o660)):
        with tap.case("a database of mode %o gives a copy of mode %o" % (mode, expected)):
            gatepost.path.chmod(mode)
            gatepost("backup", copy, umask=0)
            expect_equal(oct(stat.S_IMODE(copy.stat().st_mode)), oct(expected))
    with tap.case("rights of a group are not given to another"):
        gatepost.path.chmod(0o664)
        os.chown(gatepost.path, -1, 12345)
        gatepost("backup", copy)
        expect_equal(oct(stat.S_IMODE(copy.stat().st_mode)), oct(0o644))
        os.chown(gatepost.path, -1, os.getgid())
    with tap.case("a row that was got past the CHECKs is no damage"):
        with sqlite3.connect(gatepost.path) as db:
            db.execute("PRAGMA ignore_check_constraints = ON")
            db.execute("INSERT INTO access_block(block) VALUES('nonsense')")
        db.close()
        gatepost("backup", copy)
        expect_equal(gatepost.dump(copy), gatepost.dump())
        gatepost.rows("DELETE FROM access_block WHERE block = 'nonsense'")
    with tap.case("a relative name, blanks and what SQLite could take for a URI"):
        name = "file:a b?mode=memory#%41.db"
        gatepost("backup", name, cwd=folder)
        expect_equal(gatepost.dump(folder / name), gatepost.dump())
        os.unlink(folder / name)
    with tap.case("an older backup is replaced, and an empty file is"):
        gatepost("remove", "grant", "198.51.100.0/24")
        gatepost("backup", copy)
        expect_equal(gatepost.dump(copy), gatepost.dump())
        (folder / "empty").touch()
        gatepost("backup", folder / "empty")
        expect_equal(left_over(folder), ["copy.db", "empty"])


def refusals(tap, scratch, gatepost, folder):
    older = folder / "copy.db"
    hard, link, mine = folder / "hard.db", folder / "link.db", folder / "letter"
    os.link(gatepost.path, hard)
    os.symlink(gatepost.path, link)
    mine.write_text("Dear administrator, this is a letter.\n")
    os.mkfifo(folder / "fifo")
    foreign = folder / "foreign.db"
    gatepost.rows("CREATE TABLE mine (a)", path=foreign)
    in_use = folder / "in-use.db"
    shutil.copy(older, in_use)
    user = sqlite3.connect(in_use)
    user.execute("SELECT * FROM setting").fetchall()
    holder = sqlite3.connect(gatepost.path)
    holder.execute("SELECT * FROM setting").fetchall()
    cases = (
        (gatepost.path, 1, "the database itself"),
        ("gatepost.db", 1, "the database itself"),
        (hard, 1, "the database itself"),
        (link, 1, "the database itself"),
        ("%s-wal" % gatepost.path, 1, "belongs to it"),
        ("%s-shm" % gatepost.path, 1, "belongs to it"),
        ("%s-journal" % gatepost.path, 1, "belongs to it"),
        ("../%s/gatepost.db-journal" % gatepost.folder.name, 1, "belongs to it"),
        (folder, 1, "directory"),
        (mine, 1, "no older backup"),
        (foreign, 1, "no older backup"),
        (folder / "fifo", 1, "not a regular file"),
        ("/dev/null", 1, "not a regular file"),
        ("/dev/full", 1, "not a regular file"),
        (in_use, 1, "in use"),
        (folder / "none" / "copy.db", 74, "No such file"),
        ("/proc/copy.db", 74, "cannot be created"),
        (folder / ("x" * 300), 74, "too long"),
        ("y" * 5000, 74, "too long"),
        (folder / "\x1b]0;owned\x07" / "a", 74, "No such file"),
        ("", 2, "name of a file"),
    )
    before, dump = os.listdir(folder), gatepost.dump()
    for to, status, text in cases:
        with tap.case("backup %s: %d, %s" % (str(to)[-40:], status, text)):
            said = gatepost("backup", to, status=status, cwd=gatepost.folder)
            expect(text in said, "%r is not in: %s" % (text, said))
    with tap.case("a link to elsewhere is refused"):
        os.unlink(link)
        os.symlink("copy.db", link)
        expect("symbolic link" in gatepost("backup", link, status=1), "said")
    with tap.case("nothing of that has changed a file or left one"):
        expect_equal(sorted(os.listdir(folder)), sorted(before))
        expect_equal(mine.read_text(), "Dear administrator, this is a letter.\n")
        expect_equal(gatepost.dump(), dump)
        expect_equal(left_over(gatepost.folder, "gatepost.db", "gatepost.db-wal", "gatepost.db-shm"), [])
    user.close()
    holder.close()
    for words, text in (((), "name of a file"), (("a", "b"), "name of a file"), (("a", "--frob"), "--frob")):
        with tap.case("backup %s: 2" % " ".join(words)):
            expect(text in gatepost("backup", *words, status=2), "said")
    with tap.case("no database: 69"):
        other = Gatepost(scratch, "none", init=False)
        expect("gatepost init" in other("backup", folder / "b.db", status=69), "said")
    with tap.case("a folder that the user may not write"):
        closed = scratch.folder("closed", 0o555)
        readable = Gatepost(scratch, "anybody")
        readable.folder.chmod(0o777)
        readable("init", umask=0)
        readable.path.chmod(0o666)
        said = readable("backup", closed / "copy.db", status=74, user=65534, group=65534, extra_groups=[])
        expect("Permission denied" in said, said)
        expect_equal(os.listdir(closed), [])


def failures(tap, gatepost, folder):
    """A database of some megabytes, and an older backup that must survive."""
    older = folder / "older.db"
    gatepost("backup", older)
    before = older.read_bytes()
    gatepost.sql(MANY % 60000 + ";")
    kept = os.listdir(folder)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    with tap.case("no more room: an error, the older copy as it was, nothing beside it"):
        said = gatepost("backup", older, status=74, preexec_fn=limit)
        expect("cannot be written" in said and "older.db:" in said, said)
        expect(older.read_bytes() == before, "the older backup has changed")
        expect_equal(os.listdir(folder), kept)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with tap.case("%s: ended by it, the older copy as it was, nothing beside it" % number.name):
            for _ in range(20):  # it may be done before the signal gets there
                process = subprocess.Popen(gatepost.argv("backup", older), stdout=subprocess.DEVNULL,
                                           stderr=subprocess.PIPE)
                deadline = time.monotonic() + SECONDS
                while len(os.listdir(folder)) == len(kept) and process.poll() is None and time.monotonic() < deadline:
                    pass  # it has begun when its temporary file is there; no pause, as most is still to be done then
                process.send_signal(number)
                _, err = process.communicate(timeout=SECONDS)
                if process.returncode != 0:
                    break
                older.write_bytes(before)
            expect_equal(process.returncode, -number, err)
            expect(b"stopped" in err, str(err))
            expect(older.read_bytes() == before, "the older backup has changed")
            expect_equal(os.listdir(folder), kept)
    with tap.case("a damaged database is said to be, and not backed up"):
        hurt = folder / "hurt.db"
        gatepost("backup", hurt)
        with open(hurt, "r+b") as file:
            file.seek(hurt.stat().st_size // 2)
            file.write(b"\xff" * 20000)
        done = subprocess.run([BUILD_DIR / "gatepost", "--database", hurt, "backup", older], capture_output=True,
                              text=True, timeout=SECONDS)
        expect_equal(done.returncode, 69, done.stderr)
        expect("malformed" in done.stderr or "damaged" in done.stderr, done.stderr)
        expect(older.read_bytes() == before, "the older backup has changed")
        expect_equal(left_over(folder, *kept, "hurt.db", "hurt.db-wal", "hurt.db-shm"), [])
    with tap.case("what takes long shows a bar on a terminal, and takes it away"):
        master, slave = pty.openpty()
        process = subprocess.Popen(gatepost.argv("backup", older), stdout=subprocess.DEVNULL, stderr=slave)
        os.close(slave)
        shown = b""
        while True:
            try:
                piece = os.read(master, 4096)
            except OSError:
                break
            if not piece:
                break
            shown += piece
        expect_equal(process.wait(SECONDS), 0)
        os.close(master)
        expect(not shown or (b"ing" in shown and shown.endswith(b"\r\x1b[K")), repr(shown[-200:]))


def while_others_write(tap, gate):
    """Transactions that keep a sum: it holds in each copy, though the daemon reads and another writes."""
    stop = threading.Event()
    gate.sql("INSERT INTO relay_grant(client, note) VALUES('192.0.2.1', '0'), ('192.0.2.2', '0');")

    def write():
        db = sqlite3.connect(gate.database, isolation_level=None, timeout=10)
        n = 0
        while not stop.is_set():
            n += 1
            db.execute("BEGIN IMMEDIATE")
            for client, value in (("192.0.2.1", n), ("192.0.2.2", -n)):
                db.execute("UPDATE relay_grant SET note = ? WHERE client = ?", (str(value), client))
            db.execute("COMMIT")
        db.close()

    writer = threading.Thread(target=write)
    writer.start()
    copy = gate.database.parent / "copy.db"
    seen = set()
    try:
        for n in range(8):
            with tap.case("copy %d of a database that is written all the time is of one moment" % (n + 1)):
                gate.cli("backup", copy)
                db = sqlite3.connect(copy)
                total, = db.execute("SELECT sum(CAST(note AS INTEGER)) FROM relay_grant").fetchone()
                first, = db.execute("SELECT note FROM relay_grant WHERE client = '192.0.2.1'").fetchone()
                db.close()
                expect_equal(total, 0)
                seen.add(first)
    finally:
        stop.set()
        writer.join(30)
    with tap.case("writing went on, and the daemon is well"):
        expect(len(seen) > 1, "nothing was written between the copies")
        gate.stop()


def program(tap, scratch):
    gatepost = Gatepost(scratch)
    gatepost("init")
    folder = scratch.folder("backups")
    copies(tap, scratch, gatepost, folder)
    refusals(tap, scratch, gatepost, folder)
    failures(tap, gatepost, scratch.folder("large"))
    while_others_write(tap, Gatepostd(scratch))


if __name__ == "__main__":
    run(program)
