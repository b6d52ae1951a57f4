"""Whatever the language lets in means the same on every engine and to a plain evaluator; nothing else reaches one."""

from functools import cache
from typing import Any

import duckdb
import ibis
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rulebook.expressions import BadExpression, Expression, Kind, parse
from projections.tables.expressions import bind
from replays.engine import TYPES
from tests.reference.expressions import evaluate

SCHEMA: dict[str, Kind] = {
    "channel": "text",
    "kind": "text",
    "score": "integer",
    "scale": "integer",
    "valid": "boolean",
    "open": "boolean",
    "received_at": "time",
    "answered_at": "time",
    "quarter": "day",
    "answer.met": "boolean",
    "answer.ended": "boolean",
    "answer.ended_at": "time",
    "answer.elapsed": "duration",
}
CLOCK = {
    "answer_outcome": "string",
    "answer_deadline": "int64",
    "answer_ended_at": "int64",
    "answer_elapsed_us": "int64",
}
COLUMNS = ibis.schema(
    {"nth": "int64"}
    | {
        name: {"text": "string", "boolean": "boolean"}.get(kind, "int64")
        for name, kind in SCHEMA.items()
        if "." not in name
    }
    | CLOCK
)
ROWS: list[tuple[Any, ...]] = [
    (0, "email", "it's", 1, 5, True, False, 10, 20, 0, "met", 30, 20, 10),
    (1, "phone", "email", -2, -2, False, None, 20, 20, 7, "missed", 15, 15, 0),
    (2, None, "email", None, 3, None, True, None, 5, None, None, None, None, None),
    (3, "a--b", None, 3, None, True, True, -7, None, 0, None, 40, None, None),
    (4, "", "", 0, 0, False, False, 0, 0, 0, "merged", None, 12, 4),
    (5, *[None] * 13),
]

LITERALS = ["0", "1", "2", "3", "'email'", "'it''s'", "'a--b'", "''", "true", "false", "null"]
WORDS = ["and", "or", "not", "is null", "is not null", "in", "(", ")", ",", "=", "<>", "!=", "<", "<=", ">", ">=", "+"]
WORDS += ["-", "*", "case", "when", "then", "else", "end", "coalesce", "AND", "is", '"score"', "in (", "not in ("]
STRANGE = ["select", "from", "cast", "as", "::", "--", "/*", ";", "now()", "like", "between", "/", "%", "||", "$1", "?"]
STRANGE += [
    "e'a'",
    "'",
    '"',
    ".",
    "1.5",
    "1e3",
    "\x00",
    "\u00a0",
    "＝",
    "exists",
    "interval",
    "[",
    "{",
    "@",
    "#",
    "\\",
    "\n",
]
soup = st.lists(st.sampled_from([*SCHEMA, *LITERALS, *WORDS, *STRANGE]), max_size=15)


@cache
def of(kind: str, depth: int) -> st.SearchStrategy[list[str]]:
    """Words of an expression that gives a kind of value."""
    own = [name for name, each in SCHEMA.items() if each == kind]
    own += {"text": LITERALS[4:8], "integer": LITERALS[:4], "boolean": ["true", "false"]}.get(kind, [])
    plain = st.sampled_from(own).map(lambda word: [word])
    if not depth:
        return plain

    def built(*parts: str | st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
        made = [st.just([part]) if isinstance(part, str) else part for part in parts]
        return st.tuples(*made).map(lambda found: [word for part in found for word in part])

    same, condition = of(kind, depth - 1), of("boolean", depth - 1)
    ways = [
        plain,
        built("(", same, ")"),
        built("coalesce", "(", same, ",", same, ")"),
        built("case", "when", condition, "then", same, "else", same, "end"),
        built("case", "when", condition, "then", same, "when", condition, "then", same, "end"),
    ]
    if kind == "integer":
        ways += [built(same, sign, same) for sign in "+-*"] + [built("-", same)]
    if kind == "boolean":
        ways += [built("not", same), built(same, "and", same), built(same, "or", same)]
        for each in ("text", "integer", "boolean", "time", "day"):
            other = of(each, depth - 1)
            ways += [built(other, "is", "null"), built(other, "is", "not", "null"), built(other, "=", other)]
            if each in ("integer", "time", "day"):
                ways += [built(other, sign, other) for sign in ("<", ">=", "<>")]
        ways.append(built(of("text", depth - 1), "not", "in", "(", "'email'", ",", "''", ")"))
        ways.append(built(of("integer", depth - 1), "in", "(", "1", ",", "3", ")"))
    return st.one_of(ways)


@st.composite
def mutated(draw: st.DrawFn) -> list[str]:
    """A valid expression, in which a word or two may have been lost, doubled or changed."""
    words = draw(of(draw(st.sampled_from(["boolean", "boolean", "integer"])), 2))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(words) - 1))
        new = draw(
            st.sampled_from([[], [words[at]] * 2, [draw(st.sampled_from([*SCHEMA, *LITERALS, *WORDS, *STRANGE]))]])
        )
        words = [*words[:at], *new, *words[at + 1 :]] or ["valid"]
    return words


texts = st.one_of(
    st.sampled_from(["boolean", "integer", "text"]).flatmap(lambda kind: of(kind, 2)).map(" ".join),
    mutated().map(" ".join),
    mutated().map(" ".join),
    soup.map(" ".join),
    soup.map("".join),
    st.text(max_size=30),
)


def let_in(text: str) -> Expression | None:
    try:
        return parse(text, SCHEMA)
    except BadExpression as error:
        if not 0 <= error.place <= len(text):
            raise
        return None


def told(row: tuple[Any, ...]) -> dict[str, Any]:
    """A row as the plain evaluator is given it."""
    values = dict(zip(COLUMNS.names, row, strict=True))
    outcome = values["answer_outcome"]
    ended = outcome in ("met", "missed") or (outcome is None and values["answer_deadline"] is not None)
    parts = {"met": outcome == "met", "ended": ended}
    parts |= {"ended_at": values["answer_ended_at"], "elapsed": values["answer_elapsed_us"]}
    return values | {f"answer.{part}": value for part, value in parts.items()}


class Engines:
    """DuckDB and PostgreSQL with the same table."""

    def __init__(self, postgres: psycopg.Connection[Any]) -> None:
        self.duckdb, self.postgres = duckdb.connect(), postgres
        columns = ", ".join(f'"{name}" {TYPES[str(dtype)]}' for name, dtype in COLUMNS.items())
        self.duckdb.execute(f"CREATE TABLE given ({columns})")
        self.duckdb.executemany(f"INSERT INTO given VALUES ({', '.join('?' * len(COLUMNS))})", ROWS)
        postgres.execute(f"CREATE TEMPORARY TABLE given ({columns})".encode())
        postgres.cursor().executemany(f"INSERT INTO given VALUES ({', '.join(['%s'] * len(COLUMNS))})".encode(), ROWS)
        self.rows = ibis.table(COLUMNS, name="given")

    def values(self, expressions: list[Expression]) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """What DuckDB and PostgreSQL make of expressions, row by row."""
        bound = {f"v{nth}": bind(each, self.rows) for nth, each in enumerate(expressions)}
        query = self.rows.select("nth", **bound).order_by("nth")
        in_duckdb = self.duckdb.execute(str(ibis.to_sql(query, dialect="duckdb"))).fetchall()
        in_postgres = self.postgres.execute(str(ibis.to_sql(query, dialect="postgres")).encode()).fetchall()
        return in_duckdb, in_postgres


@pytest.fixture
def engines(postgres: str) -> Any:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("SET jit TO off")
        made = Engines(connection)
        yield made
        made.duckdb.close()


def test_what_is_let_in_means_the_same_everywhere(engines: Engines) -> None:
    seen = {"let in": 0, "refused": 0, "evaluated": 0}

    @settings(max_examples=120, deadline=None, database=None)
    @given(asked=st.lists(texts, min_size=25, max_size=25))
    def agree(asked: list[str]) -> None:
        accepted = {text: found for text in asked if (found := let_in(text)) is not None}
        seen["let in"] += len(accepted)
        seen["refused"] += len(asked) - len(accepted)
        in_duckdb, in_postgres = engines.values(list(accepted.values()))
        for nth, text in enumerate(accepted, 1):
            ours, theirs = ([row[nth] for row in answer] for answer in (in_duckdb, in_postgres))
            assert ours == theirs, text
            try:
                plain = [evaluate(text.replace('"', ""), told(row)) for row in ROWS]
            except ValueError:  # the evaluator reads less than the language: `a = b = c`, `a is null is null`
                continue
            seen["evaluated"] += 1
            assert ours == plain, text

    agree()
    assert min(seen.values()) > 100, seen


@pytest.mark.parametrize(
    "text", ["score * 9223372036854775807 * 3", "9223372036854775807 + scale", "-score - 9223372036854775807"]
)
def test_what_leaves_64_bits_is_an_error_on_every_engine_and_never_another_number(engines: Engines, text: str) -> None:
    query = engines.rows.select(value=bind(parse(text, SCHEMA), engines.rows))
    with pytest.raises(duckdb.OutOfRangeException):
        engines.duckdb.execute(str(ibis.to_sql(query, dialect="duckdb"))).fetchall()
    with pytest.raises(psycopg.errors.NumericValueOutOfRange):
        engines.postgres.execute(str(ibis.to_sql(query, dialect="postgres")).encode())
