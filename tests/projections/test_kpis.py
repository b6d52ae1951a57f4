"""Figures worked out by hand: what counts, when, for whom, and what is never counted."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from ledger.log.application import Ledger
from ledger.rulebook.loading import default_book
from projections.contributions import additive
from projections.kpis import Figure, UnknownDimension, UnknownMetric, figures, goal_for, verdict
from projections.periods import Period, programme_month, split
from tests.projections.worlds import World, new_ledger, us

MINUTE, HOUR = 60_000_000, 3_600_000_000


def ask(ledger: Ledger, asked: str, *metrics: str, **more: Any) -> list[Figure]:
    with ledger.pool.connection() as connection:
        return figures(connection, metrics, asked=us(asked), **more).figures


def one(ledger: Ledger, asked: str, metric: str, **more: Any) -> Figure:
    (figure,) = ask(ledger, asked, metric, **more)
    return figure


def counts(figure: Figure) -> tuple[int | None, int, int]:
    return figure.numerator, figure.denominator, figure.open


@pytest.fixture(scope="module")
def desk(postgres: str, template: str) -> Iterator[Ledger]:
    """Two days of a desk: Monday 3 March and Tuesday 4 March 2025, in Shanghai."""
    with new_ledger(postgres, template) as ledger:
        world = World(ledger)
        told = [
            # chat: 3 minutes; phone: 15 seconds; email: 24 hours
            ("contact.received", "chat-1", "2025-03-03 09:00", {"kind": "complaint"}),
            ("contact.received", "chat-2", "2025-03-03 10:00", {"department": "back"}),
            ("contact.received", "chat-3", "2025-03-03 23:59", {}),
            ("contact.received", "mail-1", "2025-03-03 12:00", {"channel": "email"}),
            ("contact.received", "call-1", "2025-03-03 11:00", {"channel": "phone"}),
            ("contact.received", "call-2", "2025-03-03 11:30", {"channel": "phone"}),
            ("contact.received", "chat-4", "2025-03-04 09:00", {}),
            ("contact.answered", "chat-1", "2025-03-03 09:01", {"automated": True}),  # a machine's answer is none
            ("contact.answered", "chat-1", "2025-03-03 09:03", {}),  # met, at the very limit
            ("contact.answered", "chat-2", "2025-03-03 10:03:00.000001", {}),  # missed by a microsecond
            ("contact.answered", "chat-3", "2025-03-04 00:01", {}),  # met, on Tuesday
            ("contact.rang", "call-1", "2025-03-03 11:00", {}),
            ("contact.answered", "call-1", "2025-03-03 11:00:15", {}),  # met
            ("contact.rang", "call-2", "2025-03-03 11:30", {}),
            ("contact.abandoned", "call-2", "2025-03-03 11:30:40", {}),  # never picked up: missed at 15 s
            ("contact.answered", "chat-4", "2025-03-04 09:02", {}),  # met
        ]
        world.tell_all(
            [(kind, subject, when, {**data, "recorded": "2025-03-04 12:00"}) for kind, subject, when, data in told]
        )
        world.catch_up()
        yield ledger


def test_a_ratio_counts_what_has_ended(desk: Ledger) -> None:
    figure = one(desk, "2025-03-05 00:00", "first_response_in_time")
    # met: chat-1, chat-3, chat-4; missed: chat-2; mail-1 missed on Tuesday at 12:00
    assert counts(figure) == (3, 5, 0)
    assert figure.value == Decimal("0.6")
    assert figure.verdict == "missed"


def test_an_open_clock_is_never_counted_and_is_shown_apart(desk: Ledger) -> None:
    assert counts(one(desk, "2025-03-04 11:59:59.999999", "first_response_in_time")) == (3, 4, 1)
    # at its very deadline it is still open, a microsecond later it is missed
    assert counts(one(desk, "2025-03-04 12:00", "first_response_in_time")) == (3, 4, 1)
    assert counts(one(desk, "2025-03-04 12:00:00.000001", "first_response_in_time")) == (3, 5, 0)


def test_a_day_counts_what_ended_on_it_in_the_books_zone(desk: Ledger) -> None:
    by_day = ask(desk, "2025-03-05 00:00", "first_response_in_time", grain="day", first=date(2025, 3, 2))
    assert [(figure.period.first.isoformat(), *counts(figure)) for figure in by_day] == [
        ("2025-03-02", 0, 0, 0),
        ("2025-03-03", 1, 2, 0),  # chat-1, chat-2
        ("2025-03-04", 2, 3, 0),  # chat-3 at 00:01 in Shanghai, which is Monday in UTC; chat-4; mail-1
        ("2025-03-05", 0, 0, 0),
    ]
    assert (by_day[0].value, by_day[0].verdict) == (None, "no data")
    assert by_day[1].value == Decimal("0.5")


def test_the_running_day_ends_with_the_moment_of_asking(desk: Ledger) -> None:
    def today(asked: str) -> tuple[int | None, int, int]:
        on = date(2025, 3, 4)
        return counts(one(desk, asked, "first_response_in_time", first=on, last=on))

    # chat-3, which answered a minute later as is known by now, is not open: only mail-1 waits
    assert today("2025-03-04 00:00") == (0, 0, 1)
    assert today("2025-03-04 00:00:59.999999") == (0, 0, 1)
    assert today("2025-03-04 00:01") == (1, 1, 1)
    assert today("2025-03-04 09:01:59")[:2] == (1, 1)
    assert today("2025-03-04 09:02") == (2, 2, 1)
    assert today("2025-03-04 12:00:00.000001") == (2, 3, 0)
    assert today("2025-03-04 23:59") == today("2025-03-05 00:00") == today("2026-01-01 00:00")


def test_a_figure_by_dimension_adds_up(desk: Ledger) -> None:
    found = ask(desk, "2025-03-05 00:00", "first_response_in_time", by=["channel", "department"])
    assert {tuple(figure.dimensions.values()): counts(figure) for figure in found} == {
        ("email", "front"): (0, 1, 0),
        ("web_chat", "back"): (0, 1, 0),
        ("web_chat", "front"): (3, 3, 0),
    }
    assert [figure.verdict for figure in found] == ["missed", "missed", "met"]
    assert [*found[0].dimensions] == ["channel", "department"]


def test_filters_leave_the_rest_out(desk: Ledger) -> None:
    def filtered(**filters: list[str]) -> tuple[int | None, int, int]:
        return counts(one(desk, "2025-03-05 00:00", "first_response_in_time", filters=filters))

    assert filtered(channel=["web_chat"]) == (3, 4, 0)
    assert filtered(channel=["web_chat", "email"]) == (3, 5, 0)
    assert filtered(channel=["web_chat"], department=["back"]) == (0, 1, 0)
    assert filtered(tier=[""]) == (3, 5, 0)  # nobody has a tier
    assert filtered(channel=["fax"]) == (0, 0, 0)
    by = ask(desk, "2025-03-05 00:00", "first_response_in_time", by=["department"], filters={"channel": ["web_chat"]})
    assert {figure.dimensions["department"]: counts(figure) for figure in by} == {"back": (0, 1, 0), "front": (3, 3, 0)}


def test_no_denominator_is_no_data(desk: Ledger) -> None:
    figure = one(desk, "2025-03-05 00:00", "value_added_satisfaction")
    assert (figure.value, figure.verdict, counts(figure)) == (None, "no data", (0, 0, 0))


def test_rings_are_counted_on_the_day_they_rang(desk: Ledger) -> None:
    figure = one(desk, "2025-03-05 00:00", "pickup_in_time")
    assert counts(figure) == (1, 2, 0)
    assert counts(one(desk, "2025-03-03 11:30:15", "pickup_in_time")) == (1, 1, 1)
    assert counts(one(desk, "2025-03-03 11:30:15.000001", "pickup_in_time")) == (1, 2, 0)
    assert counts(one(desk, "2025-03-05 00:00", "abandonment")) == (1, 2, 0)
    assert one(desk, "2025-03-05 00:00", "abandonment").verdict == "missed"


def test_a_share_without_a_clock_counts_every_row(desk: Ledger) -> None:
    figure = one(desk, "2025-03-05 00:00", "complaint_rate")
    assert counts(figure) == (1, 7, 0)
    assert figure.value == Decimal(1) / Decimal(7)
    assert counts(one(desk, "2025-03-04 08:59", "complaint_rate")) == (1, 6, 0)


def test_a_median_takes_the_lower_of_two_in_the_middle(desk: Ledger) -> None:
    asked = "2025-03-05 00:00"
    # 3 min, 3 min + 1 µs, 2 min, 2 min; and 15 s on the phone, for which the first answer has no limit
    figure = one(desk, asked, "first_response_median")
    assert (figure.value, figure.denominator, figure.numerator) == (2 * MINUTE, 5, None)
    by_day = ask(desk, asked, "first_response_median", grain="day", first=date(2025, 3, 3), last=date(2025, 3, 5))
    assert [(figure.value, figure.denominator) for figure in by_day] == [
        (2 * MINUTE, 4), (2 * MINUTE, 1), (None, 0),
    ]  # fmt: skip
    by = ask(desk, asked, "first_response_median", by=["department"])
    assert {figure.dimensions["department"]: figure.value for figure in by} == {
        "back": 3 * MINUTE + 1, "front": 2 * MINUTE,
    }  # fmt: skip


def test_a_median_knows_nothing_of_what_is_answered_later(desk: Ledger) -> None:
    figure = one(desk, "2025-03-03 10:02", "first_response_median")
    assert (figure.value, figure.denominator) == (3 * MINUTE, 1)
    with pytest.raises(UnknownDimension, match="cannot be filtered"):
        one(desk, "2025-03-05 00:00", "first_response_median", filters={"channel": ["email"]})


def test_what_is_unknown_is_told(desk: Ledger) -> None:
    with pytest.raises(UnknownMetric, match="no metric 'first_answer'; there are first_response_in_time"):
        ask(desk, "2025-03-05 00:00", "first_answer")
    with pytest.raises(UnknownDimension, match="pickup_in_time has no dimension channel; it has department"):
        ask(desk, "2025-03-05 00:00", "pickup_in_time", by=["channel"])
    with pytest.raises(UnknownDimension):
        ask(desk, "2025-03-05 00:00", "told_in_time", filters={"department; DROP TABLE x": ["1"]})
    # without names, those that can be broken down so are given
    names = {figure.metric.name for figure in ask(desk, "2025-03-05 00:00", by=["to_department"])}
    assert names <= {"transfer_in_time", "handoff_answer_in_time", "handoff_response_median"}


def test_filter_values_are_values(desk: Ledger) -> None:
    for text in ("'", "%s", '"; DROP TABLE contacts; --'):
        assert counts(one(desk, "2025-03-05 00:00", "complaint_rate", filters={"channel": [text]})) == (0, 0, 0)


def test_a_moment_before_everything_has_no_data(desk: Ledger) -> None:
    assert counts(one(desk, "2024-01-01 00:00", "complaint_rate")) == (0, 0, 0)


# ---- deliveries: counted on the day they were first due, delivered or not


def test_deliveries_count_when_they_are_due(world: World) -> None:
    for name, due in (("d1", "2025-03-05T10:00:00Z"), ("d2", "2025-03-05T10:00:00Z"), ("d3", "2025-03-20T10:00:00Z"),
                      ("d4", "2025-03-05T10:00:00Z")):  # fmt: skip
        world.tell("requirement.captured", f"r-{name}", "2025-03-03 09:00", customer_id="C")
        world.tell("delivery.planned", name, "2025-03-03 10:00", requirement_id=f"r-{name}", due_at=due, owner_id="o")
    world.tell("delivery.delivered", "d1", "2025-03-04 10:00")  # early
    world.tell("delivery.delivered", "d3", "2025-03-04 10:00")  # early, due only on the 20th
    world.tell("delivery.cancelled", "d4", "2025-03-04 11:00")  # before it was due: not counted
    world.tell("delivery.rescheduled", "d2", "2025-03-04 12:00", due_at="2025-03-07T10:00:00Z")
    world.catch_up()

    def on_time(asked: str, metric: str = "delivery_on_time") -> tuple[int | None, int, int]:
        return counts(one(world.ledger, asked, metric))

    assert on_time("2025-03-05 17:59") == (0, 0, 1)  # nothing is due yet in Shanghai
    assert on_time("2025-03-05 18:00") == (1, 1, 1)
    assert on_time("2025-03-05 18:00:00.000001") == (1, 2, 0)
    assert on_time("2025-03-21 00:00") == (2, 3, 0)
    # against the latest date the second one is still open
    assert on_time("2025-03-06 00:00", "delivery_on_time_latest")[2] == 1
    assert on_time("2025-03-21 00:00", "delivery_on_time_latest") == (2, 3, 0)
    assert on_time("2025-03-21 00:00", "delivery_on_time_delivered") == (2, 2, 0)


def test_customers_are_told_within_three_working_days(world: World) -> None:
    world.tell("requirement.captured", "r", "2025-04-28 09:00", customer_id="C1")
    world.tell("requirement.captured", "r2", "2025-04-28 09:00", customer_id="C2")
    world.tell("requirement.merged", "r2", "2025-04-28 10:00", into_id="r")
    world.tell("delivery.planned", "d", "2025-04-28 11:00", requirement_id="r", due_at="2025-05-10T00:00:00Z")
    # Tuesday; Wednesday 1, Thursday is a holiday, Friday 2, Monday 3
    world.tell("delivery.delivered", "d", "2025-04-29 17:00")
    world.tell("delivery.customer_informed", "d", "2025-05-05 23:59:59", customer_id="C1")
    world.catch_up()
    assert counts(one(world.ledger, "2025-05-05 23:59:59.999999", "told_in_time")) == (1, 1, 1)
    figure = one(world.ledger, "2025-05-06 00:00", "told_in_time")
    assert (counts(figure), figure.value, figure.verdict) == ((1, 2, 0), Decimal("0.5"), "missed")


def test_what_is_voided_or_merged_away_leaves_the_figures(world: World) -> None:
    world.tell("contact.received", "a", "2025-03-03 09:00", kind="complaint")
    wrong = world.tell("contact.received", "b", "2025-03-03 09:00", kind="complaint")
    world.tell("contact.received", "c", "2025-03-03 09:00", kind="complaint")
    world.catch_up()
    assert counts(one(world.ledger, "2025-03-04 00:00", "complaint_rate")) == (3, 3, 0)
    world.tell("record.voided", "b", "2025-03-03 10:00", voided_position=wrong)
    world.tell("contact.merged", "c", "2025-03-03 10:00", into_id="a")
    world.catch_up()
    assert counts(one(world.ledger, "2025-03-04 00:00", "complaint_rate")) == (1, 1, 0)
    world.tell("contact.unmerged", "c", "2025-03-03 11:00")
    world.catch_up()
    assert counts(one(world.ledger, "2025-03-04 00:00", "complaint_rate")) == (2, 2, 0)


def test_what_is_told_of_merged_duplicates_leaves_the_figures(world: World) -> None:
    for name in ("A", "B"):
        world.tell("customer.registered", name, "2025-03-01 09:00")
        for alert in ("old", "new"):
            when = "2025-03-02 09:00" if alert == "old" else "2025-03-04 09:00"
            world.tell("customer.alert_raised", name, when, alert_id=alert, indicator="silence")
        world.tell("customer.cause_verified", name, "2025-03-04 10:00", alert_id="old", correct=True)
        world.tell("customer.win_back_planned", name, "2025-03-04 10:00", alert_id="old")
        world.tell("customer.churned", name, "2025-03-04 11:00")
        world.tell("contact.received", f"c{name}", "2025-03-04 09:00", customer_id=name, channel="letter")
        world.tell("contact.rated", f"c{name}", "2025-03-04 11:00", rating_id="r", aspect="online", score=5, scale=5)
    asked = "2025-03-10 00:00"
    metrics = ("risk_identification", "cause_accuracy", "win_back", "online_satisfaction", "alert_answer_in_time")

    def denominators() -> list[int]:
        world.catch_up()
        return [one(world.ledger, asked, metric).denominator for metric in metrics]

    assert denominators() == [2, 2, 2, 2, 4]
    world.tell("customer.merged", "B", "2025-03-04 12:00", into_id="A")
    world.tell("contact.merged", "cB", "2025-03-04 12:00", into_id="cA")
    # the older alert was missed before the merge: that stands; the newer one was still running
    assert denominators() == [1, 1, 1, 1, 3]
    assert world.row("alerts", customer_id="B", alert_id="new")["alert_answer_outcome"] == "merged"
    world.tell("customer.unmerged", "B", "2025-03-04 13:00")
    world.tell("contact.unmerged", "cB", "2025-03-04 13:00")
    assert denominators() == [2, 2, 2, 2, 4]


def test_a_pause_that_has_not_ended_holds_its_clock(world: World) -> None:
    world.tell("contact.received", "a", "2025-03-03 09:00", kind="problem", channel="letter")
    world.tell("contact.paused", "a", "2025-03-03 10:00", pause_id="p")
    world.catch_up()
    assert counts(one(world.ledger, "2025-06-01 00:00", "resolution_in_time")) == (0, 0, 1)
    world.tell("contact.resumed", "a", "2025-04-03 10:00", pause_id="p")
    world.catch_up()
    # 72 hours, one of them before the pause
    assert counts(one(world.ledger, "2025-04-06 09:00", "resolution_in_time")) == (0, 0, 1)
    assert counts(one(world.ledger, "2025-04-06 09:00:00.000001", "resolution_in_time")) == (0, 1, 0)


# ---- goals come in stages


def test_the_goal_of_the_last_month_counts(world: World) -> None:
    """The book's programme begins in January 2026; 85 % are wanted from its fourth month, 90 % from its sixth."""
    for month in (3, 4, 6):
        for nth in range(5):
            subject = f"r{month}-{nth}"
            world.tell("requirement.captured", subject, f"2026-0{month}-10 09:00")
            world.tell("requirement.verified", subject, f"2026-0{month}-11 09:00", correct=nth > 0)
    world.catch_up()

    def judged(first: date, last: date) -> tuple[int | None, str]:
        figure = one(world.ledger, "2026-07-01 00:00", "identification_accuracy", first=first, last=last)
        assert figure.value == Decimal("0.8")
        return (figure.goal.from_month if figure.goal else None, figure.verdict)

    # before that the goal is a change, and nothing is frozen to compare with
    assert judged(date(2026, 3, 1), date(2026, 3, 31)) == (1, "no baseline yet")
    assert judged(date(2026, 4, 1), date(2026, 4, 30)) == (4, "missed")
    assert judged(date(2026, 6, 1), date(2026, 6, 30)) == (6, "missed")
    assert judged(date(2026, 3, 1), date(2026, 6, 30)) == (6, "missed")  # a longer period: its last month


def test_a_change_is_judged_against_a_baseline_only() -> None:
    book = default_book()
    goal = goal_for(book.metric("first_response_median"), Period(date(2026, 5, 1), date(2026, 5, 31)), book)
    assert goal is not None
    assert (goal.from_month, goal.change) == (5, -5_000)
    median = book.metric("first_response_median")
    assert verdict(60 * MINUTE, goal, 50, median) == "no baseline yet"
    assert verdict(None, goal, 0, median) == "no data"


def test_a_goal_is_met_at_its_very_value(world: World) -> None:
    for nth in range(20):
        world.tell("contact.received", f"c{nth}", "2025-03-03 09:00", channel="phone")
        world.tell("contact.rang", f"c{nth}", "2025-03-03 09:00")
        if nth:
            world.tell("contact.answered", f"c{nth}", "2025-03-03 09:00:16" if nth < 3 else "2025-03-03 09:00:10")
        else:
            world.tell("contact.abandoned", "c0", "2025-03-03 09:00:20")
    world.catch_up()
    abandoned = one(world.ledger, "2025-03-04 00:00", "abandonment")
    assert (abandoned.value, abandoned.verdict) == (Decimal("0.05"), "met")
    picked_up = one(world.ledger, "2025-03-04 00:00", "pickup_in_time")
    assert (picked_up.value, picked_up.verdict) == (Decimal("0.85"), "missed")


# ---- periods


def test_periods_are_cut_at_both_ends() -> None:
    first, last = date(2025, 1, 15), date(2025, 7, 2)
    quarters = split(first, last, "quarter")
    assert quarters == [
        Period(date(2025, 1, 15), date(2025, 3, 31)),
        Period(date(2025, 4, 1), date(2025, 6, 30)),
        Period(date(2025, 7, 1), date(2025, 7, 2)),
    ]
    weeks = split(date(2024, 12, 25), date(2025, 1, 7), "week")
    assert [(week.first.isoformat(), week.last.isoformat()) for week in weeks] == [
        ("2024-12-25", "2024-12-29"),
        ("2024-12-30", "2025-01-05"),  # weeks begin on Monday and know nothing of years
        ("2025-01-06", "2025-01-07"),
    ]
    assert split(first, last, "all") == [Period(first, last)]
    assert [period.first.month for period in split(first, last, "month")] == [1, 2, 3, 4, 5, 6, 7]
    assert split(date(2024, 2, 28), date(2024, 3, 1), "day")[1].first == date(2024, 2, 29)
    assert split(last, first, "month") == []
    years = split(date(2024, 6, 1), date(2025, 6, 1), "year")
    assert [period.last for period in years] == [date(2024, 12, 31), date(2025, 6, 1)]


def test_programme_months_begin_with_one() -> None:
    start = date(2025, 3, 15)
    assert [programme_month(day, start) for day in (date(2025, 3, 1), date(2025, 4, 1), date(2026, 3, 31))] == [
        1,
        2,
        13,
    ]
    assert programme_month(date(2025, 2, 28), start) == 0


@pytest.mark.parametrize("grain", ["day", "week", "month", "quarter", "year"])
def test_every_grain_adds_up_to_the_whole(company: Ledger, grain: Any) -> None:
    asked = "2025-04-20 15:00"
    # what is told of states at a period's end does not add up
    whole = {figure.metric.name: figure for figure in ask(company, asked) if additive(figure.metric)}
    first, last = next(iter(whole.values())).period.first, next(iter(whole.values())).period.last
    summed: dict[str, list[int]] = {}
    for figure in ask(company, asked, grain=grain, first=first, last=last):
        if additive(figure.metric) and not figure.metric.per:
            sums = summed.setdefault(figure.metric.name, [0, 0, 0])
            for nth, count in enumerate(counts(figure)):
                sums[nth] += count or 0
    assert summed
    for name, sums in summed.items():
        assert tuple(sums) == counts(whole[name]), name


def test_every_breakdown_adds_up_to_the_whole(company: Ledger) -> None:
    asked = "2025-04-20 15:00"
    for whole in ask(company, asked):
        for dimension in whole.metric.by if whole.metric.type == "ratio" and not whole.metric.per else []:
            parts = ask(company, asked, whole.metric.name, by=[dimension])
            sums = tuple(sum(part[nth] or 0 for part in map(counts, parts)) for nth in range(3))
            assert sums == counts(whole), f"{whole.metric.name} by {dimension}"
