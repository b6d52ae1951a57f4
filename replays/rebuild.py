"""Rebuild: all tables and counters anew from the log, beside the live ones, compared with them, then switched.

Readers never notice: the live generation serves until one transaction makes the new one live. A rebuild that is killed
leaves the live generation as it was; what it had built is dropped by the next one. The log itself is only read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow
import structlog
from adbc_driver_postgresql import dbapi as adbc
from psycopg import Connection, DatabaseError, sql

from ledger.errors import LedgerError
from ledger.log.application import Ledger
from projections import generations
from projections.generations import Generation
from projections.keeping import recall
from projections.projector import BATCH, Batches
from projections.recipes import recipe
from projections.statements import create_indexes
from replays.archive.loading import Archived
from replays.archive.reading import Archive
from replays.differences import TableDifference, differences
from replays.engine import Progress, Replay

LOCK = 7246331902118
LEFT_OVER = "SELECT number, state, definition, book FROM projections.generations WHERE state = 'building'"
STAND_STILL = "SELECT notification_id FROM log.tracking WHERE application_name = %s FOR UPDATE"
SET_POSITION = "UPDATE log.tracking SET notification_id = %s WHERE application_name = %s"
WRITERS = 3
"""Tables that are written at a time: one sends, one indexes, one waits for the disk."""
SORTING = "SET maintenance_work_mem = '256MB'"
ROUNDS = 10
"""Times a rebuild tries to come close to a log that grows meanwhile, before it has the live projector wait for it."""


class ReplayRunning(LedgerError):
    """Another rebuild of this ledger is under way: wait for it to end."""

    def __init__(self) -> None:
        super().__init__("another rebuild of this ledger is under way: wait for it to end")


class WorkedOut(Protocol):
    """Every table, worked out by an engine."""

    def arrow(self, table: str) -> pyarrow.RecordBatchReader:
        """The rows of a table, times and days as integers."""


class Elsewhere(Protocol):
    """Where tables are worked out, other than in this process."""

    def tables(
        self, archive: Archive, book_text: str, upto: int, progress: Progress = ...
    ) -> AbstractContextManager[WorkedOut]:
        """All tables out of an archive's events up to a position."""


@dataclass(frozen=True)
class Report:
    """What a rebuild came to: the generation built, how far, and what differs from the one live before.

    `compared_at` is the position at which they were compared; None where that was not wanted, or not possible.
    """

    generation: int
    replaced: int | None
    position: int
    compared_at: int | None
    differences: list[TableDifference] = field(default_factory=list)
    switched: bool = True

    @property
    def differing(self) -> int:
        return sum(each.differing for each in self.differences)


def rebuild(
    ledger: Ledger,
    *,
    book_text: str | None = None,
    switch: bool = True,
    compare: bool = True,
    before_switch: Callable[[], None] = lambda: None,
    archive: Archive | None = None,
    elsewhere: Elsewhere | None = None,
    progress: Progress = lambda *_: None,
) -> Report:
    """Build a new generation and make it live (or, with `switch=False`, only compare and drop it again).

    With `compare=False` the live tables, which may be far behind, are not caught up and compared first. `book_text` is
    the rules to build under (default: the live generation's). `before_switch` is called once the new tables are there:
    where it raises, they are dropped. With an archive of this ledger, only what comes after it is read from the log;
    its own events may be worked out `elsewhere`. Raises ReplayRunning, and with an archive OtherArchive,
    ArchiveDamaged.
    """
    source = ledger if archive is None else Archived(archive, ledger)
    with alone(ledger) as connection:
        for row in connection.execute(LEFT_OVER).fetchall():
            with connection.transaction():
                generations.drop(connection, Generation(*row))
        try:
            old: Generation | None = generations.live(connection)
        except generations.NoGeneration:
            old = None
        if book_text is None:
            assert old is not None, "the first generation needs a rule book"
            book_text = old.book_text
        recall(connection, book_text)
        # tables of definitions that this program does not have stand still: they are compared where they stand
        still = generations.position(connection, old) if old is not None and compare and not old.current else None
        with connection.transaction():
            new = generations.create(connection, book_text, indexed=False)
        try:
            _fill(ledger, source, connection, new, still, elsewhere, progress)
            return _take_over(ledger, connection, old, new, switch, compare, progress, before_switch)
        except BaseException:
            with connection.transaction():
                generations.drop(connection, new)
            raise


def back(ledger: Ledger) -> Report:
    """Make the previous generation live again, after bringing it up to the log. Raises NoGeneration, ReplayRunning."""
    with alone(ledger) as connection:
        new = generations.previous(connection)
        if not new.current:
            raise generations.NoGeneration(
                f"generation {new.number} was built under other table definitions than this program's; run a replay"
            )
        return _take_over(ledger, connection, generations.live(connection), new, True, True, lambda *_: None)


@contextmanager
def alone(ledger: Ledger) -> Iterator[Connection[Any]]:
    """A connection that builds generations, and no other. Raises ReplayRunning."""
    with ledger.database.holding(LOCK) as connection:
        if connection is None:
            raise ReplayRunning
        yield connection


def _fill(
    ledger: Ledger,
    source: Ledger | Archived,
    connection: Connection[Any],
    new: Generation,
    upto: int | None,
    elsewhere: Elsewhere | None,
    progress: Progress,
) -> None:
    """Fill a generation up to a position (default: the log's present end, or the end of an archive that is worked out
    elsewhere)."""
    upto = ledger.head().position if upto is None else upto
    if elsewhere is None:
        worked_out: AbstractContextManager[WorkedOut] = _here(ledger, source, new.book_text, upto, progress)
    else:
        assert isinstance(source, Archived), "only an archive is worked out elsewhere"
        upto = min(upto, source.archive.last)
        worked_out = elsewhere.tables(source.archive, new.book_text, upto, progress)
    with worked_out as tables:
        _write(ledger, tables, new, progress)
    connection.execute(SET_POSITION, [upto, new.schema])


def _write(ledger: Ledger, tables: WorkedOut, new: Generation, progress: Progress) -> None:
    """Write tables with their indexes and statistics, several side by side: while one is indexed, another is sent."""
    writers: dict[int, tuple[adbc.Connection, Connection[Any]]] = {}

    def connections() -> tuple[adbc.Connection, Connection[Any]]:
        # once a writer, not once a table: ADBC asks for every type of the database, which takes longer than most tables
        writer = threading.get_ident()
        if writer not in writers:
            target = stack.enter_context(adbc.connect(ledger.database.conninfo))
            connection = stack.enter_context(ledger.database.connect())
            connection.execute(SORTING)
            writers[writer] = target, connection
        return writers[writer]

    def write(name: str) -> None:
        target, connection = connections()
        with target.cursor() as cursor:
            cursor.adbc_ingest(name, tables.arrow(name), mode="append", db_schema_name=new.schema)
        target.commit()
        for statement in indexes[name]:
            connection.execute(statement.encode())
        connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(new.schema, name)))

    indexes = create_indexes(new.rules, new.schema)
    with ExitStack() as stack, ThreadPoolExecutor(WRITERS, "writing") as pool:
        written = [pool.submit(write, name) for name in indexes]
        try:
            for done, table in enumerate(as_completed(written)):
                table.result()
                progress("writing", done, len(indexes))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    progress("writing", len(indexes), len(indexes))


@contextmanager
def _here(
    ledger: Ledger, source: Ledger | Archived, book_text: str, upto: int, progress: Progress
) -> Iterator[WorkedOut]:
    with Replay(recipe(book_text), ledger.settings.replay_memory_mb) as engine:
        engine.load(source, upto, progress=progress)
        engine.build(progress=progress)
        yield engine


def _take_over(
    ledger: Ledger,
    connection: Connection[Any],
    old: Generation | None,
    new: Generation,
    switch: bool,
    compare: bool,
    progress: Progress,
    before_switch: Callable[[], None] = lambda: None,
) -> Report:
    """Catch up, compare at one position while the live projector stands still, and switch."""
    found: list[TableDifference] | None = None
    compared_at: int | None = None
    if compare and old is not None and not old.current:
        compared_at, found = generations.position(connection, new), differences(connection, old, new, progress)
    with ledger.database.connect() as own:
        batches = Batches(ledger, own, new)
        progress("catching up", 0, 1)
        for _ in range(ROUNDS):
            # each round takes in what came during the one before, so that little is left for the last, under the lock
            if batches.catch_up() <= BATCH:
                break
        with connection.transaction():
            if old is not None:
                connection.execute(STAND_STILL, [old.schema])
                batches.catch_up(upto=generations.position(connection, old))
            progress("catching up", 1, 1)
            position = generations.position(connection, new)
            if compare and old is not None and old.current:
                found = _compare(ledger, connection, old, new, progress)
                compared_at = None if found is None else position
            if switch:
                before_switch()
                generations.switch(connection, new)
            else:
                generations.drop(connection, new)
    replaced = old.number if old else None
    return Report(new.number, replaced, position, compared_at, found or [], switch)


def _compare(
    ledger: Ledger, connection: Connection[Any], old: Generation, new: Generation, progress: Progress
) -> list[TableDifference] | None:
    """What differs once the live tables are at the same position; None where they cannot be brought there.

    Tables that can no longer be projected are what a rebuild mends: they must not keep it from being done.
    """
    try:
        with connection.transaction():
            upto = generations.position(connection, new)
            if generations.position(connection, old) < upto:
                Batches(ledger, connection, old).catch_up(upto=upto)
            return differences(connection, old, new, progress)
    except DatabaseError as error:
        structlog.get_logger("replay").warning(
            "live_tables_not_comparable",
            generation=old.number,
            cause=error.diag.message_primary or type(error).__name__,
        )
        return None
