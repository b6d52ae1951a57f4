"""The life of a customer: registered, tiered, buying, growing silent, warned of, won back or lost."""

from __future__ import annotations

from dataclasses import replace

from api.simulator.contacts import inbound, outbound
from api.simulator.requirements import gather
from api.simulator.rhythm import DAY, HOUR, office_time
from api.simulator.teller import Data, Subject
from api.simulator.words import MEASURES, person, sentence
from api.simulator.world import CHANNELS, Customer, World

TIERS = {"high": 12, "mid": 33, "base": 55}
NEEDS = {"basic": 50, "value_added": 35, "custom": 15}
REGIONS = ("华东", "华北", "华南", "西南", "europe", "america")
SEGMENTS = ("retail", "manufacturing", "public", "education")
SPENDING = {"high": 1.2, "mid": 0.6, "base": 0.3}
NEVER = 1 << 62
CAUSES = {"service": 30, "changed_need": 22, "competitor": 18, "price": 14, "communication": 12, "other": 4}


def register(world: World, at: int, *, known_already: bool) -> Customer:
    """A customer the company gets, or (`known_already`) had before the ledger and tells of on its first day."""
    random, teller = world.random, world.teller
    subject = world.subject("customer", "C")
    tier = random.choices(tuple(TIERS), tuple(TIERS.values()))[0]
    prospect = random.random() < (0.1 if known_already else 0.35) or teller.rare("prospect", 0.02)
    since = at - int(random.random() * 700 * DAY) - DAY if known_already else at
    channel = random.choices(tuple(CHANNELS), tuple(CHANNELS.values()))[0]
    world.registered += 1
    currency = "USD" if random.random() < 0.08 else "CNY"
    customer = Customer(subject, world.registered, tier, channel, prospect, SPENDING[tier], currency)
    customer.last_contact_at = at - int(random.random() * 60 * DAY) if known_already else at
    data: Data = {"name": person(random), "stage": "prospect" if prospect else "customer"}
    if random.random() < 0.95:
        data["region"] = random.choice(REGIONS)
        data["segment"] = random.choice(SEGMENTS)
    teller.tell("registered", subject, since, data, opens=True, after=at)
    if prospect:
        became = customer.active_from = at + int((3 + random.random() * 60) * DAY)
        if not teller.rare("became a customer", 0.7):
            customer.active_from = NEVER
    if prospect and customer.active_from < NEVER:
        world.tell_customer(customer, "stage_changed", became, {"stage": "customer"})
    if random.random() < world.programme.level(at, 0.8, 0.99):
        told = max(at, since) + int(random.random() * 10 * DAY)
        late = int((5 + random.random() * 40) * DAY) if not known_already and teller.rare("tiered late", 0.12) else 0
        put_in_tier(world, customer, since if known_already else told, late=late)
    if random.random() < 0.45:
        world.tell_customer(customer, "channel_preferred", at + int(random.random() * 30 * DAY), {"channel": channel})
    world.customers.append(customer)
    return customer


def put_in_tier(world: World, customer: Customer, at: int, *, late: int = 0) -> None:
    """The company says what the customer is worth to it, and who looks after it."""
    customer.tiered = True
    random = world.random
    data: Data = {"tier": customer.tier}
    if random.random() < 0.85:
        data["need_type"] = random.choices(tuple(NEEDS), tuple(NEEDS.values()))[0]
    if customer.tier == "high" or random.random() < 0.1:
        data["manager_id"] = f"manager-{random.randrange(1, 7)}"
    world.tell_customer(customer, "tiered", at, data, late=late)


def monthly(world: World, customer: Customer, at: int) -> None:
    """What the month that begins at a time brings to a customer: purchases, a new tier, a warning, an end."""
    random, teller, programme = world.random, world.teller, world.programme
    if customer.churned:
        return
    if customer.active_from <= at or random.random() < 0.2:
        wanted = customer.spending * programme.level(at, 0.66, 1.65)
        moment = random.expovariate(wanted)
        while moment < 1:
            _purchase(world, customer, at + int(moment * 28 * DAY))
            moment += random.expovariate(wanted)
    if not customer.tiered and programme.succeeds(at, 0.0, 0.9):
        put_in_tier(world, customer, at + int(random.random() * 20 * DAY))
    if customer.tiered and (teller.rare("another tier", 0.01) or random.random() < 0.025):
        customer.tier = random.choices(tuple(TIERS), tuple(TIERS.values()))[0]
        put_in_tier(world, customer, at + int(random.random() * 20 * DAY))
    if random.random() < 0.015:
        gather(world, customer, office_time(random, at + int(random.random() * 25 * DAY)))
    silent = at - max(customer.last_contact_at, customer.alerted_at + 90 * DAY) > 61 * DAY
    if (silent and random.random() < 0.15) or random.random() < 0.032 or teller.rare("alert", 0.004):
        _alert(world, customer, at, silent)
    elif random.random() < programme.level(at, 0.02, 0.0006) * (0.4 if customer.tier == "high" else 1.0) or teller.rare(
        "churned without warning", 0.0002
    ):
        _churn(world, customer, at + int(random.random() * 25 * DAY))


def _purchase(world: World, customer: Customer, at: int) -> None:
    random = world.random
    customer.orders += 1
    data: Data = {
        "order_id": f"{customer.id}/O{customer.orders}",
        "amount": int(
            random.lognormvariate(10.5 if customer.tier == "high" else 9.5, 0.6)
            * world.programme.level(at, 0.97, 1.1)
            / (7 if customer.currency == "USD" else 1)
        ),
        "currency": customer.currency,
    }
    corrected = {**data, "amount": data["amount"] // 100} if world.teller.rare("wrong amount", 0.01) else None
    late = int(random.random() * 2 * DAY) if random.random() < 0.03 else 0
    recorded = world.teller.tell("purchased", customer.subject, at, data, loose=True, late=late, corrected=corrected,
                                 source="/company/shop")  # fmt: skip
    customer.busy_until = max(customer.busy_until, recorded + 4 * DAY * (corrected is not None))


def _alert(world: World, customer: Customer, at: int, silent: bool) -> None:
    """A warning, its answer, what is behind it, and whether the customer stays. Told in that order."""
    random, tell, programme = world.random, world.teller.tell, world.programme
    customer.alerts += 1
    customer.alerted_at = at
    alert = {"alert_id": f"{customer.id}/A{customer.alerts}"}
    indicator = "silence" if silent else random.choice(("contact_drop", "spend_drop", "negative_feedback"))
    subject, raised = customer.subject, office_time(random, at + int(random.random() * 5 * DAY))
    data: Data = {**alert, "indicator": indicator}
    if random.random() < 0.7:
        data["evidence"] = "no contact for two months" if silent else "compared with the three months before"
    tell("alert_raised", subject, raised, data, source="/company/warnings")
    now = raised
    if not world.teller.rare("alert never answered", 0.015):
        promptly = programme.succeeds(at, 0.78, 0.985)
        now += int(random.random() * 23 * HOUR) if promptly else DAY + int(random.expovariate(0.5) * DAY)
        owner = f"manager-{random.randrange(1, 7)}"
        answer = {**alert, "owner_id": owner}
        if world.one_more(now):
            answer["contact_id"] = outbound(world, customer, now, "win_back").id
        tell("alert_answered", subject, now, answer, actor=owner)
        now += int(random.random() * 5 * DAY)
        cause = random.choices(tuple(CAUSES), tuple(CAUSES.values()))[0]
        tell("cause_diagnosed", subject, now, {**alert, "cause": cause}, actor=owner)
        if random.random() < 0.75:
            now += int(random.random() * 20 * DAY)
            right = programme.succeeds(now, 0.7, 0.9)
            tell("cause_verified", subject, now, {**alert, "correct": right}, actor="auditor-1")
        if world.teller.rare("win-back planned", 0.05) or random.random() < 0.6:
            now += int(random.random() * 4 * DAY)
            tell(
                "win_back_planned", subject, now, {**alert, "win_back_measure": sentence(random, MEASURES)}, actor=owner
            )
            if world.teller.rare("won back", 0.05) or programme.succeeds(now, 0.4, 0.62):
                now += int((1 + random.random() * 20) * DAY)
                tell("won_back", subject, now, alert)
                _purchase(world, customer, now + int(random.random() * 5 * DAY))
                customer.busy_until = max(customer.busy_until, subject.told)
                return
    customer.busy_until = max(customer.busy_until, subject.told)
    if random.random() < programme.level(now, 0.35, 0.28) * (0.5 if customer.tier == "high" else 1.0):
        _churn(world, customer, now + int(random.random() * 15 * DAY))


def _churn(world: World, customer: Customer, at: int) -> None:
    random, tell = world.random, world.teller.tell
    cause = random.choices(tuple(CAUSES), tuple(CAUSES.values()))[0]
    by_communication = cause in ("communication", "service") or world.programme.succeeds(at, 0.45, 0.0)
    if by_communication:
        by_communication = world.programme.succeeds(at, 0.95, 0.3)
    data = {"cause": cause, "by_communication": by_communication}
    tell("churned", customer.subject, at, data, actor="sales-1")
    customer.churned = True
    customer.busy_until = max(customer.busy_until, customer.subject.told)
    if world.teller.rare("churned and back", 0.06):
        customer.churned = False
        _purchase(world, customer, max(at, customer.subject.told) + int((20 + random.random() * 40) * DAY))


def enter_twice(world: World, customer: Customer, at: int) -> None:
    """The same customer entered a second time, found and merged; a third one may have been somebody else after all."""
    random, teller = world.random, world.teller
    _enter_again(world, customer, at)
    if teller.rare("customer entered a third time", 0.2):
        twin, merged = _enter_again(world, customer, at + HOUR)
        apart = merged + int((1 + random.random() * 3) * DAY)
        teller.tell("unmerged", twin, apart, {}, actor="data-steward", reason="同名不同人。")


def _enter_again(world: World, customer: Customer, at: int) -> tuple[Subject, int]:
    """Answers the second entry and when it was merged."""
    random, teller = world.random, world.teller
    twin = world.subject("customer", "C")
    after = max(at, customer.subject.opened)
    data = {"name": person(random), "stage": "customer"}
    teller.tell("registered", twin, at, data, opens=True, after=after)
    if world.one_more(after + HOUR):
        inbound(world, replace(customer, subject=twin), "web_chat", after + HOUR)
    merged = after + int((1 + random.random() * 20) * DAY)
    teller.tell("merged", twin, merged, {"into_id": customer.id}, after=customer.subject.opened, actor="data-steward")
    world.concerns(customer, twin.told)
    return twin, merged


def forget(world: World, customer: Customer, at: int) -> None:
    """A customer asks to be forgotten, once all that concerns it has been told."""
    moment = max(at, customer.busy_until, customer.subject.told) + HOUR
    request = f"GDPR-{customer.number:05d}"
    data = {"basis": "withdrawn consent, 《个人信息保护法》第47条", "request_id": request}
    world.teller.tell(
        "key_destroyed", customer.subject, moment, data, source="/company/privacy", actor="privacy-officer"
    )
    customer.churned = True
    world.customers.remove(customer)
