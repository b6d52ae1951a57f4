"""Values of the tables between engines, which hold integers, and people, who read times, dates and numbers."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ledger.rulebook.expressions import Kind
from ledger.rulebook.model import EPOCH, day_us, instant_us

QUARTER_STARTS = {"1": 1, "2": 4, "3": 7, "4": 10}


class BadValue(ValueError):
    """A value does not fit the column it is compared with."""


def instant(us: int) -> datetime:
    return EPOCH + timedelta(microseconds=us)


def as_day(us: int) -> date:
    return instant(us).date()


def shown(kind: Kind, value: Any) -> Any:
    """A cell as people and programs read it: RFC 3339 for times, ISO 8601 for days; the rest as it is."""
    if value is None:
        return None
    if kind == "time":
        return instant(value).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    if kind == "day":
        return as_day(value).isoformat()
    return value


def read(kind: Kind, text: str) -> Any:
    """A cell's value from its text. Raises BadValue, saying what is expected."""
    try:
        match kind:
            case "integer" | "duration":
                number = int(text)
                if not -(2**63) <= number < 2**63:
                    raise ValueError
                return number
            case "boolean":
                return {"true": True, "false": False}[text.lower()]
            case "time":
                return instant_us(_moment(text))
            case "day":
                return _day(text)
    except (ValueError, KeyError, OverflowError) as error:
        raise BadValue(f"{text!r} is not {EXPECTED[kind]}") from error
    if "\x00" in text:
        raise BadValue("NUL characters cannot stand in a text")
    return text


EXPECTED = {
    "integer": "a whole number",
    "duration": "a whole number of microseconds",
    "boolean": "true or false",
    "time": "a time with its offset, such as 2026-04-01T09:00:00Z",
    "day": "a day such as 2026-04-01, or a quarter such as 2026-Q2",
}


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError
    return moment.astimezone(UTC)


def _day(text: str) -> int:
    quarter = re.fullmatch(r"(\d{4})-Q([1-4])", text)
    if quarter:
        return day_us(date(int(quarter[1]), QUARTER_STARTS[quarter[2]], 1))
    return day_us(date.fromisoformat(text))
