"""The events that are sent: well-formed CloudEvents with ids of their own."""

from __future__ import annotations

from typing import Any

SOURCE = "https://shop.example/desk"
RECEIVED = {"channel": "phone", "department": "service", "kind": "inquiry"}
LIFE: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("contact.received", "CT", RECEIVED),
    ("contact.rang", "CT", {}),
    ("contact.answered", "CT", {"agent_id": "A-7"}),
    ("requirement.captured", "RQ", {"source_kind": "contact"}),
    ("contact.screened", "CT", {"has_requirement": True}),
    ("requirement.classified", "RQ", {"kano": "performance"}),
    ("requirement.prioritised", "RQ", {"priority": "high"}),
    ("contact.resolved", "CT", {"solved": True}),
    ("contact.customer_informed", "CT", {"channel": "phone"}),
    ("requirement.archived", "RQ", {"complete": True}),
)
"""What is told of one contact and the requirement it brings: event type, whose, data."""


def told(kind: str, subject: str, name: str, data: dict[str, Any], second: int = 0) -> dict[str, Any]:
    """One CloudEvent; `second` of the minute in which it happened."""
    return {
        "specversion": "1.0",
        "id": name,
        "source": SOURCE,
        "type": kind,
        "subject": subject,
        "time": f"2026-01-05T01:00:{second:02}Z",
        "data": data,
    }


def received(name: str, customer: int) -> dict[str, Any]:
    """A contact received, the event of the appends that are compared."""
    return told("contact.received", f"CT-{name}", name, {"customer_id": f"C-{customer}", **RECEIVED})


def life(name: str) -> list[dict[str, Any]]:
    """A contact from call to answer, and the requirement it brought, in order: ten events of two subjects."""
    links = {"contact.received": {"customer_id": "C-1"}, "requirement.captured": {"contact_id": f"CT-{name}"}}
    return [
        told(kind, f"{whose}-{name}", f"{name}-{place}", {**data, **links.get(kind, {})}, place)
        for place, (kind, whose, data) in enumerate(LIFE)
    ]
