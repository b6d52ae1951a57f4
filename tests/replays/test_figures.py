"""Figures of a replay are those of the live tables, for every metric, breakdown and period."""

from collections.abc import Iterator
from datetime import UTC

import pytest

from ledger.log.application import Ledger
from ledger.rulebook.loading import default_text
from ledger.rulebook.model import Metric, instant_us
from projections.compiled import parsed
from projections.kpis import Answer, answer, figures
from projections.periods import Grain
from projections.recipes import recipe
from replays.engine import Replay
from replays.figures import Replayed

METRICS = parsed(default_text()).latest.metrics


@pytest.fixture(scope="module")
def replayed(company: Ledger) -> Iterator[Replayed]:
    head = company.head().position
    with Replay(recipe(default_text())) as replay:
        replay.load(company, head)
        replay.build(counters=False)
        yield Replayed(company, replay.tables, head)


def both(company: Ledger, replayed: Replayed, metric: Metric, back: int, grain: Grain, by: tuple[str, ...]) -> Answer:
    """What both sources answer, which is the same; `back` is how long ago it is asked, in microseconds."""
    asked = instant_us(company.now().astimezone(UTC)) - back
    with company.pool.connection() as connection:
        live = figures(connection, [metric.name], asked=asked, grain=grain, by=by)
    assert answer(replayed, [metric.name], asked=asked, grain=grain, by=by) == live
    return live


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_by_every_dimension(company: Ledger, replayed: Replayed, metric: Metric) -> None:
    found = [both(company, replayed, metric, 0, "all", (dimension,)) for dimension in metric.by]
    assert all(each.recipe == recipe(default_text()).digest for each in found)


@pytest.mark.parametrize("grain", ["week", "month", "quarter"])
def test_by_period(company: Ledger, replayed: Replayed, grain: Grain) -> None:
    told = [figure for metric in METRICS for figure in both(company, replayed, metric, 0, grain, ()).figures]
    assert len({figure.metric.name for figure in told if figure.value is not None}) > 40
