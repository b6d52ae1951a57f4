"""Requirements that may say the same, over HTTP: proposed here, merged by people as any event is told."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from api.http.context import CaughtUp, Personal, program_of
from api.http.disclosure import note_personal_read
from ledger.rulebook.model import instant_us
from projections.duplicates import MOST_COMPARED, Candidate, Statement, candidates

router = APIRouter()


@router.get("/v1/duplicates", summary="Requirements that may say the same", dependencies=[CaughtUp])
def duplicates(
    request: Request,
    personal: Personal,
    threshold: Annotated[
        int | None, Query(ge=1, le=100, description="Least likeness; the rule book's if left out.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> dict[str, Any]:
    """Pairs of open requirements, the most alike first; what they say is shown to those who may see personal text.

    The newest are compared, up to the number that `most_compared` says.
    """
    program = program_of(request)
    asked = instant_us(program.ledger.now().astimezone(UTC))
    with program.database.reading() as connection:
        found, compared = candidates(connection, program.ledger.reveal, asked=asked, threshold=threshold)
    if personal and found:
        note_personal_read(request, "duplicates", 2 * min(limit, len(found)))
    return {
        "compared": compared,
        "most_compared": MOST_COMPARED,
        "found": len(found),
        "candidates": [_told(candidate, personal=personal) for candidate in found[:limit]],
    }


def _told(candidate: Candidate, *, personal: bool) -> dict[str, Any]:
    return {
        "likeness": candidate.likeness,
        "requirements": [_side(candidate.first, personal), _side(candidate.second, personal)],
    }


def _side(statement: Statement, personal: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"requirement_id": statement.requirement_id, "customer_id": statement.customer_id}
    return told | ({"statement": statement.text} if personal else {"withheld": ["statement"]})
