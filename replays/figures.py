"""Figures out of a replay: the sums of what each metric's rows count for, at any position, under any recipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow

from ledger.log.application import Ledger
from ledger.rulebook.model import Metric
from projections.baselines import Baselines
from projections.contributions import columns_of
from projections.kpis import Figure
from projections.periods import Period, Span
from projections.readings import Reading
from projections.rows import IN_PERIOD, Row, row_of, selected
from projections.standing import asked_rows
from projections.tables.standing import ASKED, PERIODS, WINDOWS
from projections.values import as_day
from replays.engine import Tables

SUMS = (
    "SELECT day {by}, sum(numerator) FILTER (state = 'counted'), sum(denominator) FILTER (state = 'counted'), "
    "count(*) FILTER (state = 'open') FROM ({rows}) WHERE state IN ('counted', 'open') "
    "AND day BETWEEN $first AND $last GROUP BY day {by}"
)
MIDDLES = (
    "SELECT nth {by}, value, size FROM (SELECT nth {by}, value, row_number() OVER (PARTITION BY nth {by} ORDER BY "
    "value) AS place, count(*) OVER (PARTITION BY nth {by}) AS size FROM ({rows}) JOIN asked_periods "
    "ON day BETWEEN begins AND ends WHERE state = 'counted') WHERE place * 2 >= size AND place * 2 < size + 2"
)
STATES = "SELECT state, count(*) FROM ({rows}) WHERE {conditions} GROUP BY state"
BEHIND = (
    "SELECT {columns} FROM ({rows}) WHERE {conditions} ORDER BY state <> 'counted', state <> 'open', {key} LIMIT $most"
)
FIRST_ACTIVE = "SELECT min(from_at) FROM active_spells"
FIRST_DAY = "SELECT min(day) FROM ({rows}) WHERE state = 'counted'"
PLACES = ("nth", "begins", "ends")


@dataclass(frozen=True)
class RowsThen:
    """The rows behind a figure as they were: how many of each state, and the first of them by key, counted ones before
    open ones before those left out."""

    states: Mapping[str, int]
    rows: list[Row]


class Replayed:
    """Replayed tables as a source of figures, as of the position they were built up to."""

    def __init__(self, ledger: Ledger, tables: Tables, position: int) -> None:
        self.ledger = ledger
        self.tables = tables
        self.position = position
        self.rules = tables.rules
        self.answered: dict[tuple[Any, ...], list[Figure]] = {}
        """What was asked already: many figures of a report are one answer."""

    @property
    def recipe(self) -> str:
        """The digest of the recipe that the tables were built by."""
        return self.tables.recipe.digest

    def extent(self, today: int) -> Period:
        """The days that figures can speak of: from the first that counts to today."""
        first = today
        for reading in self.tables.recipe.readings.values():
            if not reading.standing:
                ((day,),) = self.tables.query(FIRST_DAY.format(rows=reading.query), {"asked": today, "today": today})
                first = first if day is None else min(first, day)
        return Period(as_day(first), as_day(today))

    def sums(
        self, metrics: Sequence[Metric], span: Span, dimensions: tuple[str, ...]
    ) -> Iterator[tuple[str, int, tuple[str, ...], int, int, int]]:
        """As `projections.kpis.Source` has it."""
        for metric in metrics:
            reading = self.reading(metric.name, span)
            query = SUMS.format(rows=reading.query, by=_by(dimensions))
            for day, *values, numerator, denominator, still_open in self.tables.query(query, span.parameters):
                nth = span.nth(day)
                if nth is not None:
                    yield metric.name, nth, tuple(values), int(numerator or 0), int(denominator or 0), int(still_open)

    def medians(
        self, metric: Metric, span: Span, dimensions: tuple[str, ...]
    ) -> Iterator[tuple[int, tuple[str, ...], int, int]]:
        """As `projections.kpis.Source` has it."""
        columns = [list(range(len(span.periods))), span.parameters["begins"], span.parameters["ends"]]
        self._put("asked_periods", PLACES, columns)
        query = MIDDLES.format(rows=self.reading(metric.name, span).query, by=_by(dimensions))
        for nth, *values, value, size in self.tables.query(query, span.parameters):
            yield nth, tuple(values), int(value), int(size)

    def baselines(self) -> Baselines:
        """All baselines that stood at the position."""
        with self.ledger.pool.connection() as connection:
            return Baselines(connection, self.position)

    def behind(self, metric: Metric, span: Span, filters: Mapping[str, Sequence[str]], most: int) -> RowsThen:
        """The rows behind a figure of the periods of a span; `filters` name the values of dimensions."""
        reading = self.reading(metric.name, span)
        parameters = {
            **span.parameters,
            "most": most,
            **{f"among_{nth}": list(values) for nth, values in enumerate(filters.values())},
        }
        conditions = " AND ".join(
            [
                IN_PERIOD.format(first="$first", last="$last"),
                *(f'list_contains($among_{nth}, "by_{name}")' for nth, name in enumerate(filters)),
            ]
        )
        counts = self.tables.query(STATES.format(rows=reading.query, conditions=conditions), parameters)
        query = BEHIND.format(
            columns=", ".join(f'"{name}"' for name in selected(reading)),
            rows=reading.query,
            conditions=conditions,
            key=", ".join(f'"{name}"' for name in reading.key),
        )
        kinds = columns_of(metric.table, self.rules)
        rows = [row_of(reading, kinds, each) for each in self.tables.query(query, parameters)]
        return RowsThen({str(state): int(many) for state, many in counts}, rows)

    def reading(self, metric: str, span: Span) -> Reading:
        """A metric's reading, with the tables at hand that it is asked with."""
        reading = self.tables.recipe.readings[metric]
        if reading.standing:
            ((since,),) = self.tables.query(FIRST_ACTIVE, {})
            asking = asked_rows(self.rules, span.periods, span.asked, since)
            self._put("periods", PERIODS.names, asking.periods)
            self._put("windows", WINDOWS.names, [asking.tiers, asking.cadences, *asking.windows])
            self._put("moment", ASKED.names, [[span.asked]])
        return reading

    def _put(self, name: str, names: Sequence[str], columns: Sequence[list[Any]]) -> None:
        types = [pyarrow.string() if column in ("tier", "cadence") else pyarrow.int64() for column in names]
        arrays = [pyarrow.array(column, kind) for column, kind in zip(columns, types, strict=True)]
        self.tables.engine.connection.register(name, pyarrow.table(arrays, names=list(names)))


def _by(dimensions: Sequence[str]) -> str:
    return "".join(f', "by_{name}"' for name in dimensions)
