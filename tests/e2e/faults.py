"""What must hold while Redis misbehaves, whatever it does: one scene for all faults.

Alice has logged in and is on record; a stranger, who claims to be her, has not. While the fault lasts, neither may be
told what nobody knows, everybody whose answer hangs on no login is served as ever, and logins that are reported wait.
When it ends, all is well again within RECOVERY_SECONDS, without a restart.
"""

import os
import time

from harness import Gatepostd, expect, expect_equal, wait_until
from logins import PREFIX, pairs
from policy import PolicySession, ask

REMOTE = "carol@example.org"
ALICE, BOB, EVE, FRED = "alice@example.com", "bob@example.com", "eve@example.com", "fred@example.net"
HERE, BOBS, EVES, ELSEWHERE, GRANTED, DENIED = ("192.0.2.10", "192.0.2.30", "192.0.2.40", "192.0.2.20", "192.0.2.50",
                                                "192.0.2.66")
SITE = ("domain example.com", "user " + ALICE, "user " + BOB, "user " + EVE, "grant " + GRANTED, "deny " + DENIED)
OK = "OK"
REFUSED = "REJECT 5.7.1 unknown local host example.org, not a gateway"
UNAVAILABLE = "DEFER 4.3.0 login records unavailable, try again later"

TIMEOUT_MS = 1000         # redis_timeout_ms of these tests
WAIT_SECONDS = TIMEOUT_MS / 1000 + 1.5  # the longest look-up, on a slow machine with sanitizers
AT_ONCE_SECONDS = 0.8     # what waits for nothing, as the breaker is open or no login is needed; there, too
RECOVERY_SECONDS = 3.0    # a second is promised; the rest is for a slow machine
GROWTH_KIB = 64 * 1024
HALF_HOUR = 30 * 60

# What the address sanitizer keeps of freed memory would count as growth.
os.environ["ASAN_OPTIONS"] = ":".join(filter(None, (os.environ.get("ASAN_OPTIONS"), "quarantine_size_mb=8")))

# Questions whose answer hangs on no login, and the answer.
UNCONCERNED = ((ELSEWHERE, FRED, BOB, "DUNNO"), (HERE, ALICE, BOB, "DUNNO"), (GRANTED, FRED, REMOTE, OK),
               (DENIED, ALICE, REMOTE, "REJECT 5.7.1 access denied"))


class Scene:
    """A daemon, and the real Redis `redis` where its logins are in the end; `port` is where it connects to."""

    def __init__(self, scratch, redis, url, port, name="gatepostd"):
        self.redis, self.port = redis, port
        self.gate = Gatepostd(scratch, "--redis-timeout-ms", str(TIMEOUT_MS), name=name, logins=url)
        self.gate.rules(*SITE)
        self._log_begins = 0
        self._memory_kib = 0

    def prepare(self):
        """Alice, and she alone, is on record."""
        self.redis.command("FLUSHALL")
        wait_until(lambda: self.gate.login(ALICE, HERE) == "action=OK", "a login can be stored", 10)
        self.expect_well()
        self._memory_kib = memory_kib(self.gate.process.pid)
        self._log_begins = len(self.gate.text())

    def ask(self, client, sender, recipient=REMOTE):
        return ask(self.gate, client, sender, recipient)

    def expect_well(self):
        """All is known."""
        expect_equal(self.ask(HERE, ALICE).action, OK)
        expect_equal(self.ask(ELSEWHERE, ALICE).action, REFUSED)
        self.expect_unconcerned()

    def expect_unconcerned(self, slowest=AT_ONCE_SECONDS):
        for client, sender, recipient, expected in UNCONCERNED:
            answer = self.ask(client, sender, recipient)
            expect_equal(answer.action, expected, "%s, which hangs on no login" % sender)
            expect(answer.seconds < slowest, "%.3f s for what hangs on no login" % answer.seconds)

    def expect_away(self, seconds=1.0, flapping=False):
        """The fault has just begun and nothing can be looked up. The first waits; meanwhile others are served; and the
        next ones are answered at once."""
        with PolicySession(self.gate) as first:
            first.begin(HERE, ALICE, REMOTE)
            self.expect_unconcerned()
            answer = first.answer()
        expect_equal(answer.action, UNAVAILABLE, "the first")
        expect(answer.seconds < WAIT_SECONDS, "the first waited for %.3f s" % answer.seconds)
        self.expect_breaker_open(seconds, flapping)

    def expect_breaker_open(self, seconds=1.0, flapping=False):
        """For so long all that hangs on a login is deferred at once, and there is at most one connection. A Redis that
        misbehaves only when it is asked about logins looks well to each probe (`flapping`): then now and then one more
        waits."""
        ends = time.monotonic() + seconds
        slow = 0
        with PolicySession(self.gate) as session:
            while time.monotonic() < ends:
                for client in (HERE, ELSEWHERE):
                    answer = session.ask(client, ALICE, REMOTE)
                    expect_equal(answer.action, UNAVAILABLE, client)
                    expect(answer.seconds < WAIT_SECONDS, "it waited for %.3f s" % answer.seconds)
                    slow += answer.seconds > AT_ONCE_SECONDS
                expect(connections_to(self.port, self.gate) <= 1, "more than one connection to Redis")
                time.sleep(0.02)
        # One may have been sent out between the break and its discovery.
        expect(flapping or slow <= 1, "%d look-ups waited with the breaker open" % slow)
        self.expect_unconcerned()

    def report_bob(self):
        """A login that cannot be stored now; it permits all the same. Returns when that was."""
        before = int(time.time())
        reply = self.gate.login(BOB, BOBS)
        expect(reply.startswith("action=DEFER ") and len(reply) > 20, reply)
        answer = self.ask(BOBS, BOB)
        expect_equal(answer.action, OK, "the sender of a login that waits")
        return before

    def expect_bob_stored(self, since):
        """In Redis, its life counted from the login."""
        stored = wait_until(lambda: pairs(self.redis.command("ZRANGE", PREFIX + BOBS, 0, -1, "WITHSCORES")).get(BOB),
                            "the login that waited is stored", 10)
        expect(abs(since + HALF_HOUR - stored) <= 1,
               "it ends %d seconds after the login" % (stored - since))
        expect_equal(self.ask(BOBS, BOB).action, OK)

    def expect_recovery(self, title):
        """The fault has just ended. Until all is well nobody is told anything wrong; then the same for a while."""
        begun = time.monotonic()
        wait_until(lambda: self.honest_answers() == (OK, REFUSED), "gatepostd has recovered", RECOVERY_SECONDS + 10)
        took = time.monotonic() - begun
        if title:
            print("# %s: recovered after %.2f s" % (title, took), flush=True)
        expect(took < RECOVERY_SECONDS, "it took %.2f s to recover" % took)
        for _ in range(10):
            expect_equal(self.honest_answers(), (OK, REFUSED), "after the recovery")
            time.sleep(0.02)
        self.expect_well()

    def honest_answers(self):
        """What Alice and the stranger are told now, which must be right or that nobody knows."""
        answers = self.ask(HERE, ALICE).action, self.ask(ELSEWHERE, ALICE).action
        expect(answers[0] in (OK, UNAVAILABLE) and answers[1] in (REFUSED, UNAVAILABLE), str(answers))
        return answers

    def lines(self):
        """What the log says of the store since `prepare`."""
        return [line for line in self.gate.text()[self._log_begins:].splitlines() if 'msg="the login store ' in line]

    def expect_changes(self, gone, back, cause):
        """One line per change of state; the first names the cause."""
        wait_until(lambda: any(back in line for line in self.lines()), "a line that says: " + back, 5)
        lines = self.lines()
        expect_equal([sum(text in line for line in lines) for text in (gone, back)], [1, 1],
                     "lines for %r and %r:\n%s" % (gone, back, "\n".join(lines)))
        expect_equal(len(lines), 2, "\n".join(lines))
        expect(cause.lower() in lines[0].lower(), "%r is not in: %s" % (cause, lines[0]))

    def expect_no_growth(self):
        grown = memory_kib(self.gate.process.pid) - self._memory_kib
        expect(grown < GROWTH_KIB, "memory grew by %d KiB" % grown)


CANNOT_BE_ASKED, CAN_BE_ASKED = "cannot be asked: ", "can be asked"
TAKES_NONE, TAKES_AGAIN = "takes no logins, they wait: ", "takes logins again"


def no_answers(tap, scene, title, begin, end, cause=None, during=None, flapping=False):
    """A case: a fault in which nothing can be looked up, and the way back. `during` checks what is special about it.
    `cause` is what the log must say; None where it may be silent, as the store is not taken for away."""
    with tap.case(title):
        scene.prepare()
        begin()
        try:
            scene.expect_away(flapping=flapping)
            since = scene.report_bob()
            if during:
                during()
            scene.expect_no_growth()
        finally:
            end()
        scene.expect_recovery(title)
        scene.expect_bob_stored(since)
        if cause is not None and not flapping:
            scene.expect_changes(CANNOT_BE_ASKED, CAN_BE_ASKED, cause)


def no_writes(tap, scene, title, begin, end, cause, stale=False):
    """A case: a fault in which all can be looked up and nothing recorded, and the way back. What is `stale` may also
    be not taken for knowledge."""
    with tap.case(title):
        scene.prepare()
        begin()
        try:
            since = scene.report_bob()
            for _ in range(5):
                answers = scene.honest_answers()
                expect(stale or answers == (OK, REFUSED), str(answers))
            scene.expect_unconcerned()
            expect(scene.gate.login(EVE, EVES).startswith("action=DEFER "), "not deferred")
        finally:
            end()
        scene.expect_recovery(title)
        scene.expect_bob_stored(since)
        wait_until(lambda: scene.redis.command("ZSCORE", PREFIX + EVES, EVE), "the second that waited is stored", 10)
        expect_equal(scene.ask(EVES, EVE).action, OK)
        if not stale:
            scene.expect_changes(TAKES_NONE, TAKES_AGAIN, cause)


def memory_kib(pid):
    with open("/proc/%d/status" % pid) as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def connections_to(port, gate):
    """How many connections the daemon has to this port of 127.0.0.1, or is making. What was seen while one ended and
    another began, in tables that change while they are read, is looked at again."""
    return min(len(_sockets_to(port, gate)), len(_sockets_to(port, gate)))


def _sockets_to(port, gate):
    own = set()
    for entry in os.scandir("/proc/%d/fd" % gate.process.pid):
        try:
            own.add(os.readlink(entry.path))
        except OSError:
            pass  # closed meanwhile
    with open("/proc/net/tcp") as table:
        lines = [line.split() for line in table]
    return own & {"socket:[%s]" % fields[9] for fields in lines if fields[2] == "0100007F:%04X" % port}
