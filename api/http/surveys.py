"""Whom a survey is due to, over HTTP. The ledger sends none: that one was sent is told as any event is."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.http.context import CaughtUp, program_of
from api.http.formats import DOCUMENTED, wanted
from api.http.tables import Accept, AnyForm, Cursor, Limit, answered, within_page, wrong_question
from ledger.choices import SurveyKind
from ledger.rulebook.model import instant_us
from projections.reading import BadCursor
from projections.surveying import due_surveys

router = APIRouter()


@router.get(
    "/v1/surveys/due",
    summary="Whom a survey is due to",
    dependencies=[CaughtUp],
    responses={200: {"content": {**DOCUMENTED}}},
)
def due(
    request: Request,
    kind: Annotated[SurveyKind | None, Query(description="Of which kind; any survey counts where left out.")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    chosen: AnyForm = None,
    accept: Accept = None,
) -> Response:
    """Active customers that were sent no such survey in the calendar month that runs, in the rule book's time zone."""
    within_page(request, limit)
    program = program_of(request)
    asked = instant_us(program.ledger.now().astimezone(UTC))
    try:
        with program.database.reading() as connection:
            page = due_surveys(connection, asked=asked, survey_kind=kind, cursor=cursor, limit=limit)
    except BadCursor as error:
        raise wrong_question(error) from None
    return answered(request, "surveys_due", page, wanted(accept, chosen))
