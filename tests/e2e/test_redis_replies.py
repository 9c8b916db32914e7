#!/usr/bin/env python3
"""A Redis that answers too late, too much, unasked, or only half: what no real one does, so that it is played in front
of one. SPEC 7 and 9; the scene is that of faults.py."""

import time

import fake_redis
from fake_redis import FakeRedis
from faults import ALICE, ELSEWHERE, HERE, OK, REFUSED, REMOTE, Scene, no_answers
from harness import expect, expect_equal, run, wait_until
from logins import PREFIX
from policy import PolicySession
from redis import RedisServer

LOOK_UPS = PREFIX.encode()  # occurs in each command that concerns a login


def faults(tap, scene, fake):
    for title, how, only in (
            ("silence", fake_redis.silence, b""), ("silence about look-ups", fake_redis.silence, LOOK_UPS),
            ("every reply two seconds late", fake_redis.late(2.0), b""),
            ("a reset in mid-reply", fake_redis.cut, LOOK_UPS), ("an end for a reply", fake_redis.hang_up, b""),
            ("a string of 500 MB", fake_redis.endless_bulk, b""),
            ("a string of 500 MB for look-ups", fake_redis.endless_bulk, LOOK_UPS),
            ("an array of 2^31 elements", fake_redis.endless_elements, b""),
            ("an array of 2^31 elements for look-ups", fake_redis.endless_elements, LOOK_UPS)):
        no_answers(tap, scene, title, lambda: fake.misbehave(how, only), fake.behave, "", flapping=only == LOOK_UPS)
    no_answers(tap, scene, "connections are refused", fake.refuse, fake.accept, "")


def late_answers(tap, scene, fake):
    with tap.case("slow, but in time: everybody is told what is on record, and nobody else waits"):
        scene.prepare()
        fake.misbehave(fake_redis.late(0.1), LOOK_UPS)
        with PolicySession(scene.gate) as session:
            session.begin(HERE, ALICE, REMOTE)
            scene.expect_unconcerned()
            expect_equal(session.answer().action, OK)
            expect_equal(session.ask(ELSEWHERE, ALICE, REMOTE).action, REFUSED)
        fake.behave()
    with tap.case("a late answer reaches nobody else"):
        for _ in range(3):
            fake.misbehave(fake_redis.late(1.4), LOOK_UPS)  # later than redis_timeout_ms
            ends = time.monotonic() + 2
            while time.monotonic() < ends:
                scene.honest_answers()
            fake.behave()
            scene.expect_recovery("late answers")
    with tap.case("clients that leave while a look-up is under way"):
        fake.misbehave(fake_redis.late(0.2), LOOK_UPS)
        for _ in range(50):
            with PolicySession(scene.gate) as session:
                session.begin(HERE, ALICE, REMOTE)
        fake.behave()
        scene.expect_recovery("clients that left")
    with tap.case("look-ups of one address at the same moment share a query"):
        fake.misbehave(fake_redis.late(0.2), LOOK_UPS)
        fake.count_anew()
        sessions = [PolicySession(scene.gate) for _ in range(30)]
        for session in sessions:
            session.begin(HERE, ALICE, REMOTE)
        expect_equal({session.answer().action for session in sessions}, {OK})
        asked = sum(LOOK_UPS in one for one in fake.commands)
        expect(asked <= 3, "%d queries" % asked)
        for session in sessions:
            session.close()
        fake.behave()


def unasked(tap, scene, fake):
    for title, how in (("ten +OK after each reply", fake_redis.unasked(b"+OK\r\n" * 10)),
                       ("an error after each reply", fake_redis.unasked(b"-ERR unasked\r\n")),
                       ("a list of logins after each reply", fake_redis.unasked(b"*1\r\n$17\r\nalice@example.com\r\n")),
                       ("each reply twice", fake_redis.twice)):
        with tap.case("%s: nobody is told anything wrong" % title):
            scene.prepare()
            fake.misbehave(how)
            ends = time.monotonic() + 2
            while time.monotonic() < ends:
                scene.honest_answers()
                scene.expect_unconcerned()
            fake.behave()
            scene.expect_recovery(title)
            scene.expect_no_growth()
    with tap.case("a greeting that nobody asked for"):
        scene.prepare()
        fake.greeting = b"+HELLO\r\n"
        fake.drop()
        ends = time.monotonic() + 2
        while time.monotonic() < ends:
            scene.honest_answers()
        fake.greeting = b""
        scene.expect_recovery("a greeting")


def probes(tap, scene, fake):
    with tap.case("while it is away it is tried now and then, by one connection at a time"):
        scene.prepare()
        fake.misbehave(fake_redis.silence)
        scene.expect_away()
        fake.count_anew()
        time.sleep(4)
        expect(1 <= fake.total <= 40, "%d tries in 4 seconds" % fake.total)
        expect(fake.most <= 2, "%d connections at once" % fake.most)  # one whose end is not yet seen here
        fake.behave()
        scene.expect_recovery("probes")
        wait_until(lambda: fake.connections <= 1, "one connection is left")


def program(tap, scratch):
    redis = RedisServer(scratch)
    fake = FakeRedis(scratch, redis)
    scene = Scene(scratch, redis, fake.url(), fake.port)
    for part in (faults, late_answers, unasked, probes):
        with tap.case("%s runs to its end" % part.__name__):
            part(tap, scene, fake)
    with tap.case("gatepostd ends cleanly"):
        scene.gate.stop()


if __name__ == "__main__":
    run(program)
