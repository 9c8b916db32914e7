#!/usr/bin/env python3
"""gatepost-postlogin: what it sends, and that users get their mail whatever it meets.

/dev is replaced for this program and its children (a mount namespace of its own), so that /dev/log is ours, also for
what Dovecot starts.
"""

import ctypes
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time

from harness import BUILD_DIR, command, expect, expect_equal, run, run_parts
from login_server import OK, LoginServer, event
from mailbox import Mailbox, imap_login, imap_mail, pop3_login, pop3_mail

HOOK = BUILD_DIR / "gatepost-postlogin"
LOGIN_SECONDS = 1  # the hook gives up after 250 ms; the rest is for a slow machine
CLONE_NEWNS = 0x00020000

ALICE = {"USER": "alice@example.com", "IP": "192.0.2.10"}
LINE = re.compile(r"<(\d+)>[A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d gatepost-postlogin\[(\d+)\]: (.*)")
WARNING, NOTICE, ERROR = 20, 21, 19  # severity, with facility mail


class Syslog:
    """A /dev of our own with a /dev/log that is read here."""

    def __init__(self, scratch):
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) != 0:
            raise OSError(ctypes.get_errno(), "no mount namespace of our own")
        folder = scratch.folder("dev")
        command("mount", "--make-rprivate", "/")
        command("mount", "-t", "tmpfs", "-o", "mode=0755", "none", folder)
        for name in ("null", "zero", "full", "random", "urandom"):
            device = os.stat("/dev/" + name)
            os.mknod(folder / name, device.st_mode, device.st_rdev)
            os.chmod(folder / name, stat.S_IMODE(device.st_mode))
        os.symlink("/proc/self/fd", folder / "fd")
        command("mount", "--move", folder, "/dev")
        self.socket = None
        self.open()

    def open(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("/dev/log")
        os.chmod("/dev/log", 0o666)
        self.socket.setblocking(False)

    def close(self):
        self.socket.close()
        os.unlink("/dev/log")

    def lines(self):
        """What has come since the last call: severity with facility, process id and text of each line."""
        found = []
        while True:
            try:
                text = self.socket.recv(65536).decode(errors="replace")
            except BlockingIOError:
                return found
            match = LINE.fullmatch(text)
            expect(match, "not a line as syslog(3) sends it: %r" % text)
            found.append((int(match[1]), int(match[2]), match[3]))


def start_hook(*words, env=None, **options):
    return subprocess.Popen([str(HOOK), *words], env=ALICE if env is None else env, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def run_hook(*words, **options):
    """Runs the hook to its end. Returns the process, and what it wrote to standard output and standard error."""
    start = time.monotonic()
    process = start_hook(*words, **options)
    out, err = process.communicate(timeout=20)
    took = time.monotonic() - start
    expect(took < LOGIN_SECONDS, "it took %.3f seconds" % took)
    return process, out, err


ECHO = ("/bin/echo", "mail")


def expect_mail(syslog, words, severity=None, text=None, **options):
    """The command is run, its output is all there is, and syslog has one line, or none where `severity` is None."""
    process, out, err = run_hook(*words, *ECHO, **options)
    expect_equal((process.returncode, out, err), (0, b"mail\n", b""))
    lines = syslog.lines()
    expect_equal([(line[0], line[1]) for line in lines], [(severity, process.pid)] if severity else [], lines)
    expect(not text or re.search(text, lines[0][2]), "%s\nis not in: %s" % (text, lines))
    return lines


def what_is_sent(tap, scratch, syslog):
    server = LoginServer(scratch, "sent")
    to = ("--socket", server.path)
    for title, words, env, expected in (
            ("without a service", to, {}, event()),
            ("with a service", (*to, "--service", "imap"), {}, event(service="imap")),
            ("options with =, and --", ("--socket=" + server.path, "--service=pop3", "--"), {}, event(service="pop3")),
            ("IPv6", to, {"IP": "2001:db8::7"}, event(address="2001:db8::7")),
            ("a name without a domain", to, {"USER": "alice"}, event("alice")),
            ("a name with =, blanks and quotes", to, {"USER": 'a=b "c" d'}, event('a=b "c" d')),
            ("a name in UTF-8", to, {"USER": "zoë@example.com"}, event("zoë@example.com")),
            ("a name of 255 bytes", to, {"USER": "a" * 255}, event("a" * 255))):
        with tap.case("sent: " + title):
            expect_mail(syslog, words, env={**ALICE, **env})
            server.expect([expected])
    with tap.case("the default is /run/gatepost/login"):
        expect_mail(syslog, (), WARNING, "login of alice@example.com from 192.0.2.10 not reported: /run/gatepost/login: ")


def what_is_passed_on(tap, scratch):
    server = LoginServer(scratch, "passed")
    hook = (str(HOOK), "--socket", server.path, "--service", "imap", "--")
    environment = {b"USER": b"alice", b"IP": b"192.0.2.10", b"AUTH_TOKEN": b"1 2\n\xff\x01", b"EMPTY": b"",
                   b"POSIXLY_CORRECT": b"1", b"LC_ALL": b"tr_TR.UTF-8", b"PATH": b"/usr/bin:/bin"}

    def prepare():
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        os.dup2(0, 57)

    def output(*argv):
        done = subprocess.run(argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=20,
                              preexec_fn=prepare, close_fds=False)
        expect_equal((done.returncode, done.stderr), (0, b""))
        return done.stdout

    for title, words in (
            ("environment", ("cat", "/proc/self/environ")),
            ("arguments", ("sh", "-c", "cat /proc/$$/cmdline", "", "--socket", "a b", "\n", "--", "\udcff", "-x")),
            ("signals", ("grep", "^Sig[BIC]", "/proc/self/status")),
            ("descriptors", ("ls", "/proc/self/fd")),
            ("working directory", ("pwd", "-P"))):
        with tap.case("the command gets the same %s as without the hook" % title):
            expect_equal(output(*hook, *words), output(*words))
    with tap.case("the command keeps the process, and its exit status"):
        process, out, _ = run_hook(*hook[1:], "/bin/sh", "-c", "echo $$; exit 7")
        expect_equal((process.returncode, int(out)), (7, process.pid))
    with tap.case("it links nothing but the C library"):
        needed = re.findall(r"\(NEEDED\).*\[(.*)\]", command("readelf", "-d", HOOK))
        extra = [name for name in needed if not re.match(r"(libc|libasan|libubsan|libgcov)\.so", name)]
        expect("libc.so.6" in needed and not extra, needed)


def drip(connection):
    for byte in OK:
        connection.sendall(bytes([byte]))
        time.sleep(0.1)


def two_parts(connection):
    connection.sendall(OK[:9])
    time.sleep(0.01)
    connection.sendall(OK[9:])


def replies(tap, scratch, syslog):
    server = LoginServer(scratch, "replies")
    for title, answer, severity, text in (
            ("OK", OK, None, None),
            ("OK with a text", b"action=OK not recorded\n\n", None, None),
            ("OK in two parts", two_parts, None, None),
            ("OK and more than was asked for", OK + b"x" * 100, None, None),
            ("DEFER", b"action=DEFER the store is away\n\n", NOTICE,
             'not recorded yet: gatepostd answers "action=DEFER the store is away"'),
            ("REJECT", b"action=REJECT no valid address\n\n", WARNING,
             'not reported: gatepostd answers "action=REJECT no valid address"'),
            ("REJECT with control characters", b"action=REJECT \x1b[31m\r\0\n\n", WARNING, r"action=REJECT \?\[31m\?"),
            ("REJECT with a long text", b"action=REJECT " + b"x" * 900 + b"\n\n", WARNING, '"action=REJECT x{242}"$'),
            ("a banner", b"220 mail.example.com ESMTP\r\n\n\n", WARNING, 'answers "220 mail.example.com ESMTP\\?"'),
            ("an action that is none", b"action=OKAY\n\n", WARNING, 'answers "action=OKAY"'),
            ("an empty action", b"action=\n\n", WARNING, 'answers "action="'),
            ("an empty line", b"\n\n", WARNING, 'answers ""'),
            ("NULs", b"\0" * 100 + b"\n\n", WARNING, 'answers ""'),
            ("10 MB without an end", b"x" * 10000000, WARNING, "it is too long"),
            ("CRLF, which never ends", b"action=OK\r\n\r\n", WARNING, "reading the reply: not in time"),
            ("a byte every 100 ms", drip, WARNING, "reading the reply: not in time"),
            ("nothing", lambda connection: time.sleep(1), WARNING, "reading the reply: not in time"),
            ("a close", lambda connection: connection.shutdown(socket.SHUT_RDWR), WARNING, "the connection was closed"),
            ("half a reply and a close", lambda connection: (connection.sendall(b"action=OK\n"), connection.close()),
             WARNING, "the connection was closed")):
        with tap.case("answered with %s: the command runs" % title):
            server.answer = answer
            expect_mail(syslog, ("--socket", server.path), severity, text)
            server.expect([event()])


def no_daemon(tap, scratch, syslog):
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(scratch.path / "stale"))
    stale.close()
    (scratch.path / "file").write_text("")
    datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    datagrams.bind(str(scratch.path / "datagrams"))
    private = LoginServer(scratch, "private")
    os.chmod(private.path, 0o600)
    for title, name, text, options in (
            ("no socket", "absent", "No such file or directory", {}),
            ("a socket of nobody", "stale", "Connection refused", {}),
            ("a file", "file", "Connection refused", {}),
            ("a folder", ".", "Connection refused", {}),
            ("a datagram socket", "datagrams", "Protocol wrong type for socket", {}),
            ("a socket of another's", "private", "Permission denied", {"user": "nobody"}),
            ("a path that is too long", "x" * 200, "File name too long", {})):
        with tap.case("%s: the command runs" % title):
            path = str(scratch.path / name)
            expect_mail(syslog, ("--socket", path), WARNING, re.escape(path[:100]) + ".*: connecting: " + text, **options)


def full_backlog(tap, scratch, syslog):
    path = str(scratch.path / "backlog")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(0)

    def fill():
        while True:
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            try:
                client.connect(path)
            except BlockingIOError:
                return
            waiting.append(client)

    waiting = []
    with tap.case("a full backlog: the command runs"):
        fill()
        expect_mail(syslog, ("--socket", path), WARNING, "connecting: not in time")
    with tap.case("a backlog that gets room in time takes the event"):
        process = start_hook("--socket", path, *ECHO)
        for one in waiting:
            one.close()
        listener.settimeout(20)
        received = b""
        while not received:
            client, _ = listener.accept()
            client.settimeout(20)
            received = client.recv(1000)
        client.sendall(OK)
        out, _ = process.communicate(timeout=20)
        expect_equal((received, out, syslog.lines()), (event(), b"mail\n", []))
    listener.close()


STOPPED = """
import socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(8)
print("ready", flush=True)
client, _ = server.accept()
print(repr(client.recv(1000)), flush=True)
"""


def stopped(tap, scratch, syslog):
    with tap.case("a stopped daemon: the command runs, and the daemon finds the event when it goes on"):
        path = str(scratch.path / "stopped")
        daemon = subprocess.Popen([sys.executable, "-c", STOPPED, path], stdout=subprocess.PIPE, text=True)
        scratch.at_end(daemon.kill)
        expect_equal(daemon.stdout.readline(), "ready\n")
        daemon.send_signal(signal.SIGSTOP)
        expect_mail(syslog, ("--socket", path), WARNING, "reading the reply: not in time")
        daemon.send_signal(signal.SIGCONT)
        expect_equal(daemon.stdout.readline(), repr(event()) + "\n")
        daemon.wait(20)


def bad_events(tap, scratch, syslog):
    server = LoginServer(scratch, "bad")
    to = ("--socket", server.path)
    for title, words, env, text in (
            ("no USER", to, {"IP": "192.0.2.10"}, "login of \\? from 192.0.2.10 not reported: USER is missing"),
            ("an empty USER", to, {**ALICE, "USER": ""}, "USER is missing"),
            ("no IP", to, {"USER": "alice"}, "login of alice from \\? not reported: IP is missing"),
            ("an empty environment", to, {}, "USER is missing"),
            ("a line break in USER", to, {**ALICE, "USER": "a\nuser=b"}, "login of a\\?user=b .*USER holds a control"),
            ("a DEL in USER", to, {**ALICE, "USER": "a\x7f"}, "USER holds a control character"),
            ("a line break in IP", to, {**ALICE, "IP": "192.0.2.10\n"}, "IP holds a control character"),
            ("a line break in the service", (*to, "--service", "a\n"), ALICE, "the service holds a control character"),
            ("a USER of 5,000 bytes", to, {**ALICE, "USER": "a" * 5000}, "login of a{256} from .* longer than"),
            ("a USER of 100,000 bytes", to, {**ALICE, "USER": "a" * 100000}, "longer than")):
        with tap.case("%s: the command runs, and nothing is sent" % title):
            expect_mail(syslog, words, WARNING, text, env=env)
    with tap.case("none of these reached the daemon"):
        expect_equal((server.events, server.connections), ([], 0))


def no_syslog(tap, scratch, syslog):
    absent = ("--socket", str(scratch.path / "absent"))
    with tap.case("a syslog that does not read: the command runs"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as writer:
            writer.connect("/dev/log")
            writer.setblocking(False)
            try:
                while True:
                    writer.send(b"<20>Jan  1 00:00:00 gatepost-postlogin[1]: filled")
            except BlockingIOError:
                pass
            expect_equal(run_hook(*absent, *ECHO)[1:], (b"mail\n", b""))
        expect({text for _, _, text in syslog.lines()} == {"filled"}, "the line is lost")
    with tap.case("no syslog: the command runs, and nothing is said"):
        syslog.close()
        expect_equal(run_hook(*absent, *ECHO)[1:], (b"mail\n", b""))
        syslog.open()


def usage(tap, scratch, syslog):
    folder = str(scratch.path)
    for title, words, text in (
            ("an unknown option before --", ("--sokket", "/x", "--"), "there is no option --sokket"),
            ("an unknown option before the command's path", ("--sokket",), "there is no option --sokket"),
            ("an unknown option with a value", ("--sokket=/x", "--service", "imap"), "there is no option --sokket=/x"),
            ("an unknown option with a path for a value", ("--sokket", folder), "there is no option --sokket"),
            ("a typographic dash", ("\u2013\u2013service", "imap"), "there is no option \u2013\u2013service"),
            ("unknown letters", ("-xy",), "there is no option -xy"),
            ("a value forgotten before an option", ("--service", "--socket", folder), "--service needs a value"),
            ("a question for help", ("-h",), "-h stands beside a command"),
            ("a question for the version", ("--service", "imap", "--version"), "--version stands beside a command")):
        with tap.case("%s: the command runs" % title):
            expect_mail(syslog, words, ERROR, "^no login is reported: " + text + "$")
    with tap.case("a value forgotten before the command: the command runs"):
        process, out, err = run_hook("--service", "/bin/pwd", cwd="/")
        expect_equal((process.returncode, out, err), (0, b"/\n", b""))
        expect_equal([line[::2] for line in syslog.lines()], [(ERROR, "no login is reported: there is no command to run")])
    server = LoginServer(scratch, "usage")
    with tap.case("behind -- is the command, and no other is looked for"):
        process, out, err = run_hook("--socket", server.path, "--", "\u2013x", *ECHO)
        expect_equal((process.returncode, out, err), (127, b"", b""))
        expect_equal(len(syslog.lines()), 1)
    with tap.case("a script that cannot be run is not passed over: it may be there to refuse logins"):
        process, out, err = run_hook("--socket", server.path, "/nonexistent", *ECHO)
        expect_equal((process.returncode, out, err), (127, b"", b""))
        expect_equal(len(syslog.lines()), 1)
    for title, words, text in (("nothing", (), b"no command"), ("no command", ("--service", "imap"), b"no command"),
                               ("nothing after --", ("--",), b"no command"), ("no value", ("--socket",), b"--socket needs"),
                               ("an option alone", ("--sokket",), b"no option --sokket")):
        with tap.case("%s is a fault of usage" % title):
            process, out, err = run_hook(*words)
            expect_equal((process.returncode, out, text in err), (2, b"", True), err)
    for option, text in (("--help", b"--socket PATH"), ("--version", b"gatepost-postlogin 0"), ("-h", b"usage"),
                         ("-V", b"0.")):
        with tap.case(option):
            process, out, err = run_hook(option)
            expect_equal((process.returncode, text in out, err), (0, True, b""), out)
    for title, name, status, text in (("is absent", "/nonexistent", 127, "cannot run /nonexistent: No such file"),
                                      ("is a folder", "/", 126, "cannot run /: Permission denied")):
        with tap.case("a command that %s" % title):
            process, out, err = run_hook("--socket", server.path, name)
            expect_equal((process.returncode, out, err), (status, b"", b""))
            expect(text in syslog.lines()[0][2], text)


MESSAGE = "Subject: hello\n\nFor %s.\n"
USERS = {"alice@example.com": "secret", "bob@example.com": "words"}


def read_mail(mailbox, protocol, user, ip):
    """The user's mail, read from that address, and how long the login took."""
    start = time.monotonic()
    if protocol == "imap":
        session = imap_login(mailbox.imap_port, user, USERS[user.lower()], ip)
        took, mail = time.monotonic() - start, imap_mail(session)
        session.logout()
    else:
        session = pop3_login(mailbox.pop3_port, user, USERS[user.lower()], ip)
        took, mail = time.monotonic() - start, pop3_mail(session)
        session.quit()
    return mail, took


def dovecot(tap, scratch, syslog):
    server = LoginServer(scratch, "login")
    command("chgrp", "dovecot", server.path)
    os.chmod(server.path, 0o660)
    mailbox = Mailbox(scratch, USERS, "%s --socket %s" % (HOOK, server.path), hook_user="dovecot")
    for user in USERS:
        mailbox.put(user, MESSAGE % user)
    for protocol in ("imap", "pop3"):
        for user, ip in (("alice@example.com", "192.0.2.10"), ("Bob@Example.com", "2001:db8::7")):
            with tap.case("Dovecot, %s: the login of %s from %s is reported" % (protocol, user, ip)):
                mail, _ = read_mail(mailbox, protocol, user, ip)
                expect_equal(mail, [MESSAGE % user.lower()])
                server.expect([event(user.lower(), ip, protocol)])
                expect_equal(syslog.lines(), [])
    for title, answer, severity, text in (
            ("never answers", lambda connection: time.sleep(1), WARNING, "not in time"),
            ("answers rubbish", b"\xff\x00\r\n\n\n", WARNING, "answers"),
            ("rejects", b"action=REJECT no\n\n", WARNING, "REJECT no"),
            ("defers", b"action=DEFER later\n\n", NOTICE, "DEFER later"),
            ("closes", lambda connection: connection.close(), WARNING, "closed"),
            ("is away", None, WARNING, "No such file")):
        for protocol in ("imap", "pop3"):
            with tap.case("Dovecot, %s: users get their mail where gatepostd %s" % (protocol, title)):
                server.answer = answer
                if answer is None and os.path.exists(server.path):
                    os.unlink(server.path)
                mail, took = read_mail(mailbox, protocol, "alice@example.com", "192.0.2.10")
                expect_equal(mail, [MESSAGE % "alice@example.com"])
                expect(took < 2 * LOGIN_SECONDS, "the login took %.3f seconds" % took)
                lines = syslog.lines()
                expect_equal([line[0] for line in lines], [severity], lines)
                expect(text in lines[0][2], lines)
    with tap.case("Dovecot logs nothing about it"):
        expect(not re.search("Error|Warning|Fatal|Panic", mailbox.log()), mailbox.log()[-3000:])


def program(tap, scratch):
    syslog = Syslog(scratch)
    what_is_passed_on(tap, scratch)
    run_parts(tap, (what_is_sent, replies, no_daemon, full_backlog, stopped, bad_events, no_syslog, usage, dovecot), scratch, syslog)


if __name__ == "__main__":
    run(program)
