#!/usr/bin/env python3
"""gatepost replay: what the rules do to recorded requests, what a change would do, and what hostile files do to it."""

import json
import os
import re
import signal
import sqlite3
import subprocess

from harness import BUILD_DIR, SOURCE_DIR, expect, expect_equal, rule_sql, run, run_parts, wait_until

CORPUS = sorted((SOURCE_DIR / "tests/corpus").glob("*.req"))
GOOD = "request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=%s\nclient_name=%s\nsender=%s\nrecipient=%s\n\n"
RULES = ("domain example.com", "domain xn--bcher-kva.example", "refuse 203.0.113.0/24", "kill @*widget.example")


class Gatepost:
    def __init__(self, scratch):
        self.folder = scratch.folder("rules")
        self.path = self.folder / "gatepost.db"
        self.temporary = scratch.folder("temporary")  # for the private copies
        self("init")
        with sqlite3.connect(self.path) as db:
            db.executescript(rule_sql(*RULES))

    def run(self, *words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, seconds=60, database=None):
        done = subprocess.run([BUILD_DIR / "gatepost", "--database", database or self.path, *map(str, words)],
                              stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, timeout=seconds,
                              env={**os.environ, "TMPDIR": str(self.temporary)})
        out, err = ((text or b"").decode(errors="replace") for text in (done.stdout, done.stderr))
        expect("Sanitizer" not in err and "runtime error" not in err, err)
        expect("\x1b" not in out + err, "a terminal escape gets through")
        return done.returncode, out, err

    def __call__(self, *words, status=0, **options):
        seen, out, err = self.run(*words, **options)
        expect_equal(seen, status, "%r\n%s%s" % (words, out, err))
        return out if status == 0 else err

    def replay(self, *words, **options):
        return json.loads(self("--json", "replay", *words, **options))

    def dump(self):
        with sqlite3.connect(self.path) as db:
            return list(db.iterdump())


def totals(report, key="requests"):
    return {(one["action"], one["reason"], one["needs_login"]): one[key] for one in report["totals"] if one[key]}


def corpus(tap, scratch, gatepost):
    with tap.case("all requests that a real Postfix sent, in their order, decided as explain does"):
        expect_equal(len(CORPUS), 55)
        report = gatepost.replay(*CORPUS)
        expect_equal((report["requests"], report["malformed"], report["needs_login"]), (55, 0, 11))
        expect_equal(totals(report), {("DUNNO", None, False): 40, ("OK", None, False): 2, ("REJECT", "vrfy", False): 2,
                                      ("REJECT", "routed", True): 7, ("REJECT", "relay", True): 4})
    with tap.case("each with its clients and, of refusals, its rules"):
        first = report["totals"][0]
        expect_equal(first["percent"], 72.727)
        expect_equal(first["top_clients"][0], {"address": "192.0.2.10", "name": "client.example.net", "requests": 32})
        relay = next(one for one in report["totals"] if one["reason"] == "relay")
        expect_equal(relay["top_rules"], [{"rule": "setting relay_for", "requests": 4}])
        expect("top_rules" not in first, "DUNNO has no rules")
    whole = scratch.path / "all.req"
    whole.write_bytes(b"".join(one.read_bytes() for one in CORPUS))
    with tap.case("the same in one file, in CRLF, and from standard input"):
        crlf = scratch.path / "crlf.req"
        crlf.write_bytes(whole.read_bytes().replace(b"\n", b"\r\n"))
        for words in ((whole,), (crlf,), ("-",)):
            with open(whole, "rb") as stdin:
                expect_equal(gatepost.replay(*words, stdin=stdin), report)
    with tap.case("as text"):
        text = gatepost("replay", whole)
        for line in ("55 requests; 0 malformed", "11 of them hang on a mailbox login", "40   72.7 %  DUNNO",
                     "REJECT relay, hangs on a login", "clients        32  192.0.2.10 client.example.net",
                     "rules         4  setting relay_for"):
            expect(line in text, "%r is missing in\n%s" % (line, text))
    return whole


def many(scratch):
    """300 requests of 30 clients, 17 of them from the refused block, and when they came."""
    path = scratch.path / "many.req"
    lines = []
    for i in range(300):
        client = "203.0.113.%d" % i if i < 17 else "192.0.2.%d" % (i % 29)
        request = GOOD % (client, "host%d.example.org" % (i % 29), "s%d@example.net" % i, "r%d@example.org" % i)
        lines.append(request[:-1] + "gatepost_time=%d\n\n" % (1700000000 + i))
    path.write_text("".join(lines))
    return path


def changes(tap, scratch, gatepost, whole):
    path = many(scratch)
    gatepost("remove", "refuse", "203.0.113.0/24")
    gatepost("set", "relay_for", "anyone", "--yes")
    before = gatepost.dump()
    with tap.case("--with: each request whose answer changes, by the rule that causes it"):
        text = gatepost("replay", path, "--with", "add refuse 203.0.113.0/24")
        expect("17 requests would be answered otherwise" in text, text)
        expect("because of refuse 203.0.113.0/24 (added): 17 requests, OK -> REJECT relay" in text, text)
        expect(re.search(r"RCPT from 203\.0\.113\.0, sender <s0@example\.net>, recipient <r0@example\.org>", text), text)
        expect_equal(text.count(" from 203.0.113."), 10)
        expect("and 7 more" in text, text)
        expect(re.search(r"300 -> +283 ", text), text)
        expect("recorded from 2023-11-1" in text, text)
    with tap.case("the same as JSON"):
        report = gatepost.replay(path, "--with", "add refuse 203.0.113.0/24")
        expect_equal(report["changed"], 17)
        change = report["changes"][0]
        expect_equal([change[one] for one in ("because", "requests", "before", "after")],
                     ["refuse 203.0.113.0/24 (added)", 17, "OK", "REJECT relay"])
        expect_equal(change["examples"][3],
                     {"recorded": 1700000003, "state": "RCPT", "client": "203.0.113.3", "name": "host3.example.org",
                      "sender": "s3@example.net", "recipient": "r3@example.org", "before": "OK",
                      "after": "REJECT 5.7.1 unknown local host example.org, not a gateway"})
        expect_equal(len(change["examples"]), 10)
        expect_equal(totals(report, "requests_after"), {("OK", None, False): 283, ("REJECT", "relay", False): 17})
    with tap.case("several commands, with quotes, one after another"):
        report = gatepost.replay(path, "--with", 'add deny 192.0.2.0/25 --note "port scans" --for 2h', "--with",
                                 "add deny '203.0.113.0/24'", "--with", "remove deny 192.0.2.0/25", "--with",
                                 "set text_access 'no, \"never\"'")
        expect_equal([(one["because"], one["requests"]) for one in report["changes"]],
                     [("deny 203.0.113.0/24 (added)", 17)])
        expect_equal(report["changes"][0]["examples"][0]["after"], 'REJECT 5.7.1 no, "never"')
    with tap.case("--against another database"):
        other = scratch.path / "other.db"
        gatepost("init", database=other)
        with sqlite3.connect(other) as db:
            db.executescript(rule_sql("domain example.com", "domain xn--bcher-kva.example", "set relay_for anyone",
                                      "set reply_style code", "deny 203.0.113.0/28"))
        report = gatepost.replay(path, "--against", other)
        expect_equal([(one["because"], one["requests"], one["after"]) for one in report["changes"]],
                     [("deny 203.0.113.0/28 (added)", 16, "REJECT access")])
        expect_equal(report["changes"][0]["examples"][0]["after"], "521 5.7.1 access denied")
    with tap.case("what would be said in other words"):
        text = gatepost("replay", whole, "--with", "set text_vrfy 'no such thing'")
        expect('because of setting text_vrfy ("command not available" -> "no such thing"): 2 requests' in text, text)
        expect("REJECT 5.7.1 no such thing" in text, text)
    with tap.case("nothing that changes nothing is shown"):
        expect_equal(gatepost.replay(path, "--with", "add kill nobody@example.net")["changes"], [])
    with tap.case("what observe lets pass"):
        report = gatepost.replay(path, "--with", "set observe all")
        expect_equal(report["changes"][0]["because"], 'setting observe ("" -> "all")')
        gatepost("set", "observe", "relay")
        gatepost("set", "relay_for", "nobody")
        observed = gatepost.replay(path)["observed"]
        expect_equal([(one["action"], one["reason"], one["requests"]) for one in observed], [("REJECT", "relay", 300)])
        text = gatepost("replay", path)
        expect("what observe lets pass would be" in text and "other clients" in text, text)
        gatepost("set", "relay_for", "anyone", "--yes")
        gatepost("set", "observe", "")

    def rules(dump):
        return [line for line in dump if "rule_change" not in line and "sqlite_sequence" not in line
                and "'observe'" not in line]
    with tap.case("the rules are as they were, and the copies are gone"):
        expect_equal(rules(gatepost.dump()), rules(before))
        expect_equal(os.listdir(gatepost.temporary), [])


FAULTS = (
    # words, exit status, what is complained of
    (["--with", "add refuse 192.0.2.300"], 65, "192.0.2.300"),
    (["--with", "add refuse mail.example.com"], 65, "cannot be refused"),
    (["--with", "remove deny 192.0.2.77"], 1, "not there"),
    (["--with", "set relay_for local-hosts"], 1, "--yes"),
    (["--with", "set no_such 1"], 65, "no setting"),
    (["--with", "add nonsense x"], 2, "no kind"),
    (["--with", "add deny"], 2, "at least one key"),
    (["--with", "list"], 2, "add, remove and set"),
    (["--with", "init"], 2, "add, remove and set"),
    (["--with", ""], 2, "add, remove and set"),
    (["--with", "add deny '192.0.2.1"], 2, "quote"),
    (["--with", "add deny 192.0.2.1 --no-such"], 2, "--no-such"),
    (["--with", "add deny 198.51.100.1", "--with", "add deny x y"], 65, "nothing is replayed"),
    (["--with", "add deny \x1b]0;owned\x07"], 65, "nothing is replayed"),
    (["--with", "add deny x'; DROP TABLE setting; --'"], 65, "nothing is replayed"),
    (["--against", "/no/such.db"], 69, "no such database"),
    (["--against", "/dev/zero"], 78, "not a regular file"),
    (["--against", "FILE"], 78, "not an SQLite database"),
    (["--against", "/no/such.db", "--with", "add deny 192.0.2.1"], 2, "either"),
    (["/no/such/file"], 69, "/no/such/file"),
    (["/tmp"], 65, "directory"),
    (["--no-such"], 2, "--no-such"),
)


def faults(tap, scratch, gatepost, whole):
    before = gatepost.dump()
    for words, status, text in FAULTS:
        with tap.case("replay %s" % " ".join(words)):
            words = [str(whole) if word == "FILE" else word for word in words]
            seen, out, err = gatepost.run("replay", whole, *words)
            expect_equal(seen, status, err)
            expect(text in err, err)
            expect_equal(out, "", "standard output")
    with tap.case("without a file"):
        expect("replay what" in gatepost("replay", status=2), "the usage")
    with tap.case("a command that names another database does not reach it"):
        for option in ("--database", "--data", "-c"):
            gatepost.run("replay", whole, "--with", "add deny 198.51.100.9 %s %s" % (option, gatepost.path))
        expect_equal(gatepost.dump(), before)
    with tap.case("a signal leaves no copy behind"):
        with sqlite3.connect(gatepost.path) as db:
            db.executescript("BEGIN; WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) "
                             "INSERT INTO kill_entry (sender) SELECT 'u' || i || '@example.org' FROM n; COMMIT;")
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            words = [word for i in range(90) for word in ("--with", "add kill x%d@example.org" % i)]
            process = subprocess.Popen([BUILD_DIR / "gatepost", "--database", gatepost.path, "replay", "-", *words],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       env={**os.environ, "TMPDIR": str(gatepost.temporary)})
            scratch.at_end(process.kill)
            copies = wait_until(lambda: list(gatepost.temporary.glob("*/rules.db")), "the copy")
            expect_equal([oct(one.stat().st_mode & 0o777) for one in (copies[0], copies[0].parent)], ["0o600", "0o700"])
            process.send_signal(number)
            expect_equal(process.wait(20), -number)
            expect_equal(os.listdir(gatepost.temporary), [])
        with sqlite3.connect(gatepost.path) as db:
            db.executescript("DELETE FROM kill_entry WHERE sender LIKE 'u%@example.org'")


def hostile(tap, scratch, gatepost, whole):
    good = GOOD % ("192.0.2.1", "unknown", "a@example.net", "b@example.com")

    def written(name, content):
        path = scratch.path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path
    noise = bytes((i * 7919 + i // 13) % 251 for i in range(3000000))
    for title, path, status, requests, text in (
            ("an empty file", written("empty", ""), 0, 0, ""),
            ("/dev/null", "/dev/null", 0, 0, ""),
            ("binary", written("binary", noise), 65, 0, "malformed"),
            ("/dev/zero", "/dev/zero", 65, 0, "given up"),
            ("a line of 10 MB", written("long", "sender=" + "x" * 10000000), 65, 0, "longer than 131072"),
            ("a line of 10 MB between", written("between", good + "sender=" + "x" * 10000000 + "\n\n" + good), 0, 2, "longer"),
            ("a torn end", written("torn", good + good[:-5]), 0, 1, "ends within"),
            ("a torn request alone", written("half", good[:-1]), 65, 0, "ends within"),
            ("rubbish between", written("mixed", good + "nonsense\nmore\n\n" + good), 0, 2, "mixed:8: a malformed"),
            ("a login", written("login", "request=gatepost_login\nuser=a\n\n"), 65, 0, "unknown request"),
            ("5000 faults", written("faults", "x\n\n" * 5000 + good), 65, 0, "990 more malformed"),
            ("a database", gatepost.path, 65, 0, "malformed"),
            ("this program", BUILD_DIR / "gatepost", 65, 0, "malformed")):
        with tap.case("%s: bounded, said, and counted" % title):
            seen, out, err = gatepost.run("--json", "replay", path)
            expect_equal(seen, status, err[-2000:])
            expect(text in err, err[-2000:])
            expect_equal(json.loads(out)["requests"], requests)
            expect(len(err.splitlines()) <= 20, "%d lines of complaints" % len(err.splitlines()))
    with tap.case("rubbish after a good file: the good one is counted, and the status says so"):
        seen, out, err = gatepost.run("--json", "replay", whole, scratch.path / "binary", whole)
        expect_equal((seen, json.loads(out)["requests"]), (65, 110))
    with tap.case("text of the network steers no terminal and forges no line"):
        evil = GOOD % ("\x1b[2J\x07", "\x1b]0;owned\x07\u202e", "\x1b[31m\r\u2028@example.net", "\xc2\x9b31m@example.org")
        path = written("evil", evil * 3)
        gatepost("replay", path)
        gatepost("replay", path, "--with", "add domain example.net", "--with", "set text_relay '%{sender} %{client}'")
        report = gatepost.replay(path, "--with", "set relay_for nobody")
        expect_equal(report["totals"][0]["top_clients"][0]["address"], "\x1b[2J\x07")
    with tap.case("many long and different names do not fill the memory"):
        path = scratch.path / "names"
        with open(path, "w") as file:
            for i in range(500):
                file.write(GOOD % ("%d" % i + "x" * 20000, "y" * 20000, "z" * 10000, "b@example.com"))
        expect_equal(gatepost.replay(path, "--with", "set observe all")["requests"], 500)
    with tap.case("a closed pipe and a full device are reported"):
        reader, writer = os.pipe()
        os.close(reader)
        expect("could not be written" in gatepost("replay", whole, status=74, stdout=writer), "the pipe")
        os.close(writer)
        with open("/dev/full", "w") as full:
            expect("could not be written" in gatepost("replay", whole, status=74, stdout=full), "the device")
    with tap.case("a loop of links"):
        loop = scratch.path / "loop"
        loop.symlink_to(loop)
        expect("loop" in gatepost("replay", loop, status=69), "the message")


def program(tap, scratch):
    gatepost = Gatepost(scratch)
    whole = corpus(tap, scratch, gatepost)
    run_parts(tap, (changes, faults, hostile), scratch, gatepost, whole)


if __name__ == "__main__":
    run(program)
