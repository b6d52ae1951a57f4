"""Figures and rows of the tables that are worked out when they are read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import ibis
from psycopg import Connection, sql

from ledger.rulebook.calendars import first_moment, local_day
from ledger.rulebook.model import RuleBook, day_us
from projections.compiled import parsed
from projections.contributions import Contributor
from projections.generations import Generation
from projections.inputs import Whole
from projections.periods import Period
from projections.statements import ANY_SCHEMA, placed, to_sql
from projections.tables.standing import ASKED, PERIODS, STANDING, WINDOWS, Asked
from projections.values import as_day

MONTHS = {"month": 1, "quarter": 3, "half_year": 6}
MOMENTS = sql.SQL(
    "WITH moment AS (SELECT {asked}::bigint AS asked), "
    "periods AS (SELECT * FROM unnest({periods}) "
    " AS each(begins, ends, opens_at, closes_at)), "
    "windows AS (SELECT * FROM unnest({cadences}::text[], {windows}) "
    " AS each(cadence, begins, ends, opens_at, closes_at)) "
)
FIRST_ACTIVE = "SELECT min(from_at) FROM {}"
READABLE_STANDING = ("cadence",)
"""The tables that are read as such; the others need periods, and are read through figures."""


def standing_sql(book_text: str, schema: str, name: str, by: tuple[str, ...]) -> str:
    """(day, by…, numerator, denominator, 0) of a metric on such a table; `moments` stand before it."""
    return placed(_standing_sql(book_text, name, by), schema)


@lru_cache(maxsize=1024)
def _standing_sql(book_text: str, name: str, by: tuple[str, ...]) -> str:
    book = parsed(book_text)
    each = Contributor(book.metric(name), book)
    rows = STANDING[each.metric.table].rows(Whole(book, ANY_SCHEMA), _asked())
    rows = rows.filter(each.included(rows) & (each.amount(each.metric.denominator, rows) != 0))
    rows = rows.select(
        day=each.day(rows),
        **{f"by_{dimension}": each.dimension(dimension, rows) for dimension in by},
        numerator=each.amount(each.metric.numerator, rows),
        denominator=each.amount(each.metric.denominator, rows),
    )
    sums = rows.group_by("day", *(f"by_{dimension}" for dimension in by)).agg(
        numerator=rows.numerator.sum(), denominator=rows.denominator.sum()
    )
    return f"SELECT *, 0 FROM ({to_sql(sums)}) AS found"


def rows_sql(book_text: str, schema: str, table: str) -> str:
    """All rows of such a table; `moments` stand before it."""
    return placed(_rows_sql(book_text, table), schema)


@lru_cache(maxsize=64)
def _rows_sql(book_text: str, table: str) -> str:
    definition = STANDING[table]
    return to_sql(definition.rows(Whole(parsed(book_text), ANY_SCHEMA), _asked()).select(*definition.columns))


def _asked() -> Asked:
    return Asked(
        periods=ibis.table(PERIODS, name="periods"),
        windows=ibis.table(WINDOWS, name="windows"),
        moment=ibis.table(ASKED, name="moment"),
    )


def moments(connection: Connection[Any], generation: Generation, periods: Sequence[Period], asked: int) -> sql.Composed:
    """What stands before such a query: its periods, all windows of the cadences, the moment of asking.

    What has not come to an end yet ends, for now, with the moment of asking; of what has not begun nothing is said.
    """
    book = generation.book
    periods = [period for period in periods if first_moment(period.first, book.time_zone) <= asked]
    query = sql.SQL(FIRST_ACTIVE).format(sql.Identifier(generation.schema, "active_spells"))
    found = connection.execute(query).fetchone()
    since = found[0] if found and found[0] is not None else asked
    windows = _windows(book, since, asked)
    now = asked + 1
    return MOMENTS.format(
        asked=sql.Literal(asked),
        periods=_columns(
            [(period, min(first_moment(_behind(period), book.time_zone), now)) for period in periods], book
        ),
        cadences=sql.Literal([cadence for cadence, _ in windows]),
        windows=_columns([(window, first_moment(_behind(window), book.time_zone)) for _, window in windows], book),
    )


def _columns(periods: Sequence[tuple[Period, int]], book: RuleBook) -> sql.Composed:
    """The columns of `PERIODS` as arrays, of periods and when each closes."""
    columns = (
        [day_us(period.first) for period, _ in periods],
        [day_us(period.last) for period, _ in periods],
        [first_moment(period.first, book.time_zone) for period, _ in periods],
        [closes for _, closes in periods],
    )
    return sql.SQL(", ").join(sql.SQL("{}::bigint[]").format(sql.Literal(column)) for column in columns)


def _behind(period: Period) -> date:
    return period.last + timedelta(1)


def _windows(book: RuleBook, since: int, asked: int) -> list[tuple[str, Period]]:
    """The calendar windows of every cadence, from the one before `since` to the one that holds `asked`.

    While the first window runs, that it was preceded by another lets a contact in it count.
    """
    found: list[tuple[str, Period]] = []
    for cadence in sorted({each.every for each in book.cadences}):
        months = MONTHS[cadence]
        day = as_day(local_day(since, book.time_zone))
        held = date(day.year, (day.month - 1) // months * months + 1, 1) - timedelta(1)
        begins = date(held.year, (held.month - 1) // months * months + 1, 1)
        while first_moment(begins, book.time_zone) <= asked:
            month = begins.month + months
            following = date(begins.year + (month - 1) // 12, (month - 1) % 12 + 1, 1)
            found.append((cadence, Period(begins, following - timedelta(1))))
            begins = following
    return found
