"""The rows behind a figure: what each adds to its numerator and denominator, or why it is left out.

The same readings that a replay sums up, asked of the live tables: counted and open rows add up to the figure exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from psycopg import Connection

from ledger.rulebook.calendars import local_day
from ledger.rulebook.expressions import Kind, parse
from ledger.rulebook.model import Metric
from ledger.rulebook.rules import Rules
from projections.contributions import columns_of, contributors, gate
from projections.counted import Counted
from projections.kpis import Answer, UnknownDimension, answer, metric_of
from projections.periods import Period, Span
from projections.reading import BadCursor, close_cursor, open_cursor
from projections.readings import COUNTED, FILTERED, LATER, NO_VALUE, NOT_COUNTED, OPEN, UNDATED, Reading, live_reading
from projections.standing import moments
from projections.tables import TABLES
from projections.tables.standing import STANDING
from projections.values import shown

Part = Literal["numerator", "denominator", "denominator_only", "open", "left_out"]
PARTS: Final[Mapping[Part, str]] = {
    "numerator": "state = 'counted' AND numerator <> 0",
    "denominator": "state = 'counted'",
    "denominator_only": "state = 'counted' AND numerator = 0",
    "open": "state = 'open'",
    "left_out": "state NOT IN ('counted', 'open')",
}
"""What rows are asked for: those that add to the numerator; all that are counted; those that are counted and add
nothing to the numerator; those whose clock still runs; all others of the period."""
COLUMNS: Final = ("day", "state", "numerator", "denominator", "value", "deadline", "outcome", "judged_by")
IN_PERIOD: Final = "coalesce(day, opened) BETWEEN {first} AND {last}"
"""A row that has no day to count on is of the period that it began in."""
DATED: Final = "at BETWEEN %(first)s - 86400000000 AND %(last)s + 2 * 86400000000"
"""Of rows that count on a day, loosely, when: said of the column itself, for which there is an index."""
PAGE: Final = "{before} SELECT {columns} FROM ({rows}) AS found WHERE {conditions} ORDER BY {key} LIMIT %(limit)s"
STATES: Final = "{before} SELECT state, count(*) FROM ({rows}) AS found WHERE {conditions} GROUP BY state"
CLOCK_READS: Final[Mapping[str, tuple[str, ...]]] = {
    "met": ("outcome",),
    "ended": ("outcome", "ended_at"),
    "ended_at": ("ended_at",),
    "elapsed": ("elapsed_us",),
}
"""The columns behind what expressions say of a clock."""


@dataclass(frozen=True)
class Row:
    """A row that a metric looks at. `state` is as projections.readings has it; what it adds is nothing unless it is
    counted; the rest is told as people read it."""

    key: Mapping[str, Any]
    day: str | None
    state: str
    numerator: int
    denominator: int
    value: int | None
    deadline: str | None
    outcome: str | None
    judged_by: str | None
    dimensions: Mapping[str, str]


@dataclass(frozen=True)
class Behind:
    """The rows of one part behind figures (one, but for a metric that is always told by a dimension), a page of them;
    with the first page, how many rows there are of each state in the period."""

    metric: Metric
    period: Period
    answer: Answer
    states: Mapping[str, int] | None
    rows: list[Row]
    next_cursor: str | None


def rows_behind(
    connection: Connection[Any],
    name: str,
    *,
    asked: int,
    first: date | None = None,
    last: date | None = None,
    filters: Mapping[str, Sequence[str]] | None = None,
    part: Part = "denominator",
    state: str | None = None,
    cursor: str | None = None,
    limit: int = 100,
) -> Behind:
    """A page of the rows behind a figure of the live tables, within one snapshot; `state` narrows a part down.

    `asked` (microseconds) is the moment of asking; pages after the first are asked at the moment of the first. Raises
    UnknownMetric, UnknownDimension, BadCursor.
    """
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    source = Counted(connection)
    filters = {each: tuple(values) for each, values in (filters or {}).items()}
    metric = metric_of(source.rules, source.rules.at(asked), name)
    generation = source.generation
    reading = live_reading(generation.book_text, generation.schema, name)
    kinds = columns_of(metric.table, source.rules)
    if first is None or last is None:
        extent = source.extent(local_day(asked, source.rules.at(asked).time_zone))
        first, last = first or extent.first, last or extent.last
    question = f"rows of {name} {part} {state} {first} {last} {sorted(filters.items())}"
    order = [("asked", False), *((each, False) for each in reading.key)]
    place: list[Any] = []
    if cursor is not None:
        then, *place = open_cursor(cursor, question, order, {**kinds, "asked": "time"})
        if then is None or not 0 <= then <= asked or None in place:
            raise BadCursor("this cursor was not given out by this ledger; start again without one")
        asked = then
    period = Period(first, last)
    span = Span(asked, source.rules.at(asked).time_zone, (period,))
    parameters = {
        **span.parameters,
        "limit": limit + 1,
        "state": state,
        **{f"among_{nth}": list(values) for nth, values in enumerate(filters.values())},
        **{f"place_{nth}": value for nth, value in enumerate(place)},
    }
    told = _answer(source, metric, asked, period, filters)
    among = [f'"by_{each}" = ANY(%(among_{nth})s)' for nth, each in enumerate(filters)]
    of_period = [IN_PERIOD.format(first="%(first)s", last="%(last)s"), *among]
    of_part = [PARTS[part], *of_period]
    if part not in ("open", "left_out") and not reading.standing:
        of_part.append(DATED)
    if state is not None:
        of_part.append("state = %(state)s")
    keys = ", ".join(f'"{each}"' for each in reading.key)
    if place:
        of_part.append(f"({keys}) > ({', '.join(f'%(place_{nth})s' for nth in range(len(place)))})")
    before = ""
    if reading.standing:
        before = moments(connection, generation, span.periods, asked).as_string(connection).replace("%", "%%")
    columns = ", ".join(f'"{each}"' for each in selected(reading))
    page = PAGE.format(before=before, columns=columns, rows=reading.query, conditions=" AND ".join(of_part), key=keys)
    found = connection.execute(page.encode(), parameters).fetchall()
    states = None
    if cursor is None:
        query = STATES.format(before=before, rows=reading.query, conditions=" AND ".join(of_period))
        states = {str(each): int(rows) for each, rows in connection.execute(query.encode(), parameters)}
    more = None
    if len(found) > limit:
        keyed = dict(zip(reading.key, found[limit - 1], strict=False))
        more = close_cursor(question, order, {"asked": asked, **keyed})
    return Behind(metric, period, told, states, [row_of(reading, kinds, each) for each in found[:limit]], more)


def _answer(
    source: Counted, metric: Metric, asked: int, period: Period, filters: Mapping[str, Sequence[str]]
) -> Answer:
    """The figures that the rows add up to; a median, which cannot be filtered, by the dimensions of the filters."""
    if metric.type == "ratio" or not filters:
        return answer(source, [metric.name], asked=asked, first=period.first, last=period.last, filters=filters)
    if any(len(values) > 1 for values in filters.values()):
        raise UnknownDimension(f"{metric.name} is a median: filter it by one value of a dimension")
    told = answer(source, [metric.name], asked=asked, first=period.first, last=period.last, by=tuple(filters))
    wanted = {name: values[0] for name, values in filters.items()}
    told.figures[:] = [figure for figure in told.figures if dict(figure.dimensions) == wanted]
    return told


def selected(reading: Reading) -> tuple[str, ...]:
    """The columns of a reading that `row_of` makes a row of."""
    return (*reading.key, *COLUMNS, *(f"by_{name}" for name in reading.by))


def row_of(reading: Reading, kinds: Mapping[str, Kind], cells: Sequence[Any]) -> Row:
    """A row of the cells of `selected`; `kinds` are those of the table's columns."""
    told = dict(zip(selected(reading), cells, strict=True))
    counted = told["state"] == COUNTED
    return Row(
        key={name: shown(kinds.get(name, "text"), told[name]) for name in reading.key},
        day=shown("day", told["day"]),
        state=told["state"],
        numerator=int(told["numerator"] or 0) if counted else 0,
        denominator=int(told["denominator"] or 0) if counted else 0,
        value=told["value"] if counted else None,
        deadline=shown("time", told["deadline"]),
        outcome=told["outcome"],
        judged_by=told["judged_by"],
        dimensions={name: told[f"by_{name}"] for name in reading.by},
    )


def subject_of(metric: Metric, key: Mapping[str, Any]) -> tuple[str, str]:
    """The aggregate and the subject whose events make a row."""
    if "aggregate" in key:
        return str(key["aggregate"]), str(key["subject"])
    name, subject = next(iter(key.items()))
    aggregate = name.removesuffix("_id") if metric.table in STANDING else TABLES[metric.table].aggregates[0]
    return aggregate, str(subject)


def columns_read(rules: Rules, metric: Metric) -> tuple[str, ...]:
    """The columns of its table that a metric's value, conditions and moment are worked out of, by any of its versions;
    none for a table that is worked out when it is read."""
    if metric.table in STANDING:
        return ()
    found: dict[str, None] = {}
    for each in contributors(rules, metric.name):
        told = each.metric
        for text in (told.numerator, told.denominator, told.value, told.where, told.agg_time_dimension):
            for name in sorted(parse(text, each.schema).columns()) if text else ():
                clock, _, part = name.partition(".")
                found |= dict.fromkeys([f"{clock}_{one}" for one in CLOCK_READS[part]] if part else [clock])
    return tuple(found)


REASONS: Final[Mapping[str, tuple[str, str]]] = {
    OPEN: ("open: its clock still runs", "进行中：时限未到，尚无结论"),
    FILTERED: ("not among what the metric looks at", "不在指标口径内"),
    UNDATED: ("nothing says yet when it counts", "尚无可归属的日期"),
    LATER: ("counts only after the moment of asking", "统计时刻之后才计入"),
    NO_VALUE: ("has no value", "没有数值"),
    NOT_COUNTED: ("adds nothing to what is counted", "不满足计入条件"),
    "merged": ("merged into another before its clock ended", "时限结束前已合并"),
    "withdrawn": ("withdrawn before its clock ended", "时限结束前已撤回"),
    "cancelled": ("cancelled before its clock ended", "时限结束前已取消"),
    "unknown": ("its calendar does not reach its deadline", "日历未覆盖其截止时间"),
}

OF_CLOCKS: Final[Mapping[str, tuple[str, str]]] = {
    UNDATED: ("no limit applies to it, or its clock has not started", "不适用时限，或计时尚未开始"),
    NOT_COUNTED: ("its clock had not stopped by then", "截至统计时刻计时未结束"),
}
"""Of metrics with a clock: what these states mean there."""


def in_words(metric: Metric, state: str, row: Row | None = None) -> Mapping[str, str]:
    """Why rows of a state, or this one, count as they do, in English and Chinese."""
    if state == COUNTED:
        en, zh = ("counted", "计入") if metric.type == "median" or row is None else _adds(row)
        return {"en": en, "zh": zh}
    en, zh = (OF_CLOCKS if gate(metric) else REASONS).get(
        state, REASONS.get(state, (f"its clock ended as {state}", f"计时以 {state} 结束"))
    )
    condition = {FILTERED: metric.where, NOT_COUNTED: metric.denominator}.get(state)
    return {"en": f"{en}: {condition}", "zh": f"{zh}：{condition}"} if condition else {"en": en, "zh": zh}


def _adds(row: Row) -> tuple[str, str]:
    if row.numerator:
        return "in numerator and denominator", "计入分子和分母"
    if row.deadline is not None and row.outcome is None:
        return "in the denominator alone: its deadline has passed, and it waits still", "只计入分母：时限已过，仍未完成"
    return "in the denominator alone", "只计入分母"
