"""The SQL behind a figure that the counters do not hold: the running day, what is still open, and medians.

Compiled once per rule book, metric and breakdown; the moment of asking comes as parameters, in a one-row relation
`asking` (all in microseconds: the moment, its day, the first and the last day asked for).
"""

from __future__ import annotations

from functools import lru_cache

import ibis
import ibis.expr.types as ir

from ledger.rulebook.expressions import parse
from ledger.rulebook.model import Metric
from projections.compiled import parsed
from projections.contributions import Contributor
from projections.inputs import Whole
from projections.statements import ANY_SCHEMA, placed, to_sql
from projections.tables.expressions import bind, judged

ASKING = ibis.schema({"asked": "int64", "today": "int64", "first": "int64", "last": "int64"})
PERIODS = ibis.schema({"nth": "int64", "begins": "int64", "ends": "int64"})
WITH_ASKING = (
    "WITH asking AS (SELECT %(asked)s::bigint AS asked, %(today)s::bigint AS today, %(first)s::bigint AS first, "
    "%(last)s::bigint AS last)"
)
WITH_PERIODS = (
    ", periods AS (SELECT nth, begins, ends FROM unnest(%(begins)s::bigint[], %(ends)s::bigint[]) "
    "WITH ORDINALITY AS each(begins, ends, nth))"
)


def _open(rows: ir.Table, clock: str | None, asked: ir.Value) -> ir.BooleanValue:
    """Whether the clock that makes a row count is still running at the moment of asking."""
    if clock is None:
        return ibis.literal(False)
    deadline = rows[f"{clock}_deadline"]
    running = rows[f"{clock}_started_at"].notnull() & rows[f"{clock}_outcome"].isnull()
    return running & (deadline.isnull() | (deadline >= asked))


def running_sql(book_text: str, schema: str, name: str, by: tuple[str, ...]) -> str:
    """(day, by…, numerator, denominator, open): what to add to the counters of past days, and what is open.

    Rows still open on past days are taken away (the counters hold them as if missed); today's rows are added up to
    the moment of asking.
    """
    return placed(_running_sql(book_text, name, by), schema)


@lru_cache(maxsize=1024)
def _running_sql(book_text: str, name: str, by: tuple[str, ...]) -> str:
    book = parsed(book_text)
    each = Contributor(book.metric(name), book)
    rows = Whole(book, ANY_SCHEMA).table(each.metric.table).cross_join(ibis.table(ASKING, name="asking"))
    day = each.day(rows)
    at = each.at(rows)
    counts = each.included(rows) & (each.amount(each.metric.denominator, rows) != 0)
    still_open = each.included(rows) & _open(rows, each.gate, rows.asked)
    if each.metric.agg_time_dimension in each.columns and each.columns[each.metric.agg_time_dimension] == "day":
        reached = at <= rows.today
    else:
        reached = at <= rows.asked
    found = rows.select(
        # what is open beyond today, or stands still, is open today
        day=ibis.least(day, rows.today),
        **{f"by_{dimension}": each.dimension(dimension, rows) for dimension in by},
        adds=(counts & reached & (day == rows.today) & ~still_open).fill_null(False),
        takes=(counts & still_open & (day < rows.today)).fill_null(False),
        open=still_open.fill_null(False),
        num=each.amount(each.metric.numerator, rows),
        den=each.amount(each.metric.denominator, rows),
        first=rows.first,
        last=rows.last,
    )
    found = found.filter(
        (found.adds | found.takes | found.open) & (found.day >= found.first) & (found.day <= found.last)
    )
    weight = ibis.cases((found.adds, 1), (found.takes, -1), else_=0)
    sums = found.group_by("day", *(f"by_{dimension}" for dimension in by)).agg(
        numerator=(found.num * weight).sum(),
        denominator=(found.den * weight).sum(),
        open=found.count(where=found.open),
    )
    return f"{WITH_ASKING} SELECT * FROM ({_escaped(sums)}) AS found"


def median_sql(book_text: str, schema: str, name: str, by: tuple[str, ...]) -> str:
    """(nth, by…, value, sample): per period the value of the middle row (the lower of two), of rows ended by then."""
    return placed(_median_sql(book_text, name, by), schema)


@lru_cache(maxsize=1024)
def _median_sql(book_text: str, name: str, by: tuple[str, ...]) -> str:
    book = parsed(book_text)
    each = Contributor(book.metric(name), book)
    rows = Whole(book, ANY_SCHEMA).table(each.metric.table).cross_join(ibis.table(ASKING, name="asking"))
    rows = rows.filter(each.included(rows) & (each.at(rows) <= rows.asked))
    if each.gate is not None:
        rows = rows.filter((rows[f"{each.gate}_stopped_at"] <= rows.asked) & judged(rows, each.gate))
    valued = rows.select(
        day=each.day(rows),
        value=each.amount(each.metric.value, rows),
        given=_given(each, rows),
        **{f"by_{dimension}": each.dimension(dimension, rows) for dimension in by},
    )
    valued = valued.filter(valued.given)
    periods = ibis.table(PERIODS, name="periods")
    placed = valued.inner_join(periods, [valued.day >= periods.begins, valued.day <= periods.ends])
    groups = ["nth", *(f"by_{dimension}" for dimension in by)]
    placed = placed.select(*groups, "value")
    ranked = placed.mutate(
        rank=ibis.row_number().over(ibis.window(group_by=groups, order_by=placed.value)) + 1,
        sample=placed.count().over(ibis.window(group_by=groups)),
    )
    middle = ranked.filter((ranked.rank * 2 >= ranked["sample"]) & (ranked.rank * 2 < ranked["sample"] + 2))
    return f"{WITH_ASKING}{WITH_PERIODS} SELECT * FROM ({_escaped(middle.select(*groups, 'value', 'sample'))}) AS found"


def _given(each: Contributor, rows: ir.Table) -> ir.BooleanValue:
    assert each.metric.value is not None
    return bind(parse(each.metric.value, each.schema), rows).notnull()


def kind_of_metric(metric: Metric) -> str:
    """What a figure of the metric is measured in: a ratio, or microseconds."""
    return "ratio" if metric.type == "ratio" else "duration"


def _escaped(rows: ir.Table) -> str:
    """Compiled SQL that stands beside parameters: its own percent signs doubled."""
    return to_sql(rows).replace("%", "%%")
