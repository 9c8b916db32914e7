"""The command line on a database of its own, as an administrator uses it."""

import json
import os
import sqlite3
import subprocess
from contextlib import closing

from harness import BUILD_DIR, COMMAND_SECONDS, command, expect, expect_equal
from terminal import Terminal

SECONDS = 60  # longest time for one command, on a slow machine and under sanitizers


class Gatepost:
    """A folder with a database, made by `gatepost init`, and gatepost called on it."""

    def __init__(self, scratch, name="rules", init=True):
        self.folder = scratch.folder(name)
        self.path = self.folder / "gatepost.db"
        if init:
            self("init")

    def argv(self, *words):
        return [BUILD_DIR / "gatepost", "--database", self.path, *map(str, words)]

    def run(self, *words, text=None, stdout=subprocess.PIPE, **options):
        """Runs it with `text` as its input; what subprocess.run returns."""
        done = subprocess.run(self.argv(*words), input=text.encode(errors="surrogateescape") if isinstance(text, str) else text or b"",
                              stdout=stdout, stderr=subprocess.PIPE, timeout=SECONDS, **options)
        expect(b"Sanitizer" not in done.stderr and b"runtime error" not in done.stderr, done.stderr.decode(errors="replace"))
        expect(b"\x1b" not in (done.stdout or b"") + done.stderr, "a terminal escape gets through")
        return done

    def __call__(self, *words, status=0, **options):
        """What it prints, or with another exit status what it complains of."""
        done = self.run(*words, **options)
        out, err = ((piece or b"").decode(errors="replace") for piece in (done.stdout, done.stderr))
        expect_equal(done.returncode, status, "gatepost %r\n%s%s" % (words, out[-3000:], err[-3000:]))
        return out if status == 0 else err

    def json(self, *words):
        return json.loads(self("--json", *words))

    def sql(self, text):
        """As an administrator does with plain sqlite3."""
        return command("sqlite3", "-batch", "-bail", "-cmd", ".timeout 5000", self.path, text=text)

    def on_terminal(self, *words, answers="", env=None):
        """Runs it on a terminal, where `answers` are typed. What it shows, and its exit status."""
        env = {"PATH": os.environ["PATH"], "TERM": "xterm", "LC_ALL": "C.UTF-8", **(env or {})}
        with Terminal(self.argv(*words), env=env) as terminal:
            terminal.type(answers)
            shown = terminal.rest()
            return shown, terminal.process.wait(COMMAND_SECONDS)

    def file(self, name, text):
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def rows(self, query, *values, path=None):
        with closing(sqlite3.connect(path or self.path, timeout=10)) as db, db:
            return db.execute(query, values).fetchall()

    def dump(self, path=None):
        """All that is in the database, as SQL."""
        with closing(sqlite3.connect(path or self.path)) as db:
            db.text_factory = lambda text: text.decode(errors="replace")
            return list(db.iterdump())
