"""The language of the rule book: what it lets in, what it refuses and where, and what it means on every engine."""

import duckdb
import ibis
import psycopg
import pytest

from ledger.rulebook.expressions import MAX_DEPTH, MAX_LENGTH, BadExpression, Expression, Kind, parse
from ledger.rulebook.lexicon import MAX_NESTING
from ledger.rulebook.loading import default_book
from ledger.rulebook.rules import Rules
from projections.contributions import columns_of
from projections.tables import TABLES
from projections.tables.expressions import bind

SCHEMA: dict[str, Kind] = {
    "channel": "text",
    "kind": "text",
    "score": "integer",
    "scale": "integer",
    "valid": "boolean",
    "received_at": "time",
    "answered_at": "time",
    "quarter": "day",
    "first_response.met": "boolean",
    "first_response.elapsed": "duration",
}


def condition(text: str) -> Expression:
    """An expression where a condition is wanted: its kind is for the one who wants it to look at."""
    expression = parse(text, SCHEMA)
    if expression.kind != "boolean":
        raise BadExpression(text, 0, f"boolean wanted here, not {expression.kind}")
    return expression


@pytest.mark.parametrize(
    "text",
    [
        # other statements, and more than one
        "drop table log.entries",
        "valid; drop table log.entries",
        "select valid",
        "(select true)",
        "exists (select 1)",
        "channel in (select channel from contacts)",
        "valid union select true",
        "score = any(array[1, 2])",
        "score = all(select 1)",
        "with a as (select 1) select 1",
        "copy contacts to '/tmp/x'",
        "set role postgres",
        # functions and casts
        "pg_sleep(10) is null",
        "now() > received_at",
        "current_timestamp > received_at",
        "current_user = channel",
        "lower(channel) = 'x'",
        "length(channel) > 3",
        "abs(score) > 3",
        "score::text = '1'",
        "cast(score as text) = '1'",
        "received_at > timestamp '2026-01-01'",
        "received_at > date '2026-01-01'",
        "received_at > interval '1 day'",
        "extract(year from received_at) = 2026",
        "count(*) > 1",
        "sum(score) > 1",
        "row_number() over () > 1",
        "nullif(score, 1) = 1",
        "greatest(score, 1) = 1",
        "random() > 0",
        "pg_catalog.version() = ''",
        "coalesce(distinct valid)",
        # operators that engines read differently
        "score / 2 > 1",
        "score % 2 = 1",
        "score ^ 2 = 1",
        "score & 1 = 1",
        "score | 1 = 1",
        "score # 1 = 1",
        "~score = 1",
        "score << 1 = 1",
        "channel || 'x' = 'y'",
        "channel like 'e%'",
        "channel ilike 'e%'",
        "channel similar to 'e'",
        "channel ~ 'e'",
        "channel -> 'x' = 'y'",
        "score between 1 and 2",
        "valid is true",
        "score is distinct from 1",
        "channel collate \"C\" = 'x'",
        "received_at at time zone 'UTC' = received_at",
        "channel < 'm'",
        "valid > false",
        # names
        "nothing",
        "VALID and CHANNEL = 'x'",
        "contacts.channel = 'x'",
        "log.entries.channel = 'x'",
        "a.b.c.channel = 'x'",
        "*",
        "contacts.*",
        "channel as x",
        "channel, kind",
        "$1",
        "?",
        ":name",
        "@score = 1",
        "%(asked)s = 1",
        "{valid}",
        # literals
        "score = 1.5",
        "score = .5",
        "score = 1e3",
        "score = 0x1F",
        "score = 1_000",
        "score = ²",
        "score = 9223372036854775808",
        "score = " + "9" * 500,
        "channel = e'\\n'",
        "channel = b'1'",
        "channel = x'1F'",
        "channel = $$x$$",
        "channel = n'x'",
        "channel = 'x",
        "channel = null",
        "valid = null",
        "null",
        # comments, also where nobody looks
        "valid -- and more",
        "valid /* and more */",
        "valid /*+ hint */",
        "valid {# and more #}",
        "{% if 1 %} valid",
        # kinds
        "score",
        "score = 'x'",
        "channel = 1",
        "received_at > 1",
        "received_at = quarter",
        "received_at - answered_at > 1",
        "channel + 1 = 2",
        "-channel = 1",
        "not score",
        "score and valid",
        "valid or 1",
        "channel in (1, 2)",
        "channel in ('a', null)",
        "channel in (kind)",
        "channel in ()",
        "coalesce(score, 'x') = 1",
        "case when score then 1 else 2 end = 1",
        "case when valid then 1 else 'x' end = 1",
        "case channel when 'x' then true else false end",
        "case when valid then null end is null",
        # nothing at all
        "",
        "   ",
        "()",
        ")",
        "valid)",
        "(valid",
        "valid valid valid",
        "valid and",
        "'",
        "\x00",
        "valid\x00",
    ],
)
def test_what_is_not_on_the_list_is_refused(text: str) -> None:
    with pytest.raises(BadExpression):
        condition(text)


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("valid and nothing = 1", 11, "no column 'nothing'"),
        ("valid and lower(channel) = 'x'", 11, "LOWER is not allowed"),
        ("channel = 'x' or score = 9223372036854775808", 26, "not a whole number of 64 bits"),
        ("valid and score / 2 = 1", 17, "'/' is not allowed"),
        ("valid and channel < 'm'", 11, "order differs"),
        ("channel = 'x' -- and", 15, "comments"),
        ("first_response.late", 1, "no column 'first_response.late'"),
    ],
)
def test_a_refusal_says_where(text: str, place: int, said: str) -> None:
    with pytest.raises(BadExpression, match=said) as caught:
        parse(text, SCHEMA)
    assert f"(at character {place} of " in str(caught.value)
    assert caught.value.place == place - 1


@pytest.mark.parametrize(
    "text",
    [
        "(" * 500 + "valid" + ")" * 500,
        "not " * 400 + "valid",
        "-" * 1000 + "1 = 1",
        " or ".join(["valid"] * 200),
        "case when " * 100 + "valid" + " then true else false end" * 60,
        "coalesce(" * 150 + "valid" + ")" * 150,
        "a" * (MAX_LENGTH + 1),
        "channel = '" + "x" * MAX_LENGTH + "'",
    ],
    ids=lambda text: text[:12],
)
def test_the_deep_and_the_long_are_refused_in_words(text: str) -> None:
    with pytest.raises(BadExpression):
        parse(text, SCHEMA)


def test_depth_is_counted() -> None:
    def nested(depth: int) -> str:
        return "not (" * depth + "valid" + ")" * depth

    assert parse(nested(MAX_NESTING // 2), SCHEMA).kind == "boolean"
    with pytest.raises(BadExpression, match=f"nested more than {MAX_NESTING} deep") as caught:
        parse(nested(MAX_NESTING // 2 + 1), SCHEMA)
    assert caught.value.place == len("not (") * MAX_NESTING // 2
    assert parse(" and ".join(["valid"] * MAX_DEPTH), SCHEMA).kind == "boolean"
    with pytest.raises(BadExpression, match=f"more than {MAX_DEPTH} deep"):
        parse(" and ".join(["valid"] * (MAX_DEPTH + 2)), SCHEMA)


def test_every_column_of_every_table_can_be_spoken_of() -> None:
    for name in TABLES:
        columns = columns_of(name, Rules((default_book(),)))
        for column in columns:
            assert parse(f"{column} is null", columns).columns() == {column}


def test_columns_are_known() -> None:
    expression = parse("first_response.met and coalesce(score, 0) >= 3 and channel in ('a', 'b')", SCHEMA)
    assert expression.columns() == {"first_response.met", "score", "channel"}
    assert expression.kind == "boolean"


@pytest.mark.parametrize(
    "text", ["2 * first_response.elapsed", "first_response.elapsed * 2", "score + first_response.elapsed"]
)
def test_a_duration_stays_one_whichever_side_it_stands_on(text: str) -> None:
    assert parse(text, SCHEMA).kind == "duration"


def test_a_tree_is_plain_data() -> None:
    assert parse("not valid", SCHEMA) == Expression("not", "boolean", (Expression("column", "boolean", value="valid"),))


ROW = {"channel": "e-mail's \\ %s 渠道", "kind": None, "score": 4, "scale": 5, "valid": None, "received_at": 10,
       "answered_at": None, "quarter": 0}  # fmt: skip
MEANINGS: list[tuple[str, bool | int | None]] = [
    ("channel is not null", True),
    ("channel is null", False),
    ("kind is not null", False),
    ("not kind is null", False),
    ("kind is null", True),
    ("channel not in ('phone', 'meeting')", True),
    ("channel in ('phone', 'e-mail''s \\ %s 渠道')", True),
    ("not (channel in ('phone'))", True),
    ("kind in ('phone')", None),
    ("kind not in ('phone')", None),
    ("score * 10 >= scale * 8", True),
    ("score = 4 and valid", None),
    ("score = 5 and valid", False),
    ("score = 4 or valid", True),
    ("not valid", None),
    ("coalesce(valid, true)", True),
    ("coalesce(valid, null, false)", False),
    ("case when valid then 1 when score > 3 then 2 else 3 end", 2),
    ("case when valid then 1 end", None),
    ("case when score > 3 then null else 1 end", None),
    ("score - scale - 1", -2),
    ("score - (scale - 1)", 0),
    ("-score * -2", 8),
    ("- -score", 4),
    ("1 + 2 * 3", 7),
    ("200 * 200", 40_000),
    ("100000 * 100000 - 1", 9_999_999_999),
    ("9223372036854775807 - 1", 9_223_372_036_854_775_806),
    ("received_at > answered_at", None),
    ("answered_at is null or answered_at > received_at", True),
    ("score <> 4", False),
    ("score != 4", False),
    ("channel <> kind", None),
    ("true and not false", True),
    ('"score" = 4', True),
]


@pytest.mark.parametrize(("text", "meaning"), MEANINGS, ids=[text for text, _ in MEANINGS])
def test_it_means_the_same_on_every_engine(postgres: str, text: str, meaning: object) -> None:
    types = {"text": "string", "boolean": "boolean"}
    columns = {name: types.get(kind, "int64") for name, kind in SCHEMA.items() if "." not in name}
    rows = ibis.table(ibis.schema(columns), name="given")
    found = rows.select(value=bind(parse(text, SCHEMA), rows))
    names = ", ".join(f'"{name}"' for name in columns)
    with psycopg.connect(postgres) as connection:
        shapes = ", ".join(
            f'"{name}" {({"string": "text", "int64": "bigint", "boolean": "boolean"})[kind]}'
            for name, kind in columns.items()
        )
        connection.execute(f"CREATE TEMPORARY TABLE given ({shapes})".encode())
        marks = ", ".join(["%s"] * len(columns))
        connection.execute(f"INSERT INTO given ({names}) VALUES ({marks})".encode(), [ROW[name] for name in columns])
        in_postgres = connection.execute(str(ibis.to_sql(found, dialect="postgres")).encode()).fetchone()
    with duckdb.connect() as connection:
        shapes = ", ".join(
            f'"{name}" {({"string": "VARCHAR", "int64": "BIGINT", "boolean": "BOOLEAN"})[kind]}'
            for name, kind in columns.items()
        )
        connection.execute(f"CREATE TABLE given ({shapes})")
        marks = ", ".join(["?"] * len(columns))
        connection.execute(f"INSERT INTO given ({names}) VALUES ({marks})", [ROW[name] for name in columns])
        in_duckdb = connection.execute(str(ibis.to_sql(found, dialect="duckdb"))).fetchone()
    assert in_postgres is not None
    assert in_duckdb is not None
    assert (in_postgres[0], in_duckdb[0]) == (meaning, meaning)
