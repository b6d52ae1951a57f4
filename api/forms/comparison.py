"""A comparison of two rule books as an XLSX workbook: figures, rows that count otherwise, and what differs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font

SIDE = ("state", "day", "numerator", "denominator", "value", "deadline", "outcome", "judged_by")


def comparison_workbook(found: Mapping[str, Any], figures: Sequence[Mapping[str, Any]]) -> bytes:
    """The bytes of a workbook of a comparison as `replays.telling` tells it; `figures` are its figures, flat."""
    book = Workbook(write_only=True)
    _sheet(book, "figures", figures)
    _sheet(book, "rows", _rows(found))
    _sheet(book, "changes", found["changes"])
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def _rows(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for flips in found["rows"]:
        for sample in flips["samples"]:
            sides = {f"{part}_{name}": (sample[name] or {}).get(part) for part in SIDE for name in ("before", "after")}
            yield {
                "metric": flips["metric"],
                "table": flips["table"],
                "key": ", ".join(f"{name}={value}" for name, value in sample["key"].items()),
                **sides,
                "why": "; ".join(flips["why"]),
            }


def _sheet(book: Workbook, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    page = book.create_sheet(name)
    page.freeze_panes = "A2"
    for nth, row in enumerate(rows):
        if nth == 0:
            heads = [WriteOnlyCell(page, column) for column in row]
            for head in heads:
                head.font = Font(bold=True)
            page.append(heads)
        page.append([_cell(page, value) for value in row.values()])


def _cell(page: Any, value: Any) -> Any:
    """A cell that stays what it is: text that looks like a formula is text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    cell = WriteOnlyCell(page, str(value))
    cell.data_type = "s"
    return cell
