"""How the company stands beside others: the ranks that an association and a magazine publish, entered by marketing."""

from __future__ import annotations

from hashlib import sha256

from api.simulator.rhythm import DAY, office_time
from api.simulator.teller import Data
from api.simulator.world import World

PUBLISHED = (258, 349)
"""Days of the programme on which ranks are published, when it has begun to show."""
# What is ranked, by whom, among how many where they say so, and the ranks at the programme's beginning and end.
RANKINGS = (
    ("客户满意度", "行业服务协会", 120, 46, 9),
    ("Speed of answers", "Service Quarterly", None, 18, 4),
)


def enter_ranks(world: World, day: int, at: int) -> None:
    """Enter the ranks that were published, each with where it can be looked up."""
    if day not in PUBLISHED:
        return
    random, date = world.random, world.calendar.date(day)
    for topic, by, field_size, first, last in RANKINGS:
        rank = round(world.programme.level(at, first, last)) + random.randrange(-1, 2)
        ranked_on = world.calendar.date(day - 14)
        evidence = f"{by} {date.year}-{date.month:02}, p. {random.randrange(8, 60)}"
        data: Data = {
            "topic": topic,
            "rank": rank,
            "ranked_on": ranked_on.isoformat(),
            "ranked_by": by,
            "evidence": evidence,
            "evidence_digest": f"sha256:{sha256(evidence.encode()).hexdigest()}",
        }
        if field_size is not None:
            data["field_size"] = field_size
        entered = office_time(random, at + random.randrange(5) * DAY)
        world.teller.tell("entered", world.subject("benchmark", "M"), entered, data, opens=True, actor="marketing-1")
