"""What the parts of the simulated company share: chance, time, staff, the customers, and what may still be merged."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from random import Random

from api.simulator.rhythm import HOUR, Calendar, Programme
from api.simulator.staff import Staff
from api.simulator.teller import Data, Subject, Teller

DEPARTMENTS = ("service", "sales", "product", "logistics", "billing", "engineering")
CHANNELS = {
    "phone": 30, "web_chat": 29, "email": 12, "app": 8, "community": 6, "form": 5, "meeting": 4, "social": 3,
    "sms": 2, "referral": 1, "letter": 0.5, "fax": 0.2, "other": 0.3,
}  # fmt: skip
ONLINE = frozenset({"web_chat", "email", "app", "community", "form", "social", "sms"})


@dataclass(slots=True)
class Customer:
    """A customer as the company knows it; times are microseconds since 1970 UTC."""

    subject: Subject
    number: int
    tier: str
    channel: str
    prospect: bool
    spending: float  # purchases a month
    currency: str
    active_from: int = 0  # when it became a customer; a prospect may never
    tiered: bool = False
    last_contact_at: int = 0
    busy_until: int = 0  # when the last event that names it is recorded
    churned: bool = False
    alerted_at: int = 0
    orders: int = 0
    alerts: int = 0

    @property
    def id(self) -> str:
        return self.subject.id


@dataclass(slots=True)
class Survivor:
    """A requirement that duplicates can be merged into, while nothing has become of it."""

    subject: Subject
    open_until: int  # when its rejection, merging or closing is recorded
    delivery: Subject | None = None
    delivered_at: int = 0
    told_at: int = 0  # when its delivery is recorded


@dataclass(slots=True)
class World:
    """Everything one simulated company consists of."""

    random: Random
    calendar: Calendar
    programme: Programme
    staff: Staff
    teller: Teller
    customers: list[Customer] = field(default_factory=list)
    survivors: deque[Survivor] = field(default_factory=lambda: deque(maxlen=40))
    extra_contacts: int = 0  # told already, to be left out of the days to come
    later_contacts: int = 0  # how many the days to come bring
    registered: int = 0
    scripts: list[Subject] = field(default_factory=list)  # those in use
    to_contact: deque[tuple[Customer, int]] = field(default_factory=deque)  # unless heard since that moment
    answered: dict[str, list[tuple[Subject, int]]] = field(default_factory=dict)  # by channel, since the last sample
    _numbers: dict[str, int] = field(default_factory=dict)

    def number(self, letter: str) -> int:
        """The next number of that kind."""
        self._numbers[letter] = number = self._numbers.get(letter, 0) + 1
        return number

    def subject(self, aggregate: str, letter: str, correlation: str | None = None) -> Subject:
        """A new subject; its id begins with a letter for its kind."""
        return Subject(aggregate, f"{letter}-{self.number(letter):06d}", correlation)

    def one_more(self, at: int) -> bool:
        """Whether another contact than those of the day can be told of: a later day then brings one less."""
        if self.extra_contacts >= self.later_contacts or at >= self.calendar.end - HOUR:
            return False
        self.extra_contacts += 1
        return True

    def scripts_at(self, at: int) -> list[Subject]:
        """The scripts that are published by then."""
        return [script for script in self.scripts if script.opened <= at]

    def active(self, at: int) -> list[Customer]:
        """Who is a customer at a time and has not left."""
        return [one for one in self.customers if not one.churned and one.active_from <= at]

    def some(self, among: list[Customer], share: float) -> list[Customer]:
        """A share of them, in order; one at least, where there is one."""
        count = min(len(among), max(1, round(len(among) * share)))
        return [among[place] for place in sorted(self.random.sample(range(len(among)), count))]

    def concerns(self, customer: Customer, recorded: int) -> None:
        """Note that something that names the customer is recorded at a time."""
        customer.busy_until = max(customer.busy_until, recorded)

    def tell_customer(self, customer: Customer, kind: str, at: int, data: Data, *, late: int = 0) -> int:
        """Tell something of a customer that only needs the customer to be registered."""
        recorded = self.teller.tell(kind, customer.subject, at, data, loose=True, late=late)
        customer.busy_until = max(customer.busy_until, recorded)
        return recorded
