"""One subject over HTTP: its rows in every table, now or as of a moment in the past."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Request

from api.http.context import CaughtUp, program_of
from api.http.moments import AsOf, ValidAt, position_of, valid_of
from api.http.past import asking_the_past
from api.http.problems import not_found
from projections.generations import live, position
from projections.reading import Filter, columns, read_table
from projections.tables import READABLE
from replays.as_of import SUBJECT_COLUMNS, state

router = APIRouter()

MOST_ROWS: Final = 1000
"""Most rows of one table that are shown of one subject as it stands now."""


@router.get(
    "/v1/{aggregate}/{subject:path}",
    summary="All that the tables say of one subject",
    dependencies=[CaughtUp],
)
def rows_of(
    request: Request, aggregate: str, subject: str, as_of: AsOf = None, valid_at: ValidAt = None
) -> dict[str, Any]:
    """`tables` holds its rows by table. With `as_of` or `valid_at` they are worked out again as they stood then.

    `cut` names tables that have more rows of it than are shown; the table itself has them all, page by page.
    """
    known_subject(aggregate, subject)
    program = program_of(request)
    upto, valid = position_of(request, as_of), valid_of(valid_at)
    if upto is None and valid is None:
        told, cut, reached = _now(request, aggregate, subject)
    else:
        cut = []
        reached = program.ledger.head().position if upto is None else upto
        told = rows_then(request, aggregate, subject, upto, valid)
    if not told:
        raise not_found(f"Nothing is known of {aggregate} {subject[:200]!r}" + ("" if upto is None else " by then"))
    return {"aggregate": aggregate, "subject": subject, "position": reached, "tables": told, "cut": cut}


def rows_then(
    request: Request, aggregate: str, subject: str, upto: int | None, valid: datetime | None
) -> dict[str, list[dict[str, Any]]]:
    """The subject's rows, by table, as they stood at a position or at a moment, in the order of their keys."""
    with asking_the_past():
        found = state(program_of(request).ledger, aggregate, subject, as_of=upto, valid_at=valid)
    for name, rows in found.items():
        rows.sort(key=lambda row, key=READABLE[name].key: tuple(row[part] for part in key))  # type: ignore[misc]
    return found


def known_subject(aggregate: str, subject: str) -> None:
    """Raise a `Problem` (404) for what can be no subject of the tables."""
    if aggregate not in SUBJECT_COLUMNS:
        raise not_found(f"There is nothing at this path; subjects are {', '.join(SUBJECT_COLUMNS)}")
    if "\x00" in subject:
        raise not_found("No id holds the NUL character")


def _now(request: Request, aggregate: str, subject: str) -> tuple[dict[str, list[dict[str, Any]]], list[str], int]:
    """The subject's rows in the live tables, all from one snapshot, tables with more, and how far the tables are."""
    found: dict[str, list[dict[str, Any]]] = {}
    cut: list[str] = []
    with program_of(request).database.reading() as connection:
        # the first statement of the transaction fixes its snapshot for all the reads below
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        generation = live(connection)
        for name, table in READABLE.items():
            kinds = columns(generation, name)
            if "aggregate" in kinds and "subject" in kinds:
                filters = [Filter("aggregate", "eq", (aggregate,)), Filter("subject", "eq", (subject,))]
            elif aggregate in table.aggregates:
                filters = [Filter(SUBJECT_COLUMNS[aggregate], "eq", (subject,))]
            else:
                continue
            page = read_table(connection, name, filters=filters, limit=MOST_ROWS)
            if page.rows:
                found[name] = page.rows
            if page.next_cursor is not None:
                cut.append(name)
        return found, cut, position(connection, generation)
