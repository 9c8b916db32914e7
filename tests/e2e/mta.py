"""A private Postfix and a private Dovecot, which touch nothing outside the scratch folder and send nothing anywhere.

The site they play: mail.example.com with the hosts of DOMAINS. What is ours is delivered as files into one maildir,
whatever its local part; everything else ends in discard(8), and the log says so.
"""

import email
import grp
import os
import pwd
import re
import signal
import subprocess
from typing import NamedTuple

from harness import Mismatch, accepts, command, end_process, expect, wait_until

DESTINATIONS = ("example.com", "mail.example.com", "second.example")  # mydestination: lists answer at each of these
VIRTUAL = "host.example"       # a virtual mailbox domain
VIRTUAL_ALIAS = "alias.example"  # a virtual alias domain: boss@alias.example is boss@example.com
RELAY = "backup.example"       # a domain that the site is backup MX for
OURS = DESTINATIONS + (VIRTUAL, VIRTUAL_ALIAS, RELAY)
LISTS = {"staff": ("anna", "otto"), "news": ("anna",)}  # aliases of local(8)

# The smtpd services; each has a port of its own. What stands here is on top of SPEC 11.
SERVICES = {
    "spec": {},
    "direct": {"smtpd_relay_restrictions": "$gatepost, permit_sasl_authenticated, reject_unauth_destination"},
    "letter": {"smtpd_relay_restrictions": "check_recipient_access static:gatepost_letter, permit_sasl_authenticated,"
                                           " reject_unauth_destination",
               "smtpd_data_restrictions": "gatepost_letter", "smtpd_etrn_restrictions": "gatepost_letter"},
    "early": {"smtpd_delay_reject": "no", "smtpd_client_restrictions": "gatepost"},
    "context": {"smtpd_client_restrictions": "gatepost_client", "smtpd_helo_restrictions": "gatepost_client",
                "smtpd_sender_restrictions": "gatepost_client", "smtpd_etrn_restrictions": "gatepost_client",
                "smtpd_data_restrictions": "gatepost_client", "smtpd_delay_reject": "no",
                "smtpd_relay_restrictions": "check_recipient_access static:gatepost_client, permit_sasl_authenticated,"
                                            " reject_unauth_destination"},
    "sasl": {"smtpd_sasl_auth_enable": "yes"},
}

MAIN_CF = """
compatibility_level = 3.6
config_directory = {base}/etc
queue_directory = {base}/queue
data_directory = {base}/data
maillog_file = {base}/maillog
maillog_file_prefixes = {base}
meta_directory = /etc/postfix
myhostname = mail.example.com
mydomain = example.com
myorigin = example.com
append_dot_mydomain = yes
recipient_delimiter = +
mydestination = {destinations}
relay_domains = {relay}
virtual_mailbox_domains = {virtual}
virtual_alias_domains = {virtual_alias}
virtual_alias_maps = inline:{{ {{ boss@{virtual_alias} = boss@example.com }} }}
alias_maps = inline:{{ {aliases} }}
alias_database =
local_recipient_maps =
smtpd_reject_unlisted_recipient = no
smtpd_reject_unlisted_sender = no

# Ours goes into one maildir, everything else nowhere; there is no DNS and no smtp(8).
local_transport = local
mailbox_transport = virtual
virtual_transport = virtual
virtual_mailbox_base = {base}/mail
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:{mail_uid}
virtual_gid_maps = static:{mail_gid}
default_transport = discard:
relay_transport = discard:
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
notify_classes =
biff = no

inet_interfaces = 127.0.0.1
inet_protocols = all
mynetworks = 127.0.0.1/32
in_flow_delay = 0
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000000
smtpd_hard_error_limit = 1000000
smtpd_junk_command_limit = 1000000
smtpd_client_connection_count_limit = 0
smtpd_tls_security_level = none
enable_long_queue_ids = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth

# SPEC 11, but for the braces of default_action: as they stand there, Postfix 3.7 takes them for a part of the value and
# answers "451 4.3.5 Server configuration error" while the service is away. gatepost_letter is SPEC 11 to the letter.
smtpd_restriction_classes = gatepost, gatepost_letter, gatepost_client
gatepost = check_policy_service {{ {endpoint}, timeout=10s,
    {{ default_action = 451 4.3.0 Policy service unavailable }} }}
gatepost_letter = check_policy_service {{ {endpoint}, timeout=10s,
    default_action={{451 4.3.0 Policy service unavailable}} }}
gatepost_client = check_policy_service {{ {endpoint}, timeout=10s, policy_context=client }}
smtpd_relay_restrictions = check_recipient_access static:gatepost, permit_sasl_authenticated, reject_unauth_destination
smtpd_data_restrictions = gatepost
smtpd_etrn_restrictions = gatepost
smtpd_forbid_bare_newline = normalize
"""

# service type private unpriv chroot wakeup maxproc command
MASTER_CF = """
pickup    unix n - n 60    1 pickup
cleanup   unix n - n -     0 cleanup
qmgr      unix n - n 300   1 qmgr
rewrite   unix - - n -     - trivial-rewrite
bounce    unix - - n -     0 bounce
defer     unix - - n -     0 bounce
trace     unix - - n -     0 bounce
verify    unix - - n -     1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n -     - proxymap
showq     unix n - n -     - showq
error     unix - - n -     - error
retry     unix - - n -     - error
discard   unix - - n -     - discard
local     unix - n n -     - local
virtual   unix - n n -     - virtual
anvil     unix - - n -     1 anvil
tlsmgr    unix - - n 1000? 1 tlsmgr
postlog   unix-dgram n - n - 1 postlogd
"""

# What postfix-install makes of a queue; "D" belongs to mail_owner, "G" also to group postdrop.
QUEUE_FOLDERS = (("active", 0o700, "D"), ("bounce", 0o700, "D"), ("corrupt", 0o700, "D"), ("defer", 0o700, "D"),
                 ("deferred", 0o700, "D"), ("flush", 0o700, "D"), ("hold", 0o700, "D"), ("incoming", 0o700, "D"),
                 ("private", 0o700, "D"), ("saved", 0o700, "D"), ("trace", 0o700, "D"), ("pid", 0o755, ""),
                 ("maildrop", 0o1730, "G"), ("public", 0o2710, "G"))


class Mail(NamedTuple):
    """A delivered message: for whom it was in the end, for whom it was sent, its return path, subject and text."""
    to: str
    original_to: str
    return_path: str
    subject: str
    text: str


class Postfix:
    """A Postfix instance whose smtpd services (SERVICES) ask the policy service `endpoint`; `ports` by service name."""

    def __init__(self, scratch, endpoint, name="postfix"):
        self.base = scratch.folder(name)
        self.ports = {service: scratch.free_port() for service in SERVICES}
        self.maillog = self.base / "maillog"
        self._make_folders()
        self._write_configuration(endpoint)
        scratch.at_end(self._end)
        self._postfix("start")
        wait_until(lambda: accepts(self.ports["spec"]), "Postfix accepts connections")

    def _make_folders(self):
        owner, droppers = pwd.getpwnam("postfix").pw_uid, grp.getgrnam("postdrop").gr_gid
        nobody = pwd.getpwnam("nobody")
        for folder, mode, kind in (("etc", 0o755, ""), ("data", 0o700, "D"), ("queue", 0o755, ""), ("mail", 0o755, "M"),
                                   *(("queue/" + one, mode, kind) for one, mode, kind in QUEUE_FOLDERS)):
            path = self.base / folder
            path.mkdir()
            if kind == "M":
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
            elif kind:
                os.chown(path, owner, droppers if kind == "G" else 0)
            path.chmod(mode)
        (self.base / "queue/quick-start").touch()  # postfix-script: the folders need no checking

    def _write_configuration(self, endpoint):
        nobody = pwd.getpwnam("nobody")
        (self.base / "etc/main.cf").write_text(MAIN_CF.format(
            base=self.base, endpoint=endpoint, destinations=", ".join(DESTINATIONS), relay=RELAY, virtual=VIRTUAL,
            virtual_alias=VIRTUAL_ALIAS, mail_uid=nobody.pw_uid, mail_gid=nobody.pw_gid,
            aliases=", ".join("{ %s = %s }" % (name, ", ".join(members)) for name, members in LISTS.items())))
        services = ""
        for service, parameters in SERVICES.items():
            services += "127.0.0.1:%d inet n - n - - smtpd\n" % self.ports[service]
            services += "".join("  -o { %s = %s }\n" % item for item in parameters.items())
        (self.base / "etc/master.cf").write_text(MASTER_CF + services)

    def _postfix(self, verb):
        # Through a file, not a pipe: the daemons that it leaves behind inherit what it writes to.
        with open(self.base / "postfix.out", "w+b") as out:
            try:
                status = subprocess.run(["postfix", "-c", self.base / "etc", verb], stdin=subprocess.DEVNULL,
                                        stdout=out, stderr=out, timeout=30).returncode
            except subprocess.TimeoutExpired:
                raise Mismatch("postfix %s takes more than 30 seconds" % verb) from None
        expect(status == 0, "postfix %s: exit status %d\n%s%s" % (
            verb, status, (self.base / "postfix.out").read_text(), self.log()))

    def _end(self):
        master = self._master_pid()
        if master is None:
            return
        try:
            self._postfix("stop")
        except Mismatch:
            os.killpg(master, signal.SIGKILL)  # master leads the group of its daemons

    def _master_pid(self):
        """The process id of our master; None when it does not run (the lock on the file tells, not its contents)."""
        try:
            command("postfix", "-c", self.base / "etc", "status")
            return int((self.base / "queue/pid/master.pid").read_text())
        except (Mismatch, OSError, ValueError):
            return None

    def log(self):
        return self.maillog.read_text(errors="replace") if self.maillog.exists() else ""

    def inbox(self):
        """What has been delivered so far."""
        found = []
        for path in sorted((self.base / "mail").glob("inbox/new/*")):
            # Headers may hold UTF-8 (SMTPUTF8), which email.message_from_bytes would show as unknown-8bit.
            message = email.message_from_string(path.read_text(errors="replace"))
            found.append(Mail(message["Delivered-To"], message["X-Original-To"], message["Return-Path"],
                              message["Subject"], message.get_payload().strip()))
        return found

    def delivered(self, reply):
        """Waits until the message that `reply` (250 … queued as ID) accepted has left the queue. Returns the
        addresses that Postfix delivered to or threw away as remote, in order."""
        queue_id = re.search(r"queued as (\w+)", reply.text)
        expect(reply.code == 250 and queue_id, "message not accepted: %s" % (reply,))
        wait_until(lambda: queue_id[1] + ": removed" in self.log(), "message %s leaves the queue" % queue_id[1])
        return re.findall(r"%s: to=<([^>]*)>" % queue_id[1], self.log())

    def all_recipients(self):
        """The address of every delivery of this instance, discarded ones included, as the log has them. Waits until
        the queue is empty, so that nothing is still to come."""
        wait_until(lambda: not self._queued(), "the queue becomes empty")
        return re.findall(r"postfix/\w+\[\d+\]: \w+: to=<([^>]*)>", self.log())

    def _queued(self):
        return [path for queue in ("maildrop", "incoming", "active", "deferred", "hold")
                for path in (self.base / "queue" / queue).rglob("*") if path.is_file()]


DOVECOT_CONF = """
base_dir = {base}/run
log_path = {base}/log
protocols =
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain
auth_failure_delay = 0
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {base}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}}
service auth {{
  unix_listener {socket} {{
    mode = 0660
    user = postfix
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  unix_listener stats-reader {{
    mode = 0
  }}
  unix_listener stats-writer {{
    mode = 0
  }}
}}
"""


class Dovecot:
    """An auth-only Dovecot that serves `postfix` as SASL server; `users` are names and passwords."""

    def __init__(self, scratch, postfix, users, name="dovecot"):
        base = scratch.folder(name)
        socket_path = postfix.base / "queue/private/auth"
        (base / "users").write_text("".join("%s:%s\n" % user for user in users.items()))
        (base / "users").chmod(0o644)
        (base / "dovecot.conf").write_text(DOVECOT_CONF.format(base=base, socket=socket_path))
        with open(base / "out", "wb") as out:
            self._process = subprocess.Popen(["dovecot", "-F", "-c", base / "dovecot.conf"], stdin=subprocess.DEVNULL,
                                             stdout=out, stderr=out)
        scratch.at_end(lambda: end_process(self._process))
        wait_until(lambda: socket_path.exists() or self._process.poll() is not None, "Dovecot listens")
        expect(self._process.poll() is None, "Dovecot ended:\n" + (base / "out").read_text())
