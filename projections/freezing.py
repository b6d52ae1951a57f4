"""Freezing figures: what a metric came to in a period becomes an event, which later figures are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date

from ledger.claims import Claim, claim
from ledger.errors import LedgerError
from ledger.log.application import Ledger
from ledger.rulebook.model import instant_us
from projections.baselines import PRECISION
from projections.kpis import Answer, Figure, figures
from projections.settled import settled
from projections.stamps import stamp

SOURCE = "/ledger/baselines"
UNITS = {"percent": "bp", "number": "bp"}


class NothingToFreeze(LookupError):
    """There is no figure to freeze: the metric has no data in the period."""


def freeze(
    ledger: Ledger,
    metric: str,
    first: date,
    last: date,
    *,
    by: Sequence[str] = (),
    key_id: str,
    actor: str | None = None,
) -> list[str]:
    """Freeze a metric's figures of the days from `first` to `last`, one baseline for each value of `by`; their ids.

    Appended together, under the key `key_id`. Raises UnknownMetric, UnknownDimension, NothingToFreeze; Refused where
    one of them stands already (a baseline is changed by voiding it and freezing again); NotNow.
    """
    with settled(ledger, "freeze"):
        now = ledger.now()
        with ledger.database.reading() as connection:
            answer = figures(connection, [metric], asked=instant_us(now.astimezone(UTC)), first=first, last=last, by=by)
        found = [figure for figure in answer.figures if figure.value is not None]
        if not found:
            raise NothingToFreeze(f"{metric} has no data from {first} to {last}: there is nothing to freeze")
        claims = [_claim(figure, answer, ledger, actor) for figure in found]
        (outcome,) = ledger.append([claims], key_id)
        if isinstance(outcome, LedgerError):
            raise outcome
    return [each.subject for each in claims]


def _claim(figure: Figure, answer: Answer, ledger: Ledger, actor: str | None) -> Claim:
    now = ledger.now()
    name = ".".join(
        (
            figure.metric.name,
            str(figure.period.first),
            str(figure.period.last),
            *(f"{dimension}={value}" for dimension, value in sorted(figure.dimensions.items())),
        )
    )
    parts = {} if figure.numerator is None else {"numerator": figure.numerator, "denominator": figure.denominator}
    return claim(
        "baseline.frozen",
        name,
        {
            "kpi": figure.metric.name,
            "dimensions": dict(figure.dimensions),
            "period_start": figure.period.first.isoformat(),
            "period_end": figure.period.last.isoformat(),
            "statistic": figure.metric.type,
            "value": whole_value(figure),
            "unit": _unit(figure),
            "sample": figure.denominator,
            "stamp": stamp(figure, answer).text(),
            **parts,
        },
        id=f"{name}@{answer.position}",
        source=SOURCE,
        actor=actor,
        occurred_at=now,
        recorded_at=now if ledger.simulated else None,
    )


def whole_value(figure: Figure) -> int:
    """A figure with data as events tell it: basis points, microseconds, or minor units of money."""
    assert figure.value is not None
    return round(figure.value * PRECISION) if _unit(figure) == "bp" else round(figure.value)


def _unit(figure: Figure) -> str:
    if figure.metric.type == "median":
        return "us"
    return UNITS.get(figure.metric.unit) or figure.dimensions["currency"]
