"""Figures: KPIs by period and dimension, from counters for past days and from rows for the running one.

A ratio is divided here, once, exactly; no denominator is "no data", never 100 %.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

from psycopg import Connection, sql

from ledger.rulebook.calendars import first_moment, local_day
from ledger.rulebook.model import Goal, Metric, RuleBook, day_us
from projections.baselines import Baseline, Baselines
from projections.contributions import additive
from projections.figures import median_sql, running_sql
from projections.generations import Generation, live, position
from projections.periods import Grain, Period, programme_month, split
from projections.standing import moments, standing_sql
from projections.tables.standing import STANDING
from projections.values import as_day

COUNTED = sql.SQL(
    "SELECT counters.metric, periods.nth{columns}, sum(counters.numerator), sum(counters.denominator), 0 "
    "FROM unnest(%(begins)s::bigint[], %(ends)s::bigint[]) WITH ORDINALITY AS periods(begins, ends, nth) "
    "JOIN {counters} AS counters ON counters.day BETWEEN periods.begins AND periods.ends "
    "WHERE counters.metric = ANY(%(metrics)s) AND counters.day < %(today)s "
    "GROUP BY counters.metric, periods.nth{columns}"
)
Verdict = Literal["met", "missed", "no data", "no goal", "no baseline yet", "not comparable", "too few"]


class UnknownMetric(LookupError):
    """The rule book has no such metric."""


class UnknownDimension(LookupError):
    """The metric is not broken down by that dimension."""


@dataclass(frozen=True)
class Figure:
    """One figure.

    value: for a ratio a Decimal of basis points' scale (0.9031 is 90.31 %), for a median whole microseconds; None
    without data. numerator and denominator of a ratio; of a median the denominator is the sample. open: rows whose
    clock is still running, counted nowhere else. verdict: against the goal in force when the period ends. baseline:
    what a goal of change is compared with; change: relative to it, or the difference where the goal is in points.
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
    baseline: Baseline | None = None
    change: Decimal | None = None


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
    kept = Baselines(connection) if any(goal.compares for metric in wanted for goal in metric.goal) else None
    question = _Question(connection, generation, wanted, asked, today, periods, tuple(by), filters or {}, kept)
    found = [figure for metric in wanted for figure in question.about(metric).answer(metric)]
    return Answer(found, position(connection, generation), asked, book)


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
    baselines: Baselines | None

    def __post_init__(self) -> None:
        self.dimensions = tuple(sorted({*self.by, *self.filters}))
        zone = self.generation.book.time_zone
        first = self.periods[0].first if self.periods else as_day(0)
        self.parameters = {
            "asked": self.asked,
            "today": self.today,
            "midnight": first_moment(as_day(self.today), zone),
            "since": first_moment(first, zone),
            "first": day_us(first),
            "last": day_us(self.periods[-1].last) if self.periods else -1,
            "begins": [day_us(period.first) for period in self.periods],
            "ends": [day_us(period.last) for period in self.periods],
        }
        self.moments: sql.Composed | None = None

    def about(self, metric: Metric) -> _Question:
        """The same question, broken down as the metric always is."""
        more = tuple(name for name in metric.per if name not in self.by)
        return replace(self, by=(*self.by, *more)) if more else self

    def answer(self, metric: Metric) -> Iterator[Figure]:
        if not self.periods:
            return
        found = self._ratio(metric) if metric.type == "ratio" else self._median(metric)
        if not self.by or (not found and self.by == tuple(metric.per)):
            for nth in range(len(self.periods)):
                found.setdefault((nth, ()), (0, 0, 0) if metric.type == "ratio" else (None, 0, 0))
        for (nth, values), (numerator, denominator, still_open) in sorted(found.items()):
            yield self._figure(metric, self.periods[nth], values, numerator, denominator, still_open)

    def _ratio(self, metric: Metric) -> dict[tuple[int, tuple[str, ...]], tuple[Any, int, int]]:
        sums: dict[tuple[int, tuple[str, ...]], list[int]] = {}
        if additive(metric):
            running = ((self._nth(day), *rest) for day, *rest in self._running(metric))
            found = [*self._counted.get(metric.name, ()), *running]
        else:
            found = [(self._nth(day), *rest) for day, *rest in self._standing(metric)]
        for nth, *values, numerator, denominator, still_open in found:
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

    def _standing(self, metric: Metric) -> list[tuple[Any, ...]]:
        if self.moments is None:
            self.moments = moments(self.connection, self.generation, self.periods, self.asked)
        query = standing_sql(self.generation.book_text, self.generation.schema, metric.name, self.dimensions)
        return self.connection.execute(self.moments + sql.SQL(query)).fetchall()

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
        told = dict(zip(self.by, values, strict=bool(values)))
        # one value filtered for is as good as that value of a breakdown
        single = {name: allowed[0] for name, allowed in self.filters.items() if len(allowed) == 1}
        compared = goal is not None and goal.compares and len(single) == len(self.filters)
        baseline = self.baselines.of(metric, told | single) if compared and self.baselines else None
        exact = value if metric.type == "median" or value is None else Fraction(numerator, denominator)
        comparable = baseline is not None and (metric.table not in STANDING or _as_long(period, baseline))
        change = changed(exact, goal, baseline) if goal and baseline and comparable else None
        return Figure(
            metric=metric,
            period=period,
            dimensions=told,
            numerator=numerator if metric.type == "ratio" else None,
            denominator=denominator,
            open=still_open,
            value=value,
            goal=goal,
            verdict=verdict(value, goal, denominator, metric, baseline, change),
            baseline=baseline,
            change=None if change is None else Decimal(change.numerator) / Decimal(change.denominator),
        )


def goal_for(metric: Metric, period: Period, book: RuleBook) -> Goal | None:
    """The stage of the metric's target that is in force in the last month of a period."""
    month = programme_month(period.last, book.programme_start)
    stages = [goal for goal in metric.goal if goal.from_month <= max(month, 1)]
    return max(stages, key=lambda goal: goal.from_month) if stages else None


def _as_long(period: Period, baseline: Baseline) -> bool:
    """Whether a period is about as long as the baseline's: what is added up over a period grows with it."""
    length, other = (period.last - period.first).days + 1, (baseline.last - baseline.first).days + 1
    return abs(length - other) * 10 <= max(length, other)


def changed(value: Fraction | Decimal | int | None, goal: Goal, baseline: Baseline) -> Fraction | None:
    """How far a value is from a baseline: the part of it (−0.3 is 30 % less), or points (0.05 is 5 points more).

    Exactly, as a goal that is just reached is met. None without a value, or relative to a baseline of nothing.
    """
    if value is None or (goal.change is not None and baseline.exact == 0):
        return None
    difference = Fraction(value) - baseline.exact
    return difference if goal.change is None else difference / baseline.exact


def verdict(
    value: Decimal | int | None,
    goal: Goal | None,
    sample: int,
    metric: Metric,
    baseline: Baseline | None = None,
    change: Fraction | None = None,
) -> Verdict:
    """Whether a goal is met. A change is judged only where both samples are what the metric asks for.

    Without a change there is nothing to judge: the baseline is nothing, or its period of another length.
    """
    if goal is None:
        return "no goal" if value is not None else "no data"
    if value is None:
        return "no data"
    if goal.compares:
        if baseline is None:
            return "no baseline yet"
        least = metric.baseline.minimum_sample if metric.baseline else 1
        if min(sample, baseline.sample) < least:
            return "too few"
        if change is None:
            return "not comparable"
        wanted = goal.change if goal.change is not None else goal.change_points or 0
        return "met" if (change * 10_000 <= wanted if wanted < 0 else change * 10_000 >= wanted) else "missed"
    if goal.at_least is not None:
        return "met" if value * 10_000 >= goal.at_least else "missed"
    return "met" if value * 10_000 <= (goal.at_most or 0) else "missed"
