#!/usr/bin/env python3
"""Logins that wait for their store: how many, in which order they are stored, and what becomes of them at the end."""

import json
import sqlite3
import time

from harness import Gatepostd, expect, expect_equal, run, wait_until
from logins import RedisLogins, SqliteLogins
from policy import LoginSession, ask
from redis import RedisServer

REMOTE = "carol@example.org"
ALICE, BOB = "alice@example.com", "bob@example.com"
HERE = "192.0.2.10"
SITE = ("domain example.com",)
REFUSED = "REJECT 5.7.1 unknown local host example.org, not a gateway"
UNAVAILABLE = "DEFER 4.3.0 login records unavailable, try again later"
EVENT = "request=gatepost_login\nuser=user%d@example.com\nclient_address=%s\n\n"
MOST, MORE = 100000, 50  # what may wait, and how many are sent on top of it
AT_ONCE = 1000           # events in one go


def address_of(number):
    return "2001:db8::%x:%x" % divmod(number, 0x10000)


def report(gate, numbers):
    """Reports one login a number; returns the verbs that are answered."""
    verbs = set()
    with LoginSession(gate) as session:
        for first in range(numbers.start, numbers.stop, AT_ONCE):
            some = range(first, min(first + AT_ONCE, numbers.stop))
            session.send("".join(EVENT % (number, address_of(number)) for number in some))
            verbs |= {session.reply().partition(" ")[0] for _ in some}
    return verbs


def sender_of(gate, number):
    return ask(gate, address_of(number), "user%d@example.com" % number, REMOTE).action


def full_queue(tap, scratch):
    port = scratch.free_port()
    gate = Gatepostd(scratch, name="full", logins="redis://127.0.0.1:%d" % port)
    gate.rules(*SITE)
    with tap.case("100,000 logins wait, and permit"):
        begun = time.monotonic()
        expect_equal(report(gate, range(MOST)), {"action=DEFER"})
        print("# %d events in %.1f s" % (MOST, time.monotonic() - begun), flush=True)
        expect_equal([sender_of(gate, number) for number in (0, MOST // 2, MOST - 1)], ["OK"] * 3)
    with tap.case("with more, the oldest are forgotten, which is said with their number"):
        expect_equal(report(gate, range(MOST, MOST + MORE)), {"action=DEFER"})
        expect_equal([sender_of(gate, number) for number in (0, MORE - 1, MORE, MOST + MORE - 1)],
                     [UNAVAILABLE] * 2 + ["OK"] * 2)
        expect("forgotten" in gate.text(), gate.text()[-500:])
    with tap.case("all that wait are stored once Redis is there"):
        redis = RedisServer(scratch, name="late", port=port)
        begun = time.monotonic()
        wait_until(lambda: redis.command("DBSIZE") == MOST, "%d are stored" % MOST, 60)
        print("# stored within %.1f s" % (time.monotonic() - begun), flush=True)
        expect_equal([sender_of(gate, number) for number in (MORE - 1, MORE, MOST + MORE - 1)], [REFUSED, "OK", "OK"])
    with tap.case("what waits at the end of the daemon is said to be lost"):
        redis.pause()
        try:
            expect_equal(report(gate, range(3)), {"action=DEFER"})
            gate.stop()
            expect("3 logins that wait" in gate.text(), gate.text()[-500:])
        finally:
            redis.resume()


def order(tap, scratch):
    """They are stored in the order in which they came, and a removal concerns what waits, too."""
    store = RedisLogins(scratch, "order")
    gate = Gatepostd(scratch, name="order", logins=store.url)
    gate.rules(*SITE)
    with tap.case("those that wait are stored in order"):
        monitor = store.server.connect(seconds=60)
        store.server.config_set("maxmemory", 1)
        gate.login(BOB, "192.0.2.99")
        expect_equal(report(gate, range(200)), {"action=DEFER"})
        expect_equal(monitor("MONITOR"), "OK")
        store.server.config_set("maxmemory", 0)
        wait_until(lambda: store.server.command("DBSIZE") == 201, "all are stored", 20)
        seen = []
        while len(seen) < 200:
            line = monitor.read()
            # A script's own commands are shown as `lua`; what is sent to it and fails is shown as well.
            if "lua" in line and "zadd" in line.lower() and "user" in line:
                seen.append(line.rpartition("user")[2].partition("@")[0])
        expect_equal(seen, [str(number) for number in range(200)])
        monitor.close()
    with tap.case("gatepost login list shows those that wait, and login remove removes them"):
        store.clear()
        store.server.config_set("maxmemory", 1)
        try:
            for user in (ALICE, BOB):
                expect(gate.login(user, HERE).startswith("action=DEFER "), "not deferred")
            listed = json.loads(gate.cli("login", "list", "--json"))
            expect_equal([(row["user"], row["address"], row["waiting"]) for row in listed],
                         [(ALICE, HERE, True), (BOB, HERE, True)])
            gate.cli("login", "remove", HERE)
            expect_equal(ask(gate, HERE, ALICE, REMOTE).action, REFUSED)
        finally:
            store.server.config_set("maxmemory", 0)
        time.sleep(1)
        expect_equal(store.records(), {})
    gate.stop()


def locked_sqlite(tap, scratch):
    store = SqliteLogins(scratch, "locked")
    gate = Gatepostd(scratch, name="locked", logins=store.url)
    gate.rules(*SITE)
    with tap.case("sqlite: while another program writes, logins wait and nobody is told anything wrong"):
        gate.login(BOB, HERE)
        other = sqlite3.connect(store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        before = int(time.time())
        expect(gate.login(ALICE, HERE).startswith("action=DEFER "), "not deferred")
        expect_equal([ask(gate, HERE, sender, REMOTE).action for sender in (ALICE, BOB, "fred@example.com")],
                     ["OK", "OK", REFUSED])
        other.execute("ROLLBACK")
        other.close()
        ends = wait_until(lambda: store.records()[HERE].get(ALICE), "it is stored")
        expect(abs(ends - before - 30 * 60) <= 1, "its life is not counted from the login")
    gate.stop()


def program(tap, scratch):
    for part in (full_queue, order, locked_sqlite):
        with tap.case("%s runs to its end" % part.__name__):
            part(tap, scratch)


if __name__ == "__main__":
    run(program)
