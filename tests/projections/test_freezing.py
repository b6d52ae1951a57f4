"""Baselines: frozen once, compared with ever after."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest

from ledger.errors import Refused
from ledger.log.application import Ledger
from ledger.rulebook.loading import default_text
from projections.freezing import NothingToFreeze, freeze
from projections.kpis import Figure, UnknownMetric, figures
from tests.projections.worlds import World, new_ledger, us

JANUARY, FEBRUARY = (date(2025, 1, 1), date(2025, 1, 31)), (date(2025, 2, 1), date(2025, 2, 28))


def complaints(world: World, month: int, of: int, complaining: int, channel: str = "email") -> None:
    world.tell_all(
        [
            (
                "contact.received",
                f"{channel}-{month}-{nth}",
                f"2025-{month:02}-03 09:{nth:02}",
                {"channel": channel, "kind": "complaint" if nth < complaining else "inquiry"},
            )
            for nth in range(of)
        ]
    )
    world.catch_up()


def frozen(ledger: Ledger, by: tuple[str, ...] = ()) -> list[str]:
    return freeze(ledger, "complaint_rate", *JANUARY, by=by, key_id="key-1", actor="ann")


def february(ledger: Ledger, by: tuple[str, ...] = ()) -> list[Figure]:
    with ledger.pool.connection() as connection:
        found = figures(
            connection, ["complaint_rate"], asked=us("2025-03-01"), first=FEBRUARY[0], last=FEBRUARY[1], by=by
        )
    return found.figures


@pytest.fixture
def world(postgres: str, template: str) -> Iterator[World]:
    """A ledger whose programme is in its seventh month in February 2025."""
    book = default_text().replace("programme_start: 2026-01-01", "programme_start: 2024-08-01")
    with new_ledger(postgres, template, book=book) as ledger:
        yield World(ledger)


def test_a_frozen_figure_keeps_its_parts_and_its_stamp(world: World) -> None:
    complaints(world, 1, of=40, complaining=10)
    (name,) = frozen(world.ledger)
    assert name == "complaint_rate.2025-01-01.2025-01-31"
    (entry,) = world.ledger.stream("baseline", name)
    told = entry.data
    assert (told.numerator, told.denominator, told.value, told.unit, told.sample) == (10, 40, 2_500, "bp", 40)
    assert '"position":41' in told.stamp
    assert entry.recorded_by == "key-1"
    assert entry.actor == "ann"


def test_what_is_frozen_stays_what_it_was(world: World) -> None:
    complaints(world, 1, of=40, complaining=10)
    frozen(world.ledger)
    complaints(world, 1, of=20, complaining=20, channel="form")
    with pytest.raises(Refused, match="already recorded"):
        frozen(world.ledger)


def test_each_value_of_a_dimension_is_frozen(world: World) -> None:
    complaints(world, 1, of=40, complaining=10)
    complaints(world, 1, of=40, complaining=20, channel="form")
    assert frozen(world.ledger, by=("channel",)) == [
        "complaint_rate.2025-01-01.2025-01-31.channel=email",
        "complaint_rate.2025-01-01.2025-01-31.channel=form",
    ]
    complaints(world, 2, of=40, complaining=5)
    (figure,) = february(world.ledger, by=("channel",))
    assert figure.baseline is not None
    assert (figure.baseline.value, figure.change, figure.verdict) == (Decimal("0.25"), Decimal("-0.5"), "met")
    (whole,) = february(world.ledger)
    assert whole.baseline is None


def test_nothing_is_frozen_where_there_is_nothing(world: World) -> None:
    complaints(world, 2, of=40, complaining=10)
    with pytest.raises(NothingToFreeze, match="no data from 2025-01-01"):
        frozen(world.ledger)
    with pytest.raises(UnknownMetric):
        freeze(world.ledger, "nonsense", *JANUARY, key_id="key-1")


def test_what_adds_up_over_a_period_is_compared_with_one_as_long(world: World) -> None:
    for nth in range(12):
        world.tell("customer.registered", f"CU-{nth}", "2024-12-01")
        world.tell("customer.tiered", f"CU-{nth}", "2024-12-01", tier="high")
        for day in ("2025-01-10", "2025-02-10", "2025-02-11"):
            world.tell("contact.received", f"{day}-{nth}", day, customer_id=f"CU-{nth}")
    world.catch_up()
    freeze(world.ledger, "core_frequency", *JANUARY, key_id="key-1")

    def judged(first: date, last: date) -> tuple[Decimal | None, str]:
        with world.ledger.pool.connection() as connection:
            (figure,) = figures(connection, ["core_frequency"], asked=us("2025-03-01"), first=first, last=last).figures
        return figure.change, figure.verdict

    assert judged(*FEBRUARY) == (Decimal(1), "met")
    assert judged(JANUARY[0], FEBRUARY[1]) == (None, "not comparable")
