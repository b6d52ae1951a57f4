"""The rule book as the reference reads it: straight from the YAML."""

import re
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from tests.reference.calendars import SECOND, WEEKDAYS, Calendar, Span
from tests.reference.expressions import Row, evaluate

UNITS = {"s": SECOND, "min": 60 * SECOND, "h": 3600 * SECOND, "d": 86_400 * SECOND, "days": 86_400 * SECOND}


@dataclass(frozen=True)
class Target:
    """A clock's definition. A limit is (condition or None, µs, working days): one of the two counts is None."""

    name: str
    table: str
    start: str
    stop: str
    clock: str = "wall"
    deadline: str | None = None
    pauses: bool = False
    dropped_by: tuple[str, ...] = ()
    limits: tuple[tuple[str | None, int | None, int | None], ...] = ()

    def limit(self, row: Row) -> tuple[int | None, int | None] | None:
        """(µs, working days) by the first condition that is true on the row; None where none is."""
        for condition, amount, days in self.limits:
            if condition is None or evaluate(condition, row) is True:
                return amount, days
        return None


@dataclass(frozen=True)
class Metric:
    """A figure: ratio (numerator over denominator of the rows `where` keeps) or median (of `value`)."""

    name: str
    type: str
    table: str
    at: str
    where: str = "true"
    numerator: str = "true"
    denominator: str = "true"
    value: str | None = None
    by: tuple[str, ...] = ()
    per: tuple[str, ...] = ()


@dataclass(frozen=True)
class Priority:
    """The rule of priority: score per role, what makes low, and (priority, mean score from which on)."""

    score: str
    low_when: str
    levels: tuple[tuple[str, int], ...]

    def level(self, score: int, roles: int) -> str:
        return next((name for name, least in self.levels if score >= least * roles), "low")


@dataclass(frozen=True)
class Book:
    zone: ZoneInfo
    calendars: dict[str, Calendar] = field(default_factory=dict)
    targets: tuple[Target, ...] = ()
    metrics: tuple[Metric, ...] = ()
    priority: Priority | None = None
    cadences: dict[str, str] = field(default_factory=dict)
    """tier → how often its customers are to be in contact"""

    @classmethod
    def parse(cls, text: str) -> "Book":
        raw = yaml.safe_load(text)
        zone = ZoneInfo(raw["time_zone"])
        return cls(
            zone,
            {each["name"]: _calendar(each, zone) for each in raw.get("calendars", [])},
            tuple(_target(each) for each in raw.get("targets", [])),
            tuple(_metric(each) for each in raw.get("metrics", [])),
            _priority(raw.get("priority")),
            {each["tier"]: each["every"] for each in raw.get("cadences", [])},
        )

    def targets_of(self, table: str) -> list[Target]:
        return [target for target in self.targets if target.table == table]


def _calendar(raw: dict[str, Any], zone: ZoneInfo) -> Calendar:
    hours: dict[int, list[Span]] = {}
    for days, intervals in raw["hours"].items():
        begin, _, end = days.partition("-")
        for weekday in range(WEEKDAYS.index(begin), WEEKDAYS.index(end or begin) + 1):
            hours[weekday] = sorted(map(_shift, [intervals] if isinstance(intervals, str) else intervals))
    own_zone = ZoneInfo(raw["time_zone"]) if "time_zone" in raw else zone
    holidays = frozenset(date.fromisoformat(str(day)) for day in raw.get("holidays", []))
    return Calendar(own_zone, hours, holidays, dict(map(_workday, raw.get("workdays", []))))


def _shift(text: str) -> Span:
    opens, closes = (int(part[:2]) * 60 + int(part[3:]) for part in text.split("-"))
    return opens, closes if closes > opens else closes + 24 * 60


def _workday(raw: Any) -> tuple[date, int | None]:
    if isinstance(raw, dict):
        return date.fromisoformat(str(raw["day"])), WEEKDAYS.index(raw["as"])
    return date.fromisoformat(str(raw)), None


def _target(raw: dict[str, Any]) -> Target:
    return Target(
        name=raw["name"],
        table=raw["table"],
        start=raw["from"],
        stop=raw["to"],
        clock=raw.get("clock", "wall"),
        deadline=raw.get("deadline"),
        pauses=raw.get("pauses", False),
        dropped_by=tuple(raw.get("dropped_by", [])),
        limits=tuple((each.get("when"), *_duration(each["within"])) for each in raw.get("limits", [])),
    )


def _duration(text: str) -> tuple[int | None, int | None]:
    found = re.fullmatch(r"(\d+) (working days?|s|min|h|days|d)", text)
    if found is None:
        raise ValueError(f"no duration: {text!r}")
    count, unit = int(found[1]), found[2]
    return (None, count) if unit.startswith("working") else (count * UNITS[unit], None)


def _priority(raw: dict[str, Any] | None) -> Priority | None:
    if raw is None:
        return None
    levels = tuple((each["priority"], each["from"]) for each in raw["levels"])
    return Priority(raw["score"], str(raw.get("low_when", "false")), levels)


def _metric(raw: dict[str, Any]) -> Metric:
    return Metric(
        name=raw["name"],
        type=raw["type"],
        table=raw["table"],
        at=raw["agg_time_dimension"],
        where=str(raw.get("where", "true")),
        numerator=str(raw.get("numerator", "true")),
        denominator=str(raw.get("denominator", "true")),
        value=raw.get("value"),
        by=tuple(raw.get("by", [])),
        per=tuple(raw.get("per", [])),
    )
