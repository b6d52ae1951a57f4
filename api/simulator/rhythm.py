"""When things happen in the simulated company: days, hours, working days, and how the programme gets better.

Every time is an integer: microseconds since 1970 UTC. The company lives in Shanghai, which has no daylight saving.
"""

from __future__ import annotations

from datetime import date, timedelta
from itertools import accumulate
from random import Random

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
SHANGHAI = 8 * HOUR

# Share of a day's contacts by hour: office hours peak before and after lunch, people write in the evening.
OFFICE_HOURS = (0, 0, 0, 0, 0, 0, 0, 1, 4, 14, 17, 12, 5, 9, 14, 13, 9, 5, 2, 1, 1, 0, 0, 0)
ONLINE_HOURS = (1, 1, 0, 0, 0, 0, 1, 2, 4, 8, 10, 8, 6, 7, 8, 8, 7, 5, 5, 7, 8, 7, 4, 2)
WEEKDAYS = (1.25, 1.1, 1.05, 1.05, 1.0, 0.45, 0.35)
# (month, day) of quiet days, and of two sales that bring twice the contacts.
QUIET = {(1, 1), (5, 1), (5, 2), (5, 3), *((10, d) for d in range(1, 8)), *((2, d) for d in range(15, 24))}
BUSY = {(6, 18), (6, 19), (11, 11), (11, 12)}

_EPOCH = date(1970, 1, 1)


def midnight(day: date) -> int:
    """The first microsecond of a day in Shanghai."""
    return (day - _EPOCH).days * DAY - SHANGHAI


def rfc3339(at: int) -> str:
    """A time as the ledger writes it, e.g. `2026-04-01T01:00:00.000000Z`."""
    days, rest = divmod(at, DAY)
    seconds, micros = divmod(rest, SECOND)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{_day_text(days)}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z"


_day_texts: dict[int, str] = {}


def _day_text(days: int) -> str:
    text = _day_texts.get(days)
    if text is None:
        text = _day_texts[days] = (_EPOCH + timedelta(days)).isoformat()
    return text


def week_of(day: date) -> str:
    """The ISO week a day lies in, e.g. `2026-W14`."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def quarter_of(at: int) -> str:
    """The quarter a time falls in, in Shanghai, e.g. `2026-Q2`."""
    day = _EPOCH + timedelta((at + SHANGHAI) // DAY)
    return f"{day.year}-Q{(day.month + 2) // 3}"


def office_time(random: Random, at: int, working_days: int = 0) -> int:
    """A moment in office hours so many working days after the day of `at` (0: the same day), never before `at`."""
    day = (at + SHANGHAI) // DAY
    while working_days > 0 or (day + 3) % 7 > 4:  # 1970-01-01 was a Thursday
        day += 1
        if (day + 3) % 7 <= 4:
            working_days -= 1
    moment = day * DAY - SHANGHAI + 9 * HOUR + int(random.random() * 8.5 * HOUR)
    return moment if moment > at else at + int(random.random() * 30 * MINUTE) + MINUTE


class Calendar:
    """The simulated days: how many contacts each brings and at which moments."""

    def __init__(self, random: Random, start: date, days: int, contacts: int) -> None:
        self.start = midnight(start)
        self.end = self.start + days * DAY
        self.days = days
        self._random = random
        weights = []
        self._months: list[int] = []
        for offset in range(days):
            day = start + timedelta(offset)
            self._months.append((day.year - start.year) * 12 + day.month - start.month)
            weight = WEEKDAYS[day.weekday()] * (0.85 + 0.3 * random.random())
            if (day.month, day.day) in QUIET:
                weight *= 0.4
            elif (day.month, day.day) in BUSY:
                weight *= 2.0
            weights.append(weight)
        total = sum(weights)
        ends = [round(contacts * running / total) for running in accumulate(weights)]
        self.arrivals = [after - before for before, after in zip([0, *ends[:-1]], ends, strict=True)]
        self._office = list(accumulate(OFFICE_HOURS))
        self._online = list(accumulate(ONLINE_HOURS))

    def moment(self, day: int, online: bool) -> int:
        """A moment of the day with that number (0 is the first), by the rhythm of the office or of people online."""
        hours = self._online if online else self._office
        hour = self._random.choices(range(24), cum_weights=hours)[0]
        return self.start + day * DAY + hour * HOUR + int(self._random.random() * HOUR)

    def month(self, at: int) -> int:
        """The number of the calendar month a time falls in: 0 is that of the first day, and of all before it."""
        day = min(len(self._months) - 1, max(0, (at - self.start) // DAY))
        return self._months[day]

    def date(self, day: int) -> date:
        """The day with that number."""
        return _EPOCH + timedelta((self.start + SHANGHAI) // DAY + day)

    def first_of_month(self, day: int) -> bool:
        """Whether a month begins on the day with that number."""
        return self.date(day).day == 1


# How much of the way is done in each month: two of diagnosis, four of rollout, six of improvement.
PROGRESS = (0.0, 0.0, 0.3, 0.55, 0.7, 0.8, 0.85, 0.88, 0.91, 0.94, 0.97, 1.0)


class Programme:
    """The improvement programme of one year: diagnosed first, rolled out, and then improved month by month."""

    def __init__(self, random: Random, calendar: Calendar) -> None:
        self._random = random
        self._calendar = calendar

    def level(self, at: int, first: float, last: float) -> float:
        """The level reached at a time: `first` while the company is being diagnosed, `last` in month 12."""
        return first + (last - first) * PROGRESS[min(11, self._calendar.month(at))]

    def succeeds(self, at: int, first: float, last: float) -> bool:
        """Whether something that works with such a probability works this time."""
        return self._random.random() < self.level(at, first, last)
