"""The figures: counters by day, medians, and what is still open at a moment of asking."""

from collections import Counter
from typing import Any

from tests.reference.book import Book, Metric
from tests.reference.calendars import day_of
from tests.reference.expressions import Row, evaluate
from tests.reference.tables import Tables

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
    """A quarter is a day already, whatever the zone; everything else is a moment."""
    at: int = row[metric.at]
    return at if metric.at == "quarter" else day_of(at, book.zone)


def counters(tables: Tables, book: Book) -> dict[Key, tuple[int, int]]:
    """(metric, day, dimensions) → (numerator, denominator); a row outside the denominator is not in the numerator."""
    numerators: Counter[Key] = Counter()
    denominators: Counter[Key] = Counter()
    for metric in book.metrics:
        if metric.type != "ratio":
            continue
        for row in rows_of(metric, tables, book):
            if evaluate(metric.denominator, row) is not True:
                continue
            key = (metric.name, day_of_metric(metric, row, book), tuple(row[name] or "" for name in metric.by))
            denominators[key] += 1
            numerators[key] += evaluate(metric.numerator, row) is True
    return {key: (numerators[key], count) for key, count in denominators.items()}


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
