"""Both stores of logins as the tests see them from outside: what is on record, and how to change it behind the daemon's
back. A test that runs on both is written once:

    for store in (RedisLogins(scratch), SqliteLogins(scratch)):
        gate = Gatepostd(scratch, name=store.name, logins=store.url)
"""

import sqlite3

from redis import RedisServer

PREFIX = "gatepost:login:"  # of the keys in Redis, before the address (SPEC 9)


class RedisLogins:
    name = "redis"

    def __init__(self, scratch, name="redis"):
        self.server = RedisServer(scratch, name=name + ".server")
        self.url = self.server.url()

    def records(self):
        """{address: {login name: Unix second at which it ends}}"""
        with self.server.connect() as client:
            return {key[len(PREFIX):]: pairs(client("ZRANGE", key, 0, -1, "WITHSCORES"))
                    for key in client("KEYS", PREFIX + "*")}

    def put(self, address, user, ends):
        with self.server.connect() as client:
            client("ZADD", PREFIX + address, ends, user)
            client("PERSIST", PREFIX + address)  # the test says when it ends, not an earlier life of the key

    def clear(self):
        self.server.command("FLUSHALL")


def pairs(reply):
    return {user: int(score) for user, score in zip(reply[::2], reply[1::2])}


class SqliteLogins:
    name = "sqlite"

    def __init__(self, scratch, name="sqlite"):
        self.path = scratch.folder(name + ".store") / "logins.db"
        self.url = "sqlite:%s" % self.path

    def _run(self, query, *values):
        database = sqlite3.connect(self.path, timeout=10)
        try:
            with database:
                return database.execute(query, values).fetchall()
        finally:
            database.close()

    def records(self):
        """{address: {login name: Unix second at which it ends}}"""
        found = {}
        for address, user, ends in self._run("SELECT address, user, ends FROM login"):
            found.setdefault(address, {})[user] = ends
        return found

    def put(self, address, user, ends):
        self._run("INSERT OR REPLACE INTO login (address, user, ends) VALUES (?, ?, ?)", address, user, ends)

    def clear(self):
        self._run("DELETE FROM login")
