"""Problem documents (RFC 9457): what was wrong, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
URN = "urn:requirements-ledger:problem:"

TITLES: Mapping[str, str] = {
    "bad-request": "The request could not be read",
    "unauthenticated": "A key is needed",
    "forbidden": "This key may not do that",
    "not-found": "There is no such thing",
    "method-not-allowed": "This path does not take that method",
    "conflict": "It conflicts with what the ledger holds",
    "duplicate-conflict": "The same source and id were recorded with other content",
    "version-conflict": "The subject has moved on",
    "too-large": "The request is too large",
    "unsupported-media-type": "The content type is not supported",
    "invalid": "The request is not valid",
    "refused": "A rule of the ledger refused it",
    "internal": "The ledger made a mistake",
    "overloaded": "The ledger is busy",
    "not-projected-yet": "The tables have not reached that position yet",
    "not-now": "It cannot be done now",
    "unavailable": "The ledger cannot answer now",
}
"""Kind of problem → title. The kind is the last part of `type`."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field: which event of the batch (from 0), which field, what, and what to do."""

    field: str
    message: str
    hint: str | None = None
    index: int | None = None

    def as_json(self) -> dict[str, Any]:
        shown = {"index": self.index, "field": self.field, "message": self.message, "hint": self.hint}
        return {key: value for key, value in shown.items() if value is not None}

    def at(self, index: int) -> FieldError:
        """The same error, said of the event at `index` of a batch."""
        return FieldError(self.field, self.message, self.hint, index)


@dataclass(eq=False)
class Problem(Exception):
    """Raised anywhere below a route; becomes the problem document that is answered."""

    status: int
    kind: str
    detail: str
    errors: Sequence[FieldError] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.detail

    def as_json(self, instance: str | None = None) -> dict[str, Any]:
        """The document's members; `instance` is the request's id."""
        body: dict[str, Any] = {
            "type": URN + self.kind,
            "title": TITLES[self.kind],
            "status": self.status,
            "detail": self.detail,
        }
        if instance is not None:
            body["instance"] = f"urn:requirements-ledger:request:{instance}"
        if self.errors:
            body["errors"] = [error.as_json() for error in self.errors]
        return body | dict(self.more)

    def body(self, instance: str | None = None) -> bytes:
        """The document as UTF-8 JSON."""
        return orjson.dumps(self.as_json(instance))

    def response(self, instance: str | None = None) -> Response:
        return Response(self.body(instance), self.status, dict(self.headers), MEDIA_TYPE)


def bad_request(detail: str) -> Problem:
    return Problem(400, "bad-request", detail)


def mistake() -> Problem:
    return Problem(500, "internal", "The cause stands in the server's log under this request's id")


def unauthenticated(detail: str) -> Problem:
    return Problem(401, "unauthenticated", detail, headers={"www-authenticate": 'Bearer realm="requirements-ledger"'})


def forbidden(detail: str, errors: Sequence[FieldError] = ()) -> Problem:
    return Problem(403, "forbidden", detail, errors)


def not_found(detail: str) -> Problem:
    return Problem(404, "not-found", detail)


def too_large(detail: str) -> Problem:
    return Problem(413, "too-large", detail)


def unsupported_media_type(detail: str) -> Problem:
    return Problem(415, "unsupported-media-type", detail)


def invalid(detail: str, errors: Sequence[FieldError] = ()) -> Problem:
    return Problem(422, "invalid", detail, errors)


def overloaded(detail: str, retry_after: int = 1) -> Problem:
    return Problem(503, "overloaded", detail, headers={"retry-after": str(retry_after)})


def unavailable(detail: str, retry_after: int = 5) -> Problem:
    return Problem(503, "unavailable", detail, headers={"retry-after": str(retry_after)})
