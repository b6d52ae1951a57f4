"""Requirements: something a customer needs, from its capture to its end."""

from dataclasses import dataclass, replace
from typing import Self

from pydantic import model_validator

from ledger.aggregates.merging import refuse_merge, refuse_unmerge
from ledger.aggregates.opening import refuse_first, refuse_later
from ledger.errors import Refused
from ledger.occurrence import Occurrence, Reading
from ledger.vocabulary import (
    ArchiveClass,
    Channel,
    ContactId,
    Currency,
    CustomerId,
    Event,
    Expression,
    Flag,
    Grade,
    Improvement,
    Integer,
    Kano,
    Personal,
    Priority,
    Quarter,
    Rejection,
    RequirementId,
    Role,
    SourceKind,
    Text,
    with_currency,
)


class RequirementCaptured(
    Event,
    type="requirement.captured",
    en="Requirement captured",
    zh="需求采集",
    opens=True,
    example={
        "customer_id": "CU-1007",
        "contact_id": "CT-2026-000481",
        "channel": "web_chat",
        "source_kind": "contact",
        "expression": "explicit",
        "key": True,
        "found_late": False,
        "statement": "Tell me when my parcel is late.",
    },
):
    customer_id: CustomerId | None = None
    contact_id: ContactId | None = None
    channel: Channel | None = None
    source_kind: SourceKind
    expression: Expression = Expression.EXPLICIT
    key: Flag = False
    found_late: Flag = False
    statement: Personal | None = None


class RequirementClarificationRequested(
    Event, type="requirement.clarification_requested", en="Clarification requested", zh="需求待澄清", example={}
):
    pass


class RequirementClarified(
    Event,
    type="requirement.clarified",
    en="Requirement clarified",
    zh="需求已澄清",
    example={"statement": "A text message when the parcel is a day late."},
):
    statement: Personal | None = None


class RequirementMerged(
    Event, type="requirement.merged", en="Requirement merged", zh="需求合并", example={"into_id": "RQ-2026-0101"}
):
    into_id: RequirementId


class RequirementUnmerged(Event, type="requirement.unmerged", en="Merge undone", zh="需求合并撤销", example={}):
    pass


class RequirementRejected(
    Event,
    type="requirement.rejected",
    en="Requirement rejected",
    zh="需求驳回",
    example={"rejection": "out_of_scope"},
):
    rejection: Rejection


class RequirementClassified(
    Event,
    type="requirement.classified",
    en="Requirement classified",
    zh="需求分类",
    example={"kano": "performance", "archive_class": "service_optimisation"},
):
    kano: Kano
    archive_class: ArchiveClass | None = None


class RequirementAssessed(
    Event,
    type="requirement.assessed",
    en="Requirement assessed",
    zh="需求评审",
    example={
        "role": "product",
        "urgency": 4,
        "importance": 5,
        "benefit": 4,
        "effort": 2,
        "against_strategy": False,
    },
):
    role: Role
    urgency: Grade
    importance: Grade
    benefit: Grade | None = None
    effort: Grade | None = None
    against_strategy: Flag = False


class RequirementPrioritised(
    Event, type="requirement.prioritised", en="Priority decided", zh="优先级确定", example={"priority": "high"}
):
    priority: Priority


class RequirementScoped(
    Event,
    type="requirement.scoped",
    en="Boundary and criteria set",
    zh="需求边界与验收标准确定",
    example={"boundary": "Parcels sent by us only.", "criteria": "Message within one hour of the delay."},
):
    boundary: Personal | None = None
    criteria: Personal | None = None


class RequirementVerified(
    Event, type="requirement.verified", en="Identification verified", zh="需求识别核实", example={"correct": True}
):
    correct: Flag


class RequirementArchived(
    Event, type="requirement.archived", en="Requirement archived", zh="需求归档", example={"complete": True}
):
    complete: Flag


class RequirementValueAssessed(
    Event,
    type="requirement.value_assessed",
    en="Value assessed",
    zh="需求价值评估",
    example={
        "quarter": "2026-Q2",
        "repurchase_bp": 350,
        "cost_saved": 4800000,
        "currency": "CNY",
        "high_value": True,
    },
):
    quarter: Quarter
    repurchase_bp: Integer | None = None
    cost_saved: Integer | None = None
    currency: Currency | None = None
    high_value: Flag = False

    @model_validator(mode="after")
    def _money_has_a_currency(self) -> Self:
        with_currency("cost_saved", self.cost_saved, self.currency)
        return self


class RequirementConverted(
    Event,
    type="requirement.converted",
    en="Converted into an improvement",
    zh="转化为改进",
    example={"improvement": "service", "reference": "parcel notices 2.1"},
):
    improvement: Improvement
    reference: Text | None = None


class RequirementReopened(Event, type="requirement.reopened", en="Requirement reopened", zh="需求重启", example={}):
    pass


class RequirementClosed(Event, type="requirement.closed", en="Requirement closed", zh="需求关闭", example={}):
    pass


@dataclass(frozen=True, slots=True)
class Requirement:
    """A requirement, as far as decisions need it. ``reopened`` holds until it is closed or rejected again."""

    merged_into: str | None = None
    rejected: bool = False
    closed: bool = False
    reopened: bool = False


def evolve(state: Requirement | None, told: Occurrence) -> Requirement | None:
    """The requirement after one more event."""
    match told.data:
        case RequirementCaptured():
            return Requirement()
        case _ if state is None:
            return None
        case RequirementMerged(into_id=into_id):
            return replace(state, merged_into=into_id)
        case RequirementUnmerged():
            return replace(state, merged_into=None)
        case RequirementRejected():
            return replace(state, rejected=True, reopened=False)
        case RequirementClosed():
            return replace(state, closed=True, reopened=False)
        case RequirementReopened():
            return replace(state, rejected=False, closed=False, reopened=True)
    return state


def decide(state: Requirement | None, told: Occurrence, world: Reading) -> None:
    """Refuse what cannot be said of this requirement."""
    if state is None:
        return refuse_first(told)
    refuse_later(told)
    match told.data:
        case RequirementMerged(into_id=into_id):
            refuse_merge(told, state, into_id, world)
            _refuse_open_delivery(told.subject, world)
        case RequirementUnmerged():
            refuse_unmerge(told, state)
        case RequirementReopened():
            if state.reopened:
                raise Refused(
                    "requirement.already_reopened",
                    f"{told.subject} was reopened and has neither been rejected nor closed since",
                )
    return None


def _refuse_open_delivery(subject: str, world: Reading) -> None:
    for delivery_id in world.referring("delivery", "requirement_id", subject):
        delivery = world.state("delivery", delivery_id)
        if delivery is not None and delivery.open and delivery.requirement_id == subject:
            raise Refused(
                "requirement.open_delivery",
                f"{subject} has the open delivery {delivery_id}: deliver or cancel it before merging",
            )
