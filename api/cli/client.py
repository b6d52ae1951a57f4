"""The command line's way to the ledger: always the HTTP API, over the network or inside this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio.from_thread
import httpx
from starlette.types import ASGIApp

TIMEOUT = httpx.Timeout(60.0, connect=5.0)
MOST_ERRORS = 20


class ClientError(Exception):
    """The ledger answered that it cannot, or did not answer; the text is for the person at the terminal."""


class InProcessTransport(httpx.BaseTransport):
    """Hands a synchronous client's requests to an ASGI application in this process."""

    def __init__(self, app: ASGIApp, portal: anyio.from_thread.BlockingPortal) -> None:
        self._asgi = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self._portal = portal

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        return self._portal.call(self._handle, request)

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        response = await self._asgi.handle_async_request(request)
        body = await response.aread()
        return httpx.Response(response.status_code, headers=response.headers, content=body, request=request)


@contextmanager
def over_network(url: str, key: str | None) -> Iterator[httpx.Client]:
    """A client of the ledger running at `url`."""
    with httpx.Client(base_url=url, headers=_headers(key), timeout=TIMEOUT) as client:
        yield client


@contextmanager
def in_process(app: ASGIApp, key: str) -> Iterator[httpx.Client]:
    """A client of an application that runs in this process, without a socket."""
    with anyio.from_thread.start_blocking_portal() as portal:
        transport = InProcessTransport(app, portal)
        with httpx.Client(
            transport=transport, base_url="http://ledger", headers=_headers(key), timeout=TIMEOUT
        ) as client:
            yield client


def _headers(key: str | None) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"} if key else {}


def ask(client: httpx.Client, method: str, path: str, **more: Any) -> httpx.Response:
    """The answer to one request. Raises `ClientError`, with the problem in words, for anything but success."""
    try:
        response = client.request(method, path, **more)
    except httpx.TransportError as error:
        raise ClientError(
            f"The ledger at {client.base_url} does not answer ({error or type(error).__name__}). "
            "Is it running? `reqledger serve` starts it; leave --url out to read the database directly."
        ) from error
    if response.is_success:
        return response
    raise ClientError(in_words(response))


def in_words(response: httpx.Response) -> str:
    """A problem document as lines for a terminal."""
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict) or "title" not in problem:
        return f"The server answered {response.status_code}: {response.text[:500]}"
    lines = [f"{problem['title']} ({response.status_code}): {problem.get('detail', '')}"]
    wrong = problem.get("errors", [])
    for error in wrong[:MOST_ERRORS]:
        where = f"event {error['index']}, " if "index" in error else ""
        hint = f" – {error['hint']}" if "hint" in error else ""
        lines.append(f"  {where}{error['field']}: {error['message']}{hint}")
    if len(wrong) > MOST_ERRORS:
        lines.append(f"  and {len(wrong) - MOST_ERRORS} more")
    return "\n".join(lines)
