"""The reference held against DOMAIN.md, section 5: one worked example, computed by hand, of each statement."""

import pytest

from tests.reference.books import DEFAULT, NEW_YORK
from tests.reference.calendars import SECOND
from tests.reference.figures import counters, state, states
from tests.reference.given import History, at

MINUTE, HOUR = 60 * SECOND, 3600 * SECOND


@pytest.fixture
def history() -> History:
    return History(DEFAULT)


@pytest.fixture
def new_york() -> History:
    return History(NEW_YORK)


def test_1_a_limit_by_condition_is_wall_clock_time(history: History) -> None:
    history.tell("contact.received", "c", "2026-04-03 23:00", channel="email")
    history.tell("contact.received", "d", "2026-04-03 23:00", channel="community")
    history.tell("contact.received", "e", "2026-04-03 23:00", channel="letter")
    assert history.row("contact_cycles", contact_id="c")["first_response_deadline"] == at("2026-04-04 23:00")
    assert history.row("contact_cycles", contact_id="d")["first_response_deadline"] == at("2026-04-04 01:00")
    assert history.row("contact_cycles", contact_id="e")["first_response_deadline"] is None
    assert not history.rows("clocks", clock="first_response", subject="e")


def test_1_working_days_end_with_the_nth_after_the_start_day_in_the_books_zone(history: History) -> None:
    # Wednesday 2026-04-29, 23:30 in Shanghai: Thursday 1, Friday is a holiday, Monday 2, Tuesday 3.
    deliver(history, "2026-04-29 23:30")
    telling = history.row("tellings")
    assert telling["told_deadline"] == at("2026-05-05 23:59:59.999999")


def test_1_business_time_runs_in_office_hours_only(new_york: History) -> None:
    # Friday 16:00 in New York: 2 h on Friday, 2 h on Sunday 9 March 01:00–04:00, which has no hour from 02:00 to
    # 03:00, 6 h on Monday from 09:00.
    new_york.tell("contact.received", "c", "2025-03-07 16:00")
    new_york.tell("contact.resolved", "c", "2025-03-09 03:30")
    row = new_york.row("contact_cycles")
    assert row["resolution_deadline"] == at("2025-03-10 15:00", NEW_YORK.zone)
    assert row["resolution_elapsed_us"] == 2 * HOUR + 90 * MINUTE
    assert row["resolution_outcome"] == "met"


def test_1_business_time_reached_at_closing_is_due_at_closing(new_york: History) -> None:
    new_york.tell("contact.received", "c", "2025-06-02 17:00")  # Monday: 1 h, Tuesday 9 h
    assert new_york.row("contact_cycles")["resolution_deadline"] == at("2025-06-03 18:00", NEW_YORK.zone)


@pytest.mark.parametrize(
    ("answered", "outcome"),
    [("09:02:59.999999", "met"), ("09:03:00", "met"), ("09:03:00.000001", "missed")],
)
def test_2_a_limit_is_inclusive(history: History, answered: str, outcome: str) -> None:
    history.tell("contact.received", "c", "2026-04-01 09:00", channel="web_chat")
    history.tell("contact.answered", "c", f"2026-04-01 {answered}")
    row = history.row("contact_cycles")
    assert row["first_response_outcome"] == outcome
    assert row["first_response_ended_at"] == min(row["answered_at"], at("2026-04-01 09:03"))
    assert row["first_response_elapsed_us"] == row["answered_at"] - row["received_at"]


def test_3_an_automatic_answer_does_not_stop_the_clock(history: History) -> None:
    history.tell("contact.received", "c", "2026-04-01 09:00", channel="web_chat")
    history.tell("contact.answered", "c", "2026-04-01 09:00:01", automated=True, script_id="hello")
    row = history.row("contact_cycles")
    assert (row["answered_at"], row["first_response_stopped_at"]) == (None, None)
    assert history.row("contacts")["status"] == "open"
    assert history.row("contacts")["script_id"] == "hello"


def test_3_on_the_phone_it_is_the_pick_up(history: History) -> None:
    history.tell("contact.received", "c", "2026-04-01 09:00", channel="phone")
    history.tell("contact.rang", "c", "2026-04-01 09:00:05")
    history.tell("contact.answered", "c", "2026-04-01 09:00:20")
    row = history.row("contact_cycles")
    assert (row["pickup_outcome"], row["pickup_elapsed_us"]) == ("met", 15 * SECOND)


def paused(history: History, *spans: tuple[str, str | None]) -> None:
    history.tell("contact.received", "c", "2026-04-01 09:00", kind="problem")
    for number, (begin, end) in enumerate(spans):
        history.tell("contact.paused", "c", begin, pause_id=f"p{number}")
        if end:
            history.tell("contact.resumed", "c", end, pause_id=f"p{number}")


def test_4_a_pause_shifts_the_deadline_by_its_length(history: History) -> None:
    paused(history, ("2026-04-02 09:00", "2026-04-02 12:00"))
    history.tell("contact.resolved", "c", "2026-04-04 12:00")
    row = history.row("contact_cycles")
    assert row["resolution_deadline"] == at("2026-04-04 12:00")
    assert (row["resolution_outcome"], row["resolution_elapsed_us"]) == ("met", 72 * HOUR)


def test_4_a_pause_after_the_limit_shifts_nothing(history: History) -> None:
    paused(history, ("2026-04-04 09:00", "2026-04-05 09:00"))
    assert history.row("contact_cycles")["resolution_deadline"] == at("2026-04-04 09:00")


def test_4_an_unfinished_pause_stops_the_clock(history: History) -> None:
    paused(history, ("2026-04-02 09:00", None))
    row = history.row("contact_cycles")
    assert (row["resolution_deadline"], row["resolution_ended_at"], row["resolution_outcome"]) == (None, None, None)
    assert state(history.row("clocks", clock="resolution"), at("2030-01-01 00:00")) == "open"


def test_4_a_pause_outside_office_hours_shifts_nothing(new_york: History) -> None:
    new_york.tell("contact.received", "c", "2025-06-02 17:00")
    new_york.tell("contact.paused", "c", "2025-06-02 18:00", pause_id="p")
    new_york.tell("contact.resumed", "c", "2025-06-03 10:00", pause_id="p")
    assert new_york.row("contact_cycles")["resolution_deadline"] == at("2025-06-04 10:00", NEW_YORK.zone)


def test_5_reopening_starts_a_new_cycle_and_earlier_verdicts_stand(history: History) -> None:
    history.tell("contact.received", "c", "2026-04-01 09:00", channel="web_chat")
    history.tell("contact.answered", "c", "2026-04-01 09:01")
    history.tell("contact.reopened", "c", "2026-04-02 09:00")
    history.tell("contact.answered", "c", "2026-04-02 09:10")
    assert history.row("contact_cycles", cycle=1)["first_response_outcome"] == "met"
    second = history.row("contact_cycles", cycle=2)
    assert (second["received_at"], second["first_response_outcome"]) == (at("2026-04-02 09:00"), "missed")
    made = history.tables()
    figures = counters(made, DEFAULT)
    assert sum(d for (metric, _, _), (_, d) in figures.items() if metric == "first_response_in_time") == 2
    assert sum(d for (metric, _, _), (_, d) in figures.items() if metric == "collection_coverage") == 1


def test_6_a_customer_tiered_late_counts_from_when_it_occurred(history: History) -> None:
    history.tell("customer.registered", "k", "2026-01-01 00:00")
    history.tell("contact.received", "c", "2026-04-01 09:00")
    history.tell("contact.received", "d", "2026-03-01 09:00", customer_id="k")
    history.tell("contact.identified", "c", "2026-04-03 09:00", customer_id="k")
    history.tell("customer.tiered", "k", "2026-03-31 09:00", tier="high", recorded=at("2026-05-01 00:00"))
    assert history.row("contact_cycles", contact_id="c")["tier"] == "high"
    assert history.row("contact_cycles", contact_id="d")["tier"] is None


def merged(history: History, own_answer: str | None, merge: str) -> None:
    """`b` (received on 1 April) is merged into `a` (received on 2 April)."""
    history.tell("contact.received", "a", "2026-04-02 09:00")
    history.tell("contact.received", "b", "2026-04-01 18:00")
    if own_answer:
        history.tell("contact.answered", "a", own_answer)
    history.tell("contact.merged", "b", merge, into_id="a")


def test_7_a_running_clock_of_a_merged_contact_ends_as_merged(history: History) -> None:
    merged(history, None, "2026-04-02 12:00")
    row = history.row("contact_cycles", contact_id="b")
    assert (row["first_response_outcome"], row["first_response_ended_at"]) == ("merged", at("2026-04-02 12:00"))
    figures = counters(history.tables(), DEFAULT)
    assert sum(d for (metric, _, _), (_, d) in figures.items() if metric == "first_response_in_time") == 1


def test_7_the_survivor_takes_the_earliest_arrival(history: History) -> None:
    merged(history, None, "2026-04-02 12:00")
    row = history.row("contact_cycles", contact_id="a")
    assert row["group_received_at"] == at("2026-04-01 18:00")
    assert row["first_response_deadline"] == at("2026-04-02 18:00")


def test_7_verdicts_given_before_the_merge_stand(history: History) -> None:
    merged(history, "2026-04-02 11:00", "2026-04-03 12:00")
    survivor, away = history.row("contact_cycles", contact_id="a"), history.row("contact_cycles", contact_id="b")
    assert (survivor["first_response_outcome"], survivor["first_response_elapsed_us"]) == ("met", 2 * HOUR)
    assert (away["first_response_outcome"], away["first_response_ended_at"]) == (None, at("2026-04-02 18:00"))


def test_7_unmerging_restores_both(history: History) -> None:
    merged(history, None, "2026-04-02 12:00")
    history.tell("contact.unmerged", "b", "2026-04-02 10:00")  # told later, though it occurred earlier
    away = history.row("contact_cycles", contact_id="b")
    assert (away["merged_at"], away["first_response_deadline"]) == (None, at("2026-04-02 18:00"))
    assert history.row("contact_cycles", contact_id="a")["first_response_deadline"] == at("2026-04-03 09:00")


def test_7_figures_without_a_clock_leave_merged_duplicates_out(history: History) -> None:
    merged(history, None, "2026-04-02 12:00")
    figures = counters(history.tables(), DEFAULT)
    assert sum(d for (metric, _, _), (_, d) in figures.items() if metric == "complaint_rate") == 1


def test_7_a_member_of_a_member_joins_with_it(history: History) -> None:
    # `x` joins `b` before `a` is answered, but `a` only with `b`, afterwards: the verdict of `a` stands.
    merged(history, "2026-04-02 11:00", "2026-04-03 12:00")
    history.tell("contact.received", "x", "2026-03-01 09:00")
    history.tell("contact.merged", "x", "2026-04-02 10:00", into_id="b")
    row = history.row("contact_cycles", contact_id="a")
    assert row["group_received_at"] == at("2026-03-01 09:00")
    assert (row["first_response_started_at"], row["first_response_outcome"]) == (at("2026-04-02 09:00"), "met")


def deliver(history: History, when: str) -> None:
    history.tell("customer.registered", "k", "2026-01-01 00:00")
    history.tell("requirement.captured", "r", "2026-04-01 09:00", customer_id="k")
    history.tell("delivery.planned", "d", "2026-04-02 09:00", requirement_id="r", due_at=at("2026-04-20 09:00"))
    history.tell("delivery.delivered", "d", when)


def test_7_each_customer_of_the_group_is_to_be_told_from_delivery_or_joining(history: History) -> None:
    deliver(history, "2026-04-10 09:00")
    for name, customer, when in (("q", "l", "2026-04-03 09:00"), ("s", "m", "2026-04-14 09:00")):
        history.tell("requirement.captured", name, "2026-04-02 09:00", customer_id=customer)
        history.tell("requirement.merged", name, when, into_id="r")
    starts = {row["customer_id"]: row["started_at"] for row in history.rows("tellings")}
    delivered = at("2026-04-10 09:00")
    assert starts == {"k": delivered, "l": delivered, "m": at("2026-04-14 09:00")}


def test_7_the_customer_of_a_requirement_merged_after_delivery_is_told_from_the_delivery(history: History) -> None:
    deliver(history, "2026-04-10 09:00")
    history.tell("requirement.captured", "s", "2026-04-02 09:00", customer_id="m")
    history.tell("requirement.merged", "r", "2026-04-20 09:00", into_id="s")
    starts = {row["customer_id"]: row["started_at"] for row in history.rows("tellings")}
    assert starts == {"k": at("2026-04-10 09:00"), "m": at("2026-04-20 09:00")}


def test_8_holidays_and_make_up_workdays(new_york: History) -> None:
    # Tuesday 2025-03-11, 17:00: 1 h; Wednesday is a holiday; Thursday 9 h.
    new_york.tell("contact.received", "c", "2025-03-11 17:00")
    # Friday 2025-03-14, 17:00: 1 h; Saturday is made up for: 9 h.
    new_york.tell("contact.received", "d", "2025-03-14 17:00")
    assert new_york.row("contact_cycles", contact_id="c")["resolution_deadline"] == at(
        "2025-03-13 18:00", NEW_YORK.zone
    )
    assert new_york.row("contact_cycles", contact_id="d")["resolution_deadline"] == at(
        "2025-03-15 18:00", NEW_YORK.zone
    )


def test_8_the_hour_that_comes_twice_is_worked_twice(new_york: History) -> None:
    # Sunday 2025-11-02 01:00–04:00 has four hours; then Monday from 09:00: 6 h more.
    new_york.tell("contact.received", "c", "2025-11-02 00:30")
    assert new_york.row("contact_cycles")["resolution_deadline"] == at("2025-11-03 15:00", NEW_YORK.zone)


def test_9_a_figure_belongs_to_the_day_in_the_books_zone(history: History) -> None:
    history.tell("contact.received", "c", "2026-04-01 23:59:59.999999", kind="complaint")
    history.tell("contact.received", "d", "2026-04-02 00:00", kind="inquiry")
    days = {
        day: pair
        for (metric, day, _), pair in counters(history.tables(), DEFAULT).items()
        if metric == "complaint_rate"
    }
    utc_midnight = at("2026-04-01 08:00")
    assert days == {utc_midnight: (1, 1), utc_midnight + 24 * HOUR: (0, 1)}


def test_10_a_running_clock_is_open_until_its_deadline_has_passed(history: History) -> None:
    history.tell("contact.received", "c", "2026-04-01 09:00", channel="web_chat", kind="inquiry")
    deadline = at("2026-04-01 09:03")
    assert states(history.tables(), deadline) == {("first_response", "open"): 1}
    assert states(history.tables(), deadline + 1) == {("first_response", "missed"): 1}


@pytest.mark.parametrize(
    ("withdrawn", "outcome", "counted"), [("09:59:59", "withdrawn", 0), ("10:00:00", None, 1), ("11:00:00", None, 1)]
)
def test_10_what_is_withdrawn_before_its_clock_ended_is_not_counted(
    history: History, withdrawn: str, outcome: str | None, counted: int
) -> None:
    history.tell("handoff.requested", "h", "2026-04-01 09:00")
    history.tell("handoff.withdrawn", "h", f"2026-04-01 {withdrawn}")
    assert history.row("handoffs")["transfer_outcome"] == outcome
    figures = counters(history.tables(), DEFAULT)
    assert sum(d for (metric, _, _), (_, d) in figures.items() if metric == "transfer_in_time") == counted


def test_10_a_returned_handoff_runs_on(history: History) -> None:
    history.tell("handoff.requested", "h", "2026-04-01 09:00")
    history.tell("handoff.returned", "h", "2026-04-01 10:00")
    row = history.row("handoffs")
    assert (row["handoff_answer_outcome"], row["handoff_answer_deadline"]) == (None, at("2026-04-02 09:00"))


def test_11_a_stop_before_its_start_has_elapsed_nothing(history: History) -> None:
    history.tell("contact.received", "c", "2026-04-01 09:00", channel="web_chat")
    history.tell("contact.answered", "c", "2026-04-01 08:00")
    row = history.row("contact_cycles")
    assert (row["first_response_outcome"], row["first_response_elapsed_us"]) == ("met", 0)
    assert {each["kind"] for each in history.rows("anomalies")} == {"before_opening"}


def test_11_delivered_is_the_earliest_delivery_not_refused(history: History) -> None:
    deliver(history, "2026-04-10 09:00")
    history.tell("delivery.refused", "d", "2026-04-11 09:00")
    assert history.row("deliveries")["delivered_at"] is None
    history.tell("delivery.delivered", "d", "2026-04-21 09:00")
    history.tell("delivery.delivered", "d", "2026-04-22 09:00")
    row = history.row("deliveries")
    assert (row["delivered_at"], row["delivery_outcome"]) == (at("2026-04-21 09:00"), "missed")
