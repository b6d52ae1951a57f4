"""As of: the tables as they stood at a position or recorded time, or with what had occurred by a moment.

`as_of` asks what the ledger knew then: events up to a position. `valid_at` asks what had happened by then, as known
(up to `as_of`, or today).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from ledger.log.application import Ledger
from ledger.rulebook.model import instant_us
from ledger.rulebook.rules import in_force
from projections.contributions import columns_of
from projections.generations import live
from projections.keeping import recall
from projections.recipes import Recipe, recipe
from projections.tables import READABLE, TABLES
from projections.tables.anomalies import SUBJECTS
from projections.trail import cluster
from projections.values import shown
from replays.archive.loading import Archived
from replays.engine import SMALL_MB, Progress, Replay

SUBJECT_COLUMNS = {aggregate: column for aggregate, (_, column) in SUBJECTS.items()}


@contextmanager
def tables_at(
    source: Ledger | Archived,
    *,
    as_of: int | None = None,
    valid_at: datetime | None = None,
    memory_mb: int | None = None,
    counters: bool = True,
    progress: Progress = lambda *_: None,
) -> Iterator[Replay]:
    """An engine with every table as it stood at position `as_of` (default: the end of the log, or of an archive without
    one), under the rules of today; in memory up to what the ledger's settings say, unless said here.

    Raises BeyondArchive, ArchiveDamaged.
    """
    ledger = source.ledger if isinstance(source, Archived) else source
    memory_mb = memory_mb or (SMALL_MB if ledger is None else ledger.settings.replay_memory_mb)
    with Replay(recipe_of(source), memory_mb) as engine:
        engine.load(source, end_of(source) if as_of is None else as_of, progress=progress)
        engine.build(instant_us(valid_at) if valid_at else None, counters=counters, progress=progress)
        yield engine


def state(
    ledger: Ledger,
    aggregate: str,
    subject: str,
    *,
    as_of: int | None = None,
    valid_at: datetime | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """The rows of one subject, by table, as they stood then: a replay of all that they depend on.

    Tables without a row of it are left out, so that nothing at all means: not known then.
    """
    upto = ledger.head().position if as_of is None else as_of
    with ledger.pool.connection() as connection:
        entities = cluster(connection, (aggregate, subject), upto)
    found: dict[str, list[dict[str, Any]]] = {}
    with Replay(recipe_of(ledger), ledger.settings.replay_memory_mb) as engine:
        engine.load(ledger, upto, entities)
        engine.build(instant_us(valid_at) if valid_at else None, counters=False)
        for name in READABLE:
            rows = [_shown(engine, name, row) for row in engine.rows(name) if _of(name, row, aggregate, subject)]
            if rows:
                found[name] = rows
    return found


def end_of(source: Ledger | Archived) -> int:
    """The last position there is."""
    if isinstance(source, Ledger):
        return source.head().position
    return source.archive.last if source.ledger is None else source.ledger.head().position


def position_at(source: Ledger | Archived, recorded: datetime) -> int:
    """The last position recorded at or before a moment; 0 when there is none. Raises BeyondArchive."""
    if isinstance(source, Archived):
        return source.archive.position_at(recorded) if source.ledger is None else source.ledger.position_at(recorded)
    return source.position_at(recorded)


def recipe_of(source: Ledger | Archived) -> Recipe:
    """The recipe of today's tables: by the rules of the live ones, or by the books in force at an archive's end."""
    ledger = source.ledger if isinstance(source, Archived) else source
    if ledger is None:
        assert isinstance(source, Archived)
        source.archive.verify()
        return recipe(in_force(source.archive.books()))
    with ledger.pool.connection() as connection:
        book_text = live(connection).book_text
        recall(connection, book_text)
    return recipe(book_text)


def _of(table: str, row: dict[str, Any], aggregate: str, subject: str) -> bool:
    if "aggregate" in row and "subject" in row:
        return bool(row["aggregate"] == aggregate and row["subject"] == subject)
    if aggregate not in READABLE[table].aggregates:
        return False
    return bool(row[SUBJECT_COLUMNS[aggregate]] == subject)


def _shown(engine: Replay, table: str, row: dict[str, Any]) -> dict[str, Any]:
    kinds = columns_of(table, engine.rules) if table in TABLES else READABLE[table].columns
    return {name: shown(kind, row[name]) for name, kind in kinds.items()}
