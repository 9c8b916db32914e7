#!/usr/bin/env python3
"""`gatepost login` and `gatepost explain --live`, which ask the running daemon, on both stores."""

import json
import time

from harness import Gatepostd, expect, expect_equal, run
from logins import RedisLogins, SqliteLogins

REMOTE = "carol@example.org"
ALICE = "alice@example.com"
HERE = "192.0.2.10"
SITE = ("domain example.com", "user " + ALICE, "alias info@example.com " + ALICE)

# Words of `gatepost login`, exit status, what is said.
COMMANDS = (
    ("login list", 0, ""),
    ("login add Alice@Example.com 192.0.2.10", 0, "192.0.2.10"),
    ("login add alice 2001:DB8:0::1", 0, ""),
    ("login list", 0, "192.0.2.10"),
    ("login list", 0, "2001:db8::1"),
    ("login list", 0, "alice@example.com"),
    ("login add alice@example.com 192.0.2.300", 65, "192.0.2.300"),
    ("login add alice@example.com 192.0.2.0/24", 65, "192.0.2.0/24"),
    ("login add al\x01ice 192.0.2.10", 65, ""),
    ("login add " + "x" * 256 + " 192.0.2.10", 65, ""),
    ("login remove client.example.net", 65, "client.example.net"),
    ("login remove 192.0.2.10", 0, "192.0.2.10"),
    ("login remove 192.0.2.10", 1, "192.0.2.10"),
    ("login remove 2001:db8:0:0::1", 0, ""),
    ("login", 2, ""),
    ("login frobnicate", 2, "frobnicate"),
    ("login add", 2, ""),
    ("login add alice", 2, ""),
    ("login add alice 192.0.2.10 192.0.2.11", 2, ""),
    ("login remove", 2, ""),
    ("login list everything", 2, ""),
    ("login --help", 0, "remove"),
)


def command_line(case, gate, store):
    store.clear()
    for line, status, text in COMMANDS:
        with case("gatepost %s: %d" % (line[:40], status)):
            said = gate.cli(*line.split(" "), status=status)
            expect(text in said, "%r is not in:\n%s" % (text, said))
    with case("gatepost login list --json is what is on record"):
        store.clear()
        expect_equal(json.loads(gate.cli("login", "list", "--json")), [])
        now = int(time.time())
        for number in range(300):
            store.put("198.51.100.%d" % (number % 100), "user%d@example.com" % number, now + 600 + number)
        store.put(HERE, 'al "ice"\\x', now + 60)
        store.put(HERE, "ended@example.com", now - 60)
        listed = json.loads(gate.cli("login", "list", "--json"))
        expect_equal(len(listed), 301, listed[:3])
        expect_equal([row["user"] for row in listed if row["address"] == HERE], ['al "ice"\\x'])
    with case("gatepost explain --live asks for the login, gatepost explain knows of none"):
        store.clear()
        gate.login(ALICE, HERE)
        session = ("--client", HERE, "--from", "info@example.com", "--to", REMOTE)
        expect("action=OK" in gate.cli("explain", "--live", *session), "relayed")
        expect(ALICE in gate.cli("explain", "--live", *session), "the login that decides is named")
        expect("action=REJECT" in gate.cli("explain", *session), "no login is pretended")
        expect("action=OK" in gate.cli("explain", "--login", ALICE, *session), "a login is pretended")
        gate.cli("login", "remove", HERE)
        expect("action=REJECT" in gate.cli("explain", "--live", *session), "refused without the login")
        json.loads(gate.cli("explain", "--live", "--json", "client_address=" + HERE))
    with case("with the daemon away: 69, and what it was"):
        gate.stop()
        try:
            for words in (("login", "list"), ("login", "add", ALICE, HERE), ("login", "remove", HERE),
                          ("explain", "--live", "--client", HERE, "--from", ALICE, "--to", REMOTE)):
                expect(str(gate.control_socket) in gate.cli(*words, status=69), "the socket is named")
        finally:
            gate.start()


def program(tap, scratch):
    for store in (RedisLogins(scratch), SqliteLogins(scratch)):
        def case(text, name=store.name):
            return tap.case("%s: %s" % (name, text))
        with case("runs to its end"):
            gate = Gatepostd(scratch, name=store.name, logins=store.url)
            gate.rules(*SITE)
            command_line(case, gate, store)
            gate.stop()


if __name__ == "__main__":
    run(program)
