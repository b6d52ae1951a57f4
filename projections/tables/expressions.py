"""The rule book's expressions on a table's columns, and the parts of a clock that they may speak of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce

import ibis
import ibis.expr.types as ir

from ledger.rulebook.expressions import Expression, Kind, parse
from ledger.rulebook.model import RuleBook
from projections.tables.definition import DTYPES

CLOCK_COLUMNS: Mapping[str, Kind] = {
    "started_at": "time",
    "deadline": "time",
    "stopped_at": "time",
    "ended_at": "time",
    "outcome": "text",
    "elapsed_us": "duration",
}
"""What every clock adds to its table, as `<target>_<part>`."""

CLOCK_PARTS: Mapping[str, Kind] = {"met": "boolean", "ended": "boolean", "ended_at": "time", "elapsed": "duration"}
"""What expressions may say of a clock, as `<target>.<part>`."""

OPERATORS: Mapping[str, Callable[[ir.Value, ir.Value], ir.Value]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
}


def schema_for(columns: Mapping[str, Kind], table: str, book: RuleBook) -> dict[str, Kind]:
    """What a book's expressions over a table may name: its columns and the parts of the book's clocks."""
    clocks = [target.name for target in book.targets if target.table == table]
    return {**columns, **{f"{clock}.{part}": kind for clock in clocks for part, kind in CLOCK_PARTS.items()}}


def condition(text: str, rows: ir.Table, schema: Mapping[str, Kind]) -> ir.BooleanValue:
    """A rule-book condition on rows of a table; NULL counts as false."""
    return bind(parse(text, schema), rows).fill_null(False)


def bind(expression: Expression, rows: ir.Table) -> ir.Value:
    """A checked expression as an expression over rows, for any engine."""
    args = [bind(arg, rows) for arg in expression.args]
    match expression.op:
        case "column":
            return _column(str(expression.value), rows)
        case "literal":
            if expression.value is None:
                return ibis.null(DTYPES[expression.kind or "boolean"])
            value = ibis.literal(expression.value)
            # a bare number is as narrow as an engine likes, and overflows
            return value.cast("int64") if expression.kind == "integer" else value
        case "not":
            return ~args[0]
        case "is null":
            # whether something is null is itself never null; and Spark does not read `a IS NULL IS NULL`
            return ibis.literal(False) if expression.args[0].op == "is null" else args[0].isnull()
        case "in":
            return args[0].isin([arg.value for arg in expression.args[1:]])
        case "coalesce":
            return ibis.coalesce(*args)
        case "case":
            half = len(args) // 2
            return ibis.cases(*zip(args[:half], args[half:-1], strict=True), else_=args[-1])
    return reduce(OPERATORS[expression.op], args)


def _column(name: str, rows: ir.Table) -> ir.Value:
    clock, _, part = name.partition(".")
    match part:
        case "":
            return rows[name]
        case "met":
            return (rows[f"{clock}_outcome"] == "met").fill_null(False)
        case "ended":
            return judged(rows, clock)
        case "elapsed":
            return rows[f"{clock}_elapsed_us"]
        case _:
            return rows[f"{clock}_{part}"]


def judged(rows: ir.Table, clock: str) -> ir.BooleanValue:
    """Met, missed, or to be missed once the deadline passes: merged, withdrawn and standing clocks are not."""
    outcome = rows[f"{clock}_outcome"]
    return outcome.isin(["met", "missed"]).fill_null(False) | (outcome.isnull() & rows[f"{clock}_deadline"].notnull())


def measured(rows: ir.Table, clock: str) -> ir.BooleanValue:
    """Whether a clock's elapsed time counts: it is judged, or has no limit to be judged by."""
    return judged(rows, clock) | rows[f"{clock}_started_at"].isnull()


def running(rows: ir.Table, clock: str, asked: ir.Value) -> ir.BooleanValue:
    """Whether a clock has neither stopped nor run out at a moment; one that stands still has no deadline."""
    deadline = rows[f"{clock}_deadline"]
    started = rows[f"{clock}_started_at"].notnull() & rows[f"{clock}_outcome"].isnull()
    return started & (deadline.isnull() | (deadline >= asked))
