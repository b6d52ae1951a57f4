"""One definition, every engine: the same events give the same rows in PostgreSQL and in DuckDB."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import ibis
import psycopg
import pytest
from psycopg import sql

from ledger.claims import Recorded, claim, encode, stored
from ledger.events import CATALOGUE, COLUMNS
from ledger.log.application import Ledger
from ledger.rulebook.calendars import local_day as local_day_of
from ledger.rulebook.model import day_us, instant_us
from projections.generations import live
from projections.inputs import Whole
from projections.recipes import recipe
from projections.relation import EFFECTIVE, RAW, effective
from projections.statements import to_sql
from projections.tables import READABLE, TABLES
from projections.tables.clockwork import local_day
from replays.engine import Replay
from tests.projections.worlds import everything, new_ledger


@pytest.fixture(scope="module")
def replayed(company: Ledger) -> Iterator[Replay]:
    """The company's log, worked out by DuckDB."""
    with company.pool.connection() as connection:
        book = live(connection).book_text
    with Replay(recipe(book)) as engine:
        engine.load(company, company.head().position)
        engine.build()
        yield engine


@pytest.fixture(scope="module")
def kept(company: Ledger) -> dict[str, list[tuple[Any, ...]]]:
    return everything(company)


def in_duckdb(engine: Replay, table: str) -> list[tuple[Any, ...]]:
    return sorted((tuple(row.values()) for row in engine.rows(table)), key=repr)


@pytest.mark.parametrize("table", [*READABLE, "counters"])
def test_a_table_has_the_same_rows_on_both_engines(
    kept: dict[str, list[tuple[Any, ...]]], replayed: Replay, table: str
) -> None:
    ours, theirs = kept[table], in_duckdb(replayed, table)
    if table == "counters":
        ours = [row for row in ours if row[-2:] != (0, 0)]
    assert ours
    assert ours == theirs


@pytest.mark.parametrize("table", TABLES)
def test_the_whole_definition_compiled_for_postgresql_gives_the_live_rows(
    company: Ledger, kept: dict[str, list[tuple[Any, ...]]], table: str
) -> None:
    """Not by batches: the definition as it stands, over all events at once, as DuckDB and Spark run it."""
    with company.database.connect() as connection:
        generation = live(connection)
        connection.execute("SET jit TO off")
        raw = ibis.table(RAW, name="events", database="log")
        connection.execute(
            f"CREATE TEMPORARY TABLE effective_events AS {to_sql(effective(raw).select(*EFFECTIVE.names))}".encode()
        )
        inputs = Whole(generation.rules, generation.schema, table)
        definition = next(each for each in recipe(generation.book_text).definitions if each.name == table)
        rows = TABLES[table].rows(inputs).select(*definition.schema.names)
        for stage, made in inputs.stages.items():
            connection.execute(f'CREATE TEMPORARY TABLE "{stage}" AS {to_sql(made)}'.encode())
        found = connection.execute(to_sql(rows).encode()).fetchall()
    assert sorted(found, key=repr) == kept[table]


NEVER_TOLD = {
    *("customers.merged_into", "customers.merged_at", "alerts.merged_into", "alerts.merged_at", "churns.merged_into"),
    *("ratings.merged_into", "tellings.cancelled_at"),
}
"""Columns that the company's first weeks leave empty."""


def test_the_company_leaves_no_other_column_untold(kept: dict[str, list[tuple[Any, ...]]], company: Ledger) -> None:
    """Equal rows prove little where a column is always empty."""
    with company.pool.connection() as connection:
        book = live(connection).book_text
    empty = {
        f"{definition.name}.{column}"
        for definition in recipe(book).definitions
        for nth, column in enumerate(definition.schema.names)
        if all(row[nth] is None for row in kept[definition.name])
    }
    assert empty - NEVER_TOLD == set()


AT = datetime(2025, 11, 2, 5, 59, 59, 999_999, tzinfo=UTC)
RECORDED = datetime(2025, 11, 2, 6, 0, 0, 1, tzinfo=UTC)
INSERT = (
    "INSERT INTO log.entries (position, aggregate, subject, version, type, occurred_at, recorded_at, recorded_by, "
    "source, id, voided_position, entry) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)


def entries() -> list[Recorded]:
    """One entry for every event type, with its example as data."""
    return [
        Recorded(
            position=position,
            version=1,
            type=kind.name,
            aggregate=kind.aggregate or "delivery",
            subject=f"of {kind.name} 渠道",
            id=f"id-{position}",
            source="urn:examples",
            occurred_at=AT - timedelta(days=position),
            recorded_at=RECORDED,
            recorded_by="key",
            data=kind.model.model_validate(kind.example),
            actor="agent 7",
            reason="so",
            correlation_id="c",
            causation_id="d",
        )
        for position, kind in enumerate(CATALOGUE.values(), 1)
    ]


def expected(entry: Recorded) -> dict[str, Any]:
    """The row of an entry, from nothing but its catalogue entry."""
    row: dict[str, Any] = dict.fromkeys(RAW.names)
    row |= {name: getattr(entry, name) for name in ("position", "aggregate", "subject", "version", "type")}
    row |= {"occurred_at": instant_us(entry.occurred_at), "recorded_at": instant_us(entry.recorded_at)}
    told = stored(entry.data)
    for field in CATALOGUE[entry.type].fields:
        value = told.get(field.name)
        if field.name not in COLUMNS or value is None:
            continue
        if COLUMNS[field.name] == "time":
            value = instant_us(value)
        elif COLUMNS[field.name] == "quarter":
            value = day_us(date(int(value[:4]), 3 * int(value[-1]) - 2, 1))
        elif COLUMNS[field.name] == "week":
            value = day_us(date.fromisocalendar(int(value[:4]), int(value[-2:]), 1))
        elif COLUMNS[field.name] == "day":
            value = day_us(date.fromisoformat(value))
        row[field.name] = str(value) if COLUMNS[field.name] == "text" else value
    return row


@pytest.fixture(scope="module")
def examples(postgres: str, template: str) -> Iterator[Ledger]:
    """A log that holds the example of every event type; no invariant is asked."""
    with new_ledger(postgres, template) as ledger:
        record(ledger, [replace(entry, position=entry.position + 1) for entry in entries()])
        yield ledger


def record(ledger: Ledger, told: list[Recorded]) -> None:
    """Put entries into the log as they are."""
    with ledger.database.connect() as connection:
        for entry in told:
            place = (entry.position, entry.aggregate, entry.subject, entry.version, entry.type)
            times = (entry.occurred_at, entry.recorded_at, entry.recorded_by, entry.source, entry.id)
            voided = getattr(entry.data, "voided_position", None)
            connection.execute(INSERT, [*place, *times, voided, encode(entry)])


def test_every_field_of_every_event_is_read_alike(examples: Ledger) -> None:
    wanted = [expected(replace(entry, position=entry.position + 1)) for entry in entries()]
    with examples.pool.connection() as connection:
        names = sql.SQL(", ").join(map(sql.Identifier, RAW.names))
        query = sql.SQL("SELECT {} FROM log.events WHERE position > 1 ORDER BY position").format(names)
        in_postgres = [dict(zip(RAW.names, row, strict=True)) for row in connection.execute(query)]
        book = live(connection).book_text
    with Replay(recipe(book)) as engine:
        engine.load(examples, len(wanted) + 1)
        duckdb_rows = [
            dict.fromkeys(RAW.names) | row for name in engine.recipe.events for row in engine.rows(f"raw_{name}")
        ]
        duckdb_rows.sort(key=lambda row: row["position"])
    assert [row["type"] for row in in_postgres] == list(CATALOGUE)
    for ours, theirs, want in zip(in_postgres, duckdb_rows[1:], wanted, strict=True):
        assert ours == want
        assert theirs == want


def test_examples_fill_every_column(examples: Ledger) -> None:
    told = {name for entry in entries() for name, value in expected(entry).items() if value is not None}
    assert set(RAW.names) - told == {"requirement_id"} - told


def test_no_personal_field_is_a_column() -> None:
    personal = {field.name for kind in CATALOGUE.values() for field in kind.fields if field.personal}
    assert personal
    assert not personal & {*RAW.names, *COLUMNS}
    for table in READABLE.values():
        assert not personal & table.columns.keys(), table.name


FROM_2000 = instant_us(datetime(2000, 1, 2, tzinfo=UTC))
INSTANTS = [
    instant_us(moment)
    for moment in (
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1999, 12, 31, 15, 59, 59, 999_999, tzinfo=UTC),
        datetime(2025, 3, 9, 6, 59, 59, 999_999, tzinfo=UTC),
        datetime(2025, 3, 9, 7, tzinfo=UTC),
        datetime(2025, 11, 2, 5, 59, 59, 999_999, tzinfo=UTC),
        datetime(2025, 11, 2, 6, tzinfo=UTC),
        datetime(2024, 2, 29, 12, tzinfo=UTC),
        *(datetime(2030, 1, 1, tzinfo=UTC) + timedelta(hours=hours, microseconds=-1) for hours in range(0, 9_000, 97)),
    )
]


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "UTC"])
def test_the_local_day_is_that_of_zoneinfo_on_both_engines(postgres: str, zone: str) -> None:
    found = ibis.table(ibis.schema({"moment": "int64"}), name="moments")
    query = found.select("moment", day=local_day(found.moment, zone))
    # offsets are worked out from 2000 on
    moments = [at for at in INSTANTS if at > FROM_2000 or zone in ("Asia/Shanghai", "UTC")]
    wanted = sorted((at, local_day_of(at, zone)) for at in moments)
    with psycopg.connect(postgres) as connection:
        connection.execute("CREATE TEMPORARY TABLE moments (moment bigint)")
        connection.cursor().executemany("INSERT INTO moments VALUES (%s)", [[at] for at in moments])
        in_postgres = connection.execute(str(ibis.to_sql(query, dialect="postgres")).encode()).fetchall()
    with duckdb.connect() as engine:
        engine.execute("CREATE TABLE moments (moment BIGINT)")
        engine.executemany("INSERT INTO moments VALUES (?)", [[at] for at in moments])
        in_duckdb = engine.execute(str(ibis.to_sql(query, dialect="duckdb"))).fetchall()
    assert sorted(in_postgres) == wanted
    assert sorted(in_duckdb) == wanted


WEEKS = ["2020-W53", "2021-W01", "2024-W01", "2024-W52", "2025-W01", "2026-W01", "2026-W53", "1000-W01", "9999-W52"]


def test_weeks_begin_on_their_monday_on_both_engines(examples: Ledger) -> None:
    head = examples.head().position
    sampled = {"contact_id": "C", "seed": 1}
    examples.append(
        [
            [
                claim(
                    "review.sampled",
                    f"of {week}",
                    {**sampled, "week": week},
                    id=week,
                    source="urn:weeks",
                    occurred_at=AT,
                )
            ]
            for week in WEEKS
        ],
        "key",
    )
    wanted = [day_us(date.fromisocalendar(int(week[:4]), int(week[-2:]), 1)) for week in WEEKS]
    with examples.pool.connection() as connection:
        query = "SELECT week FROM log.events WHERE position > %s ORDER BY position"
        assert [row[0] for row in connection.execute(query, [head])] == wanted
        book = live(connection).book_text
    with Replay(recipe(book)) as engine:
        engine.load(examples, head + len(WEEKS))
        found = sorted(engine.rows("raw_review"), key=lambda row: row["position"])
    assert [row["week"] for row in found if row["position"] > head] == wanted
