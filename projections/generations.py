"""Generations: each build of all tables and counters in a schema of its own; exactly one is live."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

from psycopg import Connection, sql
from psycopg.errors import InsufficientPrivilege

from ledger.errors import LedgerError
from ledger.rulebook.rules import Rules
from projections import compiled
from projections.compiled import parsed
from projections.inputs import CALENDARS
from projections.keeping import keep_recipe
from projections.recipes import recipe
from projections.statements import columns_sql, create_indexes, create_tables

LIVE = "SELECT number, state, definition, book FROM projections.generations WHERE state = 'live'"
ONE = "SELECT number, state, definition, book FROM projections.generations WHERE number = %s"
PREVIOUS = "SELECT number, state, definition, book FROM projections.generations WHERE state = 'previous'"
CREATE = "INSERT INTO projections.generations (state, definition, book) VALUES (%s, %s, %s) RETURNING number"
MAKE_LIVE = (
    "UPDATE projections.generations SET state = 'live', live_since = clock_timestamp() WHERE number = %s",
    "UPDATE projections.generations SET state = 'previous' WHERE state = 'live'",
)
RETIRE = "UPDATE projections.generations SET state = 'retired' WHERE number = %s"
TRACK = "INSERT INTO log.tracking (application_name, notification_id) VALUES (%s, %s)"
UNTRACK = "DELETE FROM log.tracking WHERE application_name = %s"
OWNED_BY_OTHERS = """
SELECT nspname FROM pg_namespace JOIN projections.generations ON nspname = 'generation_' || number
WHERE pg_get_userbyid(nspowner) <> %s ORDER BY number
"""
TABLES_OF = "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind IN ('r', 'p', 'v')"
POSITION = "SELECT notification_id FROM log.tracking WHERE application_name = %s"


class NotHandedOver(LedgerError):
    """The tables belong to a role that may not give them away: the message says what to do."""


class NoGeneration(LedgerError):
    """There is no live generation of the tables: the ledger has not been set up, or was set up by another program."""


@dataclass(frozen=True)
class Generation:
    """One build of the tables. `definition` is the digest of the table definitions, `book_text` the rules, as YAML."""

    number: int
    state: str
    definition: str
    book_text: str

    @property
    def schema(self) -> str:
        return f"generation_{self.number}"

    @property
    def rules(self) -> Rules:
        return parsed(self.book_text)

    @property
    def current(self) -> bool:
        """Whether this program's definitions are those it was built under."""
        return self.definition == definition_digest(self.book_text)


@cache
def definition_digest(book_text: str) -> str:
    """SHA-256 over the compiled definitions of all tables under the rules."""
    rules = parsed(book_text)
    made = recipe(book_text)
    parts = [
        *(each.valid for each in made.events.values()),
        *create_tables(rules, "generation"),
        *chain(*create_indexes(rules, "generation").values()),
    ]
    for table in made.definitions:
        parts += [sql for _, _, sql in (*table.stages, (table.name, None, table.rows))]
        parts.append(table.contributions or "")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def live(connection: Connection[Any]) -> Generation:
    """The generation that readers are given. Raises NoGeneration."""
    found = connection.execute(LIVE).fetchone()
    if found is None:
        raise NoGeneration("there are no tables yet: start the ledger once with `reqledger serve`")
    return Generation(*found)


def find(connection: Connection[Any], number: int) -> Generation:
    found = connection.execute(ONE, [number]).fetchone()
    if found is None:
        raise NoGeneration(f"there is no generation {number}")
    return Generation(*found)


def previous(connection: Connection[Any]) -> Generation:
    """The generation that was live before this one. Raises NoGeneration."""
    found = connection.execute(PREVIOUS).fetchone()
    if found is None:
        raise NoGeneration("there is no previous generation to go back to")
    return Generation(*found)


def create(connection: Connection[Any], book_text: str, *, state: str = "building", indexed: bool = True) -> Generation:
    """Make an empty generation at position 0, within the caller's transaction.

    With `indexed=False` its tables have no indexes yet: fill them first, then run `create_indexes`.
    """
    digest = definition_digest(book_text)
    row = connection.execute(CREATE, [state, digest, book_text]).fetchone()
    assert row is not None
    generation = Generation(row[0], state, digest, book_text)
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(generation.schema)))
    for statement in create_tables(generation.rules, generation.schema):
        connection.execute(statement.encode())
    keep_recipe(connection, recipe(book_text))
    _fill_calendars(connection, generation)
    if indexed:
        for statement in chain(*create_indexes(generation.rules, generation.schema).values()):
            connection.execute(statement.encode())
    connection.execute(TRACK, [generation.schema, 0])
    return generation


def switch(connection: Connection[Any], generation: Generation) -> None:
    """Make a generation live; the one that was becomes the previous, and the one before that is dropped."""
    old = connection.execute(PREVIOUS).fetchone()
    if old is not None and old[0] != generation.number:
        drop(connection, Generation(*old))
    for statement in reversed(MAKE_LIVE):
        connection.execute(statement, [generation.number] if "%s" in statement else [])


def drop(connection: Connection[Any], generation: Generation) -> None:
    """Remove a generation's tables; that it was there stays on record."""
    connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(generation.schema)))
    connection.execute(UNTRACK, [generation.schema])
    connection.execute(RETIRE, [generation.number])


def hand_over(connection: Connection[Any], role: str) -> list[str]:
    """Make `role`, which runs the ledger from now on, the owner of all generations' schemas and tables; those that were
    another's. Within the caller's transaction. Raises NotHandedOver."""
    schemas = [name for (name,) in connection.execute(OWNED_BY_OTHERS, [role])]
    owner = sql.Identifier(role)
    try:
        for schema in schemas:
            connection.execute(sql.SQL("ALTER SCHEMA {} OWNER TO {}").format(sql.Identifier(schema), owner))
            for (name,) in connection.execute(TABLES_OF, [schema]).fetchall():
                table = sql.Identifier(schema, name)
                connection.execute(sql.SQL("ALTER TABLE {} OWNER TO {}").format(table, owner))
    except InsufficientPrivilege as error:
        raise NotHandedOver(
            f"The tables in {', '.join(schemas)} cannot be handed over to {role} ({error.diag.message_primary}): have "
            f"a superuser run this command (LEDGER_OWNER_URL), or GRANT {role} to the role that runs it."
        ) from error
    return schemas


def position(connection: Connection[Any], generation: Generation) -> int:
    """How far in the log a generation has come."""
    row = connection.execute(POSITION, [generation.schema]).fetchone()
    return int(row[0]) if row else 0


CALENDAR_INDEXES = {
    "calendar_days": (("calendar", "day"), ("calendar", "ordinal")),
    "calendar_segments": (("calendar", "utc_day"), ("calendar", "work_day")),
}


def _fill_calendars(connection: Connection[Any], generation: Generation) -> None:
    worked_out = compiled.calendars(generation.book_text)
    for name, schema in CALENDARS.items():
        table = sql.Identifier(generation.schema, name)
        connection.execute(sql.SQL("CREATE TABLE {} ({})").format(table, sql.SQL(columns_sql(schema))))
        columns = sql.SQL(", ").join(map(sql.Identifier, schema.names))
        with connection.cursor().copy(sql.SQL("COPY {} ({}) FROM STDIN").format(table, columns)) as copy:
            for row in worked_out[name]:
                copy.write_row(row)
        for columns_indexed in CALENDAR_INDEXES[name]:
            names = sql.SQL(", ").join(map(sql.Identifier, columns_indexed))
            connection.execute(sql.SQL("CREATE INDEX ON {} ({})").format(table, names))
        connection.execute(sql.SQL("ANALYZE {}").format(table))
