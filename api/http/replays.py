"""Replays over HTTP: tables and counters anew from the log, beside the live ones, as jobs of three kinds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Final, Literal, get_args

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.http.context import key_of, program_of
from api.http.problems import Problem, not_found
from api.jobs import Job, Jobs, Progress
from ledger.log.application import Ledger
from replays.rebuild import LOCK, UNLOCK, ReplayRunning, Report, back, rebuild

router = APIRouter()

Kind = Literal["rebuild", "compare", "back"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


class Wanted(BaseModel):
    """`rebuild` compares and switches, `compare` only compares, `back` switches to the previous tables."""

    model_config = ConfigDict(extra="forbid")

    kind: Annotated[Kind, Field()] = "rebuild"


@router.post("/v1/replays", summary="Begin a replay", status_code=202)
def begin(request: Request, response: Response, wanted: Wanted) -> dict[str, Any]:
    """Answers at once; `Location` tells where its progress is. Readers never notice it."""
    program = program_of(request)
    try:
        job = begin_replay(program.jobs, program.ledger, wanted.kind, key_of(request).id)
    except ReplayRunning as error:
        raise Problem(409, "conflict", str(error)) from None
    response.headers["location"] = f"/v1/replays/{job.id}"
    return _told(job)


@router.get("/v1/replays", summary="Replays, the newest first")
def replays(request: Request, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> dict[str, Any]:
    """Of all processes of this ledger."""
    return {"replays": [_told(job) for job in program_of(request).jobs.latest(limit, KINDS)]}


@router.get("/v1/replays/{replay}", summary="One replay: progress, and what differs")
def replay(request: Request, replay: str) -> dict[str, Any]:
    """`report` says, per table, how many rows stand only in the live tables or only in the new ones, with samples."""
    job = program_of(request).jobs.find(replay)
    if job is None or job.kind not in KINDS:
        raise not_found("There is no such replay; GET /v1/replays lists them")
    return _told(job)


def begin_replay(jobs: Jobs, ledger: Ledger, kind: Kind, begun_by: str | None = None) -> Job:
    """Begin a replay. Raises ReplayRunning while another one runs, in whichever process."""

    def alone() -> None:
        # one begun here a moment ago may not hold the database's lock yet
        if jobs.working_on(KINDS) or _busy(ledger):
            raise ReplayRunning

    return jobs.start(kind, lambda progress: _replay(ledger, kind, progress), begun_by=begun_by, alone=alone)


def _replay(ledger: Ledger, kind: Kind, progress: Progress) -> dict[str, Any]:
    found: Report = back(ledger) if kind == "back" else rebuild(ledger, switch=kind == "rebuild", progress=progress)
    return asdict(found) | {"differing": found.differing}


def _busy(ledger: Ledger) -> bool:
    """Whether a replay holds the database's lock."""
    with ledger.database.connect() as connection:
        row = connection.execute(LOCK).fetchone()
        assert row is not None
        if row[0]:
            connection.execute(UNLOCK)
        return not row[0]


def _told(job: Job) -> dict[str, Any]:
    names = ("id", "kind", "state", "started_at", "updated_at", "step", "done", "of", "error")
    return {name: getattr(job, name) for name in names} | {"report": job.result}
