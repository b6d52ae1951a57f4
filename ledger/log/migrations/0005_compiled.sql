-- What the definitions compile to takes seconds to work out and is the same in every process of one version.
CREATE TABLE projections.compiled (
    fingerprint text PRIMARY KEY,               -- of the program's text, of what compiles it, and of the rule book
    made        text NOT NULL,                  -- the projector's SQL, as JSON
    recipe      text NOT NULL REFERENCES log.documents (digest), -- what leads to tables and figures in a replay
    kept_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
