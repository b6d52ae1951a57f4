"""Notices: important ones go out on two channels and are confirmed, changes are told before they take effect."""

from __future__ import annotations

from api.simulator.rhythm import DAY, HOUR, MINUTE, office_time, rfc3339
from api.simulator.teller import Data, Subject
from api.simulator.words import TOPICS, sentence
from api.simulator.world import Customer, World

# Where a notice can be pushed to; who prefers another channel gets it on the first of these.
REACHING = ("sms", "app", "email", "announcement")
AUDIENCE = 0.14
"""The share of customers whom one notice concerns."""


def publish(world: World, day: int, at: int) -> None:
    """The notices of a day: every other Thursday one, important or not, in turn."""
    date = world.calendar.date(day)
    if date.isoweekday() != 4 or date.isocalendar().week % 2:
        return
    issued = office_time(world.random, at)
    if world.teller.rare("unimportant notice", 0.4):
        _issue(world, {"topic": sentence(world.random, TOPICS), "important": False}, issued, None)
        return
    effective = world.calendar.start + (day + 12 + world.random.randrange(10)) * DAY
    announce_change(world, sentence(world.random, TOPICS), issued, effective, None)


def announce_change(world: World, topic: str, at: int, effective: int, plan: Subject | None) -> None:
    """Tell customers of a change before it takes effect; during the diagnosis some are told too late."""
    data: Data = {"topic": topic, "important": True, "effective_at": rfc3339(effective)}
    if plan is not None:
        data["plan_id"] = plan.id
    _issue(world, data, office_time(world.random, at), effective, after=0 if plan is None else plan.opened)


def _issue(world: World, data: Data, at: int, effective: int | None, *, after: int = 0) -> None:
    random, teller = world.random, world.teller
    notice = world.subject("notice", "N")
    teller.tell("issued", notice, at, data, opens=True, after=after, actor="communications")
    withdrawn = effective is not None and teller.rare("notice withdrawn", 0.06)
    for customer in world.some(world.active(at), AUDIENCE):
        sent = at + int(random.random() * 2 * DAY)
        if effective is not None and not withdrawn and not world.programme.succeeds(at, 0.86, 0.995):
            sent = effective + int(random.random() * 3 * DAY)
        _send(world, notice, customer, sent, bool(data["important"]))
    if withdrawn:
        teller.tell("withdrawn", notice, office_time(random, at + 3 * DAY), {}, actor="communications",
                    reason="日期有误，另行通知。")  # fmt: skip


def _send(world: World, notice: Subject, customer: Customer, at: int, important: bool) -> None:
    """One customer, on the preferred channel, and where it matters on a second one."""
    random, teller, programme = world.random, world.teller, world.programme
    first = customer.channel if customer.channel in REACHING else "sms"
    second = random.choice([channel for channel in REACHING if channel != first])
    willing = programme.succeeds(at, 0.24, 0.44)
    attentive = programme.succeeds(at, 0.62, 0.985)
    for channel in (first, second) if important else (first,):
        delivery = world.subject("notice_delivery", "B", notice.id)
        data = {"notice_id": notice.id, "customer_id": customer.id, "channel": channel}
        after = max(notice.opened, customer.subject.opened)
        teller.tell("sent", delivery, at, data, opens=True, after=after)
        if not programme.succeeds(at, 0.89, 0.993):
            continue
        delivered = at + int(random.expovariate(0.5) * MINUTE)
        late = int(random.random() * 6 * HOUR) if random.random() < 0.04 else 0
        teller.tell("delivered", delivery, delivered, {}, late=late)
        if important and attentive:
            teller.tell("confirmed", delivery, delivered + int(random.expovariate(0.2) * HOUR), {}, loose=True)
        if willing and random.random() < 0.9:
            teller.tell("responded", delivery, delivered + int(random.expovariate(0.1) * HOUR), {}, loose=True)
        world.concerns(customer, delivery.told)
