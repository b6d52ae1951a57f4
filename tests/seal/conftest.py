"""A ledger with entries in it, and sealing it step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from ledger.claims import Claim
from ledger.log.application import Ledger
from ledger.seal.keys import signer
from ledger.seal.notes import Checkpoint
from ledger.seal.sealing import seal
from ledger.settings import Settings


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Of a ledger that keeps personal texts as they are told: tests alter them as a superuser would."""
    Ledger.open(settings.model_copy(update={"encrypt": False})).close()
    return settings


@pytest.fixture
def connection(ledger: Ledger) -> Iterator[Connection[Any]]:
    with ledger.database.connect() as connection:
        yield connection


@pytest.fixture
def superuser(database: str) -> Iterator[Connection[Any]]:
    """Somebody who may do anything to the test's own database, and has switched the triggers off."""
    with psycopg.connect(database, autocommit=True) as connection:
        for table in ("entries", "names", "tiles", "checkpoints", "seal_keys"):
            connection.execute(f"ALTER TABLE log.{table} DISABLE TRIGGER ALL".encode())
        yield connection


@pytest.fixture
def append(ledger: Ledger, tell: Callable[..., Claim]) -> Callable[[int], None]:
    """Appends so many events."""
    told = 0

    def more(count: int) -> None:
        nonlocal told
        units = []
        for number in range(told, told + count):
            data = {"source_kind": "form", "customer_id": f"C{number % 7}", "statement": f"no. {number}"}
            units.append([tell("requirement.captured", f"R{number}", data)])
        told += count
        ledger.append(units, "key")

    return more


@pytest.fixture
def sealed(append: Callable[[int], None], connection: Connection[Any], ledger: Ledger) -> Callable[..., Checkpoint]:
    """Appends so many events for each number given, and seals after each."""

    def do(*counts: int) -> Checkpoint:
        key = signer(connection, ledger.settings)
        for count in counts:
            append(count)
            while (found := seal(connection, key)) is not None:
                made = found
        return made

    return do
