"""What is worked out when it is read: states over time, cadences, and figures of people rather than of events."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from ledger.log.application import Ledger
from projections.kpis import Figure, figures
from projections.reading import Filter, read_table
from tests.projections.worlds import World, new_ledger, us

JANUARY, FEBRUARY = (date(2025, 1, 1), date(2025, 1, 31)), (date(2025, 2, 1), date(2025, 2, 28))


@pytest.fixture(scope="module")
def firm(postgres: str, template: str) -> Iterator[Ledger]:
    """Two months of four customers, one of them known twice, and of two members of staff."""
    told: list[tuple[str, str, str, dict[str, Any]]] = [
        ("customer.registered", "core", "2024-12-01", {}),
        ("customer.tiered", "core", "2024-12-01", {"tier": "high"}),
        ("customer.registered", "mid", "2024-12-01", {}),
        ("customer.tiered", "mid", "2024-12-01", {"tier": "mid"}),
        ("customer.registered", "lost", "2024-12-01", {}),
        ("customer.tiered", "lost", "2024-12-01", {"tier": "high"}),
        ("customer.registered", "new", "2025-01-15", {"stage": "prospect"}),
        ("customer.stage_changed", "new", "2025-02-01 00:00", {"stage": "customer"}),
        ("customer.registered", "core-again", "2025-01-10", {}),
        ("customer.merged", "core-again", "2025-01-20", {"into_id": "core"}),
        # the core customer is heard of in January under its second number only, twice in February
        ("contact.received", "C1", "2025-01-31 23:59", {"customer_id": "core-again"}),
        ("contact.received", "C2", "2025-02-03", {"customer_id": "core"}),
        ("contact.received", "C3", "2025-02-04", {"customer_id": "core"}),
        ("contact.received", "C4", "2025-02-05", {"customer_id": "core"}),
        ("contact.merged", "C4", "2025-02-05 12:00", {"into_id": "C3"}),
        ("contact.received", "C5", "2024-12-15", {"customer_id": "mid"}),
        ("customer.churned", "lost", "2025-02-10", {"cause": "communication", "by_communication": True}),
        ("customer.purchased", "core", "2025-01-05", {"order_id": "O1", "amount": 10_000, "currency": "CNY"}),
        ("customer.purchased", "core-again", "2025-01-25", {"order_id": "O2", "amount": 5_000, "currency": "CNY"}),
        ("customer.purchased", "mid", "2025-01-06", {"order_id": "O3", "amount": 2_000, "currency": "CNY"}),
        ("customer.purchased", "mid", "2025-02-06", {"order_id": "O4", "amount": 700, "currency": "EUR"}),
        ("staff.assessed", "anna", "2025-01-10", {"passed": False}),
        ("staff.assessed", "anna", "2025-02-10", {"passed": True}),
        ("staff.trained", "bo", "2025-01-05", {"course": "standards"}),
        ("staff.assessed", "bo", "2025-01-12", {"passed": True}),
    ]
    with new_ledger(postgres, template) as ledger:
        world = World(ledger)
        world.tell_all(
            [(kind, subject, when, {**data, "recorded": "2025-02-28 12:00"}) for kind, subject, when, data in told]
        )
        world.catch_up()
        yield ledger


def ask(ledger: Ledger, metric: str, month: tuple[date, date], asked: str = "2025-04-01", **more: Any) -> list[Figure]:
    with ledger.pool.connection() as connection:
        return figures(connection, [metric], asked=us(asked), first=month[0], last=month[1], **more).figures


def parts(ledger: Ledger, metric: str, month: tuple[date, date], **more: Any) -> tuple[int | None, int]:
    (figure,) = ask(ledger, metric, month, **more)
    return figure.numerator, figure.denominator


def test_a_churn_counts_among_those_who_were_there_at_the_start(firm: Ledger) -> None:
    # the merged one is no customer of its own; the prospect becomes one with the first moment of February
    assert parts(firm, "communication_churn", JANUARY) == (0, 3)
    assert parts(firm, "communication_churn", FEBRUARY) == (1, 3)


def test_core_customers_are_kept_or_not(firm: Ledger) -> None:
    assert parts(firm, "core_kept", JANUARY) == (2, 2)
    assert parts(firm, "core_kept", FEBRUARY) == (1, 2)


def test_contacts_under_a_merged_number_count_and_merged_contacts_do_not(firm: Ledger) -> None:
    assert parts(firm, "core_frequency", JANUARY) == (1, 2)
    (figure,) = ask(firm, "core_frequency", FEBRUARY)
    assert (figure.numerator, figure.denominator, figure.value) == (2, 1, Decimal(2))


def test_buyers_who_buy_again(firm: Ledger) -> None:
    assert parts(firm, "repurchase", JANUARY) == (1, 2)
    assert parts(firm, "repurchase", FEBRUARY) == (0, 1)


def test_currencies_are_never_added_up(firm: Ledger) -> None:
    found = ask(firm, "lifetime_value", (JANUARY[0], FEBRUARY[1]))
    assert {tuple(one.dimensions.values()): (one.numerator, one.denominator) for one in found} == {
        ("CNY",): (17_000, 2),
        ("EUR",): (700, 1),
    }
    (nothing,) = ask(firm, "lifetime_value", (date(2024, 6, 1), date(2024, 6, 30)))
    assert (nothing.verdict, dict(nothing.dimensions)) == ("no data", {})


def test_the_latest_assessment_by_the_periods_end_counts(firm: Ledger) -> None:
    assert parts(firm, "standards_known", JANUARY) == (1, 2)
    assert parts(firm, "standards_known", FEBRUARY) == (2, 2)


def test_a_cadence_is_kept_by_a_contact_in_the_window(firm: Ledger) -> None:
    # high, monthly: core in January (by its second number) and February; lost not in January, and gone in February
    # mid, quarterly: the first quarter ends on 31 March, without a contact
    assert parts(firm, "cadence_executed", (JANUARY[0], date(2025, 3, 31))) == (2, 5)
    by_tier = ask(firm, "cadence_executed", (JANUARY[0], date(2025, 3, 31)), by=["tier"])
    assert {one.dimensions["tier"]: (one.numerator, one.denominator) for one in by_tier} == {
        "high": (2, 4),
        "mid": (0, 1),
    }


def test_a_window_counts_once_it_has_ended(firm: Ledger) -> None:
    assert parts(firm, "cadence_executed", FEBRUARY, asked="2025-02-28 23:59:59.999999") == (0, 0)
    assert parts(firm, "cadence_executed", FEBRUARY, asked="2025-03-01 00:00") == (1, 1)


def test_a_customer_is_covered_by_the_last_window_or_the_one_that_runs(firm: Ledger) -> None:
    # January: core in the month that ends with it; mid in the last quarter of 2024; lost never
    assert parts(firm, "tier_coverage", JANUARY) == (2, 3)
    # February: core; mid still by the last quarter that has ended; the new customer has no tier
    assert parts(firm, "tier_coverage", FEBRUARY) == (2, 3)


def test_the_cadence_can_be_read_as_a_table(firm: Ledger) -> None:
    with firm.pool.connection() as connection:
        page = read_table(connection, "cadence", asked=us("2025-02-15"), sort=["customer_id", "-window_start"], limit=3)
        told = [(row["customer_id"], row["window_start"], row["contacts"], row["ended"]) for row in page.rows]
        assert told == [
            ("core", "2025-02-01", 2, False),
            ("core", "2025-01-01", 1, True),
            ("lost", "2025-02-01", 0, False),
        ]
        assert page.next_cursor is not None
        rest = read_table(
            connection,
            "cadence",
            asked=us("2025-02-15"),
            sort=["customer_id", "-window_start"],
            cursor=page.next_cursor,
        )
    assert [(row["customer_id"], row["window_start"]) for row in rest.rows] == [
        ("lost", "2025-01-01"),
        ("mid", "2025-01-01"),
    ]


def test_the_cadence_is_filtered_like_any_table(firm: Ledger) -> None:
    with firm.pool.connection() as connection:
        due = read_table(
            connection, "cadence", asked=us("2025-02-15"),
            filters=[Filter("done", "eq", ("false",)), Filter("ended", "eq", ("false",))],
        )  # fmt: skip
    assert sorted(row["customer_id"] for row in due.rows) == ["lost", "mid"]
