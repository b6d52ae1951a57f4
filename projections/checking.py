"""Whether a rule book fits the tables: everything it names exists, and every expression is of the kind it must be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ledger.rulebook.expressions import BadExpression, Kind, parse
from ledger.rulebook.model import Metric, RuleBook, Target
from ledger.rulebook.rules import Rules
from projections.contributions import columns_of
from projections.tables import TABLES
from projections.tables.clocks import PLACES
from projections.tables.expressions import schema_for
from projections.tables.priority import MARK_KINDS, rule_kinds
from projections.tables.requirement import OWN as REQUIREMENT_OWN
from projections.tables.standing import STANDING

Path = tuple[int | str, ...]
Misfit = tuple[Path, str]
"""Where in the book, as pydantic says it, and what is wrong there."""


def misfits(book: RuleBook) -> list[Misfit]:
    """Everything in a book that does not fit the tables; nothing, when it can be used."""
    return [*_targets(book), *_dimensions(book), *_metrics(book), *_priority(book)]


def _targets(book: RuleBook) -> Iterator[Misfit]:
    for nth, target in enumerate(book.targets):
        at: Path = ("targets", nth)
        if target.table not in PLACES:
            yield (*at, "table"), f"no clock can run on {target.table!r}; clocks run on {', '.join(PLACES)}"
            continue
        columns = TABLES[target.table].columns
        for key, name in _moments(target):
            if columns.get(name) != "time":
                times = ", ".join(column for column, kind in columns.items() if kind == "time")
                yield (*at, *key), f"{target.table} has no time {name!r}; it has {times}"
        for place, limit in enumerate(target.limits):
            if limit.when is not None:
                yield from _wanted((*at, "limits", place, "when"), limit.when, columns, "boolean")


def _moments(target: Target) -> Iterator[tuple[Path, str]]:
    yield ("from",), target.start
    yield ("to",), target.stop
    if target.deadline is not None:
        yield ("deadline",), target.deadline
    for nth, name in enumerate(target.dropped_by):
        yield ("dropped_by", nth), name


def _dimensions(book: RuleBook) -> Iterator[Misfit]:
    for nth, dimension in enumerate(book.dimensions):
        if dimension.table not in TABLES:
            yield ("dimensions", nth, "table"), _no_table(dimension.table)
            continue
        schema = schema_for(columns_of(dimension.table, Rules((book,))), dimension.table, book)
        for place, case in enumerate(dimension.cases):
            yield from _wanted(("dimensions", nth, "cases", place, "when"), case.when, schema, "boolean")


def _metrics(book: RuleBook) -> Iterator[Misfit]:
    for nth, metric in enumerate(book.metrics):
        at: Path = ("metrics", nth)
        if metric.table not in TABLES and metric.table not in STANDING:
            yield (*at, "table"), _no_table(metric.table)
            continue
        if metric.table in STANDING:
            yield from _standing(at, metric)
        schema = schema_for(columns_of(metric.table, Rules((book,))), metric.table, book)
        wanted: Mapping[str, tuple[str | None, tuple[Kind, ...]]] = {
            "where": (metric.where, ("boolean",)),
            "numerator": (metric.numerator, ("boolean", "integer")),
            "denominator": (metric.denominator, ("boolean", "integer")),
            "value": (metric.value, ("duration", "integer")),
            "agg_time_dimension": (metric.agg_time_dimension, ("time", "day")),
        }
        for key, (text, kinds) in wanted.items():
            if text is not None:
                yield from _wanted((*at, key), text, schema, *kinds)
        yield from _broken_down(at, metric, book)


def _standing(at: Path, metric: Metric) -> Iterator[Misfit]:
    end = STANDING[metric.table].end
    if metric.type != "ratio":
        yield (*at, "type"), f"{metric.table} is worked out when it is read: only ratios can stand on it"
    if metric.agg_time_dimension != end:
        yield (*at, "agg_time_dimension"), f"{metric.table} is told of by its {end}"


def _broken_down(at: Path, metric: Metric, book: RuleBook) -> Iterator[Misfit]:
    columns = columns_of(metric.table, Rules((book,)))
    known = {name for name, kind in columns.items() if kind == "text"}
    known |= {dimension.name for dimension in book.dimensions if dimension.table == metric.table}
    for nth, name in enumerate(metric.by):
        if name not in known:
            yield (*at, "by", nth), f"{metric.table} has no dimension {name!r}; it has {', '.join(sorted(known))}"


def _priority(book: RuleBook) -> Iterator[Misfit]:
    if book.priority is None:
        return
    yield from _wanted(("priority", "score"), book.priority.score, MARK_KINDS, "integer")
    if book.priority.low_when is not None:
        yield from _wanted(("priority", "low_when"), book.priority.low_when, rule_kinds(REQUIREMENT_OWN), "boolean")


def _wanted(at: Path, text: str, schema: Mapping[str, Kind], *kinds: Kind) -> Iterator[Misfit]:
    try:
        found = parse(text, schema).kind
    except BadExpression as error:
        yield at, str(error)
    else:
        if found not in kinds:
            yield at, f"{' or '.join(kinds)} wanted here, {text!r} is {found}"


def _no_table(name: str) -> str:
    return f"there is no table {name!r}; there are {', '.join((*TABLES, *STANDING))}"
