"""Figures: KPIs by period and dimension, with their targets and baselines.

A ratio is divided here, once, exactly; no denominator is "no data", never 100 %.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal, Protocol

from psycopg import Connection

from ledger.rulebook.calendars import first_moment, local_day
from ledger.rulebook.model import Goal, Metric, RuleBook
from ledger.rulebook.rules import Rules
from projections.baselines import Baseline, Baselines
from projections.counted import Counted
from projections.periods import Grain, Period, Span, programme_month, split
from projections.tables.standing import STANDING

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
    rule_books: the versions in force in the period, all of which it adds up.
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
    rule_books: tuple[str, ...]
    baseline: Baseline | None = None
    change: Decimal | None = None


@dataclass(frozen=True)
class Answer:
    """Figures with what is needed to say where they come from: position of the log, moment of asking (microseconds),
    rule book then in force and all rules, the digest of the recipe that computes them again, the filters."""

    figures: list[Figure]
    position: int
    asked: int
    book: RuleBook
    rules: Rules
    recipe: str
    filters: Mapping[str, tuple[str, ...]]


class Source(Protocol):
    """Where sums come from: the live tables and their counters, or a replay."""

    rules: Rules
    position: int

    @property
    def recipe(self) -> str:
        """The digest of the recipe that computes the same in a replay."""

    def extent(self, today: int) -> Period:
        """The days that figures can speak of: from the first that counts to today."""

    def sums(
        self, metrics: Sequence[Metric], span: Span, dimensions: tuple[str, ...]
    ) -> Iterator[tuple[str, int, tuple[str, ...], int, int, int]]:
        """(metric, period's place, values of the dimensions, numerator, denominator, open) of ratios, to be added."""

    def medians(
        self, metric: Metric, span: Span, dimensions: tuple[str, ...]
    ) -> Iterator[tuple[int, tuple[str, ...], int, int]]:
        """(period's place, values of the dimensions, value of the middle row, sample) of a median."""

    def baselines(self) -> Baselines:
        """All baselines that stand."""


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
    """KPIs of the live tables at a moment of asking (microseconds), as `answer` has them, within one snapshot."""
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    source = Counted(connection)
    return answer(source, metrics, asked=asked, grain=grain, first=first, last=last, by=by, filters=filters)


def answer(
    source: Source,
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
    book = source.rules.at(asked)
    wanted = [metric_of(source.rules, book, name) for name in metrics] or list(book.metrics)
    needed = {*by, *(filters or {})}
    for metric in wanted:
        if metrics and needed - {*metric.by}:
            missing = ", ".join(sorted(needed - {*metric.by}))
            raise UnknownDimension(f"{metric.name} has no dimension {missing}; it has {', '.join(metric.by) or 'none'}")
    wanted = [metric for metric in wanted if needed <= {*metric.by}]
    if first is None or last is None:
        known = source.extent(local_day(asked, book.time_zone))
        first, last = first or known.first, last or known.last
    span = Span(asked, book.time_zone, tuple(split(first, last, grain)))
    question = _Question(source, span, tuple(by), filters or {}, wanted)
    found = list(question.answers()) if span.periods else []
    kept = {name: tuple(values) for name, values in (filters or {}).items()}
    return Answer(found, source.position, asked, book, source.rules, source.recipe, kept)


def metric_of(rules: Rules, book: RuleBook, name: str) -> Metric:
    """A metric as a book has it, or, where it has none, as the latest book that does. Raises UnknownMetric."""
    found = [metric for each in (*rules.books, book) for metric in each.metrics if metric.name == name]
    if found:
        return found[-1]
    raise UnknownMetric(f"there is no metric {name!r}; there are {', '.join(metric.name for metric in book.metrics)}")


Sums = dict[tuple[int, tuple[str, ...]], tuple[Any, int, int]]
"""By period's place and values of `by`: numerator (of a median: its value), denominator (its sample), open."""


@dataclass(frozen=True)
class _Question:
    source: Source
    span: Span
    by: tuple[str, ...]
    filters: Mapping[str, Sequence[str]]
    metrics: Sequence[Metric]

    def answers(self) -> Iterator[Figure]:
        ratios = self._ratios()
        compared = any(goal.compares for metric in self.metrics for goal in metric.goal)
        baselines = self.source.baselines() if compared else None
        for metric in self.metrics:
            by = self._by(metric)
            found = ratios[metric.name] if metric.type == "ratio" else self._median(metric)
            if not by or (not found and by == tuple(metric.per)):
                for nth in range(len(self.span.periods)):
                    found.setdefault((nth, ()), (0, 0, 0) if metric.type == "ratio" else (None, 0, 0))
            for (nth, values), parts in sorted(found.items()):
                told = dict(zip(by, values, strict=bool(values)))
                yield self._figure(metric, self.span.periods[nth], told, *parts, baselines)

    def _by(self, metric: Metric) -> tuple[str, ...]:
        """What the metric is broken down by: as asked, and as it always is."""
        return (*self.by, *(name for name in metric.per if name not in self.by))

    def _ratios(self) -> dict[str, Sums]:
        """The sums of every ratio; those that are broken down alike are asked for together."""
        alike: dict[tuple[str, ...], list[Metric]] = {}
        for metric in self.metrics:
            if metric.type == "ratio":
                alike.setdefault(self._by(metric), []).append(metric)
        found: dict[str, dict[tuple[int, tuple[str, ...]], list[int]]] = {}
        for by, metrics in alike.items():
            found |= {metric.name: {} for metric in metrics}
            dimensions = tuple(sorted({*by, *self.filters}))
            for name, nth, values, *parts in self.source.sums(metrics, self.span, dimensions):
                told = dict(zip(dimensions, values, strict=True))
                if all(told[each] in allowed for each, allowed in self.filters.items()):
                    sums = found[name].setdefault((nth, tuple(told[each] for each in by)), [0, 0, 0])
                    for place, part in enumerate(parts):
                        sums[place] += part
        return {
            name: {key: (n, d, o) for key, (n, d, o) in sums.items() if d or o or not key[1]}
            for name, sums in found.items()
        }

    def _median(self, metric: Metric) -> Sums:
        if self.filters:
            raise UnknownDimension(f"{metric.name} is a median: ask for it by dimension, it cannot be filtered")
        by = self._by(metric)
        dimensions = tuple(sorted(by))
        found: Sums = {}
        for nth, values, value, sample in self.source.medians(metric, self.span, dimensions):
            told = dict(zip(dimensions, values, strict=True))
            found[nth, tuple(told[each] for each in by)] = (value, sample, 0)
        return found

    def _in_force(self, period: Period) -> list[RuleBook]:
        """The rule books in force at some time of a period."""
        begins, ends = first_moment(period.first, self.span.zone), first_moment(period.last, self.span.zone)
        return [
            book
            for book, spell in self.source.rules.spells
            if (spell.until_us is None or begins < spell.until_us) and (spell.from_us is None or ends >= spell.from_us)
        ]

    def _figure(
        self,
        metric: Metric,
        period: Period,
        told: Mapping[str, str],
        numerator: Any,
        denominator: int,
        still_open: int,
        baselines: Baselines | None,
    ) -> Figure:
        value: Decimal | int | None
        if metric.type == "ratio":
            value = Decimal(numerator) / Decimal(denominator) if denominator else None
        else:
            value = None if numerator is None else int(numerator)
        book = self.source.rules.at(first_moment(period.last, self.span.zone))
        goal = goal_for(metric_of(self.source.rules, book, metric.name), period, book)
        # one value filtered for is as good as that value of a breakdown
        single = {name: allowed[0] for name, allowed in self.filters.items() if len(allowed) == 1}
        compared = goal is not None and goal.compares and len(single) == len(self.filters)
        baseline = baselines.of(metric, {**told, **single}) if compared and baselines else None
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
            rule_books=tuple(each.version for each in self._in_force(period)),
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
