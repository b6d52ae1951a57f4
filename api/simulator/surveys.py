"""Monthly surveys: ever more of the customers are asked, most answer, and low scores get an action."""

from __future__ import annotations

from api.simulator.requirements import gather
from api.simulator.rhythm import DAY, HOUR, office_time
from api.simulator.teller import Data
from api.simulator.words import ACTIONS, COMMENTS, sentence
from api.simulator.world import Customer, World

ASKED = (0.16, 0.6)
"""The share of customers asked in a month, at the programme's beginning and end."""
KINDS = {"satisfaction": 70, "feedback": 16, "needs": 10, "other": 4}
# How likely an aspect is asked about, and how many are satisfied at the programme's beginning and end.
ASPECTS = {
    "overall": (0.9, 0.68, 0.93),
    "communication": (0.6, 0.66, 0.93),
    "online": (0.4, 0.72, 0.95),
    "value_added": (0.3, 0.66, 0.92),
}


def ask(world: World, at: int) -> None:
    """The survey of the month that begins at a time."""
    random = world.random
    for customer in world.some(world.active(at), world.programme.level(at, *ASKED)):
        _ask(world, customer, office_time(random, at + (4 + random.randrange(4)) * DAY))


def _ask(world: World, customer: Customer, at: int) -> None:
    random, teller, programme = world.random, world.teller, world.programme
    survey = world.subject("survey", "V")
    kind = random.choices(tuple(KINDS), tuple(KINDS.values()))[0]
    data: Data = {"customer_id": customer.id, "survey_kind": kind}
    if random.random() < 0.95:
        data["channel"] = customer.channel if customer.channel in ("app", "sms", "phone") else "email"
    teller.tell("sent", survey, at, data, opens=True, after=customer.subject.opened)
    if not programme.succeeds(at, 0.74, 0.945):
        return
    answered = at + int(random.expovariate(1 / 30) * HOUR)
    late = int(random.random() * 4 * DAY) if random.random() < 0.08 else 0
    low = False
    for aspect, (share, first, last) in ASPECTS.items():
        if aspect != "overall" and random.random() >= share:
            continue
        happy = programme.succeeds(at, first, last)
        score = 10 - random.randrange(3) if happy else random.randrange(1, 8)
        if teller.rare("bad survey", 0.01):
            score = random.randrange(1, 5)
        low = low or score < 6
        said: Data = {"aspect": aspect, "score": score, "scale": 10}
        if random.random() < 0.3:
            said["comment"] = sentence(random, COMMENTS)
        corrected = {**said, "score": 11 - score} if teller.rare("wrong answer", 0.004) else None
        teller.tell("answered", survey, answered, said, loose=True, late=late, corrected=corrected)
    if low and (programme.succeeds(at, 0.55, 0.99) or teller.rare("action planned", 0.02)):
        planned = office_time(random, answered + late, 1 + random.randrange(5))
        action = {"action": sentence(random, ACTIONS)} if random.random() < 0.95 else {}
        teller.tell("action_planned", survey, planned, action, actor="service-1")
    world.concerns(customer, max(survey.told, answered + late + HOUR))
    if kind == "needs":
        gather(world, customer, office_time(random, answered + late, 1))
