"""Sums of the live tables: counters for past days, rows for the running one and for what is still open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from psycopg import Connection, sql

from ledger.rulebook.model import Metric
from projections.baselines import Baselines
from projections.contributions import additive
from projections.figures import median_sql, running_sql
from projections.generations import live, position
from projections.keeping import recall
from projections.periods import Period, Span
from projections.recipes import recipe
from projections.standing import moments, standing_sql
from projections.values import as_day

COUNTED = sql.SQL(
    "SELECT counters.metric, periods.nth{columns}, sum(counters.numerator), sum(counters.denominator) "
    "FROM unnest(%(begins)s::bigint[], %(ends)s::bigint[]) WITH ORDINALITY AS periods(begins, ends, nth) "
    "JOIN {counters} AS counters ON counters.day BETWEEN periods.begins AND periods.ends "
    "WHERE counters.metric = ANY(%(metrics)s) AND counters.day < %(today)s "
    "GROUP BY counters.metric, periods.nth{columns}"
)
FIRST_DAY = "SELECT coalesce(min(day), {}) FROM {} WHERE denominator <> 0"


class Counted:
    """The live generation, in the snapshot of the connection's transaction, as a source of figures."""

    def __init__(self, connection: Connection[Any]) -> None:
        self.connection = connection
        self.generation = live(connection)
        self.rules = self.generation.rules
        self.position = position(connection, self.generation)
        recall(connection, self.generation.book_text)

    @property
    def recipe(self) -> str:
        """The digest of the recipe that computes the same in a replay."""
        return recipe(self.generation.book_text).digest

    def extent(self, today: int) -> Period:
        """The days that figures can speak of: from the first that counts to today."""
        counters = sql.Identifier(self.generation.schema, "counters")
        row = self.connection.execute(sql.SQL(FIRST_DAY).format(sql.Literal(today), counters)).fetchone()
        assert row is not None
        return Period(as_day(min(row[0], today)), as_day(today))

    def sums(
        self, metrics: Sequence[Metric], span: Span, dimensions: tuple[str, ...]
    ) -> Iterator[tuple[str, int, tuple[str, ...], int, int, int]]:
        """As `projections.kpis.Source` has it."""
        kept = [metric for metric in metrics if additive(metric)]
        if kept:
            yield from self._counters([metric.name for metric in kept], span, dimensions)
        for metric in kept:
            query = running_sql(self.generation.book_text, self.generation.schema, metric.name, dimensions)
            yield from _of(metric, span, self.connection.execute(query.encode(), span.parameters))
        standing = [metric for metric in metrics if not additive(metric)]
        if standing:
            before = moments(self.connection, self.generation, span.periods, span.asked)
            for metric in standing:
                query = standing_sql(self.generation.book_text, self.generation.schema, metric.name, dimensions)
                yield from _of(metric, span, self.connection.execute(before + sql.SQL(query)))

    def _counters(
        self, metrics: list[str], span: Span, dimensions: tuple[str, ...]
    ) -> Iterator[tuple[str, int, tuple[str, ...], int, int, int]]:
        """What the counters say of the past days of each period."""
        columns = [sql.SQL("counters.") + sql.Identifier(name) for name in dimensions]
        query = COUNTED.format(
            columns=sql.SQL("").join(sql.SQL(", ") + column for column in columns),
            counters=sql.Identifier(self.generation.schema, "counters"),
        )
        for name, nth, *values, numerator, denominator in self.connection.execute(
            query, {**span.parameters, "metrics": metrics}
        ):
            yield name, nth - 1, tuple(values), int(numerator), int(denominator), 0

    def medians(
        self, metric: Metric, span: Span, dimensions: tuple[str, ...]
    ) -> Iterator[tuple[int, tuple[str, ...], int, int]]:
        """As `projections.kpis.Source` has it."""
        query = median_sql(self.generation.book_text, self.generation.schema, metric.name, dimensions)
        for nth, *values, value, sample in self.connection.execute(query.encode(), span.parameters):
            yield int(nth) - 1, tuple(values), int(value), int(sample)

    def baselines(self) -> Baselines:
        """All baselines that stand."""
        return Baselines(self.connection)


def _of(metric: Metric, span: Span, rows: Any) -> Iterator[tuple[str, int, tuple[str, ...], int, int, int]]:
    for day, *values, numerator, denominator, still_open in rows:
        nth = span.nth(day)
        if nth is not None:
            yield metric.name, nth, tuple(values), int(numerator), int(denominator), int(still_open)
