"""Rows as JSON or CSV, whichever is asked for; the CSV makes no spreadsheet run a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

CSV = "text/csv"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|")


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """RFC 4180 with a head line; text that a spreadsheet would take for a formula is quoted with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[column]) for column in columns])
    return out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value if value.lstrip(" ").startswith(_FORMULA) else value
    return str(value)


def wants_csv(accept: str | None, chosen: str | None) -> bool:
    """Whether an answer is to be CSV: `format=` decides, else the first of JSON and CSV that Accept names."""
    if chosen is not None:
        return chosen == "csv"
    for part in (accept or "").split(","):
        kind = part.split(";")[0].strip().lower()
        if kind == CSV:
            return True
        if kind in ("application/json", "*/*", "application/*"):
            return False
    return False
