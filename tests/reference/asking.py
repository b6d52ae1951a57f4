"""A figure at a moment of asking, the plain way: every row is looked at, nothing is counted ahead (clock 10)."""

from dataclasses import dataclass

from tests.reference.book import Book, Metric
from tests.reference.calendars import day_of
from tests.reference.expressions import Row, evaluate
from tests.reference.figures import with_clocks
from tests.reference.tables import Tables


@dataclass(frozen=True)
class Answer:
    """A ratio's parts (a median's value and sample), and how many rows wait for a clock that still runs."""

    numerator: int | None
    denominator: int
    open: int


def ask(metric: Metric, tables: Tables, book: Book, asked_at: int) -> Answer:
    """The metric over all days up to the one of asking. An open row counts under `open` alone."""
    rows = [with_clocks(row, book, metric.table) for row in tables[metric.table]]
    rows = [row for row in rows if evaluate(metric.where, row) is True]
    clock = _clock(metric, book)
    waiting = [row for row in rows if clock and _is_open(row, clock, asked_at)]
    settled = [row for row in rows if row not in waiting and _reached(metric, row, book, asked_at)]
    if metric.type == "median":
        assert metric.value is not None
        assert clock is not None
        values = sorted(
            row[metric.value]
            for row in settled
            if row[metric.value] is not None and row[f"{clock}_stopped_at"] <= asked_at
        )
        return Answer(values[(len(values) - 1) // 2] if values else None, len(values), 0)
    counted = [row for row in settled if evaluate(metric.denominator, row) is True]
    return Answer(sum(evaluate(metric.numerator, row) is True for row in counted), len(counted), len(waiting))


def _clock(metric: Metric, book: Book) -> str | None:
    """The clock whose end makes a row count."""
    said = f"{metric.denominator} {metric.value}"
    return next((target.name for target in book.targets if f"{target.name}." in said), None)


def _is_open(row: Row, clock: str, asked_at: int) -> bool:
    running = row[f"{clock}_started_at"] is not None and row[f"{clock}_outcome"] is None
    deadline = row[f"{clock}_deadline"]
    return running and (deadline is None or deadline >= asked_at)


def _reached(metric: Metric, row: Row, book: Book, asked_at: int) -> bool:
    at = row[metric.at]
    if at is None:
        return False
    return bool(at <= (day_of(asked_at, book.zone) if metric.at == "quarter" else asked_at))
