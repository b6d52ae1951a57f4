"""Recompute: a figure once more from its stamp, out of the log alone, exactly as it was."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.errors import LedgerError
from ledger.log.application import Ledger
from projections.keeping import recall_recipe
from projections.kpis import Figure, UnknownMetric, answer, metric_of
from projections.periods import Period, Span
from projections.stamps import Stamp
from replays.engine import Progress, Replay
from replays.figures import Replayed, RowsThen


class NotReproducible(LedgerError):
    """The stamp names what this ledger does not have."""


@dataclass(frozen=True)
class Recomputed:
    """A figure computed again, the stamp it has, which is the one it was asked by, and the rows behind it where they
    were asked for."""

    stamp: Stamp
    figure: Figure
    behind: RowsThen | None = None


def recompute(
    ledger: Ledger, stamps: list[Stamp], rows: int = 0, progress: Progress = lambda *_: None
) -> list[Recomputed]:
    """Compute figures again, in order, each with so many of the rows behind it; stamps that share position and recipe
    share a replay.

    Raises NotReproducible where the log does not reach the position, or the metric or a dimension is not in the
    recipe; NoDocument, DocumentAltered.
    """
    found: dict[int, Recomputed] = {}
    together: dict[tuple[str, int], list[int]] = {}
    for nth, stamp in enumerate(stamps):
        together.setdefault((stamp.recipe, stamp.position), []).append(nth)
    for (digest, position), places in together.items():
        reachable(ledger, position)
        with ledger.pool.connection() as connection:
            recipe = recall_recipe(connection, digest)
        with Replay(recipe, ledger.settings.replay_memory_mb) as replay:
            replay.load(ledger, position, progress=progress)
            replay.build(counters=False, progress=progress)
            source = Replayed(ledger, replay.tables, position)
            for place in places:
                stamp = stamps[place]
                figure = stamped(source, stamp, stamp.asked)
                found[place] = Recomputed(stamp, figure, _behind(source, stamp, figure, rows) if rows else None)
    return [found[nth] for nth in range(len(stamps))]


def _behind(source: Replayed, stamp: Stamp, figure: Figure, rows: int) -> RowsThen:
    span = Span(stamp.asked, source.rules.at(stamp.asked).time_zone, (Period(stamp.first, stamp.last),))
    filters = {**stamp.filters, **{name: (value,) for name, value in stamp.dimensions.items()}}
    return source.behind(figure.metric, span, filters, rows)


def reachable(ledger: Ledger, position: int) -> None:
    """Raise NotReproducible where the log does not reach a position."""
    head = ledger.head().position
    if position > head:
        raise NotReproducible(f"the stamp is of position {position}; this ledger ends at {head}")


def stamped(source: Replayed, stamp: Stamp, asked: int) -> Figure:
    """The figure of a stamp's metric, period and dimensions, asked for at a moment.

    Raises NotReproducible where the source has no such figure.
    """
    try:
        metric = metric_of(source.rules, source.rules.at(asked), stamp.metric)
    except UnknownMetric as error:
        raise NotReproducible(str(error)) from None
    strange = {*stamp.dimensions, *stamp.filters} - {*metric.by}
    if strange:
        raise NotReproducible(f"{stamp.metric} has no dimension {', '.join(sorted(strange))}")
    filters = tuple(sorted(stamp.filters.items()))
    question = (stamp.metric, asked, stamp.first, stamp.last, tuple(sorted(stamp.dimensions)), filters)
    if question not in source.answered:
        source.answered[question] = answer(
            source,
            [stamp.metric],
            asked=asked,
            first=stamp.first,
            last=stamp.last,
            by=tuple(stamp.dimensions),
            filters=stamp.filters,
        ).figures
    for figure in source.answered[question]:
        if figure.dimensions == stamp.dimensions:
            return figure
    raise NotReproducible(f"there is no figure of {stamp.metric} for {dict(stamp.dimensions)} at {source.position}")
