"""Periods and windows of the calendar, day by day: months, quarters, half-years."""

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from tests.reference.calendars import midnight

MONTHS = {"month": 1, "quarter": 3, "half_year": 6}


@dataclass(frozen=True)
class Days:
    """From the first day to the last, both included."""

    first: date
    last: date

    def opens_at(self, zone: ZoneInfo) -> int:
        return midnight(self.first, zone)

    def closes_at(self, zone: ZoneInfo) -> int:
        """The first moment after it."""
        return midnight(self.last + timedelta(days=1), zone)


def periods(first: date, last: date, grain: str) -> list[Days]:
    """The months or quarters of these days, cut off at both ends; or all of them as one."""
    days = [first + timedelta(days=nth) for nth in range((last - first).days + 1)]
    if grain == "all":
        return [Days(first, last)]
    months = MONTHS[grain]
    pieces = [list(piece) for _, piece in groupby(days, lambda day: (day.year, (day.month - 1) // months))]
    return [Days(piece[0], piece[-1]) for piece in pieces]


def windows(first: date, last: date, cadence: str) -> list[Days]:
    """The whole calendar windows of a cadence that hold any of these days."""
    return periods(date(first.year, 1, 1), date(last.year, 12, 31), cadence)
