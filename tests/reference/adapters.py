"""The three ways to the same tables: kept up batch by batch, replayed in DuckDB, and the plain reference."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

from psycopg import sql

from ledger.log.application import Ledger
from projections import generations
from projections.generations import Generation
from projections.kpis import figures
from projections.periods import Grain, split
from projections.projector import Batches
from projections.standing import moments, rows_sql
from projections.tables import READABLE
from projections.tables.standing import STANDING
from replays.as_of import tables_at
from tests.reference.asking import Answer, Answers
from tests.reference.book import Book
from tests.reference.calendars import day_number
from tests.reference.differences import Counters
from tests.reference.events import Told
from tests.reference.expressions import Row
from tests.reference.figures import counters
from tests.reference.recorded import told
from tests.reference.tables import Tables, tables

FIRST, LAST = date(2000, 1, 1), date(2049, 12, 31)
STANDING_KEYS = {name: table.key for name, table in STANDING.items()}
KEYS = {name: table.key for name, table in READABLE.items()}


def found(ledger: Ledger, book_text: str) -> Generation:
    """Make the first generation of tables of a new ledger, under any rule book."""
    with ledger.database.connect() as connection, connection.transaction():
        return generations.create(connection, book_text, state="live")


@contextmanager
def batches(ledger: Ledger) -> Iterator[Batches]:
    """Projects into the live generation, as far and in as many batches as asked."""
    with ledger.database.connect() as connection:
        yield Batches(ledger, connection, generations.live(connection))


def incremental(ledger: Ledger) -> tuple[Tables, Counters]:
    """The live tables and counters as they stand."""
    with ledger.database.connect() as connection:
        generation = generations.live(connection)

        def rows(table: str) -> list[Row]:
            found = connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(generation.schema, table)))
            names = [column.name for column in found.description or []]
            return [dict(zip(names, row, strict=True)) for row in found]

        return {table: rows(table) for table in READABLE}, _counters(rows("counters"), generation.book_text)


def rebuilt(ledger: Ledger, as_of: int | None = None, valid_at: datetime | None = None) -> tuple[Tables, Counters]:
    """The tables and counters of a replay, as of a position or with what had occurred by then."""
    with tables_at(ledger, as_of=as_of, valid_at=valid_at) as engine:
        return (
            {table: list(engine.rows(table)) for table in READABLE},
            _counters(list(engine.rows("counters")), engine.recipe.book_text),
        )


def reference(
    events: list[Told], book: Book, as_of: int | None = None, valid_at: int | None = None
) -> tuple[Tables, Counters]:
    """The tables and counters of the plain reference."""
    made = tables(events, book, as_of, valid_at)
    return made, counters(made, book)


def asked(ledger: Ledger, metrics: Sequence[str], asked_at: int, grain: Grain, first: date, last: date) -> Answers:
    """Figures over these days, as the ledger answers them from counters and rows at a moment of asking."""
    with ledger.database.connect() as connection, connection.transaction():
        answer = figures(connection, metrics, asked=asked_at, grain=grain, first=first, last=last)
    return {
        (figure.metric.name, day_number(figure.period.last), tuple(figure.dimensions.values())): Answer(
            figure.value if figure.metric.type == "median" else figure.numerator,  # type: ignore[arg-type]
            figure.denominator,
            figure.open,
        )
        for figure in answer.figures
    }


def standing(ledger: Ledger, asked_at: int, grain: Grain, first: date, last: date) -> Tables:
    """The rows of the tables that are worked out when they are read."""
    with ledger.database.connect() as connection, connection.transaction():
        generation = generations.live(connection)
        before = moments(connection, generation, split(first, last, grain), asked_at)
        made = {}
        for name, table in STANDING.items():
            query = rows_sql(generation.book_text, generation.schema, name)
            rows = connection.execute(before + sql.SQL(query)).fetchall()
            made[name] = [dict(zip(table.columns, row, strict=True)) for row in rows]
        return made


def recorded(ledger: Ledger) -> list[Told]:
    """All entries of the log, as the reference reads them."""
    entries: list[Any] = []
    while page := ledger.entries(after=len(entries), limit=1_000):
        entries += page
    return [told(entry) for entry in entries]


def _counters(rows: list[Row], book_text: str) -> Counters:
    """A counter that came back to nothing is as good as none."""
    by = {metric.name: metric.by for metric in Book.parse(book_text).metrics}
    return {
        (row["metric"], row["day"], tuple(row[name] for name in by[row["metric"]])): (
            row["numerator"],
            row["denominator"],
        )
        for row in rows
        if (row["numerator"], row["denominator"]) != (0, 0)
    }
