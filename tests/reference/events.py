"""The events as the reference sees them: plain records, all times in µs since 1970 UTC.

`effective` leaves out what is voided and what was not known or had not occurred; `streams` puts a subject's events in
the order of the tables: the opening event first, then by occurred_at, then by position.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

OPENINGS = {
    "customer": ("customer.registered",),
    "contact": ("contact.received",),
    "handoff": ("handoff.requested",),
    "requirement": ("requirement.captured",),
    "delivery": ("delivery.planned",),
    "plan": ("plan.drafted",),
    "notice": ("notice.issued",),
    "notice_delivery": ("notice_delivery.sent",),
    "script": ("script.published",),
    "review": ("review.sampled",),
    "survey": ("survey.sent",),
    "staff": ("staff.trained", "staff.assessed"),
    "baseline": ("baseline.frozen",),
    "benchmark": ("benchmark.entered",),
    "report": ("report.issued",),
}
"""What begins a subject. A member of staff begins with whatever is told of them."""


@dataclass(frozen=True)
class Told:
    """One recorded event; `data` holds its fields, times and quarters (first day, midnight UTC) as µs."""

    position: int
    type: str
    aggregate: str
    subject: str
    occurred_at: int
    recorded_at: int
    data: dict[str, Any]


Streams = dict[str, list[Told]]


def effective(told: Iterable[Told], as_of: int | None = None, valid_at: int | None = None) -> list[Told]:
    """The events that count: recorded up to position `as_of`, occurred up to `valid_at`, not voided as known then.

    A void counts by its position alone: "what had occurred by then, as known today" knows today's voids.
    """
    known = [event for event in told if as_of is None or event.position <= as_of]
    voided = {event.data["voided_position"] for event in known if event.type == "record.voided"}
    return [
        event
        for event in known
        if event.type != "record.voided"
        and event.position not in voided
        and (valid_at is None or event.occurred_at <= valid_at)
    ]


def streams(events: Iterable[Told], aggregate: str) -> Streams:
    """subject → its events in table order; a subject whose opening event does not count has no rows (valid_at)."""
    found: Streams = {}
    for event in events:
        if event.aggregate == aggregate:
            found.setdefault(event.subject, []).append(event)
    opening = OPENINGS[aggregate]
    for stream in found.values():
        stream.sort(key=lambda event: (event.type not in opening, event.occurred_at, event.position))
    return {subject: stream for subject, stream in found.items() if stream[0].type in opening}


def of(stream: Iterable[Told], *types: str) -> list[Told]:
    return [event for event in stream if event.type in types]


def first(stream: Iterable[Told], field: str) -> Any:
    """The field of the first event that says it."""
    return next((event.data[field] for event in stream if event.data.get(field) is not None), None)


def last(stream: Iterable[Told], field: str) -> Any:
    """The field of the last event that says it."""
    return first(reversed(list(stream)), field)


def first_at(stream: Iterable[Told]) -> int | None:
    return next((event.occurred_at for event in stream), None)


def last_at(stream: Iterable[Told]) -> int | None:
    return first_at(reversed(list(stream)))


def last_unless_followed(stream: list[Told], wanted: str, *undone_by: str) -> Told | None:
    """The last event of that type, unless one of `undone_by` comes after it in order."""
    kept = None
    for event in stream:
        if event.type == wanted:
            kept = event
        elif event.type in undone_by:
            kept = None
    return kept


def status(stream: Iterable[Told], words: dict[str, str | Callable[[Told], str | None]]) -> str | None:
    """The word of the last event that sets one."""
    said = None
    for event in stream:
        word = words.get(event.type)
        if callable(word):
            word = word(event)
        said = word or said
    return said


def merge_of(stream: Iterable[Told]) -> Told | None:
    """The merge in force: edges go by position, an `unmerged` later in position lifts it."""
    edge = None
    for event in sorted(stream, key=lambda event: event.position):
        if event.type.endswith(".merged"):
            edge = event
        elif event.type.endswith(".unmerged"):
            edge = None
    return edge
