"""A login socket that is scripted: what the reporters of logins send to it, and what they make of any reply."""

import socket
import threading

from harness import expect_equal, wait_until

OK = b"action=OK\n\n"


def event(user="alice@example.com", address="192.0.2.10", service=None):
    lines = ["request=gatepost_login", "user=" + user, "client_address=" + address]
    lines += ["service=" + service] if service else []
    return ("\n".join(lines) + "\n\n").encode()


class LoginServer:
    """A login socket that says what it is told. `answer` is the reply to each event, or a function of the connection
    that makes one. `events` are those that came, `connections` how many connections there were."""

    def __init__(self, scratch, name, answer=OK):
        self.path = str(scratch.path / name)
        self.answer = answer
        self.events = []
        self.connections = 0
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self.socket.accept()
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            rest = b""
            try:
                while piece := connection.recv(65536):
                    *events, rest = (rest + piece).split(b"\n\n")
                    for one in events:
                        self.events.append(one + b"\n\n")
                        if callable(self.answer):
                            self.answer(connection)
                        else:
                            connection.sendall(self.answer)
            except OSError:
                pass  # the client has had enough

    def expect(self, expected):
        """These events, in this order, have come since the last call, and no others."""
        wait_until(lambda: len(self.events) >= len(expected), "events %s; seen: %s" % (expected[:5], self.events[:5]))
        seen, self.events = self.events, []
        expect_equal(seen, expected)
