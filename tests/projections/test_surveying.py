"""Whom a survey is due to: active customers that were sent none in the calendar month that runs."""

from typing import Any

import pytest

from ledger.choices import SurveyKind
from projections.reading import BadCursor
from projections.surveying import due_surveys
from tests.projections.worlds import World, us


@pytest.fixture
def customers(world: World) -> World:
    """Three customers and a prospect, known from January 2025 on."""
    for name in ("anna", "ben", "cleo"):
        world.tell("customer.registered", name, "2025-01-06")
    world.tell("customer.registered", "dora", "2025-01-06", stage="prospect")
    world.tell("customer.tiered", "anna", "2025-01-07", tier="high", manager_id="max")
    world.tell("customer.channel_preferred", "anna", "2025-01-07", channel="app")
    return world


def due(world: World, asked: str, **more: Any) -> list[str]:
    world.catch_up()
    with world.ledger.database.reading() as connection:
        page = due_surveys(connection, asked=us(asked), **more)
    return [row["customer_id"] for row in page.rows]


def sent(world: World, survey: str, when: str, customer: str, kind: str = "satisfaction") -> None:
    world.tell("survey.sent", survey, when, customer_id=customer, survey_kind=kind)


def test_the_month_is_that_of_the_books_zone(customers: World) -> None:
    sent(customers, "S1", "2025-02-28T23:59", "anna")
    assert due(customers, "2025-02-28T23:59:59") == ["ben", "cleo"]
    sent(customers, "S2", "2025-03-01T00:00", "ben")
    # in UTC it still is February
    assert due(customers, "2025-03-01T00:00") == ["anna", "cleo"]
    assert due(customers, "2025-04-01T00:00") == ["anna", "ben", "cleo"]


def test_what_is_needed_to_send_one_is_told(customers: World) -> None:
    sent(customers, "S1", "2025-02-03T09:00", "anna")
    customers.catch_up()
    with customers.ledger.database.reading() as connection:
        page = due_surveys(connection, asked=us("2025-03-05"))
    assert page.rows[0] == {
        "customer_id": "anna",
        "tier": "high",
        "manager_id": "max",
        "preferred_channel": "app",
        "last_sent_at": "2025-02-03T01:00:00.000000Z",
    }


def test_a_survey_of_another_kind_does_not_count_where_one_is_asked_for(customers: World) -> None:
    sent(customers, "S1", "2025-02-03", "anna", "needs")
    assert due(customers, "2025-02-05", survey_kind=SurveyKind.SATISFACTION) == ["anna", "ben", "cleo"]
    assert due(customers, "2025-02-05", survey_kind=SurveyKind.NEEDS) == ["ben", "cleo"]
    assert due(customers, "2025-02-05") == ["ben", "cleo"]


def test_only_active_customers_are_asked_and_none_whose_data_is_erased(customers: World) -> None:
    customers.tell("customer.churned", "ben", "2025-02-03")
    customers.tell("customer.key_destroyed", "cleo", "2025-02-03", basis="asked for", request_id="R1")
    assert due(customers, "2025-02-05") == ["anna"]


def test_what_was_sent_to_a_merged_number_was_sent_to_the_survivor(customers: World) -> None:
    sent(customers, "S1", "2025-02-03", "ben")
    customers.tell("customer.merged", "ben", "2025-02-04", into_id="cleo")
    assert due(customers, "2025-02-05") == ["anna"]
    customers.tell("customer.unmerged", "ben", "2025-02-05")
    assert due(customers, "2025-02-06") == ["anna", "cleo"]


def test_pages_go_on_behind_their_cursor_and_no_other_lists(customers: World) -> None:
    customers.catch_up()
    with customers.ledger.database.reading() as connection:
        first = due_surveys(connection, asked=us("2025-02-05"), limit=2)
    assert first.next_cursor is not None
    with customers.ledger.database.reading() as connection:
        rest = due_surveys(connection, asked=us("2025-02-05"), limit=2, cursor=first.next_cursor)
    assert ([row["customer_id"] for row in rest.rows], rest.next_cursor) == (["cleo"], None)
    with customers.ledger.database.reading() as connection, pytest.raises(BadCursor):
        due_surveys(connection, asked=0, survey_kind=SurveyKind.NEEDS, cursor=first.next_cursor)
