"""The outermost layer: request ids, the headers every answer carries, the log line, and the short way to append.

Appending is what services do all day, so `POST /v1/events` goes straight to its handler; every other request takes the
framework's way. Both are described in the same OpenAPI document.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable
from random import getrandbits
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.metrics import Metrics
from api.http.problems import MEDIA_TYPE, Problem, mistake
from api.logs import origin_of

log = structlog.stdlib.get_logger("api.http")
_stdlib_log = logging.getLogger("api.http")

_REQUEST_ID = re.compile(rb"^[A-Za-z0-9._\-]{1,64}$")

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]
"""Status, headers and body of an answer."""
Appender = Callable[[Scope, Receive, str], Awaitable[Answer]]


class Gate:
    """The ASGI application the server runs."""

    def __init__(self, app: ASGIApp, append: Appender, metrics: Metrics, *, simulated: bool) -> None:
        self._app = app
        self._append = append
        self._metrics = metrics
        self._simulated = simulated

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        common = [
            (b"x-request-id", request_id.encode("ascii")),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        if self._simulated:
            common.append((b"ledger-simulated", b"true"))
        if scope["path"] == "/v1/events" and scope["method"] == "POST":
            await self._short_way(scope, receive, send, request_id, common)
        else:
            await self._long_way(scope, receive, send, request_id, common)

    async def _short_way(
        self, scope: Scope, receive: Receive, send: Send, request_id: str, common: list[tuple[bytes, bytes]]
    ) -> None:
        started = time.perf_counter()
        try:
            status, headers, body = await self._append(scope, receive, request_id)
        except Problem as problem:
            status, headers, body = _told(problem, request_id)
        except Exception as error:
            log.error("request failed", request=request_id, route="POST /v1/events", **origin_of(error))
            status, headers, body = _told(_OURS, request_id)
        elapsed = time.perf_counter() - started
        self._metrics.append_seconds.observe(elapsed)
        self._metrics.requests.labels("POST /v1/events", str(status)).inc()
        headers += common
        headers.append((b"content-length", str(len(body)).encode("ascii")))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        # services append all day: what went well is counted, and only written down when somebody listens that closely
        if status >= 400 or _stdlib_log.isEnabledFor(logging.DEBUG):
            level = log.debug if status < 400 else log.info
            level("request", request=request_id, route="POST /v1/events", status=status, ms=round(elapsed * 1000, 2))

    async def _long_way(
        self, scope: Scope, receive: Receive, send: Send, request_id: str, common: list[tuple[bytes, bytes]]
    ) -> None:
        started = time.perf_counter()
        status = 0

        async def send_common(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *common]
            await send(message)

        try:
            await self._app(scope, receive, send_common)
        except Exception as error:
            log.error("request failed", request=request_id, route=_route(scope), **origin_of(error))
            if status == 0:
                code, headers, body = _told(_OURS, request_id)
                await send_common({"type": "http.response.start", "status": code, "headers": headers})
                await send_common({"type": "http.response.body", "body": body})
        route = _route(scope)
        self._metrics.requests.labels(route, str(status)).inc()
        elapsed = time.perf_counter() - started
        log.info("request", request=request_id, route=route, status=status, ms=round(elapsed * 1000, 2))


_OURS = mistake()


def _told(problem: Problem, request_id: str) -> Answer:
    headers = [(b"content-type", MEDIA_TYPE.encode("ascii"))]
    headers += [(name.encode("ascii"), value.encode("latin-1")) for name, value in problem.headers.items()]
    return problem.status, headers, problem.body(request_id)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.match(value):
            return str(value, "ascii")
    # needs to differ, not to be secret: asking the system for its randomness lets another thread run for its turn
    return f"{getrandbits(96):024x}"


def _route(scope: Scope) -> str:
    """Method and path template: a path itself may name a person, the template never does."""
    route: Any = scope.get("route")
    return f"{scope['method']} {getattr(route, 'path_format', 'unknown')}"
