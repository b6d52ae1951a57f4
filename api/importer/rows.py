"""Rows of CSV (also gzipped) and XLSX files, one at a time: a file may be larger than memory."""

from __future__ import annotations

import csv
import gzip
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from api.importer.errors import BadFile
from api.importer.model import Mapping

Cell = str | datetime | None
"""None for an empty cell; a datetime only from workbooks, which type their dates."""


@dataclass(slots=True)
class Row:
    """One row: the line it begins on (a workbook's row number), and its cells."""

    line: int
    cells: list[Cell]


@dataclass(slots=True)
class Table:
    """A file's column names and its rows, which can be read once; `share` says how much has been read, from 0 to 1."""

    head: list[str]
    rows: Iterator[Row]
    share: Callable[[], float]


@contextmanager
def open_rows(file: Path, mapping: Mapping) -> Iterator[Table]:
    """A file's rows. Blank lines are left out.

    Raises BadFile where the file is missing, is not what its name says, or has no head with distinct names.
    """
    try:
        if file.suffix.lower() in (".xlsx", ".xlsm"):
            with _workbook(file, mapping) as sheet:
                rows = _sheet_rows(sheet)
                done = _Counted(rows)
                yield Table(_head(file, rows), done, lambda: done.line / (sheet.max_row or done.line or 1))
        else:
            with file.open("rb") as raw, _text(file, raw, mapping.encoding) as stream:
                size = file.stat().st_size
                rows = _csv_rows(file, stream, mapping.delimiter)
                yield Table(_head(file, rows), rows, lambda: min(1.0, raw.tell() / max(1, size)))
    except (OSError, EOFError) as error:
        raise BadFile(f"{file} cannot be read: {error.args[-1] if error.args else error}") from error
    except UnicodeDecodeError as error:
        raise BadFile(f"{file} is not {mapping.encoding}: say its encoding in the mapping ({error.reason})") from error


def _head(file: Path, rows: Iterator[Row]) -> list[str]:
    first = next(rows, None)
    if first is None:
        raise BadFile(f"{file} is empty: its first row must name the columns")
    names = ["" if cell is None else str(cell).strip() for cell in first.cells]
    repeated = sorted({name for name in names if name and names.count(name) > 1})
    if repeated:
        raise BadFile(f"{file}: two columns are called {', '.join(repeated)}")
    return names


class _Counted:
    """Rows, and the line of the latest."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self.line = 0

    def __iter__(self) -> Iterator[Row]:
        return self

    def __next__(self) -> Row:
        row = next(self._rows)
        self.line = row.line
        return row


def _text(file: Path, raw: IO[bytes], encoding: str) -> TextIOWrapper:
    opened: Any = gzip.GzipFile(fileobj=raw, mode="rb") if file.suffix.lower() == ".gz" else raw
    try:
        return TextIOWrapper(opened, encoding=encoding, newline="")
    except LookupError:
        raise BadFile(f"{encoding} is not an encoding that Python knows") from None


def _csv_rows(file: Path, stream: TextIOWrapper, delimiter: str) -> Iterator[Row]:
    reader = csv.reader(stream, delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            if cells:
                yield Row(line, list(cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadFile(f"{file}:{line}: not CSV: {error}") from error


@contextmanager
def _workbook(file: Path, mapping: Mapping) -> Iterator[Any]:
    try:
        book = load_workbook(file, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError) as error:
        raise BadFile(f"{file} is not a workbook: {error}") from error
    try:
        if mapping.sheet is not None and mapping.sheet not in book.sheetnames:
            raise BadFile(f"{file} has no sheet {mapping.sheet}, only {', '.join(book.sheetnames)}")
        yield book[mapping.sheet] if mapping.sheet is not None else book.worksheets[0]
    finally:
        book.close()


def _sheet_rows(sheet: Any) -> Iterator[Row]:
    width = 0
    for number, values in enumerate(sheet.iter_rows(values_only=True), start=1):
        cells = [_cell(value) for value in values]
        while cells and cells[-1] is None:  # sheets are wider than what is written on them
            cells.pop()
        if not cells:
            continue
        width = width or len(cells)
        yield Row(number, cells + [None] * (width - len(cells)))


def _cell(value: Any) -> Cell:
    """A workbook's value as a cell: whole numbers without a point, dates as midnight."""
    match value:
        case None | datetime():
            return value
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer():
            return str(int(value))
        case date():
            return datetime.combine(value, time())
        case time():
            return value.isoformat()
        case _:
            return str(value)
