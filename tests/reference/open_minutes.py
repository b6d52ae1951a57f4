"""Working time by looking at every minute of real time for itself, with nothing but the clock on the wall.

A shift runs while the latest time that the clock has shown so far lies in it. So a clock that is put forward opens and
closes what it jumps over at once, and a clock that is put back closes nothing again that it has opened.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE = 60_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Minutes:
    """Some weeks of one calendar. `first` is the instant of the first minute, µs; `open_on` has, for each minute, the
    day whose shift is on, or None; `days` the date that the clock on the wall shows."""

    first: int
    open_on: tuple[date | None, ...]
    days: tuple[date, ...]

    def deadline(self, start: int, limit: int, pauses: list[tuple[int, int | None]]) -> int | None:
        """The number of the minute before which `limit` open ones outside pauses have passed; None where a pause that
        never ends comes first. IndexError where that is not within what was looked at."""
        nth = start
        while limit:
            if any(begin <= nth and end is None for begin, end in pauses):
                return None
            held = any(begin <= nth < end for begin, end in pauses if end is not None)
            limit -= self.open_on[nth] is not None and not held
            nth += 1
        return nth

    def elapsed(self, start: int, stop: int, pauses: list[tuple[int, int | None]]) -> int:
        """Open minutes from start to stop outside pauses."""
        return sum(
            self.open_on[nth] is not None and not any(b <= nth and (e is None or nth < e) for b, e in pauses)
            for nth in range(start, stop)
        )

    def end_of_working_day(self, start: int, count: int) -> int:
        """The number of the minute that begins the day after the count-th working day after the day of `start`.
        IndexError where that is not within what was looked at."""
        last = sorted({day for day in self.open_on if day is not None and day > self.days[start]})[count - 1]
        if self.days[-1] <= last:
            raise IndexError(count)
        return next(nth for nth, day in enumerate(self.days) if day > last)


def open_minutes(
    zone: str,
    hours: dict[str, list[str]],
    holidays: list[date],
    workdays: dict[date, str | None],
    begin: date,
    days: int,
) -> Minutes:
    """Look at every minute of some days; `hours` has one key for each weekday."""
    there = ZoneInfo(zone)
    start = datetime.combine(begin, datetime.min.time(), UTC)
    shifts: dict[date, list[tuple[datetime, datetime]]] = {}
    for nth in range(-2, days + 2):
        day = begin + timedelta(days=nth)
        usual = WEEKDAYS[day.weekday()]
        if day in workdays:
            usual = workdays[day] or (usual if usual in hours else next(each for each in WEEKDAYS if each in hours))
        elif day in holidays:
            continue
        shifts[day] = [_shift(day, text) for text in hours.get(usual, [])]
    latest = datetime.min
    open_on: list[date | None] = []
    shown: list[date] = []
    for nth in range(-24 * 60, days * 24 * 60):  # a day earlier, to know the latest time shown
        wall = (start + timedelta(minutes=nth)).astimezone(there).replace(tzinfo=None)
        latest = max(latest, wall)
        if nth >= 0:
            around = (latest.date() - timedelta(days=1), latest.date())
            on = [day for day in around for opens, closes in shifts.get(day, []) if opens <= latest < closes]
            open_on.append(on[0] if on else None)
            shown.append(wall.date())
    return Minutes((start - EPOCH) // timedelta(microseconds=1), tuple(open_on), tuple(shown))


def _shift(day: date, text: str) -> tuple[datetime, datetime]:
    midnight = datetime.combine(day, datetime.min.time())
    opens, closes = (midnight + timedelta(hours=int(part[:2]), minutes=int(part[3:])) for part in text.split("-"))
    return opens, closes if closes > opens else closes + timedelta(days=1)
