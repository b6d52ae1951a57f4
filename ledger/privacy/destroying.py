"""Destroying data keys: which are a customer's, and the one transaction in which they go and the log says so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from psycopg import Connection

from ledger.aggregates.customer import CustomerKeyDestroyed
from ledger.claims import Recorded
from ledger.errors import Refused
from ledger.events import CATALOGUE
from ledger.log.database import text_array
from ledger.privacy.encryption import parts_of
from ledger.privacy.register import Line, Register

CUSTOMER: Final = "customer"
DESTROYED: Final = CustomerKeyDestroyed.about.type
CONCERNING: Final = frozenset({CUSTOMER, "contact", "requirement"})
"""What a customer's streams are opened with."""
NOT_THEIRS: Final = frozenset({"plan"})
"""What is opened with a requirement and is the company's own all the same."""
BELONGING: Final = sorted(
    {"contact.identified"}
    | {
        known.name
        for known in CATALOGUE.values()
        if known.opens
        and known.aggregate not in NOT_THEIRS
        and any(field.refers_to in CONCERNING for field in known.fields)
    }
)
"""The events that say whose a stream is: they name the customer, or a contact or requirement of theirs."""
KEYS_OF: Final = """
WITH RECURSIVE theirs (aggregate, subject) AS (
    SELECT 'customer'::text COLLATE "C", asked COLLATE "C" FROM unnest(%s::text[]) AS asked
    UNION
    SELECT entry.aggregate, entry.subject
    FROM theirs
    JOIN log.names AS named ON named.aggregate = theirs.aggregate AND named.subject = theirs.subject
    JOIN log.entries AS entry ON entry.position = named.position
    WHERE entry.type = ANY(%s)
      AND NOT EXISTS (SELECT FROM log.entries AS void WHERE void.voided_position = entry.position)
)
SELECT aggregate || ':' || subject || '/' || number FROM theirs JOIN log.data_keys USING (aggregate, subject)
WHERE wrapped IS NOT NULL ORDER BY 1
"""
DESTROY: Final = """
UPDATE log.data_keys AS kept SET wrapped = NULL, wrapped_by = NULL, destroyed_at = %s
FROM unnest(%s::text[], %s::text[], %s::integer[]) AS asked (aggregate, subject, number)
WHERE kept.aggregate = asked.aggregate AND kept.subject = asked.subject AND kept.number = asked.number
"""


def keys_of(connection: Connection[Any], customers: Iterable[str]) -> list[str]:
    """The names of all keys that open anything of these customers: theirs, and those of their streams."""
    rows = connection.execute(KEYS_OF, [text_array(list(customers)), BELONGING])
    return [name for (name,) in rows]


def destroy(connection: Connection[Any], register: Register, entries: Sequence[Recorded]) -> bool:
    """Destroy the keys that these entries say are destroyed, in their transaction, under the ledger's lock.

    The register has them before. Gives whether any were. Raises Refused where a key of those customers would be left
    (something was recorded in the meantime), RegisterFailed.
    """
    told = [(entry, entry.data) for entry in entries if isinstance(entry.data, CustomerKeyDestroyed)]
    if not told:
        return False
    listed = {key for _, data in told for key in data.destroyed_keys or ()}
    customers = [entry.subject for entry, _ in told]
    if len(told) < len(entries) or not listed.issuperset(keys_of(connection, customers)):
        raise Refused(
            "customer.keys_left",
            f"not all keys of {', '.join(customers)} would be destroyed: something was recorded in the meantime; try "
            "again",
        )
    register.add(
        Line(
            customer=entry.subject,
            basis=data.basis,
            request_id=data.request_id,
            destroyed_keys=data.destroyed_keys or (),
            approved_by=entry.recorded_by,
            id=entry.id,
        )
        for entry, data in told
    )
    for entry, data in told:
        gone(connection, data.destroyed_keys or (), entry.position)
    return True


def gone(connection: Connection[Any], keys: Iterable[str], position: int) -> int:
    """Destroy these keys, on account of the event at a position; how many there were."""
    return connection.execute(DESTROY, [position, *parts_of(keys)]).rowcount
