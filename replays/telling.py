"""Comparisons as plain values: what plans keep, and what programs and people are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from ledger.vocabulary import instant_text
from projections.contributions import columns_of
from projections.kpis import Figure
from projections.recipes import Recipe
from projections.values import as_day, instant, shown
from replays.comparing import Comparison, Flip, Flips, Moved, Side


def told(found: Comparison, recipe: Recipe) -> dict[str, Any]:
    """A comparison; times as RFC 3339, days as ISO 8601, values as `projections.kpis.Figure` has them."""
    return {
        "position": found.position,
        "asked_at": instant_text(instant(found.asked)),
        "period": {"first": found.period.first.isoformat(), "last": found.period.last.isoformat()},
        "changes": [asdict(change) for change in found.changes],
        "compared": list(found.compared),
        "figures": [_moved(each) for each in found.moved],
        "rows": [_flips(each, recipe) for each in found.flips],
        "tables": dict(found.tables),
        "seconds": round(found.seconds, 3),
    }


def _moved(moved: Moved) -> dict[str, Any]:
    figure = moved.figure
    return {
        "metric": figure.metric.name,
        "label": figure.metric.label.model_dump(),
        "type": figure.metric.type,
        "unit": figure.metric.unit,
        "period": {"first": figure.period.first.isoformat(), "last": figure.period.last.isoformat()},
        "dimensions": dict(figure.dimensions),
        "before": _figure(moved.before),
        "after": _figure(moved.after),
    }


def _figure(figure: Figure | None) -> dict[str, Any] | None:
    if figure is None:
        return None
    return {
        # exact figures are the numerator and denominator beside it
        "value": float(round(figure.value, 6)) if isinstance(figure.value, Decimal) else figure.value,
        "numerator": figure.numerator,
        "denominator": figure.denominator,
        "open": figure.open,
        "verdict": figure.verdict,
    }


def _flips(flips: Flips, recipe: Recipe) -> dict[str, Any]:
    table = recipe.rules.metrics(flips.metric)[-1].part.table
    kinds = columns_of(table, recipe.rules)
    return {
        "metric": flips.metric,
        "table": table,
        "rows": flips.rows,
        "why": list(flips.why),
        "samples": [_flip(each, kinds) for each in flips.samples],
    }


def _flip(flip: Flip, kinds: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "key": {name: shown(kinds[name], value) for name, value in flip.key.items()},
        "before": _side(flip.before),
        "after": _side(flip.after),
    }


def _side(side: Side | None) -> dict[str, Any] | None:
    if side is None:
        return None
    return asdict(side) | {
        "day": None if side.day is None else as_day(side.day).isoformat(),
        "deadline": shown("time", side.deadline),
    }
