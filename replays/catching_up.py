"""Bringing the live tables up to the log at one go: batch by batch, or by a rebuild where that is faster."""

from __future__ import annotations

from ledger.log.application import Ledger
from projections import generations
from projections.projector import Batches
from replays.engine import Progress
from replays.rebuild import rebuild

LEAST_BACKLOG = 50_000
"""Positions below which a rebuild, with its fixed cost of seconds, is never worth it."""
FASTER = 3
"""How many times as many events a second a rebuild takes in as the projector does, and it takes in the whole log."""


def far_behind(ledger: Ledger) -> bool:
    """Whether the live tables are so far behind that a rebuild is the shorter way."""
    with ledger.database.connect() as connection:
        position = generations.position(connection, generations.live(connection))
    return shorter(position, ledger.head().position)


def shorter(position: int, head: int) -> bool:
    """Whether a rebuild of all is shorter than the projector's way from one position to another."""
    return head - position >= LEAST_BACKLOG and (head - position) * FASTER > head


def bring_up(ledger: Ledger, progress: Progress = lambda *_: None) -> bool:
    """Bring the live tables up to the log's present end; whether that took a rebuild. Raises ReplayRunning."""
    if far_behind(ledger):
        rebuild(ledger, compare=False, progress=progress)
        return True
    head = ledger.head().position
    with ledger.database.connect() as connection:
        live = generations.live(connection)
        done = first = generations.position(connection, live)
        batches = Batches(ledger, connection, live)
        while done < head:
            done += batches.advance(upto=head, wait=True) or head - done
            progress("catching up", done - first, head - first)
    return False
