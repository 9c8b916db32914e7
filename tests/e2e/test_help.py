#!/usr/bin/env python3
"""The help: each command and each option of the program is in it, and in the manual page."""

import re
import subprocess

from harness import BUILD_DIR, SOURCE_DIR, expect, expect_equal, run

COLUMNS = 80


def gatepost(*words, status=0):
    done = subprocess.run([BUILD_DIR / "gatepost", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=20)
    expect_equal(done.returncode, status, "gatepost %r\n%s" % (words, done.stderr))
    return done.stderr if status else done.stdout


def options_of(*words):
    """From the program's own table, without dashes; those of the command come before those that all share."""
    return [word[2:] for word in gatepost("complete", "--", *words, "--").split()]


def narrow(text):
    for line in text.splitlines():
        expect(len(line) <= COLUMNS, "%d columns: %s" % (len(line), line))


def manual():
    """What the manual page has of commands and of options."""
    text = (SOURCE_DIR / "doc/gatepost.1").read_text()
    return set(re.findall(r"^\.(?:It )?Cm (\w+)", text, re.MULTILINE)), set(re.findall(r"\bFl -([a-z][a-z-]*)", text))


def program(tap, scratch):
    del scratch
    commands = gatepost("complete", "--", "").split()
    common = options_of()
    manual_commands, manual_options = manual()
    overview = gatepost("--help")
    with tap.case("the overview is short and has every command and every option that all share"):
        narrow(overview)
        for name in commands:
            expect(re.search(r"^  %s +\S" % name, overview, re.MULTILINE), name)
        for option in common:
            expect(re.search(r"^  --%s( [A-Z]+)? +\S" % option, overview, re.MULTILINE), option)
        expect("[--" not in overview, "arguments are not for the overview")
    with tap.case("help alone is the overview"):
        expect_equal(gatepost("help"), overview)
    with tap.case("options that all share are in the manual"):
        expect_equal([option for option in common if option not in manual_options], [])
    for name in commands:
        with tap.case("help %s" % name):
            text = gatepost("help", name)
            narrow(text)
            expect_equal(gatepost(name, "--help"), text)
            expect_equal(gatepost(name, "-h"), text)
            expect(re.match(r"usage: gatepost %s\b.*\n( +\S.*\n)*\n[A-Z].*\.?\n" % name, text), text)
            expect(re.search(r"^Example:\n  gatepost %s\b" % name, text, re.MULTILINE), text)
            expect(name in manual_commands, "%s is not in the manual" % name)
        own = [option for option in options_of(name) if option not in common]
        for option in own:
            with tap.case("help %s tells of --%s, and the manual too" % (name, option)):
                expect(re.search(r"^  --%s( \S+)?( +|\n {24})\w" % option, text, re.MULTILINE), text)
                expect(option in manual_options, "it is not in the manual")
        with tap.case("help %s tells of no other option" % name):
            told = re.findall(r"^  --([a-z-]+)", text, re.MULTILINE)
            expect_equal(told, own)
            usage = re.findall(r"--([a-z][a-z-]*)", text.partition("\n\n")[0])
            expect_equal([option for option in usage if option not in own + common], [])
    with tap.case("a command that is none"):
        expect("frobnicate" in gatepost("help", "frobnicate", status=2), "it is named")
        expect("one command" in gatepost("help", "add", "list", status=2), "one at a time")
    with tap.case("a hostile name"):
        said = gatepost("help", "\x1b[31m" + "x" * 100000, status=2)
        expect("\x1b" not in said and len(said) < 2000, repr(said[:300]))
    with tap.case("a full disk is reported"):
        with open("/dev/full", "w") as full:
            expect_equal(subprocess.run([BUILD_DIR / "gatepost", "--help"], stdout=full, stderr=subprocess.PIPE,
                                        timeout=20).returncode, 74)


if __name__ == "__main__":
    run(program)
