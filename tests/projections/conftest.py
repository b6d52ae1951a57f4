"""A small world per test, and one simulated company, never written to, for all that only read."""

from collections.abc import Iterator

import pytest

from ledger.log.application import Ledger
from tests.projections.worlds import World, caught_up, new_ledger, play_company


@pytest.fixture
def world(postgres: str, template: str) -> Iterator[World]:
    """A new ledger with live tables, told its clock by the events."""
    with new_ledger(postgres, template) as ledger:
        yield World(ledger)


@pytest.fixture(scope="session")
def company(postgres: str, template: str) -> Iterator[Ledger]:
    """A company's first weeks, projected. Tests only read it."""
    with new_ledger(postgres, template) as ledger:
        play_company(ledger, contacts=200, days=130)
        caught_up(ledger)
        yield ledger
