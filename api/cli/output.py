"""What the command line prints: tables for people, JSON for programs; results on standard output, the rest on error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

# piped output is read by programs and in logs, where nothing is gained by folding it at 80 columns
console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
errors = Console(stderr=True, highlight=False)

STRUCK = "strike dim"


def say(text: str = "") -> None:
    """A line of result for people; markup is not interpreted, ids may hold brackets."""
    console.print(text, markup=False, soft_wrap=True)


def note(text: str) -> None:
    """A line beside the result, on standard error, so that what is piped on stays clean."""
    errors.print(text, markup=False, style="dim", soft_wrap=True)


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


def fitting(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """As many of the columns, from the first on, as fit beside one another without folding."""
    room = console.width
    found: list[str] = []
    for column in columns:
        room -= max([cell_len(column), *(cell_len(in_cell(row.get(column))) for row in rows)]) + 3
        if room < 0 and found:
            break
        found.append(column)
    return found


def in_cell(value: Any) -> str:
    """A value as a cell: nothing for null, yes/no for booleans, times to the second."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return f"{value[:10]} {value[11:19]}Z" if _is_instant(value) else value
    return str(value)


def _is_instant(value: str) -> bool:
    return len(value) == 27 and value[10] == "T" and value.endswith("Z")
