"""One import: a file's rows through its mapping into the ledger, what is refused set aside."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from api.importer.compiling import Compiled, Told
from api.importer.errors import BadFile, RowRefused
from api.importer.loading import Loaded, load
from api.importer.rows import Row, Table, open_rows
from api.sending import Destination, NotSent, Outcome, Sent, in_background

BATCH_ROWS = 400
SHOWN = 10
LINE, REASON = "rejected_line", "rejected_reason"

Progress = Callable[[int, int, float], None]
"""Called after each batch with the rows done, those refused of them, and the share of the file read (0 to 1)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that made no events, and why."""

    line: int
    reason: str


@dataclass(slots=True)
class Report:
    """What an import did, or in a dry run would do.

    `appended` and `duplicates` count events the ledger took now and held before; both stay 0 in a dry run. `first` and
    `refusals` are the first few; `rejected` is the file that holds all the refused rows, if there are any.
    """

    file: Path
    mapping: str
    dry_run: bool
    rows: int = 0
    refused: int = 0
    events: int = 0
    appended: int = 0
    duplicates: int = 0
    types: Counter[str] = field(default_factory=Counter)
    first: list[Told] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    rejected: Path | None = None


def import_file(
    file: Path,
    mapping: str | Path | Loaded,
    destination: Destination | None,
    *,
    rejected: Path | None = None,
    progress: Progress | None = None,
) -> Report:
    """Import a CSV (also gzipped) or XLSX file by a mapping: a file's path, or a shipped mapping's name.

    The events of one row stand or fall together; a refused row goes to `rejected` (FILE.rejected.csv unless said, in
    the present directory if the file's cannot be written) with its line and the reason, the others go in. Ids come
    from the rows, so a second run changes nothing. Without a destination it is a dry run: everything is read and
    checked that can be without the ledger's history, and nothing is sent or written. Memory is bounded by the batches;
    only with `group_by` or `copy` it also holds a few bytes for each group or row.

    Raises BadMapping, BadFile, and SendingError when the ledger is out of reach: what went in before stays in, and
    running again goes on.
    """
    loaded = mapping if isinstance(mapping, Loaded) else load(mapping)
    report = Report(file, loaded.mapping.mapping, destination is None)
    with ExitStack() as stack:
        table = stack.enter_context(open_rows(file, loaded.mapping))
        compiled = Compiled(loaded, table.head, check=destination is None)
        aside = stack.enter_context(_Aside(rejected or _beside(file), table.head, loaded)) if destination else None
        for batch, outcomes in _answered(_batches(table, compiled), destination):
            _take(report, batch, outcomes, aside)
            if progress is not None:
                progress(report.rows, report.refused, table.share())
        if aside is not None:
            report.rejected = aside.finish()
    return report


@dataclass(frozen=True, slots=True)
class _Read:
    """A row with its events, or the reason why it has none."""

    row: Row
    told: list[Told] | str


def _batches(table: Table, compiled: Compiled) -> Iterator[list[_Read]]:
    while batch := [_read(row, compiled) for row in islice(table.rows, BATCH_ROWS)]:
        yield batch


def _read(row: Row, compiled: Compiled) -> _Read:
    try:
        return _Read(row, compiled.events(row))
    except RowRefused as error:
        return _Read(row, str(error))


def _answered(
    batches: Iterator[list[_Read]], destination: Destination | None
) -> Iterator[tuple[list[_Read], list[Outcome]]]:
    """Each batch with an outcome for each of its rows that has events; the next are read while one is sent."""
    if destination is None:
        for batch in batches:
            yield batch, [Sent([], 0) for read in batch if read.told and not isinstance(read.told, str)]
        return

    def send(batch: list[_Read]) -> list[Outcome]:
        units = [read.told for read in batch if read.told and not isinstance(read.told, str)]
        return destination.send(units) if units else []

    yield from in_background(send, batches)


def _take(report: Report, batch: Sequence[_Read], outcomes: Sequence[Outcome], aside: _Aside | None) -> None:
    answers = iter(outcomes)
    for read in batch:
        report.rows += 1
        if isinstance(read.told, str):
            _refuse(report, read.row, read.told, aside)
        elif read.told:
            outcome = next(answers)
            if isinstance(outcome, NotSent):
                _refuse(report, read.row, outcome.reason, aside)
                continue
            report.events += len(read.told)
            report.duplicates += outcome.duplicates
            report.appended += len(outcome.positions) - outcome.duplicates
            report.types.update(event["type"] for event in read.told)
            report.first += read.told[: SHOWN - len(report.first)]


def _refuse(report: Report, row: Row, reason: str, aside: _Aside | None) -> None:
    report.refused += 1
    if len(report.refusals) < SHOWN:
        report.refusals.append(Refusal(row.line, reason))
    if aside is not None:
        aside.put(row, reason)


class _Aside:
    """The file of refused rows: made with the first of them; one left by an earlier run goes when there is none."""

    def __init__(self, path: Path, head: Sequence[str], loaded: Loaded) -> None:
        self._path = path
        self._mapping = loaded.mapping
        # a file of refused rows that is imported again has these two columns already
        self._dropped = {place for place, name in enumerate(head) if name in (LINE, REASON)}
        self._head = [name for name in head if name not in (LINE, REASON)]
        self._stream: Any = None
        self._writer: Any = None

    def __enter__(self) -> _Aside:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.close()

    def put(self, row: Row, reason: str) -> None:
        if self._writer is None:
            try:
                self._stream = self._path.open("w", encoding=self._mapping.encoding, newline="")
            except OSError as error:
                raise BadFile(f"{self._path} cannot be written: name another file for the refused rows") from error
            self._writer = csv.writer(self._stream, delimiter=self._mapping.delimiter)
            self._writer.writerow([LINE, REASON, *self._head])
        cells = [cell for place, cell in enumerate(row.cells) if place not in self._dropped]
        self._writer.writerow([row.line, reason, *map(_written, cells)])

    def finish(self) -> Path | None:
        """The file, if any row was refused."""
        if self._writer is not None:
            return self._path
        self._path.unlink(missing_ok=True)
        return None


def _written(cell: str | datetime | None) -> str:
    return "" if cell is None else cell.isoformat() if isinstance(cell, datetime) else cell


def _beside(file: Path) -> Path:
    path = file.with_name(file.name + ".rejected.csv")
    return path if os.access(path.parent, os.W_OK) else Path(path.name)
