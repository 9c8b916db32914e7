"""The command line on a database of its own, as an administrator uses it."""

import os
import pty
import select
import sqlite3
import subprocess
import time

from harness import BUILD_DIR, Mismatch, expect, expect_equal


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

    def on_terminal(self, *words, answers="", env=None, seconds=30):
        """Runs it on a terminal, where `answers` are typed. What it shows, and its exit status."""
        child, terminal = pty.fork()
        if child == 0:
            try:
                os.execve(BUILD_DIR / "gatepost",
                          ["gatepost", "--database", str(self.path), *map(str, words)],
                          {"PATH": os.environ["PATH"], "TERM": "xterm", "LC_ALL": "C.UTF-8", **(env or {})})
            finally:
                os._exit(127)
        return _talk(child, terminal, answers, seconds)

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


def _talk(child, terminal, answers, seconds):
    shown, deadline = b"", time.monotonic() + seconds
    os.write(terminal, answers.encode())
    while True:
        ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
        try:
            piece = os.read(terminal, 65536) if ready else None
        except OSError:  # the other side is closed
            piece = b""
        if piece is None:
            os.kill(child, 9)
            os.waitpid(child, 0)
            os.close(terminal)
            raise Mismatch("still running after %d seconds:\n%s" % (seconds, shown.decode(errors="replace")))
        if not piece:
            break
        shown += piece
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    return shown.decode(errors="replace"), os.waitstatus_to_exitcode(status)
