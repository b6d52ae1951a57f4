"""Rows as JSON, CSV, Arrow or Parquet, whichever is asked for; the CSV makes no spreadsheet run a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Literal

import pyarrow
import pyarrow.parquet

from ledger.rulebook.expressions import Kind

CSV = "text/csv"
Form = Literal["json", "csv", "arrow", "parquet"]
MEDIA_TYPES: Final[Mapping[Form, str]] = {
    "json": "application/json",
    "csv": CSV,
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}
DOCUMENTED: Final[Mapping[str, Any]] = {
    kind: {"schema": {"type": "string", **({} if kind == CSV else {"format": "binary"})}}
    for name, kind in MEDIA_TYPES.items()
    if name != "json"
}
"""What the contract says of the answers that are not JSON."""
_COLUMNS: Final[Mapping[Kind, pyarrow.DataType]] = {
    "integer": pyarrow.int64(),
    "duration": pyarrow.int64(),
    "boolean": pyarrow.bool_(),
    "time": pyarrow.timestamp("us", "UTC"),
    "day": pyarrow.date32(),
}
_READ: Final[Mapping[Kind, Callable[[str], Any]]] = {"time": datetime.fromisoformat, "day": date.fromisoformat}
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


def wanted(accept: str | None, chosen: Form | None) -> Form:
    """What an answer is to be: `format=` decides, else the first that Accept names, else JSON."""
    if chosen is not None:
        return chosen
    names = {kind: name for name, kind in MEDIA_TYPES.items()}
    for part in (accept or "").split(","):
        kind = part.split(";")[0].strip().lower()
        if kind in names:
            return names[kind]
        if kind in ("*/*", "application/*"):
            return "json"
    return "json"


def columnar(name: Literal["arrow", "parquet"], kinds: Mapping[str, Kind], rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Rows as an Arrow stream or a Parquet file: times are timestamps in UTC, days dates, durations microseconds."""
    schema = pyarrow.schema([(column, _COLUMNS.get(kind, pyarrow.string())) for column, kind in kinds.items()])
    arrays = []
    for (column, kind), field in zip(kinds.items(), schema, strict=True):
        values = [row[column] for row in rows]
        if kind in _READ:
            values = [None if value is None else _READ[kind](value) for value in values]
        arrays.append(pyarrow.array(values, field.type))
    table = pyarrow.Table.from_arrays(arrays, schema=schema)
    sink = pyarrow.BufferOutputStream()
    if name == "parquet":
        pyarrow.parquet.write_table(table, sink, compression="zstd")
    else:
        with pyarrow.ipc.new_stream(sink, schema) as stream:
            stream.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return content
