"""The FastAPI application: routes, the check in front of them, and errors as problem documents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import psycopg
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.http import (
    baselines,
    duplicates,
    erasures,
    events,
    evidence,
    figure_rows,
    figures,
    forms,
    history,
    jobs,
    keys,
    operation,
    proofs,
    recomputing,
    replays,
    reports,
    rulebooks,
    stewarding,
    subjects,
    surveys,
    tables,
    tiles,
    voids,
    what_if,
)
from api.http.access import ACCESS
from api.http.context import admitted
from api.http.contract import FREE_QUERY, contract
from api.http.problems import FieldError, Problem, invalid, mistake
from api.http.refusals import database_problem, problem_of
from ledger.errors import LedgerError

if TYPE_CHECKING:
    from api.bootstrap import Program

SMALL_BODY_BYTES = 1024 * 1024
ROUTERS = (
    operation.router,
    events.router,
    keys.router,
    tables.router,
    figures.router,
    figure_rows.router,
    recomputing.router,
    baselines.router,
    duplicates.router,
    erasures.router,
    evidence.router,
    forms.router,
    reports.router,
    stewarding.router,
    surveys.router,
    voids.router,
    jobs.router,
    replays.router,
    rulebooks.router,
    what_if.router,
    history.router,
    tiles.router,
    proofs.router,
    # its paths are the most general: everything else is tried before
    subjects.router,
)
TITLE = "Requirements ledger"
CONTRACTS: dict[bool, dict[str, Any]] = {}
"""The OpenAPI documents, by whether the ledger is simulated: the routes of all applications are the same."""


def build_application(program: Program) -> FastAPI:
    """The application over a program. Raises RuntimeError when a route has no roles in `ACCESS`, or the other way."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        program.tail.start()
        try:
            yield
        finally:
            program.tail.stop()
            await run_in_threadpool(program.at_stop)

    app = FastAPI(
        title=TITLE,
        version=version("requirements-ledger"),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(admitted), Depends(only_known_parameters)],
        max_body_size=SMALL_BODY_BYTES,
        redirect_slashes=False,
        telemetry={"tracing": False},
    )
    app.state.program = program
    for router in ROUTERS:
        app.include_router(router)
    _every_route_has_roles(app)
    if program.simulated not in CONTRACTS:
        CONTRACTS[program.simulated] = contract(app, simulated=program.simulated)
    document = CONTRACTS[program.simulated]
    app.openapi = lambda: document  # type: ignore[method-assign]
    app.state.parameters = _parameters(document)
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(LedgerError, _on_ledger_error)
    app.add_exception_handler(psycopg.OperationalError, _on_database_error)
    app.add_exception_handler(psycopg.InterfaceError, _on_database_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_mistake)
    return app


async def only_known_parameters(request: Request) -> None:
    """Refuse a misspelt parameter rather than answer another question than the one asked."""
    known: Mapping[tuple[str, str], frozenset[str]] = request.app.state.parameters
    allowed = known.get((request.method, request.scope["route"].path_format))
    if allowed is None:
        return
    unknown = sorted(request.query_params.keys() - allowed)
    if unknown:
        hint = f"it knows {', '.join(sorted(allowed))}" if allowed else "it takes none"
        raise invalid(
            "Unknown parameters", [FieldError(name[:100], "is not a parameter here", hint) for name in unknown[:20]]
        )


def _parameters(document: Mapping[str, Any]) -> dict[tuple[str, str], frozenset[str]]:
    return {
        (method.upper(), path): frozenset(
            one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"
        )
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if not operation.get(FREE_QUERY)
    }


def _every_route_has_roles(app: FastAPI) -> None:
    served = {(method, route.path_format) for route in served_routes(app) for method in route.methods or ()}
    listed = ACCESS.keys() - {("POST", "/v1/events"), ("GET", "/openapi.json")}
    if served != listed:
        raise RuntimeError(f"routes and roles differ: {sorted(served ^ listed)}")


def served_routes(app: FastAPI) -> Sequence[APIRoute]:
    """The routes of the framework's way, in the order in which they are matched."""
    return [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]


def _request_id(request: Request) -> str | None:
    return getattr(request.state, "request_id", None)


def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response(_request_id(request))


def _on_ledger_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, LedgerError)
    return problem_of(error).response(_request_id(request))


def _on_database_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, psycopg.Error)
    return database_problem(error).response(_request_id(request))


def _on_mistake(request: Request, error: Exception) -> Response:
    """What nobody foresaw; the gate logs it."""
    return mistake().response(_request_id(request))


def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    wrong = []
    for one in error.errors():
        place, *path = one["loc"]
        name = ".".join(str(part) for part in path) or str(place)
        wrong.append(FieldError(name[:100], one["msg"].replace("Input should", "must")))
    if any(one["type"] == "json_invalid" for one in error.errors()):
        return Problem(400, "bad-request", "The body is not JSON", wrong).response(_request_id(request))
    return invalid("The request is not valid", wrong).response(_request_id(request))


_KINDS = {404: "not-found", 405: "method-not-allowed", 413: "too-large", 415: "unsupported-media-type"}


def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = _KINDS.get(error.status_code, "bad-request")
    return Problem(error.status_code, kind, str(error.detail), headers=error.headers or {}).response(
        _request_id(request)
    )
