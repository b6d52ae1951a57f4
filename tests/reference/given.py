"""Words for histories in tests: given these events, in this order of telling, the tables say…"""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.reference.book import Book
from tests.reference.calendars import micros
from tests.reference.events import Told
from tests.reference.expressions import Row
from tests.reference.tables import Tables, tables

SHANGHAI = ZoneInfo("Asia/Shanghai")

DEFAULTS: dict[str, dict[str, Any]] = {
    "customer.registered": {"stage": "customer"},
    "customer.churned": {"by_communication": False},
    "contact.received": {
        "channel": "email",
        "department": "desk",
        "direction": "inbound",
        "kind": "problem",
        "complexity": "general",
        "purpose": "service",
    },
    "contact.answered": {"automated": False},
    "contact.resolved": {"solved": True},
    "handoff.requested": {"from_department": "desk", "to_department": "lab"},
    "requirement.captured": {"source_kind": "contact", "expression": "explicit", "key": False, "found_late": False},
    "requirement.assessed": {"against_strategy": False},
    "requirement.value_assessed": {"high_value": False},
    "notice.issued": {"topic": "new terms", "important": False},
}


def at(text: str, zone: ZoneInfo = SHANGHAI) -> int:
    """A local time such as "2026-04-01 09:00:00.000001", in µs."""
    return micros(datetime.fromisoformat(text).replace(tzinfo=zone))


class History:
    """Tells events one after another; `tables()` gives what the reference makes of them."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.told: list[Told] = []

    def tell(self, event: str, subject: str, when: str | int, /, **data: Any) -> int:
        """Record an event; returns its position. It is recorded the moment it occurs unless `recorded` says later."""
        occurred_at = when if isinstance(when, int) else at(when, self.book.zone)
        recorded_at = data.pop("recorded", occurred_at)
        aggregate = data.pop("aggregate", event.partition(".")[0])
        position = len(self.told) + 1
        fields = DEFAULTS.get(event, {}) | data
        self.told.append(Told(position, event, aggregate, subject, occurred_at, recorded_at, fields))
        return position

    def void(self, position: int) -> None:
        event = self.told[position - 1]
        self.tell(
            "record.voided", event.subject, event.occurred_at, aggregate=event.aggregate, voided_position=position
        )

    def tables(self, **moment: int) -> Tables:
        return tables(self.told, self.book, **moment)

    def row(self, table: str, moment: dict[str, int] | None = None, **key: Any) -> Row:
        """The one row of a table with these values."""
        rows = self.rows(table, moment, **key)
        assert len(rows) == 1, f"{len(rows)} rows of {table} with {key}"
        return rows[0]

    def rows(self, table: str, moment: dict[str, int] | None = None, **key: Any) -> list[Row]:
        made = tables(self.told, self.book, **(moment or {}))[table]
        return [row for row in made if all(row[name] == value for name, value in key.items())]
