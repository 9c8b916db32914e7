#!/usr/bin/env python3
"""gatepost-sync-postfix: local_domain and local_user as Postfix has them, and what it must not touch."""

import os
import subprocess

from admin import Gatepost
from harness import BUILD_DIR, SOURCE_DIR, command, expect, expect_equal, run

SYNC = SOURCE_DIR / "scripts/gatepost-sync-postfix"
NOTE = "from Postfix (gatepost-sync-postfix)"

MAIN_CF = """
compatibility_level = 3.6
myhostname = mail.example.com
mydomain = example.com
myorigin = $mydomain
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination = $myhostname, $mydomain, {folder}/destinations
virtual_mailbox_domains = texthash:{folder}/domains
virtual_alias_domains = hash:{folder}/virtual
relay_domains = backup.example.net
virtual_alias_maps = hash:{folder}/virtual, inline:{{ {{ web@host.example = webmaster@example.com }} }}
virtual_mailbox_maps = texthash:{folder}/mailboxes
alias_maps = hash:{folder}/aliases
local_recipient_maps = proxy:unix:passwd.byname $alias_maps
{more}
"""

FILES = {
    "destinations": "# more of ours\nsecond.example\n",
    "domains": "host.example anything\n",
    "virtual": "alias.example anything\nboss@alias.example anna@example.com\n@host.example lost@example.com\n"
               "both@alias.example anna, otto\nself@host.example self@host.example, copy@example.net\n"
               "away@alias.example fred@example.net\ninfo@alias.example office\nnick otto\n",
    "mailboxes": "self@host.example a/\nAda@Host.Example b/\n@host.example c/\n\"a b\"@host.example d/\n",
    "aliases": "postmaster: root\nroot: anna\noffice: root\nstaff: anna, otto\nlog: |/bin/cat\nfile: /dev/null\n"
               "list: :include:/etc/list\n\"a c\": otto\nloop: pool\npool: loop\nquoted: \"otto\"\n",
}
PASSWD = "root:x:0:0::/:/bin/sh\ndaemon:x:1:1::/:\nanna:x:1000:1::/:\notto:x:1001:1::/:\nnobody:x:65534:1::/:\n"

LOCAL = {"example.com", "mail.example.com", "localhost", "second.example", "host.example", "alias.example", "[127.0.0.1]"}
RELAY = {"backup.example.net", ".backup.example.net"}
HERE = ("example.com", "mail.example.com", "second.example")


def users():
    """What local_user has to be: address to account."""
    found = {"anna@example.com": None, "otto@example.com": None, "self@host.example": None, "ada@host.example": None,
             "a b@host.example": None, "boss@alias.example": "anna@example.com", "info@alias.example": "anna@example.com",
             "web@host.example": "webmaster@example.com"}
    for domain in HERE:
        for name, account in (("postmaster", "anna"), ("root", "anna"), ("office", "anna"), ("a c", "otto"),
                              ("quoted", "otto"), ("nick", "otto")):
            found["%s@%s" % (name, domain)] = account + "@example.com"
        for name in ("anna", "otto"):
            if domain != "example.com":
                found["%s@%s" % (name, domain)] = name + "@example.com"
    return found


class Site:
    def __init__(self, scratch):
        self.gatepost = Gatepost(scratch)
        self.folder = scratch.folder("site")
        self.bin = scratch.folder("bin")
        self.write()
        self.passwd(PASSWD)

    def passwd(self, text, status=0):
        """A getent whose users are these."""
        (self.bin / "passwd").write_text(text)
        (self.bin / "getent").write_text('#!/bin/sh\n[ "$*" = passwd ] || exit 64\ncat %s/passwd\nexit %d\n' % (self.bin, status))
        (self.bin / "getent").chmod(0o755)

    def write(self, more="", **files):
        for name, text in {**FILES, **files}.items():
            (self.folder / name).write_text(text)
        main = self.folder / "main.cf"
        main.write_text(MAIN_CF.format(folder=self.folder, more=more))
        (self.folder / "master.cf").touch()
        for path in self.folder.glob("*"):
            os.utime(path, (1, 1))  # Postfix reads what was written just now again and again, for two seconds
        command("postmap", "-c", self.folder, "hash:%s/virtual" % self.folder)
        command("postalias", "-c", self.folder, "hash:%s/aliases" % self.folder)

    def __call__(self, *options, status=0, script=SYNC):
        done = subprocess.run([script, "-c", self.folder, "--gatepost", "%s --database %s" % (
            BUILD_DIR / "gatepost", self.gatepost.path), *options], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60, env={**os.environ, "PATH": "%s:%s" % (self.bin, os.environ["PATH"])})
        expect_equal(done.returncode, status, done.stdout + done.stderr)
        return done

    def domains(self):
        return {row[0]: row[1:] for row in self.gatepost.rows("SELECT domain, kind, note FROM local_domain")}

    def users(self):
        return dict(self.gatepost.rows("SELECT address, account FROM local_user"))


def first_time(tap, site):
    with tap.case("--dry-run shows all, and changes nothing"):
        done = site("--dry-run")
        expect("domain: + domain .backup.example.net relay # " + NOTE in done.stdout, done.stdout)
        expect("user: + user info@alias.example account anna@example.com # " + NOTE in done.stdout, done.stdout)
        expect_equal((site.domains(), site.users()), ({}, {}))
    site.gatepost("add", "domain", "second.example", "--note", "by hand")
    site.gatepost("add", "user", "office@example.com", "--account", "eve@example.com")
    site.gatepost("add", "user", "eve@example.com", "--note", "from Postfix")
    done = site()
    with tap.case("domains, with their kind"):
        expect_equal(site.domains(), {**{name: ("local", NOTE) for name in LOCAL}, **{name: ("relay", NOTE) for name in RELAY},
                                      "second.example": ("local", "by hand")})
    with tap.case("accounts, and aliases of one account"):
        expect_equal(site.users(), {**users(), "office@example.com": "eve@example.com", "eve@example.com": None})
    with tap.case("it says what was changed, and who did it"):
        expect("left to whom they belong" in done.stdout and "gatepost undo" in done.stdout, done.stdout)
        expect_equal(site.gatepost.rows('SELECT DISTINCT "by" FROM rule_change WHERE key = \'host.example\''),
                     [("gatepost-sync-postfix",)])
    with tap.case("a second time changes and says nothing"):
        before = site.gatepost.rows("SELECT max(seq) FROM rule_change")
        done = site()
        expect_equal((done.stdout, done.stderr), ("", ""))
        expect_equal(site.gatepost.rows("SELECT max(seq) FROM rule_change"), before)


def later(tap, site):
    with tap.case("what Postfix no longer has is deleted, what is new is added, each kind in one transaction"):
        site.write("relay_domains = other.example.net", virtual="alias.example x\n", mailboxes="new@host.example x\n")
        site.passwd(PASSWD.replace("otto", "carl"))
        before = site.gatepost.rows("SELECT max(seq) FROM rule_change")[0][0]
        site()
        expect_equal({name for name, row in site.domains().items() if row[0] == "relay"},
                     {"other.example.net", ".other.example.net"})
        seen = site.users()
        expect("new@host.example" in seen and "self@host.example" not in seen and "boss@alias.example" not in seen
               and "otto@example.com" not in seen and seen["carl@mail.example.com"] == "carl@example.com", str(seen))
        expect(site.gatepost.rows("SELECT count(*) FROM rule_change WHERE seq > ? AND key = 'anna@example.com'", before)
               == [(0,)], "what stays is not written again")
    with tap.case("rows of an administrator stay"):
        expect_equal((site.domains()["second.example"][1], site.users()["office@example.com"], "eve@example.com" in site.users()),
                     ("by hand", "eve@example.com", True))
    with tap.case("--only one kind"):
        site.write()
        site.passwd(PASSWD)
        site("--only", "domain")
        expect("boss@alias.example" not in site.users() and "backup.example.net" in site.domains(), "domains alone")
        site("--only", "user")
        expect("boss@alias.example" in site.users(), "users, too")


# Title, lines of main.cf, what is complained of, rows that must be left, rows that must go.
UNLISTED = (
    ("virtual mailboxes in LDAP", "virtual_mailbox_maps = ldap:/etc/postfix/users.cf", "ldap cannot be listed",
     ["ada@host.example", "boss@alias.example"], []),
    ("and an alias that is gone all the same", "virtual_mailbox_maps = proxy:mysql:/x\nvirtual_alias_maps =",
     "type mysql cannot be listed", ["ada@host.example", "self@host.example"], ["boss@alias.example", "nick@example.com"]),
    ("aliases by regexp", "alias_maps = regexp:/etc/x", "regexp cannot be listed", ["quoted@example.com"], []),
    ("a table that is not there", "alias_maps = hash:/nonexistent/aliases", "No such file", ["quoted@second.example"], []),
    ("virtual aliases in PostgreSQL", "virtual_alias_maps = pgsql:/x\nvirtual_mailbox_maps =", "pgsql cannot be listed",
     ["boss@alias.example"], ["ada@host.example"]),
)


def unlisted(tap, site):
    for title, more, text, left, gone in UNLISTED:
        with tap.case(title + " keep their rows"):
            site.write()
            site()
            site.write(more)
            done = site()
            expect(text in done.stderr and "rows of last time stay" in done.stderr, done.stderr)
            seen = site.users()
            expect_equal(([name for name in left if name not in seen], [name for name in gone if name in seen]), ([], []))
    with tap.case("so do domains"):
        site.write()
        site()
        site.write("virtual_mailbox_domains = ldap:/x\nrelay_domains = other.example.net")
        expect("virtual_mailbox_domains: ldap:/x: tables of type ldap" in site().stderr, "it is named")
        expect("host.example" in site.domains() and "backup.example.net" not in site.domains(), str(site.domains()))
    with tap.case("and accounts, when the system's cannot be listed"):
        site.write()
        site.passwd("", status=2)
        expect("unix:passwd.byname: getent: exit status 2" in site().stderr, "it is named")
        expect("anna@example.com" in site.users(), str(site.users()))
        site.passwd(PASSWD)


def guards(tap, site, scratch):
    site.write()
    site()
    before = (site.domains(), site.users())
    nothing = "mydestination =\nvirtual_alias_maps =\nvirtual_mailbox_maps =\nalias_maps =\nlocal_recipient_maps ="
    with tap.case("where nothing is found, the rows stay"):
        site.write(nothing)
        done = site("--only", "user", status=1)
        expect("--allow-empty deletes them" in done.stderr, done.stderr)
        expect_equal((site.domains(), site.users()), before)
    with tap.case("but with --allow-empty they go"):
        site("--only", "user", "--allow-empty")
        expect_equal(set(site.users()), {"office@example.com", "eve@example.com"})
    with tap.case("a Postfix that cannot be read changes nothing"):
        before = (site.domains(), site.users())
        (site.folder / "main.cf").unlink()
        expect("postconf cannot be asked" in site(status=69).stderr, "it says so")
        expect_equal((site.domains(), site.users()), before)
    with tap.case("names that no rule can hold are left out"):
        site.write("mydestination = example.com, *.example.org, a@b, \x1b[31m.example",
                   mailboxes="x@y@host.example z\n" + "".join("bad%d@ho,st z\n" % i for i in range(9)))
        done = site()
        expect("left out, as it is no domain: *.example.org" in done.stderr and "\x1b" not in done.stderr
               and "more were left out" in done.stderr, done.stderr)
        expect("ho" not in str([name for name in site.users() if name.startswith("bad")]), str(site.users()))
    with tap.case("hostile tables: quotes, SQL, notes, and a file that lists itself"):
        site.write("mydestination = example.com, %s/destinations, /dev/zero" % site.folder,
                   destinations="%s/destinations example.org\n" % site.folder,
                   mailboxes="\"a\\\"b'); DROP TABLE local_user; -- #\"@host.example x\n;@host.example x\n")
        done = site()
        expect("/dev/zero: not a file" in done.stderr, done.stderr)
        expect({"a\"b'); drop table local_user; -- #@host.example", ";@host.example"} <= set(site.users()), str(site.users()))
        expect("example.org" in site.domains(), str(site.domains()))
    with tap.case("a database that is not there"):
        done = subprocess.run([SYNC, "-c", site.folder, "--database", scratch.path / "no.db"], capture_output=True, text=True,
                              env={**os.environ, "PATH": "%s:%s" % (BUILD_DIR, os.environ["PATH"])}, timeout=60)
        expect_equal((done.returncode, "gatepost cannot be asked" in done.stderr), (69, True), done.stderr)
    with tap.case("usage"):
        for words in (["--no-such"], ["x"], ["--only", "list"], ["--note", " "], ["--database", "x"]):
            site(*words, status=2)
        expect("usage:" in site("--help").stdout, "help")
    with tap.case("from the source as it stands"):
        site("--dry-run", script=SOURCE_DIR / "scripts/gatepost-sync-postfix")


def program(tap, scratch):
    site = Site(scratch)
    first_time(tap, site)
    later(tap, site)
    unlisted(tap, site)
    guards(tap, site, scratch)


if __name__ == "__main__":
    run(program)
