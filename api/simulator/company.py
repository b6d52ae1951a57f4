"""A simulated company: a year of contacts, requirements and deliveries as the CloudEvents its services would send."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import accumulate
from random import Random
from typing import Any

from api.simulator.benchmarks import enter_ranks
from api.simulator.cadence import keep_in_touch, list_due
from api.simulator.contacts import duplicate, inbound
from api.simulator.customers import enter_twice, forget, monthly, register
from api.simulator.notices import publish
from api.simulator.plans import draft_plans
from api.simulator.quality import publish_scripts, review, revise_scripts, train
from api.simulator.requirements import gather
from api.simulator.rhythm import DAY, HOUR, Calendar, Programme
from api.simulator.staff import Staff
from api.simulator.surveys import ask
from api.simulator.teller import Teller
from api.simulator.world import CHANNELS, ONLINE, Customer, World

FIRST_DAY = date(2026, 1, 1)
YEAR = 365
CONTACTS = 2_000
# A new ledger's first event is its rule book, so a simulated company's first event gets the second position.
FIRST_POSITION = 2

CUSTOMERS_PER_CONTACT = 0.12
KNOWN_ALREADY = 0.8
OUTBOUND = (0.12, 0.26)  # share of contacts, at the programme's beginning and end
STRANGERS = 0.05
CHANNEL_WEIGHTS = list(accumulate(CHANNELS.values()))


def company(
    seed: int = 1,
    contacts: int = CONTACTS,
    start: date = FIRST_DAY,
    days: int = YEAR,
    *,
    first_position: int = FIRST_POSITION,
) -> Iterator[dict[str, Any]]:
    """The CloudEvents (structured form) of a company's services, in the order in which a ledger hears them.

    The same arguments give the same events, always and everywhere. `contacts` are spread over `days` from midnight of
    `start` in Shanghai; what would be heard after the last day is not told. Extension `recordedat` is the simulated
    recording time and never goes back; ids, money and times have the shapes the ledger takes. An event yielded twice
    (same source and id) is what a retrying service sends again. Voids name positions, counted from `first_position`.
    Raises ValueError if there are no days or a negative number of contacts.
    """
    if days < 1 or contacts < 0:
        raise ValueError(f"a company needs at least one day and no negative number of contacts, not {days}, {contacts}")
    random = Random(f"requirements-ledger {seed}")
    calendar = Calendar(random, start, days, contacts)
    teller = Teller(random, calendar.end, first_position)
    staff = Staff(random, contacts / days)
    world = World(random, calendar, Programme(random, calendar), staff, teller)
    world.later_contacts = contacts
    for day in range(days):
        _day(world, day, contacts)
        yield from teller.until(calendar.start + (day + 1) * DAY)


def _day(world: World, day: int, contacts: int) -> None:
    random, calendar = world.random, world.calendar
    dawn = calendar.start + day * DAY
    customers = contacts * CUSTOMERS_PER_CONTACT
    if day == 0:
        for _ in range(max(3, round(customers * KNOWN_ALREADY))):
            register(world, dawn, known_already=True)
        publish_scripts(world, dawn)
    wanted = max(3, round(customers * (KNOWN_ALREADY + (1 - KNOWN_ALREADY) * (day + 1) / calendar.days)))
    while world.registered < wanted:
        register(world, calendar.moment(day, online=False), known_already=False)
    if calendar.first_of_month(day):
        for customer in list(world.customers):
            monthly(world, customer, dawn + 8 * HOUR)
        list_due(world, day)
        revise_scripts(world, dawn)
        ask(world, dawn)
    publish(world, day, dawn)
    review(world, day, dawn)
    train(world, day, dawn)
    draft_plans(world, day, dawn)
    enter_ranks(world, day, dawn)
    arrivals = calendar.arrivals[day]
    world.later_contacts -= arrivals
    from_before = min(arrivals, world.extra_contacts)
    world.extra_contacts -= from_before
    moments = []
    for _ in range(arrivals - from_before):
        channel = random.choices(tuple(CHANNELS), cum_weights=CHANNEL_WEIGHTS)[0]
        moments.append((calendar.moment(day, channel in ONLINE), channel))
    for at, channel in sorted(moments):
        _arrival(world, channel, at)


def _arrival(world: World, channel: str, at: int) -> None:
    """One contact of the day, and what rarely comes with it."""
    random, teller = world.random, world.teller
    customer = _anybody(world)
    if random.random() < world.programme.level(at, *OUTBOUND):
        keep_in_touch(world, customer, at)
    elif world.later_contacts > world.extra_contacts and teller.rare("duplicate contact", 0.02):
        duplicate(world, customer, at)
    else:
        inbound(world, None if random.random() < STRANGERS else customer, channel, at)
    if teller.rare("gathered", 0.04):
        gather(world, _anybody(world), at)
    if teller.rare("customer entered twice", 0.004):
        enter_twice(world, customer, at)
    if customer.busy_until < at and len(world.customers) > 3 and teller.rare("customer forgotten", 0.0015):
        forget(world, customer, at)


def _anybody(world: World) -> Customer:
    """A customer, rarely one that has left."""
    customer = world.random.choice(world.customers)
    return world.random.choice(world.customers) if customer.churned else customer
