"""Replays over HTTP: tables and counters anew from the log, beside the live ones, as jobs of three kinds."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from typing import Annotated, Any, Final, Literal, get_args

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.http.context import key_of, program_of
from api.http.problems import Problem, not_found
from api.jobs import Job, Jobs, Progress, Work
from ledger.log.application import Ledger
from replays.archive.reading import Archive
from replays.catching_up import far_behind
from replays.rebuild import LOCK, Elsewhere, ReplayRunning, Report, back, rebuild

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
    return told(job)


@router.get("/v1/replays", summary="Replays, the newest first")
def replays(request: Request, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> dict[str, Any]:
    """Of all processes of this ledger."""
    return {"replays": [told(job) for job in program_of(request).jobs.latest(limit, KINDS)]}


@router.get("/v1/replays/{replay}", summary="One replay: progress, and what differs")
def replay(request: Request, replay: str) -> dict[str, Any]:
    """`report` says, per table, how many rows stand only in the live tables or only in the new ones, with samples."""
    job = program_of(request).jobs.find(replay)
    if job is None or job.kind not in KINDS:
        raise not_found("There is no such replay; GET /v1/replays lists them")
    return told(job)


def begin_replay(
    jobs: Jobs,
    ledger: Ledger,
    kind: Kind,
    begun_by: str | None = None,
    archive: Archive | None = None,
    elsewhere: Elsewhere | None = None,
) -> Job:
    """Begin a replay, out of an archive of this ledger where one is given, and worked out elsewhere where that is said.
    Raises ReplayRunning while another one runs, in whichever process."""
    return _begin(jobs, ledger, kind, lambda told: _replay(ledger, kind, told, archive, elsewhere), begun_by)


def begin_catching_up(jobs: Jobs, ledger: Ledger) -> Job | None:
    """Begin a rebuild where the live tables are so far behind that it is shorter than the projector's way; None where
    they are not, or a replay runs. The projector goes on meanwhile; nothing is compared, as they stand apart."""
    if not far_behind(ledger):
        return None
    with suppress(ReplayRunning):
        return _begin(jobs, ledger, "rebuild", lambda told: _told_of(rebuild(ledger, compare=False, progress=told)))
    return None


def _begin(jobs: Jobs, ledger: Ledger, kind: Kind, work: Work, begun_by: str | None = None) -> Job:
    def alone() -> None:
        # one begun here a moment ago may not hold the database's lock yet
        if jobs.working_on(KINDS) or _busy(ledger):
            raise ReplayRunning

    return jobs.start(kind, work, begun_by=begun_by, alone=alone)


def _replay(
    ledger: Ledger, kind: Kind, progress: Progress, archive: Archive | None, elsewhere: Elsewhere | None
) -> dict[str, Any]:
    if kind == "back":
        return _told_of(back(ledger))
    switch = kind == "rebuild"
    return _told_of(rebuild(ledger, switch=switch, archive=archive, elsewhere=elsewhere, progress=progress))


def _told_of(found: Report) -> dict[str, Any]:
    return asdict(found) | {"differing": found.differing}


def _busy(ledger: Ledger) -> bool:
    """Whether a replay holds the database's lock."""
    with ledger.database.holding(LOCK) as connection:
        return connection is None


def told(job: Job) -> dict[str, Any]:
    """A replay's job as it is answered."""
    names = ("id", "kind", "state", "started_at", "updated_at", "step", "done", "of", "error")
    return {name: getattr(job, name) for name in names} | {"report": job.result}
