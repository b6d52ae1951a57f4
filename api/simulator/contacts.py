"""The life of a contact: from its arrival on a channel to its closing, and sometimes beyond."""

from __future__ import annotations

from api.simulator.handoffs import hand_off
from api.simulator.requirements import capture
from api.simulator.rhythm import DAY, HOUR, MINUTE, SECOND, office_time
from api.simulator.staff import usual_time
from api.simulator.teller import Data, Subject
from api.simulator.words import ANSWERS, MESSAGES, MINUTES, SOLUTIONS, sentence
from api.simulator.world import DEPARTMENTS, ONLINE, Customer, World

INBOUND = {"inquiry": 40, "problem": 22, "suggestion": 10, "feedback": 10, "other": 8}
COMPLAINTS = (16, 5)  # in the same measure, at the programme's beginning and end
OUTBOUND = {"maintenance": 40, "value_added": 20, "survey": 14, "notice": 12, "sales": 10, "other": 4}
FEEDBACK = frozenset({"complaint", "suggestion", "feedback"})
PROBLEMS = ("misunderstanding", "late_answer", "wrong_information", "no_follow_up", "attitude", "other")
# How long before the ledger hears of a contact that is written down by hand (mean hours).
HAND_WRITTEN = {"meeting": 20, "letter": 30, "fax": 12, "referral": 8}


def inbound(world: World, customer: Customer | None, channel: str, at: int) -> Subject:
    """A customer, or somebody not known yet, turns to the company."""
    random, teller = world.random, world.teller
    complaints = world.programme.level(at, *COMPLAINTS)
    kind = random.choices((*INBOUND, "complaint"), (*INBOUND.values(), complaints))[0]
    complexity = "complex" if random.random() < (0.3 if kind in ("problem", "complaint") else 0.12) else "general"
    contact = world.subject("contact", "K")
    hidden = channel in ("phone", "community", "social", "other") and random.random() < 0.3
    late = int(random.expovariate(1 / HAND_WRITTEN[channel]) * HOUR) if channel in HAND_WRITTEN else 0
    data: Data = {
        "channel": channel,
        "department": "service" if random.random() < 0.7 else random.choice(DEPARTMENTS),
        "direction": "inbound",
        "kind": kind,
        "complexity": complexity,
        "purpose": "service",
        "message": sentence(random, MESSAGES[kind]),
    }
    after = 0
    if customer is not None:
        after = customer.subject.opened
        if not hidden:
            data["customer_id"] = customer.id
    teller.tell("received", contact, at, data, opens=True, late=late, after=after)
    if channel == "phone":
        teller.tell("rang", contact, at, {}, loose=True, source="/company/phone-system")
    answered, agent = _first_answer(world, contact, channel, at)
    if agent is None:
        return contact
    if hidden and customer is not None and random.random() < 0.85:
        found = answered + int(random.random() * 5 * MINUTE)
        late = int(random.random() * 3 * DAY) if teller.rare("identified late", 0.1) else 0
        teller.tell(
            "identified", contact, found, {"customer_id": customer.id}, late=late, after=customer.subject.opened
        )
    _service(world, contact, customer, data, at, answered, agent)
    if customer is not None:
        _seen(world, customer, contact, at)
    return contact


def outbound(world: World, customer: Customer, at: int, purpose: str | None = None) -> Subject:
    """The company turns to a customer: to keep in touch, with an offer, a survey, a notice, or to win it back."""
    random, teller = world.random, world.teller
    purpose = purpose or random.choices(tuple(OUTBOUND), tuple(OUTBOUND.values()))[0]
    channel = customer.channel if random.random() < 0.7 else random.choice(("phone", "email", "meeting", "sms"))
    contact = world.subject("contact", "K")
    data: Data = {
        "customer_id": customer.id,
        "channel": channel,
        "department": "sales" if purpose in ("sales", "maintenance", "win_back") else "service",
        "direction": "outbound",
        "kind": "feedback" if purpose == "survey" else "other",
        "complexity": "general",
        "purpose": purpose,
        "message": sentence(random, ANSWERS),
    }
    late = int(random.expovariate(1 / HAND_WRITTEN[channel]) * HOUR) if channel in HAND_WRITTEN else 0
    teller.tell("received", contact, at, data, opens=True, late=late, after=customer.subject.opened)
    answered = at + int(random.random() * (MINUTE if channel in ("phone", "meeting") else 6 * HOUR))
    agent = f"{data['department']}-{random.randrange(1, 9)}"
    teller.tell("answered", contact, answered, {"agent_id": agent, "automated": False}, actor=agent)
    _service(world, contact, customer, data, at, answered, agent)
    _seen(world, customer, contact, at)
    return contact


def _seen(world: World, customer: Customer, contact: Subject, at: int) -> None:
    customer.last_contact_at = max(customer.last_contact_at, at)
    customer.busy_until = max(customer.busy_until, contact.told)


def _first_answer(world: World, contact: Subject, channel: str, at: int) -> tuple[int, str | None]:
    random, teller, programme = world.random, world.teller, world.programme
    if channel == "meeting":
        answered, agent = at + int(random.random() * 5 * MINUTE), f"sales-{random.randrange(1, 9)}"
    else:
        if channel in ("web_chat", "email", "app", "form") and random.random() < 0.3:
            data = {"automated": True, "message": "您好，我们已收到您的消息。Thank you for writing."}
            if scripts := world.scripts_at(at):
                data["script_id"] = scripts[0].id
            teller.tell("answered", contact, at + SECOND, data, source="/company/robot")
        in_time = programme.succeeds(at, 0.66, 0.99) if channel != "phone" else programme.succeeds(at, 0.74, 0.99)
        usual = usual_time(random, channel, at, in_time, programme.level(at, 1.3, 0.7))
        patience = None
        if channel == "phone":
            gone = teller.rare("abandoned at once", 0.02)
            patience = SECOND if gone else 8 * SECOND + int(random.expovariate(1 / 60) * SECOND)
        answered, found = world.staff.answer(channel, at, usual, patience)
        if found is None:
            teller.tell("abandoned", contact, answered, {}, source="/company/phone-system")
            return answered, None
        agent = found
        if teller.rare("never answered", 0.008):
            return answered, None
    spoken: Data = {"agent_id": agent, "automated": False, "message": sentence(random, ANSWERS)}
    if (scripts := world.scripts_at(at)) and random.random() < programme.level(at, 0.4, 0.7):
        spoken["script_id"] = random.choice(scripts).id
    late = int(random.random() * DAY) if teller.rare("answer told late", 0.02) else 0
    teller.tell("answered", contact, answered, spoken, loose=True, late=late, actor=agent)
    return answered, agent


def _service(
    world: World, contact: Subject, customer: Customer | None, data: Data, at: int, answered: int, agent: str
) -> None:
    """Everything between the first answer and the closing of a contact."""
    random, teller, programme = world.random, world.teller, world.programme
    kind, channel, online = data["kind"], data["channel"], data["channel"] in ONLINE
    serious = kind in ("problem", "complaint") or data["complexity"] == "complex"
    world.answered.setdefault(channel, []).append((contact, at))
    wanted = random.random() < (0.55 if kind in ("suggestion", "complaint", "feedback") else 0.28)
    if programme.succeeds(at, 0.93, 0.998):
        screened = answered + int(random.random() * 2 * HOUR)
        late = int(random.random() * 2 * DAY) if teller.rare("screened late", 0.03) else 0
        teller.tell("screened", contact, screened, {"has_requirement": wanted}, loose=True, late=late, actor=agent)
        if wanted:
            capture(world, contact, customer, data, screened)
    now = answered
    if serious and (random.random() < 0.3 or teller.rare("handoff", 0.05)):
        back_and_forth = teller.rare("handoff returned", 0.04)
        # what is read hours later is sorted first: it is handed on before anybody answers it
        asked = min(answered + int(random.random() * 20 * MINUTE), at + int(random.random() * 40 * MINUTE))
        now = hand_off(world, contact, asked, data["department"], arrived=at, by_force=back_and_forth)
        now = max(now, answered)
    if serious and random.random() < 0.22:
        now = _pause(world, contact, now)
        if now < 0:
            return
    if data["complexity"] == "complex" and programme.succeeds(at, 0.88, 0.985):
        quickly = programme.succeeds(at, 0.75, 0.97)
        proposed = max(now, at + int((2 + random.random() * (44 if quickly else 100)) * HOUR))
        teller.tell("solution_proposed", contact, proposed, {"solution": sentence(random, SOLUTIONS)}, actor=agent)
        now = proposed
    if channel in ("phone", "meeting") and programme.succeeds(at, 0.93, 0.99):
        _minutes(world, contact, at, now, agent)
    if random.random() < programme.level(at, 0.17, 0.05):
        problem = random.choices(PROBLEMS, (programme.level(at, 8, 4), 3, 2, 2, 1, 1))[0]
        right = "other" if problem != "other" else "no_follow_up"
        corrected = {"problem": right} if teller.rare("wrong problem", 0.05) else None
        teller.tell("problem_flagged", contact, now + HOUR, {"problem": problem}, loose=True, corrected=corrected)
    resolved = now + int((random.lognormvariate(0, 0.8) * (5 if serious else 0.4)) * HOUR)
    if serious and not programme.succeeds(at, 0.8, 0.95):
        resolved += int(random.expovariate(1 / 40) * HOUR)
    _conclude(world, contact, data, at, resolved, online)


def _pause(world: World, contact: Subject, now: int) -> int:
    """Wait for the customer or others, once or twice; answers when it goes on, or -1 if it never does."""
    random, teller = world.random, world.teller
    for number in range(1 if random.random() < 0.8 else 2):
        now += int(random.random() * HOUR) + MINUTE
        pause = {"pause_id": f"{contact.id}/p{number + 1}"}
        reason = random.choice(("awaiting_customer", "awaiting_customer", "awaiting_third_party", "other"))
        teller.tell("paused", contact, now, {**pause, "pause_reason": reason})
        if teller.rare("pause never resumed", 0.04):
            return -1
        now += int(random.lognormvariate(1.6, 1.0) * HOUR)
        teller.tell("resumed", contact, now, pause)
    return now


def _minutes(world: World, contact: Subject, at: int, now: int, agent: str) -> None:
    random, teller, programme = world.random, world.teller, world.programme
    data: Data = {
        "prepared": programme.succeeds(at, 0.8, 0.95),
        "complete": programme.succeeds(at, 0.87, 0.99),
        "minutes": sentence(random, MINUTES),
    }
    corrected = {**data, "complete": not data["complete"]} if teller.rare("wrong minutes", 0.02) else None
    late = int(random.random() * 2 * DAY) if random.random() < 0.15 else 0
    teller.tell("minutes_recorded", contact, now + 10 * MINUTE, data, loose=True, late=late, actor=agent,
                corrected=corrected)  # fmt: skip


def _conclude(world: World, contact: Subject, data: Data, at: int, resolved: int, online: bool) -> None:
    """Solve, tell the customer, ask for a rating, close; some come back."""
    random, teller, programme = world.random, world.teller, world.programme
    solved = programme.succeeds(at, 0.86, 0.985)
    if teller.rare("closed before opened", 0.002):
        resolved = at - int((1 + random.random() * 9) * SECOND)  # the clocks of two services differ
    teller.tell("resolved", contact, resolved, {"solved": solved})
    if solved and (data["kind"] in FEEDBACK or random.random() < 0.7):
        quickly = programme.succeeds(at, 0.82, 0.975)
        informed = resolved + int(random.random() * 2 * HOUR) + (0 if quickly else int(random.expovariate(0.2) * HOUR))
        told: Data = {"channel": data["channel"]} if random.random() < 0.9 else {}
        teller.tell("customer_informed", contact, informed, told, loose=True)
    if random.random() < 0.4:
        _rating(world, contact, data, resolved, online)
    if random.random() < 0.96:
        closed = resolved + int(random.random() * (DAY if resolved > at else SECOND))
        teller.tell("closed", contact, closed, {"valid": random.random() < 0.97})
        if resolved > at and teller.rare("contact reopened", 0.035):
            reopened = office_time(random, closed + int(random.random() * 6 * DAY))
            teller.tell("reopened", contact, reopened, {}, reason="客户来电：问题又出现了。")
            answer = reopened + int(random.random() * 5 * HOUR)
            agent = f"agent-{random.randrange(3)}00"
            teller.tell("answered", contact, answer, {"agent_id": agent, "automated": False}, actor=agent)
            again = answer + int(random.random() * DAY)
            teller.tell("resolved", contact, again, {"solved": True})
            teller.tell("customer_informed", contact, again + HOUR, {"channel": "phone"})
            teller.tell("closed", contact, again + 2 * HOUR, {"valid": True})


def _rating(world: World, contact: Subject, data: Data, resolved: int, online: bool) -> None:
    random, teller = world.random, world.teller
    if data["purpose"] == "value_added":
        aspect = "value_added"
    elif random.random() < 0.2:
        aspect = "overall"
    else:
        aspect = "online" if online else "communication"
    scale = 10 if random.random() < 0.1 else 5
    happy = world.programme.succeeds(resolved, 0.7, 0.94)
    score = scale - random.randrange(2) if happy else random.randrange(scale // 2 + 1)
    rating: Data = {"rating_id": f"{contact.id}/r", "aspect": aspect, "score": score, "scale": scale}
    corrected = {**rating, "score": (score + 1) % (scale + 1)} if teller.rare("wrong rating", 0.01) else None
    rated = resolved + int(random.expovariate(0.1) * HOUR)
    late = int(random.random() * 4 * DAY) if random.random() < 0.1 else 0
    teller.tell("rated", contact, rated, rating, loose=True, late=late, corrected=corrected, source="/company/surveys")


def duplicate(world: World, customer: Customer, at: int) -> Subject:
    """A customer writes on a second channel about the same: the second contact is merged into the first, at times
    wrongly."""
    random, teller = world.random, world.teller
    first = inbound(world, customer, "email", at)
    again = at + int(random.random() * 2 * HOUR)
    if not world.one_more(again):
        return first
    second = world.subject("contact", "K")
    data: Data = {
        "customer_id": customer.id, "channel": "web_chat", "department": "service", "direction": "inbound",
        "kind": "problem", "complexity": "general", "purpose": "service",
        "message": sentence(random, MESSAGES["problem"]),
    }  # fmt: skip
    teller.tell("received", second, again, data, opens=True, after=max(customer.subject.opened, first.opened))
    merged = max(again, first.opened) + int(random.random() * 3 * HOUR) + MINUTE
    teller.tell("merged", second, merged, {"into_id": first.id}, after=first.opened, actor="agent-000")
    if teller.rare("contact unmerged", 0.12):
        unmerged = merged + int(random.random() * DAY)
        teller.tell("unmerged", second, unmerged, {}, reason="两个不同的问题。Not the same problem after all.")
        answered = unmerged + HOUR
        teller.tell("answered", second, answered, {"agent_id": "agent-100", "automated": False}, actor="agent-100")
        _conclude(world, second, data, again, answered + HOUR, True)
    _seen(world, customer, second, again)
    return first
