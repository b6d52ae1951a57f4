"""Figures: KPIs by period and dimension, from counters for past days and from rows for the running one.

A ratio is divided here, once, exactly; no denominator is "no data", never 100 %.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal
from zoneinfo import ZoneInfo

from psycopg import Connection, sql

from ledger.rulebook.calendars import local_day
from ledger.rulebook.model import Goal, Metric, RuleBook, day_us, instant_us
from projections.figures import median_sql, running_sql
from projections.generations import Generation, live, position
from projections.periods import Grain, Period, programme_month, split
from projections.values import as_day

COUNTED = sql.SQL(
    "SELECT counters.metric, periods.nth{columns}, sum(counters.numerator), sum(counters.denominator), 0 "
    "FROM unnest(%(begins)s::bigint[], %(ends)s::bigint[]) WITH ORDINALITY AS periods(begins, ends, nth) "
    "JOIN {counters} AS counters ON counters.day BETWEEN periods.begins AND periods.ends "
    "WHERE counters.metric = ANY(%(metrics)s) AND counters.day < %(today)s "
    "GROUP BY counters.metric, periods.nth{columns}"
)
Verdict = Literal["met", "missed", "no data", "no goal", "no baseline yet"]


class UnknownMetric(LookupError):
    """The rule book has no such metric."""


class UnknownDimension(LookupError):
    """The metric is not broken down by that dimension."""


@dataclass(frozen=True)
class Figure:
    """One figure.

    value: for a ratio a Decimal of basis points' scale (0.9031 is 90.31 %), for a median whole microseconds; None
    without data. numerator and denominator of a ratio; of a median the denominator is the sample. open: rows whose
    clock is still running, counted nowhere else. verdict: against the goal in force when the period ends.
    """

    metric: Metric
    period: Period
    dimensions: Mapping[str, str]
    numerator: int | None
    denominator: int
    open: int
    value: Decimal | int | None
    goal: Goal | None
    verdict: Verdict


@dataclass(frozen=True)
class Answer:
    """Figures with what is needed to say where they come from: position of the log, moment of asking (microseconds),
    rule book."""

    figures: list[Figure]
    position: int
    asked: int
    book: RuleBook


def figures(
    connection: Connection[Any],
    metrics: Sequence[str] = (),
    *,
    asked: int,
    grain: Grain = "all",
    first: date | None = None,
    last: date | None = None,
    by: Sequence[str] = (),
    filters: Mapping[str, Sequence[str]] | None = None,
) -> Answer:
    """KPIs at a moment of asking, for the days from `first` to `last` (default: all that there is, up to today).

    `metrics` names some (default: all that can be broken down as asked); `by` and `filters` name dimensions. Raises
    UnknownMetric, UnknownDimension.
    """
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    generation = live(connection)
    book = generation.book
    wanted = [_metric(book, name) for name in metrics] or list(book.metrics)
    needed = {*by, *(filters or {})}
    for metric in wanted:
        if metrics and needed - {*metric.by}:
            missing = ", ".join(sorted(needed - {*metric.by}))
            raise UnknownDimension(f"{metric.name} has no dimension {missing}; it has {', '.join(metric.by) or 'none'}")
    wanted = [metric for metric in wanted if needed <= {*metric.by}]
    today = local_day(asked, book.time_zone)
    if first is None or last is None:
        known = _extent(connection, generation, today)
        first, last = first or known.first, last or known.last
    periods = split(first, last, grain)
    question = _Question(connection, generation, wanted, asked, today, periods, tuple(by), filters or {})
    found = [figure for metric in wanted for figure in question.answer(metric)]
    return Answer(found, position(connection, generation), asked, book)


def _midnight(day: date, zone: ZoneInfo) -> int:
    """The instant a day begins at, in microseconds."""
    return instant_us(datetime.combine(day, time(), zone))


def _metric(book: RuleBook, name: str) -> Metric:
    for metric in book.metrics:
        if metric.name == name:
            return metric
    raise UnknownMetric(f"there is no metric {name!r}; there are {', '.join(metric.name for metric in book.metrics)}")


def _extent(connection: Connection[Any], generation: Generation, today: int) -> Period:
    """The days that figures can speak of: from the first that counts to today."""
    query = sql.SQL("SELECT coalesce(min(day), {}) FROM {} WHERE denominator <> 0").format(
        sql.Literal(today), sql.Identifier(generation.schema, "counters")
    )
    row = connection.execute(query).fetchone()
    assert row is not None
    return Period(as_day(min(row[0], today)), as_day(today))


@dataclass
class _Question:
    connection: Connection[Any]
    generation: Generation
    metrics: Sequence[Metric]
    asked: int
    today: int
    periods: list[Period]
    by: tuple[str, ...]
    filters: Mapping[str, Sequence[str]]

    def __post_init__(self) -> None:
        self.dimensions = tuple(sorted({*self.by, *self.filters}))
        zone = ZoneInfo(self.generation.book.time_zone)
        first = self.periods[0].first if self.periods else as_day(0)
        self.parameters = {
            "asked": self.asked,
            "today": self.today,
            "midnight": _midnight(as_day(self.today), zone),
            "since": _midnight(first, zone),
            "first": day_us(first),
            "last": day_us(self.periods[-1].last) if self.periods else -1,
            "begins": [day_us(period.first) for period in self.periods],
            "ends": [day_us(period.last) for period in self.periods],
        }

    def answer(self, metric: Metric) -> Iterator[Figure]:
        if not self.periods:
            return
        found = self._ratio(metric) if metric.type == "ratio" else self._median(metric)
        if not self.by:
            for nth in range(len(self.periods)):
                found.setdefault((nth, ()), (0, 0, 0) if metric.type == "ratio" else (None, 0, 0))
        for (nth, values), (numerator, denominator, still_open) in sorted(found.items()):
            yield self._figure(metric, self.periods[nth], values, numerator, denominator, still_open)

    def _ratio(self, metric: Metric) -> dict[tuple[int, tuple[str, ...]], tuple[Any, int, int]]:
        sums: dict[tuple[int, tuple[str, ...]], list[int]] = {}
        running = ((self._nth(day), *rest) for day, *rest in self._running(metric))
        for nth, *values, numerator, denominator, still_open in [*self._counted.get(metric.name, ()), *running]:
            group = self._group(values)
            if nth is not None and group is not None:
                sum_ = sums.setdefault((nth, group), [0, 0, 0])
                sum_[0] += int(numerator)
                sum_[1] += int(denominator)
                sum_[2] += int(still_open)
        return {key: (n, d, o) for key, (n, d, o) in sums.items() if d or o or not key[1]}

    @cached_property
    def _counted(self) -> dict[str, list[tuple[Any, ...]]]:
        """What the counters say of the past days of each period, for all metrics: (nth, by…, numerator, denominator,
        0)."""
        columns = [sql.SQL("counters.") + sql.Identifier(name) for name in self.dimensions]
        query = COUNTED.format(
            columns=sql.SQL("").join(sql.SQL(", ") + column for column in columns),
            counters=sql.Identifier(self.generation.schema, "counters"),
        )
        names = [metric.name for metric in self.metrics if metric.type == "ratio"]
        found: dict[str, list[tuple[Any, ...]]] = {}
        for name, nth, *rest in self.connection.execute(query, {**self.parameters, "metrics": names}):
            found.setdefault(name, []).append((nth - 1, *rest))
        return found

    def _running(self, metric: Metric) -> list[tuple[Any, ...]]:
        query = running_sql(self.generation.book_text, self.generation.schema, metric.name, self.dimensions)
        return self.connection.execute(query.encode(), self.parameters).fetchall()

    def _median(self, metric: Metric) -> dict[tuple[int, tuple[str, ...]], tuple[Any, int, int]]:
        if self.filters:
            raise UnknownDimension(f"{metric.name} is a median: ask for it by dimension, it cannot be filtered")
        query = median_sql(self.generation.book_text, self.generation.schema, metric.name, self.dimensions)
        rows = self.connection.execute(query.encode(), self.parameters)
        return {(int(nth) - 1, tuple(values)): (value, sample, 0) for nth, *values, value, sample in rows}

    def _nth(self, day: int) -> int | None:
        on = as_day(day)
        return next((nth for nth, period in enumerate(self.periods) if period.first <= on <= period.last), None)

    def _group(self, values: Sequence[str]) -> tuple[str, ...] | None:
        """The values of `by`, or None where a filter leaves the row out."""
        told = dict(zip(self.dimensions, values, strict=True))
        if any(told[name] not in allowed for name, allowed in self.filters.items()):
            return None
        return tuple(told[name] for name in self.by)

    def _figure(
        self, metric: Metric, period: Period, values: tuple[str, ...], numerator: Any, denominator: int, still_open: int
    ) -> Figure:
        value: Decimal | int | None
        if metric.type == "ratio":
            value = Decimal(numerator) / Decimal(denominator) if denominator else None
        else:
            value = None if numerator is None else int(numerator)
        goal = goal_for(metric, period, self.generation.book)
        return Figure(
            metric=metric,
            period=period,
            dimensions=dict(zip(self.by, values, strict=True)),
            numerator=numerator if metric.type == "ratio" else None,
            denominator=denominator,
            open=still_open,
            value=value,
            goal=goal,
            verdict=verdict(value, goal),
        )


def goal_for(metric: Metric, period: Period, book: RuleBook) -> Goal | None:
    """The stage of the metric's target that is in force in the last month of a period."""
    month = programme_month(period.last, book.programme_start)
    stages = [goal for goal in metric.goal if goal.from_month <= max(month, 1)]
    return max(stages, key=lambda goal: goal.from_month) if stages else None


def verdict(value: Decimal | int | None, goal: Goal | None) -> Verdict:
    if goal is None:
        return "no goal" if value is not None else "no data"
    if value is None:
        return "no data"
    if goal.change is not None:
        return "no baseline yet"
    if goal.at_least is not None:
        return "met" if value * 10_000 >= goal.at_least else "missed"
    return "met" if value * 10_000 <= (goal.at_most or 0) else "missed"
