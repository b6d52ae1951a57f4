"""The typed event relation `log.events`: a view over the entries with one column per field of any event.

Generated from the event models' columns, so it cannot differ from them; made anew when they change. All times are
integers, microseconds since 1970 in UTC, and a day, week or quarter is the first moment of its first day: engines that
read this relation then need no arithmetic on times. Personal and unlisted fields are in no column.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from psycopg import Connection, sql
from psycopg.errors import DependentObjectsStillExist

from ledger.errors import MigrationError

# columns that stand before those of the data, in this order
ENVELOPE = (
    "position",
    "aggregate",
    "subject",
    "version",
    "type",
    "occurred_at",
    "recorded_at",
    "recorded_by",
    "source",
    "id",
    "voided_position",
    "actor",
    "correlation_id",
    "causation_id",
)
_TEXT_OF_ENTRY = ("actor", "correlation_id", "causation_id")
_TIMES = ("occurred_at", "recorded_at")
_READ_AS = {
    "text": "text",
    "integer": "bigint",
    "boolean": "boolean",
    "time": "timestamptz",
    "day": "date",
    "week": "text",
    "quarter": "text",
}

MICROSECONDS = sql.SQL("(extract(epoch FROM {})::numeric * 1000000)::bigint")
FIRST_DAY = {
    "day": sql.SQL("{0}"),
    # the fourth of January lies in the first ISO week of its year
    "week": sql.SQL(
        "(date_trunc('week', make_date(left({0}, 4)::int, 1, 4)::timestamp)::date + 7 * (right({0}, 2)::int - 1))"
    ),
    "quarter": sql.SQL("make_date(left({0}, 4)::int, right({0}, 1)::int * 3 - 2, 1)"),
}
"""The first day of what a calendrical kind names."""
MIDNIGHT = sql.SQL("{}::timestamp")
VIEW = sql.SQL("CREATE VIEW log.events AS {}")
TYPED = sql.SQL(
    "SELECT {columns} FROM log.entries AS entry CROSS JOIN LATERAL "
    "json_to_record(convert_from(entry.entry, 'UTF8')::json -> 'data') AS data({fields})"
)
TEXT_OF_ENTRY = sql.SQL("(convert_from(entry.entry, 'UTF8')::json ->> {})")
LOCK = "SELECT pg_advisory_xact_lock(7246331902117)"
DIGEST = "SELECT value FROM log.meta WHERE name = 'events_view'"
DROP = "DROP VIEW IF EXISTS log.events"
KEEP_DIGEST = (
    "INSERT INTO log.meta (name, value) VALUES ('events_view', %s) ON CONFLICT (name) DO UPDATE SET value = "
    "EXCLUDED.value"
)


def events_view(columns: Mapping[str, str]) -> sql.Composed:
    """The view's definition for data columns `columns` (name → kind, as in `ledger.events.COLUMNS`)."""
    return VIEW.format(typed_entries(ENVELOPE, columns))


def typed_entries(envelope: Iterable[str], columns: Mapping[str, str]) -> sql.Composed:
    """The query for some of the view's columns: of the envelope, and of the data. It calls the rows of the log `entry`.

    Every column that is asked for costs each row, whether or not it is used.
    """
    data = {name: kind for name, kind in columns.items() if name not in ENVELOPE}
    return TYPED.format(
        columns=sql.SQL(", ").join(
            [sql.SQL("{} AS {}").format(_envelope(name), sql.Identifier(name)) for name in envelope]
            + [sql.SQL("{} AS {}").format(_field(name, kind), sql.Identifier(name)) for name, kind in data.items()]
        ),
        fields=sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(_READ_AS[kind])) for name, kind in data.items()
        ),
    )


def events_view_stands(connection: Connection[Any], columns: Mapping[str, str]) -> bool:
    """Whether `log.events` stands already as `columns` want it."""
    found = connection.execute(DIGEST).fetchone()
    return found is not None and found[0] == _digest(connection, events_view(columns))


def make_events_view(connection: Connection[Any], columns: Mapping[str, str]) -> bool:
    """Make `log.events` unless it stands already as `columns` want it; whether it was made.

    Raises MigrationError when something else in the database depends on the outdated view.
    """
    if events_view_stands(connection, columns):
        return False
    view = events_view(columns)
    with connection.transaction():
        connection.execute(LOCK)
        try:
            connection.execute(DROP)
        except DependentObjectsStillExist as error:
            raise MigrationError(
                f"The view log.events must be made anew, but something depends on it: {error.diag.message_detail}. "
                "Drop that and start again."
            ) from error
        connection.execute(view)
        connection.execute(KEEP_DIGEST, [_digest(connection, view)])
    return True


def _digest(connection: Connection[Any], view: sql.Composed) -> str:
    return hashlib.sha256(view.as_string(connection).encode()).hexdigest()


def _envelope(name: str) -> sql.Composable:
    if name in _TEXT_OF_ENTRY:
        return TEXT_OF_ENTRY.format(sql.Literal(name))
    column = sql.Identifier("entry", name)
    return MICROSECONDS.format(column) if name in _TIMES else column


def _field(name: str, kind: str) -> sql.Composable:
    column = sql.Identifier("data", name)
    if kind == "time":
        return MICROSECONDS.format(column)
    return MICROSECONDS.format(MIDNIGHT.format(FIRST_DAY[kind].format(column))) if kind in FIRST_DAY else column
