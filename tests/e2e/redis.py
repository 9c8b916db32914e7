"""A real Redis and a real Sentinel set for the tests: in the scratch folder, on 127.0.0.1 and unix sockets only.

Tests talk to them as a user of their own, so that they can take all rights from the user `default`, who gatepostd is.
"""

import signal
import socket
import subprocess
import time

from harness import Mismatch, end_process, expect, wait_until

DOWN_AFTER_MS = 3000      # how soon a sentinel takes a silent server for dead; a busy machine is silent for a second
FAILOVER_TIMEOUT_MS = 2000  # bounds the parts of a failover, and the pause before another one
MASTER = "mail"           # the name of the master in a SentinelSet
START_SECONDS = 20
TESTER = ("tester", "testers-own")  # who the tests are, and the password


class RedisError(Exception):
    """An error reply."""


class RedisClient:
    """One connection, and RESP as far as tests need it: client("GET", "x") is the reply as str, int, None or list.

    `where` is a port of 127.0.0.1 or the path of a unix socket."""

    def __init__(self, where, user=None, password=None, seconds=10):
        if isinstance(where, int):
            self._socket = socket.create_connection(("127.0.0.1", where), seconds)
        else:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(seconds)
            self._socket.connect(str(where))
        self._file = self._socket.makefile("rb")
        try:
            if password:
                self("AUTH", *([user] if user else []), password)
        except BaseException:
            self.close()
            raise

    def __call__(self, *words):
        self._socket.sendall(encode(*words))
        return self.read()

    def read(self):
        """The next reply."""
        reply = self._reply()
        if isinstance(reply, RedisError):
            raise reply
        return reply

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._file.close()
        self._socket.close()

    def _reply(self):
        line = self._file.readline().rstrip(b"\r\n").decode(errors="replace")
        if not line:
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[0], line[1:]
        if kind == "+":
            return rest
        if kind == "-":
            return RedisError(rest)
        if kind == ":":
            return int(rest)
        if int(rest) < 0:
            return None
        if kind == "$":
            return self._file.read(int(rest) + 2)[:-2].decode(errors="replace")
        return [self._reply() for _ in range(int(rest))]


def encode(*words):
    """A command as clients send it."""
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n%s" % (len(words), b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))


class Server:
    """A redis-server of our own with a configuration file, which can be stopped, killed and started again."""

    def __init__(self, scratch, name, lines, port=None, password=None, mode=()):
        self.folder = scratch.folder(name)
        self.port = port or scratch.free_port()
        self.password = password
        self.socket = self.folder / "socket"
        self.process = None
        self._mode = mode
        self._configuration = self.folder / "redis.conf"
        self._configuration.write_text("".join(line + "\n" for line in (
            "port %d" % self.port, "bind 127.0.0.1", "unixsocket %s" % self.socket, "dir %s" % self.folder,
            "logfile %s" % (self.folder / "log"), "user %s on >%s ~* &* +@all" % TESTER,
            *(["requirepass %s" % password] if password else []), *lines)))
        self._configuration.chmod(0o600)
        scratch.at_end(self._end)
        self.start()

    def start(self, *options, loads=False):
        """Starts it, with options such as `--maxmemory 1mb` on top of its own, and waits until it takes commands; one
        that `loads` a data set says that it does not yet."""
        self.process = subprocess.Popen(
            ["redis-server", self._configuration, *self._mode, *" ".join(options).split()], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self.process.poll() is not None or self._answers(loads), "%s answers" % self.folder.name,
                   START_SECONDS)
        expect(self.process.poll() is None, "%s ended at its start:\n%s" % (self.folder.name, self.log()))

    def _answers(self, loads):
        try:
            self.command("PING")
            return True
        except RedisError as fault:
            return loads or not str(fault).startswith("LOADING")
        except OSError:
            return False

    def log(self):
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def connect(self, seconds=10):
        return RedisClient(self.port, *TESTER, seconds)

    def command(self, *words):
        """The reply to one command on a connection of its own; RedisError when it is an error."""
        with self.connect() as client:
            return client(*words)

    def pause(self):
        """From now on it accepts connections, as the kernel does that for it, and never answers."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def restart(self):
        self.kill()
        self.start()

    def drop_clients(self):
        """Closes all connections but that of the command itself."""
        self.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def _end(self):
        if self.process is not None and self.process.poll() is None:
            self.resume()  # a stopped process does not take SIGTERM
            end_process(self.process, 3)


class RedisServer(Server):
    """Keeps its data in memory: what is there after SIGKILL is what SAVE has written, or `options` say otherwise."""

    def __init__(self, scratch, *options, name="redis", port=None, password=None):
        super().__init__(scratch, name, (
            'save ""', "appendonly no", "repl-diskless-sync-delay 0", "repl-ping-replica-period 1",
            *(["masterauth %s" % password] if password else []), *options), port, password)

    def url(self, user="", database=None):
        login = "%s:%s@" % (user, self.password) if self.password else ""
        return "redis://%s127.0.0.1:%d%s" % (login, self.port, "" if database is None else "/%d" % database)

    def socket_url(self):
        return "redis+unix://%s" % self.socket

    def config_set(self, name, value):
        self.command("CONFIG", "SET", name, value)

    def replicaof(self, other):
        """Makes it a replica of another server, or a master again with None."""
        self.command("REPLICAOF", *(("127.0.0.1", other.port) if other else ("NO", "ONE")))

    def info(self, name):
        """One field of INFO."""
        for line in self.command("INFO").splitlines():
            if line.startswith(name + ":"):
                return line.partition(":")[2]
        raise Mismatch("INFO does not know %s" % name)


class SentinelSet:
    """One master, one replica and three sentinels that know each other; the same password for all, where there is
    one."""

    def __init__(self, scratch, password=None, name="set"):
        self.password = password
        options = ("min-replicas-to-write 0",)
        self.servers = [RedisServer(scratch, *options, name=name + ".redis0", password=password)]
        self.servers.append(RedisServer(scratch, *options, "replicaof 127.0.0.1 %d" % self.servers[0].port,
                                        name=name + ".redis1", password=password))
        self.sentinels = [self._sentinel(scratch, "%s.sentinel%d" % (name, number)) for number in range(3)]
        wait_until(self._agree, "the sentinels know each other and the replica", START_SECONDS)

    def _sentinel(self, scratch, name):
        lines = ["sentinel monitor %s 127.0.0.1 %d 2" % (MASTER, self.servers[0].port),
                 "sentinel down-after-milliseconds %s %d" % (MASTER, DOWN_AFTER_MS),
                 "sentinel failover-timeout %s %d" % (MASTER, FAILOVER_TIMEOUT_MS)]
        if self.password:
            lines += ["sentinel auth-pass %s %s" % (MASTER, self.password), "sentinel sentinel-pass %s" % self.password]
        return Server(scratch, name, lines, password=self.password, mode=("--sentinel",))

    def _agree(self):
        for sentinel in self.sentinels:
            reply = sentinel.command("SENTINEL", "MASTER", MASTER)
            fields = dict(zip(reply[::2], reply[1::2]))
            if (fields["num-other-sentinels"], fields["num-slaves"], fields["flags"]) != ("2", "1", "master"):
                return False
        return self.servers[1].info("master_link_status") == "up"

    def url(self, database=None):
        login = ":%s@" % self.password if self.password else ""
        hosts = ",".join("127.0.0.1:%d" % sentinel.port for sentinel in self.sentinels)
        return "redis+sentinel://%s%s/%s%s" % (login, hosts, MASTER, "" if database is None else "/%d" % database)

    def who_is_master(self):
        """The server that a sentinel which lives names."""
        for sentinel in self.sentinels:
            if sentinel.process.poll() is None:
                port = int(sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)[1])
                return next(server for server in self.servers if server.port == port)
        raise Mismatch("no sentinel lives")

    def kill_master(self):
        """SIGKILL; returns the dead server."""
        master = self.who_is_master()
        master.kill()
        return master

    def wait_for_master(self, other_than, seconds=START_SECONDS):
        """Waits until another server is named and takes writes. Returns it and when that was seen (monotonic)."""
        def promoted():
            master = self.who_is_master()
            return master is not other_than and master.command("ROLE")[0] == "master" and master
        master = wait_until(promoted, "a failover", seconds)
        return master, time.monotonic()
