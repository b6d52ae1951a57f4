"""The rule book: calendars, dimensions, clocks and metrics as data.

The vocabulary is that of dbt's MetricFlow where it has a word for the thing (dimensions, ratio metrics,
`agg_time_dimension`). A book is plain YAML; everything here is a frozen pydantic model of it, without I/O.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]

SECOND_US = 1_000_000
UNIT_US = {
    "s": SECOND_US,
    "min": 60 * SECOND_US,
    "h": 3600 * SECOND_US,
    "d": 86_400 * SECOND_US,
}
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name!r} is not an IANA time zone, such as Asia/Shanghai or America/New_York") from error
    return name


Zone = Annotated[str, AfterValidator(_zone)]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Label(Model):
    en: str
    zh: str


class Duration(Model):
    """A limit: a number of microseconds on the clock, or a number of whole working days."""

    us: int = 0
    working_days: int = 0
    text: str


def _duration(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(\d{1,6}) ?(s|min|h|d|working days?)", value.strip())
    if not found or int(found[1]) == 0:
        raise ValueError(f"{value!r} is not a duration; write for example 15 s, 3 min, 24 h, 2 d or 3 working days")
    number, unit = int(found[1]), found[2]
    if unit.startswith("working"):
        return {"working_days": number, "text": value}
    return {"us": number * UNIT_US[unit], "text": value}


def _percent(value: object) -> object:
    """Ratios are integer basis points: 90% is 9,000."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"([+-]?\d{1,6})(?:\.(\d{1,2}))?%", value.strip())
    if not found:
        raise ValueError(f"{value!r} is not a percentage with at most two decimals, such as 90% or 97.5%")
    points = int(found[1]) * 100
    fraction = int((found[2] or "").ljust(2, "0"))
    return points - fraction if value.strip().startswith("-") else points + fraction


BasisPoints = Annotated[int, BeforeValidator(_percent)]


class Goal(Model):
    """One stage of a target, from the given month of the programme on (1 = the month it starts in)."""

    from_month: int = Field(default=1, ge=1)
    at_least: BasisPoints | None = None
    at_most: BasisPoints | None = None
    change: BasisPoints | None = Field(default=None, description="against a frozen baseline")

    @model_validator(mode="after")
    def _one(self) -> Goal:
        if sum(part is not None for part in (self.at_least, self.at_most, self.change)) != 1:
            raise ValueError("a goal says exactly one of at_least, at_most, change")
        return self


class Calendar(Model):
    """Working time: one interval on each working day, less holidays, plus make-up workdays."""

    name: Name
    label: Label | None = None
    time_zone: Zone
    hours: dict[str, list[str]]
    holidays: list[date] = []
    workdays: list[date] = []

    @model_validator(mode="after")
    def _readable(self) -> Calendar:
        self.weekly()
        return self

    def weekly(self) -> dict[int, tuple[time, time]]:
        """The working interval of each weekday, Monday = 0."""
        found: dict[int, tuple[time, time]] = {}
        for days, intervals in self.hours.items():
            first, _, last = days.partition("-")
            if first not in WEEKDAYS or (last and last not in WEEKDAYS):
                raise ValueError(f"{days!r} is not a day or range of days, such as sat or mon-fri")
            start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
            if end < start or len(intervals) != 1:
                raise ValueError(f"{days!r} needs exactly one interval, such as 09:00-18:00")
            parts = re.fullmatch(r"(\d\d:\d\d)-(\d\d:\d\d)", intervals[0])
            if not parts:
                raise ValueError(f"{intervals[0]!r} is not an interval, such as 09:00-18:00")
            opens, closes = time.fromisoformat(parts[1]), time.fromisoformat(parts[2])
            if closes <= opens:
                raise ValueError(f"{intervals[0]!r} ends before it begins")
            for weekday in range(start, end + 1):
                found[weekday] = (opens, closes)
        if not found:
            raise ValueError("a calendar needs at least one working day")
        return found


class Case(Model):
    when: str
    then: str


class Dimension(Model):
    """A column worked out from others of its table: the first case that holds gives the value."""

    name: Name
    label: Label | None = None
    table: Name
    cases: list[Case]
    otherwise: str | None = Field(default=None, alias="else")


class Limit(Model):
    when: str | None = None
    within: Annotated[Duration, BeforeValidator(_duration)]


class Target(Model):
    """A clock: where it starts, where it stops, and by when it must."""

    name: Name
    label: Label
    table: Name
    start: Name = Field(alias="from")
    stop: Name = Field(alias="to")
    clock: str = "wall"
    pauses: bool = False
    dropped_by: list[Name] = []
    limits: list[Limit] = []
    deadline: Name | None = None

    @model_validator(mode="after")
    def _limited(self) -> Target:
        if bool(self.limits) == (self.deadline is not None):
            raise ValueError("a target has either limits or the column of a deadline")
        if self.clock == "wall" and any(limit.within.working_days for limit in self.limits):
            raise ValueError("a limit in working days needs the name of a calendar as its clock")
        return self


class Metric(Model):
    name: Name
    label: Label
    type: Literal["ratio", "median"]
    table: Name
    where: str | None = None
    numerator: str | None = None
    denominator: str | None = None
    value: str | None = None
    agg_time_dimension: str
    by: list[Name] = []
    goal: list[Goal] = []

    @model_validator(mode="after")
    def _complete(self) -> Metric:
        if (self.type == "ratio") != (self.numerator is not None) or (self.type == "median") != (
            self.value is not None
        ):
            raise ValueError("a ratio has a numerator (and a denominator, unless every row counts), a median a value")
        return self


class Example(Model):
    given: dict[str, Any]
    expect: dict[str, Any]


def _text(value: object) -> object:
    return str(value) if isinstance(value, int | float) else value


class RuleBook(Model):
    rule_book: Name
    version: Annotated[str, BeforeValidator(_text), Field(min_length=1, max_length=60)]
    label: Label | None = None
    time_zone: Zone
    effective_from: date
    programme_start: date
    calendars: list[Calendar] = []
    dimensions: list[Dimension] = []
    targets: list[Target]
    metrics: list[Metric]
    tests: list[Example] = []

    @model_validator(mode="after")
    def _consistent(self) -> RuleBook:
        for kind in ("calendars", "dimensions", "targets", "metrics"):
            names = [part.name for part in getattr(self, kind)]
            twice = {name for name in names if names.count(name) > 1}
            if twice:
                raise ValueError(f"{kind}: {', '.join(sorted(twice))} stands there twice")
        zones = {calendar.name: calendar.time_zone for calendar in self.calendars}
        for target in self.targets:
            if target.clock != "wall" and target.clock not in zones:
                raise ValueError(f"target {target.name}: there is no calendar {target.clock!r}")
            if any(limit.within.working_days for limit in target.limits) and zones[target.clock] != self.time_zone:
                raise ValueError(f"target {target.name}: working days are those of {self.time_zone}, the book's zone")
        return self

    @property
    def effective_from_us(self) -> int:
        """The instant the book comes into force: its first day's beginning in its own zone, in microseconds."""
        return instant_us(datetime.combine(self.effective_from, time(), ZoneInfo(self.time_zone)))

    def metric(self, name: str) -> Metric:
        return next(metric for metric in self.metrics if metric.name == name)

    def target(self, name: str) -> Target:
        return next(target for target in self.targets if target.name == name)

    def targets_on_calendars(self, table: str) -> list[Target]:
        """The clocks of a table that measure working time or working days."""
        return [target for target in self.targets if target.table == table and target.clock != "wall"]

    def digest(self) -> str:
        """SHA-256 over what changes figures; labels, texts and goals are left out."""
        content = self.model_dump_json(
            exclude={
                "label": True,
                "tests": True,
                "calendars": {"__all__": {"label"}},
                "dimensions": {"__all__": {"label"}},
                "targets": {"__all__": {"label"}},
                "metrics": {"__all__": {"label", "goal"}},
            }
        )
        return hashlib.sha256(content.encode()).hexdigest()


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant_us(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC, exactly."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def day_us(day: date) -> int:
    """The number that stands for a day everywhere in the tables: its midnight as if it were UTC, in microseconds."""
    return (day - EPOCH.date()).days * 86_400 * SECOND_US
