-- The log: every event once, in the order of its commit, never changed.
CREATE SCHEMA IF NOT EXISTS log;

-- One row. Locked for the length of every append, which makes positions gapless and in commit order. It is never
-- updated: a counter in it would leave a dead row per append, for readers of long snapshots to wade through.
CREATE TABLE log.ledger (
    only_one    boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    ledger_id   uuid NOT NULL,
    simulated   boolean NOT NULL,
    created_at  timestamptz NOT NULL
);

-- `entry` is the event: one byte string with the whole envelope and the data. Every other column is derived from it.
-- Keys are compared byte by byte ("C"): fast, the same on every server, and no index goes wrong when a system's collations
-- change under it.
CREATE TABLE log.entries (
    position        bigint PRIMARY KEY CHECK (position > 0),
    aggregate       text COLLATE "C" NOT NULL,
    subject         text COLLATE "C" NOT NULL,
    version         integer NOT NULL CHECK (version > 0),
    type            text COLLATE "C" NOT NULL,
    occurred_at     timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL,
    recorded_by     text COLLATE "C" NOT NULL,
    source          text COLLATE "C" NOT NULL,
    id              text COLLATE "C" NOT NULL,
    voided_position bigint,
    entry           bytea NOT NULL,
    UNIQUE (aggregate, subject, version),
    UNIQUE (source, id)
);
CREATE INDEX entries_voided_position ON log.entries (voided_position) WHERE voided_position IS NOT NULL;
-- as-of: a recorded time maps to one position
CREATE INDEX entries_recorded_at ON log.entries (recorded_at, position);

-- The trail: which other entity (aggregate, subject) an event names, and in which field.
CREATE TABLE log.names (
    aggregate   text COLLATE "C" NOT NULL,
    subject     text COLLATE "C" NOT NULL,
    position    bigint NOT NULL,
    field       text COLLATE "C" NOT NULL,
    PRIMARY KEY (aggregate, subject, position, field)
);

CREATE FUNCTION log.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on %.% is refused: the log is append-only', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege', HINT = 'Void the event and tell it again.';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log.entries
    FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log.names
    FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change();
CREATE TRIGGER created_once BEFORE UPDATE OR DELETE OR TRUNCATE ON log.ledger
    FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change();
-- also for sessions that replay a replication stream
ALTER TABLE log.entries ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE log.names ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE log.ledger ENABLE ALWAYS TRIGGER created_once;
REVOKE UPDATE, DELETE, TRUNCATE ON log.entries, log.names FROM PUBLIC, CURRENT_USER;

-- Where the log ends. While it is empty `position` is 0 and `last_recorded_at` the creation, or 1970 on a ledger that
-- is told its clock.
CREATE VIEW log.head AS
SELECT coalesce(last.position, 0) AS position,
       coalesce(last.recorded_at, CASE WHEN ledger.simulated THEN 'epoch' ELSE ledger.created_at END)
           AS last_recorded_at,
       ledger.simulated, ledger.created_at, ledger.ledger_id
FROM log.ledger
LEFT JOIN LATERAL (
    SELECT entries.position, entries.recorded_at FROM log.entries ORDER BY entries.position DESC LIMIT 1
) AS last ON true;

-- Small facts about this database, such as the digest the view log.events was made under.
CREATE TABLE log.meta (
    name    text PRIMARY KEY,
    value   text NOT NULL
);

-- How far each reader of the log has come; the library's tracking recorder writes it.
CREATE TABLE log.tracking (
    application_name text PRIMARY KEY,
    notification_id  bigint
);
INSERT INTO log.tracking VALUES ('__migration__', 1);
