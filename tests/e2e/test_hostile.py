#!/usr/bin/env python3
"""Every command, given what nobody should give it: a clear error, an exit status of the manual, and nothing changed."""

import os
import re

from admin import Gatepost
from harness import expect, expect_equal, run

WORDS = (b"'; DROP TABLE access_block; --", b"\x1b]0;owned\x07\x1b[2J", b"\x01\x02\x7f", b"x" * 100000, b"a\nb", b"\xff\xfe\x80", b"%s%n%s",
         b"", b"$(touch owned)", b"\xe2\x80\xae" b"gro.elpmaxe")
FILES = ("/dev/zero", "/dev/full", "/dev/null", "/tmp", "/nonexistent/file", "binary", "long", "escapes")
STATUSES = (0, 1, 2, 65, 69, 74, 78)
CHANGING = ("init", "set", "add", "remove", "import", "edit", "undo", "prune")


def commands(gatepost):
    """All that the help names."""
    return re.findall(r"^  ([a-z]+) {2,}", gatepost("--help"), re.MULTILINE)


def check(gatepost, before, command, *words):
    done = gatepost.run(command, *words, env={"PATH": os.environ["PATH"], "EDITOR": "false", "LC_ALL": "C.UTF-8"}, cwd=gatepost.folder)
    about = "%r %r: %d\n%s" % (command, [word[:30] for word in words], done.returncode, done.stderr[:300])
    expect(done.returncode in STATUSES, about)
    expect(len(done.stderr) < 100000, "%d bytes of complaints" % len(done.stderr))
    if done.returncode != 0:
        expect(done.stderr.startswith(b"gatepost: "), about)
    if done.returncode != 0 or command not in CHANGING:
        expect(gatepost.dump() == before, "the database is changed by " + about)
    return done.returncode


def words(tap, gatepost):
    for command in commands(gatepost):
        with tap.case("gatepost %s with hostile words" % command):
            for word in WORDS:
                for arguments in ((b"--", word), (b"deny", word), (b"kill", b"--", word), (word, word), (b"--note", word, b"deny", b"x"),
                                  (b"--since", word), (b"--client", word, b"--from", word, b"--to", word), (b"--by", word, b"x")):
                    before = gatepost.dump()
                    if check(gatepost, before, command, *arguments) == 0 and command in CHANGING:
                        fresh(gatepost)
            expect(not (gatepost.folder / "owned").exists(), "a shell has run")


def files(tap, gatepost):
    gatepost.file("binary", bytes(range(256)) * 4000)
    gatepost.file("long", b"x" * 10_000_000)
    gatepost.file("escapes", b"\x1b]0;owned\x07\n" * 1000)
    for command, arguments in (("import", ("deny", "{}")), ("import", ("kill", "{}", "--from", "json")), ("replay", ("{}",)),
                               ("replay", (gatepost.path, "--against", "{}")), ("backup", ("{}",)), ("list", ("--database", "{}")),
                               ("lint", ("--database", "{}")), ("init", ("--database", "{}")),
                               ("status", ("--control", "unix:{}")), ("explain", ("--live", "--control", "unix:{}", "client_address=192.0.2.1"))):
        with tap.case("gatepost %s %s with files that are none" % (command, " ".join(map(str, arguments)))):
            for name in FILES:
                copy = gatepost.folder / name if (gatepost.folder / name).exists() and not name.startswith("/") else name
                was = copy.read_bytes() if hasattr(copy, "read_bytes") else None
                status = check(gatepost, gatepost.dump(), command, *(str(word).format(copy) for word in arguments))
                expect(status != 0 or command == "replay" or name in ("/dev/null",), "%s %s is taken" % (command, name))
                expect(was is None or copy.read_bytes() == was, "%s is overwritten" % name)


def closed_pipes(tap, gatepost):
    for line in ("list", "export deny", "history", "get", "explain --client 192.0.2.1", "--help", "help add", "lint --json", "list --json"):
        with tap.case("gatepost %s into a pipe that is closed" % line):
            reader, writer = os.pipe()
            os.close(reader)
            done = gatepost.run(*line.split(), stdout=writer)
            os.close(writer)
            expect_equal(done.returncode, 74, "%s\n%s" % (line, done.stderr))


def fresh(gatepost):
    gatepost.rows("DELETE FROM access_block")
    gatepost.rows("DELETE FROM kill_entry")
    gatepost.rows("INSERT INTO access_block (block) VALUES ('192.0.2.1'), ('192.0.2.2')")


def program(tap, scratch):
    gatepost = Gatepost(scratch)
    fresh(gatepost)
    words(tap, gatepost)
    files(tap, gatepost)
    closed_pipes(tap, gatepost)


if __name__ == "__main__":
    run(program)
