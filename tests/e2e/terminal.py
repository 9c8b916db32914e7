"""A terminal of our own, for what behaves differently on one."""

import os
import pty
import select
import signal
import subprocess
import time

from harness import COMMAND_SECONDS, Mismatch


class Terminal:
    """A program on a pseudo-terminal."""

    def __init__(self, argv, env=None):
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen([str(word) for word in argv], stdin=slave, stdout=slave, stderr=slave, env=env,
                                        start_new_session=True)
        os.close(slave)
        self.seen = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)  # an interactive shell heeds nothing less
        self.process.wait()
        os.close(self._master)

    def type(self, text):
        os.write(self._master, text.encode())

    def _read(self, seconds):
        """What comes next, b"" at the end."""
        if not select.select([self._master], [], [], seconds)[0]:
            raise Mismatch("nothing more comes after: %r" % self.seen[-2000:])
        try:
            return os.read(self._master, 65536)
        except OSError:  # the other side is closed
            return b""

    def until(self, text, seconds=COMMAND_SECONDS):
        """Reads until `text` has come; what came before it."""
        deadline = time.monotonic() + seconds
        while text.encode() not in self.seen:
            piece = self._read(max(0, deadline - time.monotonic()))
            if not piece:
                raise Mismatch("ended before %r: %r" % (text, self.seen[-2000:]))
            self.seen += piece
        before, _, self.seen = self.seen.partition(text.encode())
        return before.decode(errors="replace")

    def rest(self):
        """All that comes until the program ends."""
        while piece := self._read(COMMAND_SECONDS):
            self.seen += piece
        return self.seen.decode(errors="replace")
