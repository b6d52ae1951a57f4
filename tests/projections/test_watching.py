"""The churn watch: raised by the figures, once for each spell, whoever looks and however often."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from projections.settled import NotNow
from projections.watching import watch
from tests.projections.worlds import World, at


def look(world: World, when: str, **more: Any) -> list[tuple[str, str, str]]:
    """What the watch raises at a moment: the ledger's clock is moved there by an event of somebody else."""
    world.tell("staff.trained", "clock", when, course="watching")
    world.catch_up()
    found = watch(world.ledger, key_id="key-1", **more)
    world.catch_up()
    return [(sign.customer_id, sign.indicator, sign.spell) for sign in found]


def contact(world: World, name: str, when: str, customer: str = "anna", **more: Any) -> None:
    world.tell("contact.received", name, when, customer_id=customer, **more)


def test_two_months_of_silence_raise_one_alert(world: World) -> None:
    world.tell("customer.registered", "anna", "2025-01-01")
    contact(world, "C1", "2025-01-10 09:00")
    assert look(world, "2025-03-10 08:59:59") == []
    assert look(world, "2025-03-10 09:00") == [("anna", "silence", "2025-01-10T01:00:00.000000Z")]
    assert look(world, "2025-03-11") == []
    alert = world.row("alerts", customer_id="anna")
    assert alert["evidence"] == "last contact 2025-01-10T01:00:00.000000Z; 2 months passed"
    # heard of again, and silent once more: another spell
    contact(world, "C2", "2025-03-12 09:00")
    assert look(world, "2025-05-12 08:59") == []
    assert look(world, "2025-05-12 09:00") == [("anna", "silence", "2025-03-12T01:00:00.000000Z")]


def test_who_never_said_anything_is_silent_since_becoming_a_customer(world: World) -> None:
    world.tell("customer.registered", "anna", "2025-01-01", stage="prospect")
    world.tell("customer.stage_changed", "anna", "2025-02-28", stage="customer")
    assert look(world, "2025-04-27 23:59") == []
    assert [sign[:2] for sign in look(world, "2025-04-28")] == [("anna", "silence")]


def test_prospects_churned_and_merged_customers_are_not_watched(world: World) -> None:
    world.tell("customer.registered", "prospect", "2025-01-01", stage="prospect")
    world.tell("customer.registered", "gone", "2025-01-01")
    world.tell("customer.churned", "gone", "2025-02-01")
    world.tell("customer.registered", "again", "2025-01-01")
    world.tell("customer.registered", "anna", "2025-01-01")
    world.tell("customer.merged", "again", "2025-01-02", into_id="anna")
    contact(world, "C1", "2025-03-01", customer="again")
    assert look(world, "2025-04-01") == []


def test_an_alert_that_somebody_raised_stands_for_the_spell(world: World) -> None:
    world.tell("customer.registered", "anna", "2025-01-01")
    world.tell("customer.alert_raised", "anna", "2025-02-20", alert_id="A1", indicator="silence")
    assert look(world, "2025-04-01") == []


def test_an_alert_that_was_voided_is_not_raised_again(world: World) -> None:
    world.tell("customer.registered", "anna", "2025-01-01")
    assert len(look(world, "2025-04-01")) == 1
    raised = world.ledger.head().position
    world.tell("record.voided", "anna", "2025-04-02", voided_position=raised)
    assert look(world, "2025-04-03") == []


def test_fewer_contacts_are_seen_when_the_months_are_over(world: World) -> None:
    world.tell("customer.registered", "anna", "2025-01-01")
    for nth in range(4):
        contact(world, f"C{nth}", f"2025-0{1 + nth % 3}-15 0{nth}:00")
    contact(world, "C8", "2025-05-15")
    contact(world, "C9", "2025-06-15")
    assert look(world, "2025-06-30 23:59") == []
    assert look(world, "2025-07-01 00:00") == [("anna", "contact_drop", "2025-06")]
    assert look(world, "2025-07-20") == []
    (alert,) = world.rows("alerts")
    assert alert["evidence"] == "2 in 2025-04 to 2025-06, 4 in as many months before"


def test_a_fall_that_goes_on_is_one_spell_and_one_that_comes_again_another(world: World) -> None:
    world.tell("customer.registered", "anna", "2024-01-01")

    def buy(month: str, amount: int, currency: str = "CNY") -> None:
        world.tell(
            "customer.purchased", "anna", f"{month}-10", order_id=month + currency, amount=amount, currency=currency
        )
        contact(world, f"{month}{currency}", f"{month}-11")

    for month in ("2024-01", "2024-02", "2024-03"):
        buy(month, 10_000)
    buy("2024-04", 3_000)
    buy("2024-05", 3_000)
    # money of another currency makes up for nothing
    buy("2024-06", 90_000, "EUR")
    spending = [sign for sign in look(world, "2024-07-02") if sign[1] == "spend_drop"]
    assert spending == [("anna", "spend_drop", "2024-06")]
    assert [sign for sign in look(world, "2024-08-02") if sign[1] == "spend_drop"] == []
    for month in ("2024-07", "2024-08", "2024-09"):
        buy(month, 10_000)
    buy("2024-09", 90_000, "EUR")
    assert [sign for sign in look(world, "2024-10-02") if sign[1] == "spend_drop"] == []
    buy("2024-12", 1_000)
    assert [sign for sign in look(world, "2025-01-02") if sign[1] == "spend_drop"] == [
        ("anna", "spend_drop", "2024-12")
    ]


def test_more_complaints_and_low_ratings_than_the_month_before(world: World) -> None:
    world.tell("customer.registered", "anna", "2025-01-01")
    contact(world, "C1", "2025-02-03", kind="complaint")
    assert look(world, "2025-02-04") == []
    world.tell("survey.sent", "S1", "2025-02-05", customer_id="anna", survey_kind="satisfaction")
    world.tell("survey.answered", "S1", "2025-02-06", aspect="overall", score=2, scale=5)
    assert look(world, "2025-02-07") == [("anna", "negative_feedback", "2025-02")]
    contact(world, "C2", "2025-02-08", kind="complaint")
    assert look(world, "2025-02-09") == []


def test_looking_on_raises_nothing(world: World) -> None:
    world.tell("customer.registered", "anna", "2025-01-01")
    assert len(look(world, "2025-04-01", dry_run=True)) == 1
    assert world.rows("alerts") == []
    assert len(look(world, "2025-04-02")) == 1


def test_many_watch_and_one_raises(world: World) -> None:
    for nth in range(30):
        world.tell("customer.registered", f"customer-{nth}", "2025-01-01")
    world.tell("staff.trained", "clock", "2025-04-01", course="watching")
    world.catch_up()

    def one() -> int:
        try:
            return len(watch(world.ledger, key_id="key-1"))
        except NotNow:
            return 0

    with ThreadPoolExecutor(4) as pool:
        raised = list(pool.map(lambda _: one(), range(4)))
    world.catch_up()
    assert max(raised) == 30
    assert len(world.rows("alerts")) == 30


def test_an_alert_goes_all_the_way(world: World) -> None:
    world.tell("customer.registered", "anna", "2025-01-01")
    ((_, _, spell),) = look(world, "2025-03-01")
    alert = f"silence-{spell}"
    steps: list[tuple[str, dict[str, Any]]] = [
        ("customer.alert_answered", {"owner_id": "bo"}),
        ("customer.cause_diagnosed", {"cause": "service"}),
        ("customer.cause_verified", {"correct": True}),
        ("customer.win_back_planned", {}),
        ("customer.won_back", {}),
    ]
    for day, (kind, data) in enumerate(steps):
        world.tell(
            kind, "anna", f"{at('2025-03-01') + timedelta(hours=day + 1):%Y-%m-%d %H:%M}", alert_id=alert, **data
        )
    world.catch_up()
    row = world.row("alerts", customer_id="anna")
    assert (row["alert_answer_outcome"], row["cause"], row["correct"], row["won_back_at"] is not None) == (
        "met", "service", True, True,
    )  # fmt: skip


def test_tables_that_lag_are_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.catch_up()
    world.tell("customer.registered", "anna", "2025-01-01")
    monkeypatch.setattr("projections.settled.PATIENCE_SECONDS", 0.2)
    with pytest.raises(NotNow, match="have reached position 1 of 2"):
        watch(world.ledger, key_id="key-1")


def test_an_order_told_under_two_merged_numbers_is_spent_once(world: World) -> None:
    for name in ("anna", "twin"):
        world.tell("customer.registered", name, "2024-01-01")
    world.tell("customer.merged", "twin", "2024-01-02", into_id="anna")
    for month in ("2024-01", "2024-02", "2024-03", "2024-04", "2024-05", "2024-06"):
        for name in ("anna", "twin") if month > "2024-03" else ("anna",):
            amount = 10_000 if month <= "2024-03" else 5_000
            world.tell("customer.purchased", name, f"{month}-10", order_id=month, amount=amount, currency="CNY")
    assert ("anna", "spend_drop", "2024-06") in look(world, "2024-07-02")
