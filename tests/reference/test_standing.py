"""The reference on states over time, worked out by hand: activity, tiers, cadences, spending and staff by period."""

from datetime import date
from typing import Any

import pytest

from tests.reference.asking import Answer, ask
from tests.reference.books import DEFAULT
from tests.reference.calendars import day_number
from tests.reference.customers import active_spells
from tests.reference.events import streams
from tests.reference.expressions import Row
from tests.reference.given import History, at
from tests.reference.periods import Days, periods
from tests.reference.standing import standing

MARCH = Days(date(2026, 3, 1), date(2026, 3, 31))


@pytest.fixture
def history() -> History:
    """A customer of high value from 10 January on."""
    made = History(DEFAULT)
    made.tell("customer.registered", "k", "2026-01-10 09:00")
    made.tell("customer.tiered", "k", "2026-01-10 09:00", tier="high")
    return made


def rows(history: History, table: str, *days: Days, asked: str = "2026-05-01 00:00") -> list[Row]:
    made = history.tables()
    return standing(history.told, made, DEFAULT, list(days) or [MARCH], at(asked))[table]


def month(history: History, asked: str = "2026-05-01 00:00") -> Row:
    (row,) = rows(history, "customer_periods", asked=asked)
    return row


def figure(history: History, name: str, asked: str = "2026-05-01 00:00") -> Answer:
    metric = next(metric for metric in DEFAULT.metrics if metric.name == name)
    made = history.tables()
    made |= standing(history.told, made, DEFAULT, [MARCH], at(asked))
    return ask(metric, made, DEFAULT, at(asked), [MARCH])[name, day_number(MARCH.last), ()]


@pytest.mark.parametrize(
    ("when", "start", "end"),
    [
        ("2026-02-28 23:59:59.999999", False, False),
        ("2026-03-01 00:00", True, False),
        ("2026-03-31 23:59:59.999999", True, False),
        ("2026-04-01 00:00", True, True),
    ],
)
def test_a_state_at_a_moment_is_what_occurred_before_it(history: History, when: str, start: bool, end: bool) -> None:
    history.tell("customer.churned", "k", when)
    row = month(history)
    assert (row["active_at_start"], row["active_at_end"]) == (start, end)
    assert (row["core_at_start"], row["core_at_end"]) == (start, end)


@pytest.mark.parametrize(
    ("event", "data"),
    [
        ("customer.won_back", {"alert_id": "a"}),
        ("customer.purchased", {"order_id": "o", "amount": 1, "currency": "CNY"}),
    ],
)
def test_who_comes_back_is_active_again(history: History, event: str, data: dict[str, Any]) -> None:
    history.tell("customer.churned", "k", "2026-03-02 09:00", by_communication=True)
    history.tell(event, "k", "2026-03-20 09:00", **data)
    row = month(history)
    assert (row["active_at_end"], row["churned_by_communication"]) == (True, True)
    assert [(spell["spell"], spell["until_at"]) for spell in history.rows("active_spells")] == [
        (1, at("2026-03-02 09:00")),
        (2, None),
    ]


def test_nobody_is_active_before_the_registration() -> None:
    history = History(DEFAULT)
    history.tell("customer.registered", "k", "2026-03-10 09:00", stage="prospect")
    history.tell("customer.stage_changed", "k", "2026-02-10 09:00", stage="customer")
    (spell,) = active_spells(streams(history.told, "customer"))
    assert (spell["from_at"], spell["until_at"]) == (at("2026-03-10 09:00"), None)
    row = month(history)
    assert (row["active_at_start"], row["active_at_end"]) == (False, True)


def test_a_tier_told_late_holds_from_when_it_occurred(history: History) -> None:
    history.tell("customer.tiered", "k", "2026-03-05 09:00", tier="base", recorded=at("2026-04-20 09:00"))
    row = month(history)
    assert (row["tier_at_start"], row["tier"]) == ("high", "base")


def test_what_a_merged_number_did_counts_and_its_state_does_not(history: History) -> None:
    history.tell("customer.registered", "twin", "2026-02-10 09:00", stage="prospect")
    history.tell("contact.received", "c", "2026-03-03 09:00", customer_id="twin")
    history.tell("customer.purchased", "twin", "2026-03-04 09:00", order_id="o", amount=5, currency="CNY")
    history.tell("customer.purchased", "k", "2026-03-05 09:00", order_id="p", amount=7, currency="CNY")
    history.tell("customer.merged", "twin", "2026-04-20 09:00", into_id="k")
    row = month(history)
    assert (row["customer_id"], row["contacts"], row["orders"], row["active_at_end"]) == ("k", 1, 2, True)
    assert [(row["customer_id"], row["amount"]) for row in rows(history, "customer_spending")] == [("k", 12)]


@pytest.mark.parametrize(
    ("own", "twins", "amounts"),
    [
        ("2026-03-04 09:00", "2026-03-05 09:00", {("CNY", 7)}),
        ("2026-03-05 09:00", "2026-03-04 09:00", {("USD", 5)}),
        # at the same moment, the one that was told first
        ("2026-03-04 09:00", "2026-03-04 09:00", {("CNY", 7)}),
        # an order of February is none of March, though it was told again
        ("2026-03-04 09:00", "2026-02-27 09:00", set()),
    ],
)
def test_an_order_told_under_two_merged_numbers_is_one(
    history: History, own: str, twins: str, amounts: set[tuple[str, int]]
) -> None:
    history.tell("customer.registered", "twin", "2026-02-10 09:00")
    history.tell("customer.purchased", "k", own, order_id="o", amount=7, currency="CNY")
    history.tell("customer.purchased", "twin", twins, order_id="o", amount=5, currency="USD")
    history.tell("customer.merged", "twin", "2026-04-20 09:00", into_id="k")
    assert {(row["currency"], row["amount"]) for row in rows(history, "customer_spending")} == amounts
    assert month(history)["orders"] == len(amounts)


@pytest.mark.parametrize(
    ("sent", "surveys"),
    [("2026-02-28 23:59", 0), ("2026-03-01 00:00", 1), ("2026-03-31 23:59", 1), ("2026-04-01 00:00", 0)],
)
def test_a_survey_counts_in_the_month_it_is_sent_in(history: History, sent: str, surveys: int) -> None:
    history.tell("survey.sent", "s", sent, customer_id="k", survey_kind="satisfaction")
    assert month(history)["surveys"] == surveys
    assert figure(history, "survey_coverage") == Answer(surveys, 1, 0)


def test_surveys_of_a_merged_number_are_the_survivors_and_only_active_customers_are_to_be_asked(
    history: History,
) -> None:
    history.tell("customer.registered", "twin", "2026-02-10 09:00")
    history.tell("customer.registered", "prospect", "2026-02-10 09:00", stage="prospect")
    history.tell("survey.sent", "s", "2026-03-03 09:00", customer_id="twin", survey_kind="needs")
    history.tell("survey.sent", "t", "2026-03-03 09:00", customer_id="prospect", survey_kind="needs")
    assert figure(history, "survey_coverage") == Answer(1, 2, 0)
    history.tell("customer.merged", "twin", "2026-04-20 09:00", into_id="k")
    assert figure(history, "survey_coverage") == Answer(1, 1, 0)


def test_a_low_survey_is_acted_on_once_an_action_is_planned(history: History) -> None:
    for name, score in (("s", 5), ("t", 3), ("u", 6)):
        history.tell("survey.sent", name, "2026-03-03 09:00", customer_id="k", survey_kind="satisfaction")
        history.tell("survey.answered", name, "2026-03-05 09:00", aspect="overall", score=score, scale=10)
    for name in ("s", "u"):
        history.tell("survey.action_planned", name, "2026-04-05 09:00")
    assert figure(history, "low_score_action") == Answer(1, 2, 0)


def test_the_month_that_runs_ends_for_now_with_the_moment_of_asking(history: History) -> None:
    history.tell("contact.received", "c", "2026-03-03 09:00", customer_id="k")
    assert month(history, asked="2026-03-03 08:59:59")["contacts"] == 0
    assert month(history, asked="2026-03-03 09:00")["contacts"] == 1
    assert rows(history, "customer_periods", asked="2026-02-28 23:59:59.999999") == []


@pytest.mark.parametrize(
    ("heard", "asked_as"),
    [("2026-02-28 23:59", False), ("2026-03-01 00:00", True), ("2026-03-31 23:59", True), ("2026-04-01 00:00", False)],
)
def test_covered_by_the_window_that_has_ended(history: History, heard: str, asked_as: bool) -> None:
    history.tell("contact.received", "c", heard, customer_id="k")
    assert month(history)["contacted_as_asked"] is asked_as
    assert figure(history, "tier_coverage") == Answer(int(asked_as), 1, 0)


def test_covered_by_the_window_under_way(history: History) -> None:
    history.tell("customer.tiered", "k", "2026-01-10 10:00", tier="mid")
    history.tell("contact.received", "c", "2026-01-11 09:00", customer_id="k")
    # no quarter of theirs has ended by January's end, but they were heard of in the one under way
    (row,) = rows(history, "customer_periods", Days(date(2026, 1, 1), date(2026, 1, 31)))
    assert row["contacted_as_asked"] is True


def test_the_cadence_is_that_of_the_tier_at_the_windows_start(history: History) -> None:
    history.tell("customer.tiered", "k", "2026-03-01 00:00", tier="base")
    history.tell("contact.received", "c", "2026-02-03 09:00", customer_id="k")
    history.tell("contact.received", "d", "2026-03-03 09:00", customer_id="k")
    found = [(row["cadence"], row["window_start"], row["contacts"]) for row in rows(history, "cadence")]
    # on 1 March they still were of high value; the half-year that began with the year they were not there
    assert found == [("month", day_number(date(2026, month, 1)), 1) for month in (2, 3)]
    later = rows(history, "cadence", asked="2026-07-01 00:00")
    assert [(row["cadence"], row["ended"]) for row in later] == [("month", True), ("month", True), ("half_year", False)]


def test_a_window_of_one_who_left_in_it_is_not_counted(history: History) -> None:
    assert figure(history, "cadence_executed") == Answer(0, 1, 0)
    history.tell("customer.churned", "k", "2026-03-31 09:00")
    assert figure(history, "cadence_executed") == Answer(0, 0, 0)


def test_the_latest_assessment_by_the_periods_end_counts(history: History) -> None:
    history.tell("staff.assessed", "s", "2026-03-31 23:59", passed=True)
    history.tell("staff.assessed", "s", "2026-04-01 00:00", passed=False)
    history.tell("staff.trained", "t", "2026-03-01 09:00", course="standards")
    assert figure(history, "standards_known") == Answer(1, 1, 0)


def test_periods_are_cut_at_both_ends_and_windows_are_not() -> None:
    found = periods(date(2026, 2, 10), date(2026, 5, 5), "quarter")
    assert found == [Days(date(2026, 2, 10), date(2026, 3, 31)), Days(date(2026, 4, 1), date(2026, 5, 5))]
