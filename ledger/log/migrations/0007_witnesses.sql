-- What witnesses signed under checkpoints (C2SP cosignature/v1): eight bytes of time and the signature, each verified
-- before it was kept.
CREATE TABLE log.cosignatures (
    size        bigint NOT NULL,
    verifier    text NOT NULL,
    signature   bytea NOT NULL CHECK (octet_length(signature) = 72),
    kept_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (size, verifier)
);

-- Checkpoints found outside that this ledger's key signed, and that the log, as it was found, did not go on from.
CREATE TABLE log.contradictions (
    place       text NOT NULL,
    origin      text NOT NULL,
    size        bigint NOT NULL,
    root        bytea NOT NULL CHECK (octet_length(root) = 32),
    note        text NOT NULL,
    found_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (origin, size, root, place)
);

-- Each time that the log was given another name, because it does not go on from what was signed under the one before:
-- the first key of the new name, the size of the newest checkpoint then, and why.
CREATE TABLE log.renamings (
    verifier    text PRIMARY KEY,
    origin      text NOT NULL,
    former      text NOT NULL,
    size        bigint NOT NULL,
    reason      text NOT NULL CHECK (reason <> ''),
    declared_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log.cosignatures
    FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log.contradictions
    FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log.renamings
    FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change();
ALTER TABLE log.cosignatures ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE log.contradictions ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE log.renamings ENABLE ALWAYS TRIGGER append_only;
REVOKE UPDATE, DELETE, TRUNCATE ON log.cosignatures, log.contradictions, log.renamings FROM PUBLIC, CURRENT_USER;
