"""Clocks: when each target of the rule book runs out on a row, when it stopped, and what came of it."""

from collections.abc import Iterator
from typing import Any

from tests.reference.book import Book, Target
from tests.reference.calendars import Span, end_of_working_day, overlap, wall_spans
from tests.reference.expressions import Row

Pause = tuple[int, int | None]
Merge = tuple[int, int]
"""A member of the row's group: (when it joined, when it was received)."""


def judge(
    book: Book, target: Target, row: Row, pauses: list[Pause] | None = None, merges: list[Merge] | None = None
) -> Row | None:
    """{started_at, deadline, stopped_at, ended_at, outcome, elapsed_us}; None where no clock runs on the row."""
    start = row[target.start]
    if start is None:
        return None
    if target.deadline is None and target.limit(row) is None:
        return None
    pauses = _tidy(pauses or []) if target.pauses else []
    stop = row[target.stop]
    # A verdict of the survivor's own that was given before a member joined stands (clock 7).
    own_end = _earlier(stop, _deadline(book, target, row, start, pauses))
    joined = [received for joined_at, received in merges or [] if own_end is None or joined_at < own_end]
    start = min([start, *joined])
    deadline = _deadline(book, target, row, start, pauses)
    ended = _earlier(stop, deadline)
    dropped = min(
        ((row[name], name.removesuffix("_at")) for name in target.dropped_by if row[name] is not None), default=None
    )
    verdict: str | None
    if dropped is not None and (ended is None or dropped[0] < ended):
        ended, verdict = dropped
    elif stop is not None:
        verdict = "met" if deadline is None or stop <= deadline else "missed"
    else:
        verdict = None
    return {
        "started_at": start,
        "deadline": deadline,
        "stopped_at": stop,
        "ended_at": ended,
        "outcome": verdict,
        "elapsed_us": None if stop is None else _elapsed(book, target, start, stop, pauses),
    }


def columns(target: Target, verdict: Row | None) -> Row:
    """The columns a clock gives its table."""
    kept = ("started_at", "deadline", "stopped_at", "ended_at", "outcome", "elapsed_us")
    return {f"{target.name}_{name}": None if verdict is None else verdict[name] for name in kept}


def _deadline(book: Book, target: Target, row: Row, start: int, pauses: list[Pause]) -> int | None:
    if target.deadline is not None:
        found: int | None = row[target.deadline]
        return found
    limit = target.limit(row)
    assert limit is not None
    amount, days = limit
    if days is not None:
        # Reading taken: working days are counted on the calendar alone; no pause shifts them.
        return end_of_working_day(start, days, book.calendars[target.clock], book.zone)
    assert amount is not None
    return _reaches(_spans(book, target, start), start, amount, pauses)


def _reaches(spans: Iterator[Span], start: int, amount: int, pauses: list[Pause]) -> int | None:
    """The first instant at which working time outside the pauses comes to `amount`; None when an open pause is first.

    A pause that begins when the limit is already reached is never looked at, so it shifts nothing.
    """
    if amount == 0:
        return start
    reached = 0
    for opens, closes in spans:
        at = opens
        for paused, resumed in [*pauses, (closes, closes)]:
            run = max(0, min(paused, closes) - at)
            if reached + run >= amount:
                return at + amount - reached
            reached += run
            if paused >= closes:
                break
            if resumed is None:
                return None
            at = max(at, min(resumed, closes))
    raise ValueError("the limit is not reached in ten years")


def _elapsed(book: Book, target: Target, start: int, stop: int, pauses: list[Pause]) -> int:
    """Working time from start to stop outside the pauses, µs; a stop before its start has elapsed 0."""
    if stop <= start:
        return 0
    paused = 0
    for begin, end in pauses:
        inside = (max(begin, start), min(stop if end is None else end, stop))
        if inside[0] < inside[1]:
            paused += overlap(_spans(book, target, start), *inside)
    return overlap(_spans(book, target, start), start, stop) - paused


def _spans(book: Book, target: Target, start: int) -> Iterator[Span]:
    return wall_spans(start) if target.clock == "wall" else book.calendars[target.clock].spans(start)


def _tidy(pauses: list[Pause]) -> list[Pause]:
    """In order of their beginning; one that ended before it began is none."""
    return sorted((pause for pause in pauses if pause[1] is None or pause[1] > pause[0]), key=lambda pause: pause[0])


def _earlier(*moments: Any) -> int | None:
    return min((moment for moment in moments if moment is not None), default=None)
