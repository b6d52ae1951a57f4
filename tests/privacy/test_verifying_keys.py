"""`verify` finds data keys that are gone without a word, that came back, or that were exchanged."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ledger.claims import Claim
from ledger.log.application import Ledger
from ledger.privacy import erasing
from replays.verifying import verify

CONTACT = {"channel": "email", "department": "front_desk", "kind": "inquiry"}
PUT_BACK = (
    "UPDATE log.data_keys SET wrapped = other.wrapped, wrapped_by = other.wrapped_by, destroyed_at = NULL "
    "FROM (SELECT wrapped, wrapped_by FROM log.data_keys WHERE subject = 'C2') AS other WHERE subject = 'C1'"
)
FORCED = "ALTER TABLE log.data_keys DISABLE TRIGGER kept"


@pytest.fixture
def told(ledger: Ledger, tell: Callable[..., Claim]) -> Ledger:
    """Two contacts, of which the first one's customer was erased; the second has an id that JSON escapes."""
    units = [
        [tell("contact.received", "C1", CONTACT | {"customer_id": "ann", "message": "Ann"})],
        [tell("contact.received", "C2", CONTACT | {"customer_id": "bob", "message": "Bob"})],
        [tell("contact.received", 'C"3\\', CONTACT | {"customer_id": "bob", "message": "Bob"}, reason="so")],
    ]
    assert all(isinstance(outcome, list) for outcome in ledger.append(units, "key"))
    erasing.ask(ledger, "ann", basis="GDPR", request_id="dsr-1", by="asks")
    erasing.approve(ledger, "ann", by="approves")
    return ledger


def found(ledger: Ledger, *statements: str) -> list[str]:
    with ledger.database.connect() as connection:
        for statement in statements:
            connection.execute(statement.encode())
    return [str(one) for one in verify(ledger).findings]


def test_an_erasure_is_nothing_wrong(told: Ledger) -> None:
    assert found(told) == []


def test_a_key_that_was_deleted(told: Ledger) -> None:
    (wrong,) = found(told, FORCED, """DELETE FROM log.data_keys WHERE subject = 'C"3\\'""")
    assert wrong == 'position 3: its data key contact:C"3\\/1 is gone, and no event says that it was destroyed'


def test_a_key_that_was_destroyed_without_an_event(told: Ledger) -> None:
    gone = "UPDATE log.data_keys SET wrapped = NULL, wrapped_by = NULL, destroyed_at = 5 WHERE subject = 'C2'"
    (wrong,) = found(told, gone)
    assert wrong == "position 5: no event here says that the data key contact:C2/1 was destroyed, and it is gone"


def test_a_key_that_was_destroyed_and_is_there_again(told: Ledger) -> None:
    came_back, exchanged = found(told, PUT_BACK)
    assert came_back == "position 5: the data key contact:C1/1 that was destroyed here is there again"
    assert exchanged.startswith("data key contact:C1/1: A data key does not open under the key-encryption key")
