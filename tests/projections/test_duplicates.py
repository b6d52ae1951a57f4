"""Requirements that may say the same: found in both languages, whoever said them, and only while they are open."""

import pytest

from projections.duplicates import candidates, plain
from tests.projections.worlds import World, us

SAYING = {
    "R1": "The invoice should show the order number",
    "R2": "the Invoice should show the order number!",
    "R3": "The order number the invoice should show",
    "R4": "希望发票上显示订单编号",
    "R5": "希望发票上能显示订单编号。",
    "R6": "Deliveries on Saturday, please",
    "R7": "",
}


@pytest.fixture
def said(world: World) -> World:
    for nth, (name, statement) in enumerate(SAYING.items()):
        world.tell("requirement.captured", name, f"2025-01-0{nth + 1}", statement=statement, customer_id=f"CU-{nth}")
    world.catch_up()
    return world


def pairs(world: World, threshold: int | None = None) -> list[tuple[str, str, int]]:
    world.catch_up()
    with world.ledger.database.reading() as connection:
        found, _ = candidates(connection, list, asked=us("2026-01-01"), threshold=threshold)
    return [(one.first.requirement_id, one.second.requirement_id, one.likeness) for one in found]


def test_what_is_alike_is_proposed_the_most_alike_first(said: World) -> None:
    found = pairs(said)
    assert [pair[:2] for pair in found] == [("R1", "R2"), ("R1", "R3"), ("R2", "R3"), ("R4", "R5")]
    assert found[0][2] == 100
    assert found[-1][2] < 100


def test_a_higher_threshold_proposes_less(said: World) -> None:
    assert [pair[:2] for pair in pairs(said, 100)] == [("R1", "R2"), ("R1", "R3"), ("R2", "R3")]


def test_what_is_merged_rejected_or_closed_is_not_proposed(said: World) -> None:
    said.tell("requirement.merged", "R2", "2025-02-01", into_id="R1")
    said.tell("requirement.rejected", "R3", "2025-02-01", rejection="invalid")
    said.tell("requirement.closed", "R5", "2025-02-01")
    assert pairs(said) == []
    said.tell("requirement.unmerged", "R2", "2025-02-02")
    assert pairs(said) == [("R1", "R2", 100)]


def test_the_latest_statement_counts_and_a_voided_one_does_not(said: World) -> None:
    clarified = said.tell("requirement.clarified", "R6", "2025-02-01", statement=SAYING["R1"])
    assert ("R1", "R6", 100) in pairs(said)
    said.tell("record.voided", "R6", "2025-02-02", voided_position=clarified)
    assert not [pair for pair in pairs(said) if "R6" in pair]


def test_texts_are_compared_without_signs_and_capitals() -> None:
    assert plain("Hello, WORLD!  你好。") == "hello world 你好"
