"""Deliveries of notices: one notice on its way to one customer on one channel."""

from dataclasses import dataclass, replace

from ledger.aggregates.notice import Notice
from ledger.aggregates.opening import refuse_first, refuse_later
from ledger.errors import Refused
from ledger.occurrence import Occurrence, Reading
from ledger.vocabulary import Channel, CustomerId, Event, NoticeId


class NoticeDeliverySent(
    Event,
    type="notice_delivery.sent",
    en="Notice sent",
    zh="通知发送",
    opens=True,
    example={"notice_id": "NT-2026-003", "customer_id": "CU-1007", "channel": "sms"},
):
    notice_id: NoticeId
    customer_id: CustomerId
    channel: Channel


class NoticeDeliveryDelivered(
    Event, type="notice_delivery.delivered", en="Notice delivered", zh="通知送达", example={}
):
    pass


class NoticeDeliveryConfirmed(
    Event, type="notice_delivery.confirmed", en="Notice confirmed", zh="通知确认", example={}
):
    pass


class NoticeDeliveryResponded(
    Event, type="notice_delivery.responded", en="Customer responded", zh="客户响应", example={}
):
    pass


@dataclass(frozen=True, slots=True)
class NoticeDelivery:
    """A delivery of a notice, as far as decisions need it."""

    delivered: bool = False
    confirmed: bool = False
    responded: bool = False


def evolve(state: NoticeDelivery | None, told: Occurrence) -> NoticeDelivery | None:
    """The delivery after one more event."""
    match told.data:
        case NoticeDeliverySent():
            return NoticeDelivery()
        case _ if state is None:
            return None
        case NoticeDeliveryDelivered():
            return replace(state, delivered=True)
        case NoticeDeliveryConfirmed():
            return replace(state, confirmed=True)
        case NoticeDeliveryResponded():
            return replace(state, responded=True)
    return state


def decide(state: NoticeDelivery | None, told: Occurrence, world: Reading) -> None:
    """Refuse what cannot be said of this delivery. A source may tell its steps in any order."""
    if state is None:
        refuse_first(told)
        if isinstance(told.data, NoticeDeliverySent):
            _refuse_sending(told, told.data.notice_id, world)
        return
    refuse_later(told)
    match told.data:
        case NoticeDeliveryDelivered() if state.delivered:
            raise Refused("notice_delivery.delivered_twice", f"{told.subject} was already delivered")
        case NoticeDeliveryConfirmed() if state.confirmed:
            raise Refused("notice_delivery.confirmed_twice", f"{told.subject} was already confirmed")
        case NoticeDeliveryResponded() if state.responded:
            raise Refused("notice_delivery.responded_twice", f"{told.subject} was already responded to")


def _refuse_sending(told: Occurrence, notice_id: str, world: Reading) -> None:
    notice: Notice | None = world.state("notice", notice_id)
    if notice is None:
        raise Refused(
            "notice_delivery.notice_unknown",
            f"notice {notice_id} is not recorded: tell notice.issued before sending it",
        )
    if notice.withdrawn_at is not None and told.occurred_at > notice.withdrawn_at:
        raise Refused(
            "notice_delivery.notice_withdrawn",
            f"notice {notice_id} was withdrawn before {told.subject} was sent: issue another notice",
        )
