#!/usr/bin/env python3
"""Every command in the guides of doc/, run as it stands, and what they promise, seen on a real Postfix.

With names of guides as arguments, only those."""

import json
import re
import shutil
import subprocess
import sys

import guide
from admin import Gatepost
from guide_promises import GUIDES, OURS, OUTSIDER
from guide_site import Site
from harness import BUILD_DIR, SOURCE_DIR, command, expect, expect_equal, run
from smtp import SmtpSession

ONLY = sys.argv[1:]

# What examples.sql leaves, in the order of `gatepost list`.
EXAMPLES = {
    "deny": ("192.0.2.129 # from the firewall", "192.0.2.130 # from the firewall", "203.0.113.0/24 # port scans"),
    "allow": ("198.51.100.66 until TIME # they mended it", "203.0.113.7"),
    "grant": ("192.0.2.0/24", "198.51.100.7 # the fair", "2001:db8::/32", "mail.example.net"),
    "refuse": ("192.0.2.13 # the printer", "192.0.2.99"),
    "kill": ("@*widget.example", "@spam.example expired TIME", "eve@example.net # from the file of a friend",
             "fred@example.org"),
    "accept": ("partner@example.org from 198.51.100.0/28",),
    "domain": ("backup.example relay", "example.com", "second.example"),
    "user": ("alice@example.com", "bob@example.com", "info@example.com account alice@example.com"),
    "list": ("staff remote_mail no",),
}


def follow(site, block, doings):
    """Does what a block says, and compares what it prints with what it should."""
    if block.kind == "do":
        return doings[block.text](site)
    if block.kind == "cf":
        site.postfix.add(site.here(block.text))
        return expect_served(site)
    if block.kind == "conf":
        return site.configure(block.text)
    printed = site.sh(block.text) if block.kind == "sh" else site.sql(block.text)
    site.gate.settle()
    expect(block.output is None or guide.is_printed(printed, block.output),
           "expected:\n%s\nseen:\n%s" % (block.output, printed))


def expect_served(site):
    """Postfix starts with what the guide has added: it answers, and its log has no fault."""
    before = len(site.postfix.log())
    with SmtpSession(site.postfix.ports["spec"], OUTSIDER) as session:
        expect_equal(session.greeting.code, 220)
        session.try_rcpt("a@example.net", OURS)
    faults = [line for line in site.postfix.log()[before:].splitlines()
              if any(word in line for word in (" fatal: ", " warning: ", " error: ", " panic: "))]
    expect_equal(faults, [], "the log of Postfix")


def guide_text(name):
    return (SOURCE_DIR / "doc" / name).read_text()


def walk(tap, scratch, name, files, doings):
    """A guide from top to bottom; what comes behind a fault would mean nothing, and is left out."""
    site = Site(scratch, name, files)
    blocks = guide.blocks(guide_text(name))
    with tap.case("%s: each promise is asked for" % name):
        expect_equal({block.text for block in blocks if block.kind == "do"}, set(doings))
    for block in blocks:
        failed = tap.failed
        with tap.case("%s:%d: %s" % (name, block.line, block.text.split("\n")[0])):
            follow(site, block, doings)
        if tap.failed > failed:
            return
    with tap.case("%s: gatepostd ends without a report" % name):
        site.gate.stop()
    site.gate.start()
    inline(tap, scratch, name, site)


def inline(tap, scratch, name, site):
    empty = site.base / "empty.db"
    command("sqlite3", empty, text=(SOURCE_DIR / "sql/schema.sql").read_text())
    for line in guide.inline_commands(guide_text(name)):
        with tap.case("%s: %s" % (name, line)):
            database = site.base / "one.db"
            shutil.copy(empty, database)
            site.one(line, database)


def pages(tap, scratch):
    """The lines of gatepost in pages that are no guides, in their order."""
    for name in ("README.md", "doc/dovecot.md"):
        site = Site(scratch, name.replace("/", "."), {})
        for line in re.findall(r"^ +(gatepost [a-z].*)$", (SOURCE_DIR / name).read_text(), re.MULTILINE):
            with tap.case("%s: %s" % (name, line)):
                site.sh(line + "\n")


def examples(tap, scratch):
    """doc/examples.sql on a fresh database, in a folder of its own."""
    gatepost = Gatepost(scratch, "examples")
    with tap.case("examples.sql runs to its end without a fault"):
        with open(SOURCE_DIR / "doc/examples.sql") as text:
            done = subprocess.run(["sqlite3", "gatepost.db"], cwd=gatepost.folder, stdin=text, capture_output=True,
                                  text=True, timeout=30)
        expect_equal((done.returncode, done.stderr), (0, ""), done.stdout)
        expect(done.stdout.endswith("\nok\n"), done.stdout)
    with tap.case("... and leaves these rules"):
        listed = [line for kind in EXAMPLES for line in gatepost("list", kind).splitlines()]
        expected = [kind + " " + rule for kind, rules in EXAMPLES.items() for rule in rules]
        expect_equal([" ".join(re.sub(r"\d{4}-\d\d-\d\dT[\d:]+", "TIME", line).split()) for line in listed], expected)
        expect_equal([line.split() for line in gatepost("get").splitlines() if "(default)" not in line],
                     [["local_sender_auth", '"yes"'], ["max_recipients", '"100"']])
    with tap.case("... none of which the daemon would skip"):
        said = command(BUILD_DIR / "gatepostd", "--check", "--database", gatepost.path)
        expect(" 0 rows skipped" in said, said)
    with tap.case("... and these files"):
        expect_equal((gatepost.folder / "killed.csv").read_text().split(),
                     ["sender,note", "@*widget.example,", "fred@example.org,"])
        expect_equal(len(json.loads((gatepost.folder / "grants.json").read_text())), 6)
        expect_equal(gatepost("list", "--database", gatepost.folder / "backup.db"), gatepost("list"))


# What is printed, what a guide shows, and whether that is the same.
OUTPUTS = (
    ("a  b\nc\n", "a b\nc", True), ("a b\nd\n", "a b\nc", False), ("a\n", "a\nb", False),
    ("a\nx\ny\nb\n", "a\n...\nb", True), ("a\nb\n", "a\n...\nb", True), ("b\nx\n", "...\nb", False),
    ("at 2026-11-24T05:08:29 x\n", "at 2027-01-01 00:00 x", True),
    ("set x: 1 -> 2\n", "set ... 2", True), ("set x: 1 -> 3\n", "set ... 2", False),
)
# What nobody would run.
NO_GUIDES = ("```\ngatepost init\n```\n", "    gatepost init\n", "```sh\ngatepost init\n", "```text\nnothing\n```\n",
             "`gatepost\ninit`\n")


def rules_of_guides(tap):
    for seen, expected, same in OUTPUTS:
        with tap.case("%r is %r: %s" % (seen, expected, same)):
            expect_equal(guide.is_printed(seen, expected), same)
    for text in NO_GUIDES:
        with tap.case("a guide may not hold %r" % text):
            try:
                found = guide.blocks(text)
            except ValueError:
                continue
            expect(False, "seen: %s" % found)


def program(tap, scratch):
    if not ONLY:
        rules_of_guides(tap)
    for name, (files, doings) in GUIDES.items():
        if name in ONLY or not ONLY:
            walk(tap, scratch, name, files, doings)
    if not ONLY:
        pages(tap, scratch)
        examples(tap, scratch)


if __name__ == "__main__":
    run(program)
