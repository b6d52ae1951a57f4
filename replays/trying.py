"""A rule book tried before it is published: that it fits the tables, and that its own `tests` hold.

A test gives one row of a table (its columns; those left out are empty) and expects what expressions over the row and
its clocks are: `{given: {table: handoffs, requested_at: …}, expect: {handoff_answer.met: true}}`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import ibis
import yaml

from ledger.rulebook.expressions import BadExpression, Expression, Kind, parse
from ledger.rulebook.loading import BadRuleBook, line_of, load
from ledger.rulebook.model import Example, RuleBook, day_us, instant_us
from ledger.rulebook.rules import Rules
from ledger.safe_yaml import SafeLoader
from projections.checking import Misfit, misfits
from projections.contributions import columns_of
from projections.inputs import Whole, schema_of
from projections.recipes import calendars_of, compiled
from projections.tables import TABLES
from projections.tables.clockwork import Clocked, with_clocks
from projections.tables.expressions import bind, schema_for
from projections.values import BadValue, read, shown
from replays.engine import Engine

GIVEN_KEY: dict[Kind, Any] = {"text": "given", "integer": 1}
"""What a row is named by where a test does not say."""


@lru_cache(maxsize=16)
def check(book_text: str, source: str = "rule book") -> RuleBook:
    """A book that can be published.

    Raises BadRuleBook; each of its lines reads `source:line: key: what is wrong`.
    """
    book = load(book_text, source)
    found = misfits(book) or list(_failures(book, book_text))
    if found:
        tree = yaml.compose(book_text, Loader=SafeLoader)
        lines = (f"{source}:{line_of(tree, at)}: {'.'.join(map(str, at))}: {problem}" for at, problem in found)
        raise BadRuleBook("\n".join(lines))
    return book


def _failures(book: RuleBook, book_text: str) -> Iterator[Misfit]:
    if not book.tests:
        return
    with Engine() as engine:
        engine.fill_calendars(calendars_of(book_text))
        for nth, example in enumerate(book.tests):
            try:
                given = _row(example, book)
            except BadValue as error:
                yield ("tests", nth, "given"), str(error)
                continue
            table = example.given["table"]
            schema = schema_for(columns_of(table, Rules((book,))), table, book)
            asked: dict[str, Expression] = {}
            for text in example.expect:
                try:
                    asked[text] = parse(text, schema)
                except BadExpression as error:
                    yield ("tests", nth, "expect", text), str(error)
            for text, value in _worked_out(engine, book, table, given, asked).items():
                expected = example.expect[text]
                if value != _plain(expected):
                    told = shown(asked[text].kind or "boolean", value)
                    yield ("tests", nth, "expect", text), f"is {told!r}, not {expected!r}"


def _row(example: Example, book: RuleBook) -> dict[str, Any]:
    """The given row, as engines hold it. Raises BadValue."""
    given = dict(example.given)
    table = given.pop("table", None)
    if table not in TABLES:
        raise BadValue(f"table: there is no table {table!r}; there are {', '.join(TABLES)}")
    columns = TABLES[table].columns
    strange = given.keys() - columns.keys()
    if strange:
        raise BadValue(f"{table} has no column {', '.join(sorted(map(str, strange)))}; it has {', '.join(columns)}")
    row: dict[str, Any] = {name: GIVEN_KEY.get(columns[name]) for name in TABLES[table].key}
    for name, value in given.items():
        plain = _plain(value)
        try:
            row[name] = plain if plain is None or not isinstance(plain, str) else read(columns[name], plain)
        except BadValue as error:
            raise BadValue(f"{name}: {error}") from error
    return row


def _plain(value: Any) -> Any:
    """A YAML value as engines hold it."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise BadValue(f"{value} needs its offset from UTC (end it with Z or +08:00)")
        return instant_us(value)
    return day_us(value) if isinstance(value, date) else value


def _worked_out(
    engine: Engine, book: RuleBook, table: str, given: dict[str, Any], asked: dict[str, Expression]
) -> dict[str, Any]:
    """What expressions are over one row and its clocks."""
    if not asked:
        return {}
    base = TABLES[table].columns
    schema = schema_of(base)
    rules = Rules((book,))
    inputs = Whole(rules, table=f"try_{table}")
    clocked = Clocked(ibis.table(schema, name="given"), TABLES[table].key, base, rules.targets(table))
    rows = with_clocks(clocked, inputs)
    values = {f"value_{nth}": bind(expression, rows) for nth, expression in enumerate(asked.values())}
    query = compiled(rows.select(**values))
    engine.create("given", schema)
    try:
        marks = ", ".join("?" for _ in base)
        engine.fill("given", schema, f"VALUES ({marks})", [given.get(name) for name in base])
        for stage, made in inputs.stages.items():
            engine.create(stage, made.schema())
            engine.fill(stage, made.schema(), compiled(made))
        found = engine.connection.execute(query).fetchone()
    finally:
        for name in ("given", *inputs.stages):
            engine.connection.execute(f'DROP TABLE IF EXISTS "{name}"')
    assert found is not None
    return dict(zip(asked, found, strict=True))
