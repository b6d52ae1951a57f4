"""What the parts of the simulated company share: chance, time, staff, the customers, and what may still be merged."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from random import Random

from api.simulator.rhythm import Calendar, Programme
from api.simulator.staff import Staff
from api.simulator.teller import Data, Subject, Teller

DEPARTMENTS = ("service", "sales", "product", "logistics", "billing", "engineering")
CHANNELS = {
    "phone": 30, "web_chat": 24, "email": 16, "app": 8, "community": 6, "form": 5, "meeting": 4, "social": 3,
    "sms": 2, "referral": 1, "letter": 0.5, "fax": 0.2, "other": 0.3,
}  # fmt: skip
ONLINE = frozenset({"web_chat", "email", "app", "community", "form", "social", "sms"})


@dataclass(slots=True)
class Customer:
    """A customer as the company knows it; times are microseconds since 1970 UTC."""

    subject: Subject
    number: int
    registered_at: int
    tier: str
    channel: str
    prospect: bool
    spending: float  # purchases a month
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
    registered: int = 0
    _numbers: dict[str, int] = field(default_factory=dict)

    def number(self, letter: str) -> int:
        """The next number of that kind."""
        self._numbers[letter] = number = self._numbers.get(letter, 0) + 1
        return number

    def subject(self, aggregate: str, letter: str, correlation: str | None = None) -> Subject:
        """A new subject; its id begins with a letter for its kind."""
        return Subject(aggregate, f"{letter}-{self.number(letter):06d}", correlation)

    def tell_customer(self, customer: Customer, kind: str, at: int, data: Data, *, late: int = 0) -> int:
        """Tell something of a customer that only needs the customer to be registered."""
        recorded = self.teller.tell(kind, customer.subject, at, data, loose=True, late=late)
        customer.busy_until = max(customer.busy_until, recorded)
        return recorded
