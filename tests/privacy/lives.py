"""Two customers and what they said, told to a ledger, and what readers read of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ledger.claims import Claim
from ledger.log.application import Appended, Ledger

Tell = Callable[..., Claim]
CONTACT = {"channel": "email", "department": "front_desk", "kind": "inquiry"}
REQUIREMENT = {"channel": "email", "source_kind": "contact", "expression": "explicit", "statement": "a red door"}


def record(ledger: Ledger, *claims: Claim, by: str = "key") -> list[Appended]:
    """Append claims as a unit, which must be taken."""
    (outcome,) = ledger.append([list(claims)], by)
    assert isinstance(outcome, list), outcome
    return outcome


def texts(ledger: Ledger) -> dict[str, Any]:
    """What readers with the right read, by event id."""
    found = {}
    for entry in ledger.reveal(ledger.entries()):
        told = [getattr(entry.data, name, None) for name in ("name", "message", "statement", "comment", "action")]
        found[entry.id] = next((one for one in (*told, entry.reason) if one is not None), None)
    return found


def lives(ledger: Ledger, tell: Tell) -> None:
    """Two customers, what they said, and a delivery that both were told of."""
    record(
        ledger,
        tell("customer.registered", "ann", {"name": "Ann Quince", "stage": "customer"}, id="ann"),
        tell("customer.registered", "bob", {"name": "Bob Plum", "stage": "customer"}, id="bob"),
        tell("contact.received", "C1", CONTACT | {"customer_id": "ann", "message": "Ann speaking"}, id="c1"),
        tell("contact.received", "C2", CONTACT | {"message": "it is me, Ann"}, id="c2"),
        tell("contact.identified", "C2", {"customer_id": "ann"}, id="c2-who"),
        tell("contact.received", "C3", CONTACT | {"customer_id": "bob", "message": "Bob speaking"}, id="c3"),
        tell("requirement.captured", "R1", REQUIREMENT | {"contact_id": "C2"}, id="r1"),
        tell("delivery.planned", "D1", {"requirement_id": "R1", "due_at": "2026-05-01T00:00:00Z"}, id="d1"),
        tell("delivery.progressed", "D1", {"percent": 10}, id="d1-why", reason="as Ann pressed for it"),
    )
