#!/usr/bin/env python3
"""The daemon records what it is asked: mode, form, rotation, SIGHUP, and a file, a disk or a folder that fails it."""

import json
import os
import re
import resource
import signal
import socket
import stat
import subprocess

from harness import BUILD_DIR, Gatepostd, command, expect, expect_equal, run, run_parts, wait_until

REQUEST = ("request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=192.0.2.10\nclient_name=unknown\n"
           "sender=%s\nrecipient=bob@example.com\nno_such=1=2\n\n")
DUNNO = b"action=DUNNO\n\n"
MIB = 1 << 20


def ask(gate, text):
    """Sends requests, and returns what is answered until the daemon closes."""
    with socket.create_connection(("127.0.0.1", gate.port), 20) as client:
        client.sendall(text if isinstance(text, bytes) else text.encode())
        client.shutdown(socket.SHUT_WR)
        received = b""
        while piece := client.recv(65536):
            received += piece
        return received


def text_of(path):
    """Nothing of a file that is absent, as it is for a moment while it is rotated."""
    try:
        return path.read_text(errors="replace")
    except FileNotFoundError:
        return ""


def requests_of(path):
    """The requests of a file, without the time that the daemon puts at the end; each must have it, and be whole."""
    text = path.read_bytes().decode(errors="replace")
    expect(text == "" or text.endswith("\n\n"), "the end is torn: %r" % text[-100:])
    found = text.split("\n\n")[:-1]
    for one in found:
        expect(re.search(r"\ngatepost_time=1\d{9}\Z", one), "no time in %r" % one)
    return [re.sub(r"gatepost_time=\d+\Z", "\n", one) for one in found]


def recorded(path, count):
    return wait_until(lambda: path.exists() and len(requests_of(path)) >= count and requests_of(path),
                      "%d requests in %s" % (count, path))


def daily(tap, scratch):
    folder = scratch.folder("daily")
    path = folder / "record"
    os.umask(0)
    gate = Gatepostd(scratch, "--record", str(path))
    os.umask(0o022)
    first, second = REQUEST % "a@example.net", REQUEST % ""
    with tap.case("requests are appended as they came, in a file for its owner alone"):
        expect_equal(ask(gate, first + second), 2 * DUNNO)
        expect_equal(recorded(path, 2), [first, second])
        expect_equal(oct(stat.S_IMODE(path.stat().st_mode)), "0o600")
    with tap.case("CRLF is recorded as LF, other bytes as they are, what is malformed not at all"):
        strange = REQUEST.encode() % b"\xff\x1b[31m\"\r'@example.net"
        ask(gate, first.replace("\n", "\r\n").encode() + strange + b"nonsense\n\n")
        ask(gate, "request=smtpd_access_policy\nsender=half@exam")
        ask(gate, second)
        expect_equal(len(recorded(path, 5)), 5)
        expect_equal(requests_of(path)[2], first)
        expect(strange[:-2] in path.read_bytes(), "the strange one is there")
    with tap.case("what was recorded is food for replay"):
        expect("5 requests, recorded from" in gate.cli("replay", path), gate.cli("replay", path))
    with tap.case("after mv and SIGHUP the old file is left and a new one is there at once"):
        path.rename(folder / "saved")
        gate.process.send_signal(signal.SIGHUP)
        wait_until(path.exists, "the new file")
        ask(gate, second)
        expect_equal(recorded(path, 1), [second])
        expect_equal(len(requests_of(folder / "saved")), 5)
    with tap.case("a restart appends"):
        gate.stop()
        gate.start()
        ask(gate, first)
        expect_equal(recorded(path, 2), [second, first])
    with tap.case("what half a request was at the end, after a crash, is cut off"):
        gate.kill()
        with path.open("ab") as file:
            file.write(b"request=smtpd_access_policy\nsender=to")
        gate.start()
        ask(gate, first)
        expect_equal(recorded(path, 3), [second, first, first])
    with tap.case("all that was answered is there when it ends"):
        expect_equal(ask(gate, first * 5000), DUNNO * 5000)
        gate.stop()
        expect_equal(len(requests_of(path)), 5003)


def extremes(tap, scratch):
    path = scratch.folder("extremes") / "record"
    gate = Gatepostd(scratch, "--record", str(path), "--log-decisions", "none", name="extremes")
    gate.rules("kill @*x", "set require_valid_sender yes")
    with tap.case("the longest request that is answered is replayed, too"):
        longest = REQUEST % "a@example.net"
        longest = longest[:-1] + "padding=%s\n\n" % ("x" * (65536 - len(longest) - len("padding=\n")))
        expect_equal((len(longest), ask(gate, longest)), (65536, DUNNO))
        recorded(path, 1)
        expect("1 request, recorded from" in gate.cli("replay", path), gate.cli("replay", path))
    with tap.case("a value that ends in CR is not another one in replay"):
        answer = ask(gate, REQUEST % "a@example.net\r\r")
        expect(answer.startswith(b"action=REJECT 5.1.7"), str(answer))
        recorded(path, 2)
        totals = json.loads(gate.cli("replay", "--json", path))["totals"]
        expect_equal({one["reason"]: one["requests"] for one in totals}, {None: 1, "invalid-sender": 1})
    gate.stop()


def rotation(tap, scratch):
    folder = scratch.folder("rotation")
    path, older = folder / "record", folder / "record.1"
    gate = Gatepostd(scratch, "--record", str(path), "--record-max-mb", "1", "--log-decisions", "none", name="rotation")
    with tap.case("both files together never exceed record_max_mb, and hold the newest without a gap"):
        for part in range(10):
            text = "".join(REQUEST % ("u%d@example.net" % (part * 1000 + i)) for i in range(1000))
            expect_equal(ask(gate, text), DUNNO * 1000)
            wait_until(lambda last=part * 1000 + 999: "sender=u%d@" % last in text_of(path), "the last of them")
            sizes = [one.stat().st_size for one in (path, older) if one.exists()]
            expect(sum(sizes) <= MIB and max(sizes) <= MIB // 2, "they have %s bytes" % sizes)
        seen = [int(re.search(r"sender=u(\d+)@", one).group(1)) for one in requests_of(older) + requests_of(path)]
        expect_equal(seen, list(range(10000 - len(seen), 10000)))
        expect(len(seen) > 2000, "only %d are kept" % len(seen))
        expect_equal(sorted(os.listdir(folder)), ["record", "record.1"])
        expect_equal(oct(stat.S_IMODE(older.stat().st_mode)), "0o600")
    gate.stop()


def warnings(gate, words):
    return [line for line in gate.text().splitlines() if "record:" in line and words in line]


def full_disk(tap, scratch):
    path = scratch.folder("limited") / "record"
    one = REQUEST % "a@example.net"
    gate = Gatepostd(scratch, "--record", str(path), name="limited")
    with tap.case("a file that may not grow costs one warning and no answer"):
        resource.prlimit(gate.process.pid, resource.RLIMIT_FSIZE, (200000, resource.RLIM_INFINITY))
        for _ in range(5):
            expect_equal(ask(gate, one * 1000), DUNNO * 1000)
        wait_until(lambda: warnings(gate, "File too large"), "the warning")
        expect_equal(len(warnings(gate, "File too large")), 1)
        expect(0 < len(requests_of(path)) < 5000, "some whole requests are there")
    with tap.case("it goes on when it may"):
        resource.prlimit(gate.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        last = REQUEST % "last@example.net"
        expect_equal(ask(gate, last), DUNNO)
        wait_until(lambda: requests_of(path)[-1] == last, "the last one")
        wait_until(lambda: warnings(gate, "written again"), "the line that says so")
    gate.stop()
    disk = scratch.folder("disk")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", disk], capture_output=True).returncode == 0:
        scratch.at_end(lambda: subprocess.run(["umount", disk], check=True))
    with tap.case("a disk that is full, and has room again"):
        expect(os.path.ismount(disk), "no file system can be mounted here")
        gate = Gatepostd(scratch, "--record", str(disk / "record"), name="full")
        (disk / "ballast").write_bytes(b"x" * 100000)
        for _ in range(5):
            expect_equal(ask(gate, one * 1000), DUNNO * 1000)
        wait_until(lambda: warnings(gate, "No space left"), "the warning")
        expect(len(requests_of(disk / "record")) < 5000, "some are lost")
        (disk / "ballast").unlink()
        expect_equal(ask(gate, last), DUNNO)
        wait_until(lambda: requests_of(disk / "record")[-1] == last, "the last one")
        gate.stop()


def vanished(tap, scratch):
    folder = scratch.folder("vanished")
    path = folder / "record"
    one = REQUEST % "a@example.net"
    gate = Gatepostd(scratch, "--record", str(path), name="vanishing")
    with tap.case("a folder that vanishes costs a warning and no answer"):
        expect_equal(ask(gate, one), DUNNO)
        recorded(path, 1)
        folder.rename(scratch.path / "elsewhere")
        for _ in range(10):
            expect_equal(ask(gate, one), DUNNO)
        wait_until(lambda: warnings(gate, "No such file"), "the warning")
        expect_equal(len(warnings(gate, "No such file")), 1)
    with tap.case("it goes on when the folder is there again"):
        folder.mkdir()
        last = REQUEST % "last@example.net"
        expect_equal(ask(gate, last), DUNNO)
        wait_until(lambda: path.exists() and requests_of(path)[-1:] == [last], "the last one")
    with tap.case("a link that takes the file's place while it runs is not followed"):
        target = scratch.path / "target"
        target.write_text("")
        path.unlink()
        path.symlink_to(target)
        expect_equal(ask(gate, one), DUNNO)
        gate.stop()
        expect_equal(target.read_text(), "")


def refused(tap, scratch):
    folder = scratch.folder("refused")
    rules = folder / "rules.db"
    command(BUILD_DIR / "gatepost", "init", "--database", rules)
    (folder / "target").write_text("")
    (folder / "link").symlink_to(folder / "target")
    (folder / "dangling").symlink_to(folder / "absent")
    os.mkfifo(folder / "pipe")
    (folder / "folder").mkdir()
    (folder / "letter").write_text("Dear administrator,\n\nthis is a letter.\n\n")
    (folder / "torn").write_text("request=smtpd_access_policy\nsender=a@exam")
    (folder / "foreign").write_text(REQUEST % "a@example.net")
    os.chown(folder / "foreign", 12345, 12345)
    own = ["--database", rules, "--listen", "unix:%s/policy" % folder, "--logins", "sqlite:%s/logins.db" % folder,
           "--login-listen", "unix:%s/login" % folder, "--control-listen", "unix:%s/control" % folder]
    for name, text in (("link", "symbolic link"), ("dangling", "symbolic link"), ("pipe", "not a regular file"),
                       ("folder", "not a regular file"), ("letter", "something other"), ("foreign", "another user"),
                       ("rules.db", "something other"), ("no/record", "No such file"), ("/dev/full", "not a regular file")):
        for check in ([], ["--check"]):
            with tap.case("%s is refused%s" % (name, " by --check" if check else "")):
                done = subprocess.run([BUILD_DIR / "gatepostd", *check, *map(str, own), "--record", folder / name],
                                      stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
                expect_equal(done.returncode, 78, done.stderr)
                expect("record: " in done.stderr and text in done.stderr, done.stderr)
    with tap.case("nothing of that was changed"):
        expect_equal((folder / "target").read_text(), "")
        expect((folder / "letter").read_text().startswith("Dear"), "the letter")
        expect(not (folder / "absent").exists(), "the target of a link was made")
    with tap.case("--check of a good path makes nothing and changes nothing"):
        for name in ("new", "torn"):
            done = subprocess.run([BUILD_DIR / "gatepostd", "--check", *map(str, own), "--record", folder / name],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
            expect_equal(done.returncode, 0, done.stderr)
        expect(not (folder / "new").exists(), "it was made")
        expect((folder / "torn").read_text().endswith("exam"), "it was mended")
    with tap.case("a bad record_max_mb is refused"):
        done = subprocess.run([BUILD_DIR / "gatepostd", "--record-max-mb", "0"], capture_output=True, text=True, timeout=20)
        expect_equal(done.returncode, 2, done.stderr)


def unprivileged(tap, scratch):
    folder = scratch.folder("nobody")
    command("chown", "nobody", folder)
    path = folder / "record"
    gate = Gatepostd(scratch, "--user", "nobody", "--database", folder / "x.db", "--logins",
                     "sqlite:%s/logins.db" % folder, "--record", str(path), name="dropped")
    with tap.case("the file belongs to the daemon's user, who opens it anew, too"):
        wait_until(path.exists, "the file")
        expect_equal(path.owner(), "nobody")
        path.rename(folder / "saved")
        gate.process.send_signal(signal.SIGHUP)
        wait_until(path.exists, "the new file")
        expect_equal(path.owner(), "nobody")
        ask(gate, REQUEST % "")
        recorded(path, 1)
        done = subprocess.run([BUILD_DIR / "gatepostd", "--check", "--user", "nobody", "--database", folder / "x.db",
                               "--record", path], capture_output=True, text=True, timeout=20)
        expect_equal(done.returncode, 0, done.stderr)
    gate.stop()


def program(tap, scratch):
    run_parts(tap, (daily, extremes, rotation, full_disk, vanished, refused, unprivileged), scratch)


if __name__ == "__main__":
    run(program)
