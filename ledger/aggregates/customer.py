"""Customers: who they are, their tier, their orders, churn alerts, and what became of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

from pydantic import Field

from ledger.aggregates.merging import refuse_merge, refuse_unmerge
from ledger.aggregates.opening import refuse_first, refuse_later
from ledger.errors import Refused
from ledger.occurrence import Occurrence, Reading
from ledger.vocabulary import (
    Amount,
    Cause,
    Channel,
    ContactId,
    Currency,
    CustomerId,
    DataKeyName,
    Event,
    Flag,
    Id,
    Indicator,
    NeedType,
    Personal,
    Stage,
    Text,
    Tier,
    Unlisted,
)


class CustomerRegistered(
    Event,
    type="customer.registered",
    en="Customer registered",
    zh="客户登记",
    opens=True,
    example={"name": "Chen Yu", "segment": "retail", "region": "east", "stage": "customer"},
):
    name: Personal | None = None
    segment: Id | None = None
    region: Id | None = None
    stage: Stage


class CustomerStageChanged(
    Event, type="customer.stage_changed", en="Stage changed", zh="客户阶段变更", example={"stage": "customer"}
):
    stage: Stage


class CustomerTiered(
    Event,
    type="customer.tiered",
    en="Tier set",
    zh="客户分层",
    example={"tier": "high", "need_type": "custom", "manager_id": "staff-12"},
):
    tier: Tier
    need_type: NeedType | None = None
    manager_id: Id | None = None


class CustomerChannelPreferred(
    Event,
    type="customer.channel_preferred",
    en="Preferred channel told",
    zh="偏好渠道登记",
    example={"channel": "web_chat"},
):
    channel: Channel


class CustomerPurchased(
    Event,
    type="customer.purchased",
    en="Purchase made",
    zh="客户购买",
    example={"order_id": "order-88213", "amount": 129900, "currency": "CNY"},
):
    order_id: Id
    amount: Amount
    currency: Currency


class CustomerAlertRaised(
    Event,
    type="customer.alert_raised",
    en="Churn alert raised",
    zh="流失预警触发",
    example={"alert_id": "alert-301", "indicator": "silence", "evidence": "no contact since 2026-01-28"},
):
    alert_id: Id
    indicator: Indicator
    evidence: Text | None = None


class CustomerAlertAnswered(
    Event,
    type="customer.alert_answered",
    en="Churn alert answered",
    zh="流失预警响应",
    example={"alert_id": "alert-301", "owner_id": "staff-12", "contact_id": "CT-2026-000482"},
):
    alert_id: Id
    owner_id: Id | None = None
    contact_id: ContactId | None = None


class CustomerCauseDiagnosed(
    Event,
    type="customer.cause_diagnosed",
    en="Cause diagnosed",
    zh="流失原因定位",
    example={"alert_id": "alert-301", "cause": "communication"},
):
    alert_id: Id
    cause: Cause


class CustomerCauseVerified(
    Event,
    type="customer.cause_verified",
    en="Cause verified",
    zh="流失原因核实",
    example={"alert_id": "alert-301", "correct": True},
):
    alert_id: Id
    correct: Flag


class CustomerWinBackPlanned(
    Event,
    type="customer.win_back_planned",
    en="Win-back planned",
    zh="挽回方案制定",
    example={"alert_id": "alert-301", "win_back_measure": "personal call and a dedicated manager"},
):
    alert_id: Id
    win_back_measure: Personal | None = None


class CustomerWonBack(
    Event, type="customer.won_back", en="Customer won back", zh="客户挽回成功", example={"alert_id": "alert-301"}
):
    alert_id: Id


class CustomerChurned(
    Event,
    type="customer.churned",
    en="Customer churned",
    zh="客户流失",
    example={"cause": "service", "by_communication": False},
):
    cause: Cause | None = None
    by_communication: Flag = False


class CustomerMerged(
    Event, type="customer.merged", en="Customer merged", zh="客户合并", example={"into_id": "CU-1003"}
):
    into_id: CustomerId


class CustomerUnmerged(Event, type="customer.unmerged", en="Merge undone", zh="客户合并撤销", example={}):
    pass


class CustomerErasureRequested(
    Event,
    type="customer.erasure_requested",
    en="Erasure requested",
    zh="个人数据删除申请",
    example={"basis": "erasure requested under GDPR Art. 17", "request_id": "dsr-2026-014"},
):
    basis: Text = Field(min_length=1)
    request_id: Id


class CustomerKeyDestroyed(
    Event,
    type="customer.key_destroyed",
    en="Personal data erased",
    zh="个人数据删除",
    example={
        "basis": "erasure requested under GDPR Art. 17",
        "request_id": "dsr-2026-014",
        "destroyed_keys": ["contact:CT-20260301-17/1", "customer:CU-1007/1"],
    },
):
    basis: Text = Field(min_length=1)
    request_id: Id
    destroyed_keys: Annotated[tuple[DataKeyName, ...], Field(max_length=100_000), Unlisted()] | None = None
    """On a ledger that encrypts, where the ledger itself tells this event: the data keys that are gone."""


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer, as far as decisions need it."""

    merged_into: str | None = None
    alerts: Mapping[str, None] = field(default_factory=dict)


def evolve(state: Customer | None, told: Occurrence) -> Customer | None:
    """The customer after one more event."""
    match told.data:
        case CustomerRegistered():
            return Customer()
        case _ if state is None:
            return None
        case CustomerAlertRaised(alert_id=alert_id):
            return replace(state, alerts={**state.alerts, alert_id: None})
        case CustomerMerged(into_id=into_id):
            return replace(state, merged_into=into_id)
        case CustomerUnmerged():
            return replace(state, merged_into=None)
    return state


def decide(state: Customer | None, told: Occurrence, world: Reading) -> None:
    """Refuse what cannot be said of this customer."""
    if state is None:
        # whoever is named may be erased, registered or not
        return None if isinstance(told.data, CustomerErasureRequested | CustomerKeyDestroyed) else refuse_first(told)
    refuse_later(told)
    match told.data:
        case CustomerAlertRaised(alert_id=alert_id):
            if alert_id in state.alerts:
                raise Refused("customer.alert_repeated", f"alert {alert_id} of {told.subject} was already raised")
        case (
            CustomerAlertAnswered(alert_id=alert_id)
            | CustomerCauseDiagnosed(alert_id=alert_id)
            | CustomerCauseVerified(alert_id=alert_id)
            | CustomerWinBackPlanned(alert_id=alert_id)
            | CustomerWonBack(alert_id=alert_id)
        ):
            if alert_id not in state.alerts:
                raise Refused(
                    "customer.alert_unknown",
                    f"{told.subject} has no alert {alert_id}: tell customer.alert_raised first",
                )
        case CustomerMerged(into_id=into_id):
            refuse_merge(told, state, into_id, world)
        case CustomerUnmerged():
            refuse_unmerge(told, state)
    return None
