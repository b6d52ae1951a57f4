"""From an event in the JSON event format to a claim the ledger can decide on, with every wrong field named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from api.http.problems import FieldError
from api.http.wire import Unread, Wire
from ledger.claims import Claim, claim
from ledger.errors import Invalid

ATTRIBUTES: Final[Mapping[str, str]] = {
    "id": "id",
    "source": "source",
    "time": "occurred_at",
    "actor": "actor",
    "reason": "reason",
    "correlationid": "correlation_id",
    "causationid": "causation_id",
    "expectedversion": "expected_version",
    "recordedat": "recorded_at",
}
"""CloudEvents attribute → the ledger's own name for it; `type`, `subject` and `data` keep theirs."""
NOT_RECORDED: Final = frozenset({"specversion", "datacontenttype", "dataschema", "traceparent", "tracestate"})
"""Attributes that say how an event travelled: taken, and not kept."""
_OWN = ATTRIBUTES.keys() | {"type", "subject", "data"} | NOT_RECORDED
_NAMED = {own: attribute for attribute, own in ATTRIBUTES.items()}


class Unclaimable(Exception):
    """The event is not well formed; `errors` name the fields."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field} {error.message}" for error in errors))
        self.errors = errors


def to_claim(wire: Wire | Unread) -> Claim:
    """The claim an event makes. Raises `Unclaimable`."""
    if isinstance(wire, Unread):
        raise Unclaimable([wire.error])
    wrong = _wrong_attributes(wire)
    attributes: dict[str, Any] = {
        ATTRIBUTES[name]: value for name, value in wire.items() if name in ATTRIBUTES and value is not None
    }
    version = attributes.get("expected_version")
    # a header carries digits, and so do senders that know only text
    if isinstance(version, str) and version.isascii() and version.isdigit() and len(version) < 19:
        attributes["expected_version"] = int(version)
    try:
        made = claim(wire.get("type"), wire.get("subject"), wire.get("data"), **attributes)  # type: ignore[arg-type]
    except Invalid as error:
        raise Unclaimable([*wrong, *field_errors(error, wire.get("type"))]) from None
    if wrong:
        raise Unclaimable(wrong)
    return made


def field_errors(error: Invalid, event_type: object = None) -> list[FieldError]:
    """The ledger's complaints with the names the sender used, and what to do."""
    return [_told(path, message, event_type) for path, message in error.problems]


def _told(path: str, message: str, event_type: object) -> FieldError:
    if path == "type":
        return FieldError("type", message, "GET /v1/catalogue lists every type")
    if path.startswith("data"):
        return FieldError(path, message, f"GET /v1/catalogue shows the fields of {event_type} with an example")
    if path == "subject" and message == "must be text":
        message = "is required: the id of what the event is about"
    hint = "send when it happened, with its offset from UTC" if path == "occurred_at" else None
    return FieldError(_NAMED.get(path, path), message, hint)


def _wrong_attributes(wire: Wire) -> list[FieldError]:
    wrong = []
    if wire.get("specversion") != "1.0":
        wrong.append(FieldError("specversion", "must be 1.0", "send CloudEvents 1.0"))
    content = wire.get("datacontenttype")
    if content is not None and not _is_json(content):
        wrong.append(FieldError("datacontenttype", "must be application/json", "send data as a JSON object"))
    if not wire.keys() <= _OWN:
        unknown = sorted(name for name in wire.keys() - _OWN if wire[name] is not None)
        known = ", ".join(sorted(ATTRIBUTES))
        wrong += [
            FieldError(name[:100], "is not an attribute the ledger records", f"leave it out; it knows {known}")
            for name in unknown[:20]
        ]
    return wrong


def _is_json(content: object) -> bool:
    if not isinstance(content, str):
        return False
    kind = content.split(";")[0].strip().lower()
    return kind.endswith(("/json", "+json"))
