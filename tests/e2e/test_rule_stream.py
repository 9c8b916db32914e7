#!/usr/bin/env python3
"""A writer commits every few milliseconds for a minute, with plain SQL, while clients check each answer against what was
committed when: none is torn, and none is old.

A transaction either puts both rows of a pair in or takes both out: a block that is denied, and within it an address that
is granted. One of them alone would refuse the address. The text of a refusal carries the number of the transaction.
"""

import sqlite3
import threading
import time

from harness import Gatepostd, expect, expect_equal, run
from policy import PolicySession

SECONDS = 60
PAUSE = 0.003  # between two commits
POLL_MS = 50
SLOW_SECONDS = 5  # for a machine with more to do; how often 2 x poll_ms was exceeded is said, not judged
MEMBER, OUTSIDER, DENIED = "192.0.2.7", "198.51.100.7", "203.0.113.7"


class Writer(threading.Thread):
    def __init__(self, database):
        super().__init__(daemon=True)
        self.database = database
        self.committed = [(0.0, 0)]  # when which transaction was through
        self.ending = threading.Event()
        self.fault = None

    def run(self):
        try:
            database = sqlite3.connect(self.database, isolation_level=None, timeout=30)
            number = 0
            while not self.ending.wait(PAUSE):
                number += 1
                database.execute("BEGIN IMMEDIATE")
                if number % 2:
                    database.execute("INSERT INTO access_block (block) VALUES ('192.0.2.0/24')")
                    database.execute("INSERT INTO access_block (block, verdict) VALUES (?, 'grant')", (MEMBER,))
                else:
                    database.execute("DELETE FROM access_block WHERE block LIKE '192.0.2.%'")
                database.execute("REPLACE INTO setting VALUES ('text_access', 'version ' || ?)", (number,))
                database.execute("COMMIT")
                self.committed.append((time.monotonic(), number))
            database.close()
        except sqlite3.Error as fault:
            self.fault = fault

    def newest_before(self, moment):
        """The last transaction that was through at that time."""
        for when, number in reversed(self.committed):
            if when <= moment:
                return number
        return 0


class Client(threading.Thread):
    def __init__(self, gate, writer, until):
        super().__init__(daemon=True)
        self.gate, self.writer, self.until = gate, writer, until
        self.fault = None
        self.n, self.late = 0, 0

    def check(self, session):
        asked = time.monotonic()
        action = session.ask(DENIED, "fred@example.net", "bob@example.com").action
        expect(action.startswith("REJECT 5.7.1 version "), action)
        seen = int(action.rsplit(" ", 1)[1])
        due = asked - 2 * POLL_MS / 1000
        self.late += seen < self.writer.newest_before(due)
        wanted = self.writer.newest_before(due - SLOW_SECONDS)
        expect(seen >= wanted, "version %d, when %d was in force" % (seen, wanted))
        expect_equal(session.ask(MEMBER, "fred@example.net", "bob@example.com").action, "DUNNO", "torn")
        expect_equal(session.ask(OUTSIDER, "fred@example.net", "bob@example.com").action, "DUNNO")
        self.n += 1

    def run(self):
        try:
            with PolicySession(self.gate) as session:
                while time.monotonic() < self.until:
                    self.check(session)
        except Exception as fault:  # shown by the main thread
            self.fault = fault


def program(tap, scratch):
    gate = Gatepostd(scratch, poll_ms=POLL_MS)
    gate.sql("INSERT INTO access_block (block) VALUES ('%s');"
             "INSERT INTO setting VALUES ('text_access', 'version 0');"
             "INSERT INTO local_domain (domain) VALUES ('example.com');" % DENIED)
    gate.settle()
    writer = Writer(gate.database)
    clients = [Client(gate, writer, time.monotonic() + SECONDS) for _ in range(2)]
    with tap.case("no answer is torn or old while rules change for a minute"):
        for thread in (writer, *clients):
            thread.start()
        for client in clients:
            client.join(SECONDS + 60)
        writer.ending.set()
        writer.join(60)
        for thread in (*clients, writer):
            if thread.fault:
                raise thread.fault
        print("# %d transactions, %d checks, %d of them later than 2 x poll_ms" %
              (writer.committed[-1][1], sum(c.n for c in clients), sum(c.late for c in clients)))
        expect(writer.committed[-1][1] > 100 and min(c.n for c in clients) > 100, "too little was done")
    with tap.case("in the end the last transaction is in force"):
        gate.settle()
        with PolicySession(gate) as session:
            action = session.ask(DENIED, "fred@example.net", "bob@example.com").action
        expect_equal(action, "REJECT 5.7.1 version %d" % writer.committed[-1][1])
        expect("rules changed" in gate.text(), "no change was followed by the row")
    gate.stop()


run(program)
