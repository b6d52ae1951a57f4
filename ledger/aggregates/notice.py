"""Notices: information that customers must receive."""

from dataclasses import dataclass
from datetime import datetime

from ledger.aggregates.opening import refuse_first, refuse_later
from ledger.errors import Refused
from ledger.occurrence import Occurrence, Reading
from ledger.vocabulary import Event, Flag, Instant, PlanId, Text


class NoticeIssued(
    Event,
    type="notice.issued",
    en="Notice issued",
    zh="重要信息通知发布",
    opens=True,
    example={
        "topic": "An assistant answers in chat from June on",
        "important": True,
        "plan_id": "PL-2026-007",
        "effective_at": "2026-06-01T00:00:00.000000Z",
    },
):
    topic: Text
    important: Flag = False
    plan_id: PlanId | None = None
    effective_at: Instant | None = None


class NoticeWithdrawn(Event, type="notice.withdrawn", en="Notice withdrawn", zh="通知撤回", example={}):
    pass


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice, as far as decisions need it."""

    withdrawn_at: datetime | None = None


def evolve(state: Notice | None, told: Occurrence) -> Notice | None:
    """The notice after one more event."""
    match told.data:
        case NoticeIssued():
            return Notice()
        case NoticeWithdrawn() if state is not None:
            return Notice(withdrawn_at=told.occurred_at)
    return state


def decide(state: Notice | None, told: Occurrence, world: Reading) -> None:
    """Refuse what cannot be said of this notice."""
    if state is None:
        return refuse_first(told)
    refuse_later(told)
    if state.withdrawn_at is not None:
        raise Refused("notice.withdrawn_twice", f"notice {told.subject} was already withdrawn")
    return None
