"""Replays over HTTP: tables and counters anew from the log, beside the live ones."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.http.context import program_of
from api.http.jobs import Kind
from api.http.problems import Problem, not_found
from replays.rebuild import ReplayRunning

router = APIRouter()


class Wanted(BaseModel):
    """`rebuild` compares and switches, `compare` only compares, `back` switches to the previous tables."""

    model_config = ConfigDict(extra="forbid")

    kind: Annotated[Kind, Field()] = "rebuild"


@router.post("/v1/replays", summary="Begin a replay", status_code=202)
def begin(request: Request, response: Response, wanted: Wanted) -> dict[str, Any]:
    """Answers at once; `Location` tells where its progress is. Readers never notice it."""
    try:
        job = program_of(request).jobs.start(wanted.kind)
    except ReplayRunning as error:
        raise Problem(409, "conflict", str(error)) from None
    response.headers["location"] = f"/v1/replays/{job.id}"
    return asdict(job)


@router.get("/v1/replays", summary="Replays, the newest first")
def replays(request: Request, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> dict[str, Any]:
    """Of all processes of this ledger."""
    return {"replays": [asdict(job) for job in program_of(request).jobs.latest(limit)]}


@router.get("/v1/replays/{replay}", summary="One replay: progress, and what differs")
def replay(request: Request, replay: str) -> dict[str, Any]:
    """`report` says, per table, how many rows stand only in the live tables or only in the new ones, with samples."""
    job = None if "\x00" in replay else program_of(request).jobs.find(replay)
    if job is None:
        raise not_found("There is no such replay; GET /v1/replays lists them")
    return asdict(job)
