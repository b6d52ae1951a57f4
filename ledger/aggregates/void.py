"""Proposed voids: somebody asks that what stands at a position be voided. The subject is that position.

What approves one is ``record.voided`` itself, told under another key; until then nothing counts differently. Whether a
void needs a proposal is said by the rule book. What may be proposed, and approved, stands in ``ledger.voids``.
"""

from dataclasses import dataclass

from ledger.aggregates.opening import refuse_first
from ledger.errors import Refused
from ledger.occurrence import Occurrence, Reading
from ledger.vocabulary import Event


class VoidProposed(Event, type="void.proposed", en="Void proposed", zh="作废提议", opens=True, example={}):
    pass


class VoidDeclined(Event, type="void.declined", en="Proposed void declined", zh="作废提议驳回", example={}):
    pass


@dataclass(frozen=True, slots=True)
class Void:
    """A proposed void, as far as its own decisions need it. Not open: it was declined last."""

    open: bool = True


def evolve(state: Void | None, told: Occurrence) -> Void | None:
    """The proposed void after one more event."""
    match told.data:
        case VoidProposed():
            return Void()
        case VoidDeclined() if state is not None:
            return Void(open=False)
    return state


def decide(state: Void | None, told: Occurrence, world: Reading) -> None:
    """Refuse what cannot be said of this proposed void. What was declined may be proposed again, by the same event."""
    if state is None:
        return refuse_first(told)
    match told.data:
        case VoidProposed() if state.open:
            raise Refused("void.already_proposed", f"the void of position {told.subject} is proposed already")
        case VoidDeclined() if not state.open:
            raise Refused("void.not_proposed", f"the void of position {told.subject} is not proposed any more")
    return None
