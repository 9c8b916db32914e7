#!/usr/bin/env python3
"""A real Sentinel set whose master dies: events and look-ups flow, nothing that Redis kept is lost, nothing stale is
believed, and the daemon follows by itself."""

import threading
import time

from faults import ALICE, BOB, ELSEWHERE, HERE, OK, REFUSED, REMOTE, SITE, UNAVAILABLE
from harness import Gatepostd, expect, expect_equal, run, wait_until
from logins import PREFIX
from policy import PolicySession, ask
from redis import SentinelSet

PASSWORD = "correct-horse-battery"
FOLLOW_SECONDS = 3.0  # a second is promised; the rest is for a slow machine
USER = "user%d@example.com"


class Traffic:
    """Reports a login after the other and asks about two clients, until it is stopped; what the daemon said is kept."""

    def __init__(self, gate):
        self.gate = gate
        self.logins = []    # (user, address, reply)
        self.answers = []   # (when, of Alice, of a stranger)
        self.faults = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(one,)) for one in (self._report, self._ask)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _run(self, step):
        number = 0
        while not self._stop.is_set():
            try:
                step(number)
            except Exception as fault:
                self.faults.append(repr(fault))
                return
            number += 1
            time.sleep(0.02)

    def _report(self, number):
        user, address = USER % number, "198.51.100.%d" % (number % 250)
        self.logins.append((user, address, self.gate.login(user, address)))

    def _ask(self, _):
        with PolicySession(self.gate) as session:
            of_alice, of_stranger = (session.ask(client, ALICE, REMOTE).action for client in (HERE, ELSEWHERE))
        self.answers.append((time.monotonic(), of_alice, of_stranger))

    def expect_honest(self):
        expect(not self.faults, str(self.faults))
        expect({answer[1] for answer in self.answers} <= {OK, UNAVAILABLE}, "Alice was refused for good")
        expect({answer[2] for answer in self.answers} <= {REFUSED, UNAVAILABLE}, "a stranger relays")
        replies = {reply.split(" ")[0] for _, _, reply in self.logins}
        expect(replies <= {"action=OK", "action=DEFER"}, str(replies))

    def well_since(self, moment):
        """Whether both were answered rightly after that."""
        return any(answer[1:] == (OK, REFUSED) for answer in self.answers[-2:] if answer[0] > moment)


def on_record(master, user, address):
    return master.command("ZSCORE", PREFIX + address, user) is not None


def expect_known(gate):
    expect_equal([ask(gate, client, ALICE, REMOTE).action for client in (HERE, ELSEWHERE)], [OK, REFUSED])


def failover(tap, sentinels, gate):
    with tap.case("a login goes to the master, and from there to the replica"):
        expect_equal(gate.login(ALICE, HERE), "action=OK")
        expect_known(gate)
        old = sentinels.who_is_master()
        other = next(server for server in sentinels.servers if server is not old)
        wait_until(lambda: on_record(other, ALICE, HERE), "the replica has it")
    with Traffic(gate) as traffic:
        time.sleep(0.5)
        old.command("WAIT", 1, 5000)
        kept = dump(other)
        old.kill()
        new, promoted = sentinels.wait_for_master(old)
        wait_until(lambda: traffic.well_since(promoted), "gatepostd asks the new master")
        took = time.monotonic() - promoted
        print("# followed %.2f s after the promotion" % took, flush=True)
        time.sleep(0.5)
    with tap.case("the master is killed: nobody is told anything wrong"):
        traffic.expect_honest()
        expect_equal({reply for _, _, reply in traffic.logins[-5:]}, {"action=OK"})
    with tap.case("some had to wait, and were told so"):
        expect(any(reply.startswith("action=DEFER ") for _, _, reply in traffic.logins), "no event was deferred")
        expect(any(answer[1] == UNAVAILABLE for answer in traffic.answers), "no look-up was deferred")
    with tap.case("the daemon follows the new master in time"):
        expect(took < FOLLOW_SECONDS, "it took %.2f s" % took)
    with tap.case("what Redis kept is there, and so is every login that waited"):
        for user, address in kept:
            expect(on_record(new, user, address), "%s is lost" % user)
        for user, address, reply in traffic.logins:
            if reply != "action=OK":
                wait_until(lambda: on_record(new, user, address), "%s, who waited, is stored" % user, 10)
    with tap.case("it says which master it has left, and that it can ask again"):
        lines = [line for line in gate.text().splitlines() if 'msg="the login store ' in line]
        expect(any("cannot be asked" in line for line in lines) and "can be asked" in lines[-1], "\n".join(lines))
    return old, new


def dump(server):
    """The logins that a server has: (user, address)."""
    with server.connect() as client:
        return {(user, key[len(PREFIX):])
                for key in client("KEYS", PREFIX + "*") for user in client("ZRANGE", key, 0, -1)}


def stale(tap, sentinels, gate, old, new):
    """The old master comes back and still takes itself for one, until a sentinel turns it into a replica."""
    with tap.case("the old master is back with a login of its own: nothing is answered from it"):
        old.start("--replicaof no one")
        old.command("ZADD", PREFIX + ELSEWHERE, int(time.time()) + 600, ALICE)
        ends = time.monotonic() + 2
        while time.monotonic() < ends and old.command("ROLE")[0] == "master":
            expect_known(gate)
        expect_equal(gate.login(BOB, HERE), "action=OK")
        expect(on_record(new, BOB, HERE), "it was stored elsewhere")
    with tap.case("nor when the daemon starts"):
        gate.stop()
        gate.start()
        expect_known(gate)
    with tap.case("as a replica that has lost its master it is not asked either"):
        old.replicaof(new)
        wait_until(lambda: old.info("master_link_status") == "up", "it is a replica")
        expect_equal(ask(gate, ELSEWHERE, ALICE, REMOTE).action, REFUSED)


def is_replica(server):
    """A sentinel that makes it one ends its connections, and so perhaps the one on which it is asked."""
    try:
        return server.command("ROLE")[0] == "slave"
    except OSError:
        return False


def demoted(tap, sentinels, gate):
    """A master that is turned into a replica under the daemon's connection, which stays open."""
    old = sentinels.who_is_master()
    other = next(server for server in sentinels.servers if server is not old)
    with tap.case("an orderly failover (SENTINEL FAILOVER): nobody is told anything wrong, no event is lost"):
        wait_until(lambda: other.info("master_link_status") == "up", "the replica is in step")
        with Traffic(gate) as traffic:
            sentinels.sentinels[0].command("SENTINEL", "FAILOVER", "mail")
            new, promoted = sentinels.wait_for_master(old)
            wait_until(lambda: traffic.well_since(promoted) and is_replica(old), "all is well", 30)
            time.sleep(0.5)
        traffic.expect_honest()
        for user, address, reply in traffic.logins[-10:]:
            wait_until(lambda: on_record(new, user, address), "%s is stored" % user, 10)
    with tap.case("the old one is out of step then: nothing is answered from it"):
        old.command("CLIENT", "KILL", "TYPE", "master")
        old.command("REPLICAOF", "127.0.0.1", 1)
        new.command("ZREM", PREFIX + HERE, ALICE)
        expect_equal(ask(gate, HERE, ALICE, REMOTE).action, REFUSED)
        old.replicaof(new)


def few_sentinels(tap, sentinels, gate):
    with tap.case("all sentinels but the last are dead: the daemon finds the master"):
        for sentinel in sentinels.sentinels[:2]:
            sentinel.kill()
        gate.stop()
        gate.start()
        expect_equal(gate.login(ALICE, HERE), "action=OK")
        expect_equal(ask(gate, HERE, ALICE, REMOTE).action, OK)
    with tap.case("the first two hang: the daemon finds the master all the same"):
        for sentinel in sentinels.sentinels[:2]:
            sentinel.start()
            sentinel.pause()
        gate.stop()
        gate.start()
        wait_until(lambda: ask(gate, HERE, ALICE, REMOTE).action == OK, "the master is found", 10)
        for sentinel in sentinels.sentinels[:2]:
            sentinel.resume()
    with tap.case("all sentinels die: the connection to the master goes on"):
        for sentinel in sentinels.sentinels:
            sentinel.kill()
        time.sleep(1)
        expect_equal(ask(gate, HERE, ALICE, REMOTE).action, OK)
        expect_equal(gate.login(ALICE, HERE), "action=OK")
    with tap.case("without any sentinel a daemon that starts defers, and recovers with one"):
        gate.stop()
        gate.start()
        expect_equal(ask(gate, HERE, ALICE, REMOTE).action, UNAVAILABLE)
        sentinels.sentinels[2].start()
        wait_until(lambda: ask(gate, HERE, ALICE, REMOTE).action == OK, "the master is found", 15)


def refused_sentinel(tap, scratch, sentinels):
    with tap.case("a master that the sentinels do not know is said, without the password"):
        gate = Gatepostd(scratch, name="unknown", logins=sentinels.url().replace("/mail", "/nobody"))
        gate.rules(*SITE)
        expect_equal(ask(gate, HERE, ALICE, REMOTE).action, UNAVAILABLE)
        wait_until(lambda: "cannot be asked: Sentinel at 127.0.0.1:" in gate.text(), "a line that says so", 5)
        expect(PASSWORD not in gate.text(), "the password is in the log")
        gate.stop()


def program(tap, scratch):
    sentinels = SentinelSet(scratch, PASSWORD)
    file = scratch.path / "url"
    file.write_text(sentinels.url() + "\n")
    file.chmod(0o600)
    gate = Gatepostd(scratch, logins="file:%s" % file)
    gate.rules(*SITE)
    with tap.case("the test runs to its end"):
        old, new = failover(tap, sentinels, gate)
        stale(tap, sentinels, gate, old, new)
        demoted(tap, sentinels, gate)
        refused_sentinel(tap, scratch, sentinels)
        few_sentinels(tap, sentinels, gate)
    with tap.case("gatepostd ends cleanly, and never shows the password"):
        gate.stop()
        expect(PASSWORD not in gate.text(), "the password is in the log")


if __name__ == "__main__":
    run(program)
