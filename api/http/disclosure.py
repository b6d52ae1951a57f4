"""Who was shown what: reads of personal fields, and exports, on record whatever the log's level is.

A line names the key, the route, and the ids of what was read; never what personal fields say.
"""

from __future__ import annotations

import logging
from typing import Final

import structlog
from fastapi import Request

from api.http.context import key_of

NAME: Final = "api.http.disclosure"
# a level of its own: LEDGER_LOG_LEVEL sets those of the loggers above it
logging.getLogger(NAME).setLevel(logging.INFO)
log = structlog.stdlib.get_logger(NAME)


def note_personal_read(
    request: Request, *, aggregate: str | None = None, subject: str | None = None, **which: object
) -> None:
    """Put on record whose key was shown personal fields, and of what."""
    _note("personal fields read", request, aggregate=aggregate, subject=subject, **which)


def note_export(request: Request, what: str, rows: int) -> None:
    """Put on record whose key took rows out as a file."""
    _note("exported", request, what=what, rows=rows)


def _note(event: str, request: Request, **which: object) -> None:
    told = {name: value for name, value in which.items() if value is not None}
    route = f"{request.method} {request.scope['route'].path_format}"
    log.info(event, key=key_of(request).id, request=getattr(request.state, "request_id", None), route=route, **told)
