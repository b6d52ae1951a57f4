"""The life of a delivery: planned, followed, put off, delivered, refused or accepted, told to whom it concerns."""

from __future__ import annotations

from api.simulator.rhythm import DAY, HOUR, MINUTE, office_time, rfc3339
from api.simulator.teller import Data, Subject
from api.simulator.words import COMMENTS, DELAYS, sentence
from api.simulator.world import Customer, Survivor, World


def deliver(world: World, requirement: Subject, customer: Customer | None, at: int, survivor: Survivor | None) -> int:
    """Plan and carry out a delivery; answers when it is over, or -1 when it still drags on.

    `survivor` is told of the delivery, so that customers whose requirements are merged later are informed as well.
    """
    random, teller, programme = world.random, world.teller, world.programme
    delivery = world.subject("delivery", "D", requirement.extensions.get("correlationid", requirement.id))
    span = int((6 + random.random() * 30) * DAY)
    due = office_time(random, at + span)
    owner = f"owner-{random.randrange(1, 13):02d}"
    after = requirement.told
    if teller.rare("wrong plan", 0.012):
        _plan_wrongly(world, requirement, at, due, owner)
        at += DAY
    teller.tell("planned", delivery, at, {"requirement_id": requirement.id, "owner_id": owner, "due_at": rfc3339(due)},
                opens=True, after=after, actor=owner)  # fmt: skip
    milestones = _milestones(world, delivery, at, due)
    if teller.rare("delivery cancelled", 0.035):
        teller.tell("cancelled", delivery, at + int(random.random() * span), {}, actor=owner)
        return _settle(requirement, delivery, deliver(world, requirement, customer, at + span // 2 + DAY, survivor))
    if teller.rare("delivery drags on", 0.02):
        return -1
    in_time = programme.succeeds(due, 0.68, 0.9)
    if in_time:
        done = at + int((due - at) * (0.45 + 0.55 * random.random()))
    else:
        done = due + int(random.expovariate(1 / 6) * DAY) + HOUR
        if teller.rare("put off", 0.2) or random.random() < 0.75:
            moved = office_time(random, due + int(random.random() * 10 * DAY))
            told = at + int((due - at) * (0.6 + 0.4 * random.random()))
            teller.tell("rescheduled", delivery, told, {"due_at": rfc3339(moved)}, reason=sentence(random, DELAYS))
    _follow(world, delivery, at, done, milestones)
    late = int(random.random() * 4 * DAY) if random.random() < 0.06 else 0
    recorded = teller.tell("delivered", delivery, done, {}, late=late, actor=owner)
    first = done
    if teller.rare("delivery refused", 0.05):
        refused = office_time(random, done, 1)
        teller.tell("refused", delivery, refused, {}, actor="customer", reason=sentence(random, COMMENTS))
        first = done = office_time(random, refused, random.randrange(2, 8))
        recorded = teller.tell("delivered", delivery, done, {}, actor=owner)
    if random.random() < 0.85:
        done = office_time(random, done, random.randrange(3))
        teller.tell("accepted", delivery, done, {}, actor="customer")
    if customer is not None:
        inform(world, delivery, customer, first, after=recorded)
    if survivor is not None:
        survivor.delivery, survivor.delivered_at, survivor.told_at = delivery, first, recorded
    return _settle(requirement, delivery, done)


def inform(world: World, delivery: Subject, customer: Customer, at: int, *, after: int) -> None:
    """Tell one customer that it is there, within three working days or, alas, not, and hear what they make of it."""
    random, teller, programme = world.random, world.teller, world.programme
    if teller.rare("delivery never told", 0.015):
        return
    days = random.randrange(3) if programme.succeeds(at, 0.84, 0.985) else 4 + random.randrange(8)
    told = office_time(random, at, days)
    data: Data = {"customer_id": customer.id}
    if random.random() < 0.8:
        data["channel"] = customer.channel
    after = max(after, customer.subject.opened)
    teller.tell("customer_informed", delivery, told, data, loose=True, after=after)
    if random.random() < 0.55:
        happy = programme.succeeds(at, 0.72, 0.9)
        score = 5 - random.randrange(2) if happy else 1 + random.randrange(3)
        heard = told + int((1 + random.random() * 20) * DAY)
        data = {"customer_id": customer.id, "score": score, "scale": 5, "comment": sentence(random, COMMENTS)}
        teller.tell("feedback_received", delivery, heard, data, loose=True, after=after, source="/company/surveys")


def _settle(requirement: Subject, delivery: Subject, done: int) -> int:
    """What becomes of the requirement now is recorded after what became of its delivery."""
    requirement.told = max(requirement.told, delivery.told)
    return done


def _plan_wrongly(world: World, requirement: Subject, at: int, due: int, owner: str) -> None:
    """A plan entered with the wrong month: found the same day and cancelled, the right one follows."""
    wrong = world.subject("delivery", "D")
    data = {"requirement_id": requirement.id, "owner_id": owner, "due_at": rfc3339(due + 365 * DAY)}
    world.teller.tell("planned", wrong, at, data, opens=True, after=requirement.told, actor=owner)
    world.teller.tell("cancelled", wrong, at + 3 * HOUR, {}, actor=owner, reason="年份录错。Wrong year.")
    requirement.told = max(requirement.told, wrong.told)


def _milestones(world: World, delivery: Subject, at: int, due: int) -> list[tuple[str, int]]:
    milestones = []
    for number in range(1, 1 + world.random.choice((0, 0, 1, 1, 2, 3))):
        milestone, moment = f"M{number}", at + (due - at) * number // 4
        data = {"milestone_id": milestone, "due_at": rfc3339(moment)}
        world.teller.tell("milestone_set", delivery, at + number * MINUTE, data)
        milestones.append((milestone, moment))
    return milestones


def _follow(world: World, delivery: Subject, at: int, done: int, milestones: list[tuple[str, int]]) -> None:
    random, teller = world.random, world.teller
    for milestone, moment in milestones:
        reached = min(done, moment + int((random.random() - 0.6) * 4 * DAY))
        if reached > at and random.random() < 0.92:
            teller.tell(
                "milestone_reached", delivery, reached, {"milestone_id": milestone}, loose=True, after=delivery.told
            )
    for percent in (25, 50, 75):
        if random.random() < 0.5:
            moment = at + (done - at) * percent // 100
            corrected = {"percent": percent} if teller.rare("wrong percent", 0.02) else None
            told = 100 if corrected else percent
            teller.tell("progressed", delivery, moment, {"percent": told}, loose=True, corrected=corrected)
