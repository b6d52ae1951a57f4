"""The life of a requirement: captured, understood, weighed by three roles, delivered, archived, valued, or not."""

from __future__ import annotations

from api.simulator.deliveries import deliver, inform
from api.simulator.handoffs import hand_off
from api.simulator.rhythm import DAY, HOUR, MINUTE, office_time, quarter_of
from api.simulator.teller import Data, Subject
from api.simulator.words import BOUNDARIES, CRITERIA, REJECTIONS, STATEMENTS, sentence
from api.simulator.world import Customer, Survivor, World

SOURCE_KINDS = {"complaint": "complaint", "problem": "ticket", "feedback": "rating"}
GATHERED = {"survey": 40, "interview": 20, "usage": 20, "rating": 10, "form": 10}
KANO = {"must_be": 35, "performance": 38, "attractive": 20, "reverse": 7}
CLASSES = ("product_improvement", "service_optimisation", "new_feature")
ROLES = ("product", "service_operations", "engineering")
REASONS = ("invalid", "out_of_scope", "infeasible", "strategy_conflict", "other")
FOREVER = 1 << 62


def capture(world: World, contact: Subject, customer: Customer | None, said: Data, at: int) -> None:
    """A requirement heard in a contact; some are what somebody else has asked for already."""
    random = world.random
    requirement = world.subject("requirement", "R", contact.id)
    kind = "social" if said["channel"] == "social" else SOURCE_KINDS.get(said["kind"], "contact")
    data: Data = {"contact_id": contact.id, "channel": said["channel"], "source_kind": kind}
    _begin(world, requirement, customer, data, at + int(random.random() * 3 * HOUR), contact.opened)


def gather(world: World, customer: Customer | None, at: int) -> None:
    """A requirement from a survey, an interview, usage data: no contact stands behind it."""
    kind = world.random.choices(tuple(GATHERED), tuple(GATHERED.values()))[0]
    requirement = world.subject("requirement", "R")
    _begin(world, requirement, customer, {"source_kind": kind}, at, 0)


def _begin(world: World, requirement: Subject, customer: Customer | None, data: Data, at: int, after: int) -> None:
    random, teller = world.random, world.teller
    if customer is not None:
        data["customer_id"] = customer.id
        after = max(after, customer.subject.opened)
    key = random.random() < 0.15
    data["expression"] = "implicit" if random.random() < 0.25 else "explicit"
    data["key"] = key
    data["found_late"] = key and not world.programme.succeeds(at, 0.85, 0.98)
    data["statement"] = sentence(random, STATEMENTS)
    late = int(random.random() * 3 * DAY) if random.random() < 0.06 else 0
    teller.tell("captured", requirement, at, data, opens=True, late=late, after=after)
    if customer is not None and teller.rare("requirement merged", 0.06) and _merge(world, requirement, customer, at):
        return
    _grow(world, requirement, customer, at)


def _merge(world: World, requirement: Subject, customer: Customer, at: int) -> bool:
    """Merge into an earlier requirement that is still open; answers whether that was done and has not been undone."""
    random, teller = world.random, world.teller
    merged = office_time(random, max(at, requirement.opened), 1 + random.randrange(3))
    open_ones = [one for one in world.survivors if one.subject.opened < merged < one.open_until - HOUR]
    if not open_ones:
        return False
    survivor = random.choice(open_ones)
    if teller.rare("merged in a chain", 0.1):
        third = world.subject("requirement", "R")
        data = {"source_kind": "survey", "expression": "explicit", "key": False, "found_late": False}
        teller.tell("captured", third, at, data, opens=True, after=requirement.opened)
        teller.tell("merged", third, merged - MINUTE, {"into_id": requirement.id})
        merged = max(merged, third.told)
    teller.tell("merged", requirement, merged, {"into_id": survivor.subject.id}, actor="analyst-1")
    if teller.rare("requirement unmerged", 0.15):
        apart = office_time(random, merged, 2)
        teller.tell("unmerged", requirement, apart, {}, actor="analyst-2", reason="范围不同，应分别处理。")
        _grow(world, requirement, customer, apart)
        return True
    if survivor.delivery is not None and survivor.delivered_at:
        moment = max(survivor.delivered_at, merged)
        inform(world, survivor.delivery, customer, moment, after=max(survivor.told_at, requirement.told))
    return True


def _grow(world: World, requirement: Subject, customer: Customer | None, at: int) -> None:
    """From a captured requirement to its end."""
    random, teller, programme = world.random, world.teller, world.programme
    now = at
    if teller.rare("clarification", 0.05) or random.random() < 0.1:
        for _ in range(1 if random.random() < 0.8 else 2):
            now = office_time(random, now, random.randrange(3))
            teller.tell("clarification_requested", requirement, now, {}, actor="analyst-1")
            if random.random() < 0.05:
                return
            now = office_time(random, now, random.randrange(1, 4))
            late = int(random.random() * DAY) if random.random() < 0.1 else 0
            teller.tell("clarified", requirement, now, {"statement": sentence(random, STATEMENTS)}, late=late)
    if random.random() < 0.05 or teller.rare("requirement handed off", 0.05):
        now = hand_off(world, requirement, now, "service")
    now = office_time(random, now, random.randrange(1, 5))
    kano = random.choices(tuple(KANO), tuple(KANO.values()))[0]
    if kano != "reverse" and (random.random() < 0.06 or teller.rare("requirement rejected", 0.03)):
        reason = sentence(random, REJECTIONS)
        rejected = teller.tell("rejected", requirement, now, {"rejection": random.choice(REASONS)}, reason=reason)
        if not teller.rare("rejected reopened", 0.15):
            _open(world, requirement, rejected)
            return
        now = office_time(random, now, 5)
        teller.tell("reopened", requirement, now, {}, reason="客户补充了依据。", actor="analyst-2")
        now = office_time(random, now, 1)
    classified: Data = {"kano": kano, "archive_class": random.choice(CLASSES)}
    corrected = {**classified, "kano": "performance"} if kano == "must_be" and teller.rare("wrong kano", 0.05) else None
    teller.tell("classified", requirement, now, classified, actor="analyst-1", corrected=corrected)
    if kano == "reverse":
        now = office_time(random, now, 1)
        rejected = teller.tell("rejected", requirement, now, {"rejection": "reverse"}, actor="analyst-1")
        _open(world, requirement, rejected)
        return
    now = _weigh(world, requirement, now)
    if programme.succeeds(at, 0.55, 0.8):
        verified = office_time(random, now, random.randrange(1, 6))
        right = programme.succeeds(verified, 0.68, 0.945)
        teller.tell("verified", requirement, verified, {"correct": right}, loose=True, actor="auditor-1")
    _realise(world, requirement, customer, now)


def _open(world: World, requirement: Subject, until: int) -> None:
    world.survivors.append(Survivor(requirement, until))


def _weigh(world: World, requirement: Subject, now: int) -> int:
    random, teller = world.random, world.teller
    weight = random.randrange(1, 6)
    against = random.random() < 0.05
    last = now
    for role in ROLES:
        assessed = office_time(random, now, random.randrange(1, 5))
        data: Data = {
            "role": role,
            "urgency": min(5, max(1, weight + random.randrange(-1, 2))),
            "importance": min(5, max(1, 6 - weight + random.randrange(-2, 3))),
            "against_strategy": against and role == "product",
        }
        if role != "service_operations" or random.random() < 0.5:
            data["benefit"] = random.randrange(1, 6)
            data["effort"] = random.randrange(1, 6)
        late = int(random.random() * 2 * DAY) if random.random() < 0.08 else 0
        actor = f"{role}-lead"
        teller.tell("assessed", requirement, assessed, data, loose=True, late=late, actor=actor)
        last = max(last, assessed)
    if teller.rare("assessed again", 0.05):
        data = {"role": "product", "urgency": 4, "importance": 4, "benefit": 4, "effort": 2, "against_strategy": False}
        teller.tell("assessed", requirement, last + DAY, data, loose=True, actor="product-lead")
    now = office_time(random, last, random.randrange(1, 4))
    if random.random() < 0.85:
        priority = "high" if weight == 5 else "mid" if weight > 2 else "low"
        teller.tell("prioritised", requirement, now, {"priority": "low" if against else priority}, actor="board")
    if random.random() < 0.9:
        now = office_time(random, now, random.randrange(1, 4))
        data = {"boundary": sentence(random, BOUNDARIES), "criteria": sentence(random, CRITERIA)}
        teller.tell("scoped", requirement, now, data, actor="analyst-2")
    return now


def _realise(world: World, requirement: Subject, customer: Customer | None, now: int) -> None:
    """Deliver what is worth it, archive, value it quarter by quarter, close."""
    random, teller, programme = world.random, world.teller, world.programme
    survivor = Survivor(requirement, FOREVER)
    world.survivors.append(survivor)
    if random.random() < 0.8:
        now = deliver(world, requirement, customer, office_time(random, now, 1), survivor)
        if now < 0:
            return
    archived = office_time(random, now, random.randrange(1, 4))
    if programme.succeeds(archived, 0.85, 0.98):
        data = {"complete": programme.succeeds(archived, 0.93, 0.993)}
        late = int(random.random() * 5 * DAY) if random.random() < 0.05 else 0
        teller.tell("archived", requirement, archived, data, actor="archivist", loose=True, late=late)
        _value(world, requirement, archived)
    if random.random() < 0.85:
        closed = office_time(random, archived, random.randrange(2, 15))
        survivor.open_until = teller.tell("closed", requirement, closed, {}, actor="analyst-1")
        if teller.rare("closed reopened", 0.03):
            again = office_time(random, closed, 10)
            teller.tell("reopened", requirement, again, {}, reason="客户反馈仍不满足。")
            end = deliver(world, requirement, customer, office_time(random, again, 2), None)
            if end > 0:
                teller.tell("closed", requirement, office_time(random, end, 3), {}, actor="analyst-1")


def _value(world: World, requirement: Subject, archived: int) -> None:
    random, teller, programme = world.random, world.teller, world.programme
    valued = archived
    for _ in range(2):
        valued = office_time(random, valued + int((5 + random.random() * 50) * DAY))
        data: Data = {"quarter": quarter_of(valued), "high_value": random.random() < 0.2}
        if random.random() < 0.8:
            data["repurchase_bp"] = random.randrange(-50, 600)
        if random.random() < 0.6:
            data["cost_saved"] = random.randrange(1, 5000) * 10_000
            data["currency"] = "CNY" if random.random() < 0.9 else "EUR"
        teller.tell("value_assessed", requirement, valued, data, loose=True, actor="controller-1")
        if random.random() < 0.6:
            break
    if programme.succeeds(valued, 0.1, 0.34) or teller.rare("converted", 0.05):
        made: Data = {"improvement": random.choice(("product", "service"))}
        if random.random() < 0.8:
            made["reference"] = f"PLAN-{random.randrange(1000, 9999)}"
        teller.tell("converted", requirement, office_time(random, valued, 5), made, loose=True, actor="board")
