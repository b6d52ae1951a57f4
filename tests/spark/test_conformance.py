"""One definition, every engine: PostgreSQL, DuckDB and Spark give the same rows, figures and values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import ibis
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.log.application import Ledger
from ledger.rulebook.calendars import local_day as local_day_of
from ledger.rulebook.expressions import parse
from ledger.rulebook.loading import default_text
from projections.generations import live
from projections.recipes import Dialect, compiled, recipe
from projections.tables import READABLE
from projections.tables.clockwork import local_day
from projections.tables.expressions import bind
from projections.tables.fold import Spec, count, distinct, edge, ever, first, fold, last, status
from replays.archive.loading import Archived
from replays.archive.reading import Archive
from replays.archive.writing import write
from replays.engine import TYPES, Replay
from tests.projections.test_conformance import FROM_2000, INSTANTS, entries, expected, record
from tests.projections.worlds import everything, new_ledger
from tests.rulebook.test_expressions import MEANINGS, ROW, SCHEMA
from tests.rulebook.test_fuzz import Engines, let_in, texts

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from replays.spark.engine import Tables

Rows = list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def archive(company: Ledger, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder = tmp_path_factory.mktemp("company") / "archive"
    write(company, folder, segment=1_000)
    return Archive.open(folder)


@pytest.fixture(scope="module")
def book(company: Ledger) -> str:
    with company.pool.connection() as connection:
        return live(connection).book_text


@pytest.fixture(scope="module")
def in_postgres(company: Ledger) -> dict[str, Rows]:
    return everything(company)


@pytest.fixture(scope="module")
def in_duckdb(archive: Archive, book: str) -> Iterator[Replay]:
    with Replay(recipe(book)) as engine:
        engine.load(Archived(archive), archive.last)
        engine.build()
        yield engine


@pytest.fixture(scope="module")
def in_spark(spark: SparkSession, archive: Archive, book: str, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    from replays.spark.replaying import worked_out

    out = tmp_path_factory.mktemp("company") / "tables"
    return worked_out(spark, archive, book, archive.last, str(out), lambda *_: None)


@pytest.mark.parametrize("table", [*READABLE, "counters"])
def test_a_table_has_the_same_rows_on_all_engines(
    in_postgres: dict[str, Rows], in_duckdb: Replay, in_spark: Tables, table: str
) -> None:
    kept = in_postgres[table]
    if table == "counters":
        kept = [row for row in kept if row[-2:] != (0, 0)]
    assert kept
    for engine in (in_duckdb, in_spark):
        assert sorted((tuple(row.values()) for row in engine.rows(table)), key=repr) == kept


def test_every_field_of_every_event_is_read_alike(
    spark: SparkSession, postgres: str, template: str, tmp_path: Path
) -> None:
    """Out of the typed columns of a segment, and out of its entries."""
    from replays.spark.engine import Tables
    from replays.spark.folders import Folder

    with new_ledger(postgres, template) as ledger:
        told = [replace(entry, position=entry.position + 1) for entry in entries()]
        record(ledger, told)
        write(ledger, tmp_path / "archive")
    archive = Archive.open(tmp_path / "archive")
    files = [archive.uri(one) for one in archive.segments]
    for name, typed, untyped in (("typed", files, []), ("entries", [], files)):
        made = Tables(spark, default_text(), Folder(spark, tmp_path / name))
        made.load(typed, untyped, archive.last)
        rows = [row.asDict() for row in made.events().where("position > 1").orderBy("position").collect()]
        assert rows == [expected(entry) for entry in told]


def test_people_read_times_and_days(in_spark: Tables, in_duckdb: Replay) -> None:
    assert in_spark.count("contacts") == in_duckdb.connection.execute("SELECT count(*) FROM contacts").fetchall()[0][0]
    files = f"{Path(in_spark.folder.place.removeprefix('file://')) / 'contacts'}/*.parquet"
    query = f"SELECT typeof(max(received_at)), max(epoch_us(received_at)) FROM read_parquet('{files}')"
    ((kind, moment),) = duckdb.sql(query).fetchall()
    assert kind == "TIMESTAMP WITH TIME ZONE"
    assert moment == max(row["received_at"] for row in in_spark.rows("contacts"))
    assert not [name for name in in_spark.folder.names() if name.startswith("_")]


class Three:
    """PostgreSQL, DuckDB and Spark, given the same rows."""

    def __init__(self, postgres: psycopg.Connection[Any], spark: SparkSession) -> None:
        self.postgres, self.spark, self.duckdb = postgres, spark.newSession(), duckdb.connect()

    def given(self, schema: ibis.Schema, rows: Rows) -> ibis.Table:
        columns = ", ".join(f'"{name}" {TYPES[str(kind)]}' for name, kind in schema.items())
        self.duckdb.execute(f"CREATE OR REPLACE TABLE given ({columns})")
        self.duckdb.executemany(f"INSERT INTO given VALUES ({', '.join('?' * len(schema))})", rows)
        self.postgres.execute("DROP TABLE IF EXISTS given")
        self.postgres.execute(f"CREATE TEMPORARY TABLE given ({columns})".encode())
        marks = ", ".join(["%s"] * len(schema))
        self.postgres.cursor().executemany(f"INSERT INTO given VALUES ({marks})".encode(), rows)
        self.spark.createDataFrame(self.duckdb.table("given").to_arrow_table()).createOrReplaceTempView("given")
        return ibis.table(schema, name="given")

    def asked(self, rows: ibis.Table) -> list[Rows]:
        """What each engine answers, in no order."""

        def sql(dialect: Dialect) -> str:
            return compiled(rows, dialect)

        in_postgres = self.postgres.execute(str(ibis.to_sql(rows, dialect="postgres")).encode()).fetchall()
        in_spark = [tuple(row) for row in self.spark.sql(sql("pyspark")).collect()]
        return [in_postgres, self.duckdb.execute(sql("duckdb")).fetchall(), in_spark]

    def agreed(self, rows: ibis.Table) -> Rows:
        """The answer of all, sorted."""
        first, *others = (sorted(answer, key=repr) for answer in self.asked(rows))
        for other in others:
            assert other == first
        return first


@pytest.fixture
def three(postgres: str, spark: SparkSession) -> Iterator[Three]:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("SET jit TO off")
        yield Three(connection, spark)


def test_an_expression_means_the_same_on_all_engines(three: Three) -> None:
    kinds = {"text": "string", "boolean": "boolean"}
    columns = {name: kinds.get(kind, "int64") for name, kind in SCHEMA.items() if "." not in name}
    rows = three.given(ibis.schema(columns), [tuple(ROW[name] for name in columns)])
    bound = {f"v{nth}": bind(parse(text, SCHEMA), rows) for nth, (text, _) in enumerate(MEANINGS)}
    (found,) = three.agreed(rows.select(**bound))
    assert dict(zip(MEANINGS, found, strict=True)) == {each: each[1] for each in MEANINGS}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "渠道 😀 é e\u0301",
        "'",
        '"',
        "`",
        "\\",
        "\\n\\'",
        "%s",
        "${spark.app.name}",
        "$1 :a ?",
        "--",
        " a ",
    ],
)
def test_a_text_is_itself_on_all_engines(three: Three, text: str) -> None:
    rows = three.given(ibis.schema({"told": "string"}), [(text,), (text + " ",), (None,)])
    quoted = "'" + text.replace("'", "''") + "'"
    schema = {"told": "text"}
    asked = {
        "same": f"told = {quoted}",
        "among": f"told in ('x', {quoted})",
        "said": f"case when told is null then {quoted} end",
    }
    values = {name: bind(parse(told, schema), rows) for name, told in asked.items()}
    found = three.agreed(rows.select("told", **values))
    assert sorted(found, key=repr) == sorted(
        [(text, True, True, None), (text + " ", False, False, None), (None, None, None, text)], key=repr
    )


def test_drawn_expressions_mean_the_same_in_spark_too(postgres: str, spark: SparkSession) -> None:
    own = spark.newSession()
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("SET jit TO off")
        engines = Engines(connection)
        own.createDataFrame(engines.duckdb.table("given").to_arrow_table()).createOrReplaceTempView("given")

        @settings(max_examples=12, deadline=None, database=None)
        @given(asked=st.lists(texts, min_size=25, max_size=25))
        def agree(asked: list[str]) -> None:
            accepted = [found for text in asked if (found := let_in(text)) is not None]
            in_duckdb, in_postgres = engines.values(accepted)
            bound = {f"v{nth}": bind(each, engines.rows) for nth, each in enumerate(accepted)}
            query = compiled(engines.rows.select("nth", **bound).order_by("nth"), "pyspark")
            in_spark = [tuple(row) for row in own.sql(query).collect()]
            assert in_spark == in_duckdb == in_postgres

        agree()
        engines.duckdb.close()


@pytest.mark.parametrize(
    "text", ["9223372036854775807 + a", "-9223372036854775807 - a - a", "4611686018427387904 * (a + a)"]
)
def test_what_overflows_is_an_error_on_all_engines(three: Three, text: str) -> None:
    rows = three.given(ibis.schema({"a": "int64"}), [(1,)])
    query = rows.select(value=bind(parse(text, {"a": "integer"}), rows))
    with pytest.raises(psycopg.errors.NumericValueOutOfRange):
        three.postgres.execute(str(ibis.to_sql(query, dialect="postgres")).encode())
    with pytest.raises(duckdb.OutOfRangeException):
        three.duckdb.execute(compiled(query)).fetchall()
    with pytest.raises(Exception, match="ARITHMETIC_OVERFLOW"):
        three.spark.sql(compiled(query, "pyspark")).collect()


EVENTS = ibis.schema(
    {"subject": "string", "type": "string", "occurred_at": "int64", "position": "int64", "seq": "int64",
     "problem": "string", "into_id": "string", "automated": "boolean"}
)  # fmt: skip
CELLS: dict[str, Spec] = {
    "first": first("problem", "contact.problem_flagged"),
    "last": last("problem", "contact.problem_flagged"),
    "merged_into": edge("into_id", "contact.merged", "contact.unmerged"),
    "flags": count("contact.problem_flagged"),
    "problems": distinct("problem", "contact.problem_flagged"),
    "misunderstood": ever("contact.problem_flagged", problem="misunderstanding"),
    "by_people": ever("contact.answered", automated=False),
    "status": status({"contact.received": "open", "contact.answered": "answered"}, automated=False),
}


def test_cells_are_folded_alike_where_nothing_is_told(three: Three) -> None:
    flag, merge, unmerge = "contact.problem_flagged", "contact.merged", "contact.unmerged"
    told = [
        # of an event that does not say which problem, nothing can be counted
        ("none", flag, 5, 1, 0, None, None, None),
        ("some", flag, 5, 2, 0, None, None, None),
        ("some", flag, 6, 3, 1, "misunderstanding", None, None),
        ("some", flag, 7, 4, 2, "délai", None, None),
        ("merged", merge, 9, 5, 1, None, "渠", None),
        ("merged", unmerge, 8, 6, 0, None, None, None),
        ("back", merge, 9, 8, 1, None, "b", None),
        ("back", merge, 8, 7, 0, None, "a", None),
        ("answered", "contact.received", 1, 9, 0, None, None, None),
        ("answered", "contact.answered", 2, 10, 1, None, None, None),
        ("robot", "contact.received", 1, 11, 0, None, None, None),
        ("robot", "contact.answered", 2, 12, 1, None, None, True),
    ]
    rows = three.given(EVENTS, told)
    found = three.agreed(fold(rows, {"subject": rows.subject}, CELLS))
    assert {row[0]: row[1:] for row in found} == {
        "none": (None, None, None, 1, 0, False, False, None),
        "some": ("misunderstanding", "délai", None, 3, 2, True, False, None),
        "merged": (None, None, None, 0, 0, False, False, None),
        "back": (None, None, "b", 0, 0, False, False, None),
        "answered": (None, None, None, 0, 0, False, False, "answered"),
        "robot": (None, None, None, 0, 0, False, False, "open"),
    }


def test_nulls_and_ties_are_taken_alike(three: Three) -> None:
    schema = ibis.schema({"id": "string", "a": "int64", "b": "int64"})
    rows = three.given(schema, [("é", None, 1), ("Z", -3, None), ("a", None, None), ("渠", 5, 5), ("😀", 5, 2)])
    in_order = ibis.window(order_by=[rows.a, rows.id])
    falling = ibis.window(order_by=[rows.a.desc(), rows.id.desc()])
    found = three.agreed(
        rows.select(
            "id",
            least=ibis.least(rows.a, rows.b),
            greatest=ibis.greatest(rows.a, rows.b),
            rest=(rows.a - 1) % 3,
            nth=ibis.row_number().over(in_order),
            before=rows.b.lag().over(in_order),
            after=rows.id.lead().over(falling),
            so_far=rows.a.sum().over(ibis.cumulative_window(order_by=[rows.a, rows.id])).cast("int64"),
        )
    )
    assert {row[0]: row[1:5] for row in found} == {
        "Z": (-3, -3, -1, 0),
        "渠": (5, 5, 1, 1),
        "😀": (2, 5, 1, 2),
        "a": (None, None, None, 3),
        "é": (1, 1, None, 4),
    }


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "UTC"])
def test_the_local_day_is_that_of_zoneinfo_in_spark_too(three: Three, zone: str) -> None:
    moments = [at for at in INSTANTS if at > FROM_2000 or zone in ("Asia/Shanghai", "UTC")]
    rows = three.given(ibis.schema({"moment": "int64"}), [(at,) for at in moments])
    found = three.agreed(rows.select("moment", day=local_day(rows.moment, zone)))
    assert dict(found) == {at: local_day_of(at, zone) for at in moments}
