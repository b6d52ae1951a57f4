"""`reqledger as-of`: all tables of one moment, as Parquet or straight to a query."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any

import pyarrow
import typer

from api.cli.connection import AsJson, ledger_here
from api.cli.output import note, show_json, show_rows
from api.cli.watching import watched
from ledger.settings import Settings
from ledger.vocabulary import instant, instant_text

if TYPE_CHECKING:
    from ledger.log.application import Ledger
    from replays.archive.loading import Archived
    from replays.taking import Taken

MOST_ROWS = 1_000
"""Rows of an answer that are shown to people; --csv and --json give all."""


def as_of(
    moment: Annotated[
        str, typer.Argument(help="A position, a time of recording with its offset, or now for the end of the log.")
    ] = "now",
    out: Annotated[str | None, typer.Option(help="An empty folder or URI: one Parquet file per table.")] = None,
    sql: Annotated[str | None, typer.Option(help="A SELECT over the tables, in DuckDB's SQL.")] = None,
    valid_at: Annotated[str | None, typer.Option(help="As it had happened by this time.")] = None,
    archive: Annotated[
        str | None, typer.Option(help="Folder or URI of an archive to read instead of the database.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="The answer as CSV instead of a table for people.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give all tables as they stood at a position or time: as Parquet files, or as the answer to a query."""
    from replays.taking import taken, vacant

    if (out is None) == (sql is None):
        raise typer.BadParameter("say where the tables go: either --out FOLDER or --sql QUERY", param_hint="--out")
    storage = None if out is None else vacant(out)
    then = None if valid_at is None else _time(valid_at, "--valid-at")
    with _source(archive) as source, ExitStack() as stack:
        position = _position(source, moment)
        with watched("Replaying") as progress:
            memory_mb = Settings().replay_memory_mb
            there = taken(source, as_of=position, valid_at=then, memory_mb=memory_mb, progress=progress)
            tables = stack.enter_context(there)
            told = tables.write(storage, progress) if storage is not None else {}
        if sql is not None:
            _answer(tables, sql, as_csv=as_csv, as_json=as_json)
        elif as_json:
            show_json(told)
        else:
            rows = [{"table": name, **one} for name, one in told["tables"].items()]
            show_rows(("table", "rows"), rows, right=("rows",))
            note(f"{len(rows)} tables as of position {position} written to {out}")


@contextmanager
def _source(archive: str | None) -> Iterator[Ledger | Archived]:
    """The archive alone, where one is named: no database is needed; else the log of the ledger that is here."""
    from replays.archive.loading import Archived
    from replays.archive.reading import Archive

    if archive is not None:
        yield Archived(Archive.open(archive))
    else:
        with ledger_here() as ledger:
            yield ledger


def _position(source: Ledger | Archived, moment: str) -> int:
    from replays.as_of import end_of, position_at

    end = end_of(source)
    if moment == "now":
        return end
    if not (moment.isascii() and moment.isdigit()):
        return position_at(source, _time(moment, "MOMENT"))
    if int(moment) > end:
        raise typer.BadParameter(f"there is no such position: the last is {end}", param_hint="MOMENT")
    return int(moment)


def _time(text: str, parameter: str) -> datetime:
    try:
        return instant(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=parameter) from None


def _answer(tables: Taken, query: str, *, as_csv: bool, as_json: bool) -> None:
    found = tables.query(query)
    columns: list[str] = found.schema.names
    rows = ([_plain(value) for value in row] for batch in found for row in zip(*_values(batch), strict=True))
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
    elif as_json:
        show_json({**tables.overview, "columns": columns, "rows": list(rows)})
    else:
        shown = list(islice(rows, MOST_ROWS + 1))
        numbers = [name for name, kind in zip(columns, found.schema.types, strict=True) if _is_number(kind)]
        show_rows(columns, [dict(zip(columns, row, strict=True)) for row in shown[:MOST_ROWS]], right=numbers)
        more = f"; there are more than the {MOST_ROWS} shown: --csv and --json give all" * (len(shown) > MOST_ROWS)
        note(f"as of position {tables.position}{more}")


def _values(batch: pyarrow.RecordBatch) -> Iterator[list[Any]]:
    for nth in range(batch.num_columns):
        yield batch.column(nth).to_pylist()


def _is_number(kind: pyarrow.DataType) -> bool:
    return bool(pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind) or pyarrow.types.is_decimal(kind))


def _plain(value: Any) -> Any:
    """A value of an answer as JSON and people have it: RFC 3339 for times, ISO 8601 for days."""
    if isinstance(value, datetime):
        return instant_text(value) if value.tzinfo else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else str(value)
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value if isinstance(value, (bool, int, float, str, NoneType)) else str(value)
