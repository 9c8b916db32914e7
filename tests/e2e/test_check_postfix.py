#!/usr/bin/env python3
"""gatepost-check-postfix: finds each misplacement, its lines mend it when they are pasted, and what SPEC 11 recommends is
left in peace."""

import os
import re
import shlex
import subprocess
from typing import NamedTuple

from harness import BUILD_DIR, Gatepostd, SOURCE_DIR, TABLES, command, expect, expect_equal, rule_sql, run
from mta import OURS, RELAY as RELAY_DOMAIN, Postfix
from smtp import Client, SmtpSession

CHECK = SOURCE_DIR / "scripts/gatepost-check-postfix"

# In SPEC 11 to the letter but for the endpoint.
MAIN_CF = """
compatibility_level = 3.6
queue_directory = {queue}
myhostname = mail.example.com
mydomain = example.com
myorigin = $mydomain
mydestination = $myhostname, $mydomain, localhost
inet_interfaces = loopback-only
mynetworks = 192.0.2.0/24, [2001:db8::]/64, 127.0.0.0/8
smtpd_restriction_classes = gatepost
gatepost = check_policy_service {{ {endpoint}, timeout=10s, default_action={{451 4.3.0 Policy service unavailable}} }}
smtpd_relay_restrictions = check_recipient_access static:gatepost, permit_sasl_authenticated, reject_unauth_destination
smtpd_data_restrictions  = gatepost
smtpd_etrn_restrictions  = gatepost
smtpd_forbid_bare_newline = normalize
"""
MASTER_CF = "smtp inet n - n - - smtpd\n"
DOMAINS = ("example.com", "mail.example.com", "localhost", "[127.0.0.1]", "[ipv6:::1]")

RELAY = "smtpd_relay_restrictions = "
SERVICE = "gatepost = check_policy_service { %s, timeout=10s, { default_action = 451 4.3.0 away } }"


class Site(NamedTuple):
    """What is changed in the recommended site, and the codes of what is found then. `text` is in the report."""
    title: str
    codes: str
    main: tuple = ()
    master: str = MASTER_CF
    rules: tuple = ()
    text: str = ""
    endpoint: str = None


def service(options):
    return "gatepost = check_policy_service { ENDPOINT, %s }" % options


SITES = (
    Site("the recommended configuration", "", text="Braces around the whole option"),
    Site("the same with braces that Postfix 3.7 understands", "",
         (service("timeout=10s, { default_action = 451 4.3.0 away }"),)),
    Site("the service itself in the list", "", (RELAY + "check_policy_service { ENDPOINT, timeout=10s,"
         " { default_action = 451 4.3.0 away } }, permit_sasl_authenticated, reject_unauth_destination",)),
    Site("the class itself in the list", "", (RELAY + "gatepost, reject_unauth_destination",)),
    Site("through an inline table", "",
         (RELAY + "check_recipient_access inline:{{ example.com = gatepost }}, reject_unauth_destination",),
         text="those recipients only that inline:{{ example.com = gatepost }} leads to it"),
    Site("refusing at the greeting", "", ("smtpd_delay_reject = no", "smtpd_client_restrictions = gatepost",
                                         "smtpd_sender_restrictions = gatepost")),
    Site("smtpd_delay_reject = no alone", "", ("smtpd_delay_reject = no",), text="at the greeting"),
    Site("a submission service that asks", "", master=MASTER_CF + """submission inet n - n - - smtpd
  -o { smtpd_relay_restrictions = check_recipient_access static:gatepost, permit_sasl_authenticated, reject }
"""),
    Site("a service that takes mail back from a filter", "", master=MASTER_CF + """127.0.0.1:10025 inet n - n - - smtpd
  -o smtpd_relay_restrictions=permit_mynetworks,reject -o smtpd_data_restrictions= -o smtpd_etrn_restrictions=
""", text="127.0.0.1:10025/inet is left alone"),

    Site("not asked at all", "not-asked not-in-relay data-missing etrn-missing mynetworks",
         ("smtpd_restriction_classes =", "gatepost =", RELAY + "permit_mynetworks, reject_unauth_destination",
          "smtpd_data_restrictions =", "smtpd_etrn_restrictions =")),
    Site("another policy service only", "not-asked not-in-relay data-missing etrn-missing",
         ("smtpd_restriction_classes =", "gatepost =", RELAY + "reject_unauth_destination", "smtpd_data_restrictions =",
          "smtpd_etrn_restrictions =", "smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:9,"
          " check_policy_service inet:127.0.0.1:11"), text="inet:127.0.0.1:11, inet:127.0.0.1:9"),
    Site("asked behind the guard", "after-guard",
         (RELAY + "permit_sasl_authenticated, reject_unauth_destination, check_recipient_access static:gatepost",),
         text="after-permit: smtpd_relay_restrictions asks gatepost behind permit_sasl_authenticated"),
    Site("asked behind a permit", "after-permit",
         (RELAY + "permit_sasl_authenticated, check_recipient_access static:gatepost, reject_unauth_destination",)),
    Site("asked behind permit_mynetworks", "after-permit mynetworks",
         (RELAY + "permit_mynetworks, check_recipient_access static:gatepost, reject_unauth_destination",),
         text="gatepost add grant 192.0.2.0/24 2001:db8::/64 127.0.0.0/8"),
    Site("permit_mynetworks behind it", "mynetworks",
         (RELAY + "check_recipient_access static:gatepost, permit_mynetworks, reject_unauth_destination",)),
    Site("asked in recipient restrictions only", "recipient-only",
         (RELAY + "reject_unauth_destination", "smtpd_recipient_restrictions = gatepost, reject_unauth_destination"),
         text="does not override"),
    Site("the same without relay restrictions", "recipient-only",
         (RELAY, "smtpd_recipient_restrictions = check_recipient_access static:gatepost, reject_unauth_destination"),
         text="filters against spam"),
    Site("asked in client restrictions only", "not-in-relay no-help",
         (RELAY + "reject_unauth_destination", "smtpd_client_restrictions = gatepost"),
         text="asked in smtpd_client_restrictions, where"),
    Site("asked in sender restrictions, too", "no-help", ("smtpd_sender_restrictions = gatepost, permit",)),
    Site("asked in recipient restrictions, too", "no-help", ("smtpd_recipient_restrictions = gatepost, permit",),
         text="filters against spam"),
    Site("only asked to warn", "not-in-relay",
         (RELAY + "warn_if_reject gatepost, reject_unauth_destination",)),
    Site("a guard that only warns", "no-guard", (RELAY + "gatepost, warn_if_reject reject_unauth_destination",)),
    Site("asked in HELO restrictions", "no-help", ("smtpd_delay_reject = no", "smtpd_client_restrictions = gatepost",
                                                  "smtpd_helo_restrictions = gatepost")),
    Site("no guard", "no-guard", (RELAY + "check_recipient_access static:gatepost, permit_sasl_authenticated",)),
    Site("the guard in recipient restrictions", "no-guard",
         (RELAY + "gatepost", "smtpd_recipient_restrictions = reject_unauth_destination"), text="also refuses those"),
    Site("a class that is neither listed nor used", "class-unlisted not-in-relay data-missing etrn-missing",
         ("smtpd_restriction_classes =", RELAY + "reject_unauth_destination", "smtpd_data_restrictions =",
          "smtpd_etrn_restrictions =")),
    Site("a class that is not listed", "class-unlisted", ("smtpd_restriction_classes =",)),
    Site("a class that is not listed, in lists alone", "class-unlisted",
         ("smtpd_restriction_classes = other", "other = permit", RELAY + "gatepost, reject_unauth_destination"),
         text="smtpd_restriction_classes = gatepost, other"),
    Site("a class that is not defined", "class-undefined",
         (RELAY + "check_recipient_access static:gatepots, reject_unauth_destination",), text="static:gatepots names gatepots"),
    Site("a table that names the service", "table-service",
         (RELAY + "check_recipient_access static:{check_policy_service ENDPOINT}, reject_unauth_destination",)),
    Site("DATA through a table", "data-recipient", ("smtpd_data_restrictions = check_recipient_access static:gatepost",)),
    Site("ETRN through a table", "etrn-recipient", ("smtpd_etrn_restrictions = check_recipient_access static:gatepost",)),
    Site("DATA behind a permit", "after-permit", ("smtpd_data_restrictions = permit_mynetworks, gatepost",)),
    Site("not asked at DATA and ETRN", "data-missing etrn-missing",
         ("smtpd_data_restrictions = reject_unauth_pipelining", "smtpd_etrn_restrictions ="),
         text="smtpd_data_restrictions = gatepost, reject_unauth_pipelining"),
    Site("default_action without braces", "service-options",
         (service("timeout=10s, default_action=451 4.3.0 Policy service unavailable"),), text="smtpd ends at once"),
    Site("an empty default_action", "service-options", (service("timeout=10s, default_action="),)),
    Site("a default_action that permits", "default-permits", (service("timeout=10s, default_action=OK"),)),
    Site("one of digits alone", "default-permits", (service("timeout=10s, default_action=550"),)),
    Site("one that permits, of a service in a list", "default-permits",
         (RELAY + "check_policy_service { ENDPOINT, timeout=10s, default_action=permit }, reject_unauth_destination",),
         text="\nsmtpd_relay_restrictions = check_policy_service { "),
    Site("one that lets pass", "default-permits", (service("timeout=10s, default_action=dunno"),)),
    Site("one that refuses", "default-refuses", (service("timeout=10s, { default_action = 554 5.3.0 away }"),)),
    Site("the same for all services", "default-permits",
         (service("timeout=10s"), "smtpd_policy_service_default_action = DUNNO")),
    Site("no timeout", "timeout", (service("{ default_action = 451 4.3.0 away }"),), text="100s"),
    Site("a timeout that is too short", "timeout", (service("timeout=1, { default_action = 451 4.3.0 away }"),)),
    Site("one that is too long", "timeout", (service("timeout=2m, { default_action = 451 4.3.0 away }"),)),
    Site("a host name", "host-name", ("gatepost = check_policy_service { inet:localhost:10040, timeout=10s }",),
         endpoint=""),
    Site("a kind of endpoint that is none", "endpoint", ("gatepost = check_policy_service { tcp:gatepost, timeout=10s }",),
         endpoint=""),
    Site("bare newlines", "bare-newline", ("smtpd_forbid_bare_newline = no",)),
    Site("submission without asking", "not-in-relay", master=MASTER_CF + """submission inet n - n - - smtpd
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
""", text="(submission/inet)"),
    Site("a value that a service gives to main.cf's list", "after-permit",
         (RELAY + "$first check_recipient_access static:gatepost, reject_unauth_destination", "first ="),
         MASTER_CF + "submission inet n - n - - smtpd\n  -o { first = permit_sasl_authenticated, }\n",
         text="asks gatepost behind permit_sasl_authenticated"),
    Site("more smtpd than connections", "connections", master="smtp inet n - n - 6000 smtpd\n465 inet n - n - 5000 smtpd\n",
         text="max_connections = 11000"),
    Site("reports to a closed list", "dsn", rules=("closed-list staff",)),
    Site("the same by the setting", "dsn", ("smtpd_discard_ehlo_keywords = chunking",),
         rules=("set list_remote_mail no", "list staff", "open-list news"), text="smtpd_discard_ehlo_keywords = chunking, dsn"),
    Site("reports by a service", "dsn", ("smtpd_discard_ehlo_keywords = dsn",), MASTER_CF + "submission inet n - n - - smtpd\n"
         "  -o smtpd_discard_ehlo_keywords=chunking\n", rules=("closed-list staff",), text="(submission/inet)"),
    Site("no reports", "", ("smtpd_discard_ehlo_keywords = DSN",), rules=("closed-list staff",)),
    Site("an open list", "", rules=("open-list staff", "list news")),
    Site("an archive behind a proxy", "archive-proxy", ("smtpd_proxy_filter = 127.0.0.1:10025",),
         rules=("set archive_to archive@example.com",), text="a bounce that shows this address"),
    Site("an archive behind the proxy of one service", "archive-proxy", master="smtp inet n - n - - smtpd\n"
         "  -o smtpd_proxy_filter=127.0.0.1:10025\n", rules=("set archive_to archive@example.com",), text="(smtp/inet)"),
    Site("domains that local_domain lacks", "domain-local domain-relay",
         ("virtual_mailbox_domains = FOLDER/domains", "virtual_alias_domains = hash:FOLDER/virtual",
          "relay_domains = backup.example.net", "masquerade_domains = example.net", "proxy_interfaces = 192.0.2.25",
          "inet_protocols = ipv4"),
         text="gatepost add domain '[192.0.2.25]' a.example.org b.example.org example.net one.example.org\n"),
    Site("a domain to relay to, and all below it", "", ("relay_domains = backup.example.net",),
         rules=("relay-domain backup.example.net", "relay-domain .backup.example.net")),
    Site("domains of the other kind", "domain-kind-local domain-kind-relay",
         ("relay_domains = backup.example.net", "mydestination = example.com, mail.example.com, localhost, other.example"),
         rules=("domain backup.example.net", "relay-domain .backup.example.net", "relay-domain other.example"),
         text="gatepost remove domain other.example\n"),
    Site("masqueraded senders", "masquerading", ("masquerade_domains = example.com",), rules=("set local_sender_auth yes",),
         text="gatepost add domain .example.com\n"),
    Site("tables that cannot be listed", "", ("virtual_mailbox_domains = regexp:FOLDER/regexp",), text="regexp cannot be listed"),
    Site("escapes and rubbish", "class-undefined",
         (RELAY + "check_recipient_access static:gatepost, fo\x1b[31mo, reject_unauth_destination",), text="fo?[31mo"),
    Site("a class that nobody has defined", "class-undefined not-asked", ("gatepost =", "smtpd_restriction_classes ="),
         text="\nsmtpd_restriction_classes = gatepost\n"),
)


class Checker:
    def __init__(self, scratch):
        self.gate = Gatepostd(scratch)
        self.gatepost = "%s --database %s" % (BUILD_DIR / "gatepost", self.gate.database)
        self.folder = scratch.folder("site")
        (self.folder / "domains").write_text("# ours\none.example.org\n")
        (self.folder / "virtual").write_text("a.example.org x\nb.example.org x\nanna@a.example.org anna\n")
        (self.folder / "regexp").write_text("/./ x\n")
        self.write()
        command("postmap", "-c", self.folder, "hash:%s/virtual" % self.folder)

    def put_in(self, text):
        return text.replace("ENDPOINT", self.gate.endpoint).replace("FOLDER", str(self.folder))

    def write(self, main=(), master=MASTER_CF):
        text = MAIN_CF.format(queue=self.folder, endpoint=self.gate.endpoint)
        (self.folder / "main.cf").write_text(text + "".join(self.put_in(line) + "\n" for line in main))
        (self.folder / "master.cf").write_text(master)
        self.age()

    def age(self):
        """Postfix reads a file that was written just now again and again, for two seconds."""
        for path in self.folder.glob("*.cf"):
            os.utime(path, (1, 1))

    def rules(self, *rules):
        self.gate.sql("".join("DELETE FROM %s;" % table for table in TABLES) + rule_sql(
            *("domain " + domain for domain in DOMAINS), *rules))

    def __call__(self, *options, endpoint=None):
        """The report. `endpoint` "" leaves it to the script to find gatepost."""
        self.age()
        if endpoint != "":
            options += ("--endpoint", endpoint or self.gate.endpoint)
        done = subprocess.run([CHECK, "-c", self.folder, "--gatepost", self.gatepost, *options], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=60)
        out, err = done.stdout.decode(), done.stderr.decode()
        expect_equal(err, "", out)
        expect_equal(done.returncode, 1 if codes_of(out) else 0, out)
        return out


def codes_of(report):
    return set(re.findall(r"^([a-z]+(?:-[a-z]+)*): ", report, re.M)) - {"note"}


def paste(checker, report):
    """Does what the report says, as an administrator would."""
    where = ""
    for line in report.splitlines():
        if line.startswith("    ") or not line:
            where = line.strip() if line.endswith(":") else ""
        elif where == "In main.cf:" and line:
            with open(checker.folder / "main.cf", "a") as main:
                main.write(line + "\n")
        elif where.startswith("In master.cf") and line:
            name, kind = re.fullmatch(r"In master.cf, below the line of (\S+) (\S+):", where).groups()
            path = checker.folder / "master.cf"
            path.write_text(re.sub(r"(?m)^(%s *%s .*\n)((?:  -o .*\n)*)" % (name, kind),
                                   lambda found: found[1] + found[2] + line + "\n", path.read_text()))
        elif where == "Run:" and line.startswith("gatepost add") or line.startswith("gatepost remove"):
            checker.gate.cli(*shlex.split(line)[1:])


# What no line can mend.
NOT_PASTED = {"nobody-listens", "connections"}


def sites(tap, checker):
    for site in SITES:
        with tap.case(site.title):
            checker.write(site.main, site.master)
            checker.rules(*site.rules)
            report = checker(endpoint=site.endpoint)
            expected = set(site.codes.split())
            if "after-permit: " in site.text:
                expected.add("after-permit")
            expect_equal(codes_of(report), expected, report)
            expect(site.text in report or site.text in re.sub(r"\n {4}", " ", report),
                   "%r is not in\n%s" % (site.text, report))
            if not expected:
                continue
            paste(checker, report)
            again = checker(endpoint=site.endpoint)
            expect(codes_of(again) <= NOT_PASTED, "after what was to be done:\n%s\nwas\n%s" % (again, report))


def sockets(tap, checker, scratch):
    """How smtpd gets to a socket; checker's folder is its queue."""
    folder = checker.folder / "private"
    folder.mkdir()
    gate = Gatepostd(scratch, "--listen", "unix:%s/gatepost" % folder, name="unixgate")
    unix = "gatepost = check_policy_service { unix:%s, timeout=10s, { default_action = 451 4.3.0 away } }"
    chrooted = "smtp inet n - y - - smtpd\n"
    absolute = "%s/gatepost" % folder
    checker.rules()
    for title, path, master, mode, found in (
            ("a socket below the queue, in a chroot", "private/gatepost", chrooted, 0o666, ""),
            ("and without", "private/gatepost", MASTER_CF, 0o666, ""),
            ("an absolute path without chroot", absolute, MASTER_CF, 0o666, ""),
            ("an absolute path in a chroot", absolute, chrooted, 0o666, "socket-outside-chroot"),
            ("a socket elsewhere in a chroot", "/run/gatepost/policy", chrooted, 0o666, "socket-outside-chroot"),
            ("a socket that is closed to smtpd", "private/gatepost", MASTER_CF, 0o600, "socket-mode"),
            ("a socket that is not there", "private/no-such", MASTER_CF, 0o666, "nobody-listens"),
            ("a path that is too long", "private/" + "x" * 200, MASTER_CF, 0o666, "nobody-listens")):
        with tap.case(title):
            os.chmod(folder / "gatepost", mode)
            checker.write((unix % path,), master)
            report = checker(endpoint="unix:" + path)
            expect_equal(codes_of(report), set(found.split()), report)
            if found == "socket-outside-chroot" and path == absolute:
                expect("unix:private/gatepost, timeout=10s" in report, report)
    with tap.case("a folder that is closed to smtpd"):
        os.chmod(folder / "gatepost", 0o666)
        os.chmod(folder, 0o700)
        checker.write((unix % "private/gatepost",))
        expect_equal(codes_of(checker(endpoint="unix:private/gatepost")), {"socket-mode"})
    gate.stop()
    with tap.case("a socket that nobody serves any more"):
        os.chmod(folder, 0o755)
        expect_equal(codes_of(checker(endpoint="unix:private/gatepost")), {"nobody-listens"})
    with tap.case("a port that nobody serves"):
        dead = "inet:127.0.0.1:%d" % scratch.free_port()
        checker.write((SERVICE % dead,))
        expect_equal(codes_of(checker(endpoint=dead)), {"nobody-listens"})


def faults(tap, checker, scratch):
    gatepost = checker.gatepost
    for title, words, status, text in (
            ("no such folder", ("-c", "/nonexistent"), 69, "postconf cannot be asked"),
            ("a database that is not there", ("-c", checker.folder, "--database", "/nonexistent"), 69, "cannot be asked"),
            ("a gatepost that is not there", ("-c", checker.folder, "--gatepost", "/nonexistent/gatepost"), 69,
             "No such file"),
            ("a daemon's configuration that is not there", ("-c", checker.folder, "--daemon-config", "/nonexistent"), 69,
             "No such file"),
            ("an unknown option", ("--no-such",), 2, "usage:"),
            ("a word too many", ("x",), 2, "usage:"),
            ("a database and a command", ("--database", "x", "--gatepost", gatepost), 2, "usage:"),
            ("--help", ("--help",), 0, "usage:"),
            ("--dry-run", ("-c", checker.folder, "--gatepost", gatepost, "--endpoint", checker.gate.endpoint, "--dry-run"),
             0, "Nothing found.")):
        with tap.case(title):
            checker.write()
            checker.rules()
            env = {**os.environ, "PATH": "%s:%s" % (BUILD_DIR, os.environ["PATH"])}
            done = subprocess.run([CHECK, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                                  env=env)
            expect_equal((done.returncode, text in done.stdout + done.stderr), (status, True), done.stdout + done.stderr)
    with tap.case("no postconf"):
        empty = scratch.folder("empty")
        done = subprocess.run(["/usr/bin/perl", CHECK], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                              env={"PATH": str(empty)})
        expect_equal((done.returncode, "postconf cannot be asked" in done.stderr), (69, True), done.stderr)
    with tap.case("standard output that is full"):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([CHECK, "--help"], stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE,
                                  timeout=60)
        expect_equal(done.returncode, 74)
    with tap.case("a pipe that closes"):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([CHECK, "-c", checker.folder], stdin=subprocess.DEVNULL, stdout=writer, stderr=subprocess.PIPE,
                              timeout=60)
        os.close(writer)
        expect_equal((done.returncode, b"standard output" in done.stderr), (74, True), done.stderr)
    with tap.case("a main.cf of rubbish"):
        (checker.folder / "main.cf").write_bytes(os.urandom(100000))
        done = subprocess.run([CHECK, "-c", checker.folder], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        expect_equal((done.returncode, b"postconf cannot be asked" in done.stderr), (69, True), done.stderr)
        expect(b"\x1b" not in done.stderr and done.stderr.decode(), "nothing that could steer a terminal, and UTF-8")
    with tap.case("a line of a megabyte, and braces that do not end"):
        checker.write(("virtual_alias_domains = " + "a" * 1000000, "smtpd_client_restrictions = " + "permit, " * 50000 + "{" * 1000))
        report = checker()
        expect("Braces" in report, report[:1000])
    checker.write()
    with tap.case("max_connections of the daemon's configuration"):
        (checker.folder / "gatepost.conf").write_text("# max_connections = 1\nmax_connections = 50\n")
        expect("100 connections to gatepost, which takes 50" in checker("--daemon-config", checker.folder / "gatepost.conf"),
               "the limit is read")
    with tap.case("nothing is changed"):
        before = {path: path.read_bytes() for path in checker.folder.glob("*") if path.is_file()}
        checker()
        expect_equal({path: path.read_bytes() for path in checker.folder.glob("*") if path.is_file()}, before)
    with tap.case("from the source as it stands"):
        command(SOURCE_DIR / "scripts/gatepost-check-postfix", "--help")


def real(tap, checker, scratch):
    """The Postfix of the other tests, that is known to relay for those alone who may."""
    postfix = Postfix(scratch, checker.gate.endpoint)
    checker.folder = postfix.base / "etc"
    checker.rules(*("domain " + domain for domain in OURS if domain not in DOMAINS and domain != RELAY_DOMAIN),
                  "relay-domain " + RELAY_DOMAIN, "relay-domain ." + RELAY_DOMAIN)
    checker.gate.settle()
    report = checker()
    with SmtpSession(postfix.ports["spec"], Client("192.0.2.10")) as session:
        with tap.case("a Postfix that refuses as it should"):
            expect_equal(session.try_rcpt("fred@example.net", "carol@example.org").code, 554, report)
    with tap.case("is found to ask as it should, but for the services that try something else"):
        expect_equal(re.findall(r"(?m)^([a-z-]+: .*)", report)[:-1], [
            "no-help: smtpd_helo_restrictions asks gatepost (127.0.0.1:%d/inet)" % postfix.ports["context"]], report)


def program(tap, scratch):
    checker = Checker(scratch)
    sites(tap, checker)
    sockets(tap, checker, scratch)
    faults(tap, checker, scratch)
    real(tap, checker, scratch)


if __name__ == "__main__":
    run(program)
