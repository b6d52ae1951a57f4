"""All tables of one moment taken out: as Parquet files, or straight to a query.

Out here a time is a timestamp in UTC and a day a date; durations stay whole microseconds, as the ledger has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import duckdb
import orjson
import pyarrow

from ledger.errors import LedgerError
from ledger.log.application import Ledger
from ledger.rulebook.expressions import Kind
from ledger.vocabulary import instant_text
from projections.contributions import columns_of
from projections.tables import READABLE, TABLES
from projections.values import instant
from replays.archive.loading import Archived
from replays.archive.storage import Storage
from replays.as_of import end_of, tables_at
from replays.engine import Progress, Replay

OVERVIEW: Final = "as-of.json"
SCHEMA: Final = "as_of"
OUTWARD: Final[Mapping[str, str]] = {
    "time": 'make_timestamptz("{0}") AS "{0}"',
    "day": 'CAST(make_timestamp("{0}") AS DATE) AS "{0}"',
}
"""How columns of these kinds are turned outward; all others stay as they are."""
LOCKED: Final = ("SET enable_external_access = false", "SET autoload_known_extensions = false",
                 "SET autoinstall_known_extensions = false", "SET lock_configuration = true")  # fmt: skip


class FolderTaken(LedgerError):
    """Tables were taken to a folder that holds something already."""

    def __init__(self, place: str, name: str) -> None:
        super().__init__(f"{place} holds {name} already: name a folder that is empty or not there yet")


class BadQuery(LedgerError):
    """A query cannot be run on the tables of a moment."""


class Taken:
    """All tables as of one moment, to be written or asked; the engine's events are let go."""

    def __init__(self, engine: Replay, position: int, overview: Mapping[str, Any]) -> None:
        self.overview = overview
        """The ledger, the position, the moments asked for, the rule books, and the recipe's digest."""
        self.position = position
        self.columns: Mapping[str, Mapping[str, Kind]] = {
            name: dict(columns_of(name, engine.rules) if name in TABLES else READABLE[name].columns)
            for name in READABLE
        }
        self._connection = engine.connection
        self._locked = False
        engine.let_go_of_events()
        self._connection.execute(f"CREATE SCHEMA {SCHEMA}")
        for name, columns in self.columns.items():
            turned = ", ".join(OUTWARD.get(kind, '"{0}"').format(column) for column, kind in columns.items())
            self._connection.execute(f'CREATE VIEW {SCHEMA}."{name}" AS SELECT {turned} FROM main."{name}"')
        self._connection.execute(f"SET search_path = '{SCHEMA}'")

    def write(self, storage: Storage, progress: Progress = lambda *_: None) -> dict[str, Any]:
        """Write each table as a Parquet file into a vacant folder, and beside them, last, what they are of; the latter.

        Rows are in the order of their keys. Raises StorageFailed.
        """
        tables = {}
        for done, (name, columns) in enumerate(self.columns.items()):
            progress(f"writing {name}", done, len(self.columns))
            key = ", ".join(f'"{column}"' for column in READABLE[name].key)
            with storage.filling(f"{name}.parquet") as path:
                where = str(path).replace("'", "''")
                ((rows,),) = self._connection.execute(
                    f"COPY (SELECT * FROM {SCHEMA}.\"{name}\" ORDER BY {key}) TO '{where}' "
                    "(FORMAT parquet, COMPRESSION zstd)"
                ).fetchall()
            tables[name] = {"file": f"{name}.parquet", "rows": rows, "columns": dict(columns)}
        told = {**self.overview, "tables": tables}
        storage.write(OVERVIEW, orjson.dumps(told, option=orjson.OPT_INDENT_2))
        progress("written", len(tables), len(tables))
        return told

    def query(self, query: str) -> pyarrow.RecordBatchReader:
        """Run one query that only reads, on these tables and on nothing else: no file, no network, no setting.

        From the first one on the engine can write no file any more. Raises BadQuery.
        """
        if not self._locked:
            for statement in LOCKED:
                self._connection.execute(statement)
            self._locked = True
        try:
            statements = self._connection.extract_statements(query)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise BadQuery("the query must be one SELECT")
            return self._connection.sql(query).to_arrow_reader(10_000)
        except duckdb.Error as error:
            raise BadQuery(f"the query cannot be run: {error}") from None


def vacant(place: str | Path) -> Storage:
    """An empty folder, or one that is not there yet. Raises FolderTaken, StorageFailed."""
    storage = Storage.at(place)
    for name in storage.names():
        raise FolderTaken(storage.place, name)
    return storage


@contextmanager
def taken(
    source: Ledger | Archived,
    *,
    as_of: int | None = None,
    valid_at: datetime | None = None,
    memory_mb: int | None = None,
    progress: Progress = lambda *_: None,
) -> Iterator[Taken]:
    """All tables as of a position (default: the end), with what had occurred by `valid_at`.

    Raises BeyondArchive, ArchiveDamaged.
    """
    position = end_of(source) if as_of is None else as_of
    with tables_at(
        source, as_of=position, valid_at=valid_at, memory_mb=memory_mb, counters=False, progress=progress
    ) as engine:
        yield Taken(engine, position, _overview(source, engine, position, valid_at))


def _overview(source: Ledger | Archived, engine: Replay, position: int, valid_at: datetime | None) -> dict[str, Any]:
    facts: Any = source.archive.manifest if isinstance(source, Archived) else source.head()
    ((recorded,),) = engine.connection.execute("SELECT max(recorded_at) FROM raw_events").fetchall()
    return {
        "ledger_id": str(facts.ledger_id),
        "simulated": facts.simulated,
        "position": position,
        "recorded_at": None if recorded is None else instant_text(instant(recorded)),
        "valid_at": None if valid_at is None else instant_text(valid_at),
        "rule_books": [
            {
                "rule_book": book.rule_book,
                "version": book.version,
                "digest": book.digest(),
                "effective_from": book.effective_from.isoformat(),
            }
            for book in engine.rules.books
        ],
        "recipe": engine.recipe.digest,
    }
