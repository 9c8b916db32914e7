"""A Redis that can be told to misbehave: a proxy in front of a real one, which it obeys until it is told otherwise."""

import socket
import struct
import threading
import time

SENT_AT_MOST = 500 * 1000 * 1000  # bytes of one endless reply


class FakeRedis:
    """Takes one command after the other of a connection, has the real server answer it, and passes the reply on byte
    by byte. `misbehave(how)` replaces that for the commands in which the bytes `only` occur (all, without).

    A misbehaviour is a function how(connection, command) -> bytes to answer; it may close the connection (raise
    ConnectionError), wait, or ask the real server (connection.real(command)).

    `greeting` is sent to each new client. What was counted: the `connections` that are open; and since `count_anew()` the
    `most` of them at once, their number in `total`, and the `commands` that came."""

    def __init__(self, scratch, server):
        self.server = server
        self.port = scratch.free_port()
        self._how, self._only = None, b""
        self._lock = threading.Lock()
        self._open = set()
        self._listener = None
        self.greeting = b""
        self.most = self.total = 0
        self.commands = []
        self.accept()
        scratch.at_end(self.close)

    def url(self):
        return "redis://127.0.0.1:%d" % self.port

    def behave(self):
        self._how = None

    def misbehave(self, how, only=b""):
        self._how, self._only = how, only

    def accept(self):
        """Takes connections (again, after `refuse`)."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def refuse(self):
        """From now on connections are refused; those that are there are reset."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()

    def drop(self):
        """Resets the connections that are there."""
        for connection in self._connections():
            connection.reset()

    def close(self):
        self.refuse()

    @property
    def connections(self):
        return len(self._connections())

    def _connections(self):
        with self._lock:
            return set(self._open)

    def count_anew(self):
        with self._lock:
            self.total, self.most = 0, len(self._open)
            self.commands = []

    def _serve(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # refuse() closed it
            connection = Connection(client, self.server)
            with self._lock:
                self._open.add(connection)
                self.total += 1
                self.most = max(self.most, len(self._open))
            threading.Thread(target=self._pass, args=(connection,), daemon=True).start()

    def _pass(self, connection):
        try:
            connection.send(self.greeting)
            while command := connection.command():
                self.commands.append(command)
                how = self._how if self._only in command else None
                connection.send(how(connection, command) if how else connection.real(command))
        except (OSError, ValueError):
            pass  # either side has gone
        finally:
            connection.reset()
            with self._lock:
                self._open.discard(connection)


class Connection:
    """A client of FakeRedis, and its connection to the real server, which is made when it is needed."""

    def __init__(self, client, server):
        self._client, self._server, self._real = client, server, None
        self._commands = client.makefile("rb")
        self._replies = None

    def command(self):
        """The bytes of the next command; none at the end."""
        return read_value(self._commands)

    def real(self, command):
        """The bytes that the real server answers."""
        if self._real is None:
            self._real = socket.create_connection(("127.0.0.1", self._server.port), 30)
            self._replies = self._real.makefile("rb")
        self._real.sendall(command)
        reply = read_value(self._replies)
        if not reply:
            raise ConnectionError("the real server has gone")
        return reply

    def send(self, data):
        self._client.sendall(data)

    def reset(self):
        """Ends the connection with RST, so that the other side sees a reset and not an end."""
        for one in (self._client, self._real):
            if one is not None:
                try:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    one.shutdown(socket.SHUT_RD)  # wakes the thread that reads
                    one.close()
                except OSError:
                    pass
        # makefile() keeps the descriptor open until it is closed, too.
        for one in (self._commands, self._replies):
            if one is not None:
                try:
                    one.close()
                except (OSError, ValueError):
                    pass


def read_value(stream):
    """The bytes of one RESP value, a command or a reply; none at the end of the stream."""
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        return b""
    kind, count = line[:1], line[1:-2]
    if kind == b"$" and int(count) >= 0:
        return line + stream.read(int(count) + 2)
    if kind == b"*":
        return line + b"".join(read_value(stream) for _ in range(int(count)))
    return line


# The misbehaviours.

def answer(data):
    """Everything is answered with these bytes."""
    return lambda connection, command: data


def silence(connection, command):
    """No answer ever."""
    return b""


def late(seconds):
    def how(connection, command):
        time.sleep(seconds)
        return connection.real(command)
    return how


def unasked(data):
    """After each reply something that nobody asked for."""
    return lambda connection, command: connection.real(command) + data


def twice(connection, command):
    return 2 * connection.real(command)


def hang_up(connection, command):
    raise ConnectionError("no reply")


def cut(connection, command):
    """Half of the reply, and a reset."""
    reply = connection.real(command)
    connection.send(reply[:max(1, len(reply) // 2)])
    time.sleep(0.05)  # a reset at once would take the half back
    raise ConnectionError("reset in mid-reply")


def endless_bulk(connection, command):
    """A bulk string of 500 MB, as far as it is taken."""
    connection.send(b"$%d\r\n" % SENT_AT_MOST)
    piece = b"x" * 1000000
    for _ in range(SENT_AT_MOST // len(piece)):
        connection.send(piece)
    return b"\r\n"


def endless_elements(connection, command):
    """An array of 2^31 - 1 elements, of which some come."""
    connection.send(b"*2147483647\r\n")
    piece = b"$1\r\nx\r\n" * 100000
    for _ in range(100):
        connection.send(piece)
    return b""
