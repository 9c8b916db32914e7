#!/usr/bin/env python3
"""The completion of bash: asked as bash asks it, and typed into a real one."""

import re
import subprocess

from harness import BUILD_DIR, SOURCE_DIR, command, expect, expect_equal, rule_sql, run
from terminal import Terminal

COMPLETION = SOURCE_DIR / "completions/gatepost"

RULES = ("deny 203.0.113.0/24", "deny 203.0.113.128/25", "allow 203.0.113.7", "deny 2001:db8::/32", "deny 2001:db8:1::1",
         "grant mail.example.net", "grant .example.net", "kill @*widget.example", "kill @.far.example",
         "kill fred@example.net", "kill it's me@example.net", "accept-from fred@example.org 192.0.2.0/24",
         "accept-from fred@example.org 192.0.2.7", "domain example.com", "user anna@example.com", "list staff",
         "kill $(touch owned)@example.net")

# The line up to the cursor, with {db} for the database; the words that can stand there instead of the last one.
CASES = (
    ("gatepost remove deny 203.0.113.1", ["203.0.113.128/25"]),
    ("gatepost remove allow ", ["203.0.113.7"]),
    ("gatepost remove deny 2001:db8:", ["2001:db8::/32", "2001:db8:1::1"]),
    ("gatepost remove deny 2001:db8:1:", ["2001:db8:1::1"]),
    ("gatepost remove deny 2001:", ["2001:db8::/32", "2001:db8:1::1"]),
    ("gatepost remove grant ", [".example.net", "mail.example.net"]),
    ("gatepost remove kill @", ["@*widget.example", "@.far.example"]),
    ("gatepost remove kill @\\*w", ["@*widget.example"]),
    ("gatepost remove kill @*w", ["@*widget.example"]),
    ("gatepost remove kill fred@", ["fred@example.net"]),
    ("gatepost remove kill fred", ["fred@example.net"]),
    ("gatepost remove kill it\\'s\\ m", ["it's me@example.net"]),
    ("gatepost remove kill \\$", ["$(touch owned)@example.net"]),
    ("gatepost remove accept ", ["fred@example.org"]),
    ("gatepost remove user an", ["anna@example.com"]),
    ("gatepost remove user anna@example.com ", ["anna@example.com"]),
    ("gatepost remove nonsense ", []),
    ("gatepost remove kill %", []),
    ("gatepost add kill f", []),
    ("gatepost set relay_for local-", ["local-users", "local-hosts"]),
    ("gatepost set relay_for --yes an", ["anyone"]),
    ("gatepost set refuse_v", ["refuse_vrfy"]),
    ("gatepost set observe kill,acc", ["kill,access"]),
    ("gatepost set max_recipients ", ["0"]),
    ("gatepost get archive", ["archive_to", "archive"]),
    ("gatepost add list x --remote-mail ", ["yes", "no"]),
    ("gatepost add list x --remote-m", ["--remote-mail"]),
    ("gatepost li", ["lint", "list"]),
    ("gatepost --database {db} li", ["lint", "list"]),
    ("gatepost --js", ["--json"]),
    ("gatepost login ", ["add", "list", "remove"]),
    ("gatepost help se", ["set"]),
    ("gatepost history se", ["setting"]),
    ("gatepost history setting refuse_v", ["refuse_vrfy"]),
    ("gatepost history kill fred@", ["fred@example.net"]),
    ("gatepost list se", []),
    ("gatepost explain client_", ["client_address=", "client_name="]),
    ("gatepost explain client_address=192.0.2.1 sender=", []),
    ("gatepost frobnicate ", []),
    ("gatepost -- re", ["remove", "replay"]),
    ("gatepost --note x", []),
)

# What is typed, with <Tab> at its end, and the words that gatepost then gets.
TYPED = (
    ("gatepost remove kill @*w", ["remove", "kill", "@*widget.example"]),
    ("gatepost remove kill '@*w", ["remove", "kill", "@*widget.example"]),
    ("gatepost remove kill \"@*w", ["remove", "kill", "@*widget.example"]),
    ("gatepost remove kill fred@e", ["remove", "kill", "fred@example.net"]),
    ("gatepost remove kill it\\'s", ["remove", "kill", "it's me@example.net"]),
    ("gatepost remove kill \\$", ["remove", "kill", "$(touch owned)@example.net"]),
    ("gatepost remove deny 2001:db8:1", ["remove", "deny", "2001:db8:1::1"]),
    ("gatepost remove deny 203.0.113.1", ["remove", "deny", "203.0.113.128/25"]),
    ("gatepost explain client_a", ["explain", "client_address="]),
    ("gatepost set relay_for an", ["set", "relay_for", "anyone"]),
    ("gatepost --database a\\ fi", ["--database", "a file.db"]),
    ("gatepost list -c a\\ fi", ["list", "-c", "a file.db"]),
)


def parted(line):
    """The words of a line as bash parts it for COMP_WORDS: at COMP_WORDBREAKS too, whose runs are words themselves."""
    words = re.findall(r"(?:\\.|'[^']*'?|\"[^\"]*\"?|[^\s@:=\\'\"])+|[@:=]+", line)
    return words + [""] if line.endswith(" ") else words


def replaced(line):
    """The end of the line that readline replaces: from the last break on, of which @ itself is a part."""
    word = re.split(r"(?<!\\)\s", line)[-1]
    return re.search(r"(@[^@:=]*|[^@:=]*)$", word).group()


def quoted(word):
    return "'%s'" % word.replace("'", "'\\''")


class Bash:
    def __init__(self, scratch):
        self.folder = scratch.folder("work")
        self.database = self.folder / "a file.db"
        command(BUILD_DIR / "gatepost", "init", "--database", self.database)
        command("sqlite3", "-batch", "-bail", self.database, text=rule_sql(*RULES))
        self.conf = self.folder / "gatepost.conf"
        self.conf.write_text('database = "%s"\n' % self.database)
        # Rows are completed from the configured database, and whatever is entered is only shown.
        stub = self.folder / "bin/gatepost"
        stub.parent.mkdir()
        stub.write_text('#!/bin/sh\nif [ "$1" = complete ]; then exec %s -c %s "$@"; fi\n'
                        'for word; do printf "[%%s]" "$word"; done; echo .\n' % (BUILD_DIR / "gatepost", self.conf))
        stub.chmod(0o755)
        self.env = {"PATH": "%s:/usr/bin:/bin" % stub.parent, "HOME": str(self.folder), "TERM": "dumb", "LC_ALL": "C.UTF-8"}

    def ask(self, line, names=False):
        """The replies for the line, as the shell would read them; names of files are quoted by the shell itself."""
        words = parted(line)
        script = ("set -u; . %s; COMP_LINE=%s COMP_POINT=${#COMP_LINE} COMP_WORDS=(%s) COMP_CWORD=%d COMP_TYPE=9\n"
                  "COMP_POINT=${#COMP_LINE}\n_gatepost gatepost %s ''\n"
                  "for word in \"${COMPREPLY[@]}\"; do printf '%%s\\0' \"$word\"; done\n"
                  % (quoted(str(COMPLETION)), quoted(line), " ".join(map(quoted, words)), len(words) - 1, quoted(replaced(line))))
        done = subprocess.run(["bash", "--norc", "--noprofile", "-c", script], cwd=self.folder, env=self.env,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
        expect_equal((done.returncode, done.stderr), (0, ""), line)
        words = done.stdout.split("\0")[:-1]
        return words if names else [self.read(word) for word in words]

    def read(self, word):
        """What the shell makes of the word."""
        return subprocess.run(["bash", "-c", "set -f; printf %%s %s" % word], capture_output=True, text=True, cwd=self.folder,
                              timeout=20).stdout


def asked(tap, bash):
    for line, expected in CASES:
        with tap.case("asked for %s" % line):
            line = line.replace("{db}", str(bash.database).replace(" ", "\\ "))
            last = re.split(r"(?<!\\)\s", line)[-1]
            kept = last[:len(last) - len(replaced(line))].replace("\\", "")
            expect_equal(sorted(kept + word for word in bash.ask(line)), sorted(expected))
    with tap.case("no row is a command for the shell"):
        expect(not (bash.folder / "owned").exists(), "a row was run")
    with tap.case("all kinds, settings, commands and options are there"):
        kinds = "deny allow grant refuse kill accept domain user list".split()
        for line in ("gatepost add ", "gatepost remove ", "gatepost list "):
            expect_equal(bash.ask(line), kinds)
        names = [row.split()[0] for row in command(BUILD_DIR / "gatepost", "get", "-c", bash.conf).splitlines()]
        expect_equal(bash.ask("gatepost set "), names)
        overview = command(BUILD_DIR / "gatepost", "--help")
        expect_equal(bash.ask("gatepost "), re.findall(r"^  (\w+)", overview, re.MULTILINE))
    with tap.case("names of files after options that take one"):
        expect_equal(bash.ask("gatepost list --database ga", names=True), ["gatepost.conf"])
        expect_equal(sorted(bash.ask("gatepost -c ", names=True)), ["a file.db", "bin", "gatepost.conf"])


def typed(tap, bash):
    rc = bash.folder / ".bashrc"
    rc.write_text(". %s\nbind 'set enable-bracketed-paste off'\nbind 'set bell-style none'\nPS1='$ '\n"
                  % quoted(str(COMPLETION)))
    for text, expected in TYPED:
        with tap.case("typed: %s<Tab>" % text):
            with Terminal(["bash", "--noprofile", "--rcfile", rc, "-i"], env={**bash.env, "PWD": str(bash.folder)}) as shell:
                shell.until("$ ")
                shell.type("cd %s\n" % bash.folder)
                shell.until("$ ")
                shell.type(text + "\t\n")
                shown = shell.until("].")
                expect_equal(re.findall(r"\[([^\]\[]*)(?:\]|$)", shown), expected, shown)


def many(tap, bash):
    with tap.case("among a hundred thousand rows only those that begin so are looked at, and some hundred are shown"):
        command("sqlite3", "-batch", bash.database, text="""
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999)
            INSERT INTO access_block (block, verdict) SELECT printf('10.%d.%d.%d', i / 62500, i / 250 % 250, i % 250),
                'deny' FROM n;
            DELETE FROM rule_change;""", seconds=60)
        expect_equal(len(bash.ask("gatepost remove deny 10")), 200)
        expect_equal(bash.ask("gatepost remove deny 10.1.149.24"), ["10.1.149.24"] + ["10.1.149.24%d" % n for n in range(10)])
        expect_equal(bash.ask("gatepost remove allow 203.0.113.7"), ["203.0.113.7"])
        plan = command("sqlite3", "-batch", bash.database, text="EXPLAIN QUERY PLAN SELECT block FROM access_block "
                       "WHERE block >= '10' AND block < '11' ORDER BY block;")
        expect("SEARCH" in plan and "TEMP B-TREE" not in plan, plan)


def silent(tap, bash):
    with tap.case("nothing is said and nothing made where the database is absent"):
        bash.database.unlink()
        for line in ("gatepost remove deny ", "gatepost --database /nonexistent/x.db remove kill "):
            expect_equal(bash.ask(line), [])
        expect(not bash.database.exists(), "it was made")
    with tap.case("or no database, or the configuration is wrong"):
        bash.database.write_text("Dear administrator,\n" * 100)
        expect_equal(bash.ask("gatepost remove deny "), [])
        bash.conf.write_text("}{\n")
        expect_equal(bash.ask("gatepost remove deny "), [])
        expect_equal(sorted(bash.ask("gatepost li")), ["lint", "list"])


def program(tap, scratch):
    bash = Bash(scratch)
    asked(tap, bash)
    typed(tap, bash)
    many(tap, bash)
    silent(tap, bash)


if __name__ == "__main__":
    run(program)
