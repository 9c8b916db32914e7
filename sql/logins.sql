-- The logins of gatepost where they are kept in SQLite, schema version 1.
--
-- Who has logged in from which address, and until when that counts. It can be looked at with plain sqlite3:
--
--   SELECT address, user, datetime(ends, 'unixepoch') FROM login WHERE ends > unixepoch();

PRAGMA application_id = 0x6761746c;
PRAGMA user_version = 1;

-- `address` is canonical text, cut to the prefix that counts; `user` the login name as it is compared; `ends` a Unix
-- second, from which on the login counts as absent. The bounds are those of src/store/login_store.h: an address and a
-- user, with a blank between them, make up the cursor of a list.
CREATE TABLE login (
    address TEXT NOT NULL,
    user    TEXT NOT NULL,
    ends    INTEGER NOT NULL,
    PRIMARY KEY (address, user),
    CONSTRAINT "address is 1 to 45 bytes without blank or NUL" CHECK (
        length(CAST(address AS BLOB)) BETWEEN 1 AND 45
        AND instr(CAST(address AS BLOB), x'00') = 0 AND instr(address, ' ') = 0),
    CONSTRAINT "user is 1 to 1024 bytes without NUL" CHECK (
        length(CAST(user AS BLOB)) BETWEEN 1 AND 1024 AND instr(CAST(user AS BLOB), x'00') = 0)
) STRICT, WITHOUT ROWID;

-- For sweeping what has ended.
CREATE INDEX login_ends ON login (ends);
