"""A ledger with entries in it, sealed step by step or by itself, a small witness, and a database that is set back."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict

from ledger.claims import Claim
from ledger.log.application import Ledger
from ledger.seal.keys import signer
from ledger.seal.notes import Checkpoint
from ledger.seal.sealing import Sealer, seal
from ledger.settings import Settings
from tests.seal.holding import Tell
from tests.seal.witness import Witness


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


@pytest.fixture
def witness() -> Iterator[Witness]:
    with Witness().served() as served:
        yield served


@pytest.fixture
def restore(postgres: str, database: str) -> Iterator[Callable[[], Callable[[], None]]]:
    """Backs the test's database up as it stands; the result puts it back so."""
    name, made = conninfo_to_dict(database)["dbname"], []

    def execute(*statements: sql.Composed) -> None:
        with psycopg.connect(postgres, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def copy(source: str, target: str) -> None:
        parts = sql.Identifier(target), sql.Identifier(source)
        execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(parts[0]),
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*parts),
        )

    def back_up() -> Callable[[], None]:
        kept = f"ledger_backup_{uuid.uuid4().hex[:12]}"
        made.append(kept)
        copy(str(name), kept)
        return lambda: copy(kept, str(name))

    yield back_up
    for each in made:
        execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(each)))


@pytest.fixture
def run(settings: Settings, tell: Tell) -> Callable[..., Any]:
    """Runs a process of the ledger, as it were, with these witnesses: a context of a ledger that seals."""

    @contextmanager
    def running(*places: str, **more: Any) -> Iterator[Ledger]:
        more = {"witnesses": " ".join(places), "witness_seconds": 0.1, "seal_seconds": 0.02} | more
        changed = Settings(database_url=settings.database_url, home=settings.home, poll_seconds=0.1, **more)
        with Ledger.open(changed) as ledger, ledger.waker() as waker:
            sealer = Sealer(ledger.database, waker)
            sealer.start()
            try:
                yield ledger
            finally:
                sealer.stop()

    return running
