-- Whether personal texts are kept encrypted: decided when a ledger is created, like its clock. Ledgers from before keep
-- them as they are told.
ALTER TABLE log.ledger ADD COLUMN encrypted boolean NOT NULL DEFAULT false;

-- The keys that personal texts are encrypted under, a row for each, wrapped by a key that is not in the database.
-- Destroying one makes unreadable for good what was encrypted under it; that there was one stays on record.
CREATE TABLE log.data_keys (
    aggregate       text COLLATE "C" NOT NULL,
    subject         text COLLATE "C" NOT NULL,
    number          integer NOT NULL CHECK (number > 0),
    wrapped         bytea,
    wrapped_by      text COLLATE "C",
    destroyed_at    bigint,     -- the position of the customer.key_destroyed that destroyed it
    PRIMARY KEY (aggregate, subject, number),
    CHECK ((wrapped IS NULL) = (wrapped_by IS NULL)),
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);

-- The keys that wrapped them, by their fingerprints: the last one wraps.
CREATE TABLE log.wrapping_keys (
    fingerprint text COLLATE "C" PRIMARY KEY,
    since       timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Requests to erase, to be found without reading the log.
CREATE INDEX entries_erasures ON log.entries (position) WHERE type IN ('customer.erasure_requested', 'customer.key_destroyed');

-- A key goes by losing its wrapped bytes; the row stays.
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON log.data_keys FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log.wrapping_keys
    FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change();
ALTER TABLE log.data_keys ENABLE ALWAYS TRIGGER kept;
ALTER TABLE log.wrapping_keys ENABLE ALWAYS TRIGGER append_only;
REVOKE DELETE, TRUNCATE ON log.data_keys FROM PUBLIC, CURRENT_USER;
REVOKE UPDATE, DELETE, TRUNCATE ON log.wrapping_keys FROM PUBLIC, CURRENT_USER;
