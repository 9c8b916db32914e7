#!/usr/bin/env python3
"""Login events and their sockets: what is taken, what is on record afterwards, and what the log says."""

import os
import stat
import subprocess
import sys
import time

from harness import Gatepostd, expect, expect_equal, run, wait_until
from logins import PREFIX, RedisLogins, SqliteLogins
from policy import LoginSession, Session, ask

REMOTE = "carol@example.org"
REFUSED = "REJECT 5.7.1 unknown local host example.org, not a gateway"
ALICE, BOB = "alice@example.com", "bob@example.com"
HERE = "192.0.2.10"
SITE = ("domain example.com", "user " + ALICE, "user " + BOB, "alias info@example.com " + ALICE)
EVENT = "request=gatepost_login\nuser=%s\nclient_address=%s\nservice=imap\n\n"
POLICY = "request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=%s\nsender=%s\nrecipient=%s\n\n"
SKIP = "set pop_before_smtp_skip 192.0.2.0/24, 2001:db8::/32"
HALF_HOUR = 30 * 60  # pop_before_smtp by default
NEAR = 5             # seconds between the test's clock and what is on record, on a slow machine

# Events that are wrong, and what must not be recorded from them.
BAD_EVENTS = (
    ("no user", "request=gatepost_login\nclient_address=192.0.2.10\nservice=imap\n\n"),
    ("an empty user", EVENT % ("", HERE)),
    ("a user of 256 bytes", EVENT % ("x" * 244 + "@example.com", HERE)),
    ("a tab in the user", EVENT % ("al\tice@example.com", HERE)),
    ("a bare CR in the user", EVENT % ("al\rice@example.com", HERE)),
    ("an escape in the user", EVENT % ("al\x1b[31mice@example.com", HERE)),
    ("a DEL in the user", EVENT % ("al\x7fice@example.com", HERE)),
    ("no address", "request=gatepost_login\nuser=alice@example.com\nservice=imap\n\n"),
    ("an empty address", EVENT % (ALICE, "")),
    ("an address that is none", EVENT % (ALICE, "192.0.2.300")),
    ("a block for an address", EVENT % (ALICE, "192.0.2.0/24")),
    ("a host name for an address", EVENT % (ALICE, "client.example.net")),
    ("unknown for an address", EVENT % (ALICE, "unknown")),
)

# What is taken, and recorded as whom where.
GOOD_EVENTS = (
    ("an event", EVENT % (ALICE, HERE), ALICE, HERE),
    ("one without a service", (EVENT % (ALICE, HERE)).replace("service=imap\n", ""), ALICE, HERE),
    ("unknown attributes", (EVENT % (ALICE, HERE)).replace("service=", "colour=red\nservice="), ALICE, HERE),
    ("bare CRs before LFs", (EVENT % (ALICE, HERE)).replace("\n", "\r\n"), ALICE, HERE),
    ("attributes in another order",
     "service=pop3\nclient_address=192.0.2.10\nuser=%s\nrequest=gatepost_login\n\n" % ALICE, ALICE, HERE),
    ("a user of 255 bytes", EVENT % ("x" * 243 + "@example.com", HERE), "x" * 243 + "@example.com", HERE),
    ("a user without domain", EVENT % ("alice", HERE), "alice", HERE),
    ("upper case", EVENT % ("Alice@EXAMPLE.Com", HERE), ALICE, HERE),
    ("a domain outside ASCII", EVENT % ("alice@B\u00dcCHER.example", HERE), "alice@xn--bcher-kva.example", HERE),
    ("a user outside ASCII", EVENT % ("\u0130d\u00c9@example.com", HERE), "i\u0307d\u00e9@example.com", HERE),
    ("a user with blanks and quotes", EVENT % ("al 'ice\" x", HERE), "al 'ice\" x", HERE),
    ("IPv4 in IPv6", EVENT % (ALICE, "::ffff:192.0.2.10"), ALICE, HERE),
    ("IPv6, spelled at length", EVENT % (ALICE, "2001:0DB8:0:0:0:0:0:0001"), ALICE, "2001:db8::1"),
)


class Site:
    def __init__(self, scratch, store, *options, name=""):
        self.store = store
        self.gate = Gatepostd(scratch, *options, name=store.name + name, logins=store.url)
        self.gate.rules(*SITE)

    def relays(self, client, sender):
        """Whether mail from there is relayed; what is neither yes nor no is a fault."""
        action = ask(self.gate, client, sender, REMOTE).action
        expect(action in ("OK", REFUSED), action)
        return action == "OK"


def events(case, site, scratch):
    gate, store = site.gate, site.store
    for title, event in BAD_EVENTS:
        with case("%s is refused, with the reason" % title):
            reply = gate.event(event)
            expect(reply.startswith("action=REJECT ") and len(reply) > 20, reply)
            expect("\x1b" not in reply and "\x7f" not in reply and "\t" not in reply, repr(reply))
            expect_equal(store.records(), {})
    for title, event, user, address in GOOD_EVENTS:
        with case("%s is recorded" % title):
            store.clear()
            before = int(time.time())
            expect_equal(gate.event(event), "action=OK")
            records = store.records()
            expect_equal({key: list(value) for key, value in records.items()}, {address: [user]})
            life = records[address][user] - before
            expect(abs(life - HALF_HOUR) <= NEAR, "its life is %d seconds" % life)
    with case("another login prolongs, and never shortens"):
        store.clear()
        gate.login(ALICE, HERE)
        at_first = store.records()[HERE][ALICE]
        store.put(HERE, ALICE, at_first - 600)
        gate.login("ALICE@example.com", HERE)
        expect(store.records()[HERE][ALICE] >= at_first, "it was not prolonged")
        gate.change("set pop_before_smtp 10")
        expect_equal(gate.login(ALICE, HERE), "action=OK")
        expect(store.records()[HERE][ALICE] >= at_first, "it was shortened")
        gate.change("unset pop_before_smtp")
    with case("several events on one connection, in one go, are answered in order"):
        store.clear()
        with LoginSession(gate) as session:
            session.send(EVENT % (ALICE, HERE) + EVENT % ("", HERE) + EVENT % (BOB, "192.0.2.11"))
            expect_equal(lines(session, 3, hide="REJECT"), ["action=OK", "action=REJECT", "action=OK"])
            expect_equal(set(store.records()), {HERE, "192.0.2.11"})
    with case("a thousand events in one go are all recorded"):
        store.clear()
        with LoginSession(gate) as session:
            session.send("".join(EVENT % ("user%d@example.com" % n, "198.51.100.%d" % (n % 250)) for n in range(1000)))
            expect_equal(set(lines(session, 1000)), {"action=OK"})
        expect_equal(sum(map(len, store.records().values())), 1000)
    with case("an event byte by byte is taken"):
        with LoginSession(gate) as session:
            for byte in EVENT % (ALICE, HERE):
                session.send(byte)
            expect_equal(lines(session, 1), ["action=OK"])


def not_recorded(case, site, scratch):
    gate, store = site.gate, site.store
    for title, rules, address in (
            ("loopback, by default", (), "127.0.0.1"), ("IPv6 loopback, by default", (), "::1"),
            ("a block of the skip list", (SKIP,), HERE),
            ("an IPv6 block of the skip list", (SKIP,), "2001:db8::1"),
            ("a refused client", ("refuse 192.0.2.0/24",), HERE),
            ("everybody while it is off", ("set pop_before_smtp 0",), HERE)):
        with case("%s: OK, not recorded" % title):
            store.clear()
            gate.rules(*SITE, *rules)
            expect_equal(gate.login(ALICE, address), "action=OK not recorded")
            expect_equal(store.records(), {})
    with case("a client that may relay anyway is recorded"):
        gate.rules(*SITE, "grant 192.0.2.0/24", "set pop_before_smtp_skip ")
        expect_equal(gate.login(ALICE, HERE), "action=OK")
        expect_equal(gate.login(ALICE, "127.0.0.1"), "action=OK")
        expect_equal(set(store.records()), {HERE, "127.0.0.1"})
    with case("IPv6 is cut to the prefix"):
        store.clear()
        gate.rules(*SITE, "set pop_before_smtp_ipv6_prefix 56")
        expect_equal(gate.login(ALICE, "2001:db8:1:2ff:3::4"), "action=OK")
        expect_equal(gate.login(ALICE, HERE), "action=OK")
        expect_equal(set(store.records()), {"2001:db8:1:200::", HERE})
    gate.rules(*SITE)


def lines(session, count, hide=None):
    """So many replies; of those with the verb `hide` only that."""
    found = (session.reply() for _ in range(count))
    return ["action=" + hide if hide and line.startswith("action=" + hide) else line for line in found]


def separate_sockets(case, site, scratch):
    """Neither takes the other's requests."""
    gate, store = site.gate, site.store
    store.clear()
    for title, path, text in (
            ("a login event to a policy port", None, EVENT % (ALICE, HERE)),
            ("a login event to a policy socket", scratch.path / "policy.sock", EVENT % (ALICE, HERE)),
            ("a policy request to the login socket", gate.login_socket, POLICY % (HERE, ALICE, BOB)),
            ("a policy request to the control socket", gate.control_socket, POLICY % (HERE, ALICE, BOB)),
            ("no request at the login socket", gate.login_socket, "user=%s\nclient_address=%s\n\n" % (ALICE, HERE)),
            ("another request at the login socket", gate.login_socket,
             (EVENT % (ALICE, HERE)).replace("gatepost_login", "gatepost_logout")),
            ("a line without = at the login socket", gate.login_socket, "hello\n\n"),
            ("a NUL at the login socket", gate.login_socket, EVENT % ("al\0ice", HERE))):
        with case("%s is not taken" % title):
            said = len(gate.text())
            with Session(path or gate.port) as session:
                session.send(text)
                reply = session.rest()
                expect(reply == b"" or reply.startswith(b"action=REJECT "), repr(reply))
                if not reply:
                    wait_until(lambda: "level=warning" in gate.text()[said:], "a warning", 5)
            expect_equal(store.records(), {})
    with case("what follows a malformed event on the same connection is not taken"):
        with LoginSession(gate) as session:
            session.send(EVENT % (ALICE, HERE) + "hello\n\n" + EVENT % (BOB, HERE))
            expect_equal(lines(session, 1), ["action=OK"])
            expect(b"action=OK" not in session.rest(), "taken")
        expect_equal({key: list(value) for key, value in store.records().items()}, {HERE: [ALICE]})


def redis_records(case, site, scratch):
    """SPEC 9 to the letter: other programs read it, too."""
    redis, gate = site.store.server, site.gate
    with case("one sorted set per address, the key ending with its last member"):
        redis.command("FLUSHALL")
        before = int(time.time())
        gate.login("Alice@Example.com", HERE)
        expect_equal(redis.command("KEYS", "*"), [PREFIX + HERE])
        expect_equal(redis.command("TYPE", PREFIX + HERE), "zset")
        member, score = redis.command("ZRANGE", PREFIX + HERE, 0, -1, "WITHSCORES")
        expect_equal(member, ALICE)
        expect(abs(before + HALF_HOUR - int(score)) <= NEAR, "score %s at %d" % (score, before))
        expire = redis.command("EXPIRETIME", PREFIX + HERE)
        expect(int(score) <= expire <= int(score) + 1, "the key ends at %d, its member at %s" % (expire, score))
    with case("a shorter login leaves the life of the key as it is"):
        longest = redis.command("EXPIRETIME", PREFIX + HERE)
        gate.change("set pop_before_smtp 5")
        gate.login(BOB, HERE)
        expect_equal(redis.command("EXPIRETIME", PREFIX + HERE), longest)
        gate.change("unset pop_before_smtp")
    with case("a longer one prolongs it"):
        gate.change("set pop_before_smtp 60")
        gate.login(BOB, HERE)
        expect(redis.command("EXPIRETIME", PREFIX + HERE) >= longest + HALF_HOUR - NEAR, "it was not prolonged")
        gate.change("unset pop_before_smtp")
    with case("members that have ended are removed with the next login"):
        redis.command("ZADD", PREFIX + HERE, int(time.time()) - 1, "old@example.com")
        gate.login(BOB, HERE)
        expect_equal(sorted(redis.command("ZRANGE", PREFIX + HERE, 0, -1)), [ALICE, BOB])
    with case("no key lives for ever, and none outlives what is removed"):
        gate.cli("login", "remove", HERE)
        expect_equal(redis.command("KEYS", "*"), [])
    with case("redis_prefix, a database, and a unix socket"):
        other = Gatepostd(scratch, "--redis-prefix", "site7:", name="prefixed", logins=redis.socket_url() + "?db=3")
        other.rules(*SITE)
        expect_equal(other.login(ALICE, HERE), "action=OK")
        with redis.connect() as client:
            client("SELECT", 3)
            expect_equal(client("KEYS", "*"), ["site7:login:" + HERE])
        expect_equal(redis.command("KEYS", "*"), [])
        expect_equal(ask(other, HERE, ALICE, REMOTE).action, "OK")
        other.stop()
    with case("two daemons on one Redis: a login reported to one opens the other"):
        other = Site(scratch, site.store, name=".second")
        expect(not other.relays(HERE, ALICE), "relayed without a login")
        gate.login(ALICE, HERE)
        expect(other.relays(HERE, ALICE) and not other.relays(HERE, BOB), "not opened")
        other.gate.login(BOB, HERE)
        expect(site.relays(HERE, BOB), "not opened the other way")
        expect("removed" in site.gate.cli("login", "remove", HERE), "removed")
        expect(not other.relays(HERE, ALICE), "still open")
        other.gate.stop()


def sqlite_survives(case, site, scratch):
    with case("SIGKILL right after action=OK loses no login"):
        for number in range(5):
            address = "198.51.100.%d" % number
            expect_equal(site.gate.login(ALICE, address), "action=OK")
            site.gate.kill()
            expect(ALICE in site.store.records()[address], "lost")
            site.gate.start()
            expect(site.relays(address, ALICE), "lost")
    with case("the file is nobody else's"):
        mode = stat.S_IMODE(os.stat(site.store.path).st_mode)
        expect(mode & 0o007 == 0, "mode %o" % mode)


def log_fields(case, site, scratch):
    gate, store = site.gate, site.store
    store.clear()

    def line_of(client, sender):
        """The line of one decision, and whether mail was relayed."""
        since = len(gate.log())
        relayed = site.relays(client, sender)
        return gate.decision(since, client=client, sender=sender), relayed
    gate.login(ALICE, HERE)
    with case("the log names the login that decided"):
        line, relayed = line_of(HERE, "info@example.com")
        expect_equal((relayed, line.get("login")), (True, ALICE), line)
    with case("and none where none did"):
        line, relayed = line_of(HERE, BOB)
        expect_equal((relayed, line.get("login")), (False, None), line)
        gate.change("grant 192.0.2.50")
        gate.login(ALICE, "192.0.2.50")
        line, relayed = line_of("192.0.2.50", ALICE)
        expect_equal((relayed, line.get("login")), (True, None), line)
    with case("too many accounts are said"):
        gate.change("set pop_before_smtp_match address", "set pop_before_smtp_max_accounts 2")
        for user in ("anna", "otto", "emma"):
            gate.login(user + "@example.com", "192.0.2.60")
        line, relayed = line_of("192.0.2.60", "anna@example.com")
        expect_equal((relayed, line.get("too_many_accounts")), (False, "3"), line)
    gate.rules(*SITE)


def permissions(tap, scratch):
    store = SqliteLogins(scratch, "permissions")

    def mode(path):
        return oct(stat.S_IMODE(os.stat(path).st_mode))
    with tap.case("the sockets are 0660 by default"):
        gate = Gatepostd(scratch, name="modes", logins=store.url)
        expect_equal((mode(gate.login_socket), mode(gate.control_socket)), (oct(0o660), oct(0o660)))
        gate.stop()
        expect(not gate.login_socket.exists() and not gate.control_socket.exists(), "they are removed at the end")
    with tap.case("mode and group are as set"):
        gate.options = ("--login-mode", "0600", "--login-group", "mail", "--control-mode", "0620",
                        "--control-group", "daemon")
        gate.start()
        expect_equal((mode(gate.login_socket), gate.login_socket.group()), (oct(0o600), "mail"))
        expect_equal((mode(gate.control_socket), gate.control_socket.group()), (oct(0o620), "daemon"))
        gate.stop()
    with tap.case("before anyone can connect: a stranger who tries all the time never gets in"):
        stranger = subprocess.Popen(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", sys.executable,
                                     "-c", STRANGER, gate.login_socket, gate.control_socket],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        scratch.at_end(stranger.kill)
        for _ in range(5):
            gate.start()
            gate.stop()
        out, _ = stranger.communicate("", 20)
        tries, denied, connected = map(int, out.split())
        expect(denied and not connected, "%d tries, %d denied, %d connected" % (tries, denied, connected))


# Tries to connect to the sockets of its command line until its standard input ends; prints how often it tried, was
# denied, and succeeded.
STRANGER = """
import select, socket, sys
tries = denied = connected = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    for path in sys.argv[1:]:
        tries += 1
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
            connected += 1
        except PermissionError:
            denied += 1
        except OSError:
            pass
print(tries, denied, connected)
"""


def program(tap, scratch):
    for store, more in ((RedisLogins(scratch), redis_records), (SqliteLogins(scratch), sqlite_survives)):
        def case(text, name=store.name):
            return tap.case("%s: %s" % (name, text))
        with case("runs to its end"):
            site = Site(scratch, store, "--listen", "unix:%s" % (scratch.path / "policy.sock"))
            for part in (events, not_recorded, separate_sockets, more, log_fields):
                part(case, site, scratch)
            site.gate.stop()
    permissions(tap, scratch)


if __name__ == "__main__":
    run(program)
