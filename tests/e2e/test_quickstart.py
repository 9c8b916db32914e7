#!/usr/bin/env python3
"""scripts/quickstart as a newcomer runs it: beside another one, and interrupted."""

import os
import re
import signal
import subprocess
import time

from harness import SOURCE_DIR, expect, expect_equal, run, wait_until


def start(scratch, name):
    """A quickstart without --once, in a session of its own, as in a terminal."""
    output = scratch.path / name
    with open(output, "w") as out:
        process = subprocess.Popen([SOURCE_DIR / "scripts/quickstart"], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                   start_new_session=True)
    scratch.at_end(lambda: process.poll() is None and os.killpg(process.pid, signal.SIGTERM))
    return process, output


def folder_of(output):
    found = re.search(r"--database (/tmp/gatepost-quickstart\.\w+)/", output.read_text())
    return found and found.group(1)


def processes_in(folder):
    """Those whose command line names the folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as line:
                if folder.encode() in line.read():
                    found.append(pid)
        except OSError:
            pass
    return found


def program(tap, scratch):
    one, output = start(scratch, "one")
    with tap.case("it shows its sessions and waits"):
        wait_until(lambda: folder_of(output) or one.poll() is not None, "it waits for Ctrl-C", 120)
        expect("all answered as expected" in output.read_text(), output.read_text()[-3000:])
    folder = folder_of(output)
    with tap.case("a second one runs beside it"):
        other = subprocess.run([SOURCE_DIR / "scripts/quickstart", "--once"], stdin=subprocess.DEVNULL, capture_output=True,
                               text=True, timeout=120)
        expect_equal(other.returncode, 0, (other.stdout + other.stderr)[-3000:])
        sessions = len(re.findall(r"^ ?\d+\. ", other.stdout, re.MULTILINE))
        expect(sessions >= 20, "%d sessions" % sessions)
    with tap.case("an interrupt ends all that it started and removes its folder"):
        time.sleep(0.2)
        expect(processes_in(folder), "its servers run")
        os.killpg(one.pid, signal.SIGINT)
        expect_equal(one.wait(40), 130)
        expect(not os.path.exists(folder), "the folder is there")
        expect_equal(processes_in(folder), [])
    with tap.case("a wrong option is said to be one"):
        wrong = subprocess.run([SOURCE_DIR / "scripts/quickstart", "--twice"], capture_output=True, text=True, timeout=20)
        expect_equal(wrong.returncode, 2)
        expect("usage" in wrong.stderr, wrong.stderr)


if __name__ == "__main__":
    run(program)
