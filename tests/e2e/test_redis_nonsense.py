#!/usr/bin/env python3
"""A Redis that answers nonsense or errors to everything, or to what concerns logins: it is played, in front of a real
one. SPEC 7 and 9; the scene is that of faults.py."""

from fake_redis import FakeRedis, answer
from faults import Scene
from harness import run
from logins import PREFIX
from redis import RedisServer

LOOK_UPS = PREFIX.encode()  # occurs in each command that concerns a login

# Answers to everything that can be none to what was asked.
NONSENSE = (
    ("HTTP", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
    ("binary", bytes(range(256)) * 16),
    ("NULs", b"\0" * 70000),
    ("lines without end", b"+" + b"x" * 3000000),
    ("an empty line", b"\r\n"),
    ("+OK", b"+OK\r\n"),
    ("a number", b":1\r\n"),
    ("a number that is none", b":one\r\n"),
    ("no string", b"$-1\r\n"),
    ("no array", b"*-1\r\n"),
    ("a negative length", b"*-7\r\n"),
    ("a length that is none", b"$99999999999999999999\r\n"),
    ("a length of 4 GB", b"$4294967296\r\nx"),
    ("half a string", b"$5\r\nab"),
    ("half an array", b"*3\r\n$1\r\na\r\n"),
    ("arrays in arrays", b"*1\r\n" * 1000 + b":1\r\n"),
    ("an array of numbers", b"*2\r\n:1\r\n:2\r\n"),
    ("arrays for names", b"*1\r\n*0\r\n"),
    ("an empty error", b"-\r\n"),
)

# Errors of a Redis that is no use now.
ERRORS = ("LOADING Redis is loading the dataset in memory", "BUSY Redis is busy running a script",
          "MASTERDOWN Link with MASTER is down", "CLUSTERDOWN The cluster is down", "MOVED 7 192.0.2.1:6379",
          "TRYAGAIN Multiple keys request during rehashing", "NOAUTH Authentication required.",
          "ERR max number of clients reached", "ERR unknown command", "UNHEARD of " + "x" * 10000)


def nonsense(tap, scene, fake):
    answers = [*NONSENSE, *(("-" + text[:30], b"-%s\r\n" % text.encode()) for text in ERRORS)]
    for what, only in (("everything", b""), ("what concerns logins", LOOK_UPS)):
        for title, data in answers:
            with tap.case("%s is answered by %s" % (what, title)):
                expect_deferred_while(scene, fake, answer(data), only)


def expect_deferred_while(scene, fake, how, only=b""):
    """The short form of no_answers."""
    scene.prepare()
    fake.misbehave(how, only)
    try:
        scene.expect_away(0.2, flapping=only == LOOK_UPS)
    finally:
        fake.behave()
    scene.expect_recovery(None)
    scene.expect_no_growth()


def program(tap, scratch):
    redis = RedisServer(scratch)
    fake = FakeRedis(scratch, redis)
    scene = Scene(scratch, redis, fake.url(), fake.port)
    with tap.case("the test runs to its end"):
        nonsense(tap, scene, fake)
    with tap.case("gatepostd ends cleanly"):
        scene.gate.stop()


if __name__ == "__main__":
    run(program)
