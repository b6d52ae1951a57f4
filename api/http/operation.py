"""For those who keep it running: what this is, whether it lives, whether it can serve, and its measurements."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from api.http.context import program_of
from api.http.metrics import CONTENT_TYPE
from ledger.errors import LedgerError
from ledger.vocabulary import instant_text

router = APIRouter()


@router.get("/", summary="What this is and where to go from here")
def welcome(request: Request) -> dict[str, Any]:
    """Names the main paths; `simulated` says whether the ledger tells invented things."""
    program = program_of(request)
    return {
        "name": "requirements-ledger",
        "version": version("requirements-ledger"),
        "simulated": program.simulated,
        "paths": {
            "append": "/v1/events",
            "catalogue": "/v1/catalogue",
            "tables": "/v1/tables",
            "figures": "/v1/kpis",
            "due": "/v1/clocks",
            "history": "/v1/history/{aggregate}/{subject}",
            "checkpoint": "/checkpoint",
            "contract": "/openapi.json",
            "ready": "/readyz",
        },
    }


@router.get("/healthz", summary="Whether the process lives")
async def healthz(request: Request) -> dict[str, Any]:
    """Asks nobody else: a process whose database is away is alive, and not ready."""
    return {"status": "alive", "simulated": program_of(request).simulated}


@router.get("/readyz", summary="Whether it can serve, and how far tables and seal are", responses={503: {}})
async def readyz(request: Request) -> JSONResponse:
    """503 while the database does not answer or the projector cannot go on; then with its position and the cause."""
    program = program_of(request)
    if program.tail.closing:
        return JSONResponse({"status": "stopping", "simulated": program.simulated}, 503)
    try:
        status, body = await run_in_threadpool(_readiness, request)
    except LedgerError:
        body = {"status": "the database does not answer", "simulated": program.simulated}
        status = 503
    return JSONResponse(body, status)


def _readiness(request: Request) -> tuple[int, dict[str, Any]]:
    program = program_of(request)
    head = program.ledger.head()
    tables = program.tables_status()
    halted = tables is None or tables.halted_by is not None
    body = {
        "status": "the projector cannot go on" if halted else "ready",
        "simulated": head.simulated,
        "head": {"position": head.position, "last_recorded_at": instant_text(head.last_recorded_at)},
        "projector": None if tables is None else asdict(tables),
        "seal": asdict(program.seal_status()),
        "witnesses": [asdict(each) for each in program.witnesses()],
        "append_queue": program.ledger.appender.waiting,
    }
    return (503 if halted else 200), body


@router.get("/metrics", summary="Measurements for Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    """Appends, batches, refusals, queue and projector lag, in the text format."""
    return Response(await run_in_threadpool(_exposition, request), media_type=CONTENT_TYPE)


def _exposition(request: Request) -> bytes:
    program = program_of(request)
    gauges = program.metrics
    gauges.queue_length.set(program.ledger.appender.waiting)
    tables = program.tables_status()
    if tables is not None:
        gauges.head_position.set(tables.head)
        gauges.lag_positions.set(tables.lag_positions)
        gauges.lag_seconds.set(tables.lag_seconds)
        gauges.projector_halted.set(0 if tables.halted_by is None else 1)
    seal = program.seal_status()
    gauges.seal_size.set(seal.size)
    gauges.seal_lag_seconds.set(seal.lag_seconds)
    gauges.seal_halted.set(0 if seal.halted_by is None else 1)
    for each in program.witnesses():
        gauges.witness_size.labels(each.name).set(each.size or 0)
        gauges.witness_lag_seconds.labels(each.name).set(each.lag_seconds)
        gauges.witness_failing.labels(each.name).set(0 if each.error is None else 1)
    return gauges.exposition()
