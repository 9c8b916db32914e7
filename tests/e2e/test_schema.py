#!/usr/bin/python3
"""sql/schema.sql as a user of plain sqlite3 meets it: what each table accepts and refuses, and what rule_change then
says. Prints TAP. Needs nothing but the sqlite3 program; `srcdir` names the source tree where it is not two folders up."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(os.environ.get("srcdir") or Path(__file__).resolve().parents[2])
SCHEMA = SOURCE / "sql" / "schema.sql"

KEPT = 100_000      # rows of rule_change

# ---------------------------------------------------------------------------------------------------------------------
# Tables: columns in their order, and two good rows whose keys differ
# ---------------------------------------------------------------------------------------------------------------------

TAIL = ("note", "created", "expires")
COLUMNS = {
    "access_block": ("block", "verdict") + TAIL,
    "relay_grant": ("client", "verdict") + TAIL,
    "kill_entry": ("sender",) + TAIL,
    "accept_entry": ("sender", "client") + TAIL,
    "local_domain": ("domain", "kind") + TAIL,
    "local_user": ("address", "account") + TAIL,
    "local_list": ("address", "remote_mail") + TAIL,
    "setting": ("name", "value"),
}
OPTIONAL = {"note", "expires", "account", "remote_mail"}        # columns that may be NULL

GOOD = {
    "access_block": ({"block": "192.0.2.0/24", "verdict": "deny"}, {"block": "2001:db8::/32", "verdict": "grant"}),
    "relay_grant": ({"client": "192.0.2.7", "verdict": "grant"}, {"client": "2001:db8::1", "verdict": "refuse"}),
    "kill_entry": ({"sender": "@widget.example"}, {"sender": "fred@example.net"}),
    "accept_entry": ({"sender": "fred@example.net", "client": "192.0.2.7"}, {"sender": "@example.org", "client": ""}),
    "local_domain": ({"domain": "example.com", "kind": "local"}, {"domain": ".example.org", "kind": "relay"}),
    "local_user": ({"address": "anna@example.com", "account": "boss"}, {"address": "bob", "account": None}),
    "local_list": ({"address": "staff", "remote_mail": "no"}, {"address": "all@example.com", "remote_mail": None}),
    "setting": ({"name": "relay_for", "value": "nobody"}, {"name": "reply_style", "value": "code"}),
}
# The same rows with another value, for updates.
CHANGED = {
    "access_block": {"verdict": "grant"}, "relay_grant": {"verdict": "refuse"}, "kill_entry": {"note": "seen again"},
    "accept_entry": {"note": "seen again"}, "local_domain": {"kind": "relay"}, "local_user": {"account": "chief"},
    "local_list": {"remote_mail": "yes"}, "setting": {"value": "anyone"},
}

# ---------------------------------------------------------------------------------------------------------------------
# Accepted and refused keys and values. Each case is a value; refused ones stand under what sqlite3 says of them.
# ---------------------------------------------------------------------------------------------------------------------

BLOCKS = [
    "192.0.2.7", "192.0.2.0/24", "0.0.0.0/0", "192.0.2.0/255.255.255.0", "192.0.2.1-50", "192.0.2.1-192.0.2.50",
    "192.0.2.*", "::", "::/0", "::1", "2001:db8::/32", "2001:db8::1", "2001:DB8::ABCD", "2001:db8::1-2001:db8::ff",
    "2001:db8:0:0:0:0:0:1", "::ffff:192.0.2.0/120", "::ffff:192.0.2.7",
]
NOT_BLOCKS = [
    "", " ", ".", "-", "*", "/", "10", "192", "192.0.2", "192.0.2.", ".0.2.1", "192.0.2.1-", "192.0.2.0/",
    "192.0.2.0/24 ", " 192.0.2.0/24", "192.0.2.0 - 192.0.2.9", "192.0.2.7,192.0.2.8", "192.0.2.7:25", "+192.0.2.7",
    ":", "2001:db8", "2001:db8::g", "2001:db8::/32 ", "2001:db8:*", "[2001:db8::1]", "2001:db8::1%eth0", "fred:a:b",
]
NAMES = [
    "mail.example.net", ".example.net", "MAIL.Example.NET", "mail.example.net.", "mailhost", "my_host.example.net",
    "a-b.example.net", "4.example.net", "192-0-2-7.example.net", "1e100.example", "xn--bcher-kva.example",
    "b\u00fccher.example", "unknown.example.net", "host.unknown-host", "mail.2x", "beef", "dead.beef",
]
NOT_NAMES = [
    "unknown", "UNKNOWN", "Unknown", "unknown.", "mail.123", "mail.123.", "a.4", "mail..example.net", "..example.net",
    "*.example.net", "mail example.net", "mail.example.net ", "fred@example.net", "@example.net", "example.net/24",
    "mail.example.net,mx.example.net", "[192.0.2.7]", "<mail.example.net>", "host;drop", "a\\b", "~example.net",
]
SENDERS = [
    "fred@example.net", "FRED@Example.NET", "fred smith@example.net", "fred@example.net.", "fred@my_host.example.net",
    "@example.net", "@.example.net", "@*widget.example", "@*.example", "@*e", "@[192.0.2.1]", "fred@[192.0.2.1]",
    "fred@[IPv6:2001:db8::1]", "@[IPv6:2001:DB8::1]", "<fred@example.net>", "j\u00fcrgen@b\u00fccher.example",
    "@\u4f8b\u3048.example", "fred+x@example.net", "a*b@example.net", "a%b@example.net", "a!b@example.net", "x@mail",
    "-@example.net", "'fred'@example.net", "a,b@example.net", "fred@exam ple.net",
]
NOT_SENDERS = [
    "", " ", "fred", "example.net", "@", "@.", "@..", "@ ", "@. ", "@*", "@*.", "@* ", "fred@", "fred@.", "fred@..",
    "fred@ ", "@@example.net", "fred@@example.net", "fred@example.net@example.org", "fred@example.net, x@example.net",
    "@**widget.example", "@widget*", "@.*", "fred@*", "fred@*widget.example", "fred@widget.*", "fred@.example.net",
]
DOMAINS = [
    "example.com", ".example.com", "EXAMPLE.com", "example.com.", "localhost", "my_host.example.com", "[192.0.2.1]",
    "[IPv6:2001:db8::1]", "b\u00fccher.example", "\u4f8b\u3048.example", "xn--bcher-kva.example", "1.example", "unknown",
]
NOT_DOMAINS = [
    "", " ", ".", "..", ". ", "@", "@example.com", "fred@example.com", "*.example.com", "*", "a.example,b.example",
]
ADDRESSES = [
    "staff", "staff@example.com", "STAFF@Example.COM", "staff meeting@example.com", "staff meeting", "staff+x",
    "staff@[192.0.2.1]", "staff@[IPv6:2001:db8::1]", "staff@example.com.", "<staff@example.com>", "a%b@example.com",
    "j\u00fcrgen@b\u00fccher.example", "\u017ftaff", "staff@host", "192.0.2.1", "my_list", ".", "*",
]
NOT_ADDRESSES = [
    "", "@", "@example.com", "staff@", "staff@.", "staff@ ", "staff@@example.com", "a@b@example.com",
    "staff@example.com,all@example.com",
]

KEYS = {
    ("access_block", "block"): (BLOCKS, {"block is an IP": NOT_BLOCKS + ["mail.example.net", "unknown", "fred@[::1]"]}),
    ("relay_grant", "client"): (BLOCKS + NAMES, {"client is an IP": NOT_BLOCKS + NOT_NAMES}),
    ("kill_entry", "sender"): (SENDERS, {"sender is user@host": NOT_SENDERS}),
    ("accept_entry", "sender"): (SENDERS, {"sender is user@host": NOT_SENDERS}),
    ("accept_entry", "client"): (BLOCKS + [""], {
        "client is '' or an IP": [x for x in NOT_BLOCKS if x] + ["mail.example.net", ".example.net", "unknown"]}),
    ("local_domain", "domain"): (DOMAINS, {"domain is one domain": NOT_DOMAINS}),
    ("local_user", "address"): (ADDRESSES, {"address is user@host": NOT_ADDRESSES}),
    ("local_list", "address"): (ADDRESSES, {"address is list@host": NOT_ADDRESSES}),
}

VALUES = {
    ("access_block", "verdict"): (["deny", "grant"], {"verdict is": ["", "refuse", "Deny", "deny ", "1"]}),
    ("relay_grant", "verdict"): (["grant", "refuse"], {"verdict is": ["", "deny", "Grant", " grant", "yes"]}),
    ("local_domain", "kind"): (["local", "relay"], {"kind is": ["", "LOCAL", "backup"]}),
    ("local_user", "account"): ([None, "boss", "boss@example.com", "Boss", "a b", "j\u00fcrgen"], {"account is": [""]}),
    ("local_list", "remote_mail"): ([None, "yes", "no"], {"remote_mail is": ["", "YES", "1", "maybe"]}),
}

# Whole rows where the columns hang together.
ROWS = [
    ("relay_grant", {"client": "192.0.2.0/24", "verdict": "refuse"}, None),
    ("relay_grant", {"client": "2001:db8::/32", "verdict": "refuse"}, None),
    ("relay_grant", {"client": "mail.example.net", "verdict": "grant"}, None),
    ("relay_grant", {"client": "mail.example.net", "verdict": "refuse"}, "only a block can be refused"),
    ("relay_grant", {"client": ".example.net", "verdict": "refuse"}, "only a block can be refused"),
    ("relay_grant", {"client": "dead.beef", "verdict": "refuse"}, "only a block can be refused"),
    ("accept_entry", {"sender": "@example.net"}, None),
]

REASONS = ["access", "submission", "vrfy", "kill", "null-sender", "invalid-sender", "local-sender", "routed", "list",
           "relay", "unverified", "recipients", "unavailable"]
OBSERVABLE = [reason for reason in REASONS if reason not in ("unverified", "unavailable")]
YES_NO = (["yes", "no"], {"yes or no": ["", "Yes", "NO", "1", "0", "true", "on", " yes", "yes "]})
NOT_NUMBERS = ["", " ", "007", "00", "+5", "-0", "5 ", " 5", "5.0", "5e1", "0x5", "five", "50m", "5,0",
               "9223372036854775808", "99999999999999999999"]

SETTINGS = {
    "relay_for": (["nobody", "addresses", "local-users", "local-hosts", "anyone"],
                  {"relay_for is": ["", "Anyone", "local_users", "all", "nobody "]}),
    "unlisted_clients": (["grant", "deny"], {"unlisted_clients is": ["", "refuse", "Grant"]}),
    "pop_before_smtp": (["0", "1", "30", "10080"], {"written plainly": NOT_NUMBERS, "0 to 10080": ["-1", "10081"]}),
    "pop_before_smtp_match": (["sender", "address"], {"pop_before_smtp_match is": ["", "client", "Sender"]}),
    "pop_before_smtp_max_accounts": (["0", "3", "1000"], {"written plainly": NOT_NUMBERS, "0 to 1000": ["-1", "1001"]}),
    "pop_before_smtp_skip": (["", "127.0.0.0/8 ::1", "127.0.0.0/8, ::1", "192.0.2.1-50,192.0.2.*", "2001:DB8::/32"],
                             {"list of IP": ["localhost", "192.0.2.0/24;::1", "[::1]", "mail.example.net"]}),
    "pop_before_smtp_ipv6_prefix": (["48", "64", "128"], {
        "written plainly": NOT_NUMBERS + ["064"], "48 to 128": ["-1", "0", "47", "129"]}),
    "local_sender_auth": YES_NO,
    "refuse_null_sender": (["yes", "no", "authenticated"], {"refuse_null_sender is": ["", "Yes", "auth"]}),
    "observe": (
        ["", "all", " all ", " ", ",", ", ".join(OBSERVABLE), " ".join(reversed(OBSERVABLE)), "relay relay relay",
         " relay ,, kill,", "null-sender,local-sender,invalid-sender"] + OBSERVABLE,
        {"observe is": ["unavailable", "unverified", "relay unverified", "everything", "Relay", "ALL", "all relay",
                        "relays", "elay", "relay;kill", "relay/kill", "null_sender", "sender", "null-", "re kill lay",
                        "re kill  lay", "relaykill", "relay-kill", "0"]}),
    "require_valid_sender": YES_NO,
    "refuse_routed_recipient": YES_NO,
    "recipient_delimiter": (["", "+", "-", "+-", "!", "/", ":", "@", "[", "]", "`", "{", "~", "=", "_", ".", "^", "\\"],
                            {"ASCII punctuation": ["a", "Z", "0", " ", "+ ", "+a", "\u00b7", "\u2013"]}),
    "list_remote_mail": YES_NO,
    "max_recipients": (["0", "1", "50", "100000", "2147483647"], {
        "written plainly": NOT_NUMBERS, "max_recipients is": ["-1", "2147483648", "9223372036854775807"]}),
    "submission_ports": (
        ["", "587", "587 465", "587,465", " 587 , 465 ", "1", "9999", "10000", "59999", "64999", "65499", "65529", "65535"],
        {"submission_ports is": ["0", "587 0", "587,0", "0587", "587,025", "65536", "65540", "65600", "66000", "70000",
                                 "99999", "100000", "25 65536", "submission", "587;465", "-1", "+587", "587.0", "5-9"]}),
    "refuse_vrfy": YES_NO,
    "archive_to": (["", "archive@example.com", "Archive+x@[192.0.2.1]", "j\u00fcrgen@b\u00fccher.example", "a@b"],
                   {"archive_to is": [" ", "archive", "@", "@example.com", "archive@", "archive@.", "a@b@example.com",
                                      "my archive@example.com", "a@example.com ", "a@example.com b@example.com"]}),
    "archive": (["all", "inbound", "outbound"], {"archive is": ["", "none", "All"]}),
    "reply_style": (["verb", "code"], {"reply_style is": ["", "codes", "VERB"]}),
}
TEXTS = (
    ["no", " ", "x" * 512, "\u00fc" * 256, "from %{client} by %{sender} for %{recipient} at %{domain}", "100 %", "50% off",
     "%%", "%%%%", "%%{client}", "%%{anything}", "%%%{client}", "%%%%{anything}", "%{client}{anything}", "{client}",
     "% {anything}", "%{client}%{client}", "%{client}%%{sender}", "%}", "% %{domain} %"],
    {"1 to 512 bytes": ["", "x" * 513, "\u00fc" * 256 + "x"],
     "no placeholders but": ["%{", "%{}", "%{user}", "%{Client}", "%{client", "%{client }", "%{ client}", "%%%{user}",
                             "%{client}%{user}", "%{cli%%ent}", "%{cli%{client}ent}", "%{sen%{client}der}", "%{%{client}}",
                             "%{%{client}client}", "%{%%{client}", "%%%%%{x}"]})
SETTINGS |= {"text_" + reason.replace("-", "_"): TEXTS for reason in REASONS}

NOT_SETTINGS = ["", " ", "relay", "Relay_for", "relay_for ", "relay-for", "text_", "text_null-sender", "text_spam", "database"]

CONTROLS = ["\0", "\x01", "\t", "\n", "\r", "\x1f", "\x7f"]

# ---------------------------------------------------------------------------------------------------------------------
# What rule_change says. A case is a name, statements that go before, statements, and the changes they make.
# ---------------------------------------------------------------------------------------------------------------------


def kill(sender, note=None, created=1, expires=None):
    return {"sender": sender, "note": note, "created": created, "expires": expires}


def accept(sender, client, note=None, created=1, expires=None):
    return {"sender": sender, "client": client, "note": note, "created": created, "expires": expires}


def inserted(key, new, kind="kill_entry"):
    return (kind, key, "insert", None, new)


def updated(key, old, new, kind="kill_entry"):
    return (kind, key, "update", old, new)


def deleted(key, old, kind="kill_entry"):
    return (kind, key, "delete", old, None)


A, B, C, D = "@a.example", "@b.example", "@c.example", "@d.example"
# rowids 1, 2, 3
ABC = f"INSERT INTO kill_entry (sender, created) VALUES ('{A}', 1), ('{B}', 1), ('{C}', 1)"
X, Y = "x@example.net", "192.0.2.7"
XY = f"INSERT INTO accept_entry (sender, client, created) VALUES ('{X}', '{Y}', 1), ('{X}', '', 1)"
KILL = "INTO kill_entry (sender, note, created) VALUES"
KILL_AT = "INTO kill_entry (rowid, sender, note, created) VALUES"

CHANGES = [
    # plain statements
    ("a statement of many rows gives one change a row", "", ABC,
     [inserted(A, kill(A)), inserted(B, kill(B)), inserted(C, kill(C))]),
    ("an update of many rows", ABC, "UPDATE kill_entry SET note = 'n' WHERE sender <> '@b.example'",
     [updated(A, kill(A), kill(A, "n")), updated(C, kill(C), kill(C, "n"))]),
    ("an update that changes nothing", ABC, "UPDATE kill_entry SET note = note, expires = NULL, sender = sender", []),
    ("an update that changes one row of three", ABC, "UPDATE kill_entry SET note = iif(sender = '@b.example', 'n', NULL)",
     [updated(B, kill(B), kill(B, "n"))]),
    ("an update from a value to NULL", ABC, "UPDATE kill_entry SET expires = 9; UPDATE kill_entry SET expires = NULL"
     f" WHERE sender = '{A}'",
     [updated(k, kill(k), kill(k, expires=9)) for k in (A, B, C)] + [updated(A, kill(A, expires=9), kill(A))]),
    ("an update of the key", ABC, f"UPDATE kill_entry SET sender = '{D}' WHERE sender = '{A}'",
     [updated(D, kill(A), kill(D))]),
    ("an update of the rowid alone is none of a rule", ABC, "UPDATE kill_entry SET rowid = rowid + 10", []),
    ("keys passed on along a column", ABC, "UPDATE kill_entry SET sender = '@a' || substr(sender, 2)",
     [updated("@a" + k[1:], kill(k), kill("@a" + k[1:])) for k in (A, B, C)]),
    ("a delete of all", ABC, "DELETE FROM kill_entry", [deleted(k, kill(k)) for k in (A, B, C)]),
    ("text that JSON has to quote", "", "INSERT INTO kill_entry (sender, note, created) VALUES"
     " ('\"\\@example.net', 'J\u00fcrgen''s \"x\" {}', 1)",
     [inserted('"\\@example.net', kill('"\\@example.net', 'J\u00fcrgen\'s "x" {}'))]),

    # INSERT OR REPLACE
    ("REPLACE of nothing is an insert", "", f"REPLACE {KILL} ('{A}', 'n', 1)", [inserted(A, kill(A, "n"))]),
    ("REPLACE of the same key is one update", ABC, f"REPLACE {KILL} ('{B}', 'n', 2)",
     [updated(B, kill(B), kill(B, "n", 2))]),
    ("REPLACE by the same row is no change", ABC, f"REPLACE {KILL} ('{B}', NULL, 1)", []),
    ("REPLACE of many rows, old, new and twice", ABC, f"REPLACE {KILL} ('{B}', 'n', 1), ('{D}', 'n', 1), ('{B}', 'm', 1)",
     [updated(B, kill(B), kill(B, "n")), inserted(D, kill(D, "n")), updated(B, kill(B, "n"), kill(B, "m"))]),
    ("REPLACE from a SELECT of the same table", ABC, "REPLACE INTO kill_entry (sender, note, created)"
     " SELECT sender, 'n', created FROM kill_entry",
     [updated(k, kill(k), kill(k, "n")) for k in (A, B, C)]),
    ("REPLACE that hits another row by rowid", ABC, f"REPLACE {KILL_AT} (1, '{D}', NULL, 1)",
     [deleted(A, kill(A)), inserted(D, kill(D))]),
    ("REPLACE that hits one row by key, another by rowid", ABC, f"REPLACE {KILL_AT} (1, '{B}', 'n', 1)",
     [deleted(A, kill(A)), updated(B, kill(B), kill(B, "n"))]),
    ("REPLACE that hits one row by both", ABC, f"REPLACE {KILL_AT} (2, '{B}', 'n', 1)",
     [updated(B, kill(B), kill(B, "n"))]),
    ("REPLACE with a rowid of its own", ABC, f"REPLACE {KILL_AT} (77, '{B}', 'n', 1)", [updated(B, kill(B), kill(B, "n"))]),
    ("an insert is not mistaken for one of rowid -1", f"INSERT {KILL_AT} (-1, '{A}', NULL, 1)",
     f"REPLACE {KILL} ('{B}', NULL, 1)", [inserted(B, kill(B))]),
    ("REPLACE that hits rowid -1", f"INSERT {KILL_AT} (-1, '{A}', NULL, 1)", f"REPLACE {KILL_AT} (-1, '{B}', NULL, 1)",
     [deleted(A, kill(A)), inserted(B, kill(B))]),
    ("REPLACE that is refused", ABC, f"REPLACE {KILL} ('{B}', 'n', -1)", []),
    ("REPLACE that is refused at its second row", ABC, f"REPLACE {KILL} ('{B}', 'n', 1), ('nobody', 'n', 1)", []),

    # OR IGNORE, OR FAIL, OR ROLLBACK, OR ABORT
    ("OR IGNORE of a key that is there", ABC, f"INSERT OR IGNORE {KILL} ('{B}', 'n', 2)", []),
    ("OR IGNORE of many rows", ABC, f"INSERT OR IGNORE {KILL} ('{A}', 'n', 2), ('{D}', 'n', 2), ('{C}', 'n', 2)",
     [inserted(D, kill(D, "n", 2))]),
    ("OR IGNORE of a rowid that is there", ABC, f"INSERT OR IGNORE {KILL_AT} (1, '{D}', 'n', 2)", []),
    ("OR IGNORE of a row that a CHECK refuses", ABC, f"INSERT OR IGNORE {KILL} ('nobody', 'n', 1), (NULL, 'n', 1), ('{D}', 'n', -1)",
     []),
    ("UPDATE OR IGNORE", ABC, f"UPDATE OR IGNORE kill_entry SET sender = '{D}'", [updated(D, kill(A), kill(D))]),
    ("OR FAIL keeps what came before", ABC, f"INSERT OR FAIL {KILL} ('{D}', 'n', 1), ('{B}', 'n', 1), ('@e.example', 'n', 1)",
     [inserted(D, kill(D, "n"))]),
    ("UPDATE OR FAIL keeps what came before", ABC, f"UPDATE OR FAIL kill_entry SET sender = '{D}'",
     [updated(D, kill(A), kill(D))]),
    ("OR ABORT leaves nothing of its statement", ABC, f"INSERT {KILL} ('{D}', 'n', 1), ('{B}', 'n', 1)", []),
    ("OR ROLLBACK leaves nothing of its transaction", ABC, f"BEGIN; DELETE FROM kill_entry WHERE sender = '{A}';"
     f" INSERT OR ROLLBACK {KILL} ('{B}', 'n', 1)", []),

    # upserts
    ("DO NOTHING", ABC, f"INSERT {KILL} ('{B}', 'n', 2) ON CONFLICT DO NOTHING", []),
    ("DO UPDATE", ABC, f"INSERT {KILL} ('{B}', 'n', 2) ON CONFLICT (sender) DO UPDATE SET note = excluded.note",
     [updated(B, kill(B), kill(B, "n"))]),
    ("DO UPDATE of a new key is an insert", ABC, f"INSERT {KILL} ('{D}', 'n', 2) ON CONFLICT (sender) DO UPDATE SET note = 'm'",
     [inserted(D, kill(D, "n", 2))]),
    ("DO UPDATE that changes nothing", ABC, f"INSERT {KILL} ('{B}', NULL, 2) ON CONFLICT (sender) DO UPDATE SET note = NULL", []),
    ("DO UPDATE WHERE that is false", ABC, f"INSERT {KILL} ('{B}', 'n', 2) ON CONFLICT (sender) DO UPDATE SET note = 'm' WHERE 0",
     []),
    ("DO UPDATE of the key", ABC, f"INSERT {KILL} ('{B}', 'n', 2) ON CONFLICT (sender) DO UPDATE SET sender = '{D}'",
     [updated(D, kill(B), kill(D))]),
    ("an upsert of many rows", ABC, f"INSERT {KILL} ('{B}', 'n', 2), ('{D}', 'n', 2), ('{D}', 'm', 2)"
     " ON CONFLICT (sender) DO UPDATE SET note = excluded.note",
     [updated(B, kill(B), kill(B, "n")), inserted(D, kill(D, "n", 2)), updated(D, kill(D, "n", 2), kill(D, "m", 2))]),

    # UPDATE OR REPLACE
    ("UPDATE OR REPLACE onto another row's key", ABC, f"UPDATE OR REPLACE kill_entry SET sender = '{B}' WHERE sender = '{A}'",
     [deleted(B, kill(B)), updated(B, kill(A), kill(B))]),
    ("UPDATE OR REPLACE onto another row's rowid", ABC, f"UPDATE OR REPLACE kill_entry SET rowid = 2 WHERE sender = '{A}'",
     [deleted(B, kill(B))]),
    ("UPDATE OR REPLACE onto the key of one, the rowid of another", ABC,
     f"UPDATE OR REPLACE kill_entry SET rowid = 3, sender = '{B}' WHERE sender = '{A}'",
     [deleted((B, C), None), deleted((B, C), None), updated(B, kill(A), kill(B))]),
    ("UPDATE OR REPLACE of all rows to one key", ABC, f"UPDATE OR REPLACE kill_entry SET sender = '{D}'",
     [updated(D, kill(A), kill(D)), deleted(D, kill(D)), updated(D, kill(B), kill(D)), deleted(D, kill(D)),
      updated(D, kill(C), kill(D))]),
    ("UPDATE OR REPLACE that replaces nothing", ABC, f"UPDATE OR REPLACE kill_entry SET note = 'n' WHERE sender = '{A}'",
     [updated(A, kill(A), kill(A, "n"))]),

    # what an insert that was not made leaves behind
    ("a delete after an ignored insert of its key", ABC,
     f"INSERT OR IGNORE {KILL} ('{B}', 'n', 2); DELETE FROM kill_entry WHERE sender = '{B}'", [deleted(B, kill(B))]),
    ("a delete of all after DO NOTHING", ABC, f"INSERT {KILL} ('{B}', 'n', 2) ON CONFLICT DO NOTHING; DELETE FROM kill_entry",
     [deleted(k, kill(k)) for k in (A, B, C)]),
    ("an insert anew after an ignored one and a delete", ABC, f"INSERT OR IGNORE {KILL} ('{B}', 'n', 2);"
     f" DELETE FROM kill_entry WHERE sender = '{B}'; INSERT {KILL} ('{B}', 'm', 3)",
     [deleted(B, kill(B)), inserted(B, kill(B, "m", 3))]),
    ("an update after an ignored insert of its key", ABC, f"INSERT OR IGNORE {KILL} ('{B}', 'n', 2);"
     f" UPDATE kill_entry SET note = 'm' WHERE sender = '{B}'", [updated(B, kill(B), kill(B, "m"))]),
    ("an update of another row after an ignored insert", ABC, f"INSERT OR IGNORE {KILL} ('{B}', 'n', 2);"
     f" UPDATE kill_entry SET note = 'm' WHERE sender = '{A}'", [updated(A, kill(A), kill(A, "m"))]),
    ("an insert after an ignored one", ABC, f"INSERT OR IGNORE {KILL} ('{B}', 'n', 2); INSERT {KILL} ('{D}', 'n', 2)",
     [inserted(D, kill(D, "n", 2))]),
    ("a row of another table after an ignored insert", ABC + "; " + XY, f"INSERT OR IGNORE {KILL} ('{A}', 'n', 2);"
     f" DELETE FROM accept_entry WHERE rowid = 1; REPLACE INTO accept_entry (sender, client, created) VALUES ('{X}', '', 2)",
     [deleted(f"{X} {Y}", accept(X, Y), "accept_entry"), updated(X, accept(X, ""), accept(X, "", None, 2), "accept_entry")]),
    ("a row of another table with rowid and key of the ignored one", "INSERT INTO local_user (address, created) VALUES"
     " ('bob', 1); INSERT INTO local_list (address, created) VALUES ('bob', 1)",
     "INSERT OR IGNORE INTO local_user (address) VALUES ('bob'); DELETE FROM local_list",
     [deleted("bob", {"address": "bob", "remote_mail": None, "note": None, "created": 1, "expires": None}, "local_list")]),
    ("REPLACE after OR FAIL failed", ABC, f"INSERT OR FAIL {KILL} ('{B}', 'n', 1); REPLACE {KILL} ('{B}', 'm', 1)",
     [updated(B, kill(B), kill(B, "m"))]),

    # transactions
    ("a rolled back transaction", ABC, f"BEGIN; DELETE FROM kill_entry; REPLACE {KILL} ('{B}', 'n', 1); ROLLBACK", []),
    ("a rolled back savepoint", ABC, f"BEGIN; DELETE FROM kill_entry WHERE sender = '{A}'; SAVEPOINT s; REPLACE {KILL}"
     f" ('{B}', 'n', 1); ROLLBACK TO s; REPLACE {KILL} ('{B}', 'm', 1); COMMIT",
     [deleted(A, kill(A)), updated(B, kill(B), kill(B, "m"))]),
    ("a savepoint rolled back to after an ignored insert", ABC, f"BEGIN; SAVEPOINT s; INSERT OR IGNORE {KILL} ('{B}', 'n', 1);"
     f" ROLLBACK TO s; DELETE FROM kill_entry WHERE sender = '{B}'; COMMIT", [deleted(B, kill(B))]),
    ("a key that comes, goes and comes again", "", f"INSERT {KILL} ('{A}', 'n', 1); DELETE FROM kill_entry;"
     f" INSERT {KILL} ('{A}', 'm', 2)",
     [inserted(A, kill(A, "n")), deleted(A, kill(A, "n")), inserted(A, kill(A, "m", 2))]),

    # accept_entry: the key is two columns
    ("accept_entry's key has the client behind a blank", "", XY,
     [inserted(f"{X} {Y}", accept(X, Y), "accept_entry"), inserted(X, accept(X, ""), "accept_entry")]),
    ("accept_entry: REPLACE where only the sender is the same", XY, "REPLACE INTO accept_entry (sender, client, created)"
     f" VALUES ('{X}', '192.0.2.8', 1)", [inserted(f"{X} 192.0.2.8", accept(X, "192.0.2.8"), "accept_entry")]),
    ("accept_entry: REPLACE with a NULL client means any", XY, "REPLACE INTO accept_entry (sender, client, note, created)"
     f" VALUES ('{X}', NULL, 'n', 1)", [updated(X, accept(X, ""), accept(X, "", "n"), "accept_entry")]),
    ("accept_entry: UPDATE OR REPLACE to a NULL client", XY, f"UPDATE OR REPLACE accept_entry SET client = NULL"
     f" WHERE client <> ''", [deleted(X, accept(X, ""), "accept_entry"),
                              updated(X, accept(X, Y), accept(X, ""), "accept_entry")]),
    ("accept_entry: an update of the client is an update under the new key", XY,
     "UPDATE accept_entry SET client = '192.0.2.8' WHERE client = ''",
     [updated(f"{X} 192.0.2.8", accept(X, ""), accept(X, "192.0.2.8"), "accept_entry")]),
]


def basic_changes():
    """The usual statements, for every table."""
    for table, (first, second) in GOOD.items():
        extra = {} if table == "setting" else {"created": 1}
        first, second = whole_row(table, first | extra), whole_row(table, second | extra)
        changed = first | CHANGED[table]
        again = first | {"note": "again"} if table != "setting" else changed
        keys = ["sender", "client"] if table == "accept_entry" else [COLUMNS[table][0]]
        where = " AND ".join(f"{key} = {literal(first[key])}" for key in keys)
        sets = ", ".join(f"{column} = {literal(value)}" for column, value in CHANGED[table].items())
        put = f"INTO {table} ({', '.join(first)}) VALUES"
        one, two, three = (values(row) for row in (first, second, again))
        name = key_of(table, first)
        both = f"INSERT {put} {one}, {two}"
        yield (f"{table}: insert", "", both, [inserted(name, first, table), inserted(key_of(table, second), second, table)])
        yield (f"{table}: update", both, f"UPDATE {table} SET {sets} WHERE {where}", [updated(name, first, changed, table)])
        yield (f"{table}: update to the same", both, f"UPDATE {table} SET {', '.join(f'{c} = {c}' for c in first)}", [])
        yield (f"{table}: delete", both, f"DELETE FROM {table} WHERE {where}", [deleted(name, first, table)])
        yield (f"{table}: REPLACE", both, f"REPLACE {put} {three}", [updated(name, first, again, table)])
        yield (f"{table}: REPLACE by rowid", f"INSERT {put} {two}", f"REPLACE INTO {table} (rowid, {', '.join(first)})"
               f" VALUES (1, {one[1:]}", [deleted(key_of(table, second), second, table), inserted(name, first, table)])
        yield (f"{table}: OR IGNORE", both, f"INSERT OR IGNORE {put} {three}", [])
        yield (f"{table}: delete after OR IGNORE", both, f"INSERT OR IGNORE {put} {three}; DELETE FROM {table} WHERE {where}",
               [deleted(name, first, table)])
        yield (f"{table}: upsert", both, f"INSERT {put} {three} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {sets}",
               [updated(name, first, changed, table)])
        yield (f"{table}: UPDATE OR REPLACE", both, f"UPDATE OR REPLACE {table} SET"
               f" {', '.join(f'{key} = {literal(first[key])}' for key in keys)} WHERE NOT ({where})",
               None if table in ("relay_grant", "setting") else    # there the other columns would not fit the key
               [deleted(name, first, table), updated(name, second, second | {key: first[key] for key in keys}, table)])


# ---------------------------------------------------------------------------------------------------------------------
# Helpers
# ---------------------------------------------------------------------------------------------------------------------


def literal(value):
    """As SQL; text with control characters as a cast of its bytes, for no literal can hold a NUL."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, str):
        if any(c in value for c in CONTROLS):
            return f"CAST(x'{value.encode().hex()}' AS TEXT)"
        return "'" + value.replace("'", "''") + "'"
    return repr(value)


def values(row):
    return f"({', '.join(literal(value) for value in row.values())})"


def whole_row(table, row):
    return {column: row.get(column) for column in COLUMNS[table]}


def key_of(table, row):
    if table == "accept_entry" and row["client"]:
        return f"{row['sender']} {row['client']}"
    return row[COLUMNS[table][0]]


def to_json(row):
    """The very text that SQLite's json_object makes of a row, so that the order of the columns counts too."""
    return None if row is None else json.dumps(row, ensure_ascii=False, separators=(",", ":"))


class Report:
    def __init__(self):
        self.count = self.failed = 0

    def check(self, good, text, *details):
        self.count += 1
        self.failed += not good
        label = text.encode("unicode_escape").decode().replace("#", "\\#")
        print(f"{'ok' if good else 'not ok'} {self.count} - {label}")
        if not good:
            for line in "\n".join(str(detail) for detail in details).splitlines():
                print("#  ", line)

    def equal(self, found, expected, text):
        self.check(found == expected, text, f"found    {found!r}", f"expected {expected!r}")

    def finish(self):
        print(f"1..{self.count}")
        return 1 if self.failed else 0


class Database:
    """A file in a temporary folder, changed only through the sqlite3 program."""

    def __init__(self, path, template=None):
        self.path = path
        if template:
            shutil.copy(template.path, path)

    def run(self, sql, *dots):
        """Runs to the end whatever fails on the way: (standard output, standard error)."""
        options = [part for dot in dots for part in ("-cmd", dot)]
        script = "PRAGMA synchronous = OFF;\n" + sql.rstrip("; \n") + ";\n"
        done = subprocess.run(["sqlite3", "-batch", "-init", os.devnull, *options, self.path], input=script,
                              capture_output=True, text=True, timeout=300, env=os.environ | {"LC_ALL": "C.UTF-8"})
        return done.stdout, done.stderr

    def rows(self, sql):
        out, errors = self.run(".mode json\n" + sql)
        if errors:
            raise RuntimeError(f"{sql}: {errors}")
        return json.loads(out) if out.strip() else []

    def changes(self):
        return [tuple(row.values()) for row in self.rows("SELECT kind, key, op, old, new FROM rule_change ORDER BY seq")]


# ---------------------------------------------------------------------------------------------------------------------
# The tests
# ---------------------------------------------------------------------------------------------------------------------


def test_file(report, folder):
    text = SCHEMA.read_text()
    report.check(not re.search(r"^\s*(BEGIN|COMMIT|ROLLBACK|END\s+TRANSACTION)\b|^[^-]*journal_mode", text, re.M | re.I),
                 "the file leaves transaction and journal to the program")
    for how, before, after in (("piped", "", ""),
                               ("within a transaction", "PRAGMA journal_mode = WAL;\nBEGIN IMMEDIATE;\n", "\nCOMMIT;")):
        db = Database(folder / "fresh.db")
        out, errors = db.run(before + text + after)
        report.equal((out.replace("wal\n", ""), errors), ("", ""), f"{how}: runs without a word")
        out, _ = db.run("PRAGMA application_id; PRAGMA user_version; PRAGMA integrity_check; PRAGMA foreign_key_check")
        report.equal(out, f"{0x67617465}\n1\nok\n", f"{how}: application_id, user_version, integrity")
        db.path.unlink()

    db = Database(folder / "template.db")
    db.run(text)
    for table, columns in COLUMNS.items():
        found = db.rows(f"SELECT name, type, \"notnull\", pk FROM pragma_table_info('{table}')")
        report.equal(tuple(column["name"] for column in found), columns, f"{table}: columns in order")
        report.equal({column["name"] for column in found if not column["notnull"]}, OPTIONAL & set(columns),
                     f"{table}: the columns that may be NULL")
        report.equal([column["name"] for column in found if column["pk"]],
                     list(columns[:2] if table == "accept_entry" else columns[:1]), f"{table}: primary key")
        report.equal(db.run(f"SELECT rowid FROM {table}")[1], "", f"{table}: has a rowid")
    report.equal([column["name"] for column in db.rows("SELECT name FROM pragma_table_info('rule_change')")],
                 ["seq", "at", "by", "kind", "key", "op", "old", "new"], "rule_change: columns in order")
    return db


def test_accepted(report, db, table, row, note=""):
    """The row goes in and can be read back as it was given."""
    same = " AND ".join(f"{column} IS {literal(str(value) if isinstance(value, bool) else value)}"
                        for column, value in row.items())
    out, errors = db.run(f"BEGIN; INSERT INTO {table} ({', '.join(row)}) VALUES {values(row)};\n"
                         f"SELECT count(*) FROM {table} WHERE {same}; ROLLBACK")
    report.check((out, errors) == ("1\n", ""), f"{table} accepts {note or row!r}", out, errors)


def test_refused(report, db, table, row, complaint, note=""):
    """The row is refused, by an insert, by REPLACE, and by an update of a good row, for the reason expected."""
    good = whole_row(table, GOOD[table][0] | ({} if table == "setting" else {"created": 1}))
    sets = ", ".join(f"{column} = {literal(value)}" for column, value in row.items())
    put = f"INTO {table} ({', '.join(row)}) VALUES {values(row)};\n"
    fill = f"INSERT INTO {table} ({', '.join(good)}) VALUES {values(good)};\n"
    defaults = any(value is None and column in ("verdict", "kind", "created", "client") for column, value in row.items())
    tries = [f"INSERT {put}", f"{fill}UPDATE {table} SET {sets};\n"]
    if not defaults:        # OR REPLACE puts the default in the place of a NULL
        tries.append(f"INSERT OR REPLACE {put}")
    left = f"SELECT (SELECT count(*) FROM {table}), (SELECT count(*) FROM rule_change); ROLLBACK;\n"
    out, errors = db.run("".join(f"BEGIN; {sql}{left}" for sql in tries))
    expected = "".join("1|1\n" if sql.startswith(fill) else "0|0\n" for sql in tries)
    report.check(out == expected and errors.count(complaint) == len(tries), f"{table} refuses {note or row!r}",
                 f"expected {len(tries)} times: {complaint}", errors, *tries, out)


def test_rows(report, db):
    for (table, column), (accepted, refused) in (KEYS | VALUES).items():
        good = GOOD[table][0] if table != "relay_grant" or column == "client" else {"client": "192.0.2.7"}
        for value in accepted:
            test_accepted(report, db, table, good | {column: value})
        for complaint, cases in refused.items():
            for value in cases:
                test_refused(report, db, table, good | {column: value}, complaint)
    for table, row, complaint in ROWS:
        if complaint:
            test_refused(report, db, table, row, complaint)
        else:
            test_accepted(report, db, table, row)


def test_settings(report, db):
    for name, (accepted, refused) in SETTINGS.items():
        for value in accepted:
            test_accepted(report, db, "setting", {"name": name, "value": value}, f"{name} {value[:60]!r}")
        for complaint, cases in refused.items():
            for value in cases:
                test_refused(report, db, "setting", {"name": name, "value": value}, complaint, f"{name} {value[:60]!r}")
    for name in NOT_SETTINGS:
        test_refused(report, db, "setting", {"name": name, "value": "yes"}, "no setting of that name")


def test_every_column(report, db):
    """Types, NULL and control characters, for each column of each table."""
    for table, (good, _) in GOOD.items():
        for column in COLUMNS[table]:
            if column in ("created", "expires"):
                for value, complaint in ((-1, "times are not negative"), (1.5, "cannot store REAL"),
                                         ("tomorrow", "cannot store TEXT"), ("2026-12-31", "cannot store TEXT"),
                                         ("", "cannot store TEXT"), (b"1", "cannot store BLOB")):
                    test_refused(report, db, table, good | {column: value}, complaint)
                for value in (0, 1, 4102444800):
                    test_accepted(report, db, table, good | {column: value})
            else:
                text = good.get(column) or "note"
                test_refused(report, db, table, good | {column: text.encode()}, "cannot store BLOB")
                for control in CONTROLS:
                    for value in (text + control, control + text, text[:2] + control + text[2:], control):
                        test_refused(report, db, table, good | {column: value}, "CHECK constraint failed")
            if column in OPTIONAL:
                test_accepted(report, db, table, good | {column: None})
            else:
                test_refused(report, db, table, good | {column: None}, "NOT NULL constraint failed")
        if table != "setting":
            test_accepted(report, db, table, good | {"note": ""})
            test_accepted(report, db, table, good | {"note": "J\u00fcrgen's \u201ctest\u201d \u2014 50 % {off} @ 7"})
    for name in ("text_relay", "recipient_delimiter", "pop_before_smtp_skip", "observe", "submission_ports", "archive_to",
                 "pop_before_smtp"):
        for control in CONTROLS:
            text = SETTINGS[name][0][-1]
            test_refused(report, db, "setting", {"name": name, "value": text + control}, "CHECK constraint failed")


def test_defaults(report, db):
    for table, column, expected in (("access_block", "verdict", "deny"), ("relay_grant", "verdict", "grant"),
                                    ("accept_entry", "client", ""), ("local_domain", "kind", "local")):
        key = COLUMNS[table][0]
        out, errors = db.run(f"BEGIN; INSERT INTO {table} ({key}) VALUES ({literal(GOOD[table][0][key])});\n"
                             f"SELECT {column}, note IS NULL, expires IS NULL, abs(created - unixepoch()) < 60 FROM {table};"
                             " ROLLBACK")
        report.equal((out, errors), (f"{expected}|1|1|1\n", ""), f"{table}: defaults")
    out, errors = db.run("BEGIN; INSERT INTO setting VALUES ('relay_for', 'nobody');"
                         "SELECT seq, abs(at - unixepoch()) < 60, \"by\" IS NULL FROM rule_change; ROLLBACK")
    report.equal((out, errors), ("1|1|1\n", ""), "rule_change: seq, at and by")


def test_changes(report, folder, template):
    for recursive in ("OFF", "ON"):
        for name, before, sql, expected in [*basic_changes(), *CHANGES]:
            if expected is None:
                continue
            db = Database(folder / "change.db", template)
            db.run(f"{before}; DELETE FROM rule_change")
            # sqlite3 skips the rest of a line on which a statement failed.
            db.run(f"PRAGMA recursive_triggers = {recursive};\n" + sql.replace("; ", ";\n"))
            found = db.changes()
            # Where one statement removes two rows, either may come first.
            wanted = [(kind, key, op, to_json(old), to_json(new)) for kind, key, op, old, new in expected]
            for i, (kind, key, op, _, _) in enumerate(wanted):
                if isinstance(key, tuple) and i < len(found) and found[i][1] in key and found[i][1] not in \
                        [change[1] for change in found[:i]]:
                    wanted[i] = (kind, found[i][1], op, to_json(kill(found[i][1])), None)
            report.check(found == wanted, f"recursive_triggers {recursive}: {name}",
                         "found", *found, "expected", *wanted)


def random_statement(rng, keys):
    """Any statement on kill_entry, of the kinds whose conflicts are settled differently."""
    def row():
        return f"({literal(rng.choice(keys))}, {literal(rng.choice([None, 'n', 'm']))}, 1)"

    def row_at():
        return f"({rng.randint(-1, 6)}, {row()[1:]}"

    clause = rng.choice(["", "OR REPLACE", "OR REPLACE", "OR IGNORE", "OR FAIL", "OR ABORT"])
    where = f"WHERE sender >= {literal(rng.choice(keys))} AND rowid <> {rng.randint(0, 4)}"
    upsert = rng.choice(["DO NOTHING", "(sender) DO UPDATE SET note = excluded.note",
                         f"(sender) DO UPDATE SET sender = {literal(rng.choice(keys))}, note = 'u'"])
    return rng.choice([
        lambda: f"INSERT {clause} {KILL} {', '.join(row() for _ in range(rng.randint(1, 3)))}",
        lambda: f"INSERT {clause} {KILL_AT} {', '.join(row_at() for _ in range(rng.randint(1, 2)))}",
        lambda: f"INSERT {KILL} {row()}, {row()} ON CONFLICT {upsert}",
        lambda: f"UPDATE {clause} kill_entry SET sender = {literal(rng.choice(keys))} {where}",
        lambda: f"UPDATE {clause} kill_entry SET rowid = {rng.randint(-1, 6)}, sender = {literal(rng.choice(keys))} {where}",
        lambda: f"UPDATE {clause} kill_entry SET note = {literal(rng.choice([None, 'n', 'm']))} {where}",
        lambda: f"DELETE FROM kill_entry {where}",
    ])()


def test_random(report, folder, template, rounds=4000):
    """Whatever is done, playing the changes back on a copy gives the table, after every statement."""
    show = "SELECT coalesce((SELECT max(seq) FROM rule_change), 0), json_group_array(json(json)) FROM kill_entry_json;"
    for recursive in ("OFF", "ON"):
        rng = random.Random(7)
        db = Database(folder / "random.db", template)
        statements = [random_statement(rng, [A, B, C, D]) for _ in range(rounds)]
        out, _ = db.run(f"PRAGMA recursive_triggers = {recursive};\n" + "".join(f"{sql};\n{show}\n" for sql in statements))
        log = {row["seq"]: row for row in db.rows("SELECT seq, key, op, old, new FROM rule_change")}
        copy, seen, fault = set(), 0, ""
        for sql, line in zip(statements, out.splitlines(), strict=True):
            last, _, state = line.partition("|")
            for change in (log[seq] for seq in range(seen + 1, int(last) + 1) if seq in log):
                old, new = change["old"], change["new"]
                shape = {"insert": (False, True), "update": (True, True), "delete": (True, False)}[change["op"]]
                if (old is not None, new is not None) != shape or old == new or old is not None and old not in copy \
                        or json.loads(new or old)["sender"] != change["key"]:
                    fault = f"after {sql}: the change {change} does not fit {copy}"
                copy -= {old}
                copy |= {new} - {None}
            seen = int(last)
            if copy != {to_json(row) for row in json.loads(state)}:
                fault = fault or f"after {sql}: the changes give {copy}, the table has {state}"
            if fault:
                break
        report.check(not fault and seen > rounds / 2, f"recursive_triggers {recursive}: changes played back give the table",
                     fault, f"{seen} changes")


def test_pruning(report, folder, template):
    db = Database(folder / "many.db", template)
    state = "SELECT count(*), min(seq), max(seq) FROM rule_change;\n"
    out, errors = db.run(f"""PRAGMA journal_mode = OFF;
        INSERT INTO kill_entry (sender) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {KEPT})
            SELECT 'u' || i || '@example.com' FROM n;
        {state} UPDATE kill_entry SET note = 'n' WHERE rowid = 1;
        {state} REPLACE INTO kill_entry (sender) SELECT sender FROM kill_entry WHERE rowid <= 50; {state}
        DELETE FROM kill_entry WHERE rowid < 100; {state}""")
    left = 100 - 1 - 50      # the replaced ones have got new rowids
    expected = "".join(f"{KEPT}|{1 + more}|{KEPT + more}\n" for more in (0, 1, 51, 51 + left))
    report.equal((out.replace("off\n", ""), errors), (expected, ""), "rule_change keeps the newest 100,000")


def test_cost(report, db):
    """No trigger walks through a table: the cost of a change does not hang on how many rules there are."""
    for table, (good, other) in GOOD.items():
        keys = COLUMNS[table][:2] if table == "accept_entry" else COLUMNS[table][:1]
        where = " AND ".join(f"{key} = {literal(good[key])}" for key in keys)
        put = f"INTO {table} ({', '.join(good)}) VALUES {values(good)};"
        out, errors = db.run(f"BEGIN; INSERT {put} REPLACE {put}\nUPDATE {table} SET {keys[0]} = {keys[0]} WHERE {where};\n"
                             f"DELETE FROM {table} WHERE {where}; ROLLBACK", ".eqp trigger")
        scans = re.findall(rf"SCAN (?:{'|'.join(COLUMNS)}|rule_change)\b.*", out)
        searches = re.findall(rf"SEARCH {table}\b", out)
        report.check(not errors and not scans and len(searches) >= 10, f"{table}: triggers search, and never scan",
                     errors, *scans, f"{len(searches)} searches")


def test_careful_settings(report, db):
    """Settings of a careful user, under which the triggers have to work too."""
    for pragma in ("foreign_keys = ON", "case_sensitive_like = ON", "cell_size_check = ON"):
        out, errors = db.run(f"PRAGMA {pragma}; BEGIN; REPLACE INTO setting VALUES ('relay_for', 'nobody');\n"
                             "REPLACE INTO setting VALUES ('relay_for', 'anyone');\n"
                             "SELECT group_concat(op) FROM rule_change; ROLLBACK")
        report.equal((out, errors), ("insert,update\n", ""), f"works with {pragma}")


def main():
    report = Report()
    folder = Path(tempfile.mkdtemp(prefix="gatepost-schema-"))
    try:
        db = test_file(report, folder)
        test_rows(report, db)
        test_settings(report, db)
        test_every_column(report, db)
        test_defaults(report, db)
        test_careful_settings(report, db)
        test_cost(report, db)
        report.equal(db.rows("SELECT count(*) AS n FROM rule_change"), [{"n": 0}], "the tests so far left nothing behind")
        test_changes(report, folder, db)
        test_random(report, folder, db)
        test_pruning(report, folder, db)
    finally:
        shutil.rmtree(folder)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
