"""The documents' reports over HTTP: issued, listed, and given back as they were issued."""

from __future__ import annotations

from datetime import UTC, date
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

import orjson
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.http.context import CaughtUp, key_of, program_of
from api.http.disclosure import note_export
from api.http.problems import FieldError, Problem, invalid, not_found
from api.http.stewarding import not_now
from api.reports.definitions import DEFINITIONS
from api.reports.issuing import NothingToReport, PeriodTooLong, Report, find, issue
from api.reports.page import POLICY
from ledger.claims import encode_json, stored
from ledger.log.documents import DocumentAltered, NoDocument, fetch
from ledger.rulebook.model import instant_us
from ledger.vocabulary import instant_text
from projections.reading import rows_of
from projections.settled import NotNow
from projections.values import shown

router = APIRouter()

MOST_REPORTS: Final = 10_000
EARLIEST: Final = date(1000, 1, 1)
"""The first day an event can tell of."""


class Order(BaseModel):
    """Which report, of which days (both included); `language` is the one it opens in, it holds both."""

    model_config = ConfigDict(extra="forbid")

    report_kind: Literal["diagnosis", "pain_points", "annual"]
    first: Annotated[date, Field(alias="from", ge=EARLIEST)]
    last: Annotated[date, Field(alias="to", ge=EARLIEST)]
    language: Literal["zh", "en"] = "zh"
    actor: Annotated[str | None, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")] = None


@router.post("/v1/reports", summary="Issue a report", status_code=201)
def new_report(request: Request, order: Order) -> dict[str, Any]:
    """Every figure is read at one position of the log and one moment; the document is kept by its digest, and the event
    `report.issued` names it with every figure and its stamp. The same order again issues another report."""
    if order.first > order.last:
        raise invalid("The first day comes after the last", [FieldError("from", "must not come after `to`")])
    ledger = program_of(request).ledger
    try:
        made = issue(
            ledger,
            order.report_kind,
            order.first,
            order.last,
            language=order.language,
            key_id=key_of(request).id,
            actor=order.actor,
        )
    except (NothingToReport, PeriodTooLong) as error:
        raise invalid(str(error), [FieldError("from", str(error))]) from None
    except NotNow as error:
        raise not_now(error) from None
    return {
        "report_id": made.report_id,
        "position": made.position,
        "digest": made.digest,
        "document": _document_path(made.report_id),
    }


@router.get("/v1/reports", summary="The reports that were issued", dependencies=[CaughtUp])
def reports(request: Request) -> dict[str, Any]:
    """The latest first; those voided are not among them, and stand in the log."""
    program = program_of(request)
    asked = instant_us(program.ledger.now().astimezone(UTC))
    with program.database.reading() as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        kinds, rows, position = rows_of(connection, "reports", asked=asked, most=MOST_REPORTS)
    rows.sort(key=lambda row: (row["issued_at"], row["report_id"]), reverse=True)
    told = [{name: shown(kind, row[name]) for name, kind in kinds.items()} for row in rows]
    return {
        "position": position,
        "reports": [
            {**each, "label": _label(each["report_kind"]), "document": _document_path(each["report_id"])}
            for each in told
        ],
    }


@router.get("/v1/reports/{report_id}", summary="A report: what it says, and where its document is")
def one_report(request: Request, report_id: str) -> dict[str, Any]:
    """Each figure with the stamp from which `POST /v1/recompute` computes it again."""
    found = _found(request, report_id)
    told = orjson.loads(encode_json(stored(found.told)))
    return {
        "report_id": report_id,
        "label": _label(told["report_kind"]),
        "position": found.entry.position,
        "issued_at": instant_text(found.entry.occurred_at),
        "recorded_at": instant_text(found.entry.recorded_at),
        "recorded_by": found.entry.recorded_by,
        "actor": found.entry.actor,
        "source": found.entry.source,
        "voided_by": found.voided_by,
        "document": _document_path(report_id),
        **told,
    }


@router.get(
    "/v1/reports/{report_id}/document",
    summary="A report's document, as it was issued",
    response_class=Response,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
)
def document(request: Request, report_id: str) -> Response:
    """HTML that needs nothing from elsewhere. Its bytes are those whose digest the event names, or it is not given."""
    found = _found(request, report_id)
    try:
        with program_of(request).database.reading() as connection:
            kept = fetch(connection, found.told.digest)
    except NoDocument as error:
        raise not_found(f"{report_id[:200]} was told of by {found.entry.source}, and {error}") from None
    except DocumentAltered as error:
        raise Problem(500, "internal", f"{report_id[:200]}: {error}; restore it from a backup") from None
    note_export(request, f"report {report_id}", 1)
    headers = {
        "etag": f'"{found.told.digest}"',
        "content-security-policy": POLICY,
        "content-disposition": f"inline; filename*=UTF-8''{quote(report_id, safe='')}.html",
        "x-content-type-options": "nosniff",
        "cache-control": "private, no-cache",
    }
    return Response(kept.content, media_type=kept.media_type, headers=headers)


def _found(request: Request, report_id: str) -> Report:
    found = None if "\x00" in report_id else find(program_of(request).ledger, report_id)
    if found is None:
        raise not_found(f"There is no report {report_id[:200]!r}; GET /v1/reports lists them")
    return found


def _label(kind: str) -> dict[str, str]:
    return DEFINITIONS[kind].title._asdict()


def _document_path(report_id: str) -> str:
    return f"/v1/reports/{quote(report_id, safe='')}/document"
