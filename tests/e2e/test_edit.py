#!/usr/bin/env python3
"""gatepost edit on a real terminal, with ed and with editors that do what they should not."""

import glob
import os
import shutil

from admin import Gatepost
from harness import expect, expect_equal, run


def rows(gatepost):
    return gatepost.rows("SELECT block, note FROM access_block WHERE verdict = 'deny' ORDER BY block")


def script(gatepost, name, text):
    path = gatepost.file(name, "#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


def kept(shown):
    """Where what was written is kept, as it is said; the folder is removed."""
    expect("what you wrote is kept in " in shown, shown)
    path = shown.split("what you wrote is kept in ")[1].split()[0]
    text = open(path).read()
    shutil.rmtree(os.path.dirname(path))
    return text


def good(tap, gatepost):
    with tap.case("ed: one line goes, one is changed, one comes, in one transaction"):
        gatepost("add", "deny", "192.0.2.1", "192.0.2.2", "--note", "old")
        gatepost("add", "deny", "192.0.2.3")
        gatepost("add", "allow", "192.0.2.99")
        gatepost.rows("INSERT INTO access_block (block) VALUES ('999.0.2.1')")
        seq = gatepost.rows("SELECT max(seq) FROM rule_change")[0][0]
        shown, status = gatepost.on_terminal("edit", "deny", "--by", "alice", env={"EDITOR": "ed -s"},
                                             answers="/192.0.2.1/d\n/192.0.2.2/s/old/new/\n$a\n198.51.100.0/24 until 2100-01-01T00:00\n.\nw\nq\n")
        expect_equal(status, 0, shown)
        expect("1 added, 1 changed, 1 removed" in shown and "\x1b[32m+ deny 198.51.100.0/24" in shown, shown)
        expect_equal(rows(gatepost), [("192.0.2.2", "new"), ("192.0.2.3", None), ("198.51.100.0/24", None), ("999.0.2.1", None)])
        expect_equal(gatepost.rows('SELECT DISTINCT "by", count(*) FROM rule_change WHERE seq > ?', seq), [("alice", 3)])
        expect(gatepost.rows("SELECT 1 FROM access_block WHERE block = '192.0.2.99' AND verdict = 'grant'"), "the other verdict is gone")
    with tap.case("leaving without a change makes none"):
        before = gatepost.dump()
        shown, status = gatepost.on_terminal("edit", "deny", env={"EDITOR": "ed -s"}, answers="q\n")
        expect(status == 0 and "nothing has been changed" in shown, shown)
        expect(gatepost.dump() == before, "something has changed")
    with tap.case("a fault is shown at its line, and the editor offered again"):
        shown, status = gatepost.on_terminal("edit", "deny", env={"EDITOR": "ed -s"},
                                             answers="$a\n192.0.2.300\n.\nw\nq\ne\n$s/300/30/\nw\nq\n")
        expect(status == 0 and "192.0.2.300" in shown and "What now?" in shown and "1 added" in shown, shown)
        expect(("192.0.2.30", None) in rows(gatepost), str(rows(gatepost)))
    with tap.case("or left to be mended later, with the text kept"):
        shown, status = gatepost.on_terminal("edit", "deny", env={"EDITOR": "ed -s"}, answers="$a\n192.0.2.300\n.\nw\nq\nq\n")
        expect_equal(status, 65, shown)
        expect("192.0.2.300" in kept(shown), "it is not")
    with tap.case("VISUAL goes before EDITOR, and either may have arguments"):
        shown, status = gatepost.on_terminal("edit", "kill", env={"EDITOR": "false", "VISUAL": "sh -c 'echo fred@example.net >> $0'"})
        expect(status == 0 and "+ kill fred@example.net" in shown, shown)
    with tap.case("the file is nobody else's, and gone afterwards"):
        editor = script(gatepost, "look", 'stat -c "%%a %%n" "$1" "$(dirname "$1")" > %s/seen\n' % gatepost.folder)
        gatepost("edit", "kill", env={"EDITOR": editor, "PATH": os.environ["PATH"], "TMPDIR": str(gatepost.folder)})
        seen = (gatepost.folder / "seen").read_text().split()
        expect_equal(seen[2], "700", "mode of the folder")
        expect(not glob.glob(str(gatepost.folder / "gatepost.??????")), "it is still there")


def mishaps(tap, gatepost):
    before = gatepost.dump()
    cases = (
        ("an editor that is killed", "kill -9 $$\n", 1, False),
        ("an editor that is killed after it has written", "echo 203.0.113.9 >> \"$1\"; kill -9 $$\n", 1, True),
        ("an editor that fails", "exit 3\n", 1, False),
        ("an editor that leaves an empty file", ": > \"$1\"\n", 65, True),
        ("an editor that leaves nothing but comments", "echo '# nothing' > \"$1\"\n", 65, True),
        ("an editor that leaves binary", "head -c 1000 /dev/zero > \"$1\"\n", 65, True),
        ("an editor that leaves a line of 10 MB", "head -c 10000000 /dev/zero | tr '\\0' x > \"$1\"\n", 65, True),
    )
    for name, text, status, keeps in cases:
        with tap.case(name + " changes nothing"):
            env = {"EDITOR": script(gatepost, "editor", text), "PATH": os.environ["PATH"]}
            said = gatepost("edit", "deny", status=status, env=env)
            expect("nothing is changed" in said, said)
            if keeps:
                kept(said)
    with tap.case("an editor that removes the file changes nothing, and leaves nothing behind"):
        said = gatepost("edit", "deny", status=65, env={"EDITOR": "rm", "PATH": os.environ["PATH"], "TMPDIR": str(gatepost.folder)})
        expect("is kept in" not in said, said)
        expect(not glob.glob(str(gatepost.folder / "gatepost.??????")), "a folder is still there")
    with tap.case("an editor that is not there"):
        gatepost("edit", "deny", status=1, env={"EDITOR": "/nonexistent/editor", "PATH": os.environ["PATH"]})
    with tap.case("none of them has changed anything"):
        expect(gatepost.dump() == before, "something has changed")


def others(tap, gatepost):
    def edit(sql, change, status=0):
        editor = script(gatepost, "editor", "sqlite3 %s \"%s\"\n%s\n" % (gatepost.path, sql, change))
        return gatepost("edit", "deny", status=status, env={"EDITOR": editor, "PATH": os.environ["PATH"]})

    with tap.case("what somebody else has changed meanwhile, elsewhere, stays"):
        edit("INSERT INTO access_block (block) VALUES ('203.0.113.1'); UPDATE access_block SET note = 'theirs' WHERE block = '192.0.2.2';"
             "DELETE FROM access_block WHERE block = '192.0.2.3'", 'echo 203.0.113.2 >> "$1"')
        expect_equal(rows(gatepost), [("192.0.2.2", "theirs"), ("192.0.2.30", None), ("198.51.100.0/24", None), ("203.0.113.1", None),
                                      ("203.0.113.2", None), ("999.0.2.1", None)])
    for name, sql, change in (
            ("changed", "UPDATE access_block SET note = 'theirs again' WHERE block = '192.0.2.2'", "sed -i '/192.0.2.2 /s/#.*/# mine/' \"$1\""),
            ("removed", "DELETE FROM access_block WHERE block = '203.0.113.2'", "sed -i 's/^203.0.113.2$/203.0.113.2 # mine/' \"$1\""),
            ("changed what is removed here", "UPDATE access_block SET note = 'x' WHERE block = '203.0.113.1'", "sed -i '/^203.0.113.1$/d' \"$1\"")):
        with tap.case("what both have touched is a conflict: " + name):
            said = edit(sql, change, status=65)
            expect("somebody else has meanwhile" in said, said)
            kept(said)
            expect("mine" not in str(rows(gatepost)), str(rows(gatepost)))
    with tap.case("a conflict over a row that is removed here names the row"):
        said = edit("UPDATE access_block SET note = 'y' WHERE block = '203.0.113.1'", "sed -i '/^203.0.113.1/d' \"$1\"", status=65)
        expect('gatepost: "203.0.113.1": somebody else' in said, said)
        kept(said)
    with tap.case("what somebody else adds in the place of a row that they have removed stays"):
        gatepost.sql("INSERT INTO access_block (block) VALUES ('203.0.113.60')")
        edit("DELETE FROM access_block WHERE block = '203.0.113.60'; INSERT INTO access_block (block) VALUES ('203.0.113.61')",
             'echo 203.0.113.62 >> "$1"')
        expect_equal(gatepost.rows("SELECT block FROM access_block WHERE block GLOB '203.0.113.6?' ORDER BY 1"),
                     [("203.0.113.61",), ("203.0.113.62",)])
    with tap.case("so does one's own row that somebody else adds in another spelling, with either verdict"):
        gatepost("add", "deny", "198.51.100.0/25")
        edit("INSERT INTO access_block (block, verdict) VALUES ('198.51.100.0-198.51.100.127', 'grant')", 'echo 203.0.113.63 >> "$1"')
        both = [("198.51.100.0-198.51.100.127", "grant"), ("198.51.100.0/25", "deny")]
        expect_equal(gatepost.rows("SELECT block, verdict FROM access_block WHERE block GLOB '198.51.100.0*' AND block <> '198.51.100.0/24'"
                                   " ORDER BY 1"), both)
    with tap.case("which is in nobody's way afterwards, unless the row itself is edited"):
        edit("SELECT 1", 'echo 203.0.113.64 >> "$1"')
        said = edit("SELECT 1", "sed -i 's,^198.51.100.0/25$,198.51.100.0/25 # mine,' \"$1\"", status=65)
        expect("is there already, as allow; to turn it, first: gatepost remove allow 198.51.100.0/25" in said, said)
        kept(said)
    with tap.case("rows that mean the same, forced notes and times stay as they are where nobody touches them"):
        gatepost.sql("INSERT INTO access_block (block, note) VALUES ('203.0.113.80', 'one'), ('203.0.113.80/32', 'two'); PRAGMA ignore_check_constraints = ON;"
                     "INSERT INTO access_block (block, note, expires) VALUES ('203.0.113.81', char(10) || '0.0.0.0/0' || char(27), 0)")
        before = gatepost.rows("SELECT * FROM access_block ORDER BY block")
        expect("1 added, 0 changed, 0 removed" in edit("SELECT 1", 'echo 203.0.113.82 >> "$1"'), "others have been changed")
        expect_equal(gatepost.rows("SELECT * FROM access_block WHERE block <> '203.0.113.82' ORDER BY block"), before)
        expect("0 added, 0 changed, 1 removed" in edit("SELECT 1", "sed -i '/^203.0.113.80.*two/d' \"$1\""), "one of them cannot be removed")
        gatepost.rows("DELETE FROM access_block WHERE block GLOB '203.0.113.8*'")
    with tap.case("a row that somebody else has turned is not removed"):
        said = edit("UPDATE access_block SET verdict = 'grant' WHERE block = '203.0.113.64'", "sed -i '/^203.0.113.64/d' \"$1\"", status=65)
        expect("somebody else has meanwhile changed" in said, said)
        kept(said)
    with tap.case("what is there with the other verdict is said to be, and how to turn it"):
        gatepost("add", "allow", "203.0.113.70")
        said = edit("SELECT 1", 'echo 203.0.113.70 >> "$1"', status=65)
        expect("is there already, as allow" in said, said)
        kept(said)
    with tap.case("both adding the same is none"):
        edit("INSERT INTO access_block (block) VALUES ('203.0.113.50')", 'echo 203.0.113.50 >> "$1"')


def program(tap, scratch):
    gatepost = Gatepost(scratch)
    good(tap, gatepost)
    mishaps(tap, gatepost)
    others(tap, gatepost)


if __name__ == "__main__":
    run(program)
