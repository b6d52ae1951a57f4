"""CloudEvents 1.0 over HTTP: structured, binary, batch and NDJSON all become mappings in the JSON event format.

Specifications: CloudEvents 1.0.2, JSON event format (sections 2 to 4) and HTTP protocol binding (section 3).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson

from api.http.problems import FieldError, Problem, bad_request, too_large, unsupported_media_type

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
NDJSON = "application/x-ndjson"
ACCEPTED = f"{STRUCTURED}, {BATCH}, {NDJSON}, or ce-* headers with the data as application/json"

_JSON = re.compile(r"^(application|text)/([a-z0-9.\-]+\+)?json$")
_QUOTED = re.compile(r'^"((?:[^"\\]|\\.)*)"$')
_ESCAPED = re.compile(r"\\(.)")

Wire = Mapping[str, Any]
"""One event in the JSON event format: attributes at the top, the payload under `data`."""


@dataclass(frozen=True, slots=True)
class Unread:
    """An item of a batch that is not an event at all, with the reason."""

    error: FieldError


@dataclass(frozen=True, slots=True)
class Received:
    """The events of one request, in order; `single` where the request can hold only one."""

    items: list[Wire | Unread]
    single: bool


def media_type(content_type: str | None) -> tuple[str, str]:
    """The media type and the charset (`utf-8` where none is said) of a Content-Type header, in lower case."""
    if not content_type:
        return "", "utf-8"
    kind, *parameters = content_type.split(";")
    charset = "utf-8"
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = value.strip().strip('"').lower()
    return kind.strip().lower(), charset


def receive(headers: Mapping[str, str], body: bytes, *, max_events: int) -> Received:
    """Read a request's events.

    `headers` have lower-case names. Raises a `Problem`: 400 for what is not JSON, 413 for more than `max_events`,
    415 for a content type that is none of `ACCEPTED`.
    """
    kind, charset = media_type(headers.get("content-type"))
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise unsupported_media_type(f"charset {charset!r} is not supported: send UTF-8")
    if kind == STRUCTURED:
        return Received([_one(_parse(body, "The body"))], single=True)
    if kind == BATCH:
        batch = _parse(body, "The body")
        if not isinstance(batch, list):
            raise bad_request("A batch is a JSON array of events")
        _bounded(len(batch), max_events)
        return Received([_one(item) for item in batch], single=False)
    if kind in (NDJSON, "application/ndjson"):
        lines = [line for line in body.split(b"\n") if line and not line.isspace()]
        _bounded(len(lines), max_events)
        return Received([_line(line) for line in lines], single=False)
    if "ce-specversion" in headers or "ce-type" in headers:
        return Received([_binary(headers, kind, body)], single=True)
    raise unsupported_media_type(f"{kind or 'No content type'}: send {ACCEPTED}")


def _bounded(count: int, max_events: int) -> None:
    if count > max_events:
        raise too_large(f"{count} events in one request: send at most {max_events}")


def _parse(body: bytes, what: str) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"{what} is not JSON: {error}") from None


def _line(line: bytes) -> Wire | Unread:
    try:
        return _one(_parse(line, "The line"))
    except Problem as problem:
        return Unread(FieldError("event", problem.detail))


def _one(value: Any) -> Wire | Unread:
    if not isinstance(value, dict):
        return Unread(FieldError("event", "An event is a JSON object", f"send it as {STRUCTURED} describes"))
    if "data_base64" not in value:
        return value
    encoded = value.pop("data_base64")
    if "data" in value:
        return Unread(FieldError("data_base64", "data and data_base64 exclude each other", "send data alone"))
    try:
        value["data"] = orjson.loads(base64.b64decode(encoded, validate=True))
    except (TypeError, binascii.Error, orjson.JSONDecodeError):
        return Unread(FieldError("data_base64", "is not Base64 of JSON", "send data as a JSON object"))
    return value


def _binary(headers: Mapping[str, str], kind: str, body: bytes) -> Wire | Unread:
    event: dict[str, Any] = {}
    for name, value in headers.items():
        if name.startswith("ce-"):
            try:
                event[name[3:]] = decode_header(value)
            except UnicodeDecodeError:
                return Unread(
                    FieldError(name[3:], "is not percent-encoded UTF-8", "encode it as the HTTP binding says")
                )
    if kind and not _JSON.match(kind):
        raise unsupported_media_type(f"{kind}: the data of an event is application/json")
    if kind:
        event["datacontenttype"] = kind
    if body and not body.isspace():
        event["data"] = _parse(body, "The body")
    return event


def decode_header(value: str) -> str:
    """An attribute's value from its header: a quoted string is unescaped, then percent-decoded once (section 3.1.3.2).

    Raises `UnicodeDecodeError` where the octets are not UTF-8.
    """
    if quoted := _QUOTED.match(value):
        value = _ESCAPED.sub(r"\1", quoted[1])
    return unquote_to_bytes(value).decode("utf-8") if "%" in value else _octets(value)


def _octets(value: str) -> str:
    # Servers hand header octets on as Latin-1; a sender that did not percent-encode may have sent UTF-8.
    return value if value.isascii() else value.encode("latin-1").decode("utf-8")
