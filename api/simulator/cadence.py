"""Keeping in touch: whom the company turns to because the cadence of their tier asks for it."""

from __future__ import annotations

from datetime import date

from api.simulator.contacts import outbound
from api.simulator.rhythm import DAY, midnight, office_time
from api.simulator.world import Customer, World

CADENCES = {"high": 1, "mid": 3, "base": 6}
"""Months between two contacts, by tier."""


def list_due(world: World, day: int) -> None:
    """The month's list of customers to contact, those of the shortest cadence first. It is made with more care, and
    shows more of those who are due, the further the programme is."""
    random, calendar, today = world.random, world.calendar, world.calendar.date(day)
    at = calendar.start + day * DAY
    world.to_contact.clear()
    for tier, months in CADENCES.items():
        passed = (today.month - 1) % months
        if months > 1 and passed < months - 2:
            continue
        began = today.month - passed
        since = midnight(date(today.year, began, 1))
        # the last month of a window takes all that is left, the one before it half
        share = 1.0 if passed == months - 1 else 0.5
        due = [
            (one, since)
            for one in world.active(at)
            if one.tier == tier and one.last_contact_at < since and world.programme.succeeds(at, 0.35, 0.99)
        ]
        random.shuffle(due)
        world.to_contact.extend(due[: round(len(due) * share)])


def keep_in_touch(world: World, somebody: Customer, at: int) -> None:
    """One contact from the company: with who is next on the list, else with a core customer, or just with somebody."""
    random = world.random
    moment = office_time(random, at)
    if moment >= world.calendar.end:  # what would wait for Monday, at the very end, does not
        moment = at
    while world.to_contact:
        customer, since = world.to_contact.popleft()
        if not customer.churned and customer.last_contact_at < since:
            purpose = "value_added" if random.random() < 0.3 else "maintenance"
            outbound(world, customer, moment, purpose)
            return
    core = _core(world, at) if world.programme.succeeds(at, 0.0, 0.7) else None
    if core is None:
        outbound(world, somebody, moment)
    else:
        outbound(world, core, moment, "value_added" if random.random() < 0.6 else None)


def _core(world: World, at: int) -> Customer | None:
    """A core customer, found by chance, if one is."""
    for _ in range(16):
        customer = world.random.choice(world.customers)
        if customer.tier == "high" and not customer.churned and customer.active_from <= at:
            return customer
    return None
