"""Days, working days and working time, by walking one local day after another."""

from collections.abc import Iterator
from dataclasses import dataclass, field
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


def on_the_wall(day: date, minute: int, zone: ZoneInfo) -> int:
    """The first moment at which the clock on the wall shows `minute` of `day` or later: the moment of the change where
    the clock is put forward over it, the first of two where it is put back."""
    wall = datetime.combine(day, time()) + timedelta(minutes=minute)
    at = micros(wall.replace(tzinfo=zone))
    if _shown(at, zone) == wall:
        return at
    low, high = micros(wall.replace(tzinfo=zone, fold=1)) - 1, at
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _shown(middle, zone) >= wall else (middle, high)
    return high


def _shown(at: int, zone: ZoneInfo) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).astimezone(zone).replace(tzinfo=None, fold=0)


@dataclass(frozen=True)
class Calendar:
    """Working hours: weekday → (opens, closes) in minutes of the day they begin on; make-up day → the weekday whose
    hours it has, or None."""

    zone: ZoneInfo
    hours: dict[int, list[Span]]
    holidays: frozenset[date] = frozenset()
    workdays: dict[date, int | None] = field(default_factory=dict)

    def shifts(self, day: date) -> list[Span]:
        if day not in self.workdays:
            return [] if day in self.holidays else self.hours.get(day.weekday(), [])
        weekday = self.workdays[day]
        if weekday is not None:
            return self.hours[weekday]
        return self.hours.get(day.weekday(), self.hours[min(self.hours)])

    def spans_of(self, day: date) -> list[Span]:
        both = [[on_the_wall(day, minute, self.zone) for minute in shift] for shift in self.shifts(day)]
        return [(opens, closes) for opens, closes in both if opens < closes]

    def is_working_day(self, day: date) -> bool:
        return bool(self.spans_of(day))

    def spans(self, start: int) -> Iterator[Span]:
        """The working spans that end after `start`, for ten years from there; one may have begun the day before."""
        day = local_date(start, self.zone) - timedelta(days=1)
        for _ in range(3660):
            for begin, end in self.spans_of(day):
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
