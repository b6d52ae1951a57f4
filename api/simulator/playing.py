"""Playing a simulated company to a ledger, in order, with the positions of its voids put right."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from api.sending import Destination, NotSent, SendingError, Sent, in_background
from api.simulator.company import FIRST_POSITION

BATCH_EVENTS = 500
REMEMBERED = 20_000
"""How many ids are remembered to know what a retrying service sends again; it does so within minutes."""
VOIDING = frozenset({"record.voided", "void.proposed", "void.declined"})
"""The types of events that name the position of another."""

Event = dict[str, Any]
Progress = Callable[[int, str], None]
"""Called after each batch with the events sent and the simulated time reached (RFC 3339)."""


@dataclass(slots=True)
class Played:
    """What was sent: `appended` events the ledger took, `duplicates` it held already or was sent twice."""

    events: int = 0
    appended: int = 0
    duplicates: int = 0


@dataclass(slots=True)
class _Batch:
    events: list[Event] = field(default_factory=list)
    first_told: list[bool] = field(default_factory=list)
    """Whether the event is told for the first time."""
    voids: list[int] = field(default_factory=list)


def play(
    destination: Destination,
    events: Iterable[Event],
    *,
    first_position: int = FIRST_POSITION,
    progress: Progress | None = None,
) -> Played:
    """Send events in batches, keeping their order; the next batch is made while one is on its way.

    Positions that voids name are counted from `first_position`, as in `company`; they are replaced by those the
    ledger answered with. So a company can be played to a ledger that holds other things, and again to one that holds
    a part of it already. Raises SendingError when the ledger is out of reach or refuses an event; what was sent before
    stays.
    """
    positions = array("q")  # of every event told for the first time, in order
    played = Played()

    def send(batch: _Batch) -> Sent:
        for place in batch.voids:
            event = batch.events[place]
            position = positions[voided(event) - first_position]
            named = {"data": {"voided_position": position}} if event["data"] else {"subject": str(position)}
            batch.events[place] = {**event, **named}
        (outcome,) = destination.send([batch.events])
        if isinstance(outcome, NotSent):
            raise SendingError(f"The ledger refuses the simulated company: {outcome.reason}")
        positions.extend(position for position, first in zip(outcome.positions, batch.first_told, strict=True) if first)
        return outcome

    for batch, sent in in_background(send, _batches(events, first_position)):
        played.events += len(batch.events)
        played.duplicates += sent.duplicates
        played.appended += len(batch.events) - sent.duplicates
        if progress is not None:
            progress(played.events, batch.events[-1]["recordedat"])
    return played


def voided(event: Event) -> int:
    """The position that an event of `VOIDING` speaks of."""
    return int(event["data"].get("voided_position", event["subject"]))


def _batches(events: Iterable[Event], first_position: int) -> Iterator[_Batch]:
    """Batches in which no void stands with what it voids: its position must have been answered before."""
    recent: dict[tuple[str, str], None] = {}
    told = 0
    batch, begun = _Batch(), 0
    for event in events:
        void = event["type"] in VOIDING
        if len(batch.events) >= BATCH_EVENTS or (void and voided(event) - first_position >= begun and batch.events):
            yield batch
            batch, begun = _Batch(), told
        key = (event["source"], event["id"])
        first = key not in recent
        if first:
            told += 1
            recent[key] = None
            if len(recent) > REMEMBERED:
                del recent[next(iter(recent))]
        if void:
            batch.voids.append(len(batch.events))
        batch.events.append(event)
        batch.first_told.append(first)
    if batch.events:
        yield batch
