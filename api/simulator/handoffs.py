"""The life of a handoff: asked for, passed on, sometimes sent back and forth, answered or withdrawn."""

from __future__ import annotations

from api.simulator.rhythm import DAY, HOUR, MINUTE
from api.simulator.teller import Data, Subject
from api.simulator.world import DEPARTMENTS, World


def hand_off(
    world: World, about: Subject, at: int, from_department: str, *, arrived: int | None = None, by_force: bool = False
) -> int:
    """Hand a contact or requirement to other departments from a moment on; answers when the customer was answered.

    Half of those that are sent back go on to a third department, as a handoff of their own.
    """
    random, tell = world.random, world.teller.tell
    to_department = random.choice([name for name in DEPARTMENTS if name != from_department])
    field = "contact_id" if about.aggregate == "contact" else "requirement_id"
    handoff = world.subject("handoff", "H", about.extensions.get("correlationid", about.id))
    data: Data = {field: about.id, "from_department": from_department, "to_department": to_department}
    tell("requested", handoff, at, data, opens=True, after=about.opened)
    if world.teller.rare("handoff withdrawn", 0.03):
        tell("withdrawn", handoff, at + int(random.random() * 3 * HOUR), {})
        return at
    promptly = world.programme.succeeds(at, 0.74, 0.98)
    arrived = at if arrived is None else arrived
    waited = int(random.random() * 50 * MINUTE) if promptly else HOUR + int(random.expovariate(0.3) * HOUR)
    moment = max(at + MINUTE, arrived + waited)
    tell("transferred", handoff, moment, {})
    while random.random() < world.programme.level(at, 0.18, 0.06) or by_force:
        by_force = False
        moment += int((0.5 + random.random() * 6) * HOUR)
        tell("returned", handoff, moment, {})
        if random.random() < 0.4:
            moment += int(random.random() * HOUR)
            tell("withdrawn", handoff, moment, {})
            return hand_off(world, about, moment + MINUTE, to_department)
        moment += int((0.2 + random.random() * 2) * HOUR)
        tell("transferred", handoff, moment, {})
    moment += int(random.random() * world.programme.level(at, 5.0, 1.0) * HOUR)
    owner = f"{to_department}-{random.randrange(1, 6)}"
    tell("accepted", handoff, moment, {"owner_id": owner}, actor=owner)
    if world.teller.rare("handoff never answered", 0.02):
        return moment
    quickly = world.programme.succeeds(at, 0.66, 0.975)
    median = world.programme.level(at, 14.0, 2.5)
    if quickly:
        latest = at + int((12 + 11.5 * random.random()) * HOUR)
        moment = max(moment, min(latest, moment + int(random.lognormvariate(0, 0.5) * median * HOUR)))
    else:
        moment = max(moment, at + DAY) + int(random.expovariate(0.08) * HOUR)
    late = int((4 + random.random() * 30) * HOUR) if world.teller.rare("handoff told late", 0.03) else 0
    tell("answered", handoff, moment, {}, actor=owner, late=late)
    return moment
