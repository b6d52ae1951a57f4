"""What happens exactly where a period, a window or a notice begins and ends."""

from datetime import date
from typing import Any

from projections.kpis import figures
from tests.projections.worlds import World, us


def parts(world: World, metric: str, first: date, last: date, asked: str = "2025-06-01") -> tuple[int | None, int]:
    world.catch_up()
    with world.ledger.pool.connection() as connection:
        (figure,) = figures(connection, [metric], asked=us(asked), first=first, last=last).figures
    return figure.numerator, figure.denominator


def customer(world: World, name: str, when: str, tier: str, **more: Any) -> None:
    world.tell("customer.registered", name, when, **more)
    world.tell("customer.tiered", name, when, tier=tier)


def test_the_first_customers_are_covered_while_their_first_window_runs(world: World) -> None:
    customer(world, "K1", "2025-01-10", "mid")
    customer(world, "K2", "2025-01-10", "mid")
    world.tell("contact.received", "C1", "2025-01-20", customer_id="K1")
    assert parts(world, "tier_coverage", date(2025, 1, 1), date(2025, 1, 31)) == (1, 2)


def test_a_period_that_has_not_begun_has_no_data(world: World) -> None:
    customer(world, "K1", "2025-01-10", "high")
    july = date(2025, 7, 1), date(2025, 7, 31)
    assert parts(world, "core_kept", *july) == (0, 0)
    assert parts(world, "core_kept", *july, asked="2025-07-01 00:00") == (1, 1)


def test_nobody_is_a_customer_before_the_registration(world: World) -> None:
    world.tell("customer.registered", "K1", "2025-03-10", stage="prospect")
    world.tell("customer.stage_changed", "K1", "2025-01-10", stage="customer", recorded="2025-03-11")
    world.tell("customer.tiered", "K1", "2025-01-10", tier="high", recorded="2025-03-11")
    assert parts(world, "core_kept", date(2025, 2, 1), date(2025, 2, 28)) == (0, 0)
    assert parts(world, "core_kept", date(2025, 4, 1), date(2025, 4, 30)) == (1, 1)
    assert world.row("active_spells")["from_at"] == world.row("customers")["registered_at"]


def test_one_who_leaves_in_the_first_moment_of_a_month_was_there_at_its_start(world: World) -> None:
    customer(world, "K1", "2025-01-10", "high")
    world.tell("customer.churned", "K1", "2025-03-01 00:00", by_communication=True)
    february, march = (date(2025, 2, 1), date(2025, 2, 28)), (date(2025, 3, 1), date(2025, 3, 31))
    assert parts(world, "core_kept", *february) == (1, 1)
    assert parts(world, "communication_churn", *february) == (0, 1)
    assert parts(world, "core_kept", *march) == (0, 1)
    assert parts(world, "communication_churn", *march) == (1, 1)


def test_a_notice_withdrawn_before_it_takes_effect_is_not_counted(world: World) -> None:
    for notice, withdrawn in (("N1", "2025-02-28 23:59"), ("N2", "2025-03-01 00:00"), ("N3", None)):
        issued = {"topic": "terms", "important": True, "effective_at": "2025-02-28T16:00:00Z"}
        world.tell("notice.issued", notice, "2025-02-01", **issued)
        world.tell(
            "notice_delivery.sent", f"D-{notice}", "2025-02-02", notice_id=notice, customer_id="K", channel="sms"
        )
        if withdrawn:
            world.tell("notice.withdrawn", notice, withdrawn)
    world.catch_up()
    counts = {row["notice_id"]: row["counts"] for row in world.rows("notice_customers")}
    assert counts == {"N1": False, "N2": True, "N3": True}
    assert parts(world, "dual_confirmation", date(2025, 3, 1), date(2025, 3, 1)) == (0, 2)


def test_what_a_sender_tells_of_a_baseline_ahead_of_the_clock_is_listed(world: World) -> None:
    world.tell(
        "baseline.frozen",
        "B1",
        "2025-03-01 09:01",
        recorded="2025-03-01 09:00",
        kpi="complaint_rate",
        period_start="2025-01-01",
        period_end="2025-02-28",
        statistic="ratio",
        value=1_000,
        unit="bp",
        sample=40,
    )
    world.catch_up()
    assert world.row("anomalies", aggregate="baseline")["kind"] == "ahead_of_clock"
