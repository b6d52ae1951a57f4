"""Figures as a table for people: the value, what it is made of, its target and whether it is met."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from api.cli.output import console, fitting, note, say, show_rows
from api.figures import VERDICTS, duration_in_words, goal_in_words, parts_in_words, value_in_words

STYLES = {"met": "green", "missed": "red"}
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
            value_in_words(one, language),
            parts_in_words(one),
            str(one["open"] or ""),
            goal_in_words(one["goal"], language),
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
    # figures computed again from their stamps each have a position and a rule book of their own
    if "rule_book" in told:
        note(f"{period}rule book {told['rule_book']['version']}, as of position {told['position']}, {told['asked_at']}")


ROW_HEADS = {
    "en": {"day": "day", "adds": "adds", "why": "why", "deadline": "deadline", "judged_by": "judged by"},
    "zh": {"day": "归属日", "adds": "计入", "why": "说明", "deadline": "时限", "judged_by": "依据"},
}


def show_rows_behind(told: dict[str, Any], language: str = "en") -> None:
    """Print how many rows behind a figure there are of each state, and rows: their key, what they add and why."""
    language = language if language in ROW_HEADS else "en"
    rows: list[dict[str, Any]] = told["rows"]
    say("; ".join(f"{one['rows']:,} {one['words'][language]}" for one in told["states"]))
    if not rows:
        say("No rows.")
        return
    say()
    heads = ROW_HEADS[language]
    table = [
        {
            **row["key"],
            heads["day"]: row["day"],
            heads["adds"]: _added(row, language),
            heads["why"]: row["words"][language],
            heads["deadline"]: row["deadline"],
            heads["judged_by"]: row["judged_by"],
            **{name: value for name, value in row["dimensions"].items() if name not in row["key"]},
        }
        for row in rows
    ]
    # what no row has is left out, and what the terminal has no room for
    columns = [name for name in table[0] if any(row[name] not in (None, "") for row in table)]
    show_rows(fitting(columns, table), table)


def _added(row: dict[str, Any], language: str) -> str:
    if row["value"] is not None:
        return duration_in_words(row["value"], language)
    return f"{row['numerator']} / {row['denominator']}"
