"""From drawn moves to claims, and from recorded entries to what the reference reads."""

from datetime import UTC, datetime, timedelta
from typing import Any

from ledger.claims import Claim, Recorded, claim, stored
from ledger.events import CATALOGUE
from tests.reference.calendars import micros
from tests.reference.events import Told
from tests.reference.histories import Move

SOURCE = "urn:generated"


def moment(at: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)


def claims(unit: list[Move], number: int, simulated: bool = True) -> list[Claim]:
    """The unit's claims; `number` makes their ids. Personal text goes along, to be found in no table."""
    return [
        claim(
            move.type,
            move.subject,
            {name: moment(value) if kinds(move.type)[name] == "time" else value for name, value in move.data.items()},
            id=f"{number}.{index}",
            source=SOURCE,
            occurred_at=moment(move.occurred_at),
            recorded_at=moment(move.recorded_at) if simulated else None,
        )
        for index, move in enumerate(unit)
    ]


def kinds(event_type: str) -> dict[str, str]:
    return {field.name: field.kind for field in CATALOGUE[event_type].fields}


def told(entry: Recorded) -> Told:
    """A recorded entry, times in µs; days, weeks and quarters as the µs of their first day."""
    return Told(
        position=entry.position,
        type=entry.type,
        aggregate=entry.aggregate,
        subject=entry.subject,
        occurred_at=micros(entry.occurred_at),
        recorded_at=micros(entry.recorded_at),
        data={name: _plain(value, kinds(entry.type)[name]) for name, value in stored(entry.data).items()},
    )


def _plain(value: Any, kind: str) -> Any:
    if kind == "time":
        return micros(value)
    if kind == "quarter":
        year, quarter = int(value[:4]), int(value[-1])
        return micros(datetime(year, 3 * quarter - 2, 1, tzinfo=UTC))
    if kind == "week":
        return micros(datetime.fromisocalendar(int(value[:4]), int(value[-2:]), 1).replace(tzinfo=UTC))
    if kind == "day":
        return micros(datetime.fromisoformat(value).replace(tzinfo=UTC))
    return str(value) if kind == "text" else value
