"""Tasks that record what follows from the tables: one at a time, on tables that hold the whole log.

What the tables do not show yet would otherwise be recorded a second time, by another process or by the same one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from ledger.errors import LedgerError
from ledger.log.application import Ledger
from projections.generations import live, position

LOCK = "SELECT pg_try_advisory_lock(72463319, hashtext(%s))"
UNLOCK = "SELECT pg_advisory_unlock(72463319, hashtext(%s))"
PATIENCE_SECONDS = 30.0
STEP_SECONDS = 0.1


class NotNow(LedgerError):
    """It cannot be done now: another process is at it, or the tables do not reach the end of the log."""


@contextmanager
def settled(ledger: Ledger, task: str) -> Iterator[None]:
    """Do a task alone, once the tables hold all that is recorded now. Raises NotNow."""
    with ledger.database.connect() as connection:
        # the lock goes with the connection, however this process ends
        row = connection.execute(LOCK, [task]).fetchone()
        if row is None or not row[0]:
            raise NotNow(f"another process is at it already: {task}")
        try:
            _wait_for_tables(ledger)
            yield
        finally:
            connection.execute(UNLOCK, [task])


def _wait_for_tables(ledger: Ledger) -> None:
    wanted = ledger.head().position
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        with ledger.database.reading() as connection:
            reached = position(connection, live(connection))
        if reached >= wanted:
            return
        if time.monotonic() > until:
            raise NotNow(f"the tables have reached position {reached} of {wanted}: is a projector running?")
        time.sleep(STEP_SECONDS)
