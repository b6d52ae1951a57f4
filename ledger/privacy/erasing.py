"""Erasing: one person asks that a customer's personal texts be erased, another approves, and their keys are destroyed.

The log stays as it is, and so do all proofs: what was encrypted under those keys can be read by nobody any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from psycopg import Connection

from ledger.aggregates.customer import Customer, CustomerErasureRequested
from ledger.claims import Claim, Recorded, claim, decode
from ledger.errors import LedgerError, Refused
from ledger.log.deciding import Appended
from ledger.privacy.destroying import CUSTOMER, DESTROYED, gone, keys_of
from ledger.privacy.encryption import parts_of
from ledger.second_person import another_person
from ledger.voids import effective, fold

if TYPE_CHECKING:
    from ledger.log.application import Ledger

SOURCE: Final = "/ledger/erasures"
REQUESTED: Final = CustomerErasureRequested.about.type
TRIES: Final = 5
ID_DIGITS: Final = 32
TOLD: Final = """
SELECT entry FROM log.entries AS told
WHERE type IN ('customer.erasure_requested', 'customer.key_destroyed')
  AND NOT EXISTS (SELECT FROM log.entries AS void WHERE void.voided_position = told.position)
ORDER BY position
"""
MERGED: Final = """
SELECT DISTINCT entries.subject FROM log.names JOIN log.entries USING (position)
WHERE names.aggregate = 'customer' AND names.subject = %s AND names.field = 'into_id'
"""
ALIVE: Final = """
SELECT kept.aggregate || ':' || kept.subject || '/' || kept.number
FROM unnest(%s::text[], %s::text[], %s::integer[]) AS asked (aggregate, subject, number)
JOIN log.data_keys AS kept
  ON kept.aggregate = asked.aggregate AND kept.subject = asked.subject AND kept.number = asked.number
WHERE kept.wrapped IS NOT NULL
"""


class NotEncrypted(Refused):
    """The ledger was created without encryption: nothing in it can be erased."""

    def __init__(self) -> None:
        super().__init__(
            "ledger.not_encrypted",
            "this ledger keeps personal texts as they are told, which was decided when it was created: nothing in it "
            "can be erased. A new ledger with LEDGER_ENCRYPT=true can.",
        )


@dataclass(frozen=True)
class Request:
    """A customer's erasure that waits for a second person. `requested_by` is a key's id."""

    customer: str
    request_id: str
    basis: str
    position: int
    requested_at: datetime
    requested_by: str


@dataclass(frozen=True)
class Erasure:
    """What was erased: the customers (all of a merged group), the keys destroyed, and the last event that says so."""

    customers: tuple[str, ...]
    keys: int
    position: int


def ask(ledger: Ledger, customer: str, *, basis: str, request_id: str, by: str) -> Appended:
    """Ask for a customer's erasure, under key `by`. Asking again under the same request changes nothing.

    Raises NotEncrypted, Invalid, Refused, Unavailable.
    """
    if not ledger.encrypted:
        raise NotEncrypted
    asked = claim(
        REQUESTED,
        customer,
        {"basis": basis, "request_id": request_id},
        id=_id(request_id, customer),
        source=SOURCE,
        occurred_at=ledger.now(),
    )
    earlier = ledger.find(asked.source, asked.id)
    if earlier is not None:
        asked.occurred_at = earlier.occurred_at
    return _appended(ledger, [asked], by)[0]


def waiting(ledger: Ledger) -> list[Request]:
    """The requests that nobody has approved, the oldest first."""
    found: dict[str, Recorded] = {}
    with ledger.database.reading() as connection:
        for (entry,) in connection.execute(TOLD):
            told = decode(bytes(entry))
            if told.type == REQUESTED:
                found[told.subject] = told
            else:
                found.pop(told.subject, None)
    return [_request(told) for told in found.values()]


def approve(ledger: Ledger, customer: str, *, by: str) -> Erasure:
    """Approve a customer's erasure under key `by`, which is not the one that asked; the keys are destroyed.

    Raises NotEncrypted, Refused, RegisterFailed, Unavailable.
    """
    if not ledger.encrypted:
        raise NotEncrypted
    request = _of(ledger, customer)
    if request is None:
        raise Refused("customer.erasure_not_requested", f"nobody has asked that {customer} be erased: ask first")
    another_person(request.requested_by, by, f"erasing {customer}")
    for attempt in range(1, TRIES + 1):
        try:
            return _erase(ledger, request, by)
        except Refused as refusal:
            if refusal.rule != "customer.keys_left" or attempt == TRIES:
                raise
    raise AssertionError("not reached")


def again(ledger: Ledger) -> int:
    """Destroy again what the register says was destroyed and is there, as after a restore from a backup; how many keys.

    An event that the log has lost is told again, under the key that approved. Raises RegisterFailed, Unavailable.
    """
    destroyed = 0
    for line in ledger.register.lines():
        with ledger.database.connect() as connection:
            alive = connection.execute(ALIVE, parts_of(line.destroyed_keys)).fetchall()
            told = ledger.find(SOURCE, line.id)
            if told is None:
                keys = sorted({*line.destroyed_keys, *keys_of(connection, [line.customer])})
                lost = _claim(ledger, line.customer, line.basis, line.request_id, keys, line.id)
                _appended(ledger, [lost], line.approved_by)
            elif alive:
                gone(connection, line.destroyed_keys, told.position)
            else:
                continue
            _vacuum(connection)
        destroyed += len(alive)
    return destroyed


def _of(ledger: Ledger, customer: str) -> Request | None:
    last: Recorded | None = None
    for told in effective(ledger.stream(CUSTOMER, customer)):
        if told.type in (REQUESTED, DESTROYED):
            last = told
    return _request(last) if last is not None and last.type == REQUESTED else None


def _request(told: Recorded) -> Request:
    data = told.data
    assert isinstance(data, CustomerErasureRequested)
    return Request(told.subject, data.request_id, data.basis, told.position, told.recorded_at, told.recorded_by)


def _erase(ledger: Ledger, request: Request, by: str) -> Erasure:
    with ledger.database.connect() as connection:
        customers = _group(ledger, connection, request.customer)
        # what two of them share is destroyed once
        keys: dict[str, list[str]] = {}
        known: set[str] = set()
        for customer in customers:
            keys[customer] = [key for key in keys_of(connection, [customer]) if key not in known]
            known.update(keys[customer])
        claims = [
            _claim(ledger, each, request.basis, request.request_id, keys[each], _id(request.request_id, each, request))
            for each in customers
        ]
        told = _appended(ledger, claims, by)
        _vacuum(connection)
    return Erasure(tuple(customers), len(known), told[-1].position)


def _claim(ledger: Ledger, customer: str, basis: str, request_id: str, keys: list[str], event_id: str) -> Claim:
    data: dict[str, Any] = {"basis": basis, "request_id": request_id, "destroyed_keys": tuple(keys)}
    return claim(DESTROYED, customer, data, id=event_id, source=SOURCE, occurred_at=ledger.now())


def _id(request_id: str, customer: str, request: Request | None = None) -> str:
    """The id of a request's event, or of the event that answers a request: the same whenever it is told again."""
    told = [
        request_id,
        customer,
        *([] if request is None else [str(request.position), request.requested_at.isoformat()]),
    ]
    return hashlib.sha256("\x00".join(told).encode()).hexdigest()[:ID_DIGITS]


def _appended(ledger: Ledger, claims: list[Claim], by: str) -> list[Appended]:
    """Append claims in a transaction of their own."""
    (outcome,) = ledger.append([claims], by)
    if isinstance(outcome, LedgerError):
        raise outcome
    return outcome


def _group(ledger: Ledger, connection: Connection[Any], customer: str) -> list[str]:
    """All customers that are merged with this one now, the survivor first."""

    def merged_into(subject: str) -> str | None:
        state = fold(CUSTOMER, ledger.stream(CUSTOMER, subject))
        return state.merged_into if isinstance(state, Customer) else None

    survivor = customer
    while (above := merged_into(survivor)) is not None:
        survivor = above
    return [*_with_merged(connection, survivor, merged_into)]


def _with_merged(connection: Connection[Any], survivor: str, merged_into: Any) -> Iterator[str]:
    yield survivor
    for (subject,) in connection.execute(MERGED, [survivor]).fetchall():
        if merged_into(subject) == survivor:
            yield from _with_merged(connection, subject, merged_into)


def _vacuum(connection: Connection[Any]) -> None:
    """Rows that are gone are overwritten in the table's file; the database's log of changes keeps them for a while."""
    connection.execute("VACUUM log.data_keys")
