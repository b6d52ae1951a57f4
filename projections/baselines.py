"""Baselines: figures frozen as events, which goals of change are compared with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from psycopg import Connection

from ledger.aggregates.baseline import BaselineFrozen
from ledger.claims import VOID, decode
from ledger.rulebook.model import Metric

PRECISION = 10_000
"""A ratio is told in basis points beside its exact parts."""

FROZEN = "SELECT entry FROM log.entries WHERE aggregate = 'baseline' AND position <= %s ORDER BY position"


@dataclass(frozen=True)
class Baseline:
    """A frozen figure. value: as `Figure.value` has it; exact: the same, undivided; sample: what it was taken from;
    stamp: what computes it again."""

    id: str
    position: int
    kpi: str
    dimensions: Mapping[str, str]
    first: date
    last: date
    exact: Fraction
    sample: int
    stamp: str | None = None

    @property
    def value(self) -> Decimal:
        return Decimal(self.exact.numerator) / Decimal(self.exact.denominator)


class Baselines:
    """All baselines that stand, as of one snapshot, or that stood at a position."""

    def __init__(self, connection: Connection[Any], upto: int = 2**63 - 1) -> None:
        entries = [decode(bytes(row[0])) for row in connection.execute(FROZEN, [upto])]
        voided = {getattr(entry.data, "voided_position", None) for entry in entries if entry.type == VOID}
        self._latest: dict[tuple[str, str, frozenset[tuple[str, str]]], Baseline] = {}
        for entry in entries:
            if isinstance(entry.data, BaselineFrozen) and entry.position not in voided:
                told = entry.data
                key = (told.kpi, told.statistic, frozenset(told.dimensions.items()))
                self._latest[key] = Baseline(
                    entry.subject,
                    entry.position,
                    told.kpi,
                    told.dimensions,
                    date.fromisoformat(told.period_start),
                    date.fromisoformat(told.period_end),
                    _value(told),
                    told.sample,
                    told.stamp,
                )

    def __iter__(self) -> Iterator[Baseline]:
        """Those in use, by position: the latest of each metric, statistic and dimensions."""
        return iter(sorted(self._latest.values(), key=lambda baseline: baseline.position))

    def of(self, metric: Metric, dimensions: Mapping[str, str]) -> Baseline | None:
        """The latest that was frozen of a metric, of the same statistic and the same dimensions."""
        return self._latest.get((metric.name, metric.type, frozenset(dimensions.items())))


def _value(told: BaselineFrozen) -> Fraction:
    """A ratio exactly, from its parts; anything else as it was frozen."""
    if told.statistic != "ratio":
        return Fraction(told.value)
    if told.numerator is not None and told.denominator:
        return Fraction(told.numerator, told.denominator)
    return Fraction(told.value, PRECISION if told.unit == "bp" else 1)
