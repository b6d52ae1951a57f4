"""DuckDB as an engine: the log read into it, and every table worked out by the same definitions as the live ones."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import duckdb
import ibis
import pyarrow
import pyarrow.compute
from adbc_driver_postgresql import dbapi as adbc
from psycopg import sql

from ledger.log.application import Ledger
from projections.recipes import Definition, Recipe
from projections.statements import counters_schema
from replays.ahead import batches
from replays.archive.loading import Archived, literal

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

TYPES = {"string": "VARCHAR", "int64": "BIGINT", "boolean": "BOOLEAN"}
ENTRIES = (
    "SELECT position, aggregate, subject, version, type, (extract(epoch FROM occurred_at)::numeric * 1000000)::bigint "
    "AS occurred_at, (extract(epoch FROM recorded_at)::numeric * 1000000)::bigint AS recorded_at, entry "
    "FROM log.entries WHERE position > {after} AND position <= {upto}"
)
RAW_EVENTS = "CREATE VIEW raw_events AS {}"
OF_AGGREGATE = 'SELECT position, aggregate, type, occurred_at, recorded_at, voided_position FROM "raw_{}"'
OF_ENTITIES = " AND (aggregate, subject) IN ({entities})"
CHUNK_BYTES = 64 << 20
"""What is read from the log at a time."""
SMALL_MB = 500
"""Memory of an engine into which no log is read."""


class Engine:
    """A DuckDB of its own, in memory up to `memory_mb` and then on disk, gone when closed."""

    def __init__(self, memory_mb: int = SMALL_MB) -> None:
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

    def rows(self, table: str) -> Iterator[dict[str, Any]]:
        """The rows of a table, times and days as integers."""
        found = self.connection.execute(f'SELECT * FROM "{table}"')
        names = [column[0] for column in found.description or []]
        while chunk := found.fetchmany(10_000):
            for row in chunk:
                yield dict(zip(names, row, strict=True))

    def arrow(self, table: str) -> pyarrow.RecordBatchReader:
        """The rows of a table, as Arrow record batches."""
        # a cursor of its own: tables may be read side by side
        return self.connection.cursor().sql(f'SELECT * FROM "{table}"').to_arrow_reader(100_000)

    def fill_calendars(self, worked_out: Mapping[str, bytes]) -> None:
        """Make the relations of calendars worked out, as a recipe has them."""
        for name, content in worked_out.items():
            self.connection.register("added", pyarrow.ipc.open_stream(content).read_all())
            self.connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM added')
            self.connection.unregister("added")

    def create(self, name: str, schema: ibis.Schema) -> None:
        """Make an empty table."""
        columns = ", ".join(f'"{column}" {TYPES[str(dtype)]}' for column, dtype in schema.items())
        self.connection.execute(f'CREATE TABLE "{name}" ({columns})')

    def fill(self, name: str, schema: ibis.Schema, query: str, parameters: Sequence[Any] = ()) -> None:
        """Put the rows of a query into a table."""
        columns = ", ".join(f'"{column}"' for column in schema.names)
        self.connection.execute(f'INSERT INTO "{name}" ({columns}) {query}', parameters)


class Tables:
    """Every table by one recipe, in a schema of an engine; what is not there is that of `main`."""

    def __init__(self, engine: Engine, recipe: Recipe, schema: str = "main") -> None:
        self.engine = engine
        self.recipe = recipe
        self.rules = recipe.rules
        self.schema = schema

    def query(self, query: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Run a query on these tables with those of the parameters that it names; its rows."""
        named = {name: value for name, value in (parameters or {}).items() if f"${name}" in query}
        self._look_here()
        return self.engine.connection.execute(query, named).fetchall()

    def build(self, valid_at: int | None = None, counters: bool = False, progress: Progress = lambda *_: None) -> None:
        """Work out effective events, all tables and the clocks from the events read, and the counters where wanted.

        With `valid_at` (microseconds), only from what had occurred by then.
        """
        self._look_here()
        recipe, engine = self.recipe, self.engine
        told = [] if valid_at is None else [valid_at]
        for done, (aggregate, events) in enumerate(recipe.events.items()):
            progress("ordering events", done, len(recipe.events))
            engine.create(f"effective_{aggregate}", events.effective)
            engine.fill(f"effective_{aggregate}", events.effective, events.valid_at if told else events.valid, told)
        engine.fill_calendars(recipe.calendars)
        if counters:
            engine.create("counters", counters_schema(self.rules))
        self._define(recipe.definitions, counters, progress)

    def build_what_differs(self, other: Recipe, progress: Progress = lambda *_: None) -> tuple[str, ...]:
        """Build those tables that come out otherwise than by the other recipe, whose tables are those of `main`; their
        names."""
        self._look_here()
        calendars = self.recipe.calendars != other.calendars
        if calendars:
            self.engine.fill_calendars(self.recipe.calendars)
        known = {definition.name: definition for definition in other.definitions}
        built: list[Definition] = []
        changed = {*self.recipe.calendars} if calendars else set()
        for definition in self.recipe.definitions:
            texts = (definition.rows, *(query for _, _, query in definition.stages))
            before = known[definition.name]
            same = (definition.rows, definition.stages) == (before.rows, before.stages)
            if not same or any(f'"{name}"' in text for name in changed for text in texts):
                changed.add(definition.name)
                built.append(definition)
        self._define(built, False, progress)
        return tuple(definition.name for definition in built)

    def _define(self, definitions: Sequence[Definition], counters: bool, progress: Progress) -> None:
        engine = self.engine
        for done, table in enumerate(definitions):
            progress(f"building {table.name}", done, len(definitions))
            for stage, schema, query in table.stages:
                engine.create(stage, schema)
                engine.fill(stage, schema, query)
            engine.create(table.name, table.schema)
            engine.fill(table.name, table.schema, table.rows)
            for stage, _, _ in table.stages:
                engine.connection.execute(f'DROP TABLE "{stage}"')
            if counters and table.contributions is not None:
                engine.fill("counters", counters_schema(self.rules), table.contributions)
        progress("built", len(definitions), len(definitions))

    def _look_here(self) -> None:
        path = self.schema if self.schema == "main" else f"{self.schema},main"
        self.engine.connection.execute(f"SET search_path = '{path}'")


class Replay(Engine):
    """The log, up to some position, and every table worked out of it by a recipe."""

    def __init__(self, recipe: Recipe, memory_mb: int = SMALL_MB) -> None:
        super().__init__(memory_mb)
        self.recipe = recipe
        self.rules = recipe.rules
        self.tables = Tables(self, recipe)

    def load(
        self,
        source: Ledger | Archived,
        upto: int,
        entities: Iterable[tuple[str, str]] | None = None,
        progress: Progress = lambda *_: None,
    ) -> None:
        """Read the log up to a position, or the streams of some entities, into a relation for each aggregate.

        With an archive, only what comes after it is read from the log; streams of entities are all read from the log,
        which has an index for them. Raises ArchiveDamaged, BeyondArchive.
        """
        for aggregate, events in self.recipe.events.items():
            self.create(f"raw_{aggregate}", events.raw)
        only = list(entities) if entities is not None else None
        done, files = 0, list[str]()
        ledger = source.ledger if isinstance(source, Archived) else source
        if isinstance(source, Archived) and only is None:
            files = source.fill(self.connection, self.recipe, upto, progress)
            done = min(upto, source.archive.last)
        if ledger is not None and done < upto:
            self._read(ledger, done, upto, only, progress)
        if files:
            self._read_in_place(files, upto)
        self.connection.execute(RAW_EVENTS.format(" UNION ALL ".join(map(OF_AGGREGATE.format, self.recipe.events))))

    def _read(
        self, ledger: Ledger, done: int, upto: int, only: list[tuple[str, str]] | None, progress: Progress
    ) -> None:
        with adbc.connect(ledger.database.conninfo) as connection:
            for batch in batches(connection, _entries_sql(done if only is None else 0, upto, only), CHUNK_BYTES):
                self.connection.register("chunk", pyarrow.Table.from_batches([batch]))
                told = pyarrow.compute.unique(batch["aggregate"]).to_pylist()
                # what a kept recipe does not know, its tables do not ask for
                for aggregate in self.recipe.events.keys() & told:
                    self.connection.execute(self.recipe.events[aggregate].typed)
                self.connection.unregister("chunk")
                done += batch.num_rows
                progress("reading", min(done, upto), upto)
        progress("reading", upto, upto)

    def _read_in_place(self, files: list[str], upto: int) -> None:
        """Have `raw_<aggregate>` be what was put into it and its rows of Parquet files, which are not copied."""
        parquet = f"read_parquet([{', '.join(map(literal, files))}])"
        for aggregate, events in self.recipe.events.items():
            columns = ", ".join(f'"{name}"' for name in events.raw.names)
            self.connection.execute(f'ALTER TABLE "raw_{aggregate}" RENAME TO "other_{aggregate}"')
            self.connection.execute(
                f'CREATE VIEW "raw_{aggregate}" AS SELECT {columns} FROM "other_{aggregate}" UNION ALL '
                f"SELECT {columns} FROM {parquet} WHERE \"aggregate\" = '{aggregate}' AND position <= {upto:d}"
            )

    def let_go_of_events(self) -> None:
        """Drop the events, once all tables are worked out of them."""
        found = self.connection.execute("SELECT table_name, table_type FROM information_schema.tables").fetchall()
        kinds = {name: "VIEW" if kind == "VIEW" else "TABLE" for name, kind in found}
        kept = [f"{kind}_{aggregate}" for aggregate in self.recipe.events for kind in ("raw", "other", "effective")]
        for name in ("raw_events", *kept):
            if name in kinds:
                self.connection.execute(f'DROP {kinds[name]} "{name}"')

    def build(self, valid_at: int | None = None, counters: bool = True, progress: Progress = lambda *_: None) -> None:
        """Work out the tables, as `Tables.build` has it."""
        self.tables.build(valid_at, counters, progress)

    def beside(self, schema: str, recipe: Recipe, events: str | None = None) -> Tables:
        """A place for the tables by another recipe, or out of those events only for which a condition holds."""
        self.connection.execute(f'CREATE SCHEMA "{schema}"')
        if events is not None:
            for aggregate in recipe.events:
                name = f"raw_{aggregate}"
                self.connection.execute(
                    f'CREATE VIEW "{schema}"."{name}" AS SELECT * FROM main."{name}" WHERE {events}'
                )
        return Tables(self, recipe, schema)


def _entries_sql(after: int, upto: int, entities: list[tuple[str, str]] | None) -> str:
    query = sql.SQL(ENTRIES).format(after=sql.Literal(after), upto=sql.Literal(upto))
    if entities is not None:
        pairs = sql.SQL(", ").join(
            sql.SQL("({}, {})").format(sql.Literal(aggregate), sql.Literal(subject)) for aggregate, subject in entities
        )
        query += sql.SQL(OF_ENTITIES).format(entities=pairs)
    return query.as_string(None)
