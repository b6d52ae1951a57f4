"""Proposed voids over HTTP: listed here; proposed, declined and approved as any event is told."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request

from api.http.context import Personal, program_of
from api.http.disclosure import note_personal_read
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
    if personal and found:
        note_personal_read(request, aggregate="void", proposals=min(limit, len(found)))
    return {"found": len(found), "voids": [_told(each, personal) for each in found[:limit]]}


def _told(one: ProposedVoid, personal: bool) -> dict[str, Any]:
    return {
        "position": one.target.position,
        "state": one.state,
        "target": cloud_event(one.target, personal=personal),
        "proposed": cloud_event(one.proposed, personal=personal),
        "answered": None if one.answered is None else cloud_event(one.answered, personal=personal),
    }
