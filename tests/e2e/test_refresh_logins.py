#!/usr/bin/env python3
"""gatepost-refresh-logins: what it makes of the sessions that doveadm lists, and of what the daemon answers."""

import socket
import subprocess

from harness import SOURCE_DIR, expect, expect_equal, run
from login_server import OK, LoginServer, event
from mailbox import Mailbox, imap_login, pop3_login

REFRESH = SOURCE_DIR / "scripts/gatepost-refresh-logins"


def start_refresh(server, doveadm, *options):
    path = server if isinstance(server, str) else server.path
    return subprocess.Popen([REFRESH, "--socket", path, "--doveadm", doveadm, *options], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process):
    """The process at its end, with what it wrote."""
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def refresh(server, doveadm, *options):
    return ended(start_refresh(server, doveadm, *options))


class Doveadm:
    """A doveadm of our own: `who` prints these lines, then the program ends as `end` says."""

    def __init__(self, scratch):
        self.folder = scratch.folder("doveadm")
        self.count = 0

    def __call__(self, lines, end="exit 0", header="username\tproto\tpid\tip\n"):
        self.count += 1
        path = self.folder / ("who%d" % self.count)
        (self.folder / ("lines%d" % self.count)).write_text(header + "".join(line + "\n" for line in lines))
        path.write_text('#!/bin/sh\n[ "$*" = "-c x -f tab who -1" ] || exit 64\ncat %s/lines%d\n%s\n'
                        % (self.folder, self.count, end))
        path.chmod(0o755)
        return "%s -c x" % path


THREE = ["alice@example.com\timap\t11\t192.0.2.10", "bob\tpop3\t12\t2001:db8::7", "carol@example.com\timap\t13\t192.0.2.11"]
THREE_EVENTS = [event(service="imap"), event("bob", "2001:db8::7", "pop3"),
                event("carol@example.com", "192.0.2.11", "imap")]


def sessions(tap, server, doveadm):
    alice = THREE_EVENTS[:1]
    for title, who, expected in (
            ("three sessions", doveadm(THREE), THREE_EVENTS),
            ("the same without a header", doveadm(THREE, header=""), THREE_EVENTS),
            ("columns in another order", doveadm(["alice@example.com\t192.0.2.10\timap"], header="username\tip\tproto\n"),
             alice),
            ("several sessions of one user and address", doveadm(
                THREE[:1] * 3 + ["alice@example.com\tpop3\t9\t192.0.2.10"]), alice),
            ("sessions without address or user", doveadm(["dave\tlmtp\t1\t", "\timap\t1\t192.0.2.1"] + THREE),
             THREE_EVENTS),
            ("no session", doveadm([]), []),
            ("5,000 sessions", doveadm("u%d@example.com\timap\t%d\t192.0.2.%d" % (i, i, i % 250) for i in range(5000)),
             [event("u%d@example.com" % i, "192.0.2.%d" % (i % 250), "imap") for i in range(5000)])):
        with tap.case("%s, over one connection" % title):
            before = server.connections
            done = refresh(server, who)
            expect_equal((done.returncode, done.stdout, done.stderr), (0, "", ""))
            server.expect(expected)
            expect_equal(server.connections - before, 1 if expected else 0)
    with tap.case("names with control characters are passed over, with a warning"):
        bad = ["a\x01tb\timap\t1\t192.0.2.1", "a\tb\timap\t1\t192.0.2.1", "x\x1b[31m\timap\t1\t192.0.2.1"]
        done = refresh(server, doveadm(bad + THREE))
        expect_equal((done.returncode, done.stderr.count("passed over"), "\x1b" in done.stderr), (0, 3, False), done.stderr)
        server.expect(THREE_EVENTS)
    with tap.case("--dry-run prints and sends nothing"):
        done = refresh("/nonexistent", doveadm(THREE), "--dry-run")
        expect_equal((done.returncode, done.stdout, done.stderr), (
            0, "alice@example.com 192.0.2.10 imap\nbob 2001:db8::7 pop3\ncarol@example.com 192.0.2.11 imap\n", ""))


def faults(tap, scratch, server, doveadm):
    with tap.case("what was rejected or deferred is counted"):
        replies = [OK, b"action=DEFER later\n\n", b"action=REJECT no\n\n", OK, b"action=REJECT no\n\n"] * 4
        choosy = LoginServer(scratch, "choosy", lambda connection: connection.sendall(replies.pop(0)))
        done = refresh(choosy, doveadm("u%d\timap\t1\t192.0.2.1" % i for i in range(20)))
        expect_equal((done.returncode, len(choosy.events)), (1, 20))
        expect("12 of 20 events: 8 rejected, 4 kept for later" in done.stderr, done.stderr)
        expect("u1 192.0.2.1 imap: DEFER later\n" in done.stderr, done.stderr)
    for title, answer, text in (("rubbish", b"action=OKAY\n\n", "none of gatepostd's"),
                                ("a reply without end", b"x" * 100000, "does not end"),
                                ("a close", lambda connection: connection.shutdown(socket.SHUT_RDWR), "was closed")):
        with tap.case("answered with %s" % title):
            done = refresh(LoginServer(scratch, title, answer), doveadm(THREE))
            expect_equal((done.returncode, text in done.stderr), (69, True), done.stderr)
    for title, where, who, text in (
            ("no daemon", str(scratch.path / "nobody"), doveadm(THREE), "No such file or directory"),
            ("a path that is too long", "/x" * 100, doveadm(THREE), "longer than the path of a socket"),
            ("no doveadm", server, "/nonexistent", "/nonexistent: No such file or directory"),
            ("a doveadm that fails", server, doveadm(THREE, "exit 75"), "exit status 75")):
        with tap.case(title):
            done = refresh(where, who)
            expect_equal((done.returncode, text in done.stderr), (69, True), done.stderr)
            server.expect([])
    with tap.case("usage"):
        expect_equal([refresh(server, who, *words).returncode for who, words in
                      (("x", ["--no-such"]), ("x", ["word"]), (" ", []), ("x", ["--help"]))], [2, 2, 2, 0])


def dovecot(tap, scratch, server):
    mailbox = Mailbox(scratch, {"alice@example.com": "secret", "bob@example.com": "words"})
    with tap.case("the sessions that a real Dovecot has open"):
        sessions = [imap_login(mailbox.imap_port, "alice@example.com", "secret", "192.0.2.10"),
                    imap_login(mailbox.imap_port, "alice@example.com", "secret", "192.0.2.10"),
                    pop3_login(mailbox.pop3_port, "bob@example.com", "words", "2001:db8::7")]
        done = refresh(server, "doveadm -c %s" % mailbox.config)
        expect_equal((done.returncode, done.stdout, done.stderr), (0, "", ""))
        server.events.sort()
        server.expect([event(service="imap"), event("bob@example.com", "2001:db8::7", "pop3")])
        for session in sessions[:2]:
            session.logout()
        sessions[2].quit()
    with tap.case("a real Dovecot that is not running"):
        mailbox.stop()
        done = refresh(server, "doveadm -c %s" % mailbox.config)
        expect_equal((done.returncode, "exit status 75" in done.stderr), (69, True), done.stderr)


def program(tap, scratch):
    server, doveadm = LoginServer(scratch, "server"), Doveadm(scratch)
    silent = LoginServer(scratch, "silent", lambda connection: None)
    hanging = (start_refresh(silent, doveadm(THREE)), start_refresh(server, doveadm([], "exec sleep 100")))
    sessions(tap, server, doveadm)
    faults(tap, scratch, server, doveadm)
    dovecot(tap, scratch, server)
    for process, text in zip(hanging, ("silent does not answer", "who2 does not answer")):
        with tap.case("bounded in time: " + text):
            done = ended(process)
            expect_equal((done.returncode, text in done.stderr), (69, True), done.stderr)


if __name__ == "__main__":
    run(program)
