"""Goals of change, against baselines that were frozen."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from ledger.rulebook.loading import default_text
from projections.kpis import Figure, figures
from tests.projections.worlds import World, new_ledger, us

POINTS = default_text().replace("goal: [{change: 25%}]", "goal: [{change_points: 25%}]")
MISUNDERSTOOD = "misunderstanding_rate"  # −40 %, of 30 contacts at least
FROZEN = {"period_start": "2025-12-01", "period_end": "2025-12-31", "statistic": "ratio", "unit": "bp"}


@pytest.fixture
def points(postgres: str, template: str) -> Iterator[World]:
    """A ledger whose book asks for 25 points more customer satisfaction, not for a quarter more."""
    with new_ledger(postgres, template, book=POINTS) as ledger:
        yield World(ledger)


def freeze(world: World, kpi: str, numerator: int, denominator: int, name: str = "B1", **more: Any) -> int:
    parts = {"numerator": numerator, "denominator": denominator, "value": 10_000 * numerator // denominator}
    told = {**FROZEN, **parts, "sample": denominator, "kpi": kpi, **more}
    return world.tell("baseline.frozen", name, "2026-01-05 09:00", **told)


def misunderstood(world: World, flagged: int, of: int, channel: str = "email") -> None:
    """That many contacts in January 2026, some of which went wrong."""
    told: list[tuple[str, str, str, dict[str, Any]]] = []
    for nth in range(of):
        told.append(("contact.received", f"{channel}-{nth}", "2026-01-06 09:00", {"channel": channel}))
        if nth < flagged:
            data = {"problem": "misunderstanding"}
            told.append(("contact.problem_flagged", f"{channel}-{nth}", "2026-01-06 10:00", data))
    world.tell_all(told)


def satisfied(world: World, happy: int, of: int) -> None:
    told: list[tuple[str, str, str, dict[str, Any]]] = []
    for nth in range(of):
        survey = {"customer_id": f"K{nth}", "survey_kind": "satisfaction"}
        told.append(("survey.sent", f"S{nth}", "2026-01-06 09:00", survey))
        answer = {"aspect": "overall", "score": 8 if nth < happy else 7, "scale": 10}
        told.append(("survey.answered", f"S{nth}", "2026-01-06 10:00", answer))
    world.tell_all(told)


def ask(world: World, metric: str, **more: Any) -> Figure:
    world.catch_up()
    with world.ledger.pool.connection() as connection:
        january: dict[str, Any] = {"asked": us("2026-02-01"), "first": date(2026, 1, 1), "last": date(2026, 1, 31)}
        (figure,) = figures(connection, [metric], **{**january, **more}).figures
    return figure


@pytest.mark.parametrize(("flagged", "of", "verdict"), [(6, 30, "met"), (7, 30, "missed"), (12, 60, "met")])
def test_a_goal_that_is_just_reached_is_met(world: World, flagged: int, of: int, verdict: str) -> None:
    # a third, and 40 % less than that: neither divides evenly
    freeze(world, MISUNDERSTOOD, 10, 30)
    misunderstood(world, flagged, of)
    figure = ask(world, MISUNDERSTOOD)
    assert figure.verdict == verdict
    assert figure.change is not None
    assert (round(figure.change, 4) == Decimal("-0.4")) == (verdict == "met")


def test_more_is_asked_for_where_more_is_better(world: World) -> None:
    freeze(world, "customer_satisfaction", 12, 30)
    satisfied(world, 15, 30)
    figure = ask(world, "customer_satisfaction")
    assert (figure.verdict, figure.change) == ("met", Decimal("0.25"))


def test_less_is_no_success_where_more_is_better(world: World) -> None:
    freeze(world, "customer_satisfaction", 20, 30)
    satisfied(world, 10, 30)
    assert ask(world, "customer_satisfaction").verdict == "missed"


@pytest.mark.parametrize(("happy", "verdict"), [(19, "missed"), (20, "met")])
def test_points_are_a_difference(points: World, happy: int, verdict: str) -> None:
    # from 25 %: a quarter more of it would be 13 of 40 already
    freeze(points, "customer_satisfaction", 10, 40)
    satisfied(points, happy, 40)
    assert ask(points, "customer_satisfaction").verdict == verdict


def test_points_can_start_from_nothing(points: World) -> None:
    freeze(points, "customer_satisfaction", 0, 40)
    satisfied(points, 10, 40)
    figure = ask(points, "customer_satisfaction")
    assert (figure.verdict, figure.change) == ("met", Decimal("0.25"))


def test_nothing_is_a_part_of_nothing(world: World) -> None:
    freeze(world, MISUNDERSTOOD, 0, 40)
    misunderstood(world, 3, 40)
    figure = ask(world, MISUNDERSTOOD)
    assert figure.baseline is not None
    assert (figure.change, figure.verdict) == (None, "not comparable")


@pytest.mark.parametrize(("before", "now"), [(29, 30), (30, 29)])
def test_a_few_prove_nothing_on_either_side(world: World, before: int, now: int) -> None:
    freeze(world, MISUNDERSTOOD, 10, before)
    misunderstood(world, 1, now)
    assert ask(world, MISUNDERSTOOD).verdict == "too few"


def test_nothing_is_claimed_before_a_baseline_stands(world: World) -> None:
    misunderstood(world, 1, 30)
    assert ask(world, MISUNDERSTOOD).verdict == "no baseline yet"
    position = freeze(world, MISUNDERSTOOD, 10, 30)
    assert ask(world, MISUNDERSTOOD).verdict == "met"
    world.tell("record.voided", "B1", "2026-01-07 09:00", voided_position=position)
    assert ask(world, MISUNDERSTOOD).verdict == "no baseline yet"


def test_without_data_there_is_nothing_to_compare(world: World) -> None:
    freeze(world, MISUNDERSTOOD, 10, 30)
    assert ask(world, MISUNDERSTOOD).verdict == "no data"


def test_the_latest_baseline_counts(world: World) -> None:
    freeze(world, MISUNDERSTOOD, 10, 30)
    freeze(world, MISUNDERSTOOD, 1, 30, name="B2")
    misunderstood(world, 1, 30)
    figure = ask(world, MISUNDERSTOOD)
    assert figure.baseline is not None
    assert (figure.baseline.id, figure.verdict) == ("B2", "missed")


def test_a_part_is_compared_with_the_same_part(world: World) -> None:
    freeze(world, MISUNDERSTOOD, 10, 30, dimensions={"channel": "email"})
    misunderstood(world, 1, 30)
    assert ask(world, MISUNDERSTOOD).verdict == "no baseline yet"
    assert ask(world, MISUNDERSTOOD, by=["channel"]).verdict == "met"
    # one value filtered for is that part; two of them are another
    assert ask(world, MISUNDERSTOOD, filters={"channel": ["email"]}).verdict == "met"
    assert ask(world, MISUNDERSTOOD, filters={"channel": ["email", "form"]}).verdict == "no baseline yet"


def test_a_median_is_compared_with_a_median(world: World) -> None:
    minute = 60_000_000
    told: list[tuple[str, str, str, dict[str, Any]]] = []
    for nth in range(30):
        told.append(("contact.received", f"C{nth}", "2026-03-06 09:00", {}))
        told.append(("contact.answered", f"C{nth}", "2026-03-06 09:07", {}))
    world.tell_all(told)
    march = {"asked": us("2026-04-01"), "first": date(2026, 3, 1), "last": date(2026, 3, 31)}
    freeze(world, "first_response_median", 1, 30, value=10 * minute, unit="us")
    assert ask(world, "first_response_median", **march).verdict == "no baseline yet"
    median = {"statistic": "median", "value": 10 * minute, "unit": "us"}
    freeze(world, "first_response_median", 1, 30, name="B2", **median)
    figure = ask(world, "first_response_median", **march)
    assert (figure.verdict, figure.change) == ("met", Decimal("-0.3"))


def test_money_is_compared_in_its_own_currency(world: World) -> None:
    told: list[tuple[str, str, str, dict[str, Any]]] = []
    for nth in range(30):
        told.append(("customer.registered", f"K{nth}", "2026-06-01 09:00", {}))
        order = {"order_id": f"O{nth}", "amount": 140, "currency": "CNY"}
        told.append(("customer.purchased", f"K{nth}", "2026-06-02 09:00", order))
    world.tell_all(told)
    freeze(world, "lifetime_value", 3_000, 30, unit="CNY", value=100, dimensions={"currency": "CNY"})
    freeze(world, "lifetime_value", 3_000, 30, name="B2", unit="EUR", value=100, dimensions={"currency": "EUR"})
    figure = ask(world, "lifetime_value", asked=us("2026-07-01"), first=date(2026, 6, 1), last=date(2026, 6, 30))
    assert figure.baseline is not None
    assert (figure.baseline.id, figure.verdict, figure.change) == ("B1", "met", Decimal("0.4"))
