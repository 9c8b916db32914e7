#!/usr/bin/env python3
"""`gatepost explain` as an administrator reads it: the sentence for the user, the commands that change the decision,
what Postfix really does, and what a program or a terminal gets."""

import json
import os
import subprocess

from harness import BUILD_DIR, TABLES, Gatepostd, expect, expect_equal, rule_sql, run
from mta import Dovecot, Postfix
from smtp import Client
from terminal import Terminal
from test_postfix_reasons import OUTSIDER, REASONS, REMOTE, SITE, Try, attempt, describe

DOMAIN = ("domain example.com",)
FOREIGN = ("--client", "203.0.113.9", "--from", "fred@example.net", "--to", "x@example.org")
OURS = ("--client", "203.0.113.9", "--from", "fred@example.net", "--to", "bob@example.com")

# Rules, the session, the reason of the refusal: each command that is offered is run, and must end it.
REFUSALS = (
    (("deny 203.0.113.0/24", "deny 203.0.0.0/16"), OURS, "access"),
    (("deny 203.0.113.9", "deny 203.0.113.9-9", "deny 203.0.113.9/32"), OURS, "access"),
    (("deny 203.0.113.8-10",), OURS, "access"),
    (("deny 203.0.113.9-20",), OURS, "access"),
    (("set unlisted_clients deny",), OURS, "access"),
    (("set unlisted_clients deny",), ("--client", "2001:DB8:0::9", *OURS[2:]), "access"),
    (("set submission_ports 25, 587",), (*OURS, "--port", "587"), "submission"),
    (("set submission_ports 587",), (*OURS, "--port", "587"), "submission"),
    (("kill @example.net", "kill @*ample.net", "kill fred@example.net"), OURS, "kill"),
    (("kill it's@example.net",), (*OURS[:3], "it's@example.net", *OURS[4:]), "kill"),
    (("kill -x@example.net",), (*OURS[:2], "--from=-x@example.net", *OURS[4:]), "kill"),
    (("kill $(false) `x`@example.net",), (*OURS[:3], "$(false) `x`@example.net", *OURS[4:]), "kill"),
    (("set refuse_null_sender yes",), (*OURS[:3], "", *OURS[4:]), "null-sender"),
    (("set require_valid_sender yes",), (*OURS[:3], "fred", *OURS[4:]), "invalid-sender"),
    (("set local_sender_auth yes",), (*OURS[:3], "anna@example.com", *OURS[4:]), "local-sender"),
    ((), (*OURS[:5], "x%example.org@example.com"), "routed"),
    (("closed-list staff", "closed-list staff@example.com"), (*OURS[:5], "staff@example.com"), "list"),
    (("set list_remote_mail no", "list staff"), (*OURS[:5], "staff@example.com"), "list"),
    ((), FOREIGN, "relay"),
    (("refuse 203.0.113.0/24",), FOREIGN, "relay"),
    (("refuse 203.0.113.9", "refuse 203.0.113.9/32"), FOREIGN, "relay"),
    (("set relay_for nobody",), FOREIGN, "relay"),
    (("set relay_for nobody", "accept fred@example.net"), FOREIGN, "relay"),
    (("grant mail.example.net",), (*FOREIGN, "--name", "unknown", "--reverse-name", "mail.example.net"), "unverified"),
    (("grant 203.0.113.9", "set max_recipients 1"), (*FOREIGN, "--to", "y@example.org"), "recipients"),
)

# Rules that let the session of FOREIGN relay; each command that is offered must end that.
PERMITS = (
    ("grant 203.0.113.0/24", "grant 203.0.113.0/28"),
    ("grant 203.0.113.9",),
    ("accept fred@example.net", "accept-from fred@example.net 203.0.113.0/24"),
    ("accept-from @example.net 203.0.113.0/24",),
    ("set relay_for local-users", "user fred@example.net"),
    ("set relay_for anyone",),
)

HOSTILE = ("'; DROP TABLE setting; --", "\x1b]0;owned\x07", "\x9b31m", "\udcff\udcfe", "%s%n%s", "a\nb", "\u202e",
           "a@b@c", "x" * 100000, "a@" + "b." * 40000, "@", "<>", "<", "'", '"', "\\", "*", "")


def put(gate, *rules):
    """These rules instead of all others, for who reads the database; the daemon may see them later."""
    gate.sql("BEGIN IMMEDIATE;\n" + "".join("DELETE FROM %s;\n" % table for table in TABLES) + rule_sql(*rules) + "COMMIT;\n")


def refusals(tap, gate):
    for rules, session, reason in REFUSALS:
        def explain():
            return json.loads(gate.cli("explain", "--json", *session))

        with tap.case("%s with %s: each command that is offered ends it" % (reason, rules)):
            put(gate, *DOMAIN, *rules)
            refused = [one for one in explain() if one["reason"] == reason]
            expect(refused and refused[0]["change"], "nothing is offered: %s" % refused)
            for line in refused[0]["change"]:
                put(gate, *DOMAIN, *rules)
                obey(gate, line)
                after = explain()
                expect(all(one["reason"] != reason for one in after), "%s is of no use: %s" % (line, after))


def permits(tap, gate):
    for rules in PERMITS:
        with tap.case("%s permits, and each command that is offered ends that" % (rules,)):
            put(gate, *DOMAIN, *rules)
            relayed = json.loads(gate.cli("explain", "--json", *FOREIGN))[2]
            expect_equal((relayed["outcome"], relayed["action"]), ("relayed", "OK"))
            expect(relayed["change"], "nothing is offered")
            for line in relayed["change"]:
                put(gate, *DOMAIN, *rules)
                obey(gate, line)
                expect_equal(json.loads(gate.cli("explain", "--json", *FOREIGN))[2]["reason"], "relay", line)


# Rules, the session, and what is offered: what opens least comes first, and what opens more than is asked for says so.
OFFERS = (
    (("deny 203.0.113.0/24",), OURS, ("add allow 203.0.113.9 --for 2h", "remove deny 203.0.113.0/24")),
    (("closed-list staff",), (*OURS[:5], "staff@example.com"),
     ("remove list staff", "add grant 203.0.113.9 --for 2h # which lets it relay, too")),
    (("set relay_for nobody",), FOREIGN,
     ("set relay_for addresses && gatepost --database %s add grant 203.0.113.9 --for 2h # then all rows of grant and "
      "accept count", "add domain example.org # where that domain is ours")),
    (("deny 203.0.113.9",), (*FOREIGN, "--login", "fred@example.net"), ("remove deny 203.0.113.9",)),
    (("set submission_ports 587",), (*FOREIGN, "--port", "587", "--login", "fred@example.net"),
     ("set submission_ports ''",)),
    (("set relay_for anyone",), (*FOREIGN, "--login", "fred@example.net"), ("add refuse 203.0.113.9 --for 2h",)),
    (("grant 203.0.113.9",), (*FOREIGN, "--login", "fred@example.net"),
     ("remove grant 203.0.113.9 && gatepost --database %s add refuse 203.0.113.9 --for 2h",)),
)


def offers(tap, gate):
    for rules, session, offered in OFFERS:
        with tap.case("with %s %s is offered" % (rules, offered)):
            put(gate, *DOMAIN, *rules)
            lines = [line for one in json.loads(gate.cli("explain", "--json", *session)) for line in one["change"]]
            expect_equal(lines, ["gatepost --database %s %s" % (gate.database, line.replace("%s", str(gate.database)))
                                 for line in offered])


def obey(gate, line):
    """Runs the line in a shell, as an administrator who copies it."""
    env = {**os.environ, "PATH": "%s:%s" % (BUILD_DIR, os.environ["PATH"])}
    done = subprocess.run(["sh", "-c", line], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    expect_equal(done.returncode, 0, "%s\n%s%s" % (line, done.stdout, done.stderr))


def sentences(tap, gate):
    put(gate, *DOMAIN, "closed-list staff", "set archive_to audit@example.com", "grant 198.51.100.9")
    with tap.case("it ends with the sentence for the user"):
        lines = gate.cli("explain", *FOREIGN).rstrip("\n").split("\n")
        expect_equal(lines[-2:], ["To tell the user:", (
            "Your mail to x@example.org was refused because 203.0.113.9 is not allowed to send to other domains through "
            "this server; log in with your mailbox password (SMTP AUTH) or read your mail first, then send.")])
    with tap.case("recipients of whom the same is to be said are told of together"):
        said = gate.cli("explain", *FOREIGN, "--to", "bob@example.com", "--to", "y@example.org", "--to", "z@example.org")
        said = said.rstrip("\n").split("\n")[-1]
        expect("Your mail to x@example.org, y@example.org and z@example.org was refused because" in said, said)
        expect("Your mail to bob@example.com is taken, provided that" in said, said)
        expect(said.endswith("A copy of what is taken is kept in our archive."), said)
    with tap.case("of a message that is refused as a whole, all recipients are told"):
        put(gate, *DOMAIN, "grant 203.0.113.9", "set max_recipients 4")
        to = [word for n in range(9) for word in ("--to", "u%d@example.org" % n)]
        said = gate.cli("explain", *FOREIGN[:4], *to).rstrip("\n").split("\n")[-1]
        expect_equal(said, "Your mail to u0@example.org, u1@example.org, u2@example.org, u3@example.org and 5 others was "
                           "refused because it has 9 recipients, and we send on no more than 4 at once; send it to fewer "
                           "at a time.")
    with tap.case("a client that is refused at once: for all recipients"):
        put(gate, *DOMAIN, "deny 203.0.113.9")
        said = gate.cli("explain", *FOREIGN, "--to", "bob@example.com")
        expect("Your mail to x@example.org and bob@example.com was refused because our server takes no" in said, said)
        expect("MAIL" not in said, said)
    with tap.case("what is read in another way is told"):
        put(gate, *DOMAIN)
        said = gate.cli("explain", "--client", "::FFFF:198.51.100.9", "--from", "example.net!Fred", "--to", "Bob@Example.COM.")
        for text in ("client is compared as 198.51.100.9", "sender is compared as fred@example.net",
                     "recipient is compared as bob@example.com"):
            expect(text in said, text + "\n" + said)
        said = gate.cli("explain", "--client", "mail.example.net", "--from", "fred", "--to", "bob")
        for text in ("client is no IP address", "sender has no domain", "recipient has no domain"):
            expect(text in said, text + "\n" + said)
    with tap.case("a row that is not understood is told of"):
        put(gate, *DOMAIN, "deny 203.0.113.300")
        done = subprocess.run([BUILD_DIR / "gatepost", "--database", gate.database, "explain", *OURS], capture_output=True,
                              text=True, timeout=30)
        expect("a row of access_block is skipped" in done.stderr and "203.0.113.300" in done.stderr, done.stderr)
        expect_equal(done.returncode, 0)


def live(tap, gate):
    for rules in (("deny 203.0.113.0/24",), ("closed-list staff", "grant 198.51.100.0/24"), ("set observe all",),
                  ("kill @example.net", "set observe kill"), ("set archive_to audit@example.com",), ("refuse 203.0.113.9",)):
        gate.rules(*DOMAIN, *rules)
        for session in (FOREIGN, (*OURS, "--to", "staff@example.com"), (*FOREIGN, "--sasl", "fred")):
            with tap.case("with %s the daemon says of %s what the database says" % (rules, session[5])):
                here, there = (gate.cli("explain", *how, *session) for how in ((), ("--live",)))
                told = there.replace("none that counts is on record.", "none is assumed; --login USER pretends one, "
                                     "--live asks the daemon.")
                expect_equal(told, here)
                here, there = (json.loads(gate.cli("explain", "--json", *how, *session)) for how in ((), ("--live",)))
                expect_equal(there, here)
    with tap.case("with --live what a login that may be on record would undo is not offered"):
        gate.rules(*DOMAIN, "grant 203.0.113.9")
        gate.login("fred@example.net", "203.0.113.9")
        lines = json.loads(gate.cli("explain", "--json", "--live", *FOREIGN))[2]["change"]
        expect_equal(lines, ["gatepost --database {0} remove grant 203.0.113.9 && gatepost --database {0} add refuse "
                             "203.0.113.9 --for 2h".format(gate.database)])
        gate.cli("remove", "grant", "203.0.113.9")
        gate.settle()
        expect_equal(json.loads(gate.cli("explain", "--json", "--live", *FOREIGN))[2]["outcome"], "relayed")
        gate.cli("login", "remove", "203.0.113.9")
    with tap.case("the daemon decides though the database is gone, and what comes into question is offered"):
        gate.rules(*DOMAIN)
        done = subprocess.run([BUILD_DIR / "gatepost", "--database", "/nonexistent/rules.db", "--control",
                               "unix:%s" % gate.control_socket, "explain", "--live", *FOREIGN],
                              capture_output=True, text=True, timeout=30)
        expect_equal((done.returncode, done.stderr), (0, ""))
        expect("add grant 203.0.113.9 --for 2h" in done.stdout, done.stdout)


def terminal(tap, gate):
    put(gate, *DOMAIN, "grant 198.51.100.9", "kill @example.net", "set observe kill")
    argv = [BUILD_DIR / "gatepost", "--database", gate.database, "explain"]
    env = {**{name: value for name, value in os.environ.items() if name != "NO_COLOR"}, "TERM": "xterm"}

    def shown(session, **more):
        with Terminal([*argv, *session], env={**env, **more}) as screen:
            return screen.rest().replace("\r\n", "\n")

    with tap.case("on a terminal what is refused is red, what is observed yellow, and what was passed faint"):
        said = shown(FOREIGN)
        expect("\x1b[31m  10 recipient" in said and "\x1b[31maction=REJECT" in said, repr(said))
        expect("\x1b[33m   5 kill" in said and "\x1b[2m   1 client" in said, repr(said))
    with tap.case("what is permitted is green"):
        said = shown(("--client", "198.51.100.9", *FOREIGN[2:]))
        expect("\x1b[32m  10 recipient" in said and "\x1b[32maction=OK" in said, repr(said))
    with tap.case("every colour ends on its line"):
        for line in shown(FOREIGN).split("\n"):
            expect(line.count("\x1b[") == 2 * line.endswith("\x1b[0m"), repr(line))
    plain = gate.cli("explain", *FOREIGN)
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb"), ("TERM", "")):
        with tap.case("without colours on a terminal where %s is \"%s\"" % (name, value)):
            expect_equal(shown(FOREIGN, **{name: value}), plain)
    with tap.case("nothing of a terminal where there is none"):
        expect("\x1b" not in plain, repr(plain))


def hostile(tap, gate):
    put(gate, *DOMAIN, "set text_relay no way from %{sender} to %{recipient} by %{client}")
    for word in HOSTILE:
        for option in ("--client", "--from", "--to", "--name", "--sasl", "--port", "--login"):
            session = dict(zip(FOREIGN[::2], FOREIGN[1::2]))
            session[option] = word
            with tap.case("%s %r is explained" % (option, word[:20])):
                done = subprocess.run([BUILD_DIR / "gatepost", "--database", gate.database, "explain",
                                       *("%s=%s" % item for item in session.items())],
                                      stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
                expect(b"\x1b" not in done.stdout + done.stderr and b"\xc2\x9b" not in done.stdout + done.stderr, "an escape")
                expect(b"\xe2\x80\xae" not in done.stdout, "an order of letters")
                expect(done.returncode in (0, 2, 65), "%d: %s" % (done.returncode, done.stderr))
                if done.returncode == 0:
                    json.loads(subprocess.run([BUILD_DIR / "gatepost", "--database", gate.database, "explain", "--json",
                                               *("%s=%s" % item for item in session.items())],
                                              stdin=subprocess.DEVNULL, capture_output=True, timeout=30).stdout)
                    expect(len(done.stdout.decode().rstrip("\n").split("\n")[-1]) < 2000, "the sentence is too long to read")
                else:
                    expect(done.stderr.startswith(b"gatepost: "), str(done.stderr))
    with tap.case("as many and as long arguments as the system takes"):
        pairs = ["sender=" + "a" * 120000] * 8 + ["recipient=" + "b" * 120000] * 8
        expect("To tell the user:" in gate.cli("explain", *pairs), "it is told")
    with tap.case("a full disk is reported"):
        with open("/dev/full", "w") as full:
            expect_equal(subprocess.run([BUILD_DIR / "gatepost", "--database", gate.database, "explain", *FOREIGN],
                                        stdout=full, stderr=subprocess.PIPE, timeout=30).returncode, 74)


def real_postfix(tap, gate, scratch):
    """What is foretold, from a real Postfix."""
    postfix = Postfix(scratch, gate.endpoint)
    Dovecot(scratch, postfix, {"anna@example.com": "secret"})
    for reason, rules, refused, accepted in REASONS:
        for style in ("verb", "code"):
            gate.rules(*SITE, *rules, "set reply_style " + style)
            one = next(one for one in refused if one.service in ("spec", "sasl"))
            with tap.case("%s in style %s: %s is foretold" % (reason, style, describe(one))):
                told = foretell(gate, one)
                reply = str(attempt(postfix, one))
                if style == "code" and reason == "access":
                    reply += ", and closes the session"
                expect_equal(told["postfix"], "answers " + reply)
        one = next(one for one in accepted if one.service == "spec")
        with tap.case("%s: %s is taken, as foretold" % (reason, describe(one))):
            expect(foretell(gate, one)["outcome"] in ("taken", "relayed", "open"), str(foretell(gate, one)))
    gate.rules("grant 192.0.2.50")
    with tap.case("what is left to Postfix is refused as foretold"):
        one = Try(OUTSIDER, recipient=REMOTE)
        expect(str(attempt(postfix, one)) in foretell(gate, one)["postfix"], str(foretell(gate, one)))
    gate.rules(*SITE, "grant 192.0.2.10")
    for recipient, outcome in (("carol%example.org@example.com", "relayed"), ("carol%example.org", "relayed"),
                               ("carol%example.org@backup.example", "left to Postfix"),
                               ("carol%example.com@example.org", "left to Postfix")):
        one = Try(OUTSIDER, recipient=recipient)
        with tap.case("a routed recipient after an OK, as foretold: " + describe(one)):
            told, reply = foretell(gate, one), str(attempt(postfix, one))
            expect_equal((told["action"], told["outcome"]), ("OK", outcome))
            expect(reply in told["postfix"] if outcome != "relayed" else reply.startswith("250"), reply + told["postfix"])
        one = Try(Client("192.0.2.11", login="anna@example.com"), recipient=recipient, service="sasl")
        with tap.case("a routed recipient of somebody with a password, as foretold: " + describe(one)):
            expect_equal((foretell(gate, one)["outcome"], attempt(postfix, one).code), ("relayed", 250))
    with tap.case("a routed recipient that is left alone, as foretold"):
        gate.rules(*SITE, "set refuse_routed_recipient no")
        one = Try(OUTSIDER, recipient="carol%example.org@example.com")
        expect(str(attempt(postfix, one)) in foretell(gate, one)["postfix"], foretell(gate, one))
    with tap.case("postmaster is taken without asking, as foretold"):
        gate.rules(*SITE, "deny 192.0.2.10")
        one = Try(OUTSIDER, recipient="postmaster")
        expect_equal((foretell(gate, one)["outcome"], attempt(postfix, one).code), ("taken", 250))


def foretell(gate, one):
    """The explanation of the request that Postfix makes of it."""
    client = one.client
    words = one.command.split() if one.command else ("RCPT", one.recipient)
    pairs = {"protocol_state": words[0], "client_address": client.addr, "client_name": client.name,
             "reverse_client_name": client.reverse or client.name, "server_port": client.destport or "25",
             "sasl_username": client.login or "", "sender": "" if one.command else one.sender}
    if words[0] != "ETRN":
        pairs["recipient"] = words[1]
    for name in ("client_name", "reverse_client_name"):
        pairs[name] = "unknown" if pairs[name] == "[UNAVAILABLE]" else pairs[name]
    told = json.loads(gate.cli("explain", "--json", *("%s=%s" % pair for pair in pairs.items())))[0]
    told["postfix"] = told["postfix"].replace("<the domain>", "<%s>" % words[1])
    return told


def program(tap, scratch):
    gate = Gatepostd(scratch)
    refusals(tap, gate)
    permits(tap, gate)
    offers(tap, gate)
    sentences(tap, gate)
    live(tap, gate)
    terminal(tap, gate)
    hostile(tap, gate)
    real_postfix(tap, gate, scratch)


if __name__ == "__main__":
    run(program)
