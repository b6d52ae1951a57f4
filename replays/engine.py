"""DuckDB as an engine: the log read into it, and every table worked out by the same definitions as the live ones."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import duckdb
import ibis
import pyarrow
from adbc_driver_postgresql import dbapi as adbc
from psycopg import sql

from ledger.events import COLUMNS
from ledger.log.application import Ledger
from projections import compiled
from projections.compiled import parsed
from projections.inputs import DAYS
from projections.relation import EFFECTIVE, ENVELOPE, RAW
from projections.statements import counters_schema

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

TYPES = {"string": "VARCHAR", "int64": "BIGINT", "boolean": "BOOLEAN"}
JSON_TYPES = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "boolean": "BOOLEAN",
    "time": "TIMESTAMPTZ",
    "day": "DATE",
    "week": "VARCHAR",
    "quarter": "VARCHAR",
}
FROM_JSON = {
    "time": 'epoch_us(data."{0}")',
    "day": 'epoch_us(data."{0}")',
    # the fourth of January lies in the first ISO week of its year
    "week": "epoch_us(date_trunc('week', make_date(CAST(data.\"{0}\"[1:4] AS INTEGER), 1, 4))"
    ' + INTERVAL 7 DAY * (CAST(data."{0}"[7:8] AS INTEGER) - 1))',
    "quarter": 'epoch_us(make_date(CAST(data."{0}"[1:4] AS INTEGER), CAST(data."{0}"[7:7] AS INTEGER) * 3 - 2, 1))',
}
ENTRIES = (
    "SELECT position, aggregate, subject, version, type, (extract(epoch FROM occurred_at)::numeric * 1000000)::bigint "
    "AS occurred_at, (extract(epoch FROM recorded_at)::numeric * 1000000)::bigint AS recorded_at, entry "
    "FROM log.entries WHERE position > {after} AND position <= {upto}"
)
OF_ENTITIES = " AND (aggregate, subject) IN ({entities})"
CHUNK = 200_000
"""Positions read from the log at a time."""
SMALL_MB = 500
"""Memory of an engine into which no log is read."""


class Engine:
    """A DuckDB of its own, in memory up to `memory_mb` and then on disk, gone when closed."""

    def __init__(self, book_text: str, memory_mb: int = SMALL_MB) -> None:
        self.book_text = book_text
        self.book = parsed(book_text)
        self._spill = tempfile.TemporaryDirectory(prefix="reqledger-replay-")
        self.connection = duckdb.connect(
            config={
                "memory_limit": f"{memory_mb}MB",
                "temp_directory": self._spill.name,
                "preserve_insertion_order": False,
            }
        )
        self.connection.execute("SET TimeZone = 'UTC'")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.connection.close()
        self._spill.cleanup()

    def load(
        self,
        ledger: Ledger,
        upto: int,
        entities: Iterable[tuple[str, str]] | None = None,
        progress: Progress = lambda *_: None,
    ) -> None:
        """Read the log up to a position, or the streams of some entities, into `raw_events`."""
        self.create("raw_events", RAW)
        only = list(entities) if entities is not None else None
        with adbc.connect(ledger.database.conninfo) as connection, connection.cursor() as cursor:
            for after in range(0, upto, CHUNK) if only is None else [0]:
                end = min(after + CHUNK, upto) if only is None else upto
                cursor.execute(_entries_sql(after, end, only))
                chunk = cursor.fetch_record_batch()
                self.connection.register("chunk", chunk)
                self.connection.execute(_typed_sql())
                self.connection.unregister("chunk")
                progress("reading", end, upto)

    def build(self, valid_at: int | None = None, counters: bool = True, progress: Progress = lambda *_: None) -> None:
        """Work out effective events, all tables, the clocks and the counters from `raw_events`.

        With `valid_at` (microseconds), only from what had occurred by then.
        """
        self.create("effective_events", EFFECTIVE)
        told = [] if valid_at is None else [valid_at]
        self.fill("effective_events", EFFECTIVE, compiled.effective(bool(told)), told)
        self.fill_calendars()
        definitions = compiled.definitions(self.book_text)
        if counters:
            self.create("counters", counters_schema(self.book))
        for done, table in enumerate(definitions):
            progress(f"building {table.name}", done, len(definitions))
            for stage, schema, query in table.stages:
                self.create(stage, schema)
                self.fill(stage, schema, query)
            self.create(table.name, table.schema)
            self.fill(table.name, table.schema, table.rows)
            for stage, _, _ in table.stages:
                self.connection.execute(f'DROP TABLE "{stage}"')
            if counters and table.contributions is not None:
                self.fill("counters", counters_schema(self.book), table.contributions)
        progress("built", len(definitions), len(definitions))

    def rows(self, table: str) -> Iterator[dict[str, Any]]:
        """The rows of a table, times and days as integers."""
        found = self.connection.execute(f'SELECT * FROM "{table}"')
        names = [column[0] for column in found.description or []]
        while chunk := found.fetchmany(10_000):
            for row in chunk:
                yield dict(zip(names, row, strict=True))

    def arrow(self, table: str) -> pyarrow.RecordBatchReader:
        """The rows of a table, as Arrow record batches."""
        return self.connection.sql(f'SELECT * FROM "{table}"').to_arrow_reader(100_000)

    def fill_calendars(self) -> None:
        """Make `calendar_days` of the rule book's calendars."""
        self.create("calendar_days", DAYS)
        worked_out = compiled.calendar_days(self.book_text)
        columns = {name: [getattr(day, name) for day in worked_out] for name in DAYS.names}
        self.connection.register("worked_out", pyarrow.table(columns))
        self.connection.execute("INSERT INTO calendar_days SELECT * FROM worked_out")
        self.connection.unregister("worked_out")

    def create(self, name: str, schema: ibis.Schema) -> None:
        """Make an empty table."""
        columns = ", ".join(f'"{column}" {TYPES[str(dtype)]}' for column, dtype in schema.items())
        self.connection.execute(f'CREATE TABLE "{name}" ({columns})')

    def fill(self, name: str, schema: ibis.Schema, query: str, parameters: Sequence[Any] = ()) -> None:
        """Put the rows of a query into a table."""
        columns = ", ".join(f'"{column}"' for column in schema.names)
        self.connection.execute(f'INSERT INTO "{name}" ({columns}) {query}', parameters)


def _entries_sql(after: int, upto: int, entities: list[tuple[str, str]] | None) -> str:
    query = sql.SQL(ENTRIES).format(after=sql.Literal(after), upto=sql.Literal(upto))
    if entities is not None:
        pairs = sql.SQL(", ").join(
            sql.SQL("({}, {})").format(sql.Literal(aggregate), sql.Literal(subject)) for aggregate, subject in entities
        )
        query += sql.SQL(OF_ENTITIES).format(entities=pairs)
    return query.as_string(None)


def _typed_sql() -> str:
    """From the entries' bytes to typed columns: DuckDB's counterpart of the view log.events."""
    shape = json.dumps({name: JSON_TYPES[kind] for name, kind in COLUMNS.items()})
    fields = ", ".join(
        f'{FROM_JSON.get(kind, chr(34).join(("data.", "{0}", ""))).format(name)} AS "{name}"'
        for name, kind in COLUMNS.items()
    )
    envelope = ", ".join(f'"{name}"' for name in ENVELOPE)
    columns = ", ".join(f'"{name}"' for name in RAW.names)
    return (
        f"INSERT INTO raw_events ({columns}) SELECT {columns} FROM (SELECT {envelope}, {fields} FROM "
        f"(SELECT {envelope}, json_transform(CAST(decode(entry) AS JSON) -> 'data', '{shape}') AS data FROM chunk))"
    )
