-- The rules of gatepost, schema version 1.
--
-- Everything here can be changed with plain sqlite3; the daemon notices each commit by itself. For example
--
--   INSERT INTO access_block (block, note) VALUES ('203.0.113.0/24', 'port scans');
--   INSERT INTO relay_grant (client, expires) VALUES ('192.0.2.7', unixepoch() + 7200);
--   REPLACE INTO setting VALUES ('relay_for', 'nobody');
--   SELECT datetime(at, 'unixepoch'), kind, key, op, old, new FROM rule_change ORDER BY seq DESC LIMIT 10;
--
-- The CHECKs refuse what is visibly wrong, and their names are what sqlite3 then prints. They never say that a row
-- is right: only the daemon parses addresses and domains. `gatepost lint` shows the rows it does not understand.
--
-- Needs SQLite 3.38. The tables are STRICT: no BLOB gets where text belongs, and no text or fraction where a time does.
-- Leave `PRAGMA trusted_schema` on: without it SQLite 3.40 refuses json_object in a trigger, and so every change.

PRAGMA application_id = 0x67617465;
PRAGMA user_version = 1;

-- In every rule table: `created` fills itself in; `expires` is a Unix second, from which on the row counts as absent
-- (NULL: never). Control characters would forge log lines. GLOB ends at a NUL, so that one is looked for by itself;
-- char(1, 45, 31, 127) is the inside of a set: 0x01 to 0x1f, and DEL.

-- Which clients may connect. A block is 192.0.2.7, 192.0.2.0/24, 192.0.2.0/255.255.255.0, 192.0.2.1-50,
-- 192.0.2.1-192.0.2.50, 192.0.2.*, 2001:db8::1, 2001:db8::/32 or 2001:db8::1-2001:db8::ff.
CREATE TABLE access_block (
    block   TEXT NOT NULL PRIMARY KEY,
    verdict TEXT NOT NULL DEFAULT 'deny',
    note    TEXT,
    created INTEGER NOT NULL DEFAULT (unixepoch()),
    expires INTEGER,
    CONSTRAINT "block is an IP address or block, not a name" CHECK (
        CASE WHEN instr(block, ':')
        THEN block GLOB '*:*:*' AND block NOT GLOB '*[^0-9A-Fa-f:./-]*'
        ELSE block GLOB '[0-9]*.*.*.*[0-9*]' AND block NOT GLOB '*[^0-9./*-]*'
        END),
    CONSTRAINT "verdict is deny or grant" CHECK (verdict IN ('deny', 'grant')),
    CONSTRAINT "no control characters" CHECK (
        instr(CAST(block || ifnull(note, '') AS BLOB), x'00') = 0
        AND block || ifnull(note, '') NOT GLOB '*[' || char(1, 45, 31, 127) || ']*'),
    CONSTRAINT "times are not negative" CHECK (created >= 0 AND ifnull(expires, 0) >= 0)
) STRICT;

-- Which clients may relay: blocks, and for a grant also verified host names, mail.example.net (just that one) or
-- .example.net (all below it). No name can be refused: a client without a name would escape.
CREATE TABLE relay_grant (
    client  TEXT NOT NULL PRIMARY KEY,
    verdict TEXT NOT NULL DEFAULT 'grant',
    note    TEXT,
    created INTEGER NOT NULL DEFAULT (unixepoch()),
    expires INTEGER,
    -- What is made of digits . - * / alone or holds : is meant as a block. Of ASCII, a name has letters, digits, . - _
    CONSTRAINT "client is an IP address or block, or a host name" CHECK (
        CASE WHEN instr(client, ':')
        THEN client GLOB '*:*:*' AND client NOT GLOB '*[^0-9A-Fa-f:./-]*'
        WHEN client NOT GLOB '*[^0-9./*-]*'
        THEN client GLOB '[0-9]*.*.*.*[0-9*]'
        ELSE client NOT GLOB '*[ -,/:-@[-^`{-~]*' AND client NOT GLOB '*..*'
            AND rtrim(rtrim(client, '.'), '0123456789') NOT GLOB '*.'   -- the last label is not all digits
            AND lower(rtrim(client, '.')) <> 'unknown'                  -- what Postfix calls clients without a name
        END),
    CONSTRAINT "verdict is grant or refuse" CHECK (verdict IN ('grant', 'refuse')),
    CONSTRAINT "only a block can be refused, not a host name" CHECK (
        verdict <> 'refuse' OR instr(client, ':') OR client NOT GLOB '*[^0-9./*-]*'),
    CONSTRAINT "no control characters" CHECK (
        instr(CAST(client || ifnull(note, '') AS BLOB), x'00') = 0
        AND client || ifnull(note, '') NOT GLOB '*[' || char(1, 45, 31, 127) || ']*'),
    CONSTRAINT "times are not negative" CHECK (created >= 0 AND ifnull(expires, 0) >= 0)
) STRICT;

-- Senders not accepted: user@host, @host (just that host), @.host (all below it), @*suffix (all that end so).
-- The local part may hold blanks and a *; the host may be a literal such as [192.0.2.1].
CREATE TABLE kill_entry (
    sender  TEXT NOT NULL PRIMARY KEY,
    note    TEXT,
    created INTEGER NOT NULL DEFAULT (unixepoch()),
    expires INTEGER,
    CONSTRAINT "sender is user@host, @host, @.host or @*suffix" CHECK (
        sender GLOB '*@*' AND sender NOT GLOB '*@*@*'
        AND rtrim(sender, '. ') NOT GLOB '*@'
        AND rtrim(sender, '. ') <> '@*'
        AND sender NOT GLOB '@?*[*]*' AND sender NOT GLOB '?*@*[*]*'    -- a * stands only after a leading @
        AND sender NOT GLOB '?*@.*'),                                   -- @.host and a user: no such pattern
    CONSTRAINT "no control characters" CHECK (
        instr(CAST(sender || ifnull(note, '') AS BLOB), x'00') = 0
        AND sender || ifnull(note, '') NOT GLOB '*[' || char(1, 45, 31, 127) || ']*'),
    CONSTRAINT "times are not negative" CHECK (created >= 0 AND ifnull(expires, 0) >= 0)
) STRICT;

-- Senders that override the relay limits, from one block or from anywhere (''). Whoever forges such a sender from
-- there can relay: name a client wherever one is known.
CREATE TABLE accept_entry (
    sender  TEXT NOT NULL,
    client  TEXT NOT NULL DEFAULT '',
    note    TEXT,
    created INTEGER NOT NULL DEFAULT (unixepoch()),
    expires INTEGER,
    PRIMARY KEY (sender, client),
    CONSTRAINT "sender is user@host, @host, @.host or @*suffix" CHECK (
        sender GLOB '*@*' AND sender NOT GLOB '*@*@*'
        AND rtrim(sender, '. ') NOT GLOB '*@'
        AND rtrim(sender, '. ') <> '@*'
        AND sender NOT GLOB '@?*[*]*' AND sender NOT GLOB '?*@*[*]*'
        AND sender NOT GLOB '?*@.*'),
    CONSTRAINT "client is '' or an IP address or block, not a name" CHECK (
        CASE WHEN client = '' THEN 1
        WHEN instr(client, ':')
        THEN client GLOB '*:*:*' AND client NOT GLOB '*[^0-9A-Fa-f:./-]*'
        ELSE client GLOB '[0-9]*.*.*.*[0-9*]' AND client NOT GLOB '*[^0-9./*-]*'
        END),
    CONSTRAINT "no control characters" CHECK (
        instr(CAST(sender || client || ifnull(note, '') AS BLOB), x'00') = 0
        AND sender || client || ifnull(note, '') NOT GLOB '*[' || char(1, 45, 31, 127) || ']*'),
    CONSTRAINT "times are not negative" CHECK (created >= 0 AND ifnull(expires, 0) >= 0)
) STRICT;

-- Our domains. local: our hosts, virtual hosts and aliases; relay: domains we are backup MX for. .example.net is every
-- host below it, the longest wins.
CREATE TABLE local_domain (
    domain  TEXT NOT NULL PRIMARY KEY,
    kind    TEXT NOT NULL DEFAULT 'local',
    note    TEXT,
    created INTEGER NOT NULL DEFAULT (unixepoch()),
    expires INTEGER,
    CONSTRAINT "domain is one domain, or .domain for every host below it" CHECK (
        trim(domain, '. ') <> '' AND domain NOT GLOB '*[@*,]*'),
    CONSTRAINT "kind is local or relay" CHECK (kind IN ('local', 'relay')),
    CONSTRAINT "no control characters" CHECK (
        instr(CAST(domain || ifnull(note, '') AS BLOB), x'00') = 0
        AND domain || ifnull(note, '') NOT GLOB '*[' || char(1, 45, 31, 127) || ']*'),
    CONSTRAINT "times are not negative" CHECK (created >= 0 AND ifnull(expires, 0) >= 0)
) STRICT;

-- Accounts, and their aliases: then `account` says whose (NULL: the address itself). Without a domain, an address
-- stands for that name at every domain of kind local.
CREATE TABLE local_user (
    address TEXT NOT NULL PRIMARY KEY,
    account TEXT,
    note    TEXT,
    created INTEGER NOT NULL DEFAULT (unixepoch()),
    expires INTEGER,
    CONSTRAINT "address is user@host, or user for every local domain" CHECK (
        address <> '' AND address NOT GLOB '@*' AND address NOT GLOB '*@*@*' AND rtrim(address, '. ') NOT GLOB '*@'),
    CONSTRAINT "account is NULL or a login name, not empty" CHECK (ifnull(account, '-') <> ''),
    CONSTRAINT "no control characters" CHECK (
        instr(CAST(address || ifnull(account, '') || ifnull(note, '') AS BLOB), x'00') = 0
        AND address || ifnull(account, '') || ifnull(note, '') NOT GLOB '*[' || char(1, 45, 31, 127) || ']*'),
    CONSTRAINT "times are not negative" CHECK (created >= 0 AND ifnull(expires, 0) >= 0)
) STRICT;

-- Distribution lists, and whether others may write to them (NULL: as the setting list_remote_mail). Postfix's own
-- lists answer at every local domain: write those without one.
CREATE TABLE local_list (
    address     TEXT NOT NULL PRIMARY KEY,
    remote_mail TEXT,
    note        TEXT,
    created     INTEGER NOT NULL DEFAULT (unixepoch()),
    expires     INTEGER,
    CONSTRAINT "address is list@host, or list for every local domain" CHECK (
        address <> '' AND address NOT GLOB '@*' AND address NOT GLOB '*@*@*' AND rtrim(address, '. ') NOT GLOB '*@'),
    CONSTRAINT "remote_mail is yes, no or NULL" CHECK (ifnull(remote_mail, 'yes') IN ('yes', 'no')),
    CONSTRAINT "no control characters" CHECK (
        instr(CAST(address || ifnull(note, '') AS BLOB), x'00') = 0
        AND address || ifnull(note, '') NOT GLOB '*[' || char(1, 45, 31, 127) || ']*'),
    CONSTRAINT "times are not negative" CHECK (created >= 0 AND ifnull(expires, 0) >= 0)
) STRICT;

-- Settings that differ from their default; delete a row to have the default again. Lists are separated by blanks or
-- commas.
CREATE TABLE setting (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL,
    CONSTRAINT "there is no setting of that name" CHECK (name IN (
        'relay_for', 'unlisted_clients',
        'pop_before_smtp', 'pop_before_smtp_match', 'pop_before_smtp_max_accounts', 'pop_before_smtp_skip',
        'pop_before_smtp_ipv6_prefix',
        'local_sender_auth', 'refuse_null_sender', 'observe', 'require_valid_sender', 'refuse_routed_recipient',
        'recipient_delimiter', 'list_remote_mail', 'max_recipients', 'submission_ports', 'refuse_vrfy',
        'archive_to', 'archive', 'reply_style',
        'text_access', 'text_submission', 'text_vrfy', 'text_kill', 'text_null_sender', 'text_invalid_sender',
        'text_local_sender', 'text_routed', 'text_list', 'text_relay', 'text_unverified', 'text_recipients',
        'text_unavailable')),
    CONSTRAINT "no control characters" CHECK (
        instr(CAST(value AS BLOB), x'00') = 0 AND value NOT GLOB '*[' || char(1, 45, 31, 127) || ']*'),

    CONSTRAINT "relay_for is nobody, addresses, local-users, local-hosts or anyone" CHECK (
        name <> 'relay_for' OR value IN ('nobody', 'addresses', 'local-users', 'local-hosts', 'anyone')),
    CONSTRAINT "unlisted_clients is grant or deny" CHECK (
        name <> 'unlisted_clients' OR value IN ('grant', 'deny')),
    CONSTRAINT "pop_before_smtp_match is sender or address" CHECK (
        name <> 'pop_before_smtp_match' OR value IN ('sender', 'address')),
    CONSTRAINT "refuse_null_sender is yes, no or authenticated" CHECK (
        name <> 'refuse_null_sender' OR value IN ('yes', 'no', 'authenticated')),
    CONSTRAINT "archive is all, inbound or outbound" CHECK (
        name <> 'archive' OR value IN ('all', 'inbound', 'outbound')),
    CONSTRAINT "reply_style is verb or code" CHECK (
        name <> 'reply_style' OR value IN ('verb', 'code')),
    CONSTRAINT "the value is yes or no" CHECK (
        name NOT IN ('local_sender_auth', 'require_valid_sender', 'refuse_routed_recipient', 'list_remote_mail',
                     'refuse_vrfy')
        OR value IN ('yes', 'no')),

    CONSTRAINT "the value is a whole number, written plainly" CHECK (   -- 30, but not 030, +30, 30.0 or 3e1
        name NOT IN ('pop_before_smtp', 'pop_before_smtp_max_accounts', 'pop_before_smtp_ipv6_prefix',
                     'max_recipients')
        OR value = CAST(CAST(value AS INTEGER) AS TEXT)),
    CONSTRAINT "pop_before_smtp is 0 to 10080 minutes" CHECK (
        name <> 'pop_before_smtp' OR CAST(value AS INTEGER) BETWEEN 0 AND 10080),
    CONSTRAINT "pop_before_smtp_max_accounts is 0 to 1000" CHECK (
        name <> 'pop_before_smtp_max_accounts' OR CAST(value AS INTEGER) BETWEEN 0 AND 1000),
    CONSTRAINT "pop_before_smtp_ipv6_prefix is 48 to 128" CHECK (
        name <> 'pop_before_smtp_ipv6_prefix' OR CAST(value AS INTEGER) BETWEEN 48 AND 128),
    CONSTRAINT "max_recipients is 0 to 2147483647" CHECK (              -- Postfix counts in an int
        name <> 'max_recipients' OR CAST(value AS INTEGER) BETWEEN 0 AND 2147483647),

    CONSTRAINT "pop_before_smtp_skip is a list of IP addresses and blocks" CHECK (
        name <> 'pop_before_smtp_skip' OR value NOT GLOB '*[^0-9A-Fa-f:./*, -]*'),
    -- Without a number of six digits, each of the patterns after it meets a whole number above 65535.
    CONSTRAINT "submission_ports is a list of ports, 1 to 65535" CHECK (
        name <> 'submission_ports' OR (
            value NOT GLOB '*[^0-9, ]*' AND value NOT GLOB '0*' AND value NOT GLOB '*[, ]0*'
            AND value NOT GLOB '*[0-9][0-9][0-9][0-9][0-9][0-9]*'
            AND value NOT GLOB '*[7-9][0-9][0-9][0-9][0-9]*' AND value NOT GLOB '*6[6-9][0-9][0-9][0-9]*'
            AND value NOT GLOB '*65[6-9][0-9][0-9]*' AND value NOT GLOB '*655[4-9][0-9]*'
            AND value NOT GLOB '*6553[6-9]*')),
    -- Blanks are doubled, so that each element has its own on both sides; then nothing but blanks may stay.
    CONSTRAINT "observe is all, or a list of reasons other than unavailable and unverified" CHECK (
        name <> 'observe' OR trim(value, ', ') = 'all' OR trim(
            replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
                ' ' || replace(replace(value, ',', ' '), ' ', '  ') || ' ',
            ' access ', ''), ' submission ', ''), ' vrfy ', ''), ' kill ', ''), ' null-sender ', ''),
            ' invalid-sender ', ''), ' local-sender ', ''), ' routed ', ''), ' list ', ''), ' relay ', ''),
            ' recipients ', '')) = ''),
    CONSTRAINT "recipient_delimiter is '' or ASCII punctuation" CHECK (
        name <> 'recipient_delimiter' OR value NOT GLOB '*[^!-/:-@[-`{-~]*'),
    CONSTRAINT "archive_to is '' or user@domain" CHECK (                -- Postfix drops any other BCC in silence
        name <> 'archive_to' OR value = '' OR (
            value GLOB '?*@?*' AND value NOT GLOB '*@*@*' AND value NOT GLOB '* *'
            AND rtrim(value, '.') NOT GLOB '*@')),

    CONSTRAINT "a text is 1 to 512 bytes" CHECK (
        name NOT GLOB 'text_*' OR length(CAST(value AS BLOB)) BETWEEN 1 AND 512),
    -- %% first, as %%{client} is a percent sign and {client}. Each leaves a blank behind, lest what is left and right
    -- of it make a placeholder together. A % before anything but { stands for itself.
    CONSTRAINT "a text has no placeholders but %{client} %{sender} %{recipient} %{domain}" CHECK (
        name NOT GLOB 'text_*' OR instr(
            replace(replace(replace(replace(replace(value, '%%', ' '),
                '%{client}', ' '), '%{sender}', ' '), '%{recipient}', ' '), '%{domain}', ' '), '%{') = 0)
) STRICT;

-- What was changed: one row for each changed row above, `old` and `new` as JSON of all its columns. `key` is the new
-- key; of accept_entry the sender, and after a blank the client, where there is one. `by` is filled in by gatepost.
CREATE TABLE rule_change (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    at   INTEGER NOT NULL DEFAULT (unixepoch()),
    "by" TEXT,
    kind TEXT NOT NULL,
    key  TEXT NOT NULL,
    op   TEXT NOT NULL CHECK (op IN ('insert', 'update', 'delete')),
    old  TEXT,
    new  TEXT
) STRICT;

CREATE TRIGGER rule_change_keep_newest AFTER INSERT ON rule_change BEGIN
    DELETE FROM rule_change WHERE seq <= NEW.seq - 100000;
END;

-- How the log is kept, so that REPLACE, upserts, OR IGNORE and the like are told rightly, whatever
-- `PRAGMA recursive_triggers` says:
--
-- REPLACE removes rows, and tells the delete triggers only with recursive_triggers on. So before each insert and update
-- the rows that it may remove or change are noted in rule_replaced; after it rule_written, a view whose trigger does
-- the work common to all tables, tells what became of them. What an ignored insert leaves noted is never read: each
-- BEFORE trigger of an insert or update starts anew, and no AFTER trigger runs without one. Nothing in here says OR
-- REPLACE: the conflict clause of the user's statement governs its triggers too, so it could turn into OR IGNORE.

CREATE TABLE rule_replaced (
    id     INTEGER PRIMARY KEY,     -- rowid in its table
    heir   INTEGER NOT NULL,        -- 1: the written row continues this one; 0: it takes this one's place
    key    TEXT NOT NULL,
    old    TEXT NOT NULL,
    logged INTEGER                  -- seq under which a delete trigger told of it (recursive_triggers is on)
) STRICT;

CREATE VIEW rule_written (kind, id, key, new) AS SELECT NULL, NULL, NULL, NULL WHERE 0;

CREATE TRIGGER rule_written_log INSTEAD OF INSERT ON rule_written BEGIN
    -- Before an INSERT that names no rowid, NEW.rowid is -1: a row noted for that alone is still there, so not told.
    INSERT INTO rule_change (kind, key, op, old)
        SELECT NEW.kind, key, 'delete', old FROM rule_replaced
        WHERE NOT heir AND logged IS NULL AND (id = NEW.id OR key = NEW.key);
    -- Replacing a row by the same key is an update: what the delete trigger told is taken back, and its seq used again.
    DELETE FROM rule_change WHERE seq = (SELECT logged FROM rule_replaced WHERE heir);
    INSERT INTO rule_change (seq, kind, key, op, old, new)
        SELECT logged, NEW.kind, NEW.key, iif(old IS NULL, 'insert', 'update'), old, NEW.new
        FROM (SELECT 1) LEFT JOIN rule_replaced ON heir
        WHERE old IS NOT NEW.new;
    DELETE FROM rule_replaced;
END;

-- For each table: a view of its rows as the log shows them, and the triggers. A new column has to be added to the view.

CREATE VIEW access_block_json AS
    SELECT rowid AS id, block AS key,
        json_object('block', block, 'verdict', verdict, 'note', note, 'created', created, 'expires', expires) AS json
    FROM access_block;
CREATE TRIGGER access_block_insert BEFORE INSERT ON access_block BEGIN
    DELETE FROM rule_replaced;
    INSERT INTO rule_replaced (id, heir, key, old)
        SELECT id, key IS NEW.block, key, json FROM access_block_json WHERE key = NEW.block OR id = NEW.rowid;
END;
CREATE TRIGGER access_block_inserted AFTER INSERT ON access_block BEGIN
    INSERT INTO rule_written SELECT 'access_block', id, key, json FROM access_block_json WHERE id = NEW.rowid;
END;
CREATE TRIGGER access_block_update BEFORE UPDATE ON access_block BEGIN
    DELETE FROM rule_replaced;
    INSERT INTO rule_replaced (id, heir, key, old)
        SELECT id, id = OLD.rowid, key, json FROM access_block_json
        WHERE key = NEW.block OR id = OLD.rowid OR id = NEW.rowid;
END;
CREATE TRIGGER access_block_updated AFTER UPDATE ON access_block BEGIN
    INSERT INTO rule_written SELECT 'access_block', id, key, json FROM access_block_json WHERE id = NEW.rowid;
END;
CREATE TRIGGER access_block_delete BEFORE DELETE ON access_block BEGIN
    INSERT INTO rule_change (kind, key, op, old)
        SELECT 'access_block', key, 'delete', json FROM access_block_json WHERE id = OLD.rowid;
    UPDATE rule_replaced SET logged = (SELECT max(seq) FROM rule_change) WHERE id = OLD.rowid;
END;

CREATE VIEW relay_grant_json AS
    SELECT rowid AS id, client AS key,
        json_object('client', client, 'verdict', verdict, 'note', note, 'created', created, 'expires', expires) AS json
    FROM relay_grant;
CREATE TRIGGER relay_grant_insert BEFORE INSERT ON relay_grant BEGIN
    DELETE FROM rule_replaced;
    INSERT INTO rule_replaced (id, heir, key, old)
        SELECT id, key IS NEW.client, key, json FROM relay_grant_json WHERE key = NEW.client OR id = NEW.rowid;
END;
CREATE TRIGGER relay_grant_inserted AFTER INSERT ON relay_grant BEGIN
    INSERT INTO rule_written SELECT 'relay_grant', id, key, json FROM relay_grant_json WHERE id = NEW.rowid;
END;
CREATE TRIGGER relay_grant_update BEFORE UPDATE ON relay_grant BEGIN
    DELETE FROM rule_replaced;
    INSERT INTO rule_replaced (id, heir, key, old)
        SELECT id, id = OLD.rowid, key, json FROM relay_grant_json
        WHERE key = NEW.client OR id = OLD.rowid OR id = NEW.rowid;
END;
CREATE TRIGGER relay_grant_updated AFTER UPDATE ON relay_grant BEGIN
    INSERT INTO rule_written SELECT 'relay_grant', id, key, json FROM relay_grant_json WHERE id = NEW.rowid;
END;
CREATE TRIGGER relay_grant_delete BEFORE DELETE ON relay_grant BEGIN
    INSERT INTO rule_change (kind, key, op, old)
        SELECT 'relay_grant', key, 'delete', json FROM relay_grant_json WHERE id = OLD.rowid;
    UPDATE rule_replaced SET logged = (SELECT max(seq) FROM rule_change) WHERE id = OLD.rowid;
END;

CREATE VIEW kill_entry_json AS
    SELECT rowid AS id, sender AS key,
        json_object('sender', sender, 'note', note, 'created', created, 'expires', expires) AS json
    FROM kill_entry;
CREATE TRIGGER kill_entry_insert BEFORE INSERT ON kill_entry BEGIN
    DELETE FROM rule_replaced;
    INSERT INTO rule_replaced (id, heir, key, old)
        SELECT id, key IS NEW.sender, key, json FROM kill_entry_json WHERE key = NEW.sender OR id = NEW.rowid;
END;
CREATE TRIGGER kill_entry_inserted AFTER INSERT ON kill_entry BEGIN
    INSERT INTO rule_written SELECT 'kill_entry', id, key, json FROM kill_entry_json WHERE id = NEW.rowid;
END;
CREATE TRIGGER kill_entry_update BEFORE UPDATE ON kill_entry BEGIN
    DELETE FROM rule_replaced;
    INSERT INTO rule_replaced (id, heir, key, old)
        SELECT id, id = OLD.rowid, key, json FROM kill_entry_json
        WHERE key = NEW.sender OR id = OLD.rowid OR id = NEW.rowid;
END;
CREATE TRIGGER kill_entry_updated AFTER UPDATE ON kill_entry BEGIN
    INSERT INTO rule_written SELECT 'kill_entry', id, key, json FROM kill_entry_json WHERE id = NEW.rowid;
END;
CREATE TRIGGER kill_entry_delete BEFORE DELETE ON kill_entry BEGIN
    INSERT INTO rule_change (kind, key, op, old)
        SELECT 'kill_entry', key, 'delete', json FROM kill_entry_json WHERE id = OLD.rowid;
    UPDATE rule_replaced SET logged = (SELECT max(seq) FROM rule_change) WHERE id = OLD.rowid;
END;

-- The triggers before see NULL where OR REPLACE is about to put the client's default, hence ifnull.
CREATE VIEW accept_entry_json AS
    SELECT rowid AS id, sender || iif(client = '', '', ' ' || client) AS key, sender, client,
        json_object('sender', sender, 'client', client, 'note', note, 'created', created, 'expires', expires) AS json
    FROM accept_entry;
CREATE TRIGGER accept_entry_insert BEFORE INSERT ON accept_entry BEGIN
    DELETE FROM rule_replaced;
    INSERT INTO rule_replaced (id, heir, key, old)
        SELECT id, (sender, client) IS (NEW.sender, ifnull(NEW.client, '')), key, json FROM accept_entry_json
        WHERE (sender, client) = (NEW.sender, ifnull(NEW.client, '')) OR id = NEW.rowid;
END;
CREATE TRIGGER accept_entry_inserted AFTER INSERT ON accept_entry BEGIN
    INSERT INTO rule_written SELECT 'accept_entry', id, key, json FROM accept_entry_json WHERE id = NEW.rowid;
END;
CREATE TRIGGER accept_entry_update BEFORE UPDATE ON accept_entry BEGIN
    DELETE FROM rule_replaced;
    INSERT INTO rule_replaced (id, heir, key, old)
        SELECT id, id = OLD.rowid, key, json FROM accept_entry_json
        WHERE (sender, client) = (NEW.sender, ifnull(NEW.client, '')) OR id = OLD.rowid OR id = NEW.rowid;
END;
CREATE TRIGGER accept_entry_updated AFTER UPDATE ON accept_entry BEGIN
    INSERT INTO rule_written SELECT 'accept_entry', id, key, json FROM accept_entry_json WHERE id = NEW.rowid;
END;
CREATE TRIGGER accept_entry_delete BEFORE DELETE ON accept_entry BEGIN
    INSERT INTO rule_change (kind, key, op, old)
        SELECT 'accept_entry', key, 'delete', json FROM accept_entry_json WHERE id = OLD.rowid;
    UPDATE rule_replaced SET logged = (SELECT max(seq) FROM rule_change) WHERE id = OLD.rowid;
END;

CREATE VIEW local_domain_json AS
    SELECT rowid AS id, domain AS key,
        json_object('domain', domain, 'kind', kind, 'note', note, 'created', created, 'expires', expires) AS json
    FROM local_domain;
CREATE TRIGGER local_domain_insert BEFORE INSERT ON local_domain BEGIN
    DELETE FROM rule_replaced;
    INSERT INTO rule_replaced (id, heir, key, old)
        SELECT id, key IS NEW.domain, key, json FROM local_domain_json WHERE key = NEW.domain OR id = NEW.rowid;
END;
CREATE TRIGGER local_domain_inserted AFTER INSERT ON local_domain BEGIN
    INSERT INTO rule_written SELECT 'local_domain', id, key, json FROM local_domain_json WHERE id = NEW.rowid;
END;
CREATE TRIGGER local_domain_update BEFORE UPDATE ON local_domain BEGIN
    DELETE FROM rule_replaced;
    INSERT INTO rule_replaced (id, heir, key, old)
        SELECT id, id = OLD.rowid, key, json FROM local_domain_json
        WHERE key = NEW.domain OR id = OLD.rowid OR id = NEW.rowid;
END;
CREATE TRIGGER local_domain_updated AFTER UPDATE ON local_domain BEGIN
    INSERT INTO rule_written SELECT 'local_domain', id, key, json FROM local_domain_json WHERE id = NEW.rowid;
END;
CREATE TRIGGER local_domain_delete BEFORE DELETE ON local_domain BEGIN
    INSERT INTO rule_change (kind, key, op, old)
        SELECT 'local_domain', key, 'delete', json FROM local_domain_json WHERE id = OLD.rowid;
    UPDATE rule_replaced SET logged = (SELECT max(seq) FROM rule_change) WHERE id = OLD.rowid;
END;

CREATE VIEW local_user_json AS
    SELECT rowid AS id, address AS key,
        json_object('address', address, 'account', account,
            'note', note, 'created', created, 'expires', expires) AS json
    FROM local_user;
CREATE TRIGGER local_user_insert BEFORE INSERT ON local_user BEGIN
    DELETE FROM rule_replaced;
    INSERT INTO rule_replaced (id, heir, key, old)
        SELECT id, key IS NEW.address, key, json FROM local_user_json WHERE key = NEW.address OR id = NEW.rowid;
END;
CREATE TRIGGER local_user_inserted AFTER INSERT ON local_user BEGIN
    INSERT INTO rule_written SELECT 'local_user', id, key, json FROM local_user_json WHERE id = NEW.rowid;
END;
CREATE TRIGGER local_user_update BEFORE UPDATE ON local_user BEGIN
    DELETE FROM rule_replaced;
    INSERT INTO rule_replaced (id, heir, key, old)
        SELECT id, id = OLD.rowid, key, json FROM local_user_json
        WHERE key = NEW.address OR id = OLD.rowid OR id = NEW.rowid;
END;
CREATE TRIGGER local_user_updated AFTER UPDATE ON local_user BEGIN
    INSERT INTO rule_written SELECT 'local_user', id, key, json FROM local_user_json WHERE id = NEW.rowid;
END;
CREATE TRIGGER local_user_delete BEFORE DELETE ON local_user BEGIN
    INSERT INTO rule_change (kind, key, op, old)
        SELECT 'local_user', key, 'delete', json FROM local_user_json WHERE id = OLD.rowid;
    UPDATE rule_replaced SET logged = (SELECT max(seq) FROM rule_change) WHERE id = OLD.rowid;
END;

CREATE VIEW local_list_json AS
    SELECT rowid AS id, address AS key,
        json_object('address', address, 'remote_mail', remote_mail,
            'note', note, 'created', created, 'expires', expires) AS json
    FROM local_list;
CREATE TRIGGER local_list_insert BEFORE INSERT ON local_list BEGIN
    DELETE FROM rule_replaced;
    INSERT INTO rule_replaced (id, heir, key, old)
        SELECT id, key IS NEW.address, key, json FROM local_list_json WHERE key = NEW.address OR id = NEW.rowid;
END;
CREATE TRIGGER local_list_inserted AFTER INSERT ON local_list BEGIN
    INSERT INTO rule_written SELECT 'local_list', id, key, json FROM local_list_json WHERE id = NEW.rowid;
END;
CREATE TRIGGER local_list_update BEFORE UPDATE ON local_list BEGIN
    DELETE FROM rule_replaced;
    INSERT INTO rule_replaced (id, heir, key, old)
        SELECT id, id = OLD.rowid, key, json FROM local_list_json
        WHERE key = NEW.address OR id = OLD.rowid OR id = NEW.rowid;
END;
CREATE TRIGGER local_list_updated AFTER UPDATE ON local_list BEGIN
    INSERT INTO rule_written SELECT 'local_list', id, key, json FROM local_list_json WHERE id = NEW.rowid;
END;
CREATE TRIGGER local_list_delete BEFORE DELETE ON local_list BEGIN
    INSERT INTO rule_change (kind, key, op, old)
        SELECT 'local_list', key, 'delete', json FROM local_list_json WHERE id = OLD.rowid;
    UPDATE rule_replaced SET logged = (SELECT max(seq) FROM rule_change) WHERE id = OLD.rowid;
END;

CREATE VIEW setting_json AS
    SELECT rowid AS id, name AS key,
        json_object('name', name, 'value', value) AS json
    FROM setting;
CREATE TRIGGER setting_insert BEFORE INSERT ON setting BEGIN
    DELETE FROM rule_replaced;
    INSERT INTO rule_replaced (id, heir, key, old)
        SELECT id, key IS NEW.name, key, json FROM setting_json WHERE key = NEW.name OR id = NEW.rowid;
END;
CREATE TRIGGER setting_inserted AFTER INSERT ON setting BEGIN
    INSERT INTO rule_written SELECT 'setting', id, key, json FROM setting_json WHERE id = NEW.rowid;
END;
CREATE TRIGGER setting_update BEFORE UPDATE ON setting BEGIN
    DELETE FROM rule_replaced;
    INSERT INTO rule_replaced (id, heir, key, old)
        SELECT id, id = OLD.rowid, key, json FROM setting_json
        WHERE key = NEW.name OR id = OLD.rowid OR id = NEW.rowid;
END;
CREATE TRIGGER setting_updated AFTER UPDATE ON setting BEGIN
    INSERT INTO rule_written SELECT 'setting', id, key, json FROM setting_json WHERE id = NEW.rowid;
END;
CREATE TRIGGER setting_delete BEFORE DELETE ON setting BEGIN
    INSERT INTO rule_change (kind, key, op, old)
        SELECT 'setting', key, 'delete', json FROM setting_json WHERE id = OLD.rowid;
    UPDATE rule_replaced SET logged = (SELECT max(seq) FROM rule_change) WHERE id = OLD.rowid;
END;
