"""Figures as a table for people: the value, what it is made of, its target and whether it is met."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from api.cli.output import console, note

STYLES = {"met": "green", "missed": "red"}
VERDICTS = {
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
HEADS = {
    "en": ("KPI", "Period", "", "Value", "Met / counted", "Open", "Target", ""),
    "zh": ("指标", "期间", "", "数值", "达标 / 计入", "进行中", "目标", ""),
}


def show_figures(told: dict[str, Any], language: str = "en", *, title: str | None = None) -> None:
    """Print the answer of `/v1/kpis`."""
    language = language if language in HEADS else "en"
    figures = told["figures"]
    several = len({(one["period"]["first"], one["period"]["last"]) for one in figures}) > 1
    broken = any(one["dimensions"] for one in figures)
    table = Table(title=title, title_justify="left", header_style="bold", show_edge=False, pad_edge=False)
    shown = [True, several, broken, True, True, True, True, True]
    for head, wanted, right in zip(HEADS[language], shown, (0, 0, 0, 1, 1, 1, 1, 0), strict=True):
        if wanted:
            table.add_column(head, justify="right" if right else "left", no_wrap=head != HEADS[language][0])
    for one in figures:
        verdict = VERDICTS[language].get(one["verdict"], one["verdict"])
        cells = (
            one["label"][language] if one["label"] else one["metric"],
            f"{one['period']['first']} – {one['period']['last']}",
            ", ".join(one["dimensions"].values()),
            value_in_words(one),
            _parts(one),
            str(one["open"] or ""),
            goal_in_words(one["goal"]),
            verdict,
        )
        style = STYLES.get(one["verdict"], "dim" if one["value"] is None else "")
        table.add_row(
            *(
                Text(cell, style=style if place in (3, 7) else "")
                for place, (cell, wanted) in enumerate(zip(cells, shown, strict=True))
                if wanted
            )
        )
    console.print(table)
    period = f"{figures[0]['period']['first']} to {figures[-1]['period']['last']}, " if figures else ""
    note(f"{period}rule book {told['rule_book']['version']}, as of position {told['position']}, {told['asked_at']}")


def value_in_words(figure: dict[str, Any]) -> str:
    """A ratio in per cent, money in its currency, a duration in the unit a person would choose; its change against
    the baseline behind it; nothing without data."""
    value = figure["value"]
    if value is None:
        return "–"
    told = {
        "ratio": lambda: f"{value * 100:.1f} %",
        "number": lambda: f"{value:.2f}",
        "money": lambda: f"{value / 100:,.2f}",
    }.get(figure["unit"], lambda: duration_in_words(value))()
    change = figure.get("change")
    return told if change is None else f"{told} ({change * 100:+.1f} %)"


def duration_in_words(us: int) -> str:
    """Microseconds as seconds, minutes, hours or days."""
    seconds = us / 1_000_000
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"


def goal_in_words(goal: dict[str, Any] | None) -> str:
    """The target in force, such as ≥ 90 %."""
    if goal is None:
        return ""
    for name, sign in (("at_least", "≥ "), ("at_most", "≤ ")):
        if name in goal:
            return f"{sign}{goal[name] * 100:g} %"
    for name, unit in (("change", "%"), ("change_points", "pp")):
        if name in goal:
            return f"Δ {goal[name] * 100:+g} {unit}"
    return ""


def _parts(figure: dict[str, Any]) -> str:
    if figure["numerator"] is not None:
        return f"{figure['numerator']:,} / {figure['denominator']:,}" if figure["denominator"] else ""
    return f"{figure['denominator']:,}" if figure["denominator"] else ""
