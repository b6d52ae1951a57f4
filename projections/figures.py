"""The SQL behind a figure that the counters do not hold: the running day, what is still open, and medians.

Compiled once per rule book, metric and breakdown; the moment of asking comes as parameters (MARKS), so that the server
plans with them: a reading looks at rows whose clock runs, at those of the running day, and at nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

import ibis
import ibis.expr.types as ir

from ledger.rulebook.expressions import parse
from projections.compiled import parsed
from projections.contributions import Contributor, contributors
from projections.inputs import Whole
from projections.statements import ANY_SCHEMA, placed, to_sql
from projections.tables.expressions import bind, measured, running

MARKS: Mapping[str, int] = {
    name: 7_246_331_902_201 + nth for nth, name in enumerate(("asked", "today", "midnight", "first", "last", "since"))
}
"""What stands in the compiled SQL where a parameter belongs, all in microseconds: the moment of asking, its day, the
instant that day began, the first and the last day asked for, the instant the first day began."""
PERIODS = ibis.schema({"nth": "int64", "begins": "int64", "ends": "int64"})
WITH_PERIODS = (
    "WITH periods AS (SELECT nth, begins, ends FROM unnest(%(begins)s::bigint[], %(ends)s::bigint[]) "
    "WITH ORDINALITY AS each(begins, ends, nth)) "
)


def _mark(name: str) -> ir.Value:
    return ibis.literal(MARKS[name], "int64")


def running_sql(book_text: str, schema: str, name: str, by: tuple[str, ...]) -> str:
    """(day, by…, numerator, denominator, open): what to add to the counters of past days, and what is open.

    Rows still open on past days are taken away (the counters hold them as if missed); today's rows are added up to
    the moment of asking. Parameters: MARKS.
    """
    return placed(_running_sql(book_text, name, by), schema)


@lru_cache(maxsize=1024)
def _running_sql(book_text: str, name: str, by: tuple[str, ...]) -> str:
    rules = parsed(book_text)
    inputs = Whole(rules, ANY_SCHEMA)
    parts = [part for each in contributors(rules, name) for part in _parts(each, inputs, by)]
    found = ibis.union(*parts) if len(parts) > 1 else parts[0]
    found = found.filter((found.day >= _mark("first")) & (found.day <= _mark("last")))
    sums = found.group_by("day", *_groups(by)).agg(
        numerator=found.num.sum(), denominator=found.den.sum(), open=found.waits.sum()
    )
    return parametrised(sums)


def _parts(each: Contributor, inputs: Whole, by: tuple[str, ...]) -> Iterator[ir.Table]:
    """What one version of the metric adds."""
    rows = each.judged(inputs.table(each.metric.table))
    rows = rows.filter(each.included(rows))
    at = each.at(rows)
    began = _mark("today") if each.by_day else _mark("midnight")
    reached = (at >= began) & (at <= (_mark("today") if each.by_day else _mark("asked")))
    if each.gate is None:
        yield _counted(each, rows.filter(reached), by)
    else:
        still_open = running(rows, each.gate, _mark("asked"))
        yield _counted(each, rows.filter(reached & ~still_open), by)
        yield _still_open(each, rows.filter(still_open), by)


def _counted(each: Contributor, rows: ir.Table, by: tuple[str, ...]) -> ir.Table:
    """What the rows of the running day add, of those whose clock, if there is one, has ended."""
    found = rows.select(
        day=each.day(rows),
        **_dimensions(each, rows, by),
        num=each.amount(each.metric.numerator, rows),
        den=each.amount(each.metric.denominator, rows),
        waits=ibis.literal(0, "int64"),
    )
    return found.filter((found.den != 0) & (found.day == _mark("today")))


def _still_open(each: Contributor, rows: ir.Table, by: tuple[str, ...]) -> ir.Table:
    """What rows whose clock runs take away from past days; beyond today, or standing still, they are open today."""
    day = each.day(rows)
    found = rows.select(
        day=ibis.least(day, _mark("today")),
        **_dimensions(each, rows, by),
        num=each.amount(each.metric.numerator, rows),
        den=each.amount(each.metric.denominator, rows),
        taken=(day < _mark("today")).fill_null(False),
    )
    weight = ibis.ifelse(found.taken & (found.den != 0), ibis.literal(-1, "int64"), ibis.literal(0, "int64"))
    return found.select(
        "day", *_groups(by), num=found.num * weight, den=found.den * weight, waits=ibis.literal(1, "int64")
    )


def median_sql(book_text: str, schema: str, name: str, by: tuple[str, ...]) -> str:
    """(nth, by…, value, sample): per period the value of the middle row (the lower of two), of rows ended by then.

    Parameters: MARKS; begins and ends, the days of each period.
    """
    return placed(_median_sql(book_text, name, by), schema)


@lru_cache(maxsize=1024)
def _median_sql(book_text: str, name: str, by: tuple[str, ...]) -> str:
    rules = parsed(book_text)
    inputs = Whole(rules, ANY_SCHEMA)
    parts = [_valued(each, inputs, by) for each in contributors(rules, name)]
    valued = ibis.union(*parts) if len(parts) > 1 else parts[0]
    periods = ibis.table(PERIODS, name="periods")
    among = valued.inner_join(periods, [valued.day >= periods.begins, valued.day <= periods.ends])
    groups = ["nth", *_groups(by)]
    among = among.select(*groups, "value")
    ranked = among.mutate(
        rank=ibis.row_number().over(ibis.window(group_by=groups, order_by=among.value)) + 1,
        sample=among.count().over(ibis.window(group_by=groups)),
    )
    middle = ranked.filter((ranked.rank * 2 >= ranked["sample"]) & (ranked.rank * 2 < ranked["sample"] + 2))
    return WITH_PERIODS + parametrised(middle.select(*groups, "value", "sample"))


def _valued(each: Contributor, inputs: Whole, by: tuple[str, ...]) -> ir.Table:
    """The rows of one version of a median: day, value, by…."""
    assert each.metric.value is not None
    rows = each.judged(inputs.table(each.metric.table))
    at = each.at(rows)
    reached = (at >= _mark("first" if each.by_day else "since")) & (at <= _mark("asked"))
    rows = rows.filter(each.included(rows) & reached)
    if each.gate is not None:
        rows = rows.filter((rows[f"{each.gate}_stopped_at"] <= _mark("asked")) & measured(rows, each.gate))
    rows = rows.filter(bind(parse(each.metric.value, each.schema), rows).notnull())
    return rows.select(day=each.day(rows), value=each.amount(each.metric.value, rows), **_dimensions(each, rows, by))


def _groups(by: tuple[str, ...]) -> list[str]:
    return [f"by_{dimension}" for dimension in by]


def _dimensions(each: Contributor, rows: ir.Table, by: tuple[str, ...]) -> dict[str, ir.Value]:
    return {f"by_{dimension}": each.dimension(dimension, rows) for dimension in by}


def parametrised(rows: ir.Table) -> str:
    """Compiled SQL with parameters in place of the marks; its own percent signs doubled."""
    query = to_sql(rows).replace("%", "%%")
    for name, mark in MARKS.items():
        query = query.replace(str(mark), f"%({name})s::bigint")
    return query
