"""The words a table's columns are said in: which event of a subject sets a cell.

Events of a subject stand in the order of `seq`: the opening event first, then by time of occurrence, then by position.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import ibis
import ibis.expr.types as ir

from ledger.events import CATALOGUE, COLUMNS
from ledger.rulebook.expressions import Kind

KIND_OF_FIELD: Mapping[str, Kind] = {
    "text": "text",
    "integer": "integer",
    "boolean": "boolean",
    "time": "time",
    "day": "day",
    "week": "day",
    "quarter": "day",
}


@dataclass(frozen=True)
class Spec:
    """How events set a cell.

    pick: the first or last event that says something, how many there are (or how many different values), or whether
    there is any; types: the event types looked at; field: what is taken from the event; where: what must hold of it;
    undone_by: types after which nothing is said any more; states: for a status, what each type makes of it;
    order: `seq` (as it happened) or `position` (as it was told).
    """

    pick: Literal["first", "last", "count", "distinct", "ever", "status"]
    types: tuple[str, ...]
    field: str = "occurred_at"
    where: tuple[tuple[str, object], ...] = ()
    undone_by: tuple[str, ...] = ()
    states: tuple[tuple[str, str], ...] = ()
    order: Literal["seq", "position"] = "seq"

    def __post_init__(self) -> None:
        for name in self.types + self.undone_by:
            if name not in CATALOGUE:
                raise LookupError(f"there is no event type {name!r}")
        for name in (self.field, *(column for column, _ in self.where)):
            if name not in ("occurred_at", "position") and name not in COLUMNS:
                raise LookupError(f"no event has a field {name!r}")

    @property
    def kind(self) -> Kind:
        if self.pick in ("count", "distinct"):
            return "integer"
        if self.pick == "ever":
            return "boolean"
        if self.pick == "status":
            return "text"
        return "time" if self.field == "occurred_at" else KIND_OF_FIELD.get(COLUMNS.get(self.field, ""), "integer")

    @property
    def sources(self) -> frozenset[str]:
        return frozenset(self.types + self.undone_by)

    def __str__(self) -> str:
        """The column's definition in words, such as `last due_at of delivery.planned or delivery.rescheduled`."""
        of = " or ".join(self.types)
        told = {
            "count": f"number of {of}",
            "distinct": f"number of different {self.field} of {of}",
            "ever": f"whether there is any {of}",
            "status": ", ".join(f"{state} after {kind}" for kind, state in self.states),
        }.get(self.pick, f"{self.pick} {self.field} of {of}")
        where = " and ".join(f"{column} = {str(value).lower()}" for column, value in self.where)
        undone = " or ".join(self.undone_by)
        return told + (f" with {where}" if where else "") + (f", until {undone}" if undone else "")

    def expression(self, events: ir.Table) -> ir.Value:
        """The cell as an aggregation over a subject's events."""
        match self.pick:
            case "count":
                return how_many(self._told(events))
            case "distinct":
                return events[self.field].nunique(where=self._told(events))
            case "ever":
                return how_many(self._told(events)) > 0
            case "status":
                state = ibis.cases(
                    *((events.type == kind, ibis.literal(text, "string")) for kind, text in self.states),
                    else_=ibis.null("string"),
                )
                return state.argmax(events[self.order], where=self._told(events))
        return self._picked(events, events[self.field])

    def source(self, events: ir.Table) -> ir.Value:
        """The position of the event that sets the cell: of the last one, where several make it up; of the one that
        undid it, where it says nothing any more."""
        if self.undone_by:
            return events.position.argmax(events[self.order], where=events.type.isin(self.types + self.undone_by))
        return self._picked(events, events.position)

    def _picked(self, events: ir.Table, value: ir.Value) -> ir.Value:
        told, order = self._told(events), events[self.order]
        if self.undone_by:
            value = ibis.ifelse(told, value, ibis.null(value.type()))
            return value.argmax(order, where=told | events.type.isin(self.undone_by))
        if self.field != "occurred_at":
            told = told & events[self.field].notnull()
        return value.argmin(order, where=told) if self.pick == "first" else value.argmax(order, where=told)

    def _told(self, events: ir.Table) -> ir.BooleanValue:
        told = events.type.isin(self.types)
        for column, value in self.where:
            holds = events[column] == value
            # of the many types that make a status, only some have the field
            told = told & (holds | events[column].isnull() if self.pick == "status" else holds)
        return told


def first(field: str, *types: str, **where: object) -> Spec:
    return Spec("first", types, field, tuple(where.items()))


def last(field: str, *types: str, undone_by: tuple[str, ...] = (), **where: object) -> Spec:
    return Spec("last", types, field, tuple(where.items()), undone_by)


def first_at(*types: str, **where: object) -> Spec:
    return Spec("first", types, "occurred_at", tuple(where.items()))


def last_at(*types: str, undone_by: tuple[str, ...] = (), **where: object) -> Spec:
    return Spec("last", types, "occurred_at", tuple(where.items()), undone_by)


def edge(field: str, merged: str, unmerged: str) -> Spec:
    """A field of the merge that stands now; merges go by position, not by time of occurrence."""
    return Spec("last", (merged,), field, (), (unmerged,), order="position")


def count(*types: str) -> Spec:
    return Spec("count", types)


def distinct(field: str, *types: str) -> Spec:
    return Spec("distinct", types, field)


def ever(*types: str, **where: object) -> Spec:
    return Spec("ever", types, where=tuple(where.items()))


def status(states: Mapping[str, str], **where: object) -> Spec:
    return Spec("status", tuple(states), where=tuple(where.items()), states=tuple(states.items()))


def how_many(told: ir.BooleanValue) -> ir.IntegerScalar:
    """The number of rows of which something holds, 0 where it holds of none.

    (`count(where=…)` compiles to a sum for Spark, which is NULL where nobody knows of any row whether it holds.)
    """
    return ibis.ifelse(told, ibis.literal(1, "int64"), ibis.null("int64")).count()


def fold(events: ir.Table, by: Mapping[str, ir.Value], cells: Mapping[str, Spec]) -> ir.Table:
    """One row per value of `by`, one column per cell."""
    return events.group_by(**by).agg(**{name: spec.expression(events) for name, spec in cells.items()})


def kinds(cells: Mapping[str, Spec]) -> dict[str, Kind]:
    return {name: spec.kind for name, spec in cells.items()}


def sources(cells: Mapping[str, Spec]) -> frozenset[str]:
    return frozenset[str]().union(*(spec.sources for spec in cells.values()))
