"""Recipes: all that leads from the log's bytes to tables and figures, as SQL for DuckDB; the tables for Spark as well.

Compiled once per program and rule book, and kept for good under its digest, which the stamp of a figure names: what
another version of the program would work out otherwise, the old recipe still works out as it did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any, Literal

import ibis
import ibis.expr.types as ir
import orjson
import pyarrow

from ledger.events import AGGREGATES
from ledger.log.documents import digest_of
from ledger.rulebook.rules import Rules
from projections.compiled import calendars, once, parsed
from projections.contributions import columns_of, contributions
from projections.entries import typed_sql
from projections.inputs import CALENDARS, Apart, schema_of
from projections.readings import Reading, reading
from projections.relation import effective_apart, effective_schema, raw_schema
from projections.tables import CLOCKS, TABLES

Dialect = Literal["duckdb", "pyspark"]
"""Whose SQL it is, as Ibis names them."""
ARROW = {"string": pyarrow.string(), "int64": pyarrow.int64(), "boolean": pyarrow.bool_()}
VALID_AT = 7_246_331_902_119
"""Stands in the compiled SQL where a parameter belongs."""


@dataclass(frozen=True)
class Definition:
    """A table's SQL: stages to fill first (name, schema, query), the query for its rows, its schema, and the query for
    what it adds to the counters (None where no additive metric stands on it)."""

    name: str
    schema: ibis.Schema
    stages: tuple[tuple[str, ibis.Schema, str], ...]
    rows: str
    contributions: str | None


@dataclass(frozen=True)
class Events:
    """How one aggregate's entries become events that count.

    raw, effective: the schemas of the two relations, `raw_<aggregate>` and `effective_<aggregate>`; typed: the
    statement that adds entries to the first; valid, valid_at: the queries for the second, the latter with a moment as
    its parameter.
    """

    raw: ibis.Schema
    typed: str
    effective: ibis.Schema
    valid: str
    valid_at: str


@dataclass(frozen=True)
class Recipe:
    """events: by aggregate, from its entries to its effective events; calendars: the relations of the calendars,
    worked out, each as an Arrow stream; definitions: every table in the order of dependence, the clocks last;
    readings: what each metric reads."""

    book_text: str
    events: Mapping[str, Events]
    calendars: Mapping[str, bytes]
    definitions: tuple[Definition, ...]
    readings: dict[str, Reading]

    @property
    def rules(self) -> Rules:
        return parsed(self.book_text)

    @cached_property
    def document(self) -> bytes:
        """The recipe as JSON; its calendars, many times as long, are named by their digest."""
        return orjson.dumps(
            {
                "book": self.book_text,
                "events": {
                    aggregate: [columns(each.raw), each.typed, columns(each.effective), each.valid, each.valid_at]
                    for aggregate, each in self.events.items()
                },
                "calendars": {name: digest_of(content) for name, content in self.calendars.items()},
                "definitions": [
                    [
                        one.name,
                        columns(one.schema),
                        [[name, columns(schema), query] for name, schema, query in one.stages],
                        one.rows,
                        one.contributions,
                    ]
                    for one in self.definitions
                ],
                "readings": {name: vars(each) for name, each in self.readings.items()},
            }
        )

    def alike(self, other: Recipe) -> bool:
        """Whether another recipe gives the same tables and figures, whatever else its rule books say."""
        return (self.definitions, self.readings, self.calendars) == (
            other.definitions,
            other.readings,
            other.calendars,
        )

    @cached_property
    def digest(self) -> str:
        return digest_of(self.document)


def read_recipe(document: bytes, calendars: Mapping[str, bytes]) -> Recipe:
    """A recipe out of its document and its calendars."""
    made = orjson.loads(document)
    return Recipe(
        book_text=made["book"],
        events={
            aggregate: Events(ibis.schema(raw), typed, ibis.schema(effective), valid, valid_at)
            for aggregate, (raw, typed, effective, valid, valid_at) in made["events"].items()
        },
        calendars=calendars,
        definitions=tuple(
            Definition(
                name,
                ibis.schema(schema),
                tuple((stage, ibis.schema(each), query) for stage, each, query in stages),
                rows,
                sums,
            )
            for name, schema, stages, rows, sums in made["definitions"]
        ),
        readings={
            name: Reading(tuple(each["key"]), tuple(each["by"]), each["standing"], each["query"])
            for name, each in made["readings"].items()
        },
    )


def calendars_in(document: bytes) -> dict[str, str]:
    """The digests of a recipe's calendars by relation, out of its document."""
    found: dict[str, str] = orjson.loads(document)["calendars"]
    return found


def columns(schema: ibis.Schema) -> dict[str, str]:
    """A schema as plain names."""
    return {name: str(kind) for name, kind in schema.items()}


RECIPES: dict[str, Recipe] = {}
"""What this process knows, by the rule book's text: compiled by itself, or by another and kept in the database."""


def recipe(book_text: str) -> Recipe:
    """This program's recipe under a rule book."""
    if book_text not in RECIPES:
        rules = parsed(book_text)
        RECIPES[book_text] = Recipe(
            book_text=book_text,
            events=typing_events(),
            calendars=calendars_of(book_text),
            definitions=definitions(book_text),
            readings={
                name: once("reading", name, rules, partial(reading, name))
                for name in dict.fromkeys(each.part.name for each in rules.metrics())
            },
        )
    return RECIPES[book_text]


def definitions(book_text: str, dialect: Dialect = "duckdb") -> tuple[Definition, ...]:
    """Every table under a rule book, for an engine, in the order of dependence, the clocks last."""
    rules, kind = parsed(book_text), f"{dialect} table"
    return (
        *(once(kind, name, rules, partial(_table, name, dialect)) for name in TABLES),
        once(kind, CLOCKS.name, rules, partial(_clocks, dialect)),
    )


@cache
def calendars_of(book_text: str) -> dict[str, bytes]:
    """All calendars of the rules, worked out, each relation as an Arrow stream."""
    return {name: _stream(CALENDARS[name], rows) for name, rows in calendars(book_text).items()}


def _stream(schema: ibis.Schema, rows: Sequence[tuple[Any, ...]]) -> bytes:
    shape = pyarrow.schema([(name, ARROW[str(kind)]) for name, kind in schema.items()])
    values = zip(*rows, strict=True) if rows else ((),) * len(schema)
    arrays = [pyarrow.array(column, field.type) for column, field in zip(values, shape, strict=True)]
    sink = pyarrow.BufferOutputStream()
    options = pyarrow.ipc.IpcWriteOptions(compression="zstd")
    with pyarrow.ipc.new_stream(sink, shape, options=options) as stream:
        stream.write_table(pyarrow.Table.from_arrays(arrays, schema=shape))
    content: bytes = sink.getvalue().to_pybytes()
    return content


@cache
def typing_events() -> Mapping[str, Events]:
    """By aggregate, how this program makes entries into events that count."""
    made = {}
    for aggregate in AGGREGATES:
        schema = raw_schema(aggregate)
        raw = ibis.table(schema, name=f"raw_{aggregate}")
        made[aggregate] = Events(
            raw=schema,
            typed=typed_sql(aggregate),
            effective=effective_schema(aggregate),
            valid=compiled(effective_apart(raw)),
            valid_at=compiled(effective_apart(raw, VALID_AT)).replace(str(VALID_AT), "$1"),
        )
    return made


def compiled(rows: ir.Table, dialect: Dialect = "duckdb") -> str:
    """Rows as the SQL of an engine."""
    return str(ibis.to_sql(rows, dialect=dialect))


def _table(name: str, dialect: Dialect, rules: Rules) -> Definition:
    inputs = Apart(rules, table=name)
    schema = schema_of(columns_of(name, rules))
    rows = compiled(TABLES[name].rows(inputs).select(*schema.names), dialect)
    sums = contributions(name, ibis.table(schema, name=name), rules)
    return Definition(
        name=name,
        schema=schema,
        stages=tuple((stage, each.schema(), compiled(each, dialect)) for stage, each in inputs.stages.items()),
        rows=rows,
        contributions=None if sums is None else compiled(sums, dialect),
    )


def _clocks(dialect: Dialect, rules: Rules) -> Definition:
    schema = CLOCKS.schema()
    rows = compiled(CLOCKS.rows(Apart(rules)).select(*schema.names), dialect)
    return Definition(CLOCKS.name, schema, (), rows, None)
