"""Calendars out of thin air: shifts anywhere in the week, past midnight too, never one over another."""

from dataclasses import dataclass
from datetime import date, timedelta

from hypothesis import strategies as st

from tests.reference.open_minutes import WEEKDAYS, Minutes, open_minutes

WEEK, DAY = 7 * 24 * 60, 24 * 60
CHANGES = {
    "America/New_York": (date(2025, 3, 9), date(2025, 11, 2)),
    "Australia/Lord_Howe": (date(2025, 4, 6), date(2025, 10, 5)),  # by half an hour
    "Europe/Lisbon": (date(2025, 3, 30), date(2025, 10, 26)),
    "America/Havana": (date(2025, 3, 9), date(2025, 11, 2)),  # the first has no midnight
    "America/St_Johns": (date(2010, 3, 14), date(2010, 11, 7)),  # back at 00:01, into the day before
    "Africa/Casablanca": (date(2025, 2, 23), date(2025, 4, 6)),
    "Pacific/Apia": (date(2011, 12, 30), date(2011, 9, 24)),  # the first was no day at all
    "Asia/Shanghai": (date(2025, 2, 8), date(2025, 10, 1)),
}
"""Zones with days on which their clocks are changed, where they are."""


@dataclass(frozen=True)
class Drawn:
    """A calendar, in the rule book's words, and the day of the weeks that are looked at."""

    zone: str
    hours: dict[str, list[str]]
    holidays: list[date]
    workdays: dict[date, str | None]
    begin: date

    def words(self) -> dict[str, object]:
        workdays = [{"day": day, "as": like} if like else day for day, like in self.workdays.items()]
        return {"time_zone": self.zone, "hours": self.hours, "holidays": self.holidays, "workdays": workdays}

    def minutes(self, days: int) -> Minutes:
        return open_minutes(self.zone, self.hours, self.holidays, self.workdays, self.begin, days)


@st.composite
def calendars(draw: st.DrawFn) -> Drawn:
    """Any calendar, and some weeks around a change of its clocks."""
    zone = draw(st.sampled_from(sorted(CHANGES)))
    change = draw(st.sampled_from(CHANGES[zone]))
    step = draw(st.sampled_from([1, 15, 30, 60]))
    marks = draw(st.lists(st.integers(0, WEEK // step - 1), min_size=2, max_size=24, unique=True))
    # near the hours that clocks are changed at, more often than chance would have it
    near_changes = [6 * DAY + nth * 30 for nth in range(-2, 10)]
    night = draw(st.lists(st.sampled_from(near_changes), max_size=6, unique=True))
    points = sorted({mark * step for mark in marks} | set(night))
    hours: dict[str, list[str]] = {}
    for opens, closes in zip(points[::2], points[1::2], strict=False):
        until = min(closes, opens + DAY - 1)
        hours.setdefault(WEEKDAYS[opens // DAY], []).append(f"{clock(opens)}-{clock(until)}")
    if len(points) % 2 and (WEEK - points[-1] + points[0]) < DAY:
        hours.setdefault(WEEKDAYS[points[-1] // DAY], []).append(f"{clock(points[-1])}-{clock(points[0])}")
    if not hours:
        hours["wed"] = ["09:00-18:00"]
    near = st.integers(-9, 25).map(lambda days: change + timedelta(days=days))
    holidays = draw(st.lists(near, max_size=4, unique=True))
    likes = st.sampled_from([None, *hours])
    workdays = draw(st.dictionaries(near, likes, max_size=3))
    return Drawn(zone, hours, holidays, workdays, change - timedelta(days=5))


def clock(minute: int) -> str:
    return f"{minute % DAY // 60:02}:{minute % 60:02}"
