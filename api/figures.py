"""Figures as they are told: to programs as JSON values, to people in words, Chinese or English."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from ledger.rulebook.model import Goal
from ledger.vocabulary import instant_text
from projections.baselines import Baseline
from projections.kpis import Answer, Figure
from projections.stamps import stamp
from projections.values import instant

UNITS: Final = {"percent": "ratio", "number": "number", "money": "money"}
VERDICTS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {},
    "zh": {
        "met": "达标",
        "missed": "未达标",
        "no data": "无数据",
        "no goal": "无目标",
        "no baseline yet": "尚无基线",
        "not comparable": "不可比",
        "too few": "样本不足",
    },
}
LENGTHS: Final = (
    (86_400, {"en": " d", "zh": " 天"}),
    (3_600, {"en": " h", "zh": " 小时"}),
    (60, {"en": " min", "zh": " 分钟"}),
)
SECONDS: Final = {"en": " s", "zh": " 秒"}
NOTHING: Final = "–"


def figures_told(answer: Answer) -> dict[str, Any]:
    """An answer as it is shown: its figures, and as of when, and by which book."""
    return {
        "position": answer.position,
        "asked_at": instant_text(instant(answer.asked)),
        "rule_book": {"name": answer.book.rule_book, "version": answer.book.version, "digest": answer.book.digest()},
        "time_zone": answer.book.time_zone,
        "figures": [figure_told(one, stamp(one, answer).text()) for one in answer.figures],
    }


def figure_told(figure: Figure, stamped: str) -> dict[str, Any]:
    """A figure as it is shown, with the stamp that computes it again."""
    metric = figure.metric
    return {
        "metric": metric.name,
        "label": metric.label.model_dump() if metric.label else None,
        "type": metric.type,
        "unit": UNITS[metric.unit] if metric.type == "ratio" else "microseconds",
        "period": {"first": figure.period.first.isoformat(), "last": figure.period.last.isoformat()},
        "dimensions": dict(figure.dimensions),
        "numerator": figure.numerator,
        "denominator": figure.denominator,
        "open": figure.open,
        "value": number_told(figure.value),
        "goal": None if figure.goal is None else goal_told(figure.goal),
        "baseline": None if figure.baseline is None else baseline_told(figure.baseline),
        "change": number_told(figure.change),
        "verdict": figure.verdict,
        "rule_books": list(figure.rule_books),
        "stamp": stamped,
    }


def baseline_told(baseline: Baseline) -> dict[str, Any]:
    """A baseline as it is shown."""
    return {
        "id": baseline.id,
        "position": baseline.position,
        "kpi": baseline.kpi,
        "dimensions": dict(baseline.dimensions),
        "period": {"first": baseline.first.isoformat(), "last": baseline.last.isoformat()},
        "value": number_told(baseline.value),
        "sample": baseline.sample,
        "stamp": baseline.stamp,
    }


def goal_told(goal: Goal) -> dict[str, Any]:
    """One stage of a target as it is shown: parts of one, not basis points."""
    bounds = {"at_least": goal.at_least, "at_most": goal.at_most, "change": goal.change}
    bounds["change_points"] = goal.change_points
    return {"from_month": goal.from_month} | {
        name: float(Decimal(points) / 10_000) for name, points in bounds.items() if points is not None
    }


def number_told(value: Decimal | int | None) -> float | int | None:
    """A figure's value as a number of JSON."""
    # exact figures are the numerator and denominator beside it
    return float(round(value, 6)) if isinstance(value, Decimal) else value


def value_in_words(figure: Mapping[str, Any], language: str = "en") -> str:
    """A ratio in per cent, money in its currency, a duration in the unit a person would choose; its change against
    the baseline behind it; nothing without data."""
    told = quantity_in_words(figure["value"], figure["unit"], language)
    change = change_in_words(figure, language)
    return f"{told} ({change})" if change else told


def quantity_in_words(value: float | None, unit: str, language: str = "en") -> str:
    """A value in the `unit` that figures name: ratio, number, money (minor units) or microseconds."""
    if value is None:
        return NOTHING
    match unit:
        case "ratio":
            return f"{value * 100:.1f}{_per_cent(language)}"
        case "number":
            return f"{value:.2f}"
        case "money":
            return f"{value / 100:,.2f}"
    return duration_in_words(value, language)


def change_in_words(figure: Mapping[str, Any], language: str = "en") -> str:
    """How far a figure is from its baseline: a part of it, or points where its goal is in points; '' where it has
    none."""
    change = figure.get("change")
    if change is None:
        return ""
    unit = " pp" if "change_points" in (figure["goal"] or {}) else _per_cent(language)
    return f"{change * 100:+.1f}{unit}"


def duration_in_words(us: float, language: str = "en") -> str:
    """Microseconds as seconds, minutes, hours or days."""
    seconds = us / 1_000_000
    for length, unit in LENGTHS:
        if seconds >= 2 * length:
            return f"{seconds / length:.1f}{unit[language]}"
    return f"{seconds:.1f}{SECONDS[language]}"


def goal_in_words(goal: Mapping[str, Any] | None, language: str = "en") -> str:
    """The target in force, such as ≥ 90 %."""
    if goal is None:
        return ""
    for name, sign in (("at_least", "≥ "), ("at_most", "≤ ")):
        if name in goal:
            return f"{sign}{goal[name] * 100:g}{_per_cent(language)}"
    for name, unit in (("change", _per_cent(language)), ("change_points", " pp")):
        if name in goal:
            return f"Δ {goal[name] * 100:+g}{unit}"
    return ""


def parts_in_words(figure: Mapping[str, Any]) -> str:
    """What a figure is made of: numerator / denominator, or the sample of a median; '' without data."""
    if not figure["denominator"]:
        return ""
    sample = f"{figure['denominator']:,}"
    return sample if figure["numerator"] is None else f"{figure['numerator']:,} / {sample}"


def _per_cent(language: str) -> str:
    # Chinese sets the sign without a space
    return "%" if language == "zh" else " %"
