"""Figures at a moment of asking, the plain way: every row is looked at, nothing is counted ahead (clock 10)."""

from dataclasses import dataclass

from tests.reference.book import Book, Metric
from tests.reference.calendars import day_number, day_of
from tests.reference.expressions import Row, evaluate
from tests.reference.figures import DAYS, amount, day_of_metric, parts, with_clocks
from tests.reference.periods import Days
from tests.reference.tables import Tables

ENDS = ("period_end", "window_end")
"""Of tables worked out for the moment of asking, whose rows know it already."""


@dataclass(frozen=True)
class Answer:
    """A ratio's parts (a median's value and sample), and how many rows wait for a clock that still runs."""

    numerator: int | None
    denominator: int
    open: int


Answers = dict[tuple[str, int, tuple[str, ...]], Answer]
"""(metric, last day of the period, dimensions it is always broken down by) → the figure"""


def ask(metric: Metric, tables: Tables, book: Book, asked_at: int, periods: list[Days]) -> Answers:
    """The metric over periods. An open row counts under `open` alone: at its day, or today where that is to come."""
    rows = [with_clocks(row, book, metric.table) for row in tables[metric.table]]
    rows = [row for row in rows if evaluate(metric.where, row) is True]
    clock = _clock(metric, book)
    today = day_of(asked_at, book.zone)
    waiting = [row for row in rows if clock and metric.type == "ratio" and _is_open(row, clock, asked_at)]
    settled = [row for row in rows if row not in waiting and _reached(metric, row, book, asked_at)]
    answers: Answers = {}
    for period in periods:
        begins, ends = day_number(period.first), day_number(period.last)
        of_days = [row for row in settled if begins <= day_of_metric(metric, row, book) <= ends]
        if metric.type == "median":
            assert clock is not None
            answers[metric.name, ends, ()] = _median(metric, clock, of_days, asked_at)
            continue
        still = [
            row
            for row in waiting
            if begins <= (today if row[metric.at] is None else min(day_of_metric(metric, row, book), today)) <= ends
        ]
        counted = [row for row in of_days if amount(metric.denominator, row) != 0]
        for dimensions in {tuple(row[name] or "" for name in metric.per) for row in counted + still} or {()}:
            own = [row for row in counted if tuple(row[name] or "" for name in metric.per) == dimensions]
            answers[metric.name, ends, dimensions] = Answer(*parts(metric, own), len(still))
    found = {key: answer for key, answer in answers.items() if key[2] != ()}
    # broken down, only periods in which there is something are told of, unless there is nothing at all
    return found or answers


def _median(metric: Metric, clock: str, rows: list[Row], asked_at: int) -> Answer:
    assert metric.value is not None
    values = sorted(
        row[metric.value] for row in rows if row[metric.value] is not None and row[f"{clock}_stopped_at"] <= asked_at
    )
    return Answer(values[(len(values) - 1) // 2] if values else None, len(values), 0)


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
    if metric.at in ENDS:
        return True
    return bool(at <= (day_of(asked_at, book.zone) if metric.at in DAYS else asked_at))
