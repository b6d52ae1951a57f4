"""Hours as a rule book writes them: shifts of a day, such as 09:00-12:00 or 22:00-06:00, and the days that have them.

A shift belongs to the day it starts on, also where it ends on the next.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from pydantic_core import PydanticCustomError

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = 24 * 60
"""Minutes of a day on the clock on the wall."""

Shift = tuple[int, int]
"""Beginning and end, in minutes on the wall from the midnight that its day begins with."""


def misplaced(problem: str, *at: str | int) -> PydanticCustomError:
    """What is wrong, and where: the keys from the validated one down to it."""
    return PydanticCustomError("misplaced", "{problem}", {"problem": problem, "at": at})


@dataclass(frozen=True)
class Schedule:
    """The shifts of every date. `workdays` are make-up days, with the weekday whose hours they have if told."""

    week: Mapping[int, tuple[Shift, ...]]
    holidays: frozenset[date]
    workdays: Mapping[date, int | None]

    def on(self, day: date) -> tuple[Shift, ...]:
        """The shifts that start on a day, in order. A make-up day beats a holiday, and a holiday the week; a make-up
        day without hours of its own has those of the first weekday that has some."""
        if day in self.workdays:
            weekday = self.workdays[day]
            return self.week.get(day.weekday() if weekday is None else weekday, self.week[min(self.week)])
        return () if day in self.holidays else self.week.get(day.weekday(), ())

    def check(self) -> None:
        """Refuse shifts that run into those of the following day, any week or around a make-up day."""
        for weekday, shifts in sorted(self.week.items()):
            following = (weekday + 1) % 7
            clash = _into(shifts, self.week.get(following, ()))
            if clash:
                told = f"{written(clash[0])} of {WEEKDAYS[weekday]} runs into {written(clash[1])} of"
                raise misplaced(f"{told} {WEEKDAYS[following]}", "hours")
        for nth, day in enumerate(self.workdays):
            for before in (day - timedelta(days=1), day):
                following_day = before + timedelta(days=1)
                clash = _into(self.on(before), self.on(following_day))
                if clash:
                    told = f"{written(clash[0])} of {before} runs into {written(clash[1])} of {following_day}"
                    raise misplaced(told, "workdays", nth)


def weekly(hours: Mapping[str, Sequence[str]]) -> dict[int, tuple[Shift, ...]]:
    """The shifts of each weekday, Monday = 0, in order.

    Raises a pydantic error that says at which key of `hours` what is wrong.
    """
    found: dict[int, tuple[Shift, ...]] = {}
    for days, intervals in hours.items():
        first, _, last = days.partition("-")
        if first not in WEEKDAYS or (last and last not in WEEKDAYS):
            raise misplaced(f"{days!r} is not a day or range of days, such as sat or mon-fri", "hours", days)
        start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        if end < start:
            raise misplaced(f"{days!r} runs backwards; a week begins with mon", "hours", days)
        if not intervals:
            raise misplaced(f"{days!r} needs an interval, such as 09:00-18:00; leave out the days off", "hours", days)
        shifts = sorted((_shift(text, days, nth), nth) for nth, text in enumerate(intervals))
        for ((_, closes), one), ((opens, _), other) in pairwise(shifts):
            if opens < closes:
                raise misplaced(f"{intervals[one]} and {intervals[other]} overlap", "hours", days, other)
        for weekday in range(start, end + 1):
            if weekday in found:
                raise misplaced(f"{WEEKDAYS[weekday]} has hours already", "hours", days)
            found[weekday] = tuple(shift for shift, _ in shifts)
    if not found:
        raise misplaced("a calendar needs at least one working day", "hours")
    return found


def written(shift: Shift) -> str:
    """A shift as a book writes it."""
    opens, closes = (
        f"{at // 60:02}:{at % 60:02}" for at in (shift[0], shift[1] if shift[1] <= DAY else shift[1] - DAY)
    )
    return f"{opens}-{closes}"


def _shift(text: str, *at: str | int) -> Shift:
    parts = re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)", text)
    if not parts:
        raise misplaced(
            f"{text!r} is not an interval, such as 09:00-18:00, 18:00-24:00 or, past midnight, 22:00-06:00",
            "hours",
            *at,
        )
    opens = int(parts[1]) * 60 + int(parts[2])
    closes = int(parts[3]) * 60 + int(parts[4]) if parts[3] else DAY
    if opens == closes:
        raise misplaced(f"{text!r} ends as it begins; a whole day is 00:00-24:00", "hours", *at)
    return opens, closes + DAY if closes < opens else closes


def _into(shifts: Sequence[Shift], following: Sequence[Shift]) -> tuple[Shift, Shift] | None:
    """The shift that runs into one of the next day, with that one."""
    if shifts and following and shifts[-1][1] - DAY > following[0][0]:
        return shifts[-1], following[0]
    return None
