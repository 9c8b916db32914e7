"""The command line on a database of its own, with no daemon."""

import json
import sqlite3
import subprocess
from contextlib import closing

from harness import BUILD_DIR, command, expect, expect_equal

SECONDS = 60  # longest time for one command, on a slow machine and under sanitizers


class Gatepost:
    """Runs gatepost on a database in a folder of its own, which `gatepost init` is to make."""

    def __init__(self, scratch, name="rules"):
        self.folder = scratch.folder(name)
        self.path = self.folder / "gatepost.db"

    def argv(self, *words):
        return [BUILD_DIR / "gatepost", "--database", self.path, *words]

    def __call__(self, *words, status=0, env=None, stdout=subprocess.PIPE, **options):
        """What it prints, or with another exit status what it complains of."""
        done = subprocess.run(self.argv(*words), stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
                              timeout=SECONDS, env=env, **options)
        out, err = ((text or b"").decode(errors="replace") for text in (done.stdout, done.stderr))
        expect_equal(done.returncode, status, "%r\n%s%s" % (words, out, err))
        expect("Sanitizer" not in err and "runtime error" not in err, err)
        expect("\x1b" not in out + err, "a terminal escape gets through: %r" % (out + err))
        return out if status == 0 else err

    def json(self, *words):
        return json.loads(self("--json", *words))

    def sql(self, text):
        """As an administrator does with plain sqlite3."""
        return command("sqlite3", "-batch", "-bail", "-cmd", ".timeout 5000", self.path, text=text)

    def rows(self, query, path=None):
        with closing(sqlite3.connect(path or self.path)) as db, db:
            return db.execute(query).fetchall()

    def dump(self, path=None):
        """All that is in the database, as SQL."""
        with closing(sqlite3.connect(path or self.path)) as db:
            db.text_factory = lambda text: text.decode(errors="replace")
            return list(db.iterdump())
