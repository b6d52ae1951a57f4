"""Proposed voids over HTTP: listed here; proposed, declined and approved as any event is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request

from api.http.context import Personal, program_of
from api.http.disclosure import disclosed
from api.http.rendering import cloud_event
from projections.proposed_voids import ProposedVoid, proposed_voids

router = APIRouter()


@router.get("/v1/voids", summary="Proposed voids")
def voids(
    request: Request,
    personal: Personal,
    state: Annotated[
        Literal["open", "approved", "declined"] | None, Query(description="Only these; all if left out.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> dict[str, Any]:
    """The newest proposal first, each with what it would void, and the event that answered it.

    Propose with `void.proposed`, whose subject is the position; approve with `record.voided` under another key; decline
    with `void.declined`.
    """
    program = program_of(request)
    with program.database.reading() as connection:
        found = [each for each in proposed_voids(connection) if state in (None, each.state)]
    page = found[:limit]
    entries = [entry for each in page for entry in (each.target, each.proposed, each.answered) if entry is not None]
    told = disclosed(request, entries, "proposed voids") if personal else entries
    events = {entry.position: cloud_event(entry, personal=personal) for entry in told}
    return {"found": len(found), "voids": [_told(each, events) for each in page]}


def _told(one: ProposedVoid, events: Mapping[int, dict[str, Any]]) -> dict[str, Any]:
    return {
        "position": one.target.position,
        "state": one.state,
        "target": events[one.target.position],
        "proposed": events[one.proposed.position],
        "answered": None if one.answered is None else events[one.answered.position],
    }
