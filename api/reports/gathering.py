"""Reading what a report tells: every figure of one position of the log, one moment of asking, one rule book."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from psycopg import Connection

from api.figures import figure_told, goal_told
from api.reports.shapes import Definition, Tally
from ledger.rulebook.calendars import first_moment, local_day
from ledger.rulebook.model import Goal, Metric, RuleBook
from projections.counted import Counted
from projections.kpis import Figure, answer
from projections.periods import Grain, split
from projections.reading import rows_of
from projections.stamps import stamp
from projections.tallies import Tallied, tally
from projections.values import as_day

Told = dict[str, Any]
"""A figure as `api.figures.figure_told` tells it."""

MOST_VALUES: Final = 30
"""Of a breakdown: those that count most; the others are said to be left out."""
MOST_PLANS: Final = 200
MONTHLY: Final = 36
"""Periods up to so many months are told by month, longer ones by quarter."""
QUARTERLY: Final = 6
"""Periods up to so many quarters have a column for each, longer ones one for each year."""


@dataclass(frozen=True)
class Stage:
    """A stage of a metric's target: the days it is in force, within the report's period where it is read; its figure,
    None where the stage lies outside of it."""

    metric: Metric
    goal: Told
    first: date
    last: date | None
    figure: Told | None


@dataclass
class Findings:
    """What a report is written from.

    book: the rule book in force when it was asked, whose metrics are told; books: all there are.

    overall, by metric: its figures of the period (several where it is always told by a dimension). broken, by metric
    and dimension; others: how many more values there are. trends and spans, by metric: its figures over time.
    """

    definition: Definition
    book: RuleBook
    books: tuple[RuleBook, ...]
    first: date
    last: date
    asked: int
    position: int
    recipe: str
    grain: Grain
    spans_by: Grain
    overall: dict[str, list[Told]] = field(default_factory=dict)
    broken: dict[tuple[str, str], list[Told]] = field(default_factory=dict)
    others: dict[tuple[str, str], int] = field(default_factory=dict)
    trends: dict[str, list[Told]] = field(default_factory=dict)
    spans: dict[str, list[Told]] = field(default_factory=dict)
    stages: list[Stage] = field(default_factory=list)
    tallies: dict[Tally, list[Tallied]] = field(default_factory=dict)
    plans: list[dict[str, Any]] = field(default_factory=list)
    more_plans: int = 0
    absent: list[str] = field(default_factory=list)
    """Metrics, and metrics by a dimension, that the report would tell and the rule book does not have."""
    figures: dict[str, Figure] = field(default_factory=dict)
    """Every figure read, by its stamp."""

    @property
    def versions(self) -> set[str]:
        """The rule books that judged its figures, by their versions."""
        return {version for figure in self.figures.values() for version in figure.rule_books}

    @property
    def provisional(self) -> bool:
        """Whether the period had not ended yet."""
        return as_day(local_day(self.asked, self.book.time_zone)) <= self.last


def gather(connection: Connection[Any], definition: Definition, first: date, last: date, *, asked: int) -> Findings:
    """All that a report tells of the days from `first` to `last` at a moment of asking (microseconds).

    Within one snapshot: the connection's transaction begins here.
    """
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    return _Gathering(connection, definition, first, last, asked).findings()


class _Gathering:
    def __init__(
        self, connection: Connection[Any], definition: Definition, first: date, last: date, asked: int
    ) -> None:
        self.connection = connection
        self.source = Counted(connection)
        self.book = self.source.rules.at(asked)
        self.known = {metric.name: metric for metric in self.book.metrics}
        self.found = Findings(
            definition, self.book, self.source.rules.books, first, last, asked,
            self.source.position, self.source.recipe,
            _trend_grain(first, last), _span_grain(first, last),
        )  # fmt: skip

    def findings(self) -> Findings:
        definition, found = self.found.definition, self.found
        named = [name for name in definition.metrics if self._has(name)]
        if definition.whole:
            named += [name for name in self.known if name not in named]
        self._volumes(named)
        for one in self._read(dict.fromkeys(named)):
            found.overall.setdefault(one["metric"], []).append(one)
        self._breakdowns()
        trends = dict.fromkeys(name for section in definition.sections for name in section.trends if name in self.known)
        volumes = dict.fromkeys(
            name for section in definition.sections for volume in section.volumes for name in self._of(volume.metrics)
        )
        if len(split(found.first, found.last, found.grain)) > 1:
            for one in self._read([*trends, *(name for name in volumes if name not in trends)], grain=found.grain):
                found.trends.setdefault(one["metric"], []).append(one)
        self._tallies()
        if definition.whole:
            self._whole(named)
        return found

    def _has(self, name: str) -> bool:
        if name not in self.known:
            self._absent(name)
        return name in self.known

    def _absent(self, name: str) -> None:
        if name not in self.found.absent:
            self.found.absent.append(name)

    def _of(self, metrics: Sequence[str]) -> list[str]:
        """The first of some metrics that the book has, if any."""
        return [name for name in metrics if name in self.known][:1]

    def _volumes(self, named: list[str]) -> None:
        for section in self.found.definition.sections:
            for volume in section.volumes:
                had = self._of(volume.metrics)
                if not had:
                    self._absent(volume.metrics[0])
                named += [name for name in had if name not in named]

    def _breakdowns(self) -> None:
        wanted: dict[str, list[str]] = {}
        for section in self.found.definition.sections:
            pairs = list(section.bars)
            pairs += [(name, by) for volume in section.volumes for name in self._of(volume.metrics) for by in volume.by]
            for name, by in pairs:
                if name not in self.known:
                    continue
                if by not in self.known[name].by:
                    self._absent(f"{name} / {by}")
                elif name not in wanted.setdefault(by, []):
                    wanted[by].append(name)
        for by, names in wanted.items():
            self._broken(names, by)

    def _broken(self, names: Sequence[str], by: str) -> None:
        """The figures of some metrics by a dimension: of its values those that count most."""
        each = answer(self.source, names, asked=self.found.asked, first=self.found.first, last=self.found.last, by=[by])
        for name in names:
            all_of_it = [one for one in each.figures if one.metric.name == name]
            # the order of values decides among those that count alike: the same figures give the same report
            ranked = sorted(all_of_it, key=lambda one: (-(one.denominator + one.open), sorted(one.dimensions.items())))
            kept = ranked[:MOST_VALUES]
            self.found.others[name, by] = len(ranked) - len(kept)
            self.found.broken[name, by] = [self._told(one, stamp(one, each).text()) for one in kept]

    def _tallies(self) -> None:
        zone = self.book.time_zone
        begins = first_moment(self.found.first, zone)
        ends = first_moment(self.found.last + timedelta(1), zone)
        for section in self.found.definition.sections:
            for one in section.tallies:
                self.found.tallies[one] = tally(
                    self.connection, self.source.generation, one.table, at=one.at, by=one.by, begins=begins, ends=ends,
                    asked=self.found.asked, until=one.until, merged=one.merged,
                )  # fmt: skip

    def _whole(self, named: Sequence[str]) -> None:
        """What only a report on the whole book tells: figures by quarter, stages of targets, plans."""
        found = self.found
        if len(split(found.first, found.last, found.spans_by)) > 1:
            for one in self._read(named, grain=found.spans_by):
                found.spans.setdefault(one["metric"], []).append(one)
        for name in named:
            metric = self.known[name]
            if len(metric.goal) > 1 or any(goal.from_month > 1 for goal in metric.goal):
                found.stages += self._stages(metric)
        _, rows, _ = rows_of(self.connection, "plans", asked=found.asked, most=10 * MOST_PLANS)
        begins = first_moment(found.first, self.book.time_zone)
        ends = min(first_moment(found.last + timedelta(1), self.book.time_zone), found.asked + 1)
        plans = [
            row
            for row in rows
            if row["drafted_at"] < ends and (row["evaluated_at"] is None or row["evaluated_at"] >= begins)
        ]
        found.plans, found.more_plans = plans[:MOST_PLANS], len(plans[MOST_PLANS:])

    def _stages(self, metric: Metric) -> Iterable[Stage]:
        goals = sorted(metric.goal, key=lambda goal: goal.from_month)
        for nth, goal in enumerate(goals):
            begins = _begins(goal, self.book)
            ends = _begins(goals[nth + 1], self.book) - timedelta(1) if nth + 1 < len(goals) else None
            first, last = max(begins, self.found.first), min(ends or self.found.last, self.found.last)
            read = self._read([metric.name], first=first, last=last) if first <= last else [None]
            for figure in read:
                # the book in force then may have asked for something else
                told = figure["goal"] if figure is not None and figure["goal"] is not None else goal_told(goal)
                yield Stage(metric, told, begins, ends, figure)

    def _read(
        self, names: Iterable[str], *, grain: Grain = "all", first: date | None = None, last: date | None = None
    ) -> list[Told]:
        names = list(names)
        if not names:
            return []
        each = answer(
            self.source, names, asked=self.found.asked, grain=grain,
            first=first or self.found.first, last=last or self.found.last,
        )  # fmt: skip
        return [self._told(one, stamp(one, each).text()) for one in each.figures]

    def _told(self, figure: Figure, stamped: str) -> Told:
        self.found.figures[stamped] = figure
        return figure_told(figure, stamped)


def _begins(goal: Goal, book: RuleBook) -> date:
    """The first day of the programme's month from which a goal holds."""
    months = book.programme_start.year * 12 + book.programme_start.month - 1 + goal.from_month - 1
    return date(months // 12, months % 12 + 1, 1)


def _trend_grain(first: date, last: date) -> Grain:
    """Weeks up to two months, then months, then quarters."""
    if (last - first).days < 62:
        return "week"
    return "month" if len(split(first, last, "month")) <= MONTHLY else "quarter"


def _span_grain(first: date, last: date) -> Grain:
    return "quarter" if len(split(first, last, "quarter")) <= QUARTERLY else "year"
