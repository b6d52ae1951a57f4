"""Clocks on random calendars, with pauses, on every engine: against one minute after another."""

import random
from typing import Any

import duckdb
import ibis
import psycopg
import pyarrow
import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ledger.rulebook.calendars import days, segments
from ledger.rulebook.expressions import Kind
from ledger.rulebook.loading import BadRuleBook, load
from ledger.rulebook.model import RuleBook
from ledger.rulebook.rules import Rules
from projections.inputs import CALENDARS, Whole, schema_of
from projections.tables.clockwork import Clocked, with_clocks
from replays.engine import TYPES
from tests.reference.open_minutes import MINUTE, Minutes
from tests.reference.random_calendars import Drawn, calendars

LOOKED_AT = 20
COLUMNS: dict[str, Kind] = {"id": "text", "minutes": "integer", "started_at": "time", "stopped_at": "time"}
PAUSES: dict[str, Kind] = {"id": "text", "pause_id": "text", "paused_at": "time", "resumed_at": "time"}
LIMITS = (1, 45, 600, 2_400)
DAYS = (1, 2, 5)
Pauses = list[tuple[int, int | None]]


def book(drawn: Drawn) -> RuleBook:
    clock = {
        "label": {"en": "a", "zh": "a"},
        "table": "given",
        "from": "started_at",
        "to": "stopped_at",
        "clock": "shop",
    }
    limits = [{"when": f"minutes = {each}", "within": f"{each} min"} for each in LIMITS]
    in_days = [{"when": f"minutes = {each}", "within": f"{each} working days"} for each in DAYS]
    text = {
        "rule_book": "drawn", "version": "1", "time_zone": drawn.zone, "effective_from": "2000-01-01",
        "programme_start": "2000-01-01", "metrics": [],
        "calendars": [{"name": "shop", **drawn.words()}],
        "targets": [
            {"name": "hours", "pauses": True, "limits": limits, **clock}, {"name": "days", "limits": in_days, **clock},
        ],
    }  # fmt: skip
    return load(yaml.safe_dump(text))


def drawn_rows(random: random.Random) -> list[tuple[int, int, int | None, Pauses]]:
    """(limit, start, stop, pauses), in minutes from the first one looked at."""
    rows: list[tuple[int, int, int | None, Pauses]] = []
    for _ in range(30):
        start = random.randrange(24 * 60, 12 * 24 * 60)
        stop = None if random.random() < 0.2 else start + random.randrange(7 * 24 * 60)
        marks = sorted(random.sample(range(start - 600, start + 4_000), 2 * random.randrange(4)))
        pauses: Pauses = list(zip(marks[::2], marks[1::2], strict=True))
        if pauses and random.random() < 0.2:
            pauses[-1] = (pauses[-1][0], None)
        rows.append((random.choice([*LIMITS, *DAYS]), start, stop, pauses))
    return rows


def expected(looked: Minutes, row: tuple[int, int, int | None, Pauses]) -> dict[str, int | None]:
    """Deadlines and elapsed time, µs; a deadline that lies beyond what was looked at is left out."""
    limit, start, stop, pauses = row
    known: dict[str, int | None] = {"hours_deadline": None, "days_deadline": None}
    try:
        due = looked.deadline(start, limit, pauses) if limit in LIMITS else None
        known["hours_deadline"] = None if due is None else looked.first + due * MINUTE
    except IndexError:
        del known["hours_deadline"]
    try:
        if limit in DAYS:
            known["days_deadline"] = looked.first + looked.end_of_working_day(start, limit) * MINUTE - 1
    except IndexError:
        del known["days_deadline"]
    for name, held in (("hours", pauses), ("days", [])):
        elapsed = None if stop is None else looked.elapsed(start, stop, held) * MINUTE
        known[f"{name}_elapsed_us"] = elapsed
    return known


class Both:
    """DuckDB and PostgreSQL, given the same rows."""

    def __init__(self, postgres: psycopg.Connection[Any]) -> None:
        self.postgres = postgres
        self.duckdb = duckdb.connect()

    def table(self, name: str, schema: ibis.Schema, rows: list[tuple[Any, ...]]) -> None:
        columns = ", ".join(f'"{column}" {TYPES[str(dtype)]}' for column, dtype in schema.items())
        self.duckdb.execute(f'CREATE OR REPLACE TABLE "{name}" ({columns})')
        self.postgres.execute(f'DROP TABLE IF EXISTS "{name}"'.encode())
        self.postgres.execute(f'CREATE TEMPORARY TABLE "{name}" ({columns})'.encode())
        if rows:
            told = pyarrow.table(list(map(pyarrow.array, zip(*rows, strict=True))), schema.names)
            self.duckdb.register("told", told)
            self.duckdb.execute(f'INSERT INTO "{name}" SELECT * FROM told')
            with self.postgres.cursor().copy(f'COPY "{name}" FROM STDIN'.encode()) as copy:
                for row in rows:
                    copy.write_row(row)

    def stage(self, name: str, rows: Any) -> None:
        self.duckdb.execute(f'CREATE OR REPLACE TABLE "{name}" AS {ibis.to_sql(rows, dialect="duckdb")}')
        self.postgres.execute(f'DROP TABLE IF EXISTS "{name}"'.encode())
        query = f'CREATE TEMPORARY TABLE "{name}" AS {ibis.to_sql(rows, dialect="postgres")}'
        self.postgres.execute(query.encode())

    def asked(self, rows: Any) -> list[list[tuple[Any, ...]]]:
        in_duckdb = self.duckdb.execute(str(ibis.to_sql(rows, dialect="duckdb"))).fetchall()
        in_postgres = self.postgres.execute(str(ibis.to_sql(rows, dialect="postgres")).encode()).fetchall()
        return [in_duckdb, in_postgres]


@pytest.mark.timeout(300)
def test_deadlines_and_elapsed_time_are_those_of_the_open_minutes(postgres: str) -> None:
    with psycopg.connect(postgres) as connection:
        connection.execute("SET jit TO off")
        agree(Both(connection), 8)


def agree(engines: Both, examples: int) -> None:
    """On drawn calendars every engine tells what counting minutes tells."""

    @settings(max_examples=examples, deadline=None)
    @given(drawn=calendars(), seed=st.integers(0, 2**32))
    def told_alike(drawn: Drawn, seed: int) -> None:
        try:
            told = book(drawn)
        except BadRuleBook as error:
            assume("runs into" not in str(error))
            raise
        looked = drawn.minutes(LOOKED_AT)
        rows = drawn_rows(random.Random(seed))
        found = worked_out(engines, told, looked, rows)
        for nth, row in enumerate(rows):
            for name, value in expected(looked, row).items():
                assert {engine[nth][name] for engine in found} == {value}, (drawn, row, name)

    told_alike()


def worked_out(engines: Both, told: RuleBook, looked: Minutes, rows: Any) -> list[dict[int, dict[str, Any]]]:
    """What each engine makes of the rows: number of the row → its columns."""

    def at(nth: int | None) -> int | None:
        return None if nth is None else looked.first + nth * MINUTE

    year = looked.days[0].year
    worked = {"calendar_days": days, "calendar_segments": segments}
    for name, schema in CALENDARS.items():
        engines.table(name, schema, [tuple(each) for each in worked[name](told.calendars[0], year, year + 1)])
    given_rows = [(str(nth), limit, at(start), at(stop)) for nth, (limit, start, stop, _) in enumerate(rows)]
    engines.table("given", schema_of(COLUMNS), given_rows)
    paused = [
        (str(nth), str(each), at(begin), at(end))
        for nth, row in enumerate(rows)
        for each, (begin, end) in enumerate(row[3])
    ]
    engines.table("pauses", schema_of(PAUSES), paused)
    rules = Rules((told,))
    inputs = Whole(rules, table="given")
    given_table = ibis.table(schema_of(COLUMNS), name="given")
    pauses = ibis.table(schema_of(PAUSES), name="pauses")
    clocked = with_clocks(Clocked(given_table, ("id",), COLUMNS, rules.targets("given"), pauses=pauses), inputs)
    for name, stage in inputs.stages.items():
        engines.stage(name, stage)
    names = list(clocked.columns)
    found = [[dict(zip(names, row, strict=True)) for row in answer] for answer in engines.asked(clocked)]
    return [{int(row["id"]): row for row in answer} for answer in found]
