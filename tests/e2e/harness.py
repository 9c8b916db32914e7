"""What the end-to-end tests have in common: TAP, a scratch folder that cleans up after itself, and gatepostd.

A test program is a table of cases and a function:

    def program(tap, scratch):
        gate = Gatepostd(scratch)
        with tap.case("nobody relays by default"):
            expect_equal(answer, "REJECT ...")

    if __name__ == "__main__":
        run(program)

Environment: `builddir` is the folder that holds gatepostd and gatepost (default: the current one), `srcdir` the source
tree (default: two folders above this file). Nothing is skipped: what is missing is a failure.
"""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from contextlib import contextmanager
from pathlib import Path

BUILD_DIR = Path(os.environ.get("builddir") or ".").resolve()
SOURCE_DIR = Path(os.environ.get("srcdir") or Path(__file__).resolve().parents[2]).resolve()

COMMAND_SECONDS = 20  # longest time for a helper program that should answer at once
END_SECONDS = 10      # between SIGTERM and SIGKILL
PROGRAM_SECONDS = 150  # a whole test program; it should need less than half of it, also on a slow machine


class Mismatch(AssertionError):
    """What was seen is not what was expected; shown without a traceback."""


def expect(condition, text):
    if not condition:
        raise Mismatch(text)


def expect_equal(seen, expected, about=""):
    if seen != expected:
        raise Mismatch("%s\nexpected: %s\nseen:     %s" % (about, expected, seen))


def wait_until(condition, about, seconds=15):
    """The first true value of condition(), asked again and again; Mismatch when it stays false."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Mismatch("waited %d seconds in vain: %s" % (seconds, about))
        time.sleep(0.02)


class Tap:
    """Writes the Test Anything Protocol: one line a case, the plan at the end."""

    def __init__(self):
        self.count = 0
        self.failed = 0

    @contextmanager
    def case(self, text):
        """One case: `ok` when the block ends, `not ok` with a diagnosis when it raises; the program goes on."""
        try:
            yield
        except Mismatch as fault:
            self._report(False, text, str(fault).strip())
        except Exception:
            self._report(False, text, traceback.format_exc())
        else:
            self._report(True, text)

    def _report(self, good, text, diagnosis=""):
        self.count += 1
        self.failed += not good
        print("%s %d - %s" % ("ok" if good else "not ok", self.count, _printable(text).replace("#", "\\#")))
        for line in diagnosis.splitlines():
            print("# " + _printable(line))
        sys.stdout.flush()

    def finish(self):
        print("1..%d" % self.count, flush=True)
        return 1 if self.failed or not self.count else 0


def _printable(text):
    return "".join(c if c.isprintable() else "\\x%02x" % ord(c) for c in text)


class Scratch:
    """A folder that others (user postfix) can reach, and the stack of what has to be ended before it is removed."""

    def __init__(self):
        self.path = Path(tempfile.mkdtemp(prefix="gatepost-e2e."))
        self.path.chmod(0o755)
        self._cleanups = []
        self._port_locks = []

    def folder(self, name, mode=0o755):
        path = self.path / name
        path.mkdir()
        path.chmod(mode)
        return path

    def at_end(self, function):
        """Calls function when the program ends, however it ends; the last registered first."""
        self._cleanups.append(function)

    def free_port(self):
        """A free port of 127.0.0.1, for as long as this program runs. It is below those that the kernel gives to
        outgoing connections, and an abstract socket of its number keeps other test programs from taking it before the
        server binds it."""
        for port in random.sample(range(20000, 32000), 200):
            lock = socket.socket(socket.AF_UNIX)
            try:
                lock.bind("\0gatepost-e2e.port.%d" % port)
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", port))
            except OSError:
                lock.close()
                continue
            self._port_locks.append(lock)
            return port
        raise RuntimeError("no free port on 127.0.0.1")

    def close(self):
        while self._cleanups:
            try:
                self._cleanups.pop()()
            except Exception:
                print("# while cleaning up: " + traceback.format_exc().replace("\n", "\n# "), flush=True)
        shutil.rmtree(self.path, ignore_errors=True)


def run_parts(tap, parts, *arguments):
    """Runs the parts of a program one after another; one that breaks down is a case that failed, and the next goes on."""
    for part in parts:
        try:
            part(tap, *arguments)
        except Exception:
            with tap.case("%s runs to its end" % part.__name__):
                raise


def run(program):
    """Runs program(tap, scratch) and exits; whatever happens, processes are ended and the folder is removed."""
    tap = Tap()

    def leave(number, _frame):
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
            signal.signal(one, signal.SIG_IGN)  # once is enough: nothing interrupts the cleaning up
        print("Bail out! %s" % signal.Signals(number).name, flush=True)
        sys.exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, leave)
    signal.alarm(PROGRAM_SECONDS)
    scratch = Scratch()
    try:
        try:
            program(tap, scratch)
        except Exception:
            with tap.case("the program runs to its end"):
                raise
    finally:
        signal.alarm(0)
        scratch.close()
    sys.exit(tap.finish())


def command(*argv, text="", seconds=COMMAND_SECONDS, env=None):
    """Runs a program to its end and returns its standard output; Mismatch when it fails."""
    argv = [str(word) for word in argv]
    done = subprocess.run(argv, input=text, text=True, capture_output=True, timeout=seconds, env=env)
    if done.returncode != 0:
        raise Mismatch("%s: exit status %d\n%s%s" % (" ".join(argv), done.returncode, done.stdout, done.stderr))
    return done.stdout


def end_process(process, seconds=END_SECONDS):
    """Ends a child: SIGTERM, a bounded wait, SIGKILL. Returns its exit status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(seconds)
    return process.returncode


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


# Rules as the tests write them: "grant 192.0.2.10", "set relay_for nobody". Each is one statement of plain SQL.
RULES = {
    "set": "INSERT OR REPLACE INTO setting(name, value) VALUES({0}, {1})",
    "unset": "DELETE FROM setting WHERE name = {0}",
    "deny": "INSERT INTO access_block(block, verdict) VALUES({0}, 'deny')",
    "allow": "INSERT INTO access_block(block, verdict) VALUES({0}, 'grant')",
    "grant": "INSERT INTO relay_grant(client, verdict) VALUES({0}, 'grant')",
    "refuse": "INSERT INTO relay_grant(client, verdict) VALUES({0}, 'refuse')",
    "kill": "INSERT INTO kill_entry(sender) VALUES({0})",
    "accept": "INSERT INTO accept_entry(sender) VALUES({0})",
    "accept-from": "INSERT INTO accept_entry(sender, client) VALUES({0}, {1})",
    "domain": "INSERT INTO local_domain(domain, kind) VALUES({0}, 'local')",
    "relay-domain": "INSERT INTO local_domain(domain, kind) VALUES({0}, 'relay')",
    "user": "INSERT INTO local_user(address) VALUES({0})",
    "alias": "INSERT INTO local_user(address, account) VALUES({0}, {1})",
    "list": "INSERT INTO local_list(address) VALUES({0})",
    "closed-list": "INSERT INTO local_list(address, remote_mail) VALUES({0}, 'no')",
    "open-list": "INSERT INTO local_list(address, remote_mail) VALUES({0}, 'yes')",
}
TABLES = ("setting", "access_block", "relay_grant", "kill_entry", "accept_entry", "local_domain", "local_user",
          "local_list")


def rule_sql(*rules):
    """The SQL of rules in the words of RULES; the last argument of a rule may hold blanks."""
    statements = []
    for rule in rules:
        kind, _, rest = rule.partition(" ")
        template = RULES[kind]
        words = rest.split(" ", 1) if "{1}" in template else [rest]
        statements.append(template.format(*("'%s'" % word.replace("'", "''") for word in words + [""])) + ";\n")
    return "".join(statements)


LOGFMT = re.compile(r'([A-Za-z_][\w.-]*)=("(?:[^"\\]|\\.)*"|\S*)')


def parse_logfmt(line):
    """The fields of one log line; of a quoted value the quotes and backslashes are taken off."""
    fields = {}
    for name, value in LOGFMT.findall(line):
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        fields.setdefault(name, value)
    return fields


class Gatepostd:
    """A gatepostd of our own on a free port, its rules in a database that `gatepost init` made, its logins where the
    URL `logins` says (default: SQLite beside the rules), its login and control sockets in the same folder."""

    def __init__(self, scratch, *options, poll_ms=50, name="gatepostd", logins=None):
        folder = scratch.folder(name + ".rules")
        self.database = folder / "gatepost.db"
        self.logins = logins or "sqlite:%s" % (folder / "logins.db")
        self.login_socket = folder / "login"
        self.control_socket = folder / "control"
        self.port = scratch.free_port()
        self.endpoint = "inet:127.0.0.1:%d" % self.port
        self.poll_ms = poll_ms
        self.stderr = scratch.path / (name + ".log")
        self.stderr.touch()
        self.options = options
        self.process = None
        command(BUILD_DIR / "gatepost", "init", "--database", self.database)
        scratch.at_end(self._end)
        self.start()

    def start(self):
        expect(not accepts(self.port), "port %d is taken" % self.port)
        with open(self.stderr, "ab") as log:
            self.process = subprocess.Popen(
                [BUILD_DIR / "gatepostd", "--database", self.database, "--listen", self.endpoint,
                 "--logins", self.logins, "--login-listen", "unix:%s" % self.login_socket,
                 "--control-listen", "unix:%s" % self.control_socket,
                 "--poll-ms", str(self.poll_ms), "--log-level", "debug", *self.options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: self.process.poll() is not None or accepts(self.port), "gatepostd accepts connections")
        expect(self.process.poll() is None, "gatepostd ended at its start:\n" + self.text())

    def stop(self):
        """Ends it as an administrator does; it must leave with status 0 and, with sanitizers, without a report."""
        self.process.terminate()
        try:
            status = self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            raise Mismatch("gatepostd did not end within %d seconds of SIGTERM" % END_SECONDS) from None
        self.expect_no_report()
        expect_equal(status, 0, "exit status of gatepostd after SIGTERM\n" + self.text()[-2000:])

    def kill(self):
        self.process.kill()
        self.process.wait(END_SECONDS)

    def _end(self):
        if self.process is not None:
            end_process(self.process)

    def expect_no_report(self):
        found = re.search(r"(ERROR: \w+Sanitizer|runtime error:).*", self.text(), re.DOTALL)
        expect(not found, found and found.group()[:4000])

    def sql(self, text):
        """Runs SQL on the rules with the plain sqlite3 program, as an administrator would."""
        return command("sqlite3", "-batch", "-bail", "-cmd", ".timeout 5000", self.database, text=text)

    def settle(self):
        """Waits until a committed change must be in force: 2 x poll_ms, and something for a slow machine."""
        time.sleep(2 * self.poll_ms / 1000 + 0.15)

    def change(self, *rules):
        """Changes rules in one transaction and waits until they are in force; see RULES."""
        self.sql("BEGIN IMMEDIATE;\n" + rule_sql(*rules) + "COMMIT;\n")
        self.settle()

    def rules(self, *rules):
        """Like change, but these rules replace all others."""
        empty = "".join("DELETE FROM %s;\n" % table for table in TABLES)
        self.sql("BEGIN IMMEDIATE;\n" + empty + rule_sql(*rules) + "COMMIT;\n")
        self.settle()

    def login(self, user, address, service="imap"):
        """Reports a login; the line that is answered, such as action=OK."""
        return self.event("request=gatepost_login\nuser=%s\nclient_address=%s\nservice=%s\n\n"
                          % (user, address, service))

    def event(self, text):
        """Sends this to the login socket; the line that is answered, '' when the connection is closed instead."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(COMMAND_SECONDS)
            client.connect(str(self.login_socket))
            client.sendall(text if isinstance(text, bytes) else text.encode())
            reply = b""
            while not reply.endswith(b"\n\n"):
                piece = client.recv(4096)
                if not piece:
                    return reply.decode(errors="replace")
                reply += piece
            return reply.decode(errors="replace")[:-2]

    def cli(self, *words, status=0, text=""):
        """Runs gatepost against this daemon: what it prints, or with another exit status what it complains of."""
        done = subprocess.run([BUILD_DIR / "gatepost", "--database", self.database,
                               "--control", "unix:%s" % self.control_socket, *map(str, words)],
                              input=text, capture_output=True, text=True, timeout=COMMAND_SECONDS)
        expect_equal(done.returncode, status, "gatepost %r\n%s%s" % (words, done.stdout, done.stderr))
        return done.stderr if status else done.stdout

    def text(self):
        return self.stderr.read_text(errors="replace")

    def log(self):
        """The decisions it logged, oldest first, each a dictionary of its fields."""
        lines = (parse_logfmt(line) for line in self.text().splitlines())
        return [line for line in lines if "action" in line and "state" in line]

    def decision(self, since=0, **fields):
        """The newest decision whose fields have these values, of those after the first `since`; waits for it, as the
        log may come a little later."""
        def newest():
            found = [line for line in self.log()[since:] if fields.items() <= line.items()]
            return found and found[-1]
        try:
            return wait_until(newest, "a decision in the log with %s" % fields, 5)
        except Mismatch as fault:
            raise Mismatch("%s\nlast lines:\n%s" % (fault, self.text()[-1500:])) from None
