"""Contacts: one conversation with one customer on one channel, from its arrival to its end."""

from dataclasses import dataclass, replace
from typing import Self

from pydantic import model_validator

from ledger.aggregates.merging import refuse_merge, refuse_unmerge
from ledger.aggregates.opening import refuse_first, refuse_later
from ledger.aggregates.pauses import Pause, refuse_open_across, refuse_pause, refuse_resumption, resumed
from ledger.errors import Refused
from ledger.occurrence import Occurrence, Reading
from ledger.vocabulary import (
    Aspect,
    Channel,
    Complexity,
    ContactId,
    ContactKind,
    CustomerId,
    Direction,
    Event,
    Flag,
    Id,
    PauseReason,
    Personal,
    Problem,
    Purpose,
    Scale,
    Score,
    within_scale,
)


class ContactReceived(
    Event,
    type="contact.received",
    en="Contact received",
    zh="收到客户沟通",
    opens=True,
    example={
        "customer_id": "CU-1007",
        "channel": "web_chat",
        "department": "front_desk",
        "direction": "inbound",
        "kind": "problem",
        "complexity": "general",
        "purpose": "service",
        "message": "My order has not arrived.",
    },
):
    customer_id: CustomerId | None = None
    channel: Channel
    department: Id
    direction: Direction = Direction.INBOUND
    kind: ContactKind
    complexity: Complexity = Complexity.GENERAL
    purpose: Purpose = Purpose.SERVICE
    message: Personal | None = None


class ContactIdentified(
    Event, type="contact.identified", en="Customer identified", zh="客户身份确认", example={"customer_id": "CU-1007"}
):
    customer_id: CustomerId


class ContactRang(Event, type="contact.rang", en="Phone rang", zh="来电响铃", example={}):
    pass


class ContactAnswered(
    Event,
    type="contact.answered",
    en="Contact answered",
    zh="回复客户",
    example={
        "agent_id": "staff-31",
        "script_id": "script-late-order",
        "automated": False,
        "message": "I am looking into your order now.",
    },
):
    agent_id: Id | None = None
    script_id: Id | None = None
    automated: Flag = False
    message: Personal | None = None


class ContactAbandoned(Event, type="contact.abandoned", en="Caller gave up", zh="客户放弃等待", example={}):
    pass


class ContactMinutesRecorded(
    Event,
    type="contact.minutes_recorded",
    en="Minutes recorded",
    zh="沟通记录登记",
    example={"prepared": True, "complete": True, "minutes": "Agreed to send a replacement."},
):
    prepared: Flag
    complete: Flag
    minutes: Personal | None = None


class ContactScreened(
    Event,
    type="contact.screened",
    en="Screened for requirements",
    zh="需求筛查",
    example={"has_requirement": True},
):
    has_requirement: Flag


class ContactPaused(
    Event,
    type="contact.paused",
    en="Clock paused",
    zh="计时暂停",
    example={"pause_id": "pause-1", "pause_reason": "awaiting_customer"},
):
    pause_id: Id
    pause_reason: PauseReason | None = None


class ContactResumed(Event, type="contact.resumed", en="Clock resumed", zh="计时恢复", example={"pause_id": "pause-1"}):
    pause_id: Id


class ContactSolutionProposed(
    Event,
    type="contact.solution_proposed",
    en="Solution proposed",
    zh="提出解决方案",
    example={"solution": "Send a replacement by courier."},
):
    solution: Personal | None = None


class ContactResolved(Event, type="contact.resolved", en="Contact resolved", zh="处理完成", example={"solved": True}):
    solved: Flag


class ContactCustomerInformed(
    Event,
    type="contact.customer_informed",
    en="Customer told the outcome",
    zh="告知客户结果",
    example={"channel": "email"},
):
    channel: Channel | None = None


class ContactReopened(Event, type="contact.reopened", en="Contact reopened", zh="沟通重新打开", example={}):
    pass


class ContactRated(
    Event,
    type="contact.rated",
    en="Contact rated",
    zh="客户评价",
    example={"rating_id": "rating-1", "aspect": "online", "score": 4, "scale": 5},
):
    rating_id: Id
    aspect: Aspect
    score: Score
    scale: Scale

    @model_validator(mode="after")
    def _within_scale(self) -> Self:
        within_scale(self.score, self.scale)
        return self


class ContactProblemFlagged(
    Event,
    type="contact.problem_flagged",
    en="Communication problem flagged",
    zh="沟通问题标记",
    example={"problem": "misunderstanding"},
):
    problem: Problem


class ContactMerged(
    Event, type="contact.merged", en="Contact merged", zh="沟通合并", example={"into_id": "CT-2026-000480"}
):
    into_id: ContactId


class ContactUnmerged(Event, type="contact.unmerged", en="Merge undone", zh="沟通合并撤销", example={}):
    pass


class ContactClosed(Event, type="contact.closed", en="Contact closed", zh="沟通关闭", example={"valid": True}):
    valid: Flag


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact, as far as decisions need it. ``reopened`` holds until it ends again."""

    merged_into: str | None = None
    pauses: tuple[Pause, ...] = ()
    reopened: bool = False


def evolve(state: Contact | None, told: Occurrence) -> Contact | None:
    """The contact after one more event."""
    match told.data:
        case ContactReceived():
            return Contact()
        case _ if state is None:
            return None
        case ContactPaused(pause_id=pause_id):
            return replace(state, pauses=(*state.pauses, Pause(pause_id, told.occurred_at)))
        case ContactResumed(pause_id=pause_id):
            return replace(state, pauses=resumed(state.pauses, pause_id, told.occurred_at))
        case ContactReopened():
            return replace(state, reopened=True)
        case ContactResolved() | ContactClosed() | ContactAbandoned() if state.reopened:
            return replace(state, reopened=False)
        case ContactMerged(into_id=into_id):
            return replace(state, merged_into=into_id)
        case ContactUnmerged():
            return replace(state, merged_into=None)
    return state


def decide(state: Contact | None, told: Occurrence, world: Reading) -> None:
    """Refuse what cannot be said of this contact."""
    if state is None:
        return refuse_first(told)
    refuse_later(told)
    match told.data:
        case ContactPaused(pause_id=pause_id):
            refuse_pause(state.pauses, pause_id, told)
        case ContactResumed(pause_id=pause_id):
            refuse_resumption(state.pauses, pause_id, told)
        case ContactReopened():
            if state.reopened:
                raise Refused(
                    "contact.already_reopened",
                    f"{told.subject} was reopened and has neither been resolved nor closed since",
                )
        case ContactMerged(into_id=into_id):
            refuse_merge(told, state, into_id, world)
        case ContactUnmerged():
            refuse_unmerge(told, state)
    return None


def settle(state: Contact, subject: str) -> None:
    """Refuse a unit that leaves a pause open across another one."""
    refuse_open_across(state.pauses, subject)
