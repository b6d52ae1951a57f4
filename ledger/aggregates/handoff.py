"""Handoffs: a contact or a requirement passed from one department to another."""

from dataclasses import dataclass
from typing import Self

from pydantic import model_validator

from ledger.aggregates.opening import refuse_first, refuse_later
from ledger.errors import Refused
from ledger.occurrence import Occurrence, Reading
from ledger.vocabulary import ContactId, Event, Id, RequirementId


class HandoffRequested(
    Event,
    type="handoff.requested",
    en="Handoff requested",
    zh="转办申请",
    opens=True,
    example={"contact_id": "CT-2026-000481", "from_department": "front_desk", "to_department": "logistics"},
):
    contact_id: ContactId | None = None
    requirement_id: RequirementId | None = None
    from_department: Id
    to_department: Id

    @model_validator(mode="after")
    def _concerns_something(self) -> Self:
        if self.contact_id is None and self.requirement_id is None:
            raise ValueError("a handoff names the contact_id or the requirement_id that is handed over")
        return self


class HandoffTransferred(Event, type="handoff.transferred", en="Handoff transferred", zh="已转办", example={}):
    pass


class HandoffAccepted(
    Event, type="handoff.accepted", en="Handoff accepted", zh="转办受理", example={"owner_id": "staff-44"}
):
    owner_id: Id | None = None


class HandoffReturned(Event, type="handoff.returned", en="Handoff returned", zh="转办退回", example={}):
    pass


class HandoffAnswered(Event, type="handoff.answered", en="Customer answered", zh="转办答复客户", example={}):
    pass


class HandoffWithdrawn(Event, type="handoff.withdrawn", en="Handoff withdrawn", zh="转办撤回", example={}):
    pass


@dataclass(frozen=True, slots=True)
class Handoff:
    """A handoff, as far as decisions need it."""

    answered: bool = False
    withdrawn: bool = False


def evolve(state: Handoff | None, told: Occurrence) -> Handoff | None:
    """The handoff after one more event."""
    match told.data:
        case HandoffRequested():
            return Handoff()
        case _ if state is None:
            return None
        case HandoffAnswered():
            return Handoff(answered=True, withdrawn=state.withdrawn)
        case HandoffWithdrawn():
            return Handoff(answered=state.answered, withdrawn=True)
    return state


def decide(state: Handoff | None, told: Occurrence, world: Reading) -> None:
    """Refuse what cannot be said of this handoff."""
    if state is None:
        return refuse_first(told)
    refuse_later(told)
    match told.data:
        case HandoffAnswered() if state.answered:
            raise Refused("handoff.answered_twice", f"the customer of handoff {told.subject} was already answered")
        case HandoffWithdrawn() if state.withdrawn:
            raise Refused("handoff.withdrawn_twice", f"handoff {told.subject} was already withdrawn")
    return None
