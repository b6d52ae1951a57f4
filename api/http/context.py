"""What routes ask for: the program behind them, the key that asks, and tables that have caught up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import anyio
from fastapi import Depends, Query, Request
from starlette.concurrency import run_in_threadpool

from api.http.access import SEES_PERSONAL, Role, admit
from api.http.problems import Problem
from ledger.log.keys import Key

if TYPE_CHECKING:
    from api.bootstrap import Program

CATCH_UP_SECONDS: Final = 5.0
"""How long a reader with `min_position` waits for the tables."""
CATCH_UP_STEP_SECONDS: Final = 0.01


def program_of(request: Request) -> Program:
    """The program this application serves."""
    found: Program = request.app.state.program
    return found


async def admitted(request: Request) -> Key | None:
    """The key that asks, where its role may call the route; runs before every route. Raises a `Problem` (401, 403)."""
    program = program_of(request)
    authorization = request.headers.get("authorization")
    key = await program.doorkeeper.key(authorization.encode("latin-1") if authorization else None)
    admit(request.method, request.scope["route"].path_format, None if key is None else Role(key.role))
    request.state.key = key
    return key


def key_of(request: Request) -> Key:
    """The key that asks, on routes that need one."""
    key: Key | None = request.state.key
    assert key is not None
    return key


def sees_personal(request: Request) -> bool:
    """Whether the key that asks is shown personal fields."""
    return Role(key_of(request).role) in SEES_PERSONAL


async def caught_up(
    request: Request,
    min_position: Annotated[
        int | None,
        Query(
            ge=0,
            le=2**63 - 1,
            description="Answer only once the tables hold everything up to this position: that of your own append.",
        ),
    ] = None,
) -> None:
    """Wait until the tables have reached `min_position`. Raises a `Problem` (503) when they do not in time."""
    if min_position is None:
        return
    program = program_of(request)
    reached = 0
    with anyio.move_on_after(CATCH_UP_SECONDS):
        while True:
            reached = await run_in_threadpool(program.projected_position)
            if reached >= min_position:
                return
            await anyio.sleep(CATCH_UP_STEP_SECONDS)
    raise Problem(
        503,
        "not-projected-yet",
        f"The tables have reached position {reached}, not {min_position} yet; /readyz says whether they go on",
        headers={"retry-after": "1"},
        more={"position": reached},
    )


CaughtUp = Depends(caught_up)
Personal = Annotated[bool, Depends(sees_personal)]
