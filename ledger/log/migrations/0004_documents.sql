-- What events refer to by its digest, kept for good: reports as they were issued, the recipes of figures.
CREATE TABLE log.documents (
    digest      text PRIMARY KEY CHECK (digest ~ '^sha256:[0-9a-f]{64}$'),
    media_type  text NOT NULL,
    content     bytea NOT NULL,
    kept_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log.documents
    FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change();
ALTER TABLE log.documents ENABLE ALWAYS TRIGGER append_only;
REVOKE UPDATE, DELETE, TRUNCATE ON log.documents FROM PUBLIC, CURRENT_USER;
