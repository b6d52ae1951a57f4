"""Periods that figures are asked for: days, weeks (from Monday), months, quarters, years, or one stretch as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any, Literal

from ledger.rulebook.calendars import first_moment, local_day
from ledger.rulebook.model import day_us
from projections.values import as_day

Grain = Literal["day", "week", "month", "quarter", "year", "all"]
MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True)
class Period:
    """From the first day to the last, both included."""

    first: date
    last: date


@dataclass(frozen=True)
class Span:
    """What a reading is asked for: the moment of asking (microseconds), a time zone, and periods in order."""

    asked: int
    zone: str
    periods: tuple[Period, ...]

    @property
    def today(self) -> int:
        """The day of the moment of asking."""
        return local_day(self.asked, self.zone)

    def nth(self, day: int) -> int | None:
        """The place of the period that a day lies in."""
        on = as_day(day)
        return next((nth for nth, each in enumerate(self.periods) if each.first <= on <= each.last), None)

    @cached_property
    def parameters(self) -> Mapping[str, Any]:
        """What `projections.figures.MARKS` stand for, and the first and last days of the periods."""
        first = self.periods[0].first
        return {
            "asked": self.asked,
            "today": self.today,
            "midnight": first_moment(as_day(self.today), self.zone),
            "since": first_moment(first, self.zone),
            "first": day_us(first),
            "last": day_us(self.periods[-1].last),
            "begins": [day_us(period.first) for period in self.periods],
            "ends": [day_us(period.last) for period in self.periods],
        }


def split(first: date, last: date, grain: Grain) -> list[Period]:
    """The periods of a grain that hold the days asked for, cut off at both ends."""
    if grain == "all":
        return [Period(first, last)]
    return list(_split(first, last, grain))


def _split(first: date, last: date, grain: Grain) -> Iterator[Period]:
    while first <= last:
        following = _following(first, grain)
        yield Period(first, min(last, following - timedelta(days=1)))
        first = following


def _following(day: date, grain: Grain) -> date:
    """The first day of the next period."""
    if grain == "day":
        return day + timedelta(days=1)
    if grain == "week":
        return day + timedelta(days=7 - day.weekday())
    months = MONTHS[grain]
    month = (day.month - 1) // months * months + months
    return date(day.year + month // 12, month % 12 + 1, 1)


def programme_month(day: date, start: date) -> int:
    """The month of the programme a day falls in: 1 for the month it starts in, less before."""
    return (day.year - start.year) * 12 + day.month - start.month + 1
