"""Encrypting, erasing and renewing keys under the role that runs the ledger and cannot change the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from ledger.claims import Claim
from ledger.log.application import Ledger
from ledger.privacy import erasing, rotating
from ledger.settings import Settings
from ledger.vocabulary import Erased
from tests.roles import Roles, migrated, roles


@pytest.fixture
def made(postgres: str) -> Iterator[Roles]:
    with roles(postgres) as made:
        migrated(made)
        yield made


def test_the_role_that_runs_encrypts_erases_and_renews(made: Roles, tell: Callable[..., Claim], tmp_path: Path) -> None:
    with Ledger.open(Settings(database_url=made.runner_url, home=tmp_path)) as ledger:
        named = {"stage": "customer"}
        unit = [
            tell("customer.registered", "ann", {"name": "Ann"} | named),
            tell("customer.registered", "bob", {"name": "Bob"} | named),
        ]
        assert isinstance(ledger.append([unit], "key")[0], list)
        erasing.ask(ledger, "ann", basis="GDPR", request_id="dsr-1", by="asks")
        assert erasing.approve(ledger, "ann", by="approves").keys == 1
        assert ledger.wrapping is not None
        with ledger.database.connect() as connection:
            assert rotating.renew(connection, ledger.wrapping) == 1
        ann, bob = (getattr(entry.data, "name", None) for entry in ledger.reveal(ledger.entries(limit=2)))
    assert isinstance(ann, Erased)
    assert bob == "Bob"


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM log.data_keys",
        "TRUNCATE log.data_keys",
        "UPDATE log.data_keys SET subject = 'other'",
        "UPDATE log.wrapping_keys SET fingerprint = 'other'",
        "DELETE FROM log.wrapping_keys",
        "UPDATE log.ledger SET encrypted = false",
    ],
)
def test_it_cannot_take_keys_off_the_record(made: Roles, statement: str) -> None:
    with (
        psycopg.connect(made.runner_url) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"),
    ):
        connection.execute(statement.encode())
