"""What if: the figures and rows under two sets of rules, side by side, over the same events.

Nothing is recorded and no live table is touched. The tables of the first rules are built as any replay builds them;
of the second only those that come out otherwise, and only the metrics that read these are computed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from ledger.log.application import Ledger
from ledger.rulebook.changes import Change, changes
from ledger.rulebook.rules import Rules
from projections.contributions import gate
from projections.kpis import Figure, UnknownDimension, answer
from projections.periods import Grain, Period, Span, split
from projections.readings import COUNTED, OPEN
from projections.recipes import Recipe, recipe
from replays.engine import Progress, Replay, Tables
from replays.figures import Replayed

SAMPLES = 20
GENERAL = (".time_zone.", ".effective_from.", ".priority.", ".cadences.")
"""Parts of a rule book that any metric may depend on."""
SIDE = ("state", "day", "numerator", "denominator", "value", "deadline", "outcome", "judged_by")
READ = "CREATE OR REPLACE TEMPORARY TABLE {name} AS SELECT * FROM ({rows})"
DIFFERING = """
SELECT count(*) OVER (), {keys}, {columns}
FROM {one} AS one FULL JOIN {other} AS other ON {same_key}
WHERE ((one.state IN ('counted', 'open') AND one.day BETWEEN $first AND $last)
    OR (other.state IN ('counted', 'open') AND other.day BETWEEN $first AND $last))
  AND ({what_counts_one}) IS DISTINCT FROM ({what_counts_other})
ORDER BY {keys} LIMIT {most}
"""


@dataclass(frozen=True)
class Side:
    """What a row counts for under one set of rules: `state` as projections.readings has it, the day it counts on, what
    it adds; deadline (microseconds), outcome and the limit that judged it, where the metric has a clock."""

    state: str
    day: int | None
    numerator: int | None
    denominator: int | None
    value: int | None
    deadline: int | None
    outcome: str | None
    judged_by: str | None


@dataclass(frozen=True)
class Flip:
    """A row that counts otherwise; a side is None where there is no such row."""

    key: Mapping[str, Any]
    before: Side | None
    after: Side | None


@dataclass(frozen=True)
class Flips:
    """The rows of one metric that count otherwise: how many, the first of them by key, and why: the parts of the rules
    that differ and that the metric depends on."""

    metric: str
    rows: int
    why: tuple[str, ...]
    samples: list[Flip]


@dataclass(frozen=True)
class Moved:
    """A figure that differs; a side is None where there is none for those dimensions."""

    before: Figure | None
    after: Figure | None

    @property
    def figure(self) -> Figure:
        """One of the two, for what they have in common."""
        found = self.after or self.before
        assert found is not None
        return found


@dataclass(frozen=True)
class Comparison:
    """What differs between two sets of rules over one stretch of time.

    asked: the moment of asking (microseconds); tables: those that come out otherwise, with their rows; seconds: what
    working them out took; compared: the metrics that read them, all others being the same by construction.
    """

    position: int
    asked: int
    period: Period
    changes: list[Change]
    tables: Mapping[str, int]
    compared: tuple[str, ...]
    moved: list[Moved]
    flips: list[Flips]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is compared: the days from `first` to `last` by `grain` and dimensions, as of a position of the log and a
    moment of asking (microseconds). samples: rows told of each metric."""

    position: int
    asked: int
    first: date
    last: date
    grain: Grain = "month"
    by: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    samples: int = SAMPLES


def compare(
    ledger: Ledger, base_text: str, other_text: str, question: Question, progress: Progress = lambda *_: None
) -> Comparison:
    """Compare two sets of rules, each as the text of `ledger.rulebook.rules.read_rules`.

    Where both give the same tables and figures, nothing is computed. Raises UnknownMetric, UnknownDimension.
    """
    base, other = recipe(base_text), recipe(other_text)
    if base.alike(other):
        period = Period(question.first, question.last)
        said = changes(base.rules.latest, other.rules.latest)
        return Comparison(question.position, question.asked, period, said, {}, (), [], [], 0.0)
    with Replay(base, ledger.settings.replay_memory_mb) as replay:
        replay.load(ledger, question.position, progress=progress)
        replay.build(counters=False, progress=progress)
        return compare_beside(ledger, replay, other, question, progress)


def compare_beside(
    ledger: Ledger, replay: Replay, other: Recipe, question: Question, progress: Progress = lambda *_: None
) -> Comparison:
    """Compare the tables of a replay with those by another recipe."""
    begun = time.monotonic()
    base = replay.recipe
    beside = replay.beside("other", other)
    built = beside.build_what_differs(base, progress)
    names = _affected(base, other, built, question.metrics)
    one, two = (Replayed(ledger, tables, question.position) for tables in (replay.tables, beside))
    moved = list(_moved(_figures(one, names, question), _figures(two, names, question)))
    flips = []
    for done, name in enumerate(names):
        progress(f"comparing {name}", done, len(names))
        if name in base.readings and name in other.readings:
            found = _flips(replay.tables, beside, one, two, name, question)
            if found.rows:
                flips.append(found)
    progress("compared", len(names), len(names))
    return Comparison(
        position=question.position,
        asked=question.asked,
        period=Period(question.first, question.last),
        changes=changes(base.rules.latest, other.rules.latest),
        tables={name: _size(beside, name) for name in built},
        compared=names,
        moved=moved,
        flips=flips,
        seconds=time.monotonic() - begun,
    )


def _affected(base: Recipe, other: Recipe, built: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """The metrics that can differ: their own reading does, or a table they read."""

    def differs(name: str) -> bool:
        before, after = base.readings.get(name), other.readings.get(name)
        return before != after or any(f'"{table}"' in after.query for table in built if after is not None)

    names = dict.fromkeys([*base.readings, *other.readings])
    return tuple(name for name in names if (not wanted or name in wanted) and differs(name))


Key = tuple[str, Period, tuple[tuple[str, str], ...]]


def _figures(source: Replayed, names: Sequence[str], question: Question) -> dict[Key, Figure]:
    readings = source.tables.recipe.readings
    known = [name for name in names if name in readings]
    if question.by and not question.metrics:
        # those that can be broken down so; a dimension that no metric has is a mistake
        for dimension in question.by:
            if not any(dimension in reading.by for reading in readings.values()):
                raise UnknownDimension(f"no metric has a dimension {dimension}")
        known = [name for name in known if {*question.by} <= {*readings[name].by}]
    if not known:
        return {}
    told = answer(
        source, known, asked=question.asked, grain=question.grain, first=question.first, last=question.last,
        by=question.by,
    )  # fmt: skip
    return {(each.metric.name, each.period, tuple(each.dimensions.items())): each for each in told.figures}


def _moved(before: Mapping[Key, Figure], after: Mapping[Key, Figure]) -> Iterator[Moved]:
    def counts(figure: Figure | None) -> tuple[Any, ...]:
        return (None,) if figure is None else (figure.value, figure.numerator, figure.denominator, figure.open)

    for key in dict.fromkeys([*before, *after]):
        one, two = before.get(key), after.get(key)
        if counts(one) != counts(two):
            yield Moved(one, two)


def _flips(base: Tables, beside: Tables, one: Replayed, two: Replayed, name: str, question: Question) -> Flips:
    rules = base.rules, beside.rules
    reading = beside.recipe.readings[name]
    spans = [
        Span(question.asked, each.at(question.asked).time_zone, tuple(split(question.first, question.last, "all")))
        for each in rules
    ]
    for tables, source, span, kept in ((base, one, spans[0], "one_side"), (beside, two, spans[1], "other_side")):
        tables.query(READ.format(name=kept, rows=source.reading(name, span).query), span.parameters)
    keys = ", ".join(f'coalesce(one."{key}", other."{key}") AS "{key}"' for key in reading.key)
    by = [dimension for dimension in reading.by if dimension in base.recipe.readings[name].by]
    counting = ["state", "day", "numerator", "denominator", "value", *(f"by_{each}" for each in by)]
    query = DIFFERING.format(
        keys=keys,
        columns=", ".join(f"{side}.{column}" for side in ("one", "other") for column in SIDE),
        one="one_side",
        other="other_side",
        same_key=" AND ".join(f'one."{key}" = other."{key}"' for key in reading.key),
        what_counts_one=_tuple("one", counting),
        what_counts_other=_tuple("other", counting),
        most=question.samples,
    ).replace(f"ORDER BY {keys}", f"ORDER BY {', '.join(str(nth + 2) for nth in range(len(reading.key)))}")
    rows = base.query(query, spans[0].parameters)
    return Flips(
        metric=name,
        rows=rows[0][0] if rows else 0,
        why=_why(name, *rules),
        samples=[_flip(reading.key, row[1:]) for row in rows],
    )


def _tuple(side: str, columns: Sequence[str]) -> str:
    """What a row counts for, as one value; nothing where it does not count."""
    told = ", ".join(f"{column} := {side}.{column}" for column in columns)
    counted = ", ".join(f"'{state}'" for state in (COUNTED, OPEN))
    return f"CASE WHEN {side}.state IN ({counted}) THEN struct_pack({told}) END"


def _flip(key: Sequence[str], row: Sequence[Any]) -> Flip:
    named, rest = row[: len(key)], row[len(key) :]
    sides = [Side(*part) if part[0] is not None else None for part in (rest[: len(SIDE)], rest[len(SIDE) :])]
    return Flip(dict(zip(key, named, strict=True)), *sides)


def _why(name: str, base: Rules, other: Rules) -> tuple[str, ...]:
    """The parts of the rules that differ and that a metric depends on."""
    touching = {name}
    for rules in (base, other):
        for version in rules.metrics(name):
            touching |= {version.part.table, *version.part.by}
            clock = gate(version.part)
            for target in rules.targets(version.part.table):
                if clock == target.part.name:
                    touching |= {target.part.name, target.part.clock}
    parts = tuple(f".{each}." for each in touching) + GENERAL
    said = [each for each in changes(base.latest, other.latest) if each.figures]
    return tuple(each.path for each in said if any(part in f".{each.path}." for part in parts))


def _size(tables: Tables, name: str) -> int:
    ((rows,),) = tables.query(f'SELECT count(*) FROM "{name}"')
    return int(rows)
