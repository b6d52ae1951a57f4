"""The weekly sample: stratified, reproducible, drawn once."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.sampling import AlreadySampled, BadWeek, draw, first_day, sample
from tests.projections.worlds import World

CHANNELS = ("email", "phone", "web_chat")


@given(
    contacts=st.dictionaries(st.text(min_size=1, max_size=8), st.sampled_from(CHANNELS), max_size=60),
    seed=st.integers(0, 2**31),
    per_channel=st.integers(1, 9),
)
def test_each_channel_gives_its_share_in_whatever_order_they_come(
    contacts: dict[str, str], seed: int, per_channel: int
) -> None:
    drawn = draw(contacts.items(), seed, per_channel)
    assert drawn == draw(reversed(contacts.items()), seed, per_channel)
    for channel in CHANNELS:
        there = [contact for contact, on in contacts.items() if on == channel]
        assert len(drawn.get(channel, [])) == min(per_channel, len(there))
        assert set(drawn.get(channel, [])) <= set(there)


def test_one_more_contact_changes_a_sample_by_one_at_the_most() -> None:
    contacts = [(f"C{nth}", "email") for nth in range(50)]
    for nth in range(50):
        before, after = draw(contacts[:nth], 7, 5), draw(contacts[: nth + 1], 7, 5)
        assert len(set(after["email"]) - set(before.get("email", []))) <= 1


@pytest.fixture
def week(world: World) -> World:
    """Week 14 of 2025, Monday 31 March to Sunday 6 April in Shanghai, and what lies around it."""
    for nth in range(20):
        channel = CHANNELS[nth % 2]
        world.tell("contact.received", f"C{nth}", f"2025-04-0{1 + nth % 6} 10:00", channel=channel)
    world.tell("contact.received", "before", "2025-03-30 23:59:59", channel="email")
    world.tell("contact.received", "first", "2025-03-31 00:00", channel="web_chat")
    world.tell("contact.received", "after", "2025-04-07 00:00", channel="email")
    world.catch_up()
    return world


def test_a_week_is_sampled_by_channel(week: World) -> None:
    made = sample(week.ledger, "2025-W14", key_id="key-1", seed=11)
    assert (made.of, made.position) == ({"email": 10, "phone": 10, "web_chat": 1}, 24)
    assert {channel: len(found) for channel, found in made.contacts.items()} == {"email": 5, "phone": 5, "web_chat": 1}
    week.catch_up()
    reviews = week.rows("reviews")
    assert {row["contact_id"] for row in reviews} == {one for found in made.contacts.values() for one in found}
    assert {(row["week"], row["seed"]) for row in reviews} == {("2025-03-31", 11)}


def test_the_same_seed_draws_the_same_and_adds_nothing(week: World) -> None:
    made = sample(week.ledger, "2025-W14", key_id="key-1")
    head = week.ledger.head().position
    week.catch_up()
    again = sample(week.ledger, "2025-W14", key_id="key-1")
    assert (again.seed, again.contacts) == (made.seed, made.contacts)
    assert week.ledger.head().position == head
    with pytest.raises(AlreadySampled, match=f"seed {made.seed}"):
        sample(week.ledger, "2025-W14", key_id="key-1", seed=made.seed + 1)


def test_a_dry_run_records_nothing(week: World) -> None:
    head = week.ledger.head().position
    sample(week.ledger, "2025-W14", key_id="key-1", seed=3, per_channel=1, dry_run=True)
    assert week.ledger.head().position == head


def test_a_week_is_written_as_weeks_are() -> None:
    assert first_day("2026-W53") == date(2026, 12, 28)
    for text in ("2025-W53", "2025-14", "W14", "2025-W00", ""):
        with pytest.raises(BadWeek):
            first_day(text)
