"""Deliveries: the commitment to deliver a requirement, its milestones and its outcome."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from pydantic import model_validator

from ledger.aggregates.opening import refuse_first, refuse_later
from ledger.aggregates.requirement import Requirement
from ledger.errors import Refused
from ledger.occurrence import Occurrence, Reading
from ledger.vocabulary import (
    Channel,
    CustomerId,
    Event,
    Id,
    Instant,
    Percent,
    Personal,
    RequirementId,
    Scale,
    Score,
    within_scale,
)


class DeliveryPlanned(
    Event,
    type="delivery.planned",
    en="Delivery planned",
    zh="交付计划制定",
    opens=True,
    example={"requirement_id": "RQ-2026-0153", "owner_id": "staff-52", "due_at": "2026-04-30T10:00:00.000000Z"},
):
    requirement_id: RequirementId
    owner_id: Id | None = None
    due_at: Instant


class DeliveryMilestoneSet(
    Event,
    type="delivery.milestone_set",
    en="Milestone set",
    zh="里程碑设定",
    example={"milestone_id": "design", "due_at": "2026-04-15T10:00:00.000000Z"},
):
    milestone_id: Id
    due_at: Instant


class DeliveryMilestoneReached(
    Event,
    type="delivery.milestone_reached",
    en="Milestone reached",
    zh="里程碑达成",
    example={"milestone_id": "design"},
):
    milestone_id: Id


class DeliveryProgressed(Event, type="delivery.progressed", en="Progress told", zh="交付进展", example={"percent": 60}):
    percent: Percent


class DeliveryRescheduled(
    Event,
    type="delivery.rescheduled",
    en="Delivery rescheduled",
    zh="交付改期",
    example={"due_at": "2026-05-08T10:00:00.000000Z"},
):
    due_at: Instant


class DeliveryDelivered(Event, type="delivery.delivered", en="Delivered", zh="已交付", example={}):
    pass


class DeliveryAccepted(Event, type="delivery.accepted", en="Delivery accepted", zh="交付验收通过", example={}):
    pass


class DeliveryRefused(Event, type="delivery.refused", en="Delivery refused", zh="交付被拒收", example={}):
    pass


class DeliveryCustomerInformed(
    Event,
    type="delivery.customer_informed",
    en="Customer told of the delivery",
    zh="交付告知客户",
    example={"customer_id": "CU-1007", "channel": "phone"},
):
    customer_id: CustomerId
    channel: Channel | None = None


class DeliveryFeedbackReceived(
    Event,
    type="delivery.feedback_received",
    en="Feedback on the delivery received",
    zh="收到使用反馈",
    example={"customer_id": "CU-1007", "score": 9, "scale": 10, "comment": "Works as I hoped."},
):
    customer_id: CustomerId | None = None
    score: Score
    scale: Scale
    comment: Personal | None = None

    @model_validator(mode="after")
    def _within_scale(self) -> Self:
        within_scale(self.score, self.scale)
        return self


class DeliveryCancelled(Event, type="delivery.cancelled", en="Delivery cancelled", zh="交付取消", example={}):
    pass


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery, as far as decisions need it. It is open until it is delivered, accepted or cancelled."""

    requirement_id: str
    open: bool = True
    cancelled: bool = False
    milestones: Mapping[str, None] = field(default_factory=dict)


def evolve(state: Delivery | None, told: Occurrence) -> Delivery | None:
    """The delivery after one more event."""
    match told.data:
        case DeliveryPlanned(requirement_id=requirement_id):
            return Delivery(requirement_id)
        case _ if state is None:
            return None
        case DeliveryMilestoneSet(milestone_id=milestone_id):
            return replace(state, milestones={**state.milestones, milestone_id: None})
        case DeliveryDelivered() | DeliveryAccepted():
            return replace(state, open=False)
        case DeliveryRefused():
            return replace(state, open=not state.cancelled)
        case DeliveryCancelled():
            return replace(state, open=False, cancelled=True)
    return state


def decide(state: Delivery | None, told: Occurrence, world: Reading) -> None:
    """Refuse what cannot be said of this delivery."""
    if state is None:
        refuse_first(told)
        if isinstance(told.data, DeliveryPlanned):
            _refuse_plan(told.data.requirement_id, world)
        return
    refuse_later(told)
    match told.data:
        case DeliveryMilestoneReached(milestone_id=milestone_id) if milestone_id not in state.milestones:
            raise Refused(
                "delivery.milestone_unknown",
                f"{told.subject} has no milestone {milestone_id}: tell delivery.milestone_set first",
            )
        case DeliveryCancelled() if state.cancelled:
            raise Refused("delivery.cancelled_twice", f"delivery {told.subject} was already cancelled")


def _refuse_plan(requirement_id: str, world: Reading) -> None:
    requirement: Requirement | None = world.state("requirement", requirement_id)
    if requirement is None:
        raise Refused(
            "delivery.requirement_unknown",
            f"requirement {requirement_id} is not recorded: tell requirement.captured before planning its delivery",
        )
    if requirement.merged_into is not None:
        raise Refused(
            "delivery.requirement_merged",
            f"requirement {requirement_id} is merged into {requirement.merged_into}: plan the delivery of that one",
        )
    if requirement.rejected:
        raise Refused(
            "delivery.requirement_rejected",
            f"requirement {requirement_id} is rejected: tell requirement.reopened before planning its delivery",
        )
    if requirement.closed:
        raise Refused(
            "delivery.requirement_closed",
            f"requirement {requirement_id} is closed: tell requirement.reopened before planning its delivery",
        )
