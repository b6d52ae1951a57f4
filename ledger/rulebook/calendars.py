"""Calendars and time zones, worked out into integers: no engine ever does time-zone or working-time arithmetic.

Every instant is microseconds since 1970 UTC; a day is the microseconds of its midnight as if it were UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from ledger.rulebook.model import SECOND_US, Calendar, day_us, instant_us

FIRST_YEAR, LAST_YEAR = 2000, 2049
"""Years that calendars and offsets are worked out for; a clock on a calendar that leaves them has no verdict."""


@dataclass(frozen=True)
class CalendarDay:
    """One local day of one calendar; instants and durations in microseconds.

    `opens_at` and `closes_at` bound its working interval (equal on a day off); `before_us` is the working time of all
    earlier days; `ordinal` counts the working days up to and including this one.
    """

    calendar: str
    day: int
    ends_at: int
    opens_at: int
    closes_at: int
    before_us: int
    working: bool
    ordinal: int


def days(calendar: Calendar, first_year: int = FIRST_YEAR, last_year: int = LAST_YEAR) -> Iterator[CalendarDay]:
    """Work a calendar out, day by day. Working time across a change of the clocks is the time that really passes."""
    zone = ZoneInfo(calendar.time_zone)
    weekly = calendar.weekly()
    usual = next(iter(weekly.values()))
    holidays, workdays = set(calendar.holidays), set(calendar.workdays)
    before, ordinal = 0, 0
    day = date(first_year, 1, 1)
    while day.year <= last_year:
        following = day + timedelta(days=1)
        ends = _at(following, time(), zone)
        interval = weekly.get(day.weekday())
        if day in workdays:
            interval = interval or usual
        elif day in holidays:
            interval = None
        opens = _at(day, interval[0], zone) if interval else ends
        closes = _at(day, interval[1], zone) if interval else ends
        ordinal += interval is not None
        yield CalendarDay(calendar.name, day_us(day), ends, opens, closes, before, interval is not None, ordinal)
        before += closes - opens
        day = following


def _at(day: date, wall: time, zone: ZoneInfo) -> int:
    return instant_us(datetime.combine(day, wall, zone).astimezone(UTC))


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

    step = 86_400 * SECOND_US
    at = instant_us(datetime(FIRST_YEAR, 1, 1, tzinfo=UTC))
    end = instant_us(datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC))
    found = [(at, offset(at))]
    while at < end:
        if offset(at + step) != found[-1][1]:
            low, high = at // SECOND_US, (at + step) // SECOND_US
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle * SECOND_US) == found[-1][1] else (low, middle)
            found.append((high * SECOND_US, offset(high * SECOND_US)))
        at += step
    return tuple(found)


def first_moment(day: date, zone_name: str) -> int:
    """The instant a day begins at in a zone, in microseconds."""
    return _at(day, time(), ZoneInfo(zone_name))


def local_day(instant: int, zone_name: str) -> int:
    """The day an instant falls on in a zone, as the tables' number for days."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant)
    return day_us(moment.astimezone(ZoneInfo(zone_name)).date())
