"""Baselines: figures frozen once, that later ones are compared with."""

from dataclasses import dataclass
from typing import Self

from pydantic import Field, model_validator

from ledger.aggregates.opening import refuse_later
from ledger.occurrence import Occurrence, Reading
from ledger.vocabulary import Amount, Day, Dimensions, Event, Id, Integer, Statistic, Text, in_order


class BaselineFrozen(
    Event,
    type="baseline.frozen",
    en="Baseline frozen",
    zh="基线冻结",
    opens=True,
    example={
        "kpi": "first_response_in_time",
        "dimensions": {"channel": "web_chat"},
        "period_start": "2026-01-01",
        "period_end": "2026-02-28",
        "statistic": "ratio",
        "numerator": 812,
        "denominator": 1203,
        "value": 6750,
        "unit": "bp",
        "sample": 1203,
        "stamp": "first_response_in_time 2026-01-01/2026-02-28 at 4711",
    },
):
    kpi: Id
    dimensions: Dimensions = Field(default_factory=dict)
    period_start: Day
    period_end: Day
    """The last day, counted in."""
    statistic: Statistic
    numerator: Integer | None = None
    denominator: Integer | None = None
    value: Integer
    unit: Id
    """Of the value: bp (basis points), us (microseconds), count, or a currency (its minor units)."""
    sample: Amount
    stamp: Text | None = None

    @model_validator(mode="after")
    def _period_in_order(self) -> Self:
        in_order(self.period_start, self.period_end)
        return self


@dataclass(frozen=True, slots=True)
class Baseline:
    """A baseline, as far as decisions need it."""


def evolve(state: Baseline | None, told: Occurrence) -> Baseline | None:
    """The baseline after one more event."""
    return Baseline() if isinstance(told.data, BaselineFrozen) else state


def decide(state: Baseline | None, told: Occurrence, world: Reading) -> None:
    """Refuse to freeze twice under one name."""
    if state is not None:
        refuse_later(told)
