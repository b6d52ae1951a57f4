"""What each row contributes to the figures: the one expression behind counters, rebuilds and readings.

An additive KPI is a sum of contributions (metric, day, dimensions, numerator, denominator), one per row and metric.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import ibis
import ibis.expr.types as ir

from ledger.rulebook.expressions import Kind, parse
from ledger.rulebook.model import Metric
from ledger.rulebook.rules import Rules, Versioned, question
from projections.tables import TABLES
from projections.tables.clockwork import clock_columns, local_day
from projections.tables.expressions import bind, condition, schema_for
from projections.tables.standing import STANDING


def columns_of(table: str, rules: Rules) -> dict[str, Kind]:
    """All columns a table has under the rules: its own, then those of its clocks."""
    if table in STANDING:
        return dict(STANDING[table].columns)
    return {**TABLES[table].columns, **clock_columns(table, rules)}


@question
def dimensions_of(rules: Rules) -> tuple[str, ...]:
    """Every dimension that any additive metric is broken down by; the counters' columns."""
    return tuple(sorted({name for each in rules.metrics() if additive(each.part) for name in each.part.by}))


def additive(metric: Metric) -> bool:
    """Whether a metric is a sum of what kept rows contribute; all others are worked out when asked for."""
    return metric.type == "ratio" and metric.table not in STANDING


def gate(metric: Metric) -> str | None:
    """The clock whose end makes a row count, if the metric has one: that of its denominator, or of its value."""
    found = re.search(r"\b([a-z][a-z0-9_]*)\.(?:ended|elapsed)\b", metric.denominator or metric.value or "")
    return found[1] if found else None


def contributors(rules: Rules, name: str) -> list[Contributor]:
    """The versions of a metric, in order of time."""
    return [Contributor(each, rules) for each in rules.metrics(name)]


class Contributor:
    """One version of a metric's reading of its table's rows."""

    def __init__(self, version: Versioned[Metric], rules: Rules) -> None:
        self.metric = version.part
        self.book = version.book
        self.spell = version.spell
        self.rules = rules
        self.schema: Mapping[str, Kind] = schema_for(
            columns_of(self.metric.table, rules), self.metric.table, version.book
        )
        self.gate = gate(self.metric)
        self.by_day = parse(self.metric.agg_time_dimension, self.schema).kind == "day"

    def judged(self, rows: ir.Table) -> ir.Table:
        """The rows that this version speaks of: by the start of the metric's clock, else by when the row counts."""
        if self.spell.always:
            return rows
        at = self.at(rows)
        if self.gate is not None:
            at = rows[f"{self.gate}_started_at"].coalesce(at)
        elif self.by_day:
            return _within(rows, at, self.spell.from_day, self.spell.until_day)
        return _within(rows, at, self.spell.from_us, self.spell.until_us)

    def included(self, rows: ir.Table) -> ir.BooleanValue:
        """Whether a row is looked at at all."""
        if self.metric.where is None:
            return ibis.literal(True)
        return condition(self.metric.where, rows, self.schema)

    def at(self, rows: ir.Table) -> ir.Value:
        """The moment (or day) that decides the period."""
        return bind(parse(self.metric.agg_time_dimension, self.schema), rows)

    @property
    def at_column(self) -> str | None:
        """The column that the moment stands in, or None where it is worked out."""
        at = parse(self.metric.agg_time_dimension, self.schema)
        return str(at.value).replace(".", "_") if at.op == "column" else None

    def day(self, rows: ir.Table) -> ir.Value:
        """The day, in the book's time zone, that the row counts on."""
        return self.at(rows) if self.by_day else local_day(self.at(rows), self.book.time_zone)

    def amount(self, text: str | None, rows: ir.Table) -> ir.Value:
        """What an expression adds to a sum: 1 or 0 for a condition, the number for a number; no expression: 1."""
        if text is None:
            return ibis.literal(1, "int64")
        expression = parse(text, self.schema)
        value = bind(expression, rows)
        if expression.kind == "boolean":
            return value.fill_null(False).ifelse(ibis.literal(1, "int64"), ibis.literal(0, "int64"))
        return value.fill_null(0)

    def dimension(self, name: str, rows: ir.Table) -> ir.Value:
        """A dimension's value, '' where there is none."""
        if name not in self.metric.by:
            return ibis.literal("")
        defined = next((each for each in self.book.dimensions if each.name == name), None)
        if defined is None:
            return rows[name].fill_null("")
        return ibis.cases(
            *((condition(case.when, rows, self.schema), ibis.literal(case.then)) for case in defined.cases),
            else_=ibis.literal(defined.otherwise or ""),
        )

    def rows(self, rows: ir.Table, *extra: str) -> ir.Table:
        """One contribution per row that counts: metric, day, every dimension, numerator, denominator."""
        rows = self.judged(rows)
        denominator = self.amount(self.metric.denominator, rows)
        each = rows.filter(self.included(rows) & self.at(rows).notnull() & (denominator != 0))
        return each.select(
            *extra,
            metric=ibis.literal(self.metric.name),
            day=self.day(each),
            **{name: self.dimension(name, each) for name in dimensions_of(self.rules)},
            numerator=self.amount(self.metric.numerator, each),
            denominator=self.amount(self.metric.denominator, each),
        )


def _within(rows: ir.Table, at: ir.Value, begin: int | None, end: int | None) -> ir.Table:
    """What has no moment goes with the version that has no end."""
    if end is not None:
        rows = rows.filter(at < end)
    return rows if begin is None else rows.filter((at >= begin) | at.isnull())


def dated_by(table: str, rules: Rules) -> tuple[str, ...]:
    """The columns of a table that decide which period a row counts in, for any metric that stands on it."""
    found = (Contributor(each, rules).at_column for each in rules.metrics() if each.part.table == table)
    return tuple(sorted({column for column in found if column is not None}))


@question
def _metrics_on(rules: Rules, table: str) -> list[Versioned[Metric]]:
    return [each for each in rules.metrics() if each.part.table == table and additive(each.part)]


def contributions(table: str, rows: ir.Table, rules: Rules, sign: str | None = None) -> ir.Table | None:
    """The counters that a table's rows add up to, or None where no additive metric stands on the table.

    `sign` names a column of 1 and −1 to count rows by.
    """
    metrics = _metrics_on(rules, table)
    if not metrics:
        return None
    each = [Contributor(metric, rules).rows(rows, *([sign] if sign else [])) for metric in metrics]
    together = ibis.union(*each) if len(each) > 1 else each[0]
    weight = together[sign] if sign else ibis.literal(1, "int64")
    sums = together.group_by("metric", "day", *dimensions_of(rules)).agg(
        numerator=(together.numerator * weight).sum(), denominator=(together.denominator * weight).sum()
    )
    return sums.filter((sums.numerator != 0) | (sums.denominator != 0))
