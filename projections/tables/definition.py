"""What a tracking table is: a function from events (and other tables) to rows, said once for every engine.

Inside an engine every time is a 64-bit integer of microseconds since 1970 UTC and every day the microseconds of its
midnight as if it were UTC, so that no engine does time arithmetic of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import ibis
import ibis.expr.types as ir

from ledger.rulebook.expressions import Kind
from ledger.rulebook.model import Label
from ledger.rulebook.rules import Rules
from projections.tables.fold import Spec

DTYPES: Mapping[str, str] = {
    "text": "string",
    "integer": "int64",
    "boolean": "boolean",
    "time": "int64",
    "day": "int64",
    "duration": "int64",
}


class Inputs(Protocol):
    """What a table's rows are made of. A full build sees everything; a batch sees what its keys touch."""

    rules: Rules

    def events(self, *aggregates: str, fields: Iterable[str] | None = None) -> ir.Table:
        """Effective events of the subjects in question: not voided, in order of `seq` within (aggregate, subject).

        With the fields of all that they can tell, or of some: where several aggregates are taken together, each field
        that is not needed is a column of nothing for most.
        """

    def scoped(self, table: str) -> ir.Table:
        """Rows of another table that has the same first key column, for the keys in question."""

    def table(self, name: str) -> ir.Table:
        """All rows of another table."""

    def keys(self) -> ir.Table | None:
        """The keys in question (columns: the partition's), or None for all."""

    def stage(self, name: str, rows: ir.Table) -> ir.Table:
        """The same rows, worked out once and kept for the rest of the definition: for what is used more than once."""

    def days(self) -> ir.Table:
        """The worked-out calendars: one row per calendar and day, as ledger.rulebook.calendars.CalendarDay."""

    def segments(self) -> ir.Table:
        """Their working time: rows of ledger.rulebook.calendars.CalendarSegment."""


@dataclass(frozen=True)
class Reach:
    """Through which key a change of another table reaches this one.

    `columns` are those of the upstream table that matter: rows in which none of them changed reach nothing. `keys`
    turns changed rows (before and after alike) into keys of this table; it may look into any table as it stands
    before this table's own rows are replaced. With `calendars`, the outcomes of the clocks that run on a calendar are
    among the columns that matter; where the rules have none on the table, nothing reaches this one.
    """

    table: str
    columns: tuple[str, ...]
    keys: Callable[[ir.Table, Inputs], ir.Table]
    calendars: bool = False

    def columns_under(self, rules: Rules) -> tuple[str, ...]:
        """The columns that matter under the rules; none, where nothing reaches."""
        if not self.calendars:
            return self.columns
        outcomes = tuple(f"{name}_outcome" for name in rules.on_calendars(self.table))
        return (*self.columns, *outcomes) if outcomes else ()


@dataclass(frozen=True, kw_only=True)
class Table:
    """A tracking table.

    name: as in the API and the database; label: its name for people; aggregates: whose events make its rows;
    key: the columns that name a row; partition: the first of them, by which rows are replaced together;
    columns: every column's kind, in order; rows: the definition; sources: the event types that can change a row;
    cells: for columns that one event sets, how (for explanations); borrowed: columns taken over from another table,
    as {column: (table, column)}; worked_out: columns that others of the row make up, and which; reaches: the other
    tables it is made of; indexes: columns looked up by others.
    """

    name: str
    label: Label
    aggregates: tuple[str, ...]
    key: tuple[str, ...]
    partition: tuple[str, ...]
    columns: Mapping[str, Kind]
    rows: Callable[[Inputs], ir.Table]
    sources: frozenset[str]
    cells: Mapping[str, Spec] = field(default_factory=dict)
    part: str | None = None
    borrowed: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    worked_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reaches: tuple[Reach, ...] = ()
    indexes: tuple[str, ...] = ()

    def schema(self) -> ibis.Schema:
        return ibis.schema({name: DTYPES[kind] for name, kind in self.columns.items()})


def label(en: str, zh: str) -> Label:
    return Label(en=en, zh=zh)


def beside(inputs: Inputs, name: str, rows: ir.Table, other: ir.Table, key: Sequence[str]) -> ir.Table:
    """The rows, with the columns of other rows of the same key set beside them where there are any.

    The others are worked out as a stage of that name: PostgreSQL thinks little of what comes out of a subquery, and
    would look through all of them for every row.
    """
    joined = rows.left_join(inputs.stage(name, other), list(key))
    return joined.select(*rows.columns, *(column for column in other.columns if column not in key))


def without(rows: ir.Table, *names: str) -> ir.Table:
    """The rows less some columns. (Ibis's own `drop` compiles to a set, in another order from run to run.)"""
    return rows.select(*(name for name in rows.columns if name not in names))
