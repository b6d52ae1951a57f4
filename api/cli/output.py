"""What the command line prints: tables for people, JSON for programs; results on standard output, the rest on error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

STRUCK = "strike dim"


def say(text: str = "") -> None:
    """A line of result for people; markup is not interpreted, ids may hold brackets."""
    console.print(text, markup=False)


def note(text: str) -> None:
    """A line beside the result, on standard error, so that what is piped on stays clean."""
    errors.print(text, markup=False, style="dim")


def show_json(value: Any) -> None:
    """One JSON document, indented where a person reads it."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None)
    sys.stdout.write("\n")


def show_rows(
    columns: Sequence[str],
    rows: Iterable[Mapping[str, Any]],
    *,
    title: str | None = None,
    right: Iterable[str] = (),
    styles: Mapping[str, str] | None = None,
) -> None:
    """A table for people. `right` names columns to align right; `styles` maps a column to a rich style."""
    table = Table(title=title, title_justify="left", header_style="bold", show_edge=False, pad_edge=False)
    numbers = set(right)
    for column in columns:
        table.add_column(
            Text(column),
            justify="right" if column in numbers else "left",
            overflow="fold",
            style=(styles or {}).get(column),
        )
    for row in rows:
        table.add_row(*(Text(in_cell(row.get(column)), style=str(row.get("_style", ""))) for column in columns))
    console.print(table)


def in_cell(value: Any) -> str:
    """A value as a cell: nothing for null, yes/no for booleans, times without idle microseconds."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value.replace("T", " ", 1).replace(".000000Z", "Z") if _is_instant(value) else value
    return str(value)


def _is_instant(value: str) -> bool:
    return len(value) == 27 and value[10] == "T" and value.endswith("Z")
