#!/usr/bin/env python3
"""gatepostd by itself: the protocol over all kinds of endpoints, hostile clients, sockets, signals, limits, faults."""

import os
import resource
import socket
import sqlite3
import stat
import subprocess
import time

from harness import BUILD_DIR, Gatepostd, accepts, end_process, expect, expect_equal, parse_logfmt, run, run_parts, wait_until

REQUEST = (b"request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=192.0.2.10\nclient_name=unknown\n"
           b"sender=fred@example.net\nrecipient=%s\n\n")
PLAIN = REQUEST % b"bob@example.com"
DUNNO = b"action=DUNNO\n\n"
REFUSED = b"action=REJECT 5.7.1 unknown local host example.org, not a gateway\n\n"


def connect(where):
    family = socket.AF_UNIX if isinstance(where, str) else socket.AF_INET6 if ":" in where[0] else socket.AF_INET
    client = socket.socket(family)
    client.settimeout(20)
    client.connect(where)
    return client


def read_all(client):
    """What comes until the connection ends, by whichever side."""
    received = b""
    try:
        while True:
            piece = client.recv(65536)
            if not piece:
                return received
            received += piece
    except ConnectionResetError:
        return received


def ask(where, text, piece=None):
    """Sends the bytes, in pieces of that size, closes the sending side, and returns all that comes."""
    with connect(where) as client:
        try:
            for at in range(0, len(text), piece or len(text) or 1):
                client.sendall(text[at:at + (piece or len(text))])
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has had enough
        return read_all(client)


def memory_kib(pid):
    with open("/proc/%d/status" % pid) as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def open_descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def protocol(tap, scratch):
    socket_path = str(scratch.path / "policy.sock")
    port6 = scratch.free_port()
    gate = Gatepostd(scratch, "--listen", "unix:" + socket_path, "--listen", "inet:[::1]:%d" % port6)
    gate.sql("INSERT INTO local_domain (domain) VALUES ('example.com')")
    gate.settle()
    foreign = REQUEST % b"x@example.org"
    for name, where in (("inet", ("127.0.0.1", gate.port)), ("inet6", ("::1", port6)), ("unix", socket_path)):
        for title, sent, expected, piece in (
                ("a request", PLAIN, DUNNO, None),
                ("a request byte by byte", PLAIN, DUNNO, 1),
                ("three in one go, answered in order", PLAIN + foreign + PLAIN, DUNNO + REFUSED + DUNNO, None),
                ("a thousand in one go", (PLAIN + foreign) * 500, (DUNNO + REFUSED) * 500, None),
                ("bare CRs before LFs", PLAIN.replace(b"\n", b"\r\n"), DUNNO, None),
                ("an unfinished request", PLAIN[:-1], b"", None),
                ("nothing", b"", b"", None),
                ("a line without =", PLAIN + b"GET / HTTP/1.1\r\n\r\n" + PLAIN, DUNNO, None),
                ("a NUL", PLAIN + PLAIN.replace(b"fred", b"fr\0d") + PLAIN, DUNNO, None),
                ("another request", b"request=gatepost_login\nuser=fred\n\n" + PLAIN, b"", None),
                ("no request attribute", b"protocol_state=RCPT\n\n" + PLAIN, b"", None),
                ("no attribute at all", b"\n" + PLAIN, b"", None),
                ("a first request of several", b"request=smtpd_access_policy\n" + b"request=x\n\n", DUNNO, None)):
            with tap.case("%s: %s" % (name, title)):
                expect_equal(ask(where, sent, piece), expected)
    with tap.case("a request of 65536 bytes is taken, one of 65537 is not"):
        for size, expected in ((65536, DUNNO), (65537, b"")):
            padding = b"padding=" + b"x" * (size - len(PLAIN) - 9) + b"\n"
            expect_equal(ask(("127.0.0.1", gate.port), padding + PLAIN), expected)
    with tap.case("a warning names peer and fault"):
        wait_until(lambda: "a malformed request from 127.0.0.1: a NUL" in gate.text(), "the warning")
        expect("a malformed request from ::1:" in gate.text(), gate.text()[-1500:])
    with tap.case("another loopback address is not in listen_allow's neighbour"):
        gate.stop()
        gate.options = ("--listen-allow", "127.0.0.5")
        gate.process = subprocess.Popen(
            [BUILD_DIR / "gatepostd", "--database", gate.database, "--listen", gate.endpoint, "--logins", gate.logins,
             "--login-listen", "unix:%s" % gate.login_socket, "--control-listen", "unix:%s" % gate.control_socket,
             *gate.options], stdin=subprocess.DEVNULL, stderr=open(gate.stderr, "ab"))
        wait_until(lambda: gate.text().count("listening on %s" % gate.endpoint) >= 2, "gatepostd listens again")
        expect_equal(ask(("127.0.0.1", gate.port), PLAIN), b"")
        wait_until(lambda: "listen_allow does not have it" in gate.text(), "the warning")
    with tap.case("it ends well"):
        gate.stop()
        expect(not os.path.exists(socket_path), "the socket is removed at the end")


def hostile(tap, scratch):
    gate = Gatepostd(scratch, "--max-connections", "40", name="hostile")
    where = ("127.0.0.1", gate.port)
    start = memory_kib(gate.process.pid)
    noise = bytes((i * 7919 + i // 13) % 251 for i in range(200000))
    for title, sent in (
            ("NULs", b"\0" * 100000), ("a line of 2 MB", b"sender=" + b"x" * 2000000), ("2 MB without a line", b"x" * 2000000),
            ("100,000 attributes", b"request=smtpd_access_policy\n" + b"a=b\n" * 100000 + b"\n"),
            ("HTTP", b"POST / HTTP/1.1\r\nHost: mail.example.com\r\n\r\n"), ("binary", noise),
            ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + noise[:500])):
        with tap.case("%s gets no answer" % title):
            expect_equal(ask(where, sent), b"")
            expect_equal(ask(where, PLAIN), DUNNO)
    with tap.case("clients that never read are not read from, and others are served"):
        sinks, at_rest = [], open_descriptors(gate.process.pid)  # its databases are open by now
        for _ in range(8):
            sink = connect(where)
            sink.setblocking(False)
            sinks.append(sink)
            sent = 0
            try:
                while sent < 50000000:
                    sent += sink.send(PLAIN * 100)
            except BlockingIOError:
                pass
            expect(sent < 50000000, "50 MB were taken from a client that reads nothing")
        expect_equal(ask(where, PLAIN), DUNNO)
        grown = memory_kib(gate.process.pid) - start
        expect(grown < 96 * 1024, "memory grew by %d KiB" % grown)
        sinks[0].setblocking(True)
        sinks[0].settimeout(20)
        expect(sinks[0].recv(len(DUNNO)) == DUNNO, "who reads at last gets the answers")
        for sink in sinks:
            sink.close()
        wait_until(lambda: open_descriptors(gate.process.pid) <= at_rest, "their connections are gone")
    with tap.case("max_connections is kept, said, and room is again when one leaves"):
        clients = [connect(where) for _ in range(40)]
        for client in clients:
            client.sendall(PLAIN)
            expect_equal(client.recv(100), DUNNO)
        for _ in range(30):
            expect_equal(ask(where, PLAIN), b"")
        clients.pop().close()
        wait_until(lambda: ask(where, PLAIN) == DUNNO, "there is room again")
        for client in clients:
            client.close()
        wait_until(lambda: "max_connections" in gate.text(), "the warning")
    with tap.case("a thousand faults are a few lines of log"):
        for _ in range(1000):
            ask(where, b"x\n")
        time.sleep(0.3)
        warnings = sum("malformed request" in line for line in gate.text().splitlines())
        expect(0 < warnings <= 40, "%d warnings" % warnings)
    with tap.case("network text forges neither lines nor fields"):
        forged = b'fred" action=OK reason="x\\ \x1b[31m\xc2\x9b\xff\xe2\x80\xa8=@example.net'
        ask(where, PLAIN.replace(b"fred@example.net", forged))
        line = wait_until(lambda: [one for one in gate.text().splitlines() if "\\x1b[31m" in one], "the line")[-1]
        fields = parse_logfmt(line)
        expect_equal(fields["action"], "DUNNO")
        expect("reason" not in fields and "\x1b" not in line and "\x9b" not in line, line)
    gate.stop()


def descriptors(tap, scratch):
    gate = Gatepostd(scratch, name="descriptors")
    where = ("127.0.0.1", gate.port)
    resource.prlimit(gate.process.pid, resource.RLIMIT_NOFILE, (64, 64))
    with tap.case("120 connections on 64 descriptors: those that are open are served"):
        kept = connect(where)
        kept.sendall(PLAIN)
        expect_equal(kept.recv(100), DUNNO)
        clients = [connect(where) for _ in range(120)]
        kept.sendall(PLAIN)
        expect_equal(kept.recv(100), DUNNO)
        for client in clients:
            client.close()
        wait_until(lambda: ask(where, PLAIN) == DUNNO, "connections are taken again")
        kept.sendall(PLAIN)
        expect_equal(kept.recv(100), DUNNO)
        kept.close()
        wait_until(lambda: "too few descriptors" in gate.text(), "the warning")
        expect_equal(gate.text().count("too few descriptors"), 1, "warnings in a minute")
    gate.stop()


def apart(folder):
    """Options that keep a daemon's logins and sockets in this folder."""
    return ["--logins", "sqlite:%s/logins.db" % folder, "--login-listen", "unix:%s/login" % folder,
            "--control-listen", "unix:%s/control" % folder]


def daemon(*options, seconds=20):
    return subprocess.run([BUILD_DIR / "gatepostd", *map(str, options)], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=seconds)


def faults(tap, scratch):
    folder = scratch.folder("faults")
    port = scratch.free_port()
    listen = "inet:127.0.0.1:%d" % port
    own = ["--listen", listen, *apart(folder)]

    def database(name, sql):
        path = folder / name
        subprocess.run(["sqlite3", path, sql], check=True)
        return path
    (folder / "letter").write_text("Dear administrator, this is a letter and no database, although it is long enough to be one.\n" * 20)
    (folder / "bad.conf").write_text("poll_ms = 50\nno_such_key = 1\n")
    (folder / "good.conf").write_text('database = "%s/good.db"\nlisten = "%s"\n' % (folder, listen))
    subprocess.run([BUILD_DIR / "gatepost", "init", "--database", folder / "good.db"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([BUILD_DIR / "gatepost", "init", "--database", folder / "newer.db"], check=True, stdout=subprocess.DEVNULL)
    database("newer.db", "PRAGMA user_version = 99")
    for title, options, status, text in (
            ("no such option", ["--no-such"], 2, "--no-such"),
            ("an option without its value", ["--listen"], 2, "--listen"),
            ("an option with a bad value", ["--poll-ms", "soon"], 2, "poll_ms"),
            ("an argument", ["start"], 2, "start"),
            ("a configuration file that is absent", ["-c", folder / "absent"], 78, "absent"),
            ("a configuration file with a fault", ["-c", folder / "bad.conf"], 78, "bad.conf:2"),
            ("a database of a newer schema", ["--database", folder / "newer.db", *own], 78, "newer"),
            ("a database of another program",
             ["--database", database("other.db", "CREATE TABLE mail (id)"), *own], 78, "another program"),
            ("a database that is none", ["--database", folder / "letter", *own], 78, "not an SQLite database"),
            ("a directory for a database", ["--database", folder, *own], 78, "directory"),
            ("a database in a folder that is absent", ["--database", folder / "no/x.db", *own], 78, "No such file"),
            ("an endpoint that is none", ["--database", folder / "good.db", "--listen", "tcp:1"], 78, "tcp:1"),
            ("a user that is none", ["--database", folder / "good.db", *own, "--user", "no-such"], 78, "no-such"),
            ("a block that is none",
             ["--database", folder / "good.db", *own, "--listen-allow", "everybody"], 78, "everybody"),
            ("a login socket that is no unix socket",
             ["--database", folder / "good.db", *own, "--login-listen", "inet:127.0.0.1:%d" % port], 78, "only unix sockets"),
            ("a control socket that is no unix socket",
             ["--database", folder / "good.db", *own, "--control-listen", "inet:127.0.0.1:%d" % port], 78, "only unix sockets"),
            ("a login socket in a folder that is absent",
             ["--database", folder / "good.db", *own, "--login-listen", "unix:%s/no/login" % folder], 69, "No such file"),
            ("logins in a store that is none", ["--database", folder / "good.db", *own, "--logins", "mysql:x"], 78, "logins"),
            ("logins in a folder that is absent",
             ["--database", folder / "good.db", *own, "--logins", "sqlite:%s/no/logins.db" % folder], 78, "folder"),
            ("logins in a file that is no database",
             ["--database", folder / "good.db", *own, "--logins", "sqlite:%s/letter" % folder], 78, "not an SQLite database"),
            ("logins in the database of rules",
             ["--database", folder / "good.db", *own, "--logins", "sqlite:%s/good.db" % folder], 78, "another program"),
            ("logins named in a file that is absent",
             ["--database", folder / "good.db", *own, "--logins", "file:%s/no-url" % folder], 78, "no-url"),
            ("a group of the login socket that is none",
             ["--database", folder / "good.db", *own, "--login-group", "no-such"], 78, "no-such"),
            ("--check of a login socket that is none",
             ["--check", "--database", folder / "good.db", "--login-listen", "inet:127.0.0.1:1"], 78, "only unix sockets"),
            ("--check of logins that are none",
             ["--check", "--database", folder / "good.db", "--logins", "mysql:x"], 78, "logins"),
            ("--check of logins in a folder that is absent",
             ["--check", "--database", folder / "good.db", "--logins", "sqlite:%s/no/x.db" % folder], 78, "No such file"),
            ("--check of logins in a folder",
             ["--check", "--database", folder / "good.db", "--logins", "sqlite:%s" % folder], 78, "directory"),
            ("--check of logins that are absent",
             ["--check", "--database", folder / "good.db", "--logins", "sqlite:%s/absent.db" % folder], 0, "0 faults"),
            ("a secret in an option that is none",
             ["--login=redis://u:secret@192.0.2.1"], 2, "no option --login\n"),
            ("a secret that is no option", ["redis://u:secret@192.0.2.1"], 2, "redis://********@192.0.2.1"),
            ("a login group that is none, with the preset socket",
             ["--database", folder / "good.db", "--listen", listen, "--logins", "sqlite:%s/logins.db" % folder,
              "--login-group", "no-such"], 78, "no-such"),
            ("--check of a good set-up", ["--check", "-c", folder / "good.conf"], 0, "0 faults"),
            ("--check of a bad set-up", ["--check", "--database", folder / "letter"], 78, "not an SQLite database"),
            ("--version", ["--version"], 0, "gatepostd"),
            ("--help", ["--help"], 0, "--max-request-bytes")):
        with tap.case(title):
            done = daemon(*options)
            expect_equal(done.returncode, status, done.stderr[-1000:])
            expect(text in done.stderr + done.stdout, done.stderr[-1000:])
    with tap.case("--check creates nothing"):
        daemon("--check", "--database", folder / "new.db", "--logins", "sqlite:%s/new-logins.db" % folder)
        expect(not (folder / "new.db").exists(), "it made a database")
        expect(not (folder / "new-logins.db").exists(), "it made a database of logins")
    if subprocess.run(["mount", "-t", "tmpfs", "none", scratch.folder("readonly")], capture_output=True).returncode == 0:
        path = scratch.path / "readonly"
        scratch.at_end(lambda: subprocess.run(["umount", path], check=True))
        with tap.case("a read-only file system"):
            subprocess.run([BUILD_DIR / "gatepost", "init", "--database", path / "x.db"], check=True, stdout=subprocess.DEVNULL)
            subprocess.run(["mount", "-o", "remount,ro", path], check=True)
            done = daemon("--database", path / "x.db", *own)
            expect_equal(done.returncode, 78)
            expect("read-only" in done.stderr, done.stderr)
    else:
        with tap.case("a read-only file system"):
            expect(False, "no file system can be mounted here")


def second_start(tap, scratch):
    """The first waits for its database; it has its endpoints already."""
    folder = scratch.folder("second")
    for title, listen in (("TCP", "inet:127.0.0.1:%d" % scratch.free_port()), ("a unix socket", "unix:%s/policy" % folder)):
        path = folder / "rules.db"
        subprocess.run([BUILD_DIR / "gatepost", "init", "--database", path], check=True, stdout=subprocess.DEVNULL)
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("PRAGMA locking_mode = exclusive")
        holder.execute("BEGIN EXCLUSIVE")
        options = ["--database", str(path), "--listen", listen, *map(str, apart(folder))]
        first = subprocess.Popen([BUILD_DIR / "gatepostd", *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        scratch.at_end(lambda process=first: end_process(process))
        where = ("127.0.0.1", int(listen.rsplit(":", 1)[1])) if listen.startswith("inet") else str(folder / "policy")
        with tap.case("a second start says so while the first still reads its rules (%s)" % title):
            wait_until(lambda where=where: can_connect(where), "the first has its endpoint")
            done = daemon(*options)
            expect_equal(done.returncode, 69, done.stderr)
            expect("running" in done.stderr, done.stderr)
            expect_equal(first.poll(), None, "the first goes on")
        with tap.case("who has connected meanwhile is answered once the rules are read (%s)" % title):
            with connect(where) as client:
                client.sendall(PLAIN)
                holder.close()
                client.shutdown(socket.SHUT_WR)
                expect_equal(read_all(client), DUNNO)
        end_process(first)


def can_connect(where):
    try:
        connect(where).close()
        return True
    except OSError:
        return False


def sockets(tap, scratch):
    path = str(scratch.path / "s.sock")
    gate = Gatepostd(scratch, "--listen", "unix:" + path, "--socket-mode", "0620", "--socket-group", "mail", name="sockets")
    database = str(gate.database)
    with tap.case("login and control sockets are for their owner and group from the first moment on"):
        for one in (gate.login_socket, gate.control_socket):
            expect_equal(oct(stat.S_IMODE(os.stat(one).st_mode)), oct(0o660))
    with tap.case("mode and group are as set"):
        found = os.stat(path)
        expect_equal(oct(stat.S_IMODE(found.st_mode)), oct(0o620))
        expect_equal(subprocess.run(["stat", "-c", "%G", path], capture_output=True, text=True).stdout.strip(), "mail")
    with tap.case("a live socket is not stolen, nor a live port"):
        own = apart(scratch.folder("thief"))
        done = daemon("--database", database, *own, "--listen", "unix:" + path)
        expect_equal(done.returncode, 69)
        expect("already in use by a running server" in done.stderr, done.stderr)
        done = daemon("--database", database, *own, "--listen", gate.endpoint)
        expect_equal(done.returncode, 69)
        expect("already in use by a running server" in done.stderr, done.stderr)
        expect_equal(ask(path, PLAIN), DUNNO)
    with tap.case("a stale socket is replaced"):
        gate.kill()
        expect(os.path.exists(path), "SIGKILL leaves the socket behind")
        gate.start()
        wait_until(lambda: gate.text().count("listening on unix:" + path) == 2, "it listens on all its sockets again")
        expect_equal(ask(path, PLAIN), DUNNO)
        gate.stop()
    with tap.case("what is no socket is left alone"):
        with open(path, "w") as other:
            other.write("mine")
        done = daemon("--database", database, *own, "--listen", "unix:" + path)
        expect(done.returncode != 0 and "not a socket" in done.stderr, done.stderr)
        expect_equal(open(path).read(), "mine")
        os.unlink(path)
    with tap.case("user and group are taken after binding"):
        folder = scratch.folder("nobody")
        subprocess.run(["chown", "nobody", folder], check=True)
        other = Gatepostd(scratch, "--user", "nobody", "--group", "nogroup", "--database", folder / "x.db",
                          "--logins", "sqlite:%s/logins.db" % folder, name="dropped")
        with open("/proc/%d/status" % other.process.pid) as status:
            ids = {line.split(":")[0]: line.split()[1:5] for line in status if line.startswith(("Uid", "Gid"))}
        nobody = subprocess.run(["id", "-u", "nobody"], capture_output=True, text=True).stdout.strip()
        expect_equal(ids["Uid"], [nobody] * 4)
        expect_equal(subprocess.run(["stat", "-c", "%U", folder / "x.db"], capture_output=True, text=True).stdout, "nobody\n")
        other.stop()


def ends(tap, scratch):
    with tap.case("SIGTERM with idle connections and a client that never reads"):
        gate = Gatepostd(scratch, name="ends")
        where = ("127.0.0.1", gate.port)
        idle = [connect(where) for _ in range(20)]
        sink = connect(where)
        sink.setblocking(False)
        try:
            while True:
                sink.send(PLAIN * 100)
        except BlockingIOError:
            pass
        idle[0].sendall(PLAIN)
        gate.stop()
        expect_equal(idle[0].recv(100), DUNNO, "what was sent before is answered")
        for client in (*idle, sink):
            client.close()
    with tap.case("SIGHUP reads the rules anew, SIGINT ends"):
        gate = Gatepostd(scratch, name="signals", poll_ms=60000)
        gate.sql("INSERT INTO access_block (block) VALUES ('192.0.2.0/24')")
        gate.process.send_signal(1)
        wait_until(lambda: b"REJECT" in ask(("127.0.0.1", gate.port), PLAIN), "the new rule is in force")
        gate.process.send_signal(2)
        expect_equal(gate.process.wait(10), 0)
    with tap.case("a full pipe for a log holds nothing up"):
        reader, writer = os.pipe()
        folder = scratch.folder("pipe")
        port = scratch.free_port()
        process = subprocess.Popen([BUILD_DIR / "gatepostd", "--database", folder / "x.db", *apart(folder), "--listen",
                                    "inet:127.0.0.1:%d" % port], stdin=subprocess.DEVNULL, stderr=writer)
        scratch.at_end(process.kill)
        os.close(writer)
        wait_until(lambda: accepts(port), "it takes connections")
        for _ in range(20):
            expect_equal(ask(("127.0.0.1", port), PLAIN * 500), DUNNO * 500)
        text = b""
        with os.fdopen(reader, "rb", buffering=0) as log:
            process.terminate()
            while piece := log.read(65536):
                text += piece
        expect_equal(process.wait(10), 0)
        expect(b"dropped" in text, "it says that lines were dropped")


def program(tap, scratch):
    run_parts(tap, (protocol, hostile, descriptors, faults, second_start, sockets, ends), scratch)


if __name__ == "__main__":
    run(program)
