"""Bringing the live tables up to the log at one go: batch by batch, or by a rebuild where that is faster."""

from __future__ import annotations

from ledger.log.application import Ledger
from projections import generations
from projections.projector import Batches
from replays.engine import Progress
from replays.rebuild import rebuild

LEAST_BACKLOG = 20_000
"""Positions below which a rebuild, with its fixed cost of seconds, is never worth it."""
FASTER = 5
"""How many times as many events a second a rebuild takes in as the projector does."""


def bring_up(ledger: Ledger, progress: Progress = lambda *_: None) -> bool:
    """Bring the live tables up to the log's present end; whether that took a rebuild. Raises ReplayRunning."""
    head = ledger.head().position
    with ledger.database.connect() as connection:
        live = generations.live(connection)
        first = generations.position(connection, live)
        if head - first >= LEAST_BACKLOG and (head - first) * FASTER > head:
            rebuild(ledger, compare=False, progress=progress)
            return True
        batches = Batches(ledger, connection, live)
        done = first
        while done < head:
            done += batches.advance(upto=head, wait=True) or head - done
            progress("catching up", done - first, head - first)
    return False
