#!/usr/bin/python3
"""A sender or a list can be spelled in many ways that Postfix makes one of, mostly after the policy service was asked.
None of them gets around a kill entry, a closed list, local_sender_auth or refuse_null_sender.

Each table also says what Postfix makes of a spelling; that is looked up in delivered mail, so that a Postfix that
changes its mind shows here."""

from harness import Gatepostd, expect, expect_equal, run
from mta import Postfix
from smtp import Client, SmtpSession

SITE = ("domain example.com", "domain mail.example.com", "domain second.example", "domain host.example",
        "relay-domain backup.example")
SINGLE_LABEL = "boss@mail.example.com"  # append_dot_mydomain completes boss@mail

# Rules; the reply to the spellings; spellings that are refused; spellings that are not. With each, the return path that
# Postfix gives it.
SENDERS = (
    (("kill bad@killed.example",), "unacceptable mail address", (
        ("bad@killed.example", "bad@killed.example"),
        ("BAD@Killed.EXAMPLE", "BAD@Killed.EXAMPLE"),
        ("bad%killed.example", "bad@killed.example"),
        ("killed.example!bad", "bad@killed.example"),
        ("KILLED.example!Bad", "Bad@KILLED.example"),
        ("bad@killed.example.", "bad@killed.example"),
        ('bad@"killed.example "', "bad@killed.example"),
        ('bad@" killed .example"', "bad@killed.example"),
        ('bad@"killed.example\t"', "bad@killed.example"),
        ('bad@"killed\t. example."', "bad@killed.example"),
        ('"bad"@killed.example', "bad@killed.example"),
        ('"b\\ad"@killed.example', "bad@killed.example"),
        ("b\\ad@killed.example", "bad@killed.example"),
        ("@example.net,@example.org:bad@killed.example", "bad@killed.example"),
        ('"bad%killed.example"', "bad@killed.example"),
        ('"killed.example!bad"', "bad@killed.example"),
    ), (
        ("worse@killed.example", "worse@killed.example"),
        ("bad+x@killed.example", "bad+x@killed.example"),
        ("bad@sub.killed.example", "bad@sub.killed.example"),
        ("bad@killed.example.net", "bad@killed.example.net"),
        ("bad%killed.example@example.net", "bad%killed.example@example.net"),
        ('"bad@killed.example"@example.net', '"bad@killed.example"@example.net'),
        ("example.net!bad@killed.example", "example.net!bad@killed.example"),
    )),
    (("kill @killed.example", "kill @.below.example", "kill @*fix.example"), "unacceptable mail address", (
        ("bad%other%killed.example", "bad%other@killed.example"),
        ("killed.example!other!bad", "other!bad@killed.example"),
        ("bad%other@killed.example.", "bad%other@killed.example"),
        ("example.net!bad@killed.example", "example.net!bad@killed.example"),
        ("bad@other@killed.example", '"bad@other"@killed.example'),
        ("bad%mail.below.example", "bad@mail.below.example"),
        ('bad@"mail. below.example"', "bad@mail.below.example"),
        ("PREFIX.EXAMPLE!bad", "bad@PREFIX.EXAMPLE"),
        ("bad@suffix.example.", "bad@suffix.example"),
    ), (
        ("bad%below.example", "bad@below.example"),
        ("bad%suffix.example.net", "bad@suffix.example.net"),
        ("killed.example%bad", "killed.example@bad.example.com"),
    )),
    (("kill stra\u00dfe@killed.example", "kill @b\u00fccher.example", "kill @xn--strae-oqa.example"),
     "unacceptable mail address", (
        ("stra\u00dfe@killed.example", "stra\u00dfe@killed.example"),
        ("STRASSE@killed.example", "STRASSE@killed.example"),
        ("\u017ftra\u017fse@killed.example", "\u017ftra\u017fse@killed.example"),
        ("stra\u1e9ee%killed.example", "stra\u1e9ee@killed.example"),
        ("bad@b\u00fccher.example", "bad@b\u00fccher.example"),
        ("bad@B\u00dcCHER.example.", "bad@B\u00dcCHER.example"),
        ("bad@xn--bcher-kva.example", "bad@xn--bcher-kva.example"),
        ("bad@XN--BCHER-KVA.example", "bad@XN--BCHER-KVA.example"),
        ("b\u00fccher.example!bad", "bad@b\u00fccher.example"),
        ("bad@bu\u0308cher.example", "bad@bu\u0308cher.example"),
        ("bad@b\u00fccher\u3002example", "bad@b\u00fccher\u3002example.example.com"),  # no ASCII dot: completed
        ("bad@stra\u00dfe.example", "bad@stra\u00dfe.example"),
    ), (
        ("strase@killed.example", "strase@killed.example"),
        ("bad@bucher.example", "bad@bucher.example"),
        ("bad@strasse.example", "bad@strasse.example"),
    )),
    (("kill boss@second.example",), "unacceptable mail address", (
        # Postfix appends $myorigin, and a bare sender is matched at every local domain.
        ("boss", "boss@example.com"),
        ("BOSS", "BOSS@example.com"),
        ('"boss"', "boss@example.com"),
        ("boss%second.example", "boss@second.example"),
    ), (
        ("bos", "bos@example.com"),
        ("boss@example.com", "boss@example.com"),
        ("boss@mail", SINGLE_LABEL),  # as documented: a single label is local for local_sender_auth, not for this
    )),
    (("set local_sender_auth yes",), "local sender not authorized", (
        ("boss@example.com", "boss@example.com"),
        ("BOSS@EXAMPLE.COM", "BOSS@EXAMPLE.COM"),
        ("boss", "boss@example.com"),
        ("boss+x", "boss+x@example.com"),
        ("boss%example.com", "boss@example.com"),
        ("example.com!boss", "boss@example.com"),
        ("boss@example.com.", "boss@example.com"),
        ('boss@"example.com "', "boss@example.com"),
        ('boss@"example\t.com"', "boss@example.com"),
        ('"boss"@example.com', "boss@example.com"),
        ("@example.net:boss@example.com", "boss@example.com"),
        ("boss@other@example.com", '"boss@other"@example.com'),
        ("boss@mail", SINGLE_LABEL),
        ("boss@MAIL.", "boss@MAIL"),
        ("boss%mail", SINGLE_LABEL),
        ("mail!boss", SINGLE_LABEL),
        ("boss@elsewhere", "boss@elsewhere.example.com"),
        ("MAILER-DAEMON@example.com", ""),
        ("boss@\uff45xample.com", "boss@\uff45xample.com"),
        ("boss@example\u3002com", "boss@example\u3002com.example.com"),
        ("boss@host.example", "boss@host.example"),
    ), (
        ("", ""),
        ("boss@backup.example", "boss@backup.example"),
        ("boss@example.com.example.net", "boss@example.com.example.net"),
        ("boss%example.com@example.net", "boss%example.com@example.net"),
        ('"boss@example.com"@example.net', '"boss@example.com"@example.net'),
        # As documented: masquerade_domains = example.com would make boss@example.com of it; then local_domain needs
        # the row .example.com, as below.
        ("boss@any.example.com", "boss@any.example.com"),
    )),
    (("set local_sender_auth yes", "domain .example.com"), "local sender not authorized", (
        ("boss@any.example.com", "boss@any.example.com"),
        ("boss%any.example.com", "boss@any.example.com"),
    ), (
        ("boss@anyexample.com", "boss@anyexample.com"),
    )),
    (("set refuse_null_sender yes",), "null sender not accepted", (
        ("", ""),
        ("MAILER-DAEMON", ""),
        ("mailer-daemon", ""),
        ('"Mailer-Daemon"', ""),
        ("MAILER-DAEMON@example.com", ""),
        ("Mailer-Daemon@Example.COM", ""),
        ("mailer-daemon@example.com.", ""),
        ('MAILER-DAEMON@"example. com"', ""),
        ("MAILER-DAEMON%example.com", ""),
        ("example.com!mailer-daemon", ""),
        ("@example.net:MAILER-DAEMON@example.com", ""),
        ("MAILER-DAEMON@mail", None),
    ), (
        ("mailer-daemon@example.net", "mailer-daemon@example.net"),
        ("mailer-daemon@backup.example", "mailer-daemon@backup.example"),
        ("mailer-daemon%example.com@example.net", "mailer-daemon%example.com@example.net"),
        ("mailer-daemon-x@example.com", "mailer-daemon-x@example.com"),
        ("mailerdaemon", "mailerdaemon@example.com"),
    )),
)

LIST_TEXT = "remote mail to this list is not accepted"
ROUTED_TEXT = "routed recipient, not a gateway"
EVERYBODY = ["anna@example.com", "otto@example.com"]  # the members of staff

# Spellings of the list staff: the reply while the list is closed, and whom they reach while it is open (None: Postfix
# itself takes that for relaying, or there is no such list).
LISTS = (
    ("staff@example.com", LIST_TEXT, EVERYBODY),
    ("staff@mail.example.com", LIST_TEXT, EVERYBODY),
    ("staff@second.example", LIST_TEXT, EVERYBODY),
    ("staff@host.example", LIST_TEXT, None),
    ("STAFF@Example.COM", LIST_TEXT, EVERYBODY),
    ("Staff@SECOND.EXAMPLE", LIST_TEXT, EVERYBODY),
    ("staff@example.com.", LIST_TEXT, EVERYBODY),
    ('staff@"example.com "', LIST_TEXT, EVERYBODY),
    ('staff@"example\t. com"', LIST_TEXT, EVERYBODY),
    ('"staff"@example.com', LIST_TEXT, EVERYBODY),
    ('"st\\aff"@example.com', LIST_TEXT, EVERYBODY),
    ("@example.net:staff@example.com", LIST_TEXT, EVERYBODY),
    ("staff", LIST_TEXT, EVERYBODY),
    ("STAFF", LIST_TEXT, EVERYBODY),
    ('"staff"', LIST_TEXT, EVERYBODY),
    ("staff+x@example.com", LIST_TEXT, EVERYBODY),
    ("staff+@example.com", LIST_TEXT, EVERYBODY),
    ("Staff+x+y@second.example.", LIST_TEXT, EVERYBODY),
    ("staff+x", LIST_TEXT, EVERYBODY),
    ("\u017ftaff@example.com", LIST_TEXT, EVERYBODY),
    ("sta\ufb00@example.com", LIST_TEXT, EVERYBODY),
    ("\ufb06aff@second.example", LIST_TEXT, EVERYBODY),
    ("\u017fTA\ufb00+x@mail.example.com", LIST_TEXT, EVERYBODY),
    ("\u017ftaff", LIST_TEXT, EVERYBODY),
    ("staff@\uff45xample.com", LIST_TEXT, None),
    ("staff%example.com", ROUTED_TEXT, EVERYBODY),
    ("example.com!staff", ROUTED_TEXT, EVERYBODY),
    ("staff%second.example@example.com", ROUTED_TEXT, EVERYBODY),
    ("second.example!staff@example.com", ROUTED_TEXT, EVERYBODY),
    ("staff@second.example@example.com", ROUTED_TEXT, EVERYBODY),
    ("example.com!second.example!staff", ROUTED_TEXT, EVERYBODY),
    ("staff%second.example%mail.example.com@example.com", ROUTED_TEXT, EVERYBODY),
    ("sta\ufb00+x%second.example@example.com", ROUTED_TEXT, EVERYBODY),
)
NO_LISTS = ("staffs@example.com", "x+staff@example.com", "taff@example.com", "+staff@example.com",
            "staff@backup.example", "news@example.com")


def reply_to(postfix, sender, recipient):
    with SmtpSession(postfix.ports["spec"]) as session:
        return session.try_rcpt(sender, recipient)


def expect_text(reply, text):
    expect(reply.code == 554 and reply.text.endswith("Recipient address rejected: " + text), str(reply))


def test_senders(tap, gate, postfix):
    for rules, text, refused, accepted in SENDERS:
        gate.rules(*SITE, *rules)
        for sender, _ in refused:
            with tap.case("%s: <%s> is refused" % (", ".join(rules), sender)):
                expect_text(reply_to(postfix, sender, "bob@example.com"), text)
        for sender, _ in accepted:
            with tap.case("%s: <%s> is not refused" % (", ".join(rules), sender)):
                reply = reply_to(postfix, sender, "bob@example.com")
                expect_equal(reply.code, 250, str(reply))


def test_what_postfix_makes_of_senders(tap, gate, postfix):
    gate.rules(*SITE)
    return_paths = dict(pair for _, _, refused, accepted in SENDERS for pair in refused + accepted)
    for number, (sender, becomes) in enumerate(return_paths.items()):
        if becomes is None:
            continue
        with tap.case("Postfix makes <%s> of <%s>" % (becomes, sender)):
            subject = "sender %d" % number
            with SmtpSession(postfix.ports["spec"]) as session:
                expect_equal(session.try_rcpt(sender, "bob@example.com").code, 250)
                postfix.delivered(session.data("Subject: %s\n\ntext\n" % subject))
            found = [one.return_path for one in postfix.inbox() if one.subject == subject]
            expect_equal(found, ["<%s>" % becomes])


def test_lists(tap, gate, postfix):
    for rules in (("closed-list staff", "list news"), ("set list_remote_mail no", "list staff", "open-list news"),
                  ("closed-list \u017ftaff", "open-list news@example.com")):
        gate.rules(*SITE, *rules)
        for recipient, text, _ in LISTS:
            with tap.case("%s: <%s> is refused" % (", ".join(rules), recipient)):
                expect_text(reply_to(postfix, "fred@example.net", recipient), text)
        for recipient in NO_LISTS:
            with tap.case("%s: <%s> is not refused" % (", ".join(rules), recipient)):
                reply = reply_to(postfix, "fred@example.net", recipient)
                expect_equal(reply.code, 250, str(reply))
    gate.rules(*SITE, "closed-list staff", "set refuse_routed_recipient no")
    for recipient, text, _ in LISTS:
        with tap.case("closed-list staff, routing permitted: <%s> is refused as a list" % recipient):
            expect_text(reply_to(postfix, "fred@example.net", recipient), LIST_TEXT)
    gate.rules(*SITE, "closed-list staff@example.com")
    for recipient, code in (("staff@example.com", 554), ("staff", 554), ("sta\ufb00+x@example.com", 554),
                            ("staff@second.example", 250)):  # as documented: lint says to write it without a domain
        with tap.case("closed-list staff@example.com: <%s> gets %d" % (recipient, code)):
            expect_equal(reply_to(postfix, "fred@example.net", recipient).code, code)


def test_whom_lists_reach(tap, gate, postfix):
    """What the spellings are good for: with the list open, each reaches its members."""
    gate.rules(*SITE, "grant 192.0.2.50")
    for recipient, _, members in LISTS:
        if members is None:
            continue
        with tap.case("the open list, as <%s>, reaches %s" % (recipient, ", ".join(members))):
            with SmtpSession(postfix.ports["direct"], Client("192.0.2.50")) as session:
                reply = session.try_rcpt("fred@example.net", recipient)
                expect_equal(reply.code, 250, str(reply))
                expect_equal(sorted(postfix.delivered(session.data("Subject: list\n\ntext\n"))), members)


def program(tap, scratch):
    gate = Gatepostd(scratch)
    postfix = Postfix(scratch, gate.endpoint)
    for test in (test_senders, test_what_postfix_makes_of_senders, test_lists, test_whom_lists_reach):
        test(tap, gate, postfix)
    with tap.case("gatepostd ends cleanly"):
        gate.stop()


if __name__ == "__main__":
    run(program)
