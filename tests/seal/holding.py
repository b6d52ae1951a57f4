"""What is told to a ledger with witnesses, and waiting for what they hold."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from contextlib import suppress

from ledger.claims import Claim
from ledger.log.application import Ledger
from ledger.seal.keys import signer, verifiers
from ledger.seal.outside import Witnessed, witnessed
from ledger.seal.sealing import status
from tests.seal.test_sealing import await_state
from tests.seal.witness import Witness

Tell = Callable[..., Claim]


def put(ledger: Ledger, tell: Tell, count: int, text: str = "told") -> None:
    """Append so many events and wait for nothing."""
    units = [
        [tell("requirement.captured", uuid.uuid4().hex, {"source_kind": "form", "statement": text})]
        for _ in range(count)
    ]
    assert all(isinstance(outcome, list) for outcome in ledger.append(units, "key"))


def known(ledger: Ledger, witness: Witness) -> None:
    """Tell a witness of a ledger's key, made where it has none yet."""
    with ledger.database.connect() as connection:
        signer(connection, ledger.settings)
        witness.knows(*verifiers(connection))


def held(ledger: Ledger) -> dict[str, Witnessed]:
    with ledger.database.reading() as connection:
        return {each.kind: each for each in witnessed(connection)}


def await_held(ledger: Ledger, reached: Callable[[dict[str, Witnessed]], bool]) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        # before the first word of a witness there is none
        with suppress(KeyError):
            if reached(held(ledger)):
                return
        time.sleep(0.02)
    raise AssertionError(held(ledger))


def await_refused(ledger: Ledger, said: str) -> str:
    await_state(ledger, lambda now: now.halted_by is not None and said in now.halted_by)
    with ledger.database.reading() as connection:
        return status(connection).halted_by or ""
