-- API keys. The secret itself is nowhere: `hash` is its SHA-256.
CREATE TABLE log.keys (
    id          text PRIMARY KEY,
    hash        bytea NOT NULL UNIQUE,
    role        text NOT NULL CHECK (role IN ('service', 'analyst', 'auditor', 'admin')),
    label       text NOT NULL,
    sources     text[] NOT NULL,
    types       text[] NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at  timestamptz NOT NULL,
    revoked_at  timestamptz
);
