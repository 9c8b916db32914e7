"""The machine on which a guide is followed: gatepostd, Postfix and the commands, all of them the test's own.

Where a guide says /var/lib/gatepost, /etc/postfix and the like, it means folders of the test (FOLDERS); and the
commands are wrappers in front of PATH that take the test's configuration. So nothing of the machine is touched."""

import os
import re
import shutil
import signal
import subprocess

from guide import script
from harness import BUILD_DIR, SOURCE_DIR, Gatepostd, Mismatch, command, expect, wait_until
from mta import Dovecot, Postfix

# The smtpd of a Postfix that does not know of gatepost yet, and one that lets users log in.
SERVICES = """
127.0.0.1:{spec} inet n - n - - smtpd
127.0.0.1:{sasl} inet n - n - - smtpd
  -o smtpd_sasl_auth_enable=yes
"""
# Each process serves one client, so that the next one reads what has just been added to main.cf. No client counts as
# one of the machine's own, which all would be before XCLIENT.
PLAIN = """max_use = 1
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
local_header_rewrite_clients =
"""

PRELUDE = """
set -e
refused() {{
    status=0
    "$@" || status=$?
    case $status in [12]) ;; *) echo "exit status $status, and not 1 or 2: $*"; exit 99 ;; esac
}}
cd {work}
"""


def _write(path, text):
    """Postfix reads a file that is not a second old again and again until it is."""
    path.write_text(text)
    os.utime(path, (0, 0))


class BarePostfix(Postfix):
    """A Postfix without anything of gatepost in it, to which a guide adds lines."""

    def _write_configuration(self, endpoint):
        super()._write_configuration(endpoint)
        etc = self.base / "etc"
        main, found, _ = (etc / "main.cf").read_text().partition("# SPEC 11")
        expect(found, "mta.py no longer says where gatepost begins in main.cf")
        _write(etc / "main.cf", main + PLAIN)
        master = (etc / "master.cf").read_text()
        (etc / "master.cf").write_text(master[:master.index("127.0.0.1:")] + SERVICES.format(**self.ports))

    def postconf(self, *words):
        done = subprocess.run(["postconf", "-c", self.base / "etc", *words], capture_output=True, text=True, timeout=20)
        expect(done.returncode == 0 and not done.stderr, "postconf %s\n%s%s" % (words, done.stdout, done.stderr))
        return done.stdout

    def postqueue(self):
        return command("postqueue", "-c", self.base / "etc", "-p")

    def add(self, text):
        """Lines of main.cf, each in the place of one of the same name, and of master.cf, which master then rereads."""
        names, services = [], ""
        for entry in re.findall(r"^\S.*\n(?:[ \t].*\n)*", re.sub(r"(?m)^#.*\n", "", text), re.MULTILINE):
            if setting := re.match(r"^(\w+)\s*=", entry):
                names.append(setting[1])
                self._set(setting[1], entry)
            else:
                services += entry
        known = self.postconf("-n")
        for name in names:
            expect(re.search(r"(?m)^%s = " % name, known), "postconf -n does not know " + name)
        if services:
            with open(self.base / "etc/master.cf", "a") as master:
                master.write(services)
            self.reload()

    def _set(self, name, entry):
        path = self.base / "etc/main.cf"
        others = re.sub(r"(?m)^%s\s*=.*\n(?:[ \t].*\n)*" % name, "", path.read_text())
        _write(path, others + entry)

    def reload(self):
        """Has master read master.cf."""
        before = self.log().count(": reload -- ")
        os.kill(self._master_pid(), signal.SIGHUP)
        wait_until(lambda: self.log().count(": reload -- ") > before, "master reads its services")


class Site:
    """One guide's machine. `files` are those that the guide expects the reader to have, by name."""

    def __init__(self, scratch, name, files):
        self.base = scratch.folder(name)
        self.work = self.base / "work"
        self.etc = self.base / "gatepost"
        self.bin = self.base / "bin"
        for folder in (self.work, self.etc, self.bin):
            folder.mkdir()
        for file, text in files.items():
            (self.work / file).write_bytes(text)
        self.conf = self.etc / "gatepost.conf"
        self.conf.write_text("")
        self.gate = Gatepostd(scratch, "-c", self.conf, name=name + ".gatepostd")
        self.postfix = BarePostfix(scratch, self.gate.endpoint, name=name + ".postfix")
        Dovecot(scratch, self.postfix, {"alice@example.com": "secret"}, name=name + ".dovecot")
        self.names = {
            "/var/lib/gatepost": str(self.gate.database.parent), "/run/gatepost": str(self.gate.database.parent),
            "/var/log/gatepost.log": str(self.gate.stderr), "/var/log/mail.log": str(self.postfix.maillog),
            "/etc/gatepost": str(self.etc), "/etc/postfix": str(self.postfix.base / "etc"),
            "127.0.0.1:10040": "127.0.0.1:%d" % self.gate.port,
        }
        self._write_wrappers()
        self._shell = None
        self._blocks = 0
        scratch.at_end(self._end)

    def _write_wrappers(self):
        etc = self.postfix.base / "etc"
        ours = "--database ${GUIDE_DATABASE:-%s}" % self.gate.database
        wrappers = {"gatepost": "%s %s --control unix:%s" % (BUILD_DIR / "gatepost", ours, self.gate.control_socket),
                    "gatepostd": "%s %s -c %s" % (BUILD_DIR / "gatepostd", ours, self.conf)}
        for name in ("postconf", "postfix", "postmap", "postqueue"):
            wrappers[name] = "%s -c %s" % (shutil.which(name), etc)
        for name, line in wrappers.items():
            (self.bin / name).write_text('#!/bin/sh\nexec %s "$@"\n' % line)
            (self.bin / name).chmod(0o755)

    def environment(self, **more):
        path = "%s:%s:%s" % (self.bin, SOURCE_DIR / "scripts", os.environ["PATH"])
        return {"PATH": path, "LC_ALL": "C.UTF-8", "HOME": str(self.work), "EDITOR": "true", **more}

    def here(self, text):
        """What a guide writes, with the test's folders and ports."""
        for name, ours in self.names.items():
            text = text.replace(name, ours)
        return text

    def there(self, text):
        """What was printed, with the folders and ports of the guide."""
        for name, ours in self.names.items():
            text = text.replace(ours, name)
        return text

    def sh(self, text):
        """A block, in the shell that had all blocks before it: what it prints; Mismatch where it fails."""
        if self._shell is None:
            self._shell = subprocess.Popen(["sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                           stderr=subprocess.STDOUT, text=True, env=self.environment(),
                                           start_new_session=True)
            self._shell.stdin.write(PRELUDE.format(work=self.work))
        self._blocks += 1
        path, output = self.base / ("block.%d" % self._blocks), self.base / ("output.%d" % self._blocks)
        path.write_text(self.here(script(text)))
        self._shell.stdin.write("set -e; . %s >%s 2>&1 </dev/null; echo went on\n" % (path, output))
        self._shell.stdin.flush()
        went_on = self._shell.stdout.readline()
        printed = self.there(output.read_text(errors="replace"))
        expect(went_on == "went on\n", "the shell ended here:\n%s\n%s" % (printed[-3000:], went_on))
        _expect_no_report(printed)
        return printed

    def sql(self, text):
        return self.there(command("sqlite3", "-batch", "-bail", self.gate.database, text=self.here(text)))

    def one(self, line, database):
        """A command by itself, on that database: what it prints; Mismatch where it fails."""
        done = subprocess.run(["sh", "-c", self.here(line)], cwd=self.work, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60,
                              env=self.environment(GUIDE_DATABASE=str(database)))
        expect(done.returncode == 0, "exit status %d\n%s%s" % (done.returncode, done.stdout, done.stderr))
        _expect_no_report(done.stderr)
        return self.there(done.stdout)

    def configure(self, text):
        """Lines of gatepost.conf, with which the daemon starts anew."""
        with open(self.conf, "a") as conf:
            conf.write(self.here(text))
        self.gate.stop()
        self.gate.start()

    def _end(self):
        """Ends the shell, and what hangs in it."""
        if self._shell is not None and self._shell.poll() is None:
            os.killpg(self._shell.pid, signal.SIGKILL)
            self._shell.wait(20)


def _expect_no_report(text):
    found = re.search(r"(ERROR: \w+Sanitizer|runtime error:).*", text, re.DOTALL)
    if found:
        raise Mismatch(found.group()[:4000])
