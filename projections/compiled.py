"""The definitions compiled as a whole, for an engine that is given all events: once per process and rule book."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import ibis
import ibis.expr.types as ir

from ledger.rulebook.calendars import CalendarDay, days
from ledger.rulebook.loading import load
from ledger.rulebook.model import RuleBook
from projections.contributions import columns_of, contributions
from projections.inputs import Whole, schema_of
from projections.relation import EFFECTIVE, RAW
from projections.relation import effective as effective_events
from projections.tables import CLOCKS, TABLES


@dataclass(frozen=True)
class Definition:
    """A table's SQL: stages to fill first (name, schema, query), the query for its rows, its schema, and the query for
    what it adds to the counters (None where no additive metric stands on it)."""

    name: str
    schema: ibis.Schema
    stages: tuple[tuple[str, ibis.Schema, str], ...]
    rows: str
    contributions: str | None


@cache
def parsed(book_text: str) -> RuleBook:
    """A published book; published books are valid, so this does not fail."""
    return load(book_text)


@cache
def calendar_days(book_text: str) -> tuple[CalendarDay, ...]:
    """All calendars of a book, worked out."""
    return tuple(day for calendar in parsed(book_text).calendars for day in days(calendar))


@cache
def definitions(book_text: str) -> tuple[Definition, ...]:
    """Every table in the order of dependence, the clocks last."""
    book = parsed(book_text)
    return (*(_table(name, book) for name in TABLES), _clocks(book))


@cache
def effective(valid_at: bool = False) -> str:
    """The effective events out of `raw_events`; with `valid_at`, up to the one parameter (microseconds)."""
    raw = ibis.table(RAW, name="raw_events")
    if not valid_at:
        return to_duckdb(effective_events(raw).select(*EFFECTIVE.names))
    mark = 7_246_331_902_119
    query = to_duckdb(effective_events(raw, valid_at=mark).select(*EFFECTIVE.names))
    return query.replace(str(mark), "$1")


def to_duckdb(rows: ir.Table) -> str:
    return str(ibis.to_sql(rows, dialect="duckdb"))


def _table(name: str, book: RuleBook) -> Definition:
    inputs = Whole(book, table=name)
    schema = schema_of(columns_of(name, book))
    rows = to_duckdb(TABLES[name].rows(inputs).select(*schema.names))
    sums = contributions(name, ibis.table(schema, name=name), book)
    return Definition(
        name=name,
        schema=schema,
        stages=tuple((stage, each.schema(), to_duckdb(each)) for stage, each in inputs.stages.items()),
        rows=rows,
        contributions=None if sums is None else to_duckdb(sums),
    )


def _clocks(book: RuleBook) -> Definition:
    schema = CLOCKS.schema()
    return Definition(CLOCKS.name, schema, (), to_duckdb(CLOCKS.rows(Whole(book)).select(*schema.names)), None)
