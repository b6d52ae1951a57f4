"""Two rule books side by side, as tables for people."""

from __future__ import annotations

from typing import Any

from api.cli.output import note, say, show_rows
from api.figures import value_in_words

MOST = 60
"""Lines of one table that are shown; the rest is counted."""
UNITS = {"percent": "ratio"}


def show_comparison(told: dict[str, Any]) -> None:
    """Print what differs, as `replays.telling` tells it: parts of the rules, figures, rows."""
    _some("Changed in the rules", ("path", "before", "after", "figures"), told["changes"])
    figures = [
        {
            "metric": one["label"]["en"] + _dimensions(one["dimensions"]),
            "period": f"{one['period']['first']} – {one['period']['last']}",
            "before": _side(one, one["before"]),
            "after": _side(one, one["after"]),
        }
        for one in told["figures"]
    ]
    _some("Figures that differ", ("metric", "period", "before", "after"), figures)
    for flips in told["rows"]:
        rows = [
            {
                "row": ", ".join(str(value) for value in sample["key"].values()),
                "before": _row(sample["before"]),
                "after": _row(sample["after"]),
            }
            for sample in flips["samples"]
        ]
        title = f"{flips['metric']}: {flips['rows']:,} rows of {flips['table']} count otherwise"
        _some(title, ("row", "before", "after"), rows, all_of=flips["rows"])
        if flips["why"]:
            say(f"  because of {'; '.join(flips['why'])}")
    if not told["figures"] and not told["rows"]:
        say("No figure differs.")
    built = ", ".join(f"{name} ({rows:,} rows)" for name, rows in told["tables"].items())
    note(
        f"{told['period']['first']} to {told['period']['last']}, as of position {told['position']}"
        + (f"; tables that come out otherwise: {built}" if built else "")
        + f"; {told['seconds']:.1f} s"
    )


def _some(title: str, columns: tuple[str, ...], rows: list[dict[str, Any]], all_of: int | None = None) -> None:
    if rows:
        say()
        show_rows(columns, rows[:MOST], title=title)
        left = (all_of or len(rows)) - min(len(rows), MOST)
        if left:
            say(f"  and {left:,} more")


def _dimensions(told: dict[str, str]) -> str:
    return f" ({', '.join(told.values())})" if told else ""


def _side(one: dict[str, Any], side: dict[str, Any] | None) -> str:
    if side is None:
        return "–"
    unit = "microseconds" if one["type"] == "median" else UNITS.get(one["unit"], one["unit"])
    parts = "" if side["numerator"] is None else f"  {side['numerator']:,} / {side['denominator']:,}"
    return f"{value_in_words({'value': side['value'], 'unit': unit})}{parts}"


def _row(side: dict[str, Any] | None) -> str:
    if side is None:
        return "no row"
    words = [side["outcome"] or side["state"]]
    if side["judged_by"]:
        words.append(f"within {side['judged_by']}")
    if side["deadline"]:
        words.append(f"by {side['deadline'][:19]}Z")
    return ", ".join(words)
