"""Periods that figures are asked for: days, weeks (from Monday), months, quarters, years, or one stretch as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

Grain = Literal["day", "week", "month", "quarter", "year", "all"]
MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True)
class Period:
    """From the first day to the last, both included."""

    first: date
    last: date


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
