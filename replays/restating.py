"""As reported and restated: a figure as it was issued beside the same figure today, and what made the difference.

The difference is split by cause, one after the other: what had occurred by then and was told late; what a source that
had told nothing until then brought along (imported history); what was voided since; what has happened since (a clock
that was still running has ended); other rules. Each step is a replay of its own, so that the steps add up exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Literal

import pyarrow

from ledger.log.application import Ledger
from ledger.rulebook.model import instant_us
from projections.generations import live
from projections.keeping import recall, recall_recipe
from projections.kpis import Figure, UnknownDimension, UnknownMetric
from projections.recipes import Recipe, recipe
from projections.stamps import Stamp
from replays.engine import Progress, Replay, Tables
from replays.figures import Replayed
from replays.recomputing import NotReproducible, reachable, stamped

Cause = Literal["reported", "told late", "imported", "voided", "happened since", "rules changed"]
NEWCOMERS = "SELECT source FROM log.entries GROUP BY source HAVING min(position) > %s"
THEIRS = "SELECT position FROM log.entries WHERE position > %s AND source = ANY(%s)"
VOIDED_LATER = (
    "position IN (SELECT voided_position FROM main.raw_events WHERE type = 'record.voided' AND position > {at})"
)
KNOWN = "position <= {at}"
LATE = "(position > {at} AND type <> 'record.voided' AND occurred_at <= {asked} AND NOT " + VOIDED_LATER + ")"
IMPORTED = "position IN (SELECT position FROM main.history)"
VOIDS = "type = 'record.voided'"


@dataclass(frozen=True)
class Step:
    """A figure after one more cause has been taken in; None where there is none (any more)."""

    cause: Cause
    figure: Figure | None


@dataclass(frozen=True)
class Restated:
    """A stamp's figure step by step: the first as reported, the last as it is today under today's rules."""

    stamp: Stamp
    steps: list[Step]


def restate(
    ledger: Ledger,
    stamps: Sequence[Stamp],
    *,
    history_is_late: bool = False,
    progress: Progress = lambda *_: None,
) -> list[Restated]:
    """Restate figures, in order. With `history_is_late`, imported history counts as told late.

    Raises NotReproducible, NoDocument, DocumentAltered, as `recompute` does.
    """
    found: dict[int, Restated] = {}
    together: dict[tuple[str, int, int], list[int]] = {}
    for nth, stamp in enumerate(stamps):
        together.setdefault((stamp.recipe, stamp.position, stamp.asked), []).append(nth)
    for (digest, position, asked), places in together.items():
        reachable(ledger, position)
        with ledger.pool.connection() as connection:
            then = recall_recipe(connection, digest)
            rules_text = live(connection).book_text
            recall(connection, rules_text)
        stages = _Stages(ledger, then, recipe(rules_text), position, asked, history_is_late)
        with Replay(then, ledger.settings.replay_memory_mb) as replay:
            sources = stages.build(replay, progress)
            for place in places:
                steps = [Step(cause, _figure(source, stamps[place], at)) for cause, source, at in sources]
                found[place] = Restated(stamps[place], steps)
    return [found[nth] for nth in range(len(stamps))]


def _figure(source: Replayed, stamp: Stamp, asked: int) -> Figure | None:
    try:
        return stamped(source, stamp, asked)
    except (NotReproducible, UnknownMetric, UnknownDimension):
        return None


@dataclass(frozen=True)
class _Stages:
    ledger: Ledger
    then: Recipe
    now: Recipe
    position: int
    asked: int
    history_is_late: bool

    def build(self, replay: Replay, progress: Progress) -> list[tuple[Cause, Replayed, int]]:
        """Each cause with the tables that it and those before it give, and the moment of asking."""
        head = self.ledger.head().position
        today = max(instant_us(self.ledger.now().astimezone(UTC)), self.asked)
        replay.load(self.ledger, head, progress=progress)
        replay.build(counters=False, progress=progress)
        known = KNOWN.format(at=self.position)
        late = LATE.format(at=self.position, asked=self.asked)
        imported = f"{late} AND {IMPORTED}"
        self._note_history(replay)
        told = late if self.history_is_late else f"{late} AND NOT {IMPORTED}"
        conditions: list[tuple[Cause, str, str]] = [
            ("reported", "reported", known),
            ("told late", "told_late", f"{known} OR ({told})"),
            ("voided", "voided", f"{known} OR ({late}) OR {VOIDS}"),
        ]
        if not self.history_is_late:
            conditions.insert(2, ("imported", "imported", f"{known} OR ({told}) OR ({imported})"))
        found: list[tuple[Cause, Replayed, int]] = []
        last: tuple[int, Tables] | None = None
        for cause, schema, condition in conditions:
            count = self._count(replay, condition)
            if last is None or count != last[0]:
                # each stage takes more events in than the one before: as many are the same
                tables = replay.beside(schema, self.then, condition)
                tables.build(progress=progress)
                last = (count, tables)
            found.append((cause, Replayed(self.ledger, last[1], self.position), self.asked))
        found.append(("happened since", Replayed(self.ledger, replay.tables, head), today))
        ruled = replay.beside("ruled", self.now)
        ruled.build_what_differs(self.then, progress)
        found.append(("rules changed", Replayed(self.ledger, ruled, head), today))
        return found

    def _note_history(self, replay: Replay) -> None:
        """Make `history`: the positions told by sources that had told nothing up to the stamp's position."""
        with self.ledger.pool.connection() as connection:
            sources = [row[0] for row in connection.execute(NEWCOMERS, [self.position])]
            rows = connection.execute(THEIRS, [self.position, sources]).fetchall() if sources else []
        positions = pyarrow.array([row[0] for row in rows], pyarrow.int64())
        replay.connection.register("told", pyarrow.table({"position": positions}))
        replay.connection.execute("CREATE TABLE main.history AS SELECT * FROM told")
        replay.connection.unregister("told")

    def _count(self, replay: Replay, condition: str) -> int:
        ((count,),) = replay.tables.query(f"SELECT count(*) FROM raw_events WHERE {condition}")
        return int(count)
