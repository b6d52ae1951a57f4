"""The log: one JSON object a line on standard error, without bodies, personal fields, keys or query strings."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, TextIO

import orjson
import psycopg
import structlog

OWN = ("api", "replays", "projections", "ledger", "projector")
"""Loggers heard from the level set on; of libraries only warnings are."""


def configure(level: str, stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's loggers to `stream` (standard error) as JSON, from `level` on.

    What libraries log goes through the same renderer, and no exception's message is written: they can quote values.
    """
    least = logging.getLevelNamesMapping()[level]
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _only_the_type],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _json],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(least, logging.WARNING))
    for name in OWN:
        logging.getLogger(name).setLevel(least)


def origin_of(error: BaseException) -> dict[str, Any]:
    """Type and place of an error, for the log. Its message stays out unless it is the database's own first line."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    told: dict[str, Any] = {
        "error": type(error).__qualname__,
        "frames": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
    if isinstance(error, psycopg.Error):
        told["sqlstate"] = error.sqlstate
        told["database"] = error.diag.message_primary
    return told


def _only_the_type(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    record = event.get("_record")
    if record is not None and record.exc_info and record.exc_info[1] is not None:
        event.update(origin_of(record.exc_info[1]))
        record.exc_info = None
        record.exc_text = None
    event.pop("exc_info", None)
    return event


def _json(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
