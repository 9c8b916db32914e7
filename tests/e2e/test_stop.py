#!/usr/bin/env python3
"""gatepostd is stopped while a name server hangs: it serves until then, and ends in bounded time all the same.

/etc/resolv.conf is replaced for this program and its children (a mount namespace of its own).
"""

import ctypes
import os
import random
import socket
import time

from harness import Gatepostd, command, expect, expect_equal, run, wait_until
from policy import ask

CLONE_NEWNS = 0x00020000
END_SECONDS = 9  # as gatepostd(8) says
SLOW_SECONDS = 15
DEFER = "DEFER 4.3.0 login records unavailable, try again later"
OVERDUE = "does not answer"


class DeafNameServer:
    """Takes every query and answers none."""

    def __init__(self, scratch):
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) != 0:
            raise OSError(ctypes.get_errno(), "no mount namespace of our own")
        command("mount", "--make-rprivate", "/")
        address = "127.%d.%d.%d" % tuple(random.randint(1, 250) for _ in range(3))
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        self.socket.setblocking(False)
        conf = scratch.path / "resolv.conf"
        conf.write_text("nameserver %s\noptions timeout:30\n" % address)
        command("mount", "--bind", conf, "/etc/resolv.conf")

    def is_asked(self):
        try:
            return bool(self.socket.recv(4096))
        except BlockingIOError:
            return False


def program(tap, scratch):
    server = DeafNameServer(scratch)
    gate = Gatepostd(scratch, logins="redis://redis.example.com:6379/0")
    with tap.case("a name server that hangs costs deferrals alone, and of those who need a login"):
        wait_until(server.is_asked, "the name of the Redis server is looked up")
        gate.change("grant 192.0.2.10", "domain example.com")
        gate.settle()
        expect_equal(ask(gate, "192.0.2.10", "fred@example.net", "bob@example.org").action, "OK")
        answer = ask(gate, "192.0.2.20", "fred@example.com", "bob@example.org").action
        expect_equal(answer, DEFER)
    with tap.case("it cannot be called off, and yet the daemon ends, with a line that says why"):
        start = time.monotonic()
        gate.process.terminate()
        status = gate.process.wait(END_SECONDS + SLOW_SECONDS)
        expect(time.monotonic() - start < END_SECONDS + SLOW_SECONDS / 2, "too late")
        expect_equal(status, os.EX_OSERR)
        expect(OVERDUE in gate.text().splitlines()[-1], gate.text()[-500:])
        gate.expect_no_report()


run(program)
