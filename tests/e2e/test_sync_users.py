#!/usr/bin/env python3
"""gatepost-sync-users: local_user from passwd, from a real Dovecot, and from LDIF."""

import base64
import os
import re
import subprocess

from admin import Gatepost
from harness import BUILD_DIR, SOURCE_DIR, expect, expect_equal, run
from mailbox import Mailbox

SYNC = SOURCE_DIR / "scripts/gatepost-sync-users"

PASSWD = ("root:x:0:0::/:/bin/sh\ndaemon:x:1:1::/:\nAnna:x:1000:1::/:/usr/sbin/nologin\notto:x:1001:1::/:\n"
          "mia:x:70000:1::/:\nnobody:x:65534:1::/:\n")

LDIF = """version: 1

# the staff
dn: uid=anna,dc=example,dc=com
objectClass: inetOrgPerson
mail: anna@example.com
mail;lang-de: a.meier@example.com
mailAlternateAddress: info@exam
 ple.com
jpegPhoto:: /9j/4AAQ
description:< file:///etc/passwd

dn: uid=otto,dc=example,dc=com
proxyAddresses: smtp:o@example.com
proxyAddresses: SMTP:Otto@Example.com
proxyAddresses: X500:/o=x
mailAlternateAddress:: {base64}

dn: cn=printer,dc=example,dc=com
cn: no address
# a comment that
  goes on
""".replace("{base64}", base64.b64encode("jürgen@example.com".encode()).decode())
LDIF_USERS = {"anna@example.com": None, "a.meier@example.com": "anna@example.com", "info@example.com": "anna@example.com",
              "otto@example.com": None, "o@example.com": "otto@example.com", "jürgen@example.com": "otto@example.com"}


class Users:
    def __init__(self, scratch):
        self.gatepost = Gatepost(scratch)
        self.folder = scratch.folder("lists")

    def file(self, name, text):
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def __call__(self, *options, status=0, script=SYNC, text=b"", path=None):
        done = subprocess.run([script, "--gatepost", "%s --database %s" % (BUILD_DIR / "gatepost", self.gatepost.path),
                               *options], input=text, capture_output=True, timeout=60,
                              env={**os.environ, "PATH": path or os.environ["PATH"]})
        out, err = done.stdout.decode(), done.stderr.decode()
        expect_equal(done.returncode, status, out + err)
        return err if status or err else out

    def rows(self, note=None):
        """Address and account, in lower case as they are compared."""
        return dict(self.gatepost.rows("SELECT address, lower(account) FROM local_user WHERE ifnull(?, note) IS note", note))


def passwd(tap, users):
    path = users.file("passwd", PASSWD)
    with tap.case("--dry-run shows and changes nothing"):
        expect("user: + user anna # from passwd (gatepost-sync-users)" in users("--passwd", path, "--dry-run"), "shown")
        expect_equal(users.rows(), {})
    with tap.case("accounts of people alone, in passwd"):
        users("--passwd", path)
        expect_equal(users.rows("from passwd (gatepost-sync-users)"), {"anna": None, "otto": None})
    with tap.case("a second time changes and says nothing"):
        expect_equal(users("--passwd", path), "")
    with tap.case("other limits"):
        users("--passwd", path, "--uid-min", "1001", "--uid-max", "70000")
        expect_equal(users.rows(), {"otto": None, "mia": None, "nobody": None})
    with tap.case("with domains: the first is the account's"):
        users("--passwd", path, "--domain", "example.com", "--domain", "example.net")
        expect_equal(users.rows(), {"anna@example.com": None, "anna@example.net": "anna@example.com",
                                    "otto@example.com": None, "otto@example.net": "otto@example.com"})
    with tap.case("of the system, by getent"):
        folder = users.folder
        (folder / "getent").write_text("#!/bin/sh\ncat %s\n" % path)
        (folder / "getent").chmod(0o755)
        users("--passwd", path="%s:%s" % (folder, os.environ["PATH"]))
        expect_equal(users.rows(), {"anna": None, "otto": None})


def ldif(tap, users):
    with tap.case("LDIF: continued lines, base64, primary and other addresses"):
        users("--ldif", users.file("export.ldif", LDIF))
        expect_equal(users.rows("from LDIF (gatepost-sync-users)"), LDIF_USERS)
    with tap.case("each source has rows of its own"):
        expect_equal(users.rows("from passwd (gatepost-sync-users)"), {"anna": None, "otto": None})
    with tap.case("with CRLF, from standard input"):
        expect_equal(users("--ldif", "-", text=LDIF.replace("\n", "\r\n").encode()), "")
    with tap.case("what is gone is deleted; a row of an administrator is not"):
        users.gatepost("remove", "user", "o@example.com")
        users.gatepost("add", "user", "o@example.com", "--account", "eve@example.com")
        said = users("--ldif", "-", text=LDIF.replace("mailAlternateAddress: info", "x-was: info").encode())
        expect("1 removed" in said and "1 left to whom they belong" in said, said)
        expect_equal(users.rows("from LDIF (gatepost-sync-users)"),
                     {name: account for name, account in LDIF_USERS.items() if name[:2] not in ("in", "o@")})
        expect_equal(users.rows()["o@example.com"], "eve@example.com")
    for title, text, what in (
            ("a record of changes", "dn: x\nchangetype: delete\n", "record of changes"),
            ("an address from a URL", "dn: x\nmail:< file:///etc/shadow\n", "not followed"),
            ("what is not base64", "dn: x\n\n\ndn: y\nmail:: ###\n", ":4: mail is not base64"),
            ("no LDIF", "{\"mail\": \"x\"}\n", "not LDIF: {\"mail\""),
            ("a binary file", os.urandom(100000), "not LDIF"),
            ("a line of 10 MB", b"x" * 10000000, "not LDIF")):
        with tap.case(title + " is refused, and nothing changed"):
            before = users.rows()
            said = users("--ldif", "-", text=text if isinstance(text, bytes) else text.encode(), status=65)
            expect(what in said and len(said) < 500 and "\x1b" not in said, said)
            expect_equal(users.rows(), before)
    with tap.case("hostile addresses: SQL, quotes, escapes"):
        hostile = ["a'); DROP TABLE local_user; --@example.com", 'b"\\#;@example.com', "c\x1b[31m@example.com", "d@@example.com",
                   "e@exa mple.com", "@example.com", "f\x00@example.com"]
        said = users("--ldif", "-", "--note", "hostile", text="".join(
            "dn: x\nmail:: %s\n\n" % base64.b64encode(one.encode()).decode() for one in hostile).encode())
        expect(said.count("is no address") == 5 and "\x1b" not in said, said)
        expect_equal(set(users.rows("hostile")), {one.lower() for one in hostile[:2]})
        users("--ldif", "-", "--note", "hostile", "--allow-empty")


def dovecot(tap, scratch, users):
    mailbox = Mailbox(scratch, {"alice@example.com": "secret", "bob@example.com": "words", "carol": "secret"})
    doveadm = "doveadm -c %s" % mailbox.config
    with tap.case("a Dovecot whose users cannot be listed"):
        expect("User listing returned failure" in users("--dovecot", doveadm, status=69), "it is said")
    mailbox.stop()
    mailbox.config.write_text(re.sub(r"userdb \{[^}]*\}", "userdb {\n  driver = passwd-file\n  args = %s/users\n}" % mailbox.base,
                                     mailbox.config.read_text()))
    mailbox.start()
    with tap.case("the users of a real Dovecot"):
        users("--dovecot", doveadm)
        expect_equal(users.rows("from Dovecot (gatepost-sync-users)"),
                     {"alice@example.com": None, "bob@example.com": None, "carol": None})
    with tap.case("one of them is gone"):
        (mailbox.base / "users").write_text("alice@example.com:secret\n")
        users("--dovecot", doveadm)
        expect_equal(users.rows("from Dovecot (gatepost-sync-users)"), {"alice@example.com": None})
    with tap.case("all of them are gone: the rows stay"):
        (mailbox.base / "users").write_text("")
        expect("--allow-empty" in users("--dovecot", doveadm, status=1), "it says so")
        expect_equal(users.rows("from Dovecot (gatepost-sync-users)"), {"alice@example.com": None})
    with tap.case("a Dovecot that is not running changes nothing"):
        mailbox.stop()
        users("--dovecot", doveadm, status=69)
        expect_equal(users.rows("from Dovecot (gatepost-sync-users)"), {"alice@example.com": None})


def faults(tap, users):
    with tap.case("--allow-empty deletes all that is its own"):
        users("--ldif", "-", status=1)
        users("--ldif", "-", "--allow-empty")
        expect_equal((users.rows("from LDIF (gatepost-sync-users)"), "o@example.com" in users.rows()), ({}, True))
    for words, status in ((["--passwd", "/nonexistent"], 69), (["--ldif", "/nonexistent"], 69), (["--ldif", "/dev/zero"], 69),
                          (["--dovecot", "/nonexistent"], 69), ([], 2), (["--passwd", "--ldif", "x"], 2), (["--ldif"], 2),
                          (["--no-such"], 2), (["--passwd", "x", "y"], 2), (["--passwd", "--uid-min", "many"], 2),
                          (["--passwd", "--database", "x"], 2), (["--help"], 0)):
        with tap.case("gatepost-sync-users %s: %d" % (" ".join(words), status)):
            users(*words, status=status)
    with tap.case("from the source as it stands"):
        users("--passwd", users.folder / "passwd", "--dry-run", script=SOURCE_DIR / "scripts/gatepost-sync-users")


def program(tap, scratch):
    users = Users(scratch)
    passwd(tap, users)
    ldif(tap, users)
    dovecot(tap, scratch, users)
    faults(tap, users)


if __name__ == "__main__":
    run(program)
