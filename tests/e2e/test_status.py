#!/usr/bin/env python3
"""`gatepost status`: what the daemon says of itself, once, and watched on a terminal."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
from contextlib import contextmanager

from harness import BUILD_DIR, COMMAND_SECONDS, Gatepostd, expect, expect_equal, run, wait_until
from policy import PolicySession, Session

REMOTE, OURS = "carol@example.org", "bob@example.com"
SITE = ("set pop_before_smtp 30", "domain example.com", "grant 192.0.2.64/26", "grant 192.0.2.7", "deny 203.0.113.0/24",
        "deny 203.0.113.128/25", "allow 203.0.113.9", "refuse 192.0.2.66", "kill @example.edu", "user " + OURS,
        "closed-list staff", "accept-from @example.net 192.0.2.9", "set archive_to archive@example.com")
REASONS = ("access", "submission", "vrfy", "kill", "null-sender", "invalid-sender", "local-sender", "routed", "list",
           "relay", "unverified", "recipients", "unavailable")

# client, sender, recipient, state; what is counted; how often it is asked.
REQUESTS = (
    ("192.0.2.70", "a@example.net", REMOTE, "RCPT", "OK", 120),
    ("192.0.2.71", "a@example.net", OURS, "RCPT", "OK", 20),
    ("192.0.2.7", "a@example.net", REMOTE, "RCPT", "OK", 10),
    ("192.0.2.9", "a@example.net", REMOTE, "RCPT", "OK", 1),  # by accept_entry
    ("192.0.2.200", "a@example.net", OURS, "RCPT", "DUNNO", 4),
    ("192.0.2.200", "a@example.net", "", "MAIL", "DUNNO", 2),
    ("192.0.2.200", "a@example.net", "", "DATA", "BCC", 2),
    ("203.0.113.7", "a@example.net", "", "CONNECT", "access", 3),
    ("192.0.2.200", "a@example.edu", "", "MAIL", "kill", 2),
    ("192.0.2.200", "a@example.net", "", "VRFY", "vrfy", 1),
    ("192.0.2.200", "a@example.net", "a%b@example.com", "RCPT", "unavailable", 1),
    ("192.0.2.66", "a@example.net", "staff@example.com", "RCPT", "list", 5),
    ("192.0.2.66", "a@example.net", REMOTE, "RCPT", "relay", 6),
    ("192.0.2.66", "a@example.net", "a%b@example.com", "RCPT", "routed", 1),
    ("192.0.2.200", OURS, REMOTE, "RCPT", "unavailable", 2),
)


def status(gate, *words):
    return json.loads(gate.cli("status", "--json", *words))


def counts(found, key="all"):
    """What is counted at all."""
    pairs = {**found["requests"], **found["refusals"]}
    return {name: numbers[key] for name, numbers in pairs.items() if numbers[key]}


def expected_counts():
    found = {}
    for *_, outcome, times in REQUESTS:
        found[outcome] = found.get(outcome, 0) + times
        if outcome in REASONS:
            action = "DEFER" if outcome == "unavailable" else "REJECT"
            found[action] = found.get(action, 0) + times
    return found


def counting(tap, gate):
    with tap.case("a daemon that has done nothing yet"):
        found = status(gate)
        expect_equal(counts(found), {})
        expect_equal(list(found["requests"]), ["DUNNO", "OK", "REJECT", "DEFER", "BCC"])
        expect_equal(tuple(found["refusals"]), REASONS)
        expect_equal(found["granted"]["clients"], [])
        expect_equal((found["protocol_errors"], found["connections_refused"]), (0, 0))
        expect_equal(found["version"], found["command_version"])
        expect(0 <= time.time() - found["started"] < 60 and 0 <= found["uptime"] < 60, str(found))
    gate.rules(*SITE)
    with PolicySession(gate) as session:
        for *request, _, times in REQUESTS:
            for _ in range(times):
                session.ask(*request)
    with tap.case("requests by action and reason, exactly, in all and in the last minute"):
        found = status(gate)
        expect_equal(counts(found), expected_counts())
        expect_equal(counts(found, "minute"), expected_counts())
    with tap.case("the busiest granted clients, with their share"):
        expect_equal(found["granted"]["requests"], 150)
        expect_equal([(one["address"], one["requests"], one["percent"]) for one in found["granted"]["clients"]],
                     [("192.0.2.70", 120, 80), ("192.0.2.71", 20, 13), ("192.0.2.7", 10, 6)])
    with tap.case("one that makes up most of it is told of in words"):
        text = gate.cli("status")
        expect("80% of them from 192.0.2.70: if that is a NAT or a proxy, all behind it may relay" in text, text)
        expect("relay_grant let 150 requests through" in text, text)
    with tap.case("malformed requests and connections that are turned away"):
        for where in (gate.port, gate.control_socket, gate.login_socket):
            with Session(where) as session:
                session.send("no request\n\n")
                session.rest()
        found = status(gate)
        expect_equal(found["protocol_errors"], 3)
        expect_equal(counts(found), expected_counts(), "they are no requests")


def rules(tap, gate):
    with tap.case("rules by kind"):
        expect_equal(status(gate)["rules"], {"deny": 2, "allow": 1, "grant": 2, "refuse": 1, "kill": 1, "accept": 1,
                                             "domain": 1, "user": 1, "list": 1, "setting": 2})
    with tap.case("rows that change their verdict, come and go are counted right"):
        before = status(gate)["generation"]
        gate.sql("UPDATE access_block SET verdict = 'deny' WHERE block = '203.0.113.9';"
                 "UPDATE relay_grant SET verdict = 'grant' WHERE client = '192.0.2.66';"
                 "INSERT INTO access_block (block, verdict) VALUES ('198.51.100.1-50', 'grant');"
                 "DELETE FROM access_block WHERE block = '203.0.113.128/25'")
        gate.settle()
        found = status(gate)
        expect_equal({kind: found["rules"][kind] for kind in ("deny", "allow", "grant", "refuse")},
                     {"deny": 2, "allow": 1, "grant": 3, "refuse": 0})
        expect(found["generation"] > before and found["generation_age"] < 60, str(found))
        gate.process.send_signal(signal.SIGHUP)  # all are read anew
        wait_until(lambda: status(gate)["generation"] > found["generation"], "another generation")
        expect_equal(status(gate)["rules"], found["rules"])
    with tap.case("a row that is not understood is counted, and told of"):
        gate.sql("PRAGMA ignore_check_constraints = on;"
                 "INSERT INTO access_block (block) VALUES ('192.0.2.300')")
        gate.settle()
        expect_equal(status(gate)["rules_skipped"], 1)
        expect("1 row is not understood" in gate.cli("status"), gate.cli("status"))
    with tap.case("rules that cannot be read are stale, with the reason"):
        away = gate.database.with_name("away.db")
        gate.database.rename(away)
        stale = wait_until(lambda: status(gate)["stale"], "stale rules")
        expect("No such file" in stale["why"] and stale["seconds"] < 60, str(stale))
        expect("STALE" in gate.cli("status") and str(gate.database) in gate.cli("status"), gate.cli("status"))
        away.rename(gate.database)
        wait_until(lambda: status(gate)["stale"] is None, "rules that are not stale")
        expect("STALE" not in gate.cli("status"), gate.cli("status"))


def connections(tap, gate):
    def open_at(kind):
        return [one["connections"] for one in status(gate)["listeners"] if one["kind"] == kind]
    with tap.case("listeners with their connections"):
        expect_equal([(one["kind"], one["endpoint"]) for one in status(gate)["listeners"]],
                     [("policy", gate.endpoint), ("policy", "unix:%s" % gate.second),
                      ("login", "unix:%s" % gate.login_socket), ("control", "unix:%s" % gate.control_socket)])
        expect_equal((open_at("policy"), open_at("login"), open_at("control")), ([0, 0], [0], [1]))
        with PolicySession(gate) as one, PolicySession(gate) as two, Session(gate.second) as three:
            one.ask("192.0.2.200", "a@example.net", OURS)
            two.ask("192.0.2.200", "a@example.net", OURS)
            three.send("request=smtpd_access_policy\nprotocol_state=CONNECT\n\n")
            three.reply()
            expect_equal(open_at("policy"), [2, 1])
            expect("2 connections" in gate.cli("status"), gate.cli("status"))
        wait_until(lambda: open_at("policy") == [0, 0], "they are gone")


def logins(tap, gate):
    with tap.case("a login store that is away, and logins that wait for it"):
        expect_equal(status(gate)["logins"], {"store": "redis", "state": "down", "waiting": 0})
        for user in ("alice", "bob", "carol"):
            expect(gate.login(user + "@example.com", "192.0.2.33").startswith("action=DEFER"), "it waits")
        expect_equal(status(gate)["logins"]["waiting"], 3)
        text = gate.cli("status")
        expect("redis is DOWN, 3 waiting for it" in text, text)
        expect("secret" not in text and "secret" not in gate.cli("status", "--json"), "no password is told")


# A daemon that is none.

@contextmanager
def impostor(scratch, reply):
    """A control socket on which everybody is told the same; its endpoint."""
    path = scratch.path / ("impostor.%d" % len(list(scratch.path.iterdir())))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve():
            try:
                while True:
                    client, _ = listener.accept()
                    with client:
                        client.recv(4096)
                        client.sendall(reply)
            except OSError:
                pass
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield "unix:%s" % path
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(COMMAND_SECONDS)


def ask_impostor(endpoint, *words):
    return subprocess.run([BUILD_DIR / "gatepost", "--control", endpoint, "status", *words], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=COMMAND_SECONDS)


def impostors(tap, scratch):
    with tap.case("a daemon of another version is told of"), impostor(scratch, b"version=9.9.9\nuptime=93784\n\n") as there:
        text = ask_impostor(there).stdout.decode()
        expect("gatepostd 9.9.9, up 1d 2h 3m 4s" in text and "this command is of another version" in text, text)
        expect_equal(json.loads(ask_impostor(there, "--json").stdout)["version"], "9.9.9")
    hostile = b"\x1b]0;owned\x07'\"\\ <\xff>"
    strange = (b"version=" + hostile + b"\nstarted=99999999999999999999\nuptime=-1\nlistener=\nlistener=x\n"
               b"listener=" + hostile + b" 1 " + hostile + b"\nrules=deny lots\nrequests=OK 18446744073709551615 7 8 9\n"
               b"granted_client=" + hostile + b" 5\ngranted=1 1\nlogin_store=" + hostile + b"\nstale=x " + hostile +
               b"\nno pair\n=\nnew=1\n" + b"refusals=access 1 2\n" * 1000 + b"\n")
    for name, reply, expected in (("strange values", strange, 0), ("no reply", b"", 69), ("an empty reply", b"\n\n", 69),
                                  ("another reply", b"action=REJECT an unknown command\n\n", 69),
                                  ("half a reply", b"version=9.9.9\n", 69), ("binary", bytes(range(256)) * 100, 69),
                                  ("10 MB", b"version=1\n" + b"x" * 10000000 + b"\n\n", 0)):
        for words in ((), ("--json",)):
            with tap.case("%s from the daemon%s" % (name, " ".join(("",) + words))), impostor(scratch, reply) as there:
                done = ask_impostor(there, *words)
                expect_equal(done.returncode, expected, str(done.stderr[-500:]))
                expect(not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", done.stdout + done.stderr), "a control character")
                expect(b"Sanitizer" not in done.stderr and b"runtime error" not in done.stderr, str(done.stderr[-2000:]))
                if words and expected == 0:
                    json.loads(done.stdout)


# Watching.

class Terminal:
    """gatepost status --watch on a terminal of that size."""

    def __init__(self, gate, rows=40, columns=100, term="xterm"):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = term
            os.execv(BUILD_DIR / "gatepost", ["gatepost", "--control", "unix:%s" % gate.control_socket, "status", "--watch"])
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def frames(self):
        """What has been shown so far, a screen each."""
        while select.select([self.fd], [], [], 0)[0]:
            try:
                piece = os.read(self.fd, 65536)
            except OSError:
                break
            if not piece:
                break
            self.text += piece.decode(errors="replace")
        return self.text.split("\x1b[H")[1:]

    def wait(self, text, since=0):
        return wait_until(lambda: next((frame for frame in self.frames()[since:] if text in frame and "\x1b[J" in frame), None),
                          "%r on the terminal: %r" % (text, self.text[-500:]))

    def interrupt(self):
        """Types Ctrl-C; the exit status."""
        os.write(self.fd, b"\x03")
        ended = wait_until(self._ended, "it ends")
        os.close(self.fd)
        return ended[0]

    def _ended(self):
        pid, code = os.waitpid(self.pid, os.WNOHANG)
        return (os.waitstatus_to_exitcode(code),) if pid else None


def watching(tap, gate):
    with tap.case("--watch refreshes in place, and Ctrl-C ends it with status 0"):
        terminal = Terminal(gate)
        first = terminal.wait("gatepostd ")
        with PolicySession(gate) as session:
            session.ask("203.0.113.7", "a@example.net", "", "CONNECT")
        before = len(terminal.frames())
        terminal.wait("gatepostd ", before)
        frames = terminal.frames()
        expect(all("\x1b[2J" not in frame for frame in frames), "the screen is never cleared as a whole")
        expect_equal(first.count("\x1b[J"), 1)
        lines = first.split("\x1b[J")[0].split("\r\n")
        expect(len(lines) > 15 and all(line.endswith("\x1b[K") for line in lines[:-1]), repr(first))
        expect_equal(terminal.interrupt(), 0)
    with tap.case("with the daemon away it says so, and goes on when that is back"):
        terminal = Terminal(gate)
        terminal.wait("gatepostd ")
        gate.stop()
        terminal.wait("cannot be reached")
        seen = len(terminal.frames())
        gate.start()
        terminal.wait("gatepostd ", seen)
        expect_equal(terminal.interrupt(), 0)
    with tap.case("a small terminal shows what there is room for"):
        terminal = Terminal(gate, rows=6, columns=30)
        terminal.wait("gatepostd ")
        seen = len(terminal.frames())
        frame = terminal.wait("gatepostd ", seen)
        lines = frame.replace("\x1b[K", "").split("\x1b[J")[0].split("\r\n")
        expect(len(lines) <= 6 and max(map(len, lines)) < 30, repr(lines))
        expect_equal(terminal.interrupt(), 0)
    with tap.case("into a pipe one report follows the other, without escapes; SIGINT ends it with status 0"):
        with watch_into_pipe(gate) as watch:
            text = read_until(watch, lambda text: text.count("gatepostd ") >= 2)
            expect("\x1b" not in text, repr(text))
            watch.send_signal(signal.SIGINT)
            expect_equal(watch.wait(COMMAND_SECONDS), 0)
    with tap.case("a closed pipe ends it with status 74"):
        with watch_into_pipe(gate, "--json") as watch:
            read_until(watch, lambda text: '"version"' in text)
            watch.stdout.close()
            expect_equal(watch.wait(COMMAND_SECONDS), 74)


@contextmanager
def watch_into_pipe(gate, *words):
    watch = subprocess.Popen([BUILD_DIR / "gatepost", "--control", "unix:%s" % gate.control_socket, "status", "--watch", *words],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        yield watch
    finally:
        watch.kill()
        watch.wait(COMMAND_SECONDS)


def read_until(process, is_enough):
    text = ""
    while not is_enough(text):
        expect(select.select([process.stdout], [], [], COMMAND_SECONDS)[0], "nothing more comes after %r" % text)
        text += os.read(process.stdout.fileno(), 65536).decode()
    return text


def misuse(tap, gate):
    for words, code, said in ((("status", "now"), 2, "no arguments"), (("status", "--often"), 2, "no such option")):
        with tap.case("gatepost %s: %d" % (" ".join(words), code)):
            expect(said in gate.cli(*words, status=code), said)
    with tap.case("with the daemon away: 69, and where it was looked for"):
        gate.stop()
        for words in (("status",), ("status", "--json")):
            complaint = gate.cli(*words, status=69)
            expect("%s: cannot be reached" % gate.control_socket in complaint and "is gatepostd running?" in complaint, complaint)


def program(tap, scratch):
    second = scratch.path / "policy"
    gate = Gatepostd(scratch, "--listen", "unix:%s" % second, logins="redis://user:secret@127.0.0.1:%d" % scratch.free_port())
    gate.second = second
    wait_until(lambda: status(gate)["logins"]["state"] == "down", "the store is found to be away")
    counting(tap, gate)
    rules(tap, gate)
    connections(tap, gate)
    logins(tap, gate)
    impostors(tap, scratch)
    watching(tap, gate)
    misuse(tap, gate)


if __name__ == "__main__":
    run(program)
