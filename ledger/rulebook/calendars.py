"""Calendars and time zones, worked out into integers: no engine ever does time-zone or working-time arithmetic.

Every instant is microseconds since 1970 UTC; a day is the microseconds of its midnight as if it were UTC.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ledger.rulebook.hours import DAY
from ledger.rulebook.model import EPOCH, SECOND_US, Calendar, day_us, instant_us

MINUTE_US, DAY_US = 60 * SECOND_US, 86_400 * SECOND_US

FIRST_YEAR, LAST_YEAR = 2000, 2049
"""Years that calendars and offsets are worked out for; a clock on a calendar that leaves them has no verdict."""


class CalendarDay(NamedTuple):
    """One local day of one calendar: when it ends, whether a shift starts on it, and how many such days there are up to
    and including it."""

    calendar: str
    day: int
    ends_at: int
    working: bool
    ordinal: int


class CalendarSegment(NamedTuple):
    """A stretch of time of one calendar that is looked up as a whole; instants and durations in microseconds.

    Segments follow one another without a gap. `opens_at` and `closes_at` bound the working time in it (equal where
    there is none), `before_us` is that of all earlier ones. So that a lookup is an equality, no segment goes beyond the
    UTC day it begins in (`utc_day`), nor does its working time go beyond a whole day of it (`work_day`).
    """

    calendar: str
    utc_day: int
    begins_at: int
    ends_at: int
    opens_at: int
    closes_at: int
    before_us: int
    work_day: int


def days(calendar: Calendar, first_year: int = FIRST_YEAR, last_year: int = LAST_YEAR) -> Iterator[CalendarDay]:
    """The local days of a calendar, in order. A day on which no shift has any time is none to work on."""
    schedule = calendar.schedule()
    ordinal = 0
    day = date(first_year, 1, 1)
    while day.year <= last_year:
        working = any(
            _reached(day, opens, calendar.time_zone) < _reached(day, closes, calendar.time_zone)
            for opens, closes in schedule.on(day)
        )
        ordinal += working
        ends = _reached(day, DAY, calendar.time_zone)
        yield CalendarDay(calendar.name, day_us(day), ends, working, ordinal)
        day += timedelta(days=1)


def segments(calendar: Calendar, first_year: int = FIRST_YEAR, last_year: int = LAST_YEAR) -> Iterator[CalendarSegment]:
    """The segments of a calendar, in order. Working time across a change of the clocks is what really passes."""
    first = _reached(date(first_year, 1, 1), 0, calendar.time_zone)
    last = _reached(date(last_year, 12, 31), DAY, calendar.time_zone)
    pieces = _pieces(calendar, first, last)
    piece = next(pieces, None)
    at, before = first, 0
    while at < last:
        end_of_day = min(last, at - at % DAY_US + DAY_US)
        opens = closes = end_of_day
        if piece is not None and piece[0] < end_of_day:
            opens, closes = piece
            piece = next(pieces, None)
        ends = min(end_of_day, piece[0]) if piece is not None else end_of_day
        yield CalendarSegment(
            calendar.name, at - at % DAY_US, at, ends, opens, closes, before, before - before % DAY_US
        )
        before += closes - opens
        at = ends


def _pieces(calendar: Calendar, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Working time between two instants, cut where a UTC day ends and where a whole day of it is full."""
    worked = 0
    for opens, closes in _shifts(calendar, first, last):
        at = max(opens, first)
        while at < min(closes, last):
            until = min(closes, last, at - at % DAY_US + DAY_US, at + DAY_US - worked % DAY_US)
            yield at, until
            worked += until - at
            at = until


def _shifts(calendar: Calendar, first: int, last: int) -> Iterator[tuple[int, int]]:
    """The shifts from the day before an instant's day on (its last one may go past midnight) up to another instant."""
    schedule = calendar.schedule()
    day = EPOCH.date() + timedelta(microseconds=local_day(first, calendar.time_zone), days=-1)
    while _reached(day, 0, calendar.time_zone) < last:
        for opens, closes in schedule.on(day):
            yield _reached(day, opens, calendar.time_zone), _reached(day, closes, calendar.time_zone)
        day += timedelta(days=1)


def _reached(day: date, minute: int, zone_name: str) -> int:
    """The first instant at which the clock on the wall shows a minute of a day, or a later one.

    In the gap of a clock put forward that is the change itself, and of the two instants of one put back the earlier:
    so a later minute never comes earlier, and shifts that do not overlap on the wall do not overlap.
    """
    wall = day_us(day) + minute * MINUTE_US
    changes = offsets(zone_name)
    nth = max(bisect_right(changes, (wall - DAY_US, 0)) - 1, 0)
    while True:
        begins, offset = changes[nth] if nth else (wall - DAY_US, changes[0][1])
        at = max(begins, wall - offset)
        nth += 1
        if nth == len(changes) or at < changes[nth][0]:
            return at


@cache
def offsets(zone_name: str) -> tuple[tuple[int, int], ...]:
    """When a zone's offset from UTC changes: (first instant, offset), the first pair holding from the beginning.

    Found by bisection between the days on which it differs, so that it depends on nothing but `zoneinfo`.
    """
    zone = ZoneInfo(zone_name)

    def offset(instant: int) -> int:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant)
        shift = moment.astimezone(zone).utcoffset()
        assert shift is not None
        return shift // timedelta(microseconds=1)

    at = instant_us(datetime(FIRST_YEAR, 1, 1, tzinfo=UTC))
    end = instant_us(datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC))
    found = [(at, offset(at))]
    while at < end:
        if offset(at + DAY_US) != found[-1][1]:
            low, high = at // SECOND_US, (at + DAY_US) // SECOND_US
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle * SECOND_US) == found[-1][1] else (low, middle)
            found.append((high * SECOND_US, offset(high * SECOND_US)))
        at += DAY_US
    return tuple(found)


def first_moment(day: date, zone_name: str) -> int:
    """The instant a day begins at in a zone, in microseconds."""
    return instant_us(datetime.combine(day, time(), ZoneInfo(zone_name)).astimezone(UTC))


def local_day(instant: int, zone_name: str) -> int:
    """The day an instant falls on in a zone, as the tables' number for days."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant)
    return day_us(moment.astimezone(ZoneInfo(zone_name)).date())
