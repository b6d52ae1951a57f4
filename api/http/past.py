"""Tables as they stood: worked out again by a replay and kept for the pages that follow, one moment at a time."""

from __future__ import annotations

import heapq
import operator
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import total_ordering
from typing import Any, Final

from api.http.problems import overloaded
from ledger.log.application import Ledger
from ledger.rulebook.expressions import Kind
from projections.contributions import columns_of
from projections.reading import BadCursor, Filter, Page, UnknownColumn, UnknownTable
from projections.tables import READABLE, TABLES
from projections.values import BadValue, read, shown
from replays.as_of import tables_at
from replays.engine import Replay

MOST_QUESTIONS: Final = 2
"""Questions about the past that are worked out at once: each may take an engine, and gigabytes, of its own."""
WAIT_SECONDS: Final = 5.0
"""How long a question waits for the one before it that uses the same replayed tables."""
FURTHEST_ROW: Final = 1_000_000

_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": operator.eq,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}


_QUESTIONS: Final = threading.BoundedSemaphore(MOST_QUESTIONS)


@contextmanager
def asking_the_past() -> Iterator[None]:
    """One of the few questions about the past at a time. Raises a `Problem` (503) at once where there is no room."""
    if not _QUESTIONS.acquire(blocking=False):
        raise overloaded(f"{MOST_QUESTIONS} questions about the past are being worked out already", retry_after=5)
    try:
        yield
    finally:
        _QUESTIONS.release()


class Past:
    """The tables of one past moment at a time; another moment replaces it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._moment: tuple[int, datetime | None] | None = None
        self._engine: Replay | None = None

    def page(
        self,
        table: str,
        *,
        as_of: int,
        valid_at: datetime | None,
        filters: Sequence[Filter],
        sort: Sequence[str],
        cursor: str | None,
        limit: int,
    ) -> Page:
        """One page of a table as it stood at position `as_of`, of what had occurred by `valid_at`.

        Raises UnknownTable, UnknownColumn, BadValue, BadCursor, and a `Problem` (503) while others are asking.
        """
        if table not in READABLE:
            raise UnknownTable(f"there is no table {table!r}; there are {', '.join(sorted(READABLE))}")
        with asking_the_past(), self._at(as_of, valid_at) as engine:
            kinds = columns_of(table, engine.rules) if table in TABLES else dict(READABLE[table].columns)
            tests = [_test(each, kinds, table) for each in filters]
            order = _order(table, kinds, sort)
            skipped = _skipped(cursor)
            wanted = (row for row in engine.rows(table) if all(test(row) for test in tests))
            found = heapq.nsmallest(skipped + limit + 1, wanted, key=lambda row: [_Place(row[n], d) for n, d in order])
        rows = [{name: shown(kind, row[name]) for name, kind in kinds.items()} for row in found[skipped:][:limit]]
        more = str(skipped + limit) if len(found) > skipped + limit else None
        return Page(kinds, rows, more, as_of)

    def close(self) -> None:
        """Let the replayed tables go; those that a question still holds go with the process."""
        if self._lock.acquire(timeout=WAIT_SECONDS):
            try:
                self._forget()
            finally:
                self._lock.release()

    @contextmanager
    def _at(self, as_of: int, valid_at: datetime | None) -> Iterator[Replay]:
        if not self._lock.acquire(timeout=WAIT_SECONDS):
            raise overloaded("Another moment of the past is being replayed", retry_after=30)
        try:
            if self._engine is None or self._moment != (as_of, valid_at):
                self._forget()
                self._engine = self._stack.enter_context(tables_at(self._ledger, as_of=as_of, valid_at=valid_at))
                self._moment = (as_of, valid_at)
            yield self._engine
        finally:
            self._lock.release()

    def _forget(self) -> None:
        self._engine = self._moment = None
        self._stack.close()


@total_ordering
class _Place:
    """Where a value comes in an order: those without one last, whichever way the others go."""

    __slots__ = ("down", "value")

    def __init__(self, value: Any, down: bool) -> None:
        self.value = value
        self.down = down

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Place) and self.value == other.value

    def __lt__(self, other: _Place) -> bool:
        if self.value is None or other.value is None:
            return self.value is not None and other.value is None
        return bool(self.value > other.value if self.down else self.value < other.value)


def _order(table: str, kinds: Mapping[str, Kind], sort: Sequence[str]) -> list[tuple[str, bool]]:
    order = [(name.removeprefix("-"), name.startswith("-")) for name in sort]
    for name, _ in order:
        _known(table, name, kinds)
    return order + [(name, False) for name in READABLE[table].key if name not in {given for given, _ in order}]


def _test(each: Filter, kinds: Mapping[str, Kind], table: str) -> Callable[[Mapping[str, Any]], bool]:
    column, kind = each.column, _known(table, each.column, kinds)
    try:
        values = [read("boolean" if each.operator == "null" else kind, value) for value in each.values]
    except BadValue as error:
        raise BadValue(f"{column}: {error}") from error
    if each.operator == "null":
        return lambda row: (row[column] is None) == values[0]
    if each.operator == "in":
        return lambda row: row[column] in values
    if each.operator == "ne":
        return lambda row: bool(row[column] != values[0])
    compare = _COMPARE[each.operator]
    return lambda row: row[column] is not None and compare(row[column], values[0])


def _known(table: str, column: str, kinds: Mapping[str, Kind]) -> Kind:
    if column not in kinds:
        raise UnknownColumn(f"table {table} has no column {column!r}; it has {', '.join(kinds)}")
    return kinds[column]


def _skipped(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10 and int(cursor) <= FURTHEST_ROW):
        raise BadCursor("this cursor belongs to another question; start again without one")
    return int(cursor)
