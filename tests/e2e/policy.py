"""What is asked of gatepostd directly, without Postfix or Dovecot between, and how long the answers take."""

import socket
import time
from typing import NamedTuple

ANSWER_SECONDS = 20  # no answer is later: Postfix itself would have given up


class Answer(NamedTuple):
    action: str
    seconds: float


class Session:
    """One connection to a port of 127.0.0.1 or a unix socket of gatepostd, whatever is spoken there."""

    def __init__(self, where):
        if isinstance(where, int):
            self._socket = socket.create_connection(("127.0.0.1", where), ANSWER_SECONDS)
        else:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(ANSWER_SECONDS)
            self._socket.connect(str(where))
        self._file = self._socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._file.close()
        self._socket.close()

    def send(self, text):
        self._socket.sendall(text.encode())

    def reply(self):
        """The line of the next reply; '' when the connection has been closed instead."""
        line, end = self._file.readline(), self._file.readline()
        if line and end != b"\n":
            raise ConnectionError("no reply but %r" % (line + end))
        return line.decode(errors="replace").rstrip("\n")

    def rest(self):
        """What comes once our side is closed."""
        self._socket.shutdown(socket.SHUT_WR)
        try:
            return self._file.read()
        except ConnectionResetError:
            return b""


class PolicySession(Session):
    """Requests follow each other as Postfix sends them."""

    def __init__(self, gate):
        super().__init__(gate.port)
        self._begun = None

    def begin(self, client, sender, recipient, state="RCPT"):
        """Asks; `answer` must follow."""
        self._begun = time.monotonic()
        self.send("request=smtpd_access_policy\nprotocol_state=%s\nclient_address=%s\nclient_name=unknown\n"
                  "reverse_client_name=unknown\nsender=%s\nrecipient=%s\nrecipient_count=%d\n\n"
                  % (state, client, sender, recipient, state == "DATA"))

    def answer(self):
        reply = self.reply()
        if not reply.startswith("action="):
            raise ConnectionError("no answer but %r" % reply)
        return Answer(reply[7:], time.monotonic() - self._begun)

    def ask(self, client, sender, recipient, state="RCPT"):
        self.begin(client, sender, recipient, state)
        return self.answer()


class LoginSession(Session):
    """A connection to the login socket."""

    def __init__(self, gate):
        super().__init__(gate.login_socket)


def ask(gate, client, sender, recipient, state="RCPT"):
    """One request on a connection of its own."""
    with PolicySession(gate) as session:
        return session.ask(client, sender, recipient, state)
