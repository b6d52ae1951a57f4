"""A form as an XLSX workbook: typed cells, a frozen head with filters, and text that stays text.

A cell that begins like a formula is marked as text, so that no spreadsheet program works it out; characters that XLSX
cannot hold become �.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

from openpyxl import Workbook
from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.packaging.custom import StringProperty
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

from api.forms.definitions import STATEMENT, Column, Form, Sheet
from api.naming import CHOICES
from ledger.choices import Label
from ledger.rulebook.expressions import Kind
from projections.values import as_day, instant

HEAD_FILL = PatternFill("solid", fgColor="D9E2F3")
NUMBER_FORMATS = {"time": "yyyy-mm-dd hh:mm:ss", "day": "yyyy-mm-dd"}
LONGEST_TEXT = 32_767
"""Characters a cell can hold."""
EARLIEST = datetime(1900, 3, 1)
"""Before this, spreadsheets and calendars disagree about days."""
WITHHELD = {"en": "(withheld)", "zh": "（无权查看）"}

STATES: Mapping[str, Label] = {
    "to_do": Label("to do", "待办"),
    "doing": Label("doing", "进行中"),
    "done": Label("done", "已完成"),
    "captured": Label("captured", "已提出"),
    "clarifying": Label("to be clarified", "待澄清"),
    "classified": Label("classified", "已分类"),
    "assessed": Label("assessed", "已评审"),
    "prioritised": Label("prioritised", "已定级"),
    "scoped": Label("scoped", "已界定"),
    "archived": Label("archived", "已归档"),
    "rejected": Label("rejected", "已拒绝"),
    "closed": Label("closed", "已关闭"),
    "reopened": Label("reopened", "已重开"),
    "merged": Label("merged", "已合并"),
    "planned": Label("planned", "已计划"),
    "in_progress": Label("in progress", "交付中"),
    "delivered": Label("delivered", "已交付"),
    "accepted": Label("accepted", "已验收"),
    "refused": Label("refused", "已拒收"),
    "cancelled": Label("cancelled", "已取消"),
    "drafted": Label("drafted", "草案"),
    "approved": Label("approved", "已批准"),
    "launched": Label("launched", "已上线"),
    "evaluated": Label("evaluated", "已评估"),
    "month": Label("monthly", "每月"),
    "quarter": Label("quarterly", "每季度"),
    "half_year": Label("half-yearly", "每半年"),
}
"""States, and windows of the contact cadence, in words."""
WORDED = frozenset({"status", "delivery_status", "cadence"})
"""The columns that hold them."""
ZONE = "time_zone"
"""The workbook's property that says whose times it holds."""

Rows = Callable[[str], tuple[Mapping[str, Kind], Iterable[Mapping[str, Any]]]]
"""The kinds and rows of a table, cells as engines hold them."""


def workbook(
    form: Form, rows: Rows, *, language: str, zone: str, statements: Callable[[str], str | None] | None
) -> bytes:
    """The form's bytes. `statements` gives what a requirement says; None where that may not be seen."""
    book = Workbook(write_only=True)
    book.custom_doc_props.append(StringProperty(name=ZONE, value=zone))  # type: ignore[attr-defined]
    for sheet in form.sheets:
        _write(book, sheet, rows, language, ZoneInfo(zone), statements)
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def _write(
    book: Workbook,
    sheet: Sheet,
    rows: Rows,
    language: str,
    zone: ZoneInfo,
    statements: Callable[[str], str | None] | None,
) -> None:
    page = book.create_sheet(sheet.title.of(language))
    page.freeze_panes = "B2"
    for place, column in enumerate(sheet.columns, start=1):
        page.column_dimensions[get_column_letter(place)].width = column.width
    page.append([_head(page, column, language) for column in sheet.columns])
    kinds, found = rows(sheet.table)
    last = 1
    for row in _filled(sheet, found, statements, language):
        page.append([_cell(page, column, kinds.get(column.name), row, language, zone) for column in sheet.columns])
        last += 1
    page.auto_filter.ref = f"A1:{get_column_letter(len(sheet.columns))}{last}"


def _filled(
    sheet: Sheet,
    rows: Iterable[Mapping[str, Any]],
    statements: Callable[[str], str | None] | None,
    language: str,
) -> Iterator[Mapping[str, Any]]:
    if all(column.name != STATEMENT for column in sheet.columns):
        yield from rows
        return
    for row in rows:
        said = WITHHELD[language] if statements is None else statements(row["requirement_id"])
        yield {**row, STATEMENT: said}


def _head(page: Any, column: Column, language: str) -> Cell:
    cell = WriteOnlyCell(page, column.head.of(language))
    cell.font = Font(bold=True)
    cell.fill = HEAD_FILL
    cell.alignment = Alignment(wrap_text=True, vertical="center")
    return cell


def _cell(page: Any, column: Column, kind: Kind | None, row: Mapping[str, Any], language: str, zone: ZoneInfo) -> Cell:
    value = row[column.name]
    if value is None:
        return WriteOnlyCell(page, None)
    if kind == "time" and (moment := _local(value, zone)) is not None:
        return _formatted(page, moment, "time")
    if kind == "day" and (day := _day(value)) is not None:
        return _formatted(page, day, "day")
    if isinstance(value, bool | int) and kind not in ("time", "day"):
        return WriteOnlyCell(page, value)
    return _text(page, column, kind, value, language)


def _formatted(page: Any, value: datetime | date, kind: str) -> Cell:
    cell = WriteOnlyCell(page)
    cell.value = value
    cell.number_format = NUMBER_FORMATS[kind]
    return cell


def _text(page: Any, column: Column, kind: Kind | None, value: Any, language: str) -> Cell:
    if kind in ("time", "day"):
        value = instant(value).isoformat() if kind == "time" else as_day(value).isoformat()
    choice = CHOICES.get(column.name, {}).get(value)
    label = choice.label if choice is not None else STATES.get(value) if column.name in WORDED else None
    text = str(value) if label is None else label.of(language)
    cell = WriteOnlyCell(page, ILLEGAL_CHARACTERS_RE.sub("�", text)[:LONGEST_TEXT])
    # openpyxl takes text that begins with = for a formula
    cell.data_type = "s"
    cell.quotePrefix = text[:1] in "=+-@\t\r"
    return cell


def _local(us: int, zone: ZoneInfo) -> datetime | None:
    """The moment on the wall, to the second; None where a spreadsheet has no such time."""
    try:
        moment = instant(us).astimezone(zone).replace(tzinfo=None, microsecond=0)
    except OverflowError:
        return None
    return moment if moment >= EARLIEST else None


def _day(us: int) -> date | None:
    day = as_day(us)
    return day if day > EARLIEST.date() - timedelta(1) else None
