#!/usr/bin/python3
"""Rules that change while SMTP sessions run, a daemon that dies in the middle of one, and a database that cannot be
read: what SPEC 6 promises, as the client sees it."""

import os
import signal
import sqlite3
import threading
import time

from harness import Gatepostd, command, expect, expect_equal, run, wait_until
from mta import Postfix
from smtp import Client, SmtpSession

SITE = ("domain example.com", "domain mail.example.com")
REMOTE = "carol@example.org"
OUTSIDER = Client()
DEFERRED = "451 4.3.0 <%s>: Recipient address rejected: Policy service unavailable"

# One session each, in this order: the change, the recipient, whether it is accepted then.
CHANGES = (
    ("", REMOTE, False),
    ("INSERT INTO relay_grant(client) VALUES('192.0.2.10')", REMOTE, True),
    ("UPDATE relay_grant SET verdict = 'refuse'", REMOTE, False),
    ("UPDATE relay_grant SET verdict = 'grant', client = '192.0.2.0/24'", REMOTE, True),
    ("INSERT INTO relay_grant(client, verdict) VALUES('192.0.2.8/29', 'refuse')", REMOTE, False),
    ("INSERT OR REPLACE INTO relay_grant(client, verdict) VALUES('192.0.2.8/29', 'grant')", REMOTE, True),
    ("DELETE FROM relay_grant", REMOTE, False),
    ("INSERT INTO accept_entry(sender) VALUES('@example.net')", REMOTE, True),
    ("UPDATE accept_entry SET expires = 1", REMOTE, False),
    ("DELETE FROM accept_entry", REMOTE, False),
    ("INSERT INTO setting(name, value) VALUES('relay_for', 'anyone')", REMOTE, True),
    ("UPDATE setting SET value = 'nobody' WHERE name = 'relay_for'", REMOTE, False),
    ("DELETE FROM setting", REMOTE, False),
    ("INSERT INTO local_domain(domain, kind) VALUES('backup.example', 'relay')", "carol@backup.example", True),
    ("DELETE FROM local_domain WHERE kind = 'relay'", "carol@backup.example", False),
    ("", "bob@example.com", True),
    ("INSERT INTO access_block(block) VALUES('192.0.2.10')", "bob@example.com", False),
    ("INSERT INTO setting(name, value) VALUES('observe', 'access')", "bob@example.com", True),
    ("DELETE FROM access_block; DELETE FROM setting", "bob@example.com", True),
    ("INSERT INTO kill_entry(sender) VALUES('@*.net')", "bob@example.com", False),
    ("DELETE FROM kill_entry", "bob@example.com", True),
    ("INSERT INTO local_list(address, remote_mail) VALUES('bob', 'no')", "bob@example.com", False),
    ("UPDATE local_list SET remote_mail = 'yes'", "bob@example.com", True),
    ("BEGIN; INSERT INTO access_block(block) VALUES('192.0.2.10'); ROLLBACK", "bob@example.com", True),
)


def ask(session, recipient=REMOTE, sender="fred@example.net"):
    return session.try_rcpt(sender, recipient)


def test_changes(tap, gate, postfix):
    """All in one session, with no restart and no signal."""
    gate.rules(*SITE)
    pid = gate.process.pid
    with SmtpSession(postfix.ports["spec"], OUTSIDER) as session:
        for sql, recipient, accepted in CHANGES:
            what = "%s %s" % (recipient, "accepted" if accepted else "refused")
            with tap.case("in one session, %s after: %s" % (what, sql or "nothing")):
                if sql:
                    gate.sql(sql + ";")
                    gate.settle()
                reply = ask(session, recipient)
                expect_equal(reply.code, 250 if accepted else 554, str(reply))
        with tap.case("the same session, the same daemon"):
            expect_equal(session.quit().code, 221)
            expect(gate.process.pid == pid and gate.process.poll() is None, "gatepostd was started again")


def test_transactions(tap, gate, postfix):
    """Two states, each made by one transaction of several statements. In the first the client may relay and the sender
    is killed, in the second neither; whatever a reader sees between the statements would relay."""
    states = (rule_state("192.0.2.0/24", "@example.net"), rule_state("198.51.100.0/24", "@example.org"))
    gate.rules(*SITE, "grant 198.51.100.0/24", "kill @example.org")
    stop = threading.Event()
    changes = []

    def change():
        while not stop.is_set():
            state = states[len(changes) % 2]
            gate.sql(state)
            changes.append(state)
            time.sleep(0.03)

    seen = set()
    changer = threading.Thread(target=change)
    with tap.case("a transaction is seen whole or not at all"):
        with SmtpSession(postfix.ports["spec"], OUTSIDER) as session:
            changer.start()
            try:
                ends = time.monotonic() + 20
                while len(changes) < 60 and time.monotonic() < ends:
                    seen.add(ask(session).text.split(": ")[-1])
            finally:
                stop.set()
                changer.join(30)
        expect_equal(seen, {"unacceptable mail address", "unknown local host example.org, not a gateway"},
                     "after %d transactions" % len(changes))
    with tap.case("a transaction that is not committed changes nothing"):
        gate.rules(*SITE)
        database = sqlite3.connect(gate.database, isolation_level=None, timeout=5)
        with SmtpSession(postfix.ports["spec"], OUTSIDER) as session:
            database.execute("BEGIN IMMEDIATE")
            database.execute("INSERT INTO relay_grant(client) VALUES('192.0.2.10')")
            gate.settle()
            expect_equal(ask(session).code, 554)
            database.execute("COMMIT")
            gate.settle()
            expect_equal(ask(session).code, 250)
        database.close()


def rule_state(block, sender):
    """A transaction of several statements that together make a state; its middle would relay."""
    return ("BEGIN IMMEDIATE; DELETE FROM kill_entry; DELETE FROM relay_grant; "
            "INSERT INTO relay_grant(client) VALUES('%s'); INSERT INTO kill_entry(sender) VALUES('%s'); "
            "COMMIT;" % (block, sender))


def test_killed(tap, gate, postfix):
    gate.rules(*SITE, "grant 192.0.2.50")
    with SmtpSession(postfix.ports["spec"], Client("192.0.2.50")) as granted, \
            SmtpSession(postfix.ports["spec"], OUTSIDER) as outsider:
        with tap.case("before: one relays, the other does not"):
            expect_equal((ask(granted).code, ask(outsider).code), (250, 554))
        with tap.case("gatepostd killed in mid-session: Postfix defers, for us and for others"):
            expect_equal(granted.reset().code, 250)
            expect_equal(granted.mail("fred@example.net").code, 250)
            gate.kill()
            for recipient in (REMOTE, "bob@example.com"):
                expect_equal(str(granted.rcpt(recipient)), DEFERRED % recipient)
            expect_equal(str(ask(outsider)), DEFERRED % REMOTE)
        with tap.case("SPEC 11 to the letter defers as well, with a text of Postfix's own"):
            with SmtpSession(postfix.ports["letter"], OUTSIDER) as session:
                expect_equal(str(ask(session)), "451 4.3.5 Server configuration error")
        with tap.case("nor does a new session get anything in"):
            with SmtpSession(postfix.ports["spec"], OUTSIDER) as session:
                expect_equal(str(ask(session, "bob@example.com")), DEFERRED % "bob@example.com")
        with tap.case("after the restart the next try of the same session passes, in the same transaction"):
            gate.start()
            expect_equal(granted.rcpt(REMOTE).code, 250)
            expect_equal(postfix.delivered(granted.data("Subject: late\n\ntext\n")), [REMOTE])
            expect(str(ask(outsider)).endswith("unknown local host example.org, not a gateway"), "relay expected")
        with tap.case("killed between RCPT and DATA: the message is deferred, and passes when sent again"):
            expect_equal(ask(granted).code, 250)
            gate.kill()
            expect_equal(str(granted.command("DATA")),
                         "451 4.3.0 <DATA>: Data command rejected: Policy service unavailable")
            gate.start()
            expect_equal(ask(granted).code, 250)
            expect_equal(postfix.delivered(granted.data("Subject: again\n\ntext\n")), [REMOTE])
        with tap.case("changes made while it was dead are in force"):
            gate.kill()
            gate.sql("DELETE FROM relay_grant; INSERT INTO relay_grant(client) VALUES('192.0.2.10');")
            gate.start()
            expect_equal((ask(granted).code, ask(outsider).code), (554, 250))


def test_stopped(tap, gate, postfix):
    gate.rules(*SITE, "grant 192.0.2.50")
    with SmtpSession(postfix.ports["spec"], Client("192.0.2.50")) as session:
        with tap.case("an orderly restart in mid-session"):
            expect_equal(ask(session).code, 250)
            gate.stop()
            expect_equal(str(ask(session)), DEFERRED % REMOTE)
            gate.start()
            expect_equal(ask(session).code, 250)


def test_locked(tap, gate, postfix):
    gate.rules(*SITE, "grant 192.0.2.50")
    with SmtpSession(postfix.ports["spec"], Client("192.0.2.50")) as granted, \
            SmtpSession(postfix.ports["spec"], OUTSIDER) as outsider:
        database = sqlite3.connect(gate.database, isolation_level=None, timeout=5)
        with tap.case("another program holds BEGIN EXCLUSIVE: the rules stay in force"):
            database.execute("BEGIN EXCLUSIVE")
            database.execute("INSERT INTO relay_grant(client) VALUES('192.0.2.10')")
            gate.process.send_signal(signal.SIGHUP)  # reread the rules now, which are locked
            expect_unchanged(granted, outsider)
            database.execute("ROLLBACK")
        database.close()
        with tap.case("changes are noticed again after the lock"):
            gate.change("grant 192.0.2.10")
            wait_for_code(outsider, 250)


def expect_unchanged(granted, outsider, seconds=0.8):
    """For a while one client relays, the other does not, and mail to us is accepted: the rules of these tests."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        expect_equal((ask(granted).code, ask(outsider).code, ask(outsider, "bob@example.com").code), (250, 554, 250))
        time.sleep(0.05)


def wait_for_code(session, code):
    """After trouble the daemon may take a little longer than usual to look again."""
    wait_until(lambda: ask(session).code == code, "the reply to a remote recipient is %d" % code, 10)


def truncate(gate):
    os.truncate(gate.database, 0)


def overwrite(gate):
    with open(gate.database, "r+b") as file:
        file.write(NO_DATABASE)


def replace_by_garbage(gate):
    replace(gate, NO_DATABASE)


def replace_by_nothing(gate):
    replace(gate, b"")


def replace_by_foreign_database(gate):
    other = gate.database.with_name("foreign.db")
    command("sqlite3", other, "CREATE TABLE setting(name, value); INSERT INTO setting VALUES('relay_for', 'anyone')")
    other.rename(gate.database)


def remove(gate):
    gate.database.unlink()


def put_a_folder_there(gate):
    gate.database.unlink()
    gate.database.mkdir()


def drop_a_table(gate):
    gate.sql("DROP TABLE relay_grant;")


NO_DATABASE = b"This is no database. " * 400

# What befalls the database file, and whether the daemon must notice: what somebody does to the bytes of a file behind
# SQLite's back may stay hidden by its cache, which is as good.
DAMAGES = ((truncate, False), (overwrite, False), (replace_by_garbage, True), (replace_by_nothing, True),
           (replace_by_foreign_database, True), (remove, True), (put_a_folder_there, True), (drop_a_table, True))


def replace(gate, content):
    other = gate.database.with_name("other")
    other.write_bytes(content)
    other.rename(gate.database)


def test_unreadable(tap, gate, postfix):
    """As root no mode keeps anybody out, so `unreadable` is: no database, another's, or a damaged one."""
    saved = gate.database.with_name("saved.db")
    with SmtpSession(postfix.ports["spec"], Client("192.0.2.50")) as granted, \
            SmtpSession(postfix.ports["spec"], OUTSIDER) as outsider:
        for damage, noticed in DAMAGES:
            gate.rules(*SITE, "grant 192.0.2.50")
            wait_for_code(outsider, 554)
            wait_for_code(granted, 250)
            gate.sql("VACUUM INTO '%s'; PRAGMA wal_checkpoint(TRUNCATE);" % saved)
            before = len(gate.text())
            with tap.case("%s: the last good rules stay in force" % damage.__name__):
                damage(gate)
                gate.process.send_signal(signal.SIGHUP)  # look again, now
                expect_unchanged(granted, outsider)
            if noticed:
                with tap.case("%s: a warning says so" % damage.__name__):
                    wait_until(lambda: "level=warning" in gate.text()[before:], "a warning in the log", 5)
            with tap.case("%s: with the file back, changes are noticed again" % damage.__name__):
                restore(gate, saved)
                gate.change("grant 192.0.2.10")
                wait_for_code(outsider, 250)


def restore(gate, saved):
    """Puts the copy in the place of the database, as an administrator does who knows SQLite: without the old log."""
    for end in ("-wal", "-shm"):
        gate.database.with_name(gate.database.name + end).unlink(missing_ok=True)
    if gate.database.is_dir():
        gate.database.rmdir()
    saved.rename(gate.database)
    gate.sql("PRAGMA journal_mode = WAL;")


def program(tap, scratch):
    gate = Gatepostd(scratch)
    postfix = Postfix(scratch, gate.endpoint)
    for test in (test_changes, test_transactions, test_killed, test_stopped, test_locked, test_unreadable):
        with tap.case("%s runs to its end" % test.__name__):
            if gate.process.poll() is not None:  # the test before did not come as far as starting it again
                gate.start()
            test(tap, gate, postfix)
    with tap.case("gatepostd ends cleanly"):
        gate.stop()


if __name__ == "__main__":
    run(program)
