"""A plain SMTP client that sends what it is told, byte by byte, and reports what it is answered."""

import base64
import socket
from typing import NamedTuple

TIMEOUT_SECONDS = 30  # one reply; Postfix waits for a dead policy server up to twice its own 10 seconds


class Reply(NamedTuple):
    """An SMTP reply: the code, and the text of all its lines without it."""
    code: int
    text: str

    def __str__(self):
        return "%d %s" % self


class Closed(Exception):
    """The server closed the connection instead of answering."""


class Client(NamedTuple):
    """Who the session pretends to be (XCLIENT); None leaves an attribute as it is."""
    addr: str = "192.0.2.10"
    name: str = "client.example.net"
    reverse: str = None  # as name, where it is verified
    port: str = "34567"
    login: str = None
    destaddr: str = None
    destport: str = None

    def attributes(self):
        addr = "IPV6:" + self.addr if ":" in self.addr else self.addr
        values = (("ADDR", addr), ("NAME", self.name), ("REVERSE_NAME", self.reverse or self.name), ("PORT", self.port),
                  ("LOGIN", self.login), ("DESTADDR", self.destaddr), ("DESTPORT", self.destport))
        return " ".join("%s=%s" % (name, xtext(value)) for name, value in values if value is not None)


def xtext(value):
    """RFC 1891 xtext, in which XCLIENT wants its values."""
    return "".join(chr(c) if 33 <= c <= 126 and chr(c) not in "+=" else "+%02X" % c for c in value.encode())


class SmtpSession:
    """One connection. `client` None stays the loopback client it is; else XCLIENT and a second EHLO follow the first.

    Commands take str (sent as UTF-8) or bytes. The reply to the XCLIENT command is in `xclient_reply`."""

    def __init__(self, port, client=Client(), source="127.0.0.1", hello="client.example.net"):
        self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS, (source, 0))
        self._file = self._socket.makefile("rb")
        try:
            self.greeting = self.reply()
            self.xclient_reply = None
            if hello:
                self.command("EHLO " + hello)
                if client is not None:
                    self.xclient_reply = self.command("XCLIENT " + client.attributes())
                    self.command("EHLO " + hello)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._file.close()
        self._socket.close()

    def quit(self):
        reply = self.command("QUIT")
        self.close()
        return reply

    def send(self, data):
        self._socket.sendall(data)

    def reply(self):
        lines = []
        while True:
            try:
                line = self._file.readline(65536)
            except ConnectionResetError:
                line = b""
            if not line.endswith(b"\n"):
                raise Closed("connection closed after %r" % (lines + [line]))
            line = line.rstrip(b"\r\n").decode(errors="replace")
            lines.append(line[4:])
            if line[3:4] != "-":
                return Reply(int(line[:3]), "\n".join(lines))

    def command(self, line):
        self.send((line if isinstance(line, bytes) else line.encode()) + b"\r\n")
        return self.reply()

    def mail(self, sender, *parameters):
        """MAIL FROM; the address is sent as it is, SMTPUTF8 is asked for where it is needed."""
        return self._path(b"MAIL FROM:", sender, *parameters, *([] if _ascii(sender) else ["SMTPUTF8"]))

    def rcpt(self, recipient, *parameters):
        return self._path(b"RCPT TO:", recipient, *parameters)

    def _path(self, verb, address, *parameters):
        address = address if isinstance(address, bytes) else address.encode()
        return self.command(b" ".join([verb + b"<" + address + b">", *(p.encode() for p in parameters)]))

    def reset(self):
        return self.command("RSET")

    def try_rcpt(self, sender, recipient):
        """The reply to one recipient of a fresh transaction, or to its sender where that is refused already."""
        self.reset()
        reply = self.mail(sender, *(["SMTPUTF8"] if _ascii(sender) and not _ascii(recipient) else []))
        return self.rcpt(recipient) if reply.code == 250 else reply

    def data(self, text):
        """DATA and the message; the reply that ends it."""
        reply = self.command("DATA")
        if reply.code != 354:
            return reply
        return self.message(text)

    def message(self, text):
        lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
        self.send(b"".join((b"." if line.startswith(".") else b"") + line.encode() + b"\r\n" for line in lines))
        return self.command(".")

    def auth_plain(self, user, password):
        return self.command("AUTH PLAIN " + base64.b64encode(("\0%s\0%s" % (user, password)).encode()).decode())


def _ascii(address):
    return address.isascii()
