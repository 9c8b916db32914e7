-- How often each rule of gatepost has mattered, schema version 1. The daemon keeps it beside the rules, in a file of the
-- same name and -hits, and writes once a minute. It can be looked at with plain sqlite3, and deleted at any time:
--
--   SELECT kind, key, client, hits, datetime(last, 'unixepoch') FROM hit ORDER BY hits DESC LIMIT 20;

PRAGMA application_id = 0x67617468;
PRAGMA user_version = 1;

-- A row of the table `kind` of the rules; `client` is that of accept_entry, else empty. `last` is a Unix second.
CREATE TABLE hit (
    kind   TEXT NOT NULL,
    key    TEXT NOT NULL,
    client TEXT NOT NULL,
    hits   INTEGER NOT NULL,
    last   INTEGER NOT NULL,
    PRIMARY KEY (kind, key, client)
) STRICT, WITHOUT ROWID;

-- One row: since when hits are counted; how many had to be left out for want of room, and when last; and how far the log
-- of the rules' changes had got when hits of rules that are gone were dropped.
CREATE TABLE counting (
    since   INTEGER NOT NULL DEFAULT (unixepoch()),
    lost    INTEGER NOT NULL DEFAULT 0,
    lost_at INTEGER,
    swept   INTEGER NOT NULL DEFAULT -1
) STRICT;

INSERT INTO counting DEFAULT VALUES;
