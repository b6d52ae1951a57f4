"""As reported and restated: what made a figure move, cause by cause."""

from datetime import UTC, date

import pytest

from ledger.log.application import Ledger
from ledger.rulebook.model import instant_us
from projections.kpis import figures
from projections.stamps import Stamp, stamp
from replays.publishing import apply, plan
from replays.restating import Restated, restate
from tests.projections.worlds import World
from tests.replays.test_publishing import draft

METRIC = "first_response_in_time"


def chat(world: World, name: str, day: str, minutes: int | None, recorded: str | None = None, **more: object) -> None:
    told = {"recorded": recorded} if recorded else {}
    world.tell("contact.received", name, f"{day} 09:00", **told, **more)
    if minutes is not None:
        world.tell("contact.answered", name, f"{day} 09:{minutes:02}", **told)


def reported(ledger: Ledger, metric: str = METRIC) -> Stamp:
    """The stamp of March's figure, asked for now."""
    asked = instant_us(ledger.now().astimezone(UTC))
    with ledger.pool.connection() as connection:
        answer = figures(connection, [metric], asked=asked, first=date(2025, 3, 1), last=date(2025, 3, 31))
    return stamp(answer.figures[0], answer)


def steps(restated: Restated) -> dict[str, tuple[int | None, int, int] | None]:
    return {
        step.cause: None if step.figure is None else (step.figure.numerator, step.figure.denominator, step.figure.open)
        for step in restated.steps
    }


@pytest.fixture
def told(world: World) -> World:
    """Three chats in March, answered after two, two and five minutes."""
    for nth, minutes in enumerate((2, 2, 5)):
        chat(world, f"C-{nth}", f"2025-03-0{nth + 3}", minutes)
    world.catch_up()
    return world


def test_the_difference_is_split_by_cause(told: World) -> None:
    as_reported = reported(told.ledger)
    chat(told, "late", "2025-03-04", 2, recorded="2025-03-20 09:00")
    (answered,) = (each for each in told.ledger.stream("contact", "C-1") if each.type == "contact.answered")
    told.tell("record.voided", "C-1", "2025-03-21 09:00", voided_position=answered.position)
    chat(told, "since", "2025-03-22", 1)
    chat(told, "april", "2025-04-02", 1)
    told.catch_up()
    stricter = plan(told.ledger, draft("2", "2025-03-01", ("within: 3 min", "within: 1 min")), retroactive=True)
    apply(told.ledger, stricter, key_id="key-1")

    (found,) = restate(told.ledger, [as_reported])
    assert steps(found) == {
        "reported": (2, 3, 0),
        "told late": (3, 4, 0),
        "imported": (3, 4, 0),
        "voided": (2, 4, 0),
        "happened since": (3, 5, 0),
        "rules changed": (1, 5, 0),
    }


def test_a_clock_that_ran_has_ended_since(told: World) -> None:
    chat(told, "open", "2025-03-10", None)
    told.catch_up()
    as_reported = reported(told.ledger)
    told.tell("contact.answered", "open", "2025-03-10 09:02")
    told.catch_up()
    (found,) = restate(told.ledger, [as_reported])
    assert steps(found)["reported"] == steps(found)["voided"] == (2, 3, 1)
    assert steps(found)["happened since"] == steps(found)["rules changed"] == (3, 4, 0)


@pytest.mark.parametrize(("history_is_late", "late"), [(False, (2, 3, 0)), (True, (3, 4, 0))])
def test_imported_history_counts_as_late_only_where_asked(
    told: World, history_is_late: bool, late: tuple[int, int, int]
) -> None:
    as_reported = reported(told.ledger)
    chat(told, "old", "2025-03-04", 2, recorded="2025-04-01 09:00", source="old-system")
    told.tell("contact.answered", "old", "2025-03-04 09:02", recorded="2025-04-01 09:00", source="old-system")
    told.catch_up()
    (found,) = restate(told.ledger, [as_reported], history_is_late=history_is_late)
    assert steps(found)["told late"] == late
    assert steps(found)["voided"] == (3, 4, 0)


def test_what_was_told_late_and_voided_again_is_neither(told: World) -> None:
    as_reported = reported(told.ledger)
    position = told.tell("contact.received", "wrong", "2025-03-04 09:00", recorded="2025-03-20 09:00")
    told.tell("record.voided", "wrong", "2025-03-21 09:00", voided_position=position)
    told.catch_up()
    (found,) = restate(told.ledger, [as_reported])
    assert set(steps(found).values()) == {(2, 3, 0)}
