"""The tracking tables over HTTP: filters, order and pages, as JSON or CSV; and the clocks that run out next."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated, Any, Final, Literal, get_args

import psycopg
from fastapi import APIRouter, Header, Query, Request
from starlette.responses import JSONResponse, Response

from api.http.context import CaughtUp, program_of
from api.http.contract import FREE_QUERY
from api.http.disclosure import note_export
from api.http.formats import DOCUMENTED, MEDIA_TYPES, Form, columnar, csv_text, wanted
from api.http.moments import AsOf, ValidAt, moment, position_of, valid_of
from api.http.problems import FieldError, Problem, invalid, not_found
from ledger.rulebook.model import instant_us
from projections.generations import live
from projections.reading import (
    BadCursor,
    Filter,
    Operator,
    Page,
    UnknownColumn,
    UnknownTable,
    columns,
    due_clocks,
    read_table,
)
from projections.standing import READABLE_STANDING
from projections.tables import READABLE, Table
from projections.tables.standing import STANDING, Standing
from projections.values import BadValue

router = APIRouter()

OPERATORS: Final = frozenset(get_args(Operator))
OPTIONS: Final = frozenset({"sort", "cursor", "limit", "format", "min_position", "as_of", "valid_at"})
_FILTERS: Final = (
    "Any column is a filter: `channel=email`, or with an operator `received_at__gte=2026-04-01T00:00:00Z` "
    "(eq, ne, lt, lte, gt, gte, in with commas, null with true or false). Several filters must all hold."
)

Format = Annotated[Literal["json", "csv"] | None, Query(alias="format", description="Instead of the Accept header.")]
AnyForm = Annotated[Form | None, Query(alias="format", description="Instead of the Accept header.")]
Cursor = Annotated[str | None, Query(max_length=4000, description="`next_cursor` of the page before.")]
Limit = Annotated[
    int, Query(ge=1, le=1_000_000, description="Most rows in the answer; LEDGER_MAX_PAGE_ROWS is the most of it.")
]
Accept = Annotated[str | None, Header(include_in_schema=False)]


@router.get("/v1/tables", summary="The tables and their columns")
def tables(request: Request) -> dict[str, Any]:
    """With labels and keys; a column's kind is text, integer, boolean, time, day or duration (microseconds)."""
    with program_of(request).database.reading() as connection:
        generation = live(connection)
    readable: list[Table | Standing] = [*READABLE.values(), *(STANDING[name] for name in READABLE_STANDING)]
    return {
        "tables": [
            {
                "name": table.name,
                "label": table.label.model_dump(),
                "key": list(table.key),
                "columns": columns(generation, table.name),
            }
            for table in readable
        ]
    }


@router.get(
    "/v1/tables/{table}",
    summary="Rows of a table",
    description=_FILTERS,
    dependencies=[CaughtUp],
    openapi_extra={FREE_QUERY: True},
    responses={200: {"content": {**DOCUMENTED}}},
)
def rows(
    request: Request,
    table: str,
    sort: Annotated[str | None, Query(max_length=1000, description="Columns with commas; `-` for descending.")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    as_of: AsOf = None,
    valid_at: ValidAt = None,
    chosen: AnyForm = None,
    accept: Accept = None,
) -> Response:
    """One page, within one snapshot: `position` says up to where in the log it holds everything.

    With `as_of` or `valid_at` all tables are replayed first, which takes a while on a long log.
    """
    within_page(request, limit)
    filters = [_filter(name, value) for name, value in request.query_params.multi_items() if name not in OPTIONS]
    order = [name.strip() for name in sort.split(",") if name.strip()] if sort else []
    program = program_of(request)
    upto, valid = position_of(request, as_of), valid_of(valid_at)
    try:
        if upto is None and valid is None:
            asked = instant_us(program.ledger.now().astimezone(UTC))
            with program.database.reading() as connection:
                page = read_table(
                    connection, table, asked=asked, filters=filters, sort=order, cursor=cursor, limit=limit
                )
        else:
            upto = program.ledger.head().position if upto is None else upto
            page = program.past.page(
                table, as_of=upto, valid_at=valid, filters=filters, sort=order, cursor=cursor, limit=limit
            )
    except UnknownTable as error:
        raise not_found(str(error)) from None
    except (UnknownColumn, BadValue, BadCursor, psycopg.DataError) as error:
        raise wrong_question(error) from None
    return answered(request, table, page, wanted(accept, chosen))


@router.get(
    "/v1/clocks",
    summary="What runs out next",
    dependencies=[CaughtUp],
    responses={200: {"content": {**DOCUMENTED}}},
)
def clocks(
    request: Request,
    due_before: Annotated[
        str | None, Query(description="A time with its offset from UTC; a day from now where it is left out.")
    ] = None,
    overdue: Annotated[bool, Query(description="Also what ran out already and has not stopped.")] = False,
    cursor: Cursor = None,
    limit: Limit = 100,
    chosen: AnyForm = None,
    accept: Accept = None,
) -> Response:
    """Running clocks by deadline, the next one first; `left_us` is what is left, negative where it is overdue."""
    within_page(request, limit)
    ledger = program_of(request).ledger
    asked = instant_us(ledger.now().astimezone(UTC))
    before = asked + DAY_US if due_before is None else instant_us(moment("due_before", due_before))
    try:
        with program_of(request).database.reading() as connection:
            page = due_clocks(connection, asked=asked, before=before, overdue=overdue, cursor=cursor, limit=limit)
    except BadCursor as error:
        raise wrong_question(error) from None
    return answered(request, "clocks", page, wanted(accept, chosen))


DAY_US: Final = 86_400_000_000


def within_page(request: Request, limit: int) -> None:
    """Raise a `Problem` (422) for a page larger than the settings allow."""
    most = program_of(request).settings.max_page_rows
    if limit > most:
        raise invalid("The page is too large", [FieldError("limit", f"must be at most {most}", "read in pages")])


def answered(request: Request, table: str, page: Page, form: Form) -> Response:
    """A page as JSON, or in another form with position and cursor in headers."""
    if form != "json":
        note_export(request, table, len(page.rows))
        headers = {
            "ledger-position": str(page.position),
            "content-disposition": f'attachment; filename="{table}.{form}"',
        }
        if page.next_cursor is not None:
            headers["ledger-next-cursor"] = page.next_cursor
        if form == "csv":
            return Response(csv_text(list(page.columns), page.rows), 200, headers, MEDIA_TYPES[form])
        return Response(columnar(form, page.columns, page.rows), 200, headers, MEDIA_TYPES[form])
    return JSONResponse(
        {
            "table": table,
            "position": page.position,
            "columns": dict(page.columns),
            "rows": page.rows,
            "next_cursor": page.next_cursor,
        }
    )


def _filter(name: str, value: str) -> Filter:
    column, _, operator = name.partition("__")
    operator = operator or "eq"
    if operator not in OPERATORS:
        known = ", ".join(sorted(OPERATORS))
        raise invalid("Unknown operator", [FieldError(name[:100], f"{operator[:40]!r} is none of {known}")])
    values = tuple(value.split(",")) if operator == "in" else (value,)
    return Filter(column, operator, values)  # type: ignore[arg-type]


def wrong_question(error: Exception) -> Problem:
    """The problem (422) for a column, value or cursor that a table does not take."""
    if isinstance(error, UnknownColumn):
        return invalid(str(error), [FieldError("column", str(error))])
    if isinstance(error, BadCursor):
        return invalid(str(error), [FieldError("cursor", str(error))])
    if isinstance(error, psycopg.Error):
        return invalid("A value does not fit its column", [FieldError("filter", "does not fit its column")])
    return invalid(str(error), [FieldError("filter", str(error))])
