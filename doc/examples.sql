-- The daily work on gatepost's rules with nothing but sqlite3, for those who prefer it.
--
--     sqlite3 /var/lib/gatepost/gatepost.db
--
-- What is committed here is in force a tenth of a second later, like what `gatepost` does, and is on record like that.
-- sqlite3 does not normalise: a row in an odd spelling counts, but two spellings of one thing are two rows. What is
-- visibly wrong the tables refuse themselves, and name the rule that was broken. For what only the daemon can tell,
-- there is `gatepost lint`.
--
-- The whole file runs on a fresh database: sqlite3 gatepost.db < doc/examples.sql

.bail on
.timeout 5000
-- Stop at the first fault, and wait five seconds for somebody else who is writing. In a script, say both first.


-- ADD. Columns that are not named have their defaults: verdict deny or grant, kind local, no note, never expiring.

INSERT INTO local_domain (domain) VALUES ('example.com'), ('second.example');
INSERT INTO local_domain (domain, kind) VALUES ('backup.example', 'relay');             -- we are its backup MX
INSERT INTO access_block (block, note) VALUES ('203.0.113.0/24', 'port scans');         -- may not connect
INSERT INTO access_block (block, verdict) VALUES ('203.0.113.7', 'grant');              -- but this one may
INSERT INTO relay_grant (client) VALUES ('192.0.2.0/24'), ('mail.example.net'), ('2001:db8::/32');
INSERT INTO relay_grant (client, verdict, note) VALUES ('192.0.2.13', 'refuse', 'the printer');
INSERT INTO kill_entry (sender) VALUES ('fred@example.org'), ('@spam.example'), ('@*widget.example');
INSERT INTO accept_entry (sender, client) VALUES ('partner@example.org', '198.51.100.0/28');
INSERT INTO local_user (address) VALUES ('alice@example.com'), ('bob@example.com');
INSERT INTO local_user (address, account) VALUES ('info@example.com', 'alice@example.com');
INSERT INTO local_list (address, remote_mail) VALUES ('staff', 'no');                   -- closed, at all our domains


-- SETTINGS. A setting is there only where it differs from its default; delete it to have the default again.

REPLACE INTO setting VALUES ('max_recipients', '100');
REPLACE INTO setting VALUES ('local_sender_auth', 'yes');
REPLACE INTO setting VALUES ('observe', 'local-sender');
SELECT name, value FROM setting ORDER BY name;
DELETE FROM setting WHERE name = 'observe';


-- EXPIRE. Unix seconds; from that second on the row counts as absent. 'utc' reads the time as local time.

INSERT INTO access_block (block, note, expires) VALUES ('198.51.100.66', 'for two hours', unixepoch() + 2 * 3600);
INSERT INTO relay_grant (client, note, expires)
    VALUES ('198.51.100.7', 'the fair', unixepoch('2037-03-31 18:00', 'utc'));
UPDATE access_block SET expires = expires + 3600 WHERE block = '198.51.100.66';         -- an hour more
UPDATE relay_grant SET expires = NULL WHERE client = '198.51.100.7';                    -- for ever
UPDATE kill_entry SET expires = unixepoch() WHERE sender = '@spam.example';             -- off, from now on

-- What ends within a day:
SELECT block, verdict, datetime(expires, 'unixepoch', 'localtime') AS ends FROM access_block
    WHERE expires BETWEEN unixepoch() AND unixepoch() + 86400 ORDER BY expires;


-- TURN a row into its opposite, in one statement, so that there is no moment without it.

UPDATE access_block SET verdict = 'grant', note = 'they mended it' WHERE block = '198.51.100.66';
UPDATE local_domain SET kind = 'local' WHERE domain = 'backup.example';

-- Or whatever is there, or nothing: this is an insert and a change in one.
INSERT INTO relay_grant (client, verdict) VALUES ('192.0.2.99', 'refuse')
    ON CONFLICT (client) DO UPDATE SET verdict = excluded.verdict, expires = NULL;


-- FIND.

SELECT * FROM kill_entry WHERE sender LIKE '%example%' ORDER BY sender;
SELECT client, verdict, note FROM relay_grant WHERE note LIKE '%printer%';
SELECT sender, client FROM accept_entry WHERE client = '';             -- accepted from anywhere: should be none
SELECT address FROM local_user WHERE account = 'alice@example.com';    -- her aliases


-- COUNT.

SELECT 'access_block' AS rules, count(*) AS rows, count(expires) AS will_end FROM access_block
UNION ALL SELECT 'relay_grant', count(*), count(expires) FROM relay_grant
UNION ALL SELECT 'kill_entry', count(*), count(expires) FROM kill_entry
UNION ALL SELECT 'accept_entry', count(*), count(expires) FROM accept_entry
UNION ALL SELECT 'local_domain', count(*), count(expires) FROM local_domain
UNION ALL SELECT 'local_user', count(*), count(expires) FROM local_user
UNION ALL SELECT 'local_list', count(*), count(expires) FROM local_list;


-- MANY AT ONCE. A transaction is seen whole or not at all. IMMEDIATE: wait for other writers now, not in the middle.

BEGIN IMMEDIATE;
DELETE FROM access_block WHERE note = 'from the firewall';
INSERT INTO access_block (block, note) VALUES
    ('192.0.2.129', 'from the firewall'), ('192.0.2.130', 'from the firewall');
COMMIT;

BEGIN IMMEDIATE;
DELETE FROM kill_entry;
SELECT count(*) AS left_for_a_moment FROM kill_entry;
ROLLBACK;                                                              -- nobody has seen that


-- EXPORT. As CSV for a spreadsheet, as JSON for a program.

.headers on
.mode csv
.once killed.csv
SELECT sender, note FROM kill_entry WHERE ifnull(expires, unixepoch() + 1) > unixepoch() ORDER BY sender;
.mode json
.once grants.json
SELECT client, verdict, note, expires FROM relay_grant ORDER BY client;
.headers off
.mode list


-- IMPORT, by way of a table of its own, so that nothing comes in half. ON CONFLICT leaves the rows that are there as
-- they are. Not OR IGNORE: that would also pass over what is wrong, without a word.

CREATE TEMP TABLE incoming (sender TEXT, note TEXT);
.import --csv --skip 1 killed.csv incoming
INSERT INTO incoming VALUES ('eve@example.net', 'from the file of a friend');
INSERT INTO kill_entry (sender, note) SELECT trim(sender), nullif(note, '') FROM incoming WHERE true
    ON CONFLICT (sender) DO NOTHING;
DROP TABLE incoming;


-- HISTORY. Each changed row, whatever changed it; "by" is empty where it was not `gatepost`.

SELECT seq, datetime(at, 'unixepoch', 'localtime') AS at, ifnull("by", '-') AS "by", op, kind, key
    FROM rule_change ORDER BY seq DESC LIMIT 10;
SELECT seq, op, old, new FROM rule_change WHERE kind = 'access_block' AND key = '198.51.100.66' ORDER BY seq;
SELECT date(at, 'unixepoch') AS day, count(*) AS changes FROM rule_change GROUP BY day ORDER BY day;


-- TAKE BACK. The row as it was stands in `old`. Of a deleted one:

DELETE FROM kill_entry WHERE sender = 'fred@example.org';
INSERT INTO kill_entry (sender, note, created, expires)
    SELECT old ->> 'sender', old ->> 'note', old ->> 'created', old ->> 'expires' FROM rule_change
    WHERE kind = 'kill_entry' AND key = 'fred@example.org' AND op = 'delete' ORDER BY seq DESC LIMIT 1;

-- Of a changed one:
UPDATE local_domain SET kind = (
    SELECT old ->> 'kind' FROM rule_change
    WHERE kind = 'local_domain' AND key = 'backup.example' AND op = 'update' ORDER BY seq DESC LIMIT 1)
    WHERE domain = 'backup.example';


-- HOW OFTEN a rule has mattered. The daemon counts, in a file of its own beside the database. Where it has not run yet
-- there is none, and so these lines are comments here: take the dashes away.
--
--   ATTACH 'gatepost.db-hits' AS counted;
--   SELECT kind, key, hits, datetime(last, 'unixepoch', 'localtime') AS last FROM counted.hit ORDER BY hits DESC;
--   SELECT datetime(since, 'unixepoch', 'localtime') AS counted_since FROM counted.counting;
--   SELECT sender, date(created, 'unixepoch') AS since FROM kill_entry
--       WHERE created < unixepoch() - 90 * 86400 AND sender NOT IN (
--           SELECT key FROM counted.hit WHERE kind = 'kill_entry' AND last > unixepoch() - 90 * 86400);
--   DETACH counted;


-- TIDY UP. Expired rows do no harm, but lists get long. What has ended more than 30 days ago:

DELETE FROM access_block WHERE expires < unixepoch() - 30 * 86400;
DELETE FROM relay_grant WHERE expires < unixepoch() - 30 * 86400;
DELETE FROM kill_entry WHERE expires < unixepoch() - 30 * 86400;
DELETE FROM accept_entry WHERE expires < unixepoch() - 30 * 86400;
DELETE FROM local_domain WHERE expires < unixepoch() - 30 * 86400;
DELETE FROM local_user WHERE expires < unixepoch() - 30 * 86400;
DELETE FROM local_list WHERE expires < unixepoch() - 30 * 86400;


-- BACK UP while the daemon runs. Not with cp: what has been committed last may still be in gatepost.db-wal.

.backup backup.db

-- Is the database whole? Prints ok.
PRAGMA integrity_check;
