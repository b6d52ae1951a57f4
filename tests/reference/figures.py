"""The figures: counters by day, medians, and what is still open at a moment of asking."""

from collections import Counter
from typing import Any

from tests.reference.book import Book, Metric
from tests.reference.calendars import day_of
from tests.reference.expressions import Row, evaluate
from tests.reference.tables import Tables

DAYS = ("quarter", "week", "period_end", "window_end")
"""The columns of metrics' days."""
Key = tuple[str, int, tuple[Any, ...]]
"""(metric, day as the tables number it, values of the metric's dimensions in the book's order, '' for none)"""


def with_clocks(row: Row, book: Book, table: str) -> Row:
    """The row with `<target>.met`, `.missed`, `.ended`, `.ended_at` and `.elapsed` as the metrics say them.

    A clock without an outcome ends at its deadline, as a miss: a reader takes only days already past from here. What
    ended as merged, withdrawn or cancelled is not `ended`; the same goes for its elapsed time (reading taken: a merged
    clock was not answered).
    """
    row = dict(row)
    for target in book.targets_of(table):
        outcome, ended_at = row[f"{target.name}_outcome"], row[f"{target.name}_ended_at"]
        counted = outcome in ("met", "missed") or (outcome is None and ended_at is not None)
        unlimited = row[f"{target.name}_started_at"] is None
        row[f"{target.name}.met"] = outcome == "met"
        row[f"{target.name}.ended"] = counted
        row[f"{target.name}.missed"] = counted and outcome != "met"
        row[f"{target.name}.ended_at"] = ended_at
        row[f"{target.name}.deadline"] = row[f"{target.name}_deadline"]
        row[f"{target.name}.elapsed"] = row[f"{target.name}_elapsed_us"] if counted or unlimited else None
    return row


def rows_of(metric: Metric, tables: Tables, book: Book) -> list[Row]:
    rows = [with_clocks(row, book, metric.table) for row in tables[metric.table]]
    return [row for row in rows if evaluate(metric.where, row) is True and row[metric.at] is not None]


def day_of_metric(metric: Metric, row: Row, book: Book) -> int:
    """A quarter or a week is a day already, whatever the zone; everything else is a moment."""
    at: int = row[metric.at]
    return at if metric.at in DAYS else day_of(at, book.zone)


def amount(expression: str, row: Row) -> int:
    """What an expression adds to a sum: 1 or 0 for a condition, a number as it is, nothing for null."""
    return int(evaluate(expression, row) or 0)


def parts(metric: Metric, rows: list[Row]) -> tuple[int, int]:
    """(numerator, denominator) of rows: one outside the denominator is not in the numerator."""
    counted = [row for row in rows if amount(metric.denominator, row) != 0]
    numerator = sum(amount(metric.numerator, row) for row in counted)
    return numerator, sum(amount(metric.denominator, row) for row in counted)


def counters(tables: Tables, book: Book) -> dict[Key, tuple[int, int]]:
    """(metric, day, dimensions) → (numerator, denominator) of every ratio that is a sum of kept rows."""
    counted: dict[Key, tuple[int, int]] = {}
    for metric in book.metrics:
        if metric.type != "ratio" or metric.table not in tables:
            continue
        groups: dict[Key, list[Row]] = {}
        for row in rows_of(metric, tables, book):
            key = (metric.name, day_of_metric(metric, row, book), tuple(row[name] or "" for name in metric.by))
            groups.setdefault(key, []).append(row)
        counted |= {key: parts(metric, rows) for key, rows in groups.items()}
    return {key: pair for key, pair in counted.items() if pair != (0, 0)}


def median(name: str, tables: Tables, book: Book, begin: int, end: int) -> tuple[int | None, int]:
    """(the discrete median: the lower one of an even number, how many) of a median metric over [begin, end)."""
    metric = next(metric for metric in book.metrics if metric.name == name)
    assert metric.value is not None
    values = sorted(
        value
        for row in rows_of(metric, tables, book)
        if begin <= row[metric.at] < end and (value := evaluate(metric.value, row)) is not None
    )
    return (values[(len(values) - 1) // 2] if values else None), len(values)


def states(tables: Tables, asked_at: int) -> dict[tuple[str, str], int]:
    """(clock, met | missed | open | merged | withdrawn | cancelled) → count, at a moment of asking (clock 10)."""
    return Counter((clock["clock"], state(clock, asked_at)) for clock in tables["clocks"])


def state(clock: Row, asked_at: int) -> str:
    """What a row of the clocks view is at `asked_at`: a deadline that has passed is a miss, before that it is open."""
    if clock["outcome"] is not None:
        return str(clock["outcome"])
    return "missed" if clock["deadline"] is not None and clock["deadline"] < asked_at else "open"
