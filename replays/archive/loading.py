"""Reading an archive into an engine: typed columns as they stand in its segments, or typed again from the bytes."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from ledger.log.application import Ledger
from projections.recipes import Recipe
from replays.archive.columns import digest
from replays.archive.manifest import Segment
from replays.archive.reading import Archive, BeyondArchive, Progress


@dataclass(frozen=True)
class Archived:
    """What a replay reads instead of the log: an archive, and of the log, where there is one, only what comes after it.

    Raises OtherArchive where the archive is not of the ledger.
    """

    archive: Archive
    ledger: Ledger | None = None

    def __post_init__(self) -> None:
        if self.ledger is not None:
            self.archive.require(self.ledger)

    def fill(
        self, connection: duckdb.DuckDBPyConnection, recipe: Recipe, upto: int, progress: Progress = lambda *_: None
    ) -> list[str]:
        """Put the archived events up to a position into `raw_<aggregate>`, but for those in the files given back.

        Typed columns of such a file are the recipe's, and DuckDB reads them where they stand. Entries typed by other
        definitions than the recipe's are typed again. Raises ArchiveDamaged before anything is read, and
        BeyondArchive where no log goes on.
        """
        archive = self.archive
        if self.ledger is None and upto > archive.last:
            raise BeyondArchive(archive.place, f"position {upto}", archive.last)
        archive.verify(upto, progress)
        alike = digest(recipe.events)
        files = []
        for one in archive.upto(upto):
            if one.typed == alike and archive.storage.local:
                files.append(archive.uri(one))
            else:
                progress("reading the archive", one.first - 1, upto)
                _insert(connection, recipe, segment_rows(connection, archive, one), upto, typed=one.typed == alike)
        progress("reading the archive", min(upto, archive.last), upto)
        return files


def _insert(connection: duckdb.DuckDBPyConnection, recipe: Recipe, rows: str, upto: int, *, typed: bool) -> None:
    """Put the rows of a segment into `raw_<aggregate>`, their columns as they are or their entries typed again."""
    connection.execute(f"CREATE TEMP VIEW chunk AS SELECT * FROM {rows} WHERE position <= {upto:d}")
    for (aggregate,) in connection.execute('SELECT DISTINCT "aggregate" FROM chunk').fetchall():
        # what a kept recipe does not know, its tables do not ask for
        if aggregate in recipe.events:
            events = recipe.events[aggregate]
            columns = ", ".join(f'"{name}"' for name in events.raw.names)
            as_they_are = f"SELECT {columns} FROM chunk WHERE \"aggregate\" = '{aggregate}'"
            connection.execute(f'INSERT INTO "raw_{aggregate}" ({columns}) {as_they_are}' if typed else events.typed)
    connection.execute("DROP VIEW chunk")


def segment_rows(connection: duckdb.DuckDBPyConnection, archive: Archive, segment: Segment) -> str:
    """A segment as a relation of the engine, which reads files of this machine by itself."""
    if archive.storage.local:
        return f"read_parquet({literal(archive.uri(segment))})"
    connection.register("segment", archive.dataset([segment]))
    return "segment"


def literal(value: str) -> str:
    """A text as SQL has it."""
    return "'{}'".format(value.replace("'", "''"))
