"""Figures and rows of the tables that are worked out when they are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import ibis
import ibis.expr.types as ir
from psycopg import Connection, sql

from ledger.rulebook.calendars import first_moment, local_day
from ledger.rulebook.model import Cadence, day_us
from ledger.rulebook.rules import Rules
from projections.compiled import parsed
from projections.contributions import Contributor, contributors
from projections.generations import Generation
from projections.inputs import Whole
from projections.periods import Period
from projections.statements import ANY_SCHEMA, placed, to_sql
from projections.tables.standing import STANDING, asked_tables
from projections.values import as_day

MONTHS = {"month": 1, "quarter": 3, "half_year": 6}
MOMENTS = sql.SQL(
    "WITH moment AS (SELECT {asked}::bigint AS asked), "
    "periods AS (SELECT * FROM unnest({periods}) "
    " AS each(begins, ends, opens_at, closes_at)), "
    "windows AS (SELECT * FROM unnest({tiers}::text[], {cadences}::text[], {windows}) "
    " AS each(tier, cadence, begins, ends, opens_at, closes_at)) "
)
FIRST_ACTIVE = "SELECT min(from_at) FROM {}"
Columns = tuple[list[int], list[int], list[int], list[int]]
READABLE_STANDING = ("cadence",)
"""The tables that are read as such; the others need periods, and are read through figures."""


def standing_sql(book_text: str, schema: str, name: str, by: tuple[str, ...]) -> str:
    """(day, by…, numerator, denominator, 0) of a metric on such a table; `moments` stand before it."""
    return placed(_standing_sql(book_text, name, by), schema)


@lru_cache(maxsize=1024)
def _standing_sql(book_text: str, name: str, by: tuple[str, ...]) -> str:
    rules = parsed(book_text)
    parts = [_contributed(each, by) for each in contributors(rules, name)]
    rows = ibis.union(*parts) if len(parts) > 1 else parts[0]
    sums = rows.group_by("day", *(f"by_{dimension}" for dimension in by)).agg(
        numerator=rows.numerator.sum(), denominator=rows.denominator.sum()
    )
    return f"SELECT *, 0 FROM ({to_sql(sums)}) AS found"


def _contributed(each: Contributor, by: tuple[str, ...]) -> ir.Table:
    """What the rows of one version of the metric add."""
    rows = each.judged(STANDING[each.metric.table].rows(Whole(each.rules, ANY_SCHEMA), asked_tables()))
    rows = rows.filter(each.included(rows) & (each.amount(each.metric.denominator, rows) != 0))
    return rows.select(
        day=each.day(rows),
        **{f"by_{dimension}": each.dimension(dimension, rows) for dimension in by},
        numerator=each.amount(each.metric.numerator, rows),
        denominator=each.amount(each.metric.denominator, rows),
    )


def rows_sql(book_text: str, schema: str, table: str) -> str:
    """All rows of such a table; `moments` stand before it."""
    return placed(_rows_sql(book_text, table), schema)


@lru_cache(maxsize=64)
def _rows_sql(book_text: str, table: str) -> str:
    definition = STANDING[table]
    rows = definition.rows(Whole(parsed(book_text), ANY_SCHEMA), asked_tables()).select(*definition.columns)
    # which may begin with a WITH of its own
    return f"SELECT * FROM ({to_sql(rows)}) AS found"


def moments(connection: Connection[Any], generation: Generation, periods: Sequence[Period], asked: int) -> sql.Composed:
    """What stands before such a query: its periods, all windows of the cadences, the moment of asking."""
    query = sql.SQL(FIRST_ACTIVE).format(sql.Identifier(generation.schema, "active_spells"))
    found = connection.execute(query).fetchone()
    asking = asked_rows(generation.rules, periods, asked, found[0] if found else None)
    arrays = sql.SQL("{}::bigint[]")
    return MOMENTS.format(
        asked=sql.Literal(asked),
        periods=sql.SQL(", ").join(arrays.format(sql.Literal(column)) for column in asking.periods),
        tiers=sql.Literal(asking.tiers),
        cadences=sql.Literal(asking.cadences),
        windows=sql.SQL(", ").join(arrays.format(sql.Literal(column)) for column in asking.windows),
    )


@dataclass(frozen=True)
class AskedRows:
    """What such a table is asked with: the columns of the relations `periods` and `windows`, the latter without
    its first two, which are `tiers` and `cadences`."""

    periods: Columns
    tiers: list[str]
    cadences: list[str]
    windows: Columns


def asked_rows(rules: Rules, periods: Sequence[Period], asked: int, since: int | None) -> AskedRows:
    """The periods that have begun, and all windows of the cadences since the first customer was active.

    What has not come to an end yet ends, for now, with the moment of asking.
    """
    zone = rules.at(asked).time_zone
    begun = [period for period in periods if first_moment(period.first, zone) <= asked]
    windows = list(_windows(rules, asked if since is None else since, asked))
    return AskedRows(
        periods=_columns([(period, zone, min(first_moment(_behind(period), zone), asked + 1)) for period in begun]),
        tiers=[cadence.tier for cadence, *_ in windows],
        cadences=[cadence.every for cadence, *_ in windows],
        windows=_columns([(window, zone, closes) for _, window, zone, closes in windows]),
    )


def _columns(periods: Sequence[tuple[Period, str, int]]) -> Columns:
    """The columns of `PERIODS`, of periods, the zone whose days they are, and when each closes."""
    return (
        [day_us(period.first) for period, _, _ in periods],
        [day_us(period.last) for period, _, _ in periods],
        [first_moment(period.first, zone) for period, zone, _ in periods],
        [closes for _, _, closes in periods],
    )


def _behind(period: Period) -> date:
    return period.last + timedelta(1)


def _windows(rules: Rules, since: int, asked: int) -> Iterator[tuple[Cadence, Period, str, int]]:
    """The calendar windows of each tier's cadence, from the one before `since` to the one that holds `asked`: each by
    the rule book in force when it ends, with the book's time zone and when it closes.

    While the first window runs, that it was preceded by another lets a contact in it count.
    """
    for book, spell in rules.spells:
        for cadence in book.cadences:
            for window in _calendar_windows(cadence, since, asked, book.time_zone):
                closes = first_moment(_behind(window), book.time_zone)
                if spell.holds(closes - 1):
                    yield cadence, window, book.time_zone, closes


def _calendar_windows(cadence: Cadence, since: int, asked: int, zone: str) -> Iterator[Period]:
    months = MONTHS[cadence.every]
    day = as_day(local_day(since, zone))
    held = date(day.year, (day.month - 1) // months * months + 1, 1) - timedelta(1)
    begins = date(held.year, (held.month - 1) // months * months + 1, 1)
    while first_moment(begins, zone) <= asked:
        month = begins.month + months
        following = date(begins.year + (month - 1) // 12, (month - 1) % 12 + 1, 1)
        yield Period(begins, following - timedelta(1))
        begins = following
