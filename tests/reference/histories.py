"""Generated histories: realistic in what is told, nasty in when and in which order.

A `Teller` draws moves from any `random.Random`: a seeded one, or Hypothesis' own, which shrinks. Times are drawn around
what happened already (exactly at a limit, one µs before and after it, at local midnights) and around moments at which
clocks change. What the ledger refuses is dropped: tell the Teller what was taken with `taken` or `refused`.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from tests.reference.calendars import SECOND, local_date, midnight
from tests.reference.given import at
from tests.reference.moves import AGGREGATES, OPENINGS, PROPOSED, VOID, data_for

MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
DAY = 24 * HOUR
SKEW = 5 * MINUTE

NEW_YORK = ZoneInfo("America/New_York")
ANCHORS = [
    at("2025-03-07 16:59:59.999999", NEW_YORK),
    at("2025-03-09 01:30", NEW_YORK),  # clocks go forward at 02:00
    at("2025-03-11 17:30", NEW_YORK),  # a holiday follows
    at("2025-03-13 17:00"),
    at("2025-11-01 23:30", NEW_YORK),  # clocks go back on the next day
    at("2025-11-02 05:30", ZoneInfo("UTC")),  # 01:30 for the first time
    at("2025-12-30 09:00"),
    at("2026-04-01 00:00"),
    at("2026-04-29 23:30"),  # a holiday follows
]
STEPS = [
    0,
    SECOND,
    15 * SECOND,
    3 * MINUTE,
    HOUR,
    2 * HOUR,
    9 * HOUR,
    24 * HOUR,
    27 * HOUR,
    48 * HOUR,
    72 * HOUR,
    120 * HOUR,
    30 * DAY,
    100 * DAY,
]
WEIGHTS = {
    "contact": 40,
    "customer": 24,
    "requirement": 20,
    "delivery": 14,
    "handoff": 6,
    "plan": 12,
    "notice": 4,
    "notice_delivery": 10,
    "script": 3,
    "review": 6,
    "survey": 6,
    "staff": 5,
    "baseline": 1,
    "benchmark": 2,
    "report": 1,
}
INITIALS = {
    "contact": "c",
    "customer": "k",
    "requirement": "r",
    "delivery": "d",
    "handoff": "h",
    "plan": "p",
    "notice": "n",
    "notice_delivery": "nd",
    "script": "sc",
    "review": "rv",
    "survey": "sv",
    "staff": "st",
    "baseline": "b",
    "benchmark": "bm",
    "report": "rp",
}
POOLS = {
    "contact": 5,
    "customer": 3,
    "requirement": 4,
    "delivery": 3,
    "handoff": 2,
    "plan": 2,
    "notice": 2,
    "notice_delivery": 4,
    "script": 2,
    "review": 3,
    "survey": 3,
    "staff": 2,
    "baseline": 9,
    "benchmark": 9,
    "report": 9,
}
PEOPLE = {"customer": 50, "contact": 40, "survey": 12, "notice": 4, "notice_delivery": 16, "staff": 8}
MANY_CONTACTS = POOLS | {"contact": 60, "customer": 5, "survey": 30, "notice_delivery": 30, "staff": 3}
"""For histories of customers and staff over time: they are heard of in many contacts, of which little is told, asked in
surveys and sent notices."""

AFTER = {
    "contact.resumed": "contact.paused",
    "contact.unmerged": "contact.merged",
    "customer.unmerged": "customer.merged",
    "requirement.unmerged": "requirement.merged",
    "delivery.milestone_reached": "delivery.milestone_set",
    "delivery.refused": "delivery.delivered",
    "customer.alert_answered": "customer.alert_raised",
    "customer.cause_diagnosed": "customer.alert_raised",
    "customer.cause_verified": "customer.alert_raised",
    "customer.win_back_planned": "customer.alert_raised",
    "customer.won_back": "customer.alert_raised",
    "plan.milestone_reached": "plan.milestone_set",
    "plan.task_started": "plan.task_added",
    "plan.task_completed": "plan.task_added",
    "review.rectified": "review.scored",
}
"""What is mostly told only after something else of the same subject; the ledger refuses the rest."""


@dataclass
class Move:
    """One event to be told; data in plain values, times in µs. `recorded_at` is what a simulated ledger is told."""

    type: str
    aggregate: str
    subject: str
    occurred_at: int
    recorded_at: int
    data: dict[str, Any]
    position: int | None = None


@dataclass
class Teller:
    """Draws units of moves. `zone` is the book's, for moments around its midnights."""

    random: Random
    zone: ZoneInfo
    now: int = ANCHORS[0]
    weights: dict[str, int] = field(default_factory=lambda: WEIGHTS)
    pools: dict[str, int] = field(default_factory=lambda: POOLS)
    moves: list[Move] = field(default_factory=list)
    deadlines: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    """Deadlines of running clocks by aggregate and subject, to hit them and to miss them by a µs."""

    def units(self, count: int) -> list[list[Move]]:
        return [self.unit() for _ in range(count)]

    def unit(self) -> list[Move]:
        """One to three moves that stand or fall together."""
        if self.moves and self.chance(10):
            return self.keep(self.voids())
        return self.keep([self.move() for _ in range(1 if self.chance(85) else self.random.randint(2, 3))])

    def keep(self, moves: list[Move]) -> list[Move]:
        """Later moves of the batch build on these as though they were taken."""
        self.moves += moves
        return moves

    def taken(self, move: Move, position: int) -> None:
        move.position = position

    def refused(self, unit: list[Move]) -> None:
        self.moves = [move for move in self.moves if not any(move is each for each in unit)]

    def move(self) -> Move:
        aggregate = self.weighted(self.weights)
        subject = self.named(aggregate)
        types = {move.type for move in self.moves if (move.aggregate, move.subject) == (aggregate, subject)}
        kind = self.weighted(AGGREGATES[aggregate]) if types else OPENINGS[aggregate]
        if kind in AFTER and AFTER[kind] not in types and self.chance(90):
            kind = AFTER[kind]
        occurred_at = self.moment(aggregate, subject)
        data = data_for(self, kind, subject, occurred_at)
        return Move(kind, aggregate, subject, occurred_at, self.clock(occurred_at), data)

    def voids(self) -> list[Move]:
        """Void one event, or all of a subject, or the latest few of it: enough of the first kind is refused."""
        target = self.random.choice(self.moves)
        stream = [move for move in self.moves if (move.aggregate, move.subject) == (target.aggregate, target.subject)]
        chosen = [target] if self.chance(60) else stream[stream.index(target) :]
        voids = []
        for move in reversed(chosen):
            if move.type not in (VOID, PROPOSED) and move.position is not None:
                occurred_at = self.moment(move.aggregate, move.subject)
                data = {"voided_position": move.position}
                if move.position % 5 == 0:
                    at = self.clock(occurred_at)
                    voids.append(Move(PROPOSED, "void", str(move.position), occurred_at, at, {}))
                voids.append(Move(VOID, move.aggregate, move.subject, occurred_at, self.clock(occurred_at), data))
        return voids or [self.move()]

    def moment(self, aggregate: str, subject: str) -> int:
        """When the next event of the subject occurred: most often after what is known of it, often at a boundary."""
        own = [move.occurred_at for move in self.moves if (move.aggregate, move.subject) == (aggregate, subject)]
        near = [move.occurred_at for move in self.moves[-6:]]
        due = self.deadlines.get((aggregate, subject))
        if due and self.chance(30):
            return self.random.choice(due) + self.random.choice([-1, 0, 0, 1])
        if own and self.chance(75):
            base = own[0] if self.chance(50) else max(own)
        elif near and self.chance(70):
            base = self.random.choice(near)
        else:
            base = self.random.choice(ANCHORS)
        if self.chance(12):
            day = local_date(base, self.zone) + timedelta(days=self.random.randint(0, 6))
            base = midnight(day.replace(day=1) if self.chance(40) else day, self.zone)
        else:
            base += self.random.choice(STEPS) * (-1 if self.chance(8) else 1)
        return base + self.random.choice([-1, 0, 0, 0, 0, 1])

    def clock(self, occurred_at: int) -> int:
        """When it is recorded: at once, late, or (a sender's clock being ahead) a little before it occurred."""
        late = self.random.choice([0, 0, 0, SECOND, HOUR, 3 * DAY, -SKEW // 2, -SKEW])
        self.now = max(self.now, occurred_at + late)
        return self.now

    def named(self, aggregate: str) -> str:
        return f"{INITIALS[aggregate]}{self.random.randint(1, self.pools[aggregate])}"

    def opened(self, aggregate: str) -> str:
        """Mostly one that was opened."""
        known = sorted({move.subject for move in self.moves if move.type == OPENINGS[aggregate]})
        return self.random.choice(known) if known and self.chance(85) else self.named(aggregate)

    def said(self, subject: str, field: str) -> list[str]:
        """What the subject's events said in a field."""
        return sorted({move.data[field] for move in self.moves if move.subject == subject and field in move.data})

    def chance(self, percent: int) -> bool:
        return self.random.randint(1, 100) <= percent

    def weighted(self, weights: dict[str, int]) -> str:
        drawn = self.random.randint(1, sum(weights.values()))
        for name, weight in weights.items():
            drawn -= weight
            if drawn <= 0:
                return name
        raise AssertionError("the weights do not add up")
