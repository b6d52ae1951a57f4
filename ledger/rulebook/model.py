"""The rule book: calendars, dimensions, clocks, metrics and the rule of priority as data.

The vocabulary is that of dbt's MetricFlow where it has a word for the thing (dimensions, ratio metrics,
`agg_time_dimension`). A book is plain YAML; everything here is a frozen pydantic model of it, without I/O.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_serializer, model_validator

from ledger.rulebook.hours import WEEKDAYS, Schedule, misplaced, weekly
from ledger.rulebook.voiding import Voids

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]

SECOND_US = 1_000_000
UNIT_US = {
    "s": SECOND_US,
    "min": 60 * SECOND_US,
    "h": 3600 * SECOND_US,
    "d": 86_400 * SECOND_US,
}


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
    change: BasisPoints | None = Field(default=None, description="against a frozen baseline, relative to it")
    change_points: BasisPoints | None = Field(default=None, description="against a frozen baseline, in points")

    @model_validator(mode="after")
    def _one(self) -> Goal:
        if sum(part is not None for part in (self.at_least, self.at_most, self.change, self.change_points)) != 1:
            raise ValueError("a goal says exactly one of at_least, at_most, change, change_points")
        if 0 in (self.change, self.change_points):
            raise ValueError("a change has a direction: it is more or less than nothing")
        return self

    @property
    def compares(self) -> bool:
        """Whether the goal is a change against a baseline."""
        return self.change is not None or self.change_points is not None


class Workday(Model):
    """A make-up workday (调休), with the weekday whose hours it has where that is said."""

    day: date
    like: Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"] | None = Field(default=None, alias="as")

    @model_serializer
    def _as_written(self) -> Any:
        return self.day if self.like is None else {"day": self.day, "as": self.like}


def _listed(hours: object) -> object:
    """One interval may stand without its list."""
    if not isinstance(hours, dict):
        return hours
    return {days: [told] if isinstance(told, str) else told for days, told in hours.items()}


def _workday(value: object) -> object:
    return {"day": value} if isinstance(value, date | str) else value


class Calendar(Model):
    """Working time: the shifts of the week, less those of holidays, plus those of make-up workdays."""

    name: Name
    label: Label | None = None
    time_zone: Zone
    hours: Annotated[dict[str, list[str]], BeforeValidator(_listed)]
    holidays: list[date] = []
    workdays: list[Annotated[Workday, BeforeValidator(_workday)]] = []

    @model_validator(mode="after")
    def _readable(self) -> Calendar:
        schedule = self.schedule()
        for nth, each in enumerate(self.workdays):
            if each.day in {other.day for other in self.workdays[:nth]}:
                raise misplaced(f"{each.day} stands there twice", "workdays", nth)
            if each.like is not None and WEEKDAYS.index(each.like) not in schedule.week:
                raise misplaced(f"{each.like} has no hours that {each.day} could have", "workdays", nth)
            if not date.min < each.day < date.max:
                raise misplaced(f"{each.day} is beyond what is worked out", "workdays", nth)
        schedule.check()
        return self

    def schedule(self) -> Schedule:
        """The shifts of every date."""
        workdays = {each.day: None if each.like is None else WEEKDAYS.index(each.like) for each in self.workdays}
        return Schedule(weekly(self.hours), frozenset(self.holidays), workdays)


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


class Comparison(Model):
    """How a metric is compared with its baseline: below the sample, on either side, nothing is claimed."""

    minimum_sample: int = Field(ge=1, le=1_000_000)


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
    per: list[Name] = Field(default=[], description="dimensions it is always broken down by, such as a currency")
    unit: Literal["percent", "number", "money"] = Field(default="percent", description="of a ratio")
    goal: list[Goal] = []
    baseline: Comparison | None = Field(default=None, description="needed where a goal is a change")

    @model_validator(mode="after")
    def _complete(self) -> Metric:
        if not set(self.per) <= set(self.by):
            raise ValueError("what a metric is always broken down by (`per`) stands among its dimensions (`by`) too")
        if self.unit == "money" and not self.per:
            raise ValueError("money is never added across currencies: say by which column it is told (`per`)")
        if self.baseline is None and any(goal.compares for goal in self.goal):
            raise ValueError("a goal that is a change needs `baseline: {minimum_sample: …}`")
        if (self.type == "ratio") != (self.numerator is not None) or (self.type == "median") != (
            self.value is not None
        ):
            raise ValueError("a ratio has a numerator (and a denominator, unless every row counts), a median a value")
        return self


class Cadence(Model):
    """How often customers of a tier are to be in contact: once in each calendar window."""

    tier: Literal["high", "mid", "base"]
    every: Literal["month", "quarter", "half_year"]


BASIS = 10_000
"""Basis points of one whole."""


class Indicator(Model):
    """A sign that a customer may be about to leave: silence for some months; contacts or spending that fell, or
    negative feedback that rose, in a window of months against as many before it.

    at_least: contacts, or minor units of one currency, before a fall; complaints and low ratings after a rise.
    """

    name: Literal["silence", "contact_drop", "spend_drop", "negative_feedback"]
    months: int = Field(ge=1, le=24)
    drop: BasisPoints | None = Field(default=None, gt=0, le=BASIS)
    at_least: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _complete(self) -> Indicator:
        if self.name.endswith("_drop") != (self.drop is not None):
            raise ValueError("contact_drop and spend_drop say by how much (`drop: 50%`), the others do not")
        return self


class Sampling(Model):
    """How many contacts of each channel are drawn for review in a week."""

    per_channel: int = Field(default=5, ge=1, le=1_000)


class Duplicates(Model):
    """From which likeness on (of 100) two requirements are proposed as one."""

    threshold: int = Field(default=85, ge=1, le=100)


class Level(Model):
    """A priority, and the mean score of the roles from which on a requirement has it."""

    priority: Literal["high", "mid"]
    at_least: int = Field(alias="from", ge=-1_000_000, le=1_000_000)


class PriorityRule(Model):
    """What makes a requirement's priority of the roles' assessments; below all levels it is low."""

    score: str = Field(description="a number, of the marks of one role")
    low_when: str | None = Field(default=None, description="what makes it low whatever its score")
    levels: list[Level]

    @model_validator(mode="after")
    def _falling(self) -> PriorityRule:
        if [level.priority for level in self.levels] != ["high", "mid"]:
            raise ValueError("levels are high, then mid; what reaches neither is low")
        if self.levels[0].at_least <= self.levels[1].at_least:
            raise ValueError("high begins above mid")
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
    priority: PriorityRule | None = None
    cadences: list[Cadence] = []
    indicators: list[Indicator] = []
    sampling: Sampling = Sampling()
    duplicates: Duplicates = Duplicates()
    voids: Voids = Voids()
    tests: list[Example] = []

    @model_validator(mode="after")
    def _consistent(self) -> RuleBook:
        for kind in ("calendars", "dimensions", "targets", "metrics", "indicators"):
            names = [part.name for part in getattr(self, kind)]
            twice = {name for name in names if names.count(name) > 1}
            if twice:
                raise ValueError(f"{kind}: {', '.join(sorted(twice))} stands there twice")
        tiers = [cadence.tier for cadence in self.cadences]
        if len(tiers) != len(set(tiers)):
            raise ValueError("cadences: a tier has one cadence")
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
                "indicators": True,
                "sampling": True,
                "duplicates": True,
                "voids": True,
                "calendars": {"__all__": {"label"}},
                "dimensions": {"__all__": {"label"}},
                "targets": {"__all__": {"label"}},
                "metrics": {"__all__": {"label", "goal", "baseline", "unit"}},
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
