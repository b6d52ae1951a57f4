"""The audit trail over HTTP: every event that concerns a subject, and the events behind a cell of a table."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Query, Request

from api.http.context import CaughtUp, Personal, program_of
from api.http.disclosure import disclosed, holding, note_personal_read
from api.http.events import After
from api.http.moments import AsOf, ValidAt, position_of, valid_of
from api.http.problems import FieldError, invalid, not_found
from api.http.rendering import cloud_event, item_told
from api.http.subjects import rows_then
from api.http.tables import within_page
from ledger.events import AGGREGATES
from projections.explain import Explanation, UnknownRow, explain
from projections.history import history
from projections.reading import UnknownColumn, UnknownTable
from projections.values import BadValue
from replays.as_of import SUBJECT_COLUMNS

router = APIRouter()


@router.get("/v1/history/{aggregate}/{subject:path}", summary="Every event that concerns a subject")
def events_of(
    request: Request,
    aggregate: str,
    subject: str,
    personal: Personal,
    as_of: AsOf = None,
    valid_at: ValidAt = None,
    with_state: Annotated[
        bool, Query(alias="state", description="Also its rows in the tables as they stood then.")
    ] = False,
    after: After = 0,
    limit: Annotated[
        int | None,
        Query(ge=1, le=1_000_000, description="Most events in the answer; LEDGER_MAX_PAGE_ROWS if left out."),
    ] = None,
) -> dict[str, Any]:
    """In the order the ledger took them, across aggregates; a voided event stays, with the position that voids it.

    With `as_of`, what the ledger knew then; with `valid_at`, what had happened by then, and `state` is given too,
    with the first page. `next_after` is the `after` of the next page; null where there is nothing more.
    """
    if aggregate not in AGGREGATES:
        raise not_found(f"There is nothing at this path; subjects are {', '.join(AGGREGATES)}")
    program = program_of(request)
    most = limit or program.settings.max_page_rows
    within_page(request, most)
    upto, valid = position_of(request, as_of), valid_of(valid_at)
    items = [] if "\x00" in subject else history(program.ledger, aggregate, subject, as_of=upto, personal=personal)
    if valid is not None:
        items = [item for item in items if item.event.occurred_at <= valid]
    if not items:
        raise not_found(f"Nothing concerns {aggregate} {subject[:200]!r}" + (" by then" if as_of or valid_at else ""))
    page = [item for item in items if item.event.position > after][: most + 1]
    more = page[most - 1].event.position if len(page) > most else None
    if personal:
        note_personal_read(request, f"{aggregate} {subject}", holding(item.event for item in page[:most]))
    told: dict[str, Any] = {
        "aggregate": aggregate,
        "subject": subject,
        "position": program.ledger.head().position if upto is None else upto,
        "items": [item_told(item, personal=personal) for item in page[:most]],
        "next_after": more,
    }
    if aggregate in SUBJECT_COLUMNS and not after and (with_state or upto is not None or valid is not None):
        told["state"] = rows_then(request, aggregate, subject, upto, valid)
    return told


@router.get(
    "/v1/explain/{table}/{key:path}/{column}",
    summary="The events behind a cell",
    dependencies=[CaughtUp],
)
def cell(request: Request, table: str, key: str, column: str, personal: Personal) -> dict[str, Any]:
    """`key` holds the parts of the row's key, as in `/v1/explain/contact_cycles/CT-1/2/first_response_outcome`.

    A slash inside a part is percent-encoded.
    """
    parts = key_parts(request, key)
    if any("\x00" in part for part in (*parts, column)):
        raise not_found("No id holds the NUL character")
    try:
        explanation = explain(program_of(request).ledger, table, parts, column)
    except (UnknownTable, UnknownRow) as error:
        raise not_found(str(error)) from None
    except UnknownColumn as error:
        raise invalid(str(error), [FieldError("column", str(error))]) from None
    except BadValue as error:
        raise invalid(str(error), [FieldError("key", str(error))]) from None
    return _told(request, explanation, personal)


def key_parts(request: Request, key: str) -> tuple[str, ...]:
    """The parts of a key as the client separated them: its own slashes come percent-encoded, the path decoded."""
    raw = request.scope.get("raw_path")
    if not raw:
        return tuple(key.split("/"))
    segments = raw.split(b"?")[0].decode("ascii", "replace").split("/")
    return tuple(unquote(segment) for segment in segments[4:-1])


def _told(request: Request, explanation: Explanation, personal: bool) -> dict[str, Any]:
    about = f"{explanation.table} {' '.join(map(str, explanation.key.values()))} {explanation.column}"
    events = disclosed(request, explanation.events, about) if personal else explanation.events
    rule = explanation.rule
    return {
        "table": explanation.table,
        "key": dict(explanation.key),
        "column": explanation.column,
        "value": explanation.value,
        "from": explanation.from_,
        "rule": None if rule is None else rule.model_dump(mode="json", exclude_none=True),
        "events": [cloud_event(event, personal=personal) for event in events],
        "through": [_told(request, one, personal) for one in explanation.through],
    }
