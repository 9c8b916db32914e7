"""The command line on a database of its own, as an administrator uses it."""

import os
import sqlite3
import subprocess

from harness import BUILD_DIR, COMMAND_SECONDS, expect, expect_equal
from terminal import Terminal


class Gatepost:
    """A folder with a database, made by `gatepost init`, and gatepost called on it."""

    def __init__(self, scratch, name="rules", init=True):
        self.folder = scratch.folder(name)
        self.path = self.folder / "gatepost.db"
        if init:
            self("init")

    def __call__(self, *words, status=0, env=None, text=None, stdout=subprocess.PIPE, cwd=None):
        """Runs it; what it prints, or with another exit status what it complains of."""
        done = self.run(*words, env=env, text=text, stdout=stdout, cwd=cwd)
        out, err = ((piece or b"").decode(errors="replace") for piece in (done.stdout, done.stderr))
        expect_equal(done.returncode, status, "gatepost %r\n%s%s" % (words, out[-3000:], err[-3000:]))
        return out if status == 0 else err

    def run(self, *words, env=None, text=None, stdout=subprocess.PIPE, cwd=None):
        done = subprocess.run([BUILD_DIR / "gatepost", "--database", self.path, *map(str, words)],
                              input=text.encode(errors="surrogateescape") if isinstance(text, str) else text or b"",
                              stdout=stdout, stderr=subprocess.PIPE, timeout=60, env=env, cwd=cwd)
        expect(b"Sanitizer" not in done.stderr and b"runtime error" not in done.stderr, done.stderr.decode(errors="replace"))
        return done

    def on_terminal(self, *words, answers="", env=None):
        """Runs it on a terminal, where `answers` are typed. What it shows, and its exit status."""
        env = {"PATH": os.environ["PATH"], "TERM": "xterm", "LC_ALL": "C.UTF-8", **(env or {})}
        with Terminal([BUILD_DIR / "gatepost", "--database", self.path, *words], env=env) as terminal:
            terminal.type(answers)
            shown = terminal.rest()
            return shown, terminal.process.wait(COMMAND_SECONDS)

    def file(self, name, text):
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def rows(self, query, *values):
        db = sqlite3.connect(self.path, timeout=10)
        try:
            with db:
                return db.execute(query, values).fetchall()
        finally:
            db.close()

    def dump(self):
        db = sqlite3.connect(self.path)
        try:
            db.text_factory = lambda text: text.decode(errors="replace")
            return list(db.iterdump())
        finally:
            db.close()
