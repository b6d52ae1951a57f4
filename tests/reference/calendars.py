"""Days, working days and working time, by walking one local day after another."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

SECOND = 1_000_000
WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Span = tuple[int, int]


def micros(moment: datetime) -> int:
    """µs since 1970 UTC, without passing through a float."""
    return (moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def local_date(at: int, zone: ZoneInfo) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).astimezone(zone).date()


def midnight(day: date, zone: ZoneInfo) -> int:
    """The local midnight a day begins with."""
    return micros(datetime.combine(day, time(), zone))


def day_number(day: date) -> int:
    """The number that stands for a day in the tables: its midnight as if it were UTC, in µs."""
    return micros(datetime.combine(day, time(), UTC))


def day_of(at: int, zone: ZoneInfo) -> int:
    """The local day a moment falls on."""
    return day_number(local_date(at, zone))


@dataclass(frozen=True)
class Calendar:
    """Working hours: weekday → (opens, closes); a closing time of None is the end of the day."""

    zone: ZoneInfo
    hours: dict[int, list[tuple[time, time | None]]]
    holidays: frozenset[date] = frozenset()
    workdays: frozenset[date] = frozenset()

    def intervals(self, day: date) -> list[tuple[time, time | None]]:
        if day in self.workdays:
            return self.hours.get(day.weekday(), self.hours[min(self.hours)])
        return [] if day in self.holidays else self.hours.get(day.weekday(), [])

    def is_working_day(self, day: date) -> bool:
        return bool(self.intervals(day))

    def spans(self, start: int) -> Iterator[Span]:
        """The working spans that end after `start`, for ten years from there."""
        day = local_date(start, self.zone)
        for _ in range(3660):
            for opens, closes in self.intervals(day):
                begin = micros(datetime.combine(day, opens, self.zone))
                end = (
                    midnight(day + timedelta(days=1), self.zone)
                    if closes is None
                    else micros(datetime.combine(day, closes, self.zone))
                )
                if end > start:
                    yield max(begin, start), end
            day += timedelta(days=1)


def end_of_working_day(start: int, count: int, calendar: Calendar, zone: ZoneInfo) -> int:
    """The last µs of the count-th working day after the day of `start`; days are those of `zone`, the book's."""
    day = local_date(start, zone)
    while count > 0:
        day += timedelta(days=1)
        count -= calendar.is_working_day(day)
    return midnight(day + timedelta(days=1), zone) - 1


def wall_spans(start: int) -> Iterator[Span]:
    yield start, start + 100_000 * 86_400 * SECOND


def overlap(spans: Iterator[Span], begin: int, end: int) -> int:
    """How much of [begin, end] the spans (in order) cover, in µs."""
    covered = 0
    for opens, closes in spans:
        if opens >= end:
            break
        covered += max(0, min(closes, end) - max(opens, begin))
    return covered
