"""Who answers: a few agents per desk, each busy with one contact at a time, so that peaks mean late answers."""

from __future__ import annotations

from heapq import heapify, heapreplace
from random import Random

from api.simulator.rhythm import DAY, HOUR, MINUTE, SECOND, SHANGHAI

# How long one contact keeps an agent busy (median minutes), per desk.
HANDLING = {"phone": 6, "web_chat": 8, "email": 12, "desk": 15}
DESKS = {"phone": "phone", "web_chat": "web_chat", "email": "email"}  # any other channel: the desk


class Staff:
    """The agents of every desk. Contacts must be brought in order of arrival."""

    def __init__(self, random: Random, contacts_per_day: float) -> None:
        self._random = random
        self._desks: dict[str, list[tuple[int, str]]] = {}
        for number, (desk, minutes) in enumerate(HANDLING.items()):
            # about as many as the busiest hour of an ordinary day needs, and not one more
            agents = max(1, round(contacts_per_day * 0.3 * 0.17 * minutes * 1.6 / 60))
            self._desks[desk] = [(0, f"agent-{number}{agent:02d}") for agent in range(agents)]
            heapify(self._desks[desk])

    @property
    def names(self) -> list[str]:
        """Everybody who answers customers, agents and those of other departments."""
        agents = sorted(name for desk in self._desks.values() for _, name in desk)
        return [*agents, *(f"{department}-{number}" for department in ("sales", "service") for number in range(1, 9))]

    def answer(self, channel: str, arrival: int, usual: int, patience: int | None = None) -> tuple[int, str | None]:
        """When a contact is answered and by whom: after the usual time, or when an agent is free at last.

        Whoever has waited longer than `patience` has gone, at that moment, and no agent is named.
        """
        random = self._random
        desk = DESKS.get(channel, "desk")
        free, agent = self._desks[desk][0]
        begun = max(arrival, free)
        if patience is not None and begun + usual > arrival + patience:
            return arrival + patience, None
        busy = int(HANDLING[desk] * MINUTE * random.lognormvariate(0.0, 0.6))
        if random.random() < 0.04:  # a meeting, a break, a system that is down
            busy += int(random.random() * 40 * MINUTE)
        heapreplace(self._desks[desk], (begun + busy, agent))
        return begun + usual, agent


def usual_time(random: Random, channel: str, arrival: int, in_time: bool, pace: float = 1.0) -> int:
    """How long an answer takes on a channel where nobody else waits: within its customary time or, alas, not.

    `pace` stretches what an answer in time takes.
    """
    customary = CUSTOMARY[channel]
    if in_time:
        return int(customary * min(0.98, pace * random.lognormvariate(-1.1, 0.5)))
    taken = int(customary * (1.05 + random.expovariate(1.1)))
    hour = (arrival + SHANGHAI) % DAY // HOUR
    if customary >= HOUR and hour >= 18:  # left for the next morning
        taken += (33 - hour) * HOUR
    return taken


CUSTOMARY = {
    "phone": 15 * SECOND,
    "web_chat": 3 * MINUTE,
    "community": 2 * HOUR,
    "email": 24 * HOUR,
    "app": 4 * HOUR,
    "form": 24 * HOUR,
    "sms": 2 * HOUR,
    "social": 4 * HOUR,
    "letter": 72 * HOUR,
    "fax": 48 * HOUR,
    "referral": 24 * HOUR,
    "meeting": 10 * MINUTE,
    "other": 24 * HOUR,
}
