"""Long work over HTTP: which jobs there are, how far they are, what they came to, and that they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import asdict
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from api.http.access import Role
from api.http.context import key_of, program_of
from api.http.events import still_let_in
from api.http.problems import Problem, forbidden, not_found, overloaded
from api.http.tail import MOST_STREAMS
from api.jobs import Job, Progress, TooManyJobs, Work
from ledger.errors import LedgerError

router = APIRouter()

LOOK_SECONDS: Final = 0.3
"""How often a stream looks how far its job is."""


def begun(
    request: Request,
    response: Response,
    kind: str,
    work: Work,
    wanted: BaseModel | None = None,
    alone: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Begin a job for the key that asks, as a route's answer: 202, with where its progress is in `Location`.

    Raises a `Problem` (503) where this process works on as many as it may, and what `alone` raises.
    """
    program = program_of(request)
    asked = None if wanted is None else wanted.model_dump(mode="json", by_alias=True, exclude_unset=True)
    try:
        job = program.jobs.start(kind, work, wanted=asked, begun_by=key_of(request).id, alone=alone)
    except TooManyJobs as error:
        raise overloaded(str(error), retry_after=10) from None
    response.status_code = 202
    response.headers["location"] = f"/v1/jobs/{job.id}"
    return asdict(job)


Later = Annotated[
    bool, Query(alias="job", description="Answer at once (202) with a job that has the progress, and then the answer.")
]
LATER: Final[dict[int | str, dict[str, Any]]] = {202: {"description": "A job: `Location` tells where it is."}}


def worked(request: Request, response: Response, kind: str, work: Work, wanted: BaseModel, *, later: bool) -> Any:
    """A route's answer: of the work itself, or of a job that does it."""
    if not later:
        return work(lambda *_: None)

    def in_a_job(progress: Progress) -> Mapping[str, Any]:
        try:
            return work(progress)
        except Problem as problem:
            raise JobFailed(problem) from None

    return begun(request, response, kind, in_a_job, wanted)


class JobFailed(LedgerError):
    """The work came to a problem that its caller can do something about."""

    def __init__(self, problem: Problem) -> None:
        super().__init__("; ".join([problem.detail, *(f"{one.field}: {one.message}" for one in problem.errors[:20])]))


@router.get("/v1/jobs", summary="Jobs, the newest first")
def jobs(
    request: Request,
    kind: Annotated[list[str] | None, Query(max_length=20, description="Only jobs of these kinds.")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> dict[str, Any]:
    """Of all processes of this ledger, without what they were asked and came to: that is told of each by itself."""
    kinds = None if kind is None else [one for one in kind if "\x00" not in one]
    return {"jobs": [_without_result(job) for job in program_of(request).jobs.latest(limit, kinds)]}


@router.get("/v1/jobs/{job}", summary="One job: progress, and what it came to")
def job(request: Request, job: str) -> dict[str, Any]:
    """`state` is running, done (with its `result`), failed (with the `error`), cancelled, or interrupted: its process
    ended before it was done."""
    return asdict(_found(request, job))


@router.delete("/v1/jobs/{job}", summary="Cancel a job", status_code=202)
def cancel(request: Request, job: str) -> dict[str, Any]:
    """Whichever process works on it: it gives up at its next step, and leaves everything as it was. An analyst's key
    cancels what it began itself. A job that has ended is told as it is."""
    known = _found(request, job)
    key = key_of(request)
    if Role(key.role) is not Role.ADMIN and known.begun_by != key.id:
        raise forbidden("Another key began this job: that key, or an admin's, may cancel it")
    cancelled = program_of(request).jobs.cancel(job)
    assert cancelled is not None
    return asdict(cancelled)


class Followed:
    """The job that a stream follows, looked up before the answer begins. Raises a `Problem` (404, 503)."""

    def __init__(self, request: Request, job: str) -> None:
        self.job = _found(request, job)
        if program_of(request).tail.listeners >= MOST_STREAMS:
            raise overloaded(f"{MOST_STREAMS} streams are open already", retry_after=10)


@router.get(
    "/v1/jobs/{job}/events",
    summary="A job's progress as it is made (server-sent events)",
    response_class=EventSourceResponse,
)
async def progress(request: Request, followed: Annotated[Followed, Depends()]) -> AsyncIterator[ServerSentEvent]:
    """Messages of the event `progress`, and a last one named by the state it ended in, with the result; then the stream
    ends."""
    program = program_of(request)
    now: Job | None = followed.job
    told: dict[str, Any] | None = None
    with program.tail.listening():
        program.metrics.streams.inc()
        try:
            while now is not None and not now.ended:
                progressed = _without_result(now)
                if {**progressed, "updated_at": None} != {**(told or {}), "updated_at": None}:
                    told = progressed
                    yield _message("progress", progressed)
                if program.tail.closing or not await still_let_in(request):
                    return
                await asyncio.sleep(LOOK_SECONDS)
                now = await run_in_threadpool(program.jobs.find, now.id)
            if now is not None:
                yield _message(now.state, asdict(now))
        finally:
            program.metrics.streams.dec()


def _message(event: str, told: dict[str, Any]) -> ServerSentEvent:
    return ServerSentEvent(raw_data=orjson.dumps(told).decode(), event=event)


def _without_result(job: Job) -> dict[str, Any]:
    return {name: value for name, value in asdict(job).items() if name not in ("result", "wanted")}


def _found(request: Request, job: str) -> Job:
    found = program_of(request).jobs.find(job)
    if found is None:
        raise not_found("There is no such job; GET /v1/jobs lists them")
    return found
