"""Clocks: when each target of the rule book runs out on a row, when it stopped, and what came of it."""

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

from tests.reference.book import Book, Target
from tests.reference.calendars import Span, end_of_working_day, local_date, overlap, wall_spans
from tests.reference.expressions import Row

Pause = tuple[int, int | None]
PARTS = ("started_at", "deadline", "stopped_at", "ended_at", "outcome", "elapsed_us")
UNKNOWN = "unknown"
YEARS = range(2000, 2050)
"""The years calendars are worked out for."""
Merge = tuple[int, int]
"""A member of the row's group: (when it joined, when it was received)."""


def judge(
    book: Book, target: Target, row: Row, pauses: list[Pause] | None = None, merges: list[Merge] | None = None
) -> Row | None:
    """{started_at, deadline, stopped_at, ended_at, outcome, elapsed_us}; None where no clock runs on the row.

    Reading taken: what has no limit is measured all the same, and nothing more is said of it than when it stopped and
    what had elapsed, unless it was dropped before it stopped. Where the calendar is not known for the years a clock
    runs in, nobody can say what became of it: its outcome is `unknown`.
    """
    start = row[target.start]
    if start is None:
        return None
    limited = row[target.deadline] is not None if target.deadline else target.limit(row) is not None
    pauses = _tidy(pauses or []) if target.pauses else []
    stop = row[target.stop]
    # A verdict of the survivor's own that was given before a member joined stands (clock 7).
    own_end = _earlier(stop, _known(_deadline(book, target, row, start, pauses)))
    joined = [received for joined_at, received in merges or [] if own_end is None or joined_at < own_end]
    start = min([start, *joined])
    due = _deadline(book, target, row, start, pauses)
    deadline = _known(due)
    ended = _earlier(stop, deadline)
    dropped = min(
        ((row[name], name.removesuffix("_at")) for name in target.dropped_by if row[name] is not None), default=None
    )
    verdict: str | None
    if dropped is not None and (ended is None or dropped[0] < ended):
        if not limited:
            return None
        ended, verdict = dropped
    elif due == UNKNOWN:
        verdict = UNKNOWN
    elif stop is not None:
        verdict = "met" if deadline is None or stop <= deadline else "missed"
    else:
        verdict = None
    elapsed = None if stop is None else _elapsed(book, target, start, stop, pauses)
    if not limited:
        return dict.fromkeys(PARTS) | {"stopped_at": stop, "elapsed_us": elapsed}
    return dict(zip(PARTS, (start, deadline, stop, ended, verdict, elapsed), strict=True))


def runs(verdict: Row | None) -> bool:
    """Whether it is a clock, not only a measure."""
    return verdict is not None and verdict["started_at"] is not None


def columns(target: Target, verdict: Row | None) -> Row:
    """The columns a clock gives its table."""
    return {f"{target.name}_{name}": None if verdict is None else verdict[name] for name in PARTS}


def _known(due: Any) -> int | None:
    return None if due == UNKNOWN else due


def _deadline(book: Book, target: Target, row: Row, start: int, pauses: list[Pause]) -> Any:
    """An instant; None where there is no limit or the clock stands still; UNKNOWN where the calendar does not tell."""
    if target.deadline is not None:
        return row[target.deadline]
    limit = target.limit(row)
    if limit is None:
        return None
    amount, days = limit
    if target.clock == "wall":
        assert amount is not None
        return _reaches(wall_spans(start), start, amount, pauses)
    zone = book.zone if days is not None else book.calendars[target.clock].zone
    if not _covered(start, zone):
        return UNKNOWN
    due = _due(book, target, start, amount, days, pauses)
    # an instant of the first midnight after the last year is not covered, the last µs before it is
    return due if due is None or _covered(due, zone) else UNKNOWN


def _covered(at: int, zone: ZoneInfo) -> bool:
    return local_date(at, zone).year in YEARS


def _due(
    book: Book, target: Target, start: int, amount: int | None, days: int | None, pauses: list[Pause]
) -> int | None:
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


def _elapsed(book: Book, target: Target, start: int, stop: int, pauses: list[Pause]) -> int | None:
    """Working time from start to stop outside the pauses, µs; a stop before its start has elapsed 0."""
    if target.clock != "wall" and not all(_covered(at, book.calendars[target.clock].zone) for at in (start, stop)):
        return None
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
