#!/usr/bin/env python3
"""A real Redis that is away, hung, loading, full, read-only, locked, or holds something else: SPEC 7 and 9."""

import time

from faults import (ALICE, BOB, BOBS, ELSEWHERE, EVE, EVES, HERE, OK, REFUSED, REMOTE, SITE, UNAVAILABLE, WAIT_SECONDS,
                    Scene, no_answers, no_writes)
from harness import Gatepostd, Mismatch, expect, expect_equal, run, wait_until
from logins import PREFIX
from mta import Postfix
from policy import ask
from redis import RedisServer
from smtp import Client, SmtpSession

PASSWORD = "correct-horse-battery"
LOAD_SECONDS = 10  # what the data set takes to be loaded, unless it is told to hurry


def away(tap, scratch, redis, scene):
    """Nothing can be looked up."""
    postfix = Postfix(scratch, scene.gate.endpoint)

    def hung():
        expect_deferred_by_smtp(postfix)
        time.sleep(1.5)  # so that the end of the login that waits shows whence its life is counted
    for title, begin, end, cause, during in (
            ("killed: connections are refused", lambda: crash(redis), redis.start, "",
             lambda: expect_deferred_by_smtp(postfix)),
            ("hung (SIGSTOP)", redis.pause, redis.resume, "", hung),
            ("loading its data set", lambda: load(redis), lambda: redis.config_set("key-load-delay", 0), "loading",
             lambda: expect_equal(redis.info("loading"), "1")),
            ("a password is wanted all of a sudden", lambda: lock(redis), lambda: unlock(redis), "NOAUTH", None),
            ("all rights taken away", lambda: rights(redis, "-@all"), lambda: rights(redis, "+@all"), None, None),
            ("no right to look up", lambda: rights(redis, "-@read"), lambda: rights(redis, "+@all"), None, None),
            ("a replica without its master that serves nothing stale", lambda: strand(scratch, redis, "no"),
             lambda: redis.replicaof(None), None, None)):
        no_answers(tap, scene, title, begin, end, cause, during)
    with tap.case("hung for a moment, again and again: nobody is told anything wrong"):
        scene.prepare()
        for _ in range(4):
            redis.pause()
            ask(scene.gate, HERE, ALICE, REMOTE)
            redis.resume()
            scene.expect_recovery("hung for a moment")


def expect_deferred_by_smtp(postfix):
    for client in (HERE, ELSEWHERE):
        with SmtpSession(postfix.ports["spec"], Client(client)) as session:
            reply = session.try_rcpt(ALICE, REMOTE)
            expect(reply.code in (450, 451) and "login records unavailable" in reply.text, str(reply))
            expect_equal(session.try_rcpt(ALICE, BOB).code, 250)


def crash(redis):
    """Dead, and its data set with it but for what is needed afterwards."""
    redis.command("SAVE")
    redis.kill()


def load(redis):
    """It is started again, and takes its time to load."""
    with redis.connect() as client:
        for number in range(1000):
            client("SET", "other:%d" % number, "x" * 20)
    crash(redis)
    redis.start("--key-load-delay %d" % (LOAD_SECONDS * 1000), "--loading-process-events-interval-bytes 1024",
                loads=True)


def lock(redis):
    redis.config_set("requirepass", PASSWORD)
    redis.drop_clients()


def unlock(redis):
    redis.config_set("requirepass", "")


def rights(redis, rule):
    redis.command("ACL", "SETUSER", "default", rule)


def strand(scratch, redis, serve_stale):
    redis.config_set("replica-serve-stale-data", serve_stale)
    redis.command("REPLICAOF", "127.0.0.1", scratch.free_port())


def unwilling(tap, scratch, redis, scene):
    """It answers, but takes no login."""
    no_writes(tap, scene, "full (OOM)", lambda: redis.config_set("maxmemory", 1),
              lambda: redis.config_set("maxmemory", 0), "OOM")
    no_writes(tap, scene, "it cannot write its dump (MISCONF)", lambda: block_dump(redis), lambda: unblock_dump(redis),
              "MISCONF")
    no_writes(tap, scene, "no right to write", lambda: rights(redis, "-@write"), lambda: rights(redis, "+@all"), "")
    no_writes(tap, scene, "made a replica (READONLY)", lambda: strand(scratch, redis, "yes"),
              lambda: redis.replicaof(None), "READONLY", stale=True)
    with tap.case("an address whose key is something else (WRONGTYPE) is deferred, and no other"):
        scene.prepare()
        expect_equal(scene.gate.login(BOB, BOBS), "action=OK")
        redis.command("SET", PREFIX + HERE, "mine")
        expect_equal(scene.ask(HERE, ALICE).action, UNAVAILABLE)
        expect_equal(scene.ask(BOBS, BOB).action, OK)
        expect_equal(scene.ask(ELSEWHERE, ALICE).action, REFUSED)
        expect(scene.gate.login(BOB, HERE).startswith("action=DEFER "), "not deferred")
        expect_equal(scene.gate.login(EVE, EVES), "action=OK", "another's login meanwhile")
        expect_equal((scene.ask(HERE, BOB).action, scene.ask(EVES, EVE).action), (OK, OK))
        expect_equal(redis.command("GET", PREFIX + HERE), "mine")
        redis.command("DEL", PREFIX + HERE)
        wait_until(lambda: redis.command("ZSCORE", PREFIX + HERE, BOB), "the login that waited is stored", 10)
        expect_equal(scene.ask(HERE, ALICE).action, REFUSED)


def block_dump(redis):
    (redis.folder / "dump.rdb").unlink(missing_ok=True)
    (redis.folder / "dump.rdb").mkdir()
    redis.config_set("save", "3600 1")
    redis.command("BGSAVE")
    wait_until(lambda: redis.info("rdb_last_bgsave_status") == "err", "the dump fails")


def unblock_dump(redis):
    (redis.folder / "dump.rdb").rmdir()
    redis.command("BGSAVE")
    wait_until(lambda: redis.info("rdb_last_bgsave_status") == "ok", "the dump succeeds")
    redis.config_set("save", "")


def match_address(tap, scratch, redis, scene):
    """SPEC 9: with match = address a login that waits permits nothing by itself, as others may be on record."""
    scene.prepare()
    scene.gate.change("set pop_before_smtp_match address")
    with tap.case("match=address: a login that waits permits nothing while the store cannot be read"):
        redis.pause()
        try:
            expect(scene.gate.login(BOB, BOBS).startswith("action=DEFER "), "not deferred")
            expect_equal(scene.ask(BOBS, BOB).action, UNAVAILABLE)
        finally:
            redis.resume()
        wait_until(lambda: scene.ask(BOBS, BOB).action == OK, "it is stored", 10)
    with tap.case("match=address: where the store can be read, it counts together with those on record"):
        redis.config_set("maxmemory", 1)
        try:
            scene.gate.change("set pop_before_smtp_max_accounts 2")
            for user, action in ((EVE, OK), (ALICE, REFUSED)):
                expect(scene.gate.login(user, BOBS).startswith("action=DEFER "), "not deferred")
                expect_equal(scene.ask(BOBS, BOB).action, action)
        finally:
            redis.config_set("maxmemory", 0)
    scene.gate.rules(*SITE)


def starting(tap, scratch, redis, scene):
    """What happens at the daemon's start."""
    with tap.case("Redis hangs at the start: the first look-up waits for the connection, then all is deferred at once"):
        redis.pause()
        try:
            scene.gate.stop()
            scene.gate.start()
            answer = scene.ask(HERE, ALICE)
            expect(answer.action == UNAVAILABLE and answer.seconds < WAIT_SECONDS, str(answer))
            scene.expect_breaker_open()
        finally:
            redis.resume()
        wait_until(lambda: scene.ask(ELSEWHERE, ALICE).action == REFUSED, "gatepostd has recovered", 10)
    with tap.case("Redis is away at the start: gatepostd starts all the same, and finds it"):
        scene.prepare()
        scene.gate.stop()
        crash(redis)
        scene.gate.start()
        scene.expect_breaker_open()
        since = scene.report_bob()
        redis.start()
        scene.expect_recovery("away at the start")
        scene.expect_bob_stored(since)
    with tap.case("an answer right after the start waits for the first connection"):
        for _ in range(3):
            scene.gate.stop()
            scene.gate.start()
            expect_equal(scene.ask(HERE, ALICE).action, OK)
    with tap.case("an eviction policy that loses logins is warned of"):
        scene.gate.stop()
        expect("noeviction" not in scene.gate.text(), "a warning without a reason")
        redis.config_set("maxmemory-policy", "allkeys-lru")
        scene.gate.start()
        wait_until(lambda: "noeviction" in scene.gate.text(), "the warning")
        expect("allkeys-lru" in scene.gate.text(), "it names the policy")
        redis.config_set("maxmemory-policy", "noeviction")
    with tap.case("gatepostd ends cleanly while Redis hangs"):
        redis.pause()
        try:
            scene.ask(HERE, ALICE)
            expect(scene.gate.login(BOB, BOBS).startswith("action=DEFER "), "not deferred")
            begun = time.monotonic()
            scene.gate.stop()
            expect(time.monotonic() - begun < 5, "it took %.1f s" % (time.monotonic() - begun))
        finally:
            redis.resume()


def secrets(tap, scratch):
    """Users and passwords; none is shown anywhere."""
    redis = RedisServer(scratch, name="locked", password=PASSWORD)
    redis.command("ACL", "SETUSER", "gatepost", "on", ">" + PASSWORD, "~gatepost:login:*", "+@all")
    file = scratch.path / "url"
    gate = None
    for number, (title, user, password, good) in enumerate((
            ("a password", "", PASSWORD, True), ("a user and a password", "gatepost", PASSWORD, True),
            ("a wrong password", "gatepost", "not-" + PASSWORD, False), ("an unknown user", "fred", PASSWORD, False))):
        with tap.case("%s, from a file" % title):
            file.write_text("redis://%s:%s@127.0.0.1:%d\nredis://192.0.2.1\n" % (user, password, redis.port))
            file.chmod(0o600)
            gate = Gatepostd(scratch, name="locked%d" % number, logins="file:%s" % file)
            gate.rules(*SITE)
            reply = gate.login(ALICE, HERE)
            expect(reply == "action=OK" if good else reply.startswith("action=DEFER "), reply)
            expect_equal(ask(gate, ELSEWHERE, ALICE, REMOTE).action, REFUSED if good else UNAVAILABLE)
            with open("/proc/%d/cmdline" % gate.process.pid) as line:
                expect(PASSWORD not in line.read(), "the password is in the list of processes")
            gate.stop()
            expect(PASSWORD not in gate.text() + reply, "the password is in the log")
    with tap.case("a URL that is wrong is refused at the start, without its secret"):
        for number, url in enumerate(("redis://u:%s@127.0.0.1:port/", "redis://:%s@127.0.0.1/x", "rediss://:%s@127.0.0.1:1",
                                      "redis+sentinel://:%s@127.0.0.1/", "mysql://:%s@127.0.0.1", "file:/nowhere/url")):
            url = url.replace("%s", PASSWORD)
            try:
                Gatepostd(scratch, name="wrong%d" % number, logins=url)
            except Mismatch as fault:
                text = str(fault).replace("\n", " ")
                expect("ended at its start" in text and PASSWORD not in text, "the secret is shown, or nothing is said")
            else:
                expect(url.startswith("rediss://"), "%s is taken" % url.replace(PASSWORD, "PASSWORD"))


def program(tap, scratch):
    redis = RedisServer(scratch)
    scene = Scene(scratch, redis, redis.url(), redis.port)
    for part in (away, unwilling, match_address, starting):
        with tap.case("%s runs to its end" % part.__name__):
            part(tap, scratch, redis, scene)
    secrets(tap, scratch)


if __name__ == "__main__":
    run(program)
