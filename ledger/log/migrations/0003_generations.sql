-- Tables and counters of one build live in one schema, `generation_<number>`; exactly one generation is live.
CREATE SCHEMA projections;

CREATE TABLE projections.generations (
    number      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    state       text NOT NULL CHECK (state IN ('building', 'live', 'previous', 'retired')),
    definition  text NOT NULL,                  -- digest of the table definitions it was built under
    book        text NOT NULL,                  -- the rule book it was built under, as published
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    live_since  timestamptz,
    halted_at   bigint,                         -- where its projector cannot go on, and why
    halted_by   text
);
CREATE UNIQUE INDEX one_live ON projections.generations (state) WHERE state = 'live';
