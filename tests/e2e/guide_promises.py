"""What each guide in doc/ promises, seen on its site: the functions behind its <!-- test: NAME --> comments.

GUIDES has for each guide the files that its reader has, and these functions by name. Each is given the Site, and raises
Mismatch where the guide is wrong."""

import re
import signal
import subprocess

from harness import SOURCE_DIR, command, expect, expect_equal, wait_until
from smtp import Client, SmtpSession

OUTSIDER = Client("198.51.100.99")
OURS, THEIRS = "bob@example.com", "x@example.net"


def reply_to(site, client, sender="a@example.net", recipient=OURS, service="spec"):
    with SmtpSession(site.postfix.ports[service], client) as session:
        return str(session.try_rcpt(sender, recipient))


def expect_reply(site, begin, text, *who):
    reply = reply_to(site, *who)
    expect(reply.startswith(begin) and text in reply,
           "%s\nexpected: %s ... %s\nseen:     %s" % (who, begin, text, reply))


# from-imail.md

def imail_watched(site):
    expect_reply(site, "250 ", "", OUTSIDER, "fred@example.org")
    expect_reply(site, "554 ", "Relay access denied", Client("192.0.2.10"), "a@example.net", THEIRS)
    expect_equal(site.gate.decision(state="RCPT", client="192.0.2.10")["would"], "OK")


def imail_in_force(site):
    for begin, text, *who in (("554 ", "unacceptable mail address", OUTSIDER, "fred@example.org"),
                              ("554 ", "unacceptable mail address", OUTSIDER, "x@bluewidget.example"),
                              ("554 ", "access denied", Client("203.0.113.9")),
                              ("554 ", "access denied", Client("192.0.2.66")),
                              ("250 ", "", Client("192.0.2.10"), "a@example.net", THEIRS),
                              ("250 ", "", Client("198.51.100.3"), "partner@example.org", THEIRS),
                              ("554 ", "not a gateway", OUTSIDER, "partner@example.org", THEIRS),
                              ("554 ", "this list", OUTSIDER, "a@example.net", "staff@second.example"),
                              ("554 ", "", OUTSIDER, "nobody"),
                              ("250 ", "", OUTSIDER)):
        expect_reply(site, begin, text, *who)


def imail_greeting(site):
    site.gate.change("deny 127.0.0.66")
    with SmtpSession(site.postfix.ports["spec"], None, source="127.0.0.66", hello=None) as session:
        expect_equal(str(session.greeting), "554 5.7.1 <unknown[127.0.0.66]>: Client host rejected: access denied")


def imail_postfix(site):
    with SmtpSession(site.postfix.ports["spec"], Client("192.0.2.10")) as session:
        expect_equal(str(session.greeting), "220 mail.example.com ESMTP")
        hello = session.command("EHLO client.example.net").text
        expect("VRFY" not in hello.split("\n") and "ETRN" in hello, hello)
        expect_equal(str(session.command("VRFY bob@example.com")), "502 5.5.1 VRFY command is disabled")
        expect_equal(str(session.command("EXPN staff")), "500 5.5.2 Error: command not recognized")
        expect_equal(session.command("NOOP " + "a" * 100000).code, 250)
        expect_equal(session.command("a" * 100000).code, 500)
        expect_equal(session.mail("a@example.net").code, 250)
        expect_equal([session.command("a" * 5000).code for _ in range(3)], [500, 500, 421])


KILL_LST = b"\xef\xbb\xbffred@example.org  \r\n@*widget.example\r\nspam.example\r\n192.0.2.66\r\nFred@Example.ORG\r\n"
IMAIL_FILES = {"kill.lst": KILL_LST, "accept.txt": b"partner@example.org\r\npartner.example\r\n198.51.100.7\r\n",
               "addresses.txt": b"192.0.2.0 255.255.255.0\r\n198.51.100.7 255.255.255.255\r\n",
               "access.txt": b"203.0.113.0 255.255.255.0\r\n198.51.100.200 255.255.255.255\r\n"}

# from-icewarp.md

def icewarp_watched(site):
    expect_reply(site, "554 ", "Relay access denied", Client("192.0.2.10"), "a@example.net", THEIRS)
    expect_reply(site, "250 ", "", OUTSIDER, OURS)


def icewarp_in_force(site):
    login, printer = Client("203.0.113.20"), Client("203.0.113.7")
    stranger = Client("203.0.113.40")
    for begin, text, *who in (("250 ", "", Client("192.0.2.10"), "a@example.net", THEIRS),
                              ("554 ", "not a gateway", Client("192.0.2.63"), "a@example.net", THEIRS),
                              ("250 ", "", printer, "a@example.net", THEIRS),
                              ("554 ", "not a gateway", Client("198.51.100.66"), "a@example.net", THEIRS),
                              ("250 ", "", Client("203.0.113.8", "mail.example.net"), "a@example.net", THEIRS),
                              ("450 ", "not verified", Client("203.0.113.8", "[UNAVAILABLE]", "mail.example.net"),
                               "a@example.net", THEIRS),
                              ("250 ", "", login, "alice@example.com", THEIRS),
                              ("554 ", "not a gateway", login, "a@example.net", THEIRS),
                              ("554 ", "local sender", stranger, "shop@example.com", OURS),
                              ("554 ", "authentication required", printer._replace(destport="587")),
                              ("250 ", "", stranger)):
        expect_reply(site, begin, text, *who)


def icewarp_shop(site):
    expect_reply(site, "250 ", "", Client("203.0.113.40"), "shop@example.com", OURS)
    expect_reply(site, "554 ", "local sender", Client("203.0.113.41"), "shop@example.com", OURS)


def icewarp_postfix(site):
    port = site.postfix.ports["spec"]
    with SmtpSession(port, None, hello=None) as session:
        expect_equal(session.mail("a@example.net").code, 503)
    with SmtpSession(port, Client("203.0.113.40")) as session:
        for header, code in (("From: x@example.org", 250), ("Reply-To: x@spam.example", 550), ("Subject: none", 250)):
            session.try_rcpt("a@example.net", OURS)
            reply = session.data(header + "\n\ntext")
            expect_equal(reply.code, code, str(reply))
    site.postfix.delivered(reply)
    mails = [path.read_text() for path in site.postfix.base.glob("mail/inbox/new/*")]
    expect(any("Subject: none" in mail and "From: a@example.net" in mail for mail in mails), str(mails))
    alice = Client("203.0.113.40", login="alice@example.com")
    expect_reply(site, "250 ", "", alice, "alice@example.com", THEIRS, "sasl")
    expect_reply(site, "553 ", "not owned by user", alice, "bob@example.com", THEIRS, "sasl")


# who-may-relay.md

STRANGER, GRANTED = Client("203.0.113.5"), Client("192.0.2.7")


def relay_clients(site):
    sasl = Client("192.0.2.13", login="alice@example.com")
    for begin, text, *who in (("250 ", "", GRANTED, "a@example.org", THEIRS),
                              ("554 ", "not a gateway", Client("192.0.2.13"), "a@example.org", THEIRS),
                              ("250 ", "", sasl, "a@example.org", THEIRS, "sasl"),
                              ("250 ", "", Client("203.0.113.5", "mail.example.net"), "a@example.org", THEIRS),
                              ("450 ", "not verified", Client("203.0.113.5", "[UNAVAILABLE]", "mail.example.net"),
                               "a@example.org", THEIRS),
                              ("250 ", "", Client("198.51.100.3"), "partner@example.org", THEIRS),
                              ("554 ", "not a gateway", STRANGER, "partner@example.org", THEIRS),
                              ("250 ", "", STRANGER, "a@example.org", "postmaster")):
        expect_reply(site, begin, text, *who)


def smuggle(site):
    """The recipients of one message, in whose text there are bare newlines around a dot, and commands after it."""
    before = len(site.postfix.all_recipients())
    with SmtpSession(site.postfix.ports["spec"], GRANTED) as session:
        session.try_rcpt("a@example.org", OURS)
        session.command("DATA")
        session.send(b"Subject: one\r\n\r\ntext\n.\nMAIL FROM:<a@example.org>\nRCPT TO:<x@example.net>\nDATA\n"
                     b"Subject: two\n\ntext\r\n.\r\n")
        expect_equal(session.reply().code, 250)
        session.command("NOOP")
    return set(site.postfix.all_recipients()[before:])


def relay_smuggled(site):
    expect_equal(smuggle(site), {OURS, THEIRS})


def relay_not_smuggled(site):
    expect_equal(smuggle(site), {OURS})


def report_to(site, sender, *notify):
    """Mail from that sender to one of us: the answer to RCPT, and who got anything in the end."""
    before = len(site.postfix.all_recipients())
    with SmtpSession(site.postfix.ports["spec"], STRANGER) as session:
        session.mail(sender)
        reply = session.rcpt(OURS, *notify)
        if reply.code == 250:
            site.postfix.delivered(session.data("Subject: report\n\ntext"))
    return reply.code, set(site.postfix.all_recipients()[before:])


def relay_report(site):
    expect_reply(site, "554 ", "this list", STRANGER, "a@example.org", "staff@example.com")
    expect_equal(report_to(site, "staff@example.com", "NOTIFY=SUCCESS"),
                 (250, {OURS, "anna@example.com", "otto@example.com"}))


def relay_no_report(site):
    expect_equal(report_to(site, "staff@example.com", "NOTIFY=SUCCESS"), (501, set()))
    expect_equal(report_to(site, "staff@example.com"), (250, {OURS}))


def relay_no_list(site):
    expect_equal(report_to(site, "staff@example.com"), (554, set()))


def relay_masqueraded(site):
    expect_equal(report_to(site, "boss@any.example.com"), (250, {OURS}))
    expect("from=<boss@example.com>, size" in site.postfix.log(), "the sender is not rewritten")


def relay_not_masqueraded(site):
    expect_reply(site, "554 ", "local sender", STRANGER, "boss@any.example.com")


ROUTED = ("carol%example.net@example.com", "example.net!carol@example.com", '"carol@example.net"@example.com',
          "carol%example.net")
VIRTUAL = "carol%example.net@host.example"


def relay_routed(site):
    for recipient in ROUTED:
        expect_reply(site, "554 ", "routed recipient", STRANGER, "a@example.org", recipient)
        expect_reply(site, "250 ", "", GRANTED, "a@example.org", recipient)
    expect_reply(site, "554 ", "routed recipient", STRANGER, "a@example.org", VIRTUAL)
    expect_reply(site, "554 ", "Relay access denied", GRANTED, "a@example.org", VIRTUAL)


def relay_routes(site):
    for recipient in (*ROUTED, VIRTUAL):
        expect_reply(site, "554 ", "routed recipient", STRANGER, "a@example.org", recipient)
        expect_reply(site, "250 ", "", GRANTED, "a@example.org", recipient)


def relay_archive(site):
    """The archive's mailbox is gone: without a way of its own the sender would get a bounce."""
    site.postfix.postconf("-P", "archive/unix/virtual_mailbox_maps=inline:{nobody@example.org=none}")
    site.postfix.reload()
    with SmtpSession(site.postfix.ports["spec"], GRANTED) as session:
        session.try_rcpt("a@example.org", THEIRS)
        expect_equal(session.data("Subject: copied\n\ntext").code, 250)
    wait_until(lambda: "to=<archive@example.com>, relay=archive" in site.postfix.log(), "the archive's copy is tried")
    line = [line for line in site.postfix.log().splitlines() if "to=<archive@example.com>" in line][-1]
    expect("status=SOFTBOUNCE (unknown user" in line, line)
    wait_until(lambda: site.postfix.postqueue().count("archive@example.com"), "the copy waits in the queue")
    expect("non-delivery notification" not in site.postfix.log(), "a bounce is sent")


# rolling-out.md

SHOP, OFFICE = Client("203.0.113.40", "shop.example.net"), Client("192.0.2.7", "pc7.example.net")
WEEK = (("250 ", OUTSIDER, "a@example.net", OURS), ("250 ", OUTSIDER, "fred@example.org", OURS),
        ("554 ", OUTSIDER, "a@example.net", THEIRS), ("250 ", OFFICE, "alice@example.com", THEIRS),
        ("250 ", OFFICE, "a@example.net", THEIRS), ("250 ", SHOP, "shop@example.com", OURS))


def rolling_networks(site, more=""):
    site.postfix.add("mynetworks = 127.0.0.0/8, 192.0.2.0/24%s\n" % more)


def some_mail(site, times=1):
    """What a site's Postfix does by itself."""
    for begin, client, sender, recipient in WEEK * times:
        expect_reply(site, begin, "Relay access denied" if begin == "554 " else "", client, sender, recipient)


def rolling_asked(site):
    some_mail(site)
    site.gate.stop()
    for begin, *who in WEEK[1:4]:  # each waits a second
        expect_reply(site, begin, "", *who)
    site.gate.start()


def rolling_recorded(site):
    some_mail(site, 2)
    record = site.gate.database.parent / "requests"
    wait_until(lambda: record.exists() and record.read_text().count("protocol_state=RCPT") == 12, "all is recorded")
    expect_equal(record.stat().st_mode & 0o777, 0o600)


def rolling_after(site):
    after = (site.work / "after.txt").read_text()
    expect("REJECT kill" in after and "REJECT relay" in after and "REJECT local-sender" not in after, after)


def rolling_kill(site):
    for begin, text, *who in (("554 ", "unacceptable", OUTSIDER, "fred@example.org"), ("250 ", "", OUTSIDER),
                              ("250 ", "", Client("203.0.113.41"), "shop@example.com"),
                              ("554 ", "Relay access denied", OUTSIDER, "a@example.net", THEIRS)):
        expect_reply(site, begin, text, *who)


def rolling_mynetworks(site):
    rolling_networks(site, ", 198.51.100.0/24")
    expect_reply(site, "554 ", "not a gateway", OUTSIDER, "a@example.net", THEIRS)
    rolling_networks(site)


def rolling_decides(site):
    for begin, text, *who in (("554 ", "unacceptable", OUTSIDER, "fred@example.org"),
                              ("554 ", "local sender", Client("203.0.113.41"), "shop@example.com"),
                              ("554 ", "not a gateway", OUTSIDER, "a@example.net", THEIRS),
                              ("250 ", "", SHOP, "shop@example.com"),
                              ("250 ", "", OFFICE, "alice@example.com", THEIRS)):
        expect_reply(site, begin, text, *who)
    site.gate.stop()
    expect_reply(site, "451 4.3.0 ", "Policy service unavailable", OUTSIDER)
    site.gate.start()


def rolling_hits(site):
    """The lines of examples.sql that need a daemon, on what this one has counted."""
    site.gate.process.send_signal(signal.SIGHUP)  # has it write them now
    folder = site.gate.database.parent
    hits = folder / "gatepost.db-hits"
    wait_until(lambda: "fred@example.org" in command("sqlite3", hits, text="SELECT key FROM hit;"), "hits are written")
    text = (SOURCE_DIR / "doc/examples.sql").read_text()
    lines = re.findall(r"^--   ( *(?:ATTACH|SELECT|WHERE|DETACH) .*)$", text, re.MULTILINE)
    done = subprocess.run(["sqlite3", "-batch", "-bail", "gatepost.db"], cwd=folder, input="\n".join(lines) + "\n",
                          text=True, capture_output=True, timeout=20)
    expect_equal((done.returncode, done.stderr), (0, ""))
    expect(re.search(r"^kill_entry\|fred@example\.org\|[1-9]", done.stdout, re.MULTILINE), done.stdout)


TRUSTED = b"# trusted\r\n192.0.2.1-50 ; the desks\r\n192.0.2.64/255.255.255.192\r\n198.51.100.*\r\n" \
          b"203.0.113.7 # the printer\r\nmail.example.net ; the other server\r\n"

# The files that a reader has, and what a guide has the test do.
GUIDES = {
    "from-imail.md": (IMAIL_FILES, {
        "refused by Postfix alone": imail_watched,
        "the rules of IMail in force": imail_in_force,
        "a denied client is refused in the greeting": imail_greeting,
        "greeting, VRFY, EXPN and long commands": imail_postfix,
    }),
    "from-icewarp.md": ({"trusted.txt": TRUSTED}, {
        "refused by Postfix alone": icewarp_watched,
        "the rules of IceWarp in force": icewarp_in_force,
        "the shop may send": icewarp_shop,
        "HELO, headers and senders": icewarp_postfix,
    }),
    "who-may-relay.md": ({}, {
        "these clients relay": relay_clients,
        "a message hides another one": relay_smuggled,
        "a message hides nothing": relay_not_smuggled,
        "a report reaches the closed list": relay_report,
        "no report reaches the closed list": relay_no_report,
        "a stranger cannot be the list": relay_no_list,
        "a masqueraded sender passes for local": relay_masqueraded,
        "a masqueraded sender is a local one": relay_not_masqueraded,
        "routed recipients are refused to strangers": relay_routed,
        "routed recipients for those who may relay": relay_routes,
        "an archive that cannot be delivered waits": relay_archive,
    }),
    "rolling-out.md": ({}, {
        "mynetworks of a site": rolling_networks,
        "nothing has changed, with gatepost and without": rolling_asked,
        "a week of mail": rolling_recorded,
        "nobody who should be let in is refused": rolling_after,
        "a killed sender is refused, and nothing else": rolling_kill,
        "nothing is refused any more": some_mail,
        "mynetworks alone lets nobody relay": rolling_mynetworks,
        "gatepost decides": rolling_decides,
        "the hits in SQL": rolling_hits,
    }),
}
