"""A private Dovecot whose users read their mail by IMAP and POP3, and clients for both.

A client can log in "from" any address: all of loopback is in login_trusted_networks, so Dovecot believes what a client
there says of itself, as it believes a webmail or a proxy (IMAP ID x-originating-ip, POP3 XCLIENT).

    mailbox = Mailbox(scratch, {"alice@example.com": "secret"}, hook="/path/gatepost-postlogin --socket /path/login")
    imap_login(mailbox.imap_port, "alice@example.com", "secret", "192.0.2.10").logout()
"""

import imaplib
import os
import poplib
import pwd
import subprocess
import uuid

from harness import accepts, command, end_process, expect, wait_until

LOGIN_SECONDS = 30  # a login and each command after it

DOVECOT_CONF = """
base_dir = {base}/run
log_path = {base}/log
listen = 127.0.0.1
protocols = imap pop3
login_trusted_networks = 127.0.0.0/8
mail_location = maildir:{base}/mail/%u

service imap-login {{
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3_port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}

ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain
auth_failure_delay = 0
mail_max_userip_connections = 0
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {base}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={base}/home/%u
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
{more}
"""

# Without a limit of address space, as a hook that is built with sanitizers reserves terabytes of it.
HOOK = """
service {name} {{
  executable = {name} {name}-postlogin
}}
service {name}-postlogin {{
  executable = script-login {hook} --service {name}
  user = {user}
  vsz_limit = 0
  unix_listener {name}-postlogin {{
  }}
}}
"""

SASL_SOCKET = """
service auth {{
  unix_listener {path} {{
    mode = 0660
    user = postfix
  }}
}}
"""


class Mailbox:
    """The Dovecot. `users` are names (in lower case: Dovecot folds what is typed) and passwords. `hook` is the command
    line of the post-login program, to which `--service imap` or `--service pop3` is added; it runs as `hook_user`, and
    Dovecot splits it at blanks. None is a Dovecot without it. With `postfix` it is that Postfix's SASL server, too;
    `more` is configuration to add.

    `imap_port` and `pop3_port` are its ports; `hook_user` must be able to write to the login socket."""

    def __init__(self, scratch, users, hook=None, hook_user="root", postfix=None, more="", name="mailbox"):
        self.base = scratch.folder(name)
        self.config = self.base / "dovecot.conf"
        self.imap_port, self.pop3_port = scratch.free_port(), scratch.free_port()
        self._owner = pwd.getpwnam("nobody")
        for folder in ("mail", "home"):
            os.mkdir(self.base / folder)
            os.chown(self.base / folder, self._owner.pw_uid, self._owner.pw_gid)
        (self.base / "users").write_text("".join("%s:%s\n" % user for user in users.items()))
        (self.base / "users").chmod(0o644)
        if hook:
            more += "".join(HOOK.format(name=one, hook=hook, user=hook_user) for one in ("imap", "pop3"))
        if postfix:
            more += SASL_SOCKET.format(path=postfix.base / "queue/private/auth")
        self.config.write_text(DOVECOT_CONF.format(
            base=self.base, imap_port=self.imap_port, pop3_port=self.pop3_port, more=more))
        self._process = None
        scratch.at_end(self.stop)
        self.start()

    def start(self):
        with open(self.base / "out", "ab") as out:
            self._process = subprocess.Popen(["dovecot", "-F", "-c", self.config], stdin=subprocess.DEVNULL, stdout=out,
                                             stderr=out)
        wait_until(lambda: self._process.poll() is not None
                   or (accepts(self.imap_port) and accepts(self.pop3_port)), "Dovecot accepts connections")
        expect(self._process.poll() is None, "Dovecot ended:\n" + (self.base / "out").read_text() + self.log())

    def stop(self):
        if self._process is not None:
            end_process(self._process)

    def log(self):
        path = self.base / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def doveadm(self, *arguments):
        """The standard output of doveadm, asked about this Dovecot."""
        return command("doveadm", "-c", self.config, *arguments)

    def put(self, user, text):
        """Lays a message into the user's mailbox."""
        maildir = self.base / "mail" / user
        for folder in (maildir, maildir / "tmp", maildir / "new", maildir / "cur"):
            if not folder.exists():
                folder.mkdir(mode=0o700)
                os.chown(folder, self._owner.pw_uid, self._owner.pw_gid)
        path = maildir / "tmp" / uuid.uuid4().hex
        path.write_text(text)
        os.chown(path, self._owner.pw_uid, self._owner.pw_gid)
        path.rename(maildir / "new" / path.name)


def imap_login(port, user, password, ip=None):
    """Logs in by IMAP, from `ip` where it is given. Returns the session (imaplib); raises imaplib.IMAP4.error where the
    login is refused."""
    session = imaplib.IMAP4("127.0.0.1", port, timeout=LOGIN_SECONDS)
    try:
        if ip:
            session.xatom("ID", '("x-originating-ip" "%s" "x-originating-port" "34567")' % ip)
        session.login(user, password)
    except BaseException:
        session.shutdown()
        raise
    return session


def pop3_login(port, user, password, ip=None):
    """Logs in by POP3, from `ip` where it is given. Returns the session (poplib); raises poplib.error_proto where the
    login is refused."""
    session = _Pop3("127.0.0.1", port, timeout=LOGIN_SECONDS)
    try:
        if ip:
            session.xclient(ip)
        session.user(user)
        session.pass_(password)
    except BaseException:
        session.close()
        raise
    return session


class _Pop3(poplib.POP3):
    def xclient(self, ip):
        return self._shortcmd("XCLIENT ADDR=%s PORT=34567" % ip)


def imap_mail(session):
    """The texts of all messages in the inbox of an IMAP session."""
    session.select("INBOX")
    _, found = session.search(None, "ALL")
    return [session.fetch(number, "(BODY.PEEK[])")[1][0][1].decode().replace("\r\n", "\n")
            for number in found[0].split()]


def pop3_mail(session):
    """The texts of all messages of a POP3 session."""
    return ["\n".join(line.decode() for line in session.retr(number + 1)[1]) + "\n"
            for number in range(session.stat()[0])]
