"""The reference on medians, voids, positions in time and the tables that no clock runs on."""

import pytest

from tests.reference.books import DEFAULT
from tests.reference.calendars import SECOND
from tests.reference.figures import median
from tests.reference.given import History, at

MINUTE = 60 * SECOND


@pytest.fixture
def history() -> History:
    return History(DEFAULT)


def test_the_median_is_the_lower_of_the_middle_two(history: History) -> None:
    for minute in (1, 2, 3, 9):
        history.tell("contact.received", f"c{minute}", "2026-04-01 09:00", channel="web_chat")
        history.tell("contact.answered", f"c{minute}", f"2026-04-01 09:0{minute}")
    begin, end = at("2026-04-01 00:00"), at("2026-04-02 00:00")
    assert median("first_response_median", history.tables(), DEFAULT, begin, end) == (2 * MINUTE, 4)


def test_a_void_takes_an_event_out_from_its_own_position_on(history: History) -> None:
    history.tell("contact.received", "c", "2026-04-01 09:00")
    wrong = history.tell("contact.closed", "c", "2026-04-01 10:00", valid=False)
    history.void(wrong)
    assert history.row("contacts")["closed_at"] is None
    assert history.row("contacts", {"as_of": wrong})["closed_at"] == at("2026-04-01 10:00")
    assert history.row("contacts", {"valid_at": at("2026-04-01 10:00")})["closed_at"] is None


def test_valid_at_leaves_out_what_had_not_occurred(history: History) -> None:
    history.tell("contact.received", "c", "2026-04-01 09:00")
    history.tell("contact.answered", "c", "2026-04-01 08:00")
    assert history.rows("contacts", {"valid_at": at("2026-04-01 08:30")}) == []
    assert len(history.rows("contacts", {"valid_at": at("2026-04-01 09:00")})) == 1


def test_a_churn_is_foreseen_by_an_alert_that_was_not_won_back(history: History) -> None:
    history.tell("customer.registered", "k", "2026-01-01 00:00")
    history.tell("customer.churned", "k", "2026-02-01 00:00")
    history.tell("customer.alert_raised", "k", "2026-03-01 00:00", alert_id="a", indicator="silence")
    history.tell("customer.churned", "k", "2026-04-01 00:00")
    history.tell("customer.won_back", "k", "2026-05-01 00:00", alert_id="a")
    history.tell("customer.churned", "k", "2026-06-01 00:00")
    assert [row["alerted"] for row in history.rows("churns")] == [False, True, False]


def test_a_customer_who_buys_again_is_not_churned(history: History) -> None:
    history.tell("customer.registered", "k", "2026-01-01 00:00")
    history.tell("customer.churned", "k", "2026-02-01 00:00")
    assert history.row("customers")["status"] == "churned"
    history.tell("customer.purchased", "k", "2026-03-01 00:00", order_id="o", amount=1, currency="CNY")
    assert (history.row("customers")["status"], history.row("customers")["churned_at"]) == ("customer", None)


def test_an_unknown_reference_is_an_anomaly_until_it_is_recorded(history: History) -> None:
    history.tell("handoff.requested", "h", "2026-04-01 09:00", contact_id="c", requirement_id="r")
    assert [(row["field"], row["names"]) for row in history.rows("anomalies")] == [
        ("contact_id", "c"),
        ("requirement_id", "r"),
    ]
    history.tell("contact.received", "c", "2026-04-01 08:00")
    assert [row["field"] for row in history.rows("anomalies")] == ["requirement_id"]
    assert history.row("handoffs")["arrived_at"] == at("2026-04-01 08:00")


def test_a_handoff_arrived_with_the_cycle_under_way(history: History) -> None:
    history.tell("contact.received", "c", "2026-04-01 08:00")
    history.tell("contact.reopened", "c", "2026-04-02 08:00")
    for name, when in (("h", "2026-04-01 09:00"), ("i", "2026-04-02 09:00"), ("j", "2026-03-01 09:00")):
        history.tell("handoff.requested", name, when, contact_id="c")
    assert [row["arrived_at"] for row in history.rows("handoffs")] == [
        at("2026-04-01 08:00"),
        at("2026-04-02 08:00"),
        at("2026-04-01 08:00"),
    ]


def test_a_rejected_requirement_is_back_when_reopened(history: History) -> None:
    history.tell("requirement.captured", "r", "2026-04-01 08:00")
    history.tell("requirement.rejected", "r", "2026-04-03 08:00", rejection="invalid")
    assert history.row("requirements")["rejection"] == "invalid"
    history.tell("requirement.reopened", "r", "2026-04-02 08:00")
    assert history.row("requirements")["status"] == "rejected"
    history.tell("requirement.reopened", "r", "2026-04-04 08:00")
    row = history.row("requirements")
    assert (row["rejected_at"], row["status"], row["reopened"]) == (None, "reopened", 2)


def test_equal_times_are_ordered_by_position(history: History) -> None:
    history.tell("customer.registered", "k", "2026-04-01 09:00")
    for tier in ("high", "mid"):
        history.tell("customer.tiered", "k", "2026-04-02 09:00", tier=tier)
    assert history.row("customers")["tier"] == "mid"
