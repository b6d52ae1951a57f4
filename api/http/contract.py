"""The OpenAPI document: what the routes declare, and `POST /v1/events` with schema and example of every event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.http.access import ACCESS, EVERYBODY
from api.http.problems import MEDIA_TYPE, TITLES, URN
from api.http.wire import BATCH, NDJSON, STRUCTURED
from ledger.events import AGGREGATES, CATALOGUE, EventType, json_schema
from ledger.vocabulary import EXAMPLE_TIME

FREE_QUERY: Final = "x-free-query"
"""Marks an operation whose parameters are not all listed: filters named after columns."""

_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": 200}
_INSTANT: Final = {"type": "string", "format": "date-time"}
_ATTRIBUTES: Final[Mapping[str, tuple[Mapping[str, Any], str]]] = {
    "id": (_TEXT, "The source's own id of the event; the same source and id again is answered with the first result."),
    "source": (
        {"type": "string", "minLength": 1, "maxLength": 400, "pattern": r"^\S+$"},
        "The service that tells it, as a URI reference.",
    ),
    "subject": (_TEXT, "The id of what the event is about."),
    "time": (_INSTANT, "When it happened, with its offset from UTC."),
    "actor": (_TEXT, "Who did it, as the source says."),
    "reason": ({"type": "string", "maxLength": 20_000, "x-personal": True}, "Why; personal."),
    "correlationid": (_TEXT, "What it belongs together with."),
    "causationid": (_TEXT, "What brought it about."),
    "expectedversion": (
        {"type": "integer", "minimum": 0, "maximum": 2**63 - 1},
        "The version the subject is believed to have (0: none yet); another one is answered with 409.",
    ),
    "recordedat": (_INSTANT, "When it was recorded; taken by simulated ledgers only."),
    "dataschema": ({"type": "string"}, "Taken, not recorded."),
}
_REQUIRED: Final = ("id", "source", "type", "subject", "time")


def contract(app: FastAPI, *, simulated: bool) -> dict[str, Any]:
    """The OpenAPI 3.1 document of an application."""
    document = get_openapi(title=app.title, version=app.version, routes=app.routes, description=_description(simulated))
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = _problem_schema()
    schemas["Appended"] = _appended_schema()
    for known in CATALOGUE.values():
        schemas[known.name] = event_schema(known)
    schemas["Event"] = {
        "oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in CATALOGUE],
        "discriminator": {
            "propertyName": "type",
            "mapping": {name: f"#/components/schemas/{name}" for name in CATALOGUE},
        },
    }
    document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    document["paths"].setdefault("/v1/events", {})["post"] = _append_operation()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(operation, method.upper(), path)
    return document


def event_schema(known: EventType) -> dict[str, Any]:
    """The JSON Schema of an event of one type as it is sent."""
    attributes = {name: {**schema, "description": text} for name, (schema, text) in _ATTRIBUTES.items()}
    required = [*_REQUIRED, "specversion"]
    if any(field.required for field in known.fields):
        required.append("data")
    return {
        "title": known.label.en,
        "x-title-zh": known.label.zh,
        "type": "object",
        "required": required,
        "properties": {
            "specversion": {"const": "1.0"},
            "type": {"const": known.name},
            **attributes,
            "datacontenttype": {"const": "application/json"},
            "data": {"type": "object", **json_schema(known.name)},
        },
        "additionalProperties": False,
        "examples": [example(known)],
    }


def example(known: EventType) -> dict[str, Any]:
    """A whole event of one type, as a source would send it."""
    aggregate = AGGREGATES.get(known.aggregate or "contact")
    return {
        "specversion": "1.0",
        "id": f"example-{known.name}",
        "source": "/services/crm",
        "type": known.name,
        "subject": aggregate.example if aggregate else "CT-2026-000481",
        "time": EXAMPLE_TIME,
        "data": dict(known.example),
    }


def _append_operation() -> dict[str, Any]:
    examples = {known.name: {"summary": known.label.en, "value": example(known)} for known in CATALOGUE.values()}
    reference = {"$ref": "#/components/schemas/Event"}
    appended = {"application/json": {"schema": {"$ref": "#/components/schemas/Appended"}}}
    return {
        "operationId": "append_events",
        "summary": "Append events",
        "description": (
            "CloudEvents 1.0: structured, binary, batch, and one event a line (NDJSON). The answer comes after the "
            "commit. A request's events stand or fall together unless `atomic=false` asks for a result per item. "
            "The same source and id again is answered with the first result."
        ),
        "parameters": [
            {
                "name": "atomic",
                "in": "query",
                "schema": {"type": "boolean", "default": True},
                "description": "false: every event by itself; answered with 207 and a status per item.",
            },
            *(
                {
                    "name": f"ce-{name}",
                    "in": "header",
                    "required": False,
                    "schema": schema,
                    "description": f"Binary mode: {text} Percent-encoded.",
                }
                for name, (schema, text) in {
                    "specversion": ({"const": "1.0"}, "1.0."),
                    "type": ({"type": "string", "enum": list(CATALOGUE)}, "The event's type."),
                    **_ATTRIBUTES,
                }.items()
            ),
        ],
        "requestBody": {
            "required": True,
            "content": {
                STRUCTURED: {"schema": reference, "examples": examples},
                BATCH: {"schema": {"type": "array", "items": reference}},
                NDJSON: {"schema": {"type": "string"}},
                "application/json": {
                    "schema": {"type": "object", "description": "Binary mode: the event's data; see ce-* headers."}
                },
            },
        },
        "responses": {
            "200": {"description": "All of them were recorded before; nothing was appended", "content": appended},
            "201": {"description": "Recorded", "content": appended},
            "207": {"description": "atomic=false: a status per item", "content": appended},
        },
    }


def _complete(operation: dict[str, Any], method: str, path: str) -> None:
    """Add to an operation what all have in common: its roles, and the problems it may answer with."""
    roles = ACCESS.get((method, path), EVERYBODY)
    operation["x-roles"] = sorted(roles)
    if roles:
        operation["security"] = [{"key": []}]
    said: dict[str, Any] = operation["responses"]
    if "HTTPValidationError" in str(said.get("422")):
        del said["422"]
    statuses = {"4XX": "A problem with the request", "5XX": "A problem of the server"}
    for status, text in statuses.items():
        said[status] = {
            "description": text,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }


def _problem_schema() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "title": "Problem (RFC 9457)",
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "enum": [URN + kind for kind in TITLES]},
            "title": text,
            "status": {"type": "integer"},
            "detail": text,
            "instance": {**text, "description": "The request's id, as in X-Request-Id and the server's log."},
            "rule": {**text, "description": "The rule of the ledger that refused."},
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["field", "message"],
                    "properties": {
                        "index": {"type": "integer", "description": "Which event of the request, from 0."},
                        "field": text,
                        "message": text,
                        "hint": {**text, "description": "What to do."},
                    },
                },
            },
        },
    }


def _appended_schema() -> dict[str, Any]:
    text, number = {"type": "string"}, {"type": "integer"}
    return {
        "type": "object",
        "required": ["position", "events"],
        "properties": {
            "position": {"type": ["integer", "null"], "description": "The highest; pass it on as min_position."},
            "events": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "source": text,
                        "id": text,
                        "position": number,
                        "aggregate": text,
                        "subject": text,
                        "version": number,
                        "recorded_at": _INSTANT,
                        "duplicate": {"type": "boolean"},
                        "status": {"type": "integer", "description": "With atomic=false."},
                        "problem": {"$ref": "#/components/schemas/Problem"},
                    },
                },
            },
        },
    }


def _description(simulated: bool) -> str:
    said = "Customer contacts, requirements, handoffs and deliveries as immutable events; everything else by replay."
    return said + (" This ledger is simulated: what it tells is invented." if simulated else "")
