"""What a figure reads: every row that its metric looks at, what the row counts for, or why it does not count.

A figure is the sum over the rows that are counted (a median their middle). The counters of the live tables hold the
same sums, moved as rows change; a replay, which has no counters, sums these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import ibis
import ibis.expr.types as ir

from ledger.rulebook.expressions import parse
from ledger.rulebook.model import Target
from ledger.rulebook.rules import Rules
from projections.compiled import once, parsed
from projections.contributions import Contributor, contributors
from projections.figures import MARKS, parametrised
from projections.inputs import Whole
from projections.statements import ANY_SCHEMA, placed
from projections.tables import TABLES
from projections.tables.clockwork import local_day
from projections.tables.expressions import bind, condition, measured, running
from projections.tables.standing import STANDING, asked_tables

COUNTED, OPEN = "counted", "open"
FILTERED, UNDATED, LATER, NO_VALUE, NOT_COUNTED = "filtered", "no date", "later", "no value", "not counted"
"""Why a row is not counted: the metric's `where` leaves it out; nothing says when it counts; it counts only after the
moment of asking; it has no value; its denominator is nothing (or, of a clock: what the clock came to instead, such as
`merged` or `withdrawn`)."""


@dataclass(frozen=True)
class Reading:
    """The query for a metric's rows: `key` columns, day, state, numerator, denominator, value, of its clock deadline,
    outcome and judged_by, `at` (the moment or day that decides when it counts), `opened` (the day it began), and `by_…`
    for each of its dimensions. Parameters: asked and today (microseconds).

    A `standing` one stands on a table worked out for the periods asked for.
    """

    key: tuple[str, ...]
    by: tuple[str, ...]
    standing: bool
    query: str


def reading(name: str, rules: Rules) -> Reading:
    """Compile a metric's reading for DuckDB, each version's rows by that version."""
    made, rows = _reading(name, rules, None)
    query = str(ibis.to_sql(rows, dialect="duckdb"))
    for mark, value in MARKS.items():
        query = query.replace(str(value), f"${mark}")
    return replace(made, query=query)


def live_reading(book_text: str, schema: str, name: str) -> Reading:
    """The same for the live tables, which stand in a schema of PostgreSQL; before that of a `standing` one stand
    `projections.standing.moments`."""
    made = once("live reading", name, parsed(book_text), partial(_live_reading, name))
    return replace(made, query=placed(made.query, schema))


def _live_reading(name: str, rules: Rules) -> Reading:
    made, rows = _reading(name, rules, ANY_SCHEMA)
    return replace(made, query=parametrised(rows))


def _reading(name: str, rules: Rules, schema: str | None) -> tuple[Reading, ir.Table]:
    """A reading without its query, and what the query is to be compiled of."""
    versions = contributors(rules, name)
    metric = versions[-1].metric
    standing = metric.table in STANDING
    key = STANDING[metric.table].key if standing else TABLES[metric.table].key
    by = tuple(dict.fromkeys(dimension for each in versions for dimension in each.metric.by))
    parts = [_rows(each, key, by, schema) for each in versions]
    return Reading(key, by, standing, ""), ibis.union(*parts) if len(parts) > 1 else parts[0]


def _rows(each: Contributor, key: tuple[str, ...], by: tuple[str, ...], schema: str | None) -> ir.Table:
    metric, inputs = each.metric, Whole(each.rules, schema)
    if metric.table in STANDING:
        rows = STANDING[metric.table].rows(inputs, asked_tables())
    else:
        rows = inputs.table(metric.table)
    rows = each.judged(rows)
    state, day = _state(each, rows)
    value = each.amount(metric.value, rows) if metric.value else ibis.null("int64")
    return rows.select(
        *key,
        day=day,
        state=state,
        numerator=each.amount(metric.numerator, rows),
        denominator=each.amount(metric.denominator, rows),
        value=value,
        **_clock(each, rows),
        at=each.at(rows),
        opened=_opened(each, rows),
        **{f"by_{name}": each.dimension(name, rows) for name in by},
    )


def _opened(each: Contributor, rows: ir.Table) -> ir.Value:
    """The day that a row began: a table's first moment is when what it tells of was opened."""
    if each.metric.table in STANDING:
        return each.day(rows)
    columns = TABLES[each.metric.table].columns
    first = next((name for name, kind in columns.items() if kind == "time"), None)
    return each.day(rows) if first is None else local_day(rows[first], each.book.time_zone)


def _clock(each: Contributor, rows: ir.Table) -> dict[str, ir.Value]:
    """Of the metric's clock, if it has one: its deadline, what it came to, and the limit that judged it, in words."""
    if each.gate is None:
        return {"deadline": ibis.null("int64"), "outcome": ibis.null("string"), "judged_by": ibis.null("string")}
    columns = TABLES[each.metric.table].columns
    started_at = rows[f"{each.gate}_started_at"]
    said = ibis.null("string")
    for version in each.rules.targets(each.metric.table):
        if version.part.name == each.gate:
            words = limit_in_words(version.part, lambda when: condition(when, rows, columns))
            holds = started_at >= version.spell.from_us if version.spell.from_us is not None else started_at.notnull()
            said = ibis.ifelse(holds, words, said)
    return {"deadline": rows[f"{each.gate}_deadline"], "outcome": rows[f"{each.gate}_outcome"], "judged_by": said}


def limit_in_words(target: Target, holds: Callable[[str], ir.BooleanValue]) -> ir.Value:
    """The limit of a clock that a row is judged by, and on which calendar, such as "3 working days (office)"."""
    clock = "" if target.clock == "wall" else f" ({target.clock})"
    if target.deadline is not None:
        return ibis.literal(f"{target.deadline}{clock}")
    found: ir.Value = ibis.null("string")
    for limit in reversed(target.limits):
        words = ibis.literal(f"{limit.within.text}{clock}")
        found = words if limit.when is None else ibis.ifelse(holds(limit.when), words, found)
    return found


def _state(each: Contributor, rows: ir.Table) -> tuple[ir.Value, ir.Value]:
    """What becomes of a row at the moment of asking, and the day it counts on (open ones at the latest today)."""
    asked, today = (ibis.literal(MARKS[name], "int64") for name in ("asked", "today"))
    metric, at, day = each.metric, each.at(rows), each.day(rows)
    reasons = [(~each.included(rows), ibis.literal(FILTERED))]
    no_outcome, outcome = ibis.literal(NOT_COUNTED), ibis.null("string")
    if each.gate is not None:
        outcome = rows[f"{each.gate}_outcome"]
        if metric.type == "ratio":
            waits = running(rows, each.gate, asked)
            reasons.append((waits, ibis.literal(OPEN)))
            day = ibis.ifelse(waits & (day.isnull() | (day > today)), today, day)
        else:
            ended = (rows[f"{each.gate}_stopped_at"] <= asked) & measured(rows, each.gate)
            reasons.append((~ended.fill_null(False), outcome.coalesce(no_outcome)))
    reasons += [
        (at.isnull(), outcome.coalesce(ibis.literal(UNDATED))),
        (at > (today if each.by_day else asked), ibis.literal(LATER)),
    ]
    if metric.table in STANDING:
        reasons = reasons[:1]
    if metric.value is not None:
        missing = bind(parse(metric.value, each.schema), rows).isnull()
        reasons.append((missing, ibis.literal(NO_VALUE)))
    else:
        nothing = each.amount(metric.denominator, rows) == 0
        reasons.append((nothing, outcome.coalesce(no_outcome)))
    return ibis.cases(*reasons, else_=ibis.literal(COUNTED)), day
