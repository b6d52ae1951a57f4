"""Access: which key was shown personal texts, and which took rows out as a file. The ledger itself tells it."""

from dataclasses import dataclass

from ledger.occurrence import Occurrence, Reading
from ledger.vocabulary import Event, Integer, Text


class AccessPersonalRead(
    Event,
    type="access.personal_read",
    en="Personal texts read",
    zh="个人信息查阅",
    opens=True,
    example={"route": "GET /v1/history/{aggregate}/{subject}", "regarding": "contact CT-2026-000481", "shown": 12},
):
    route: Text
    regarding: Text
    """Of what: a subject, positions, a form. Ids only."""
    shown: Integer
    """How many events or statements that hold a personal text."""


class AccessExported(
    Event,
    type="access.exported",
    en="Rows taken as a file",
    zh="数据导出",
    opens=True,
    example={"route": "GET /v1/tables/{table}", "regarding": "contacts", "shown": 1000},
):
    route: Text
    regarding: Text
    shown: Integer
    """How many rows."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a key took, as far as decisions need it."""


def evolve(state: Access | None, told: Occurrence) -> Access | None:
    """The key's record after one more event."""
    return Access() if isinstance(told.data, AccessPersonalRead | AccessExported) else state


def decide(state: Access | None, told: Occurrence, world: Reading) -> None:
    """Refuse nothing: a key reads as often as it likes."""
