"""What a reading of figures looks at: rows whose clock runs, rows of the running day, and nothing else."""

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection, sql

from ledger.rulebook.calendars import local_day
from ledger.rulebook.model import RuleBook
from projections import generations
from projections.contributions import additive, columns_of
from projections.figures import running_sql
from projections.generations import Generation
from projections.tables.standing import STANDING
from tests.projections.worlds import new_ledger, us

ROWS = 20_000
DAYS = 1_000
ASKED = us("2025-06-15 12:00")
DAY = 86_400_000_000
FIRST = ASKED - DAYS * DAY
OPEN = 20
"""Rows of each table whose clocks are left running: the last ones."""
LOOKED_AT = ROWS // 50
"""Far more than the rows of one day and the open ones, far less than all."""


@pytest.fixture(scope="module")
def years(postgres: str, template: str) -> Iterator[tuple[Connection[Any], Generation]]:
    """Tables of a thousand days, as many rows on each."""
    with new_ledger(postgres, template) as ledger, ledger.database.connect() as connection:
        generation = generations.live(connection)
        for table in sorted(
            {metric.table for metric in generation.rules.latest.metrics if metric.table not in STANDING}
        ):
            _fill(connection, generation, table)
        connection.execute("ANALYZE")
        yield connection, generation


def _fill(connection: Connection[Any], generation: Generation, table: str) -> None:
    columns = columns_of(table, generation.rules)
    clocks = generation.rules.clocks(table)
    values = []
    for name, kind in columns.items():
        clock = next((clock for clock in clocks if name.startswith(f"{clock}_")), None)
        text = {"boolean": "true", "integer": "nth", "duration": "1000", "text": "'t' || nth"}.get(kind, "at")
        if kind == "day":
            text = "at - at % {day}"
        if name == "merged_into":
            text = "NULL"
        elif clock is not None and name.endswith("_outcome"):
            text = "CASE WHEN nth <= {closed} THEN 'met' END"
        elif clock is not None and name.endswith(("_deadline", "_ended_at")):
            text = "CASE WHEN nth <= {closed} THEN at ELSE {asked} + 2 * {day} END"
        values.append(text)
    statement = (
        "INSERT INTO {table} ({columns}) SELECT "
        + ", ".join(values)
        + (" FROM (SELECT nth, {first} + nth * {step} AS at FROM generate_series(1::bigint, {rows}) AS nth) AS each")
    )
    connection.execute(
        sql.SQL(statement).format(
            table=sql.Identifier(generation.schema, table),
            columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
            day=sql.Literal(DAY),
            asked=sql.Literal(ASKED),
            closed=sql.Literal(ROWS - OPEN),
            first=sql.Literal(FIRST),
            step=sql.Literal(DAYS * DAY // ROWS),
            rows=sql.Literal(ROWS),
        )
    )


def _looked_at(plan: dict[str, Any]) -> int:
    """Rows that the scans of a plan looked at, those they passed over among them."""
    own = 0
    if plan["Node Type"].endswith("Scan") and "Relation Name" in plan:
        passed_over = plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
        own = (plan["Actual Rows"] + passed_over) * plan["Actual Loops"]
    return int(own + sum(_looked_at(part) for part in plan.get("Plans", [])))


def _names(book: RuleBook) -> list[str]:
    return [metric.name for metric in book.metrics if additive(metric)]


def test_a_reading_does_not_look_at_all_rows(years: tuple[Connection[Any], Generation]) -> None:
    connection, generation = years
    book = generation.rules.latest
    today = local_day(ASKED, book.time_zone)
    asking = {"asked": ASKED, "today": today, "midnight": us("2025-06-15 00:00"), "first": 0, "last": today}
    for name in _names(book):
        query = running_sql(generation.book_text, generation.schema, name, ())
        explain = f"EXPLAIN (ANALYZE, TIMING off, FORMAT json) {query}".encode()
        row = connection.execute(explain, asking).fetchone()
        assert row is not None
        plan = row[0][0]["Plan"]
        assert _looked_at(plan) < LOOKED_AT, f"{name}: {_looked_at(plan)} of {ROWS} rows\n{plan}"
