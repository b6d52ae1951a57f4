-- The transparency tree over the entries: its full tiles, in the layout of C2SP tlog-tiles. What has no full tile yet is
-- hashed again from the entries, never kept.
CREATE TABLE log.tiles (
    level   smallint NOT NULL CHECK (level >= 0),
    number  bigint NOT NULL CHECK (number >= 0),
    root    bytea NOT NULL CHECK (octet_length(root) = 32),      -- the node over the tile: a hash of the next level
    hashes  bytea NOT NULL CHECK (octet_length(hashes) = 8192),  -- 256 of them, on end
    PRIMARY KEY (level, number)
);
-- hashes do not compress
ALTER TABLE log.tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;

-- The public halves of the keys that sign, as verifier keys. The private halves are not in the database.
CREATE TABLE log.seal_keys (
    verifier    text PRIMARY KEY,
    since       timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Every checkpoint ever signed, kept for good. `size` and `root` are what `note` says.
CREATE TABLE log.checkpoints (
    size        bigint PRIMARY KEY CHECK (size > 0),
    root        bytea NOT NULL CHECK (octet_length(root) = 32),
    note        text NOT NULL,
    signed_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log.tiles
    FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log.seal_keys
    FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log.checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change();
ALTER TABLE log.tiles ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE log.seal_keys ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE log.checkpoints ENABLE ALWAYS TRIGGER append_only;
REVOKE UPDATE, DELETE, TRUNCATE ON log.tiles, log.seal_keys, log.checkpoints FROM PUBLIC, CURRENT_USER;
