"""The SQL of one generation, compiled once: how a batch replaces the rows it touches and moves the counters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, partial

import ibis
import ibis.expr.types as ir

from ledger.rulebook.rules import Rules
from projections.compiled import once, parsed
from projections.contributions import columns_of, contributions, dated_by, dimensions_of
from projections.inputs import Touched, Whole, schema_of
from projections.relation import EFFECTIVE, RAW, effective
from projections.tables import CLOCKS, TABLES
from projections.tables.definition import Reach, Table

UPTO = 7_246_331_902_121
"""Stands in the compiled SQL where the last position of a batch belongs."""
TYPES = {"string": "text", "int64": "bigint", "boolean": "boolean"}


@dataclass(frozen=True)
class Step:
    """What a batch does for one table.

    reached: for each upstream table that reaches it, the statement that adds its keys; started: the statement that
    adds the keys of the subjects whose events it reads; wanted: asks for events of keys not loaded yet; stages (each
    with the temporary table it fills), remove, insert: replace the rows; count: moves the counters (None where no
    metric stands on the table); scratch: makes the temporary tables that the stages fill.
    """

    table: Table
    started: str
    reached: tuple[tuple[str, str], ...]
    wanted: str
    remove: str
    insert: str
    count: str | None
    scratch: tuple[str, ...]
    stages: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Statements:
    scratch: tuple[str, ...]
    load: str
    steps: tuple[Step, ...]


def to_sql(expression: ir.Expr) -> str:
    return str(ibis.to_sql(expression, dialect="postgres"))


def columns_sql(schema: ibis.Schema) -> str:
    return ", ".join(f'"{name}" {TYPES[str(dtype)]}' for name, dtype in schema.items())


ANY_SCHEMA = "generation_0"
"""Stands for a generation's schema while SQL is compiled: that takes seconds, and a rule rules needs it once."""


def placed(compiled_sql: str, schema: str) -> str:
    """SQL compiled for ANY_SCHEMA, for one generation's schema."""
    return compiled_sql.replace(f'"{ANY_SCHEMA}"', f'"{schema}"')


@lru_cache(maxsize=4)
def statements(book_text: str, schema: str) -> Statements:
    """Everything a projector of this generation executes."""
    made = unplaced(book_text)
    steps = tuple(
        replace(
            step,
            reached=tuple((table, placed(sql, schema)) for table, sql in step.reached),
            remove=placed(step.remove, schema),
            insert=placed(step.insert, schema),
            count=None if step.count is None else placed(step.count, schema),
            stages=tuple((name, placed(stage, schema)) for name, stage in step.stages),
        )
        for step in made.steps
    )
    return replace(made, steps=steps)


UNPLACED: dict[str, Statements] = {}
"""What this process knows, by the rule rules's text: compiled by itself, or by another and kept in the database."""


def unplaced(book_text: str) -> Statements:
    """The same for ANY_SCHEMA."""
    if book_text not in UNPLACED:
        rules = parsed(book_text)
        steps = tuple(once("step", name, rules, partial(_step, table)) for name, table in TABLES.items())
        scratch = (*_scratch(rules), *(each for step in steps for each in step.scratch))
        UNPLACED[book_text] = Statements(scratch=scratch, load=_load(), steps=steps)
    return UNPLACED[book_text]


def _scratch(rules: Rules) -> list[str]:
    """Session-long temporary tables, emptied by every batch that fills them.

    (ON COMMIT DELETE ROWS would truncate all of them at every commit: 0.28 s for ninety tables.)
    """
    tables = {
        "touched": ibis.schema({"aggregate": "string", "subject": "string", "type": "string"}),
        "wanted_events": ibis.schema({"aggregate": "string", "subject": "string"}),
        "loaded_events": ibis.schema({"aggregate": "string", "subject": "string"}),
        "effective_events": EFFECTIVE,
    }
    for table in TABLES.values():
        full = schema_of(columns_of(table.name, rules))
        tables[f"keys_{table.name}"] = ibis.schema({name: full[name] for name in table.partition})
        tables[f"old_{table.name}"] = full
        tables[f"new_{table.name}"] = full
    return [_temporary(name, schema) for name, schema in tables.items()]


def _temporary(name: str, schema: ibis.Schema) -> str:
    return f'CREATE TEMPORARY TABLE "{name}" ({columns_sql(schema)}) ON COMMIT PRESERVE ROWS'


def _load() -> str:
    raw = ibis.table(RAW, name="events", database="log")
    raw = raw.filter(raw.position <= UPTO)
    wanted = ibis.table(ibis.schema({"aggregate": "string", "subject": "string"}), name="wanted_events")
    names = ", ".join(f'"{name}"' for name in EFFECTIVE.names)
    events = effective(raw.semi_join(wanted, ["aggregate", "subject"]))
    query = to_sql(events).replace("%", "%%").replace(str(UPTO), "%(upto)s")
    return f"INSERT INTO effective_events ({names}) {query}"


def _step(table: Table, rules: Rules) -> Step:
    schema = ANY_SCHEMA
    inputs = Touched(rules, schema, table.name)
    columns = list(columns_of(table.name, rules))
    names = ", ".join(f'"{name}"' for name in columns)
    keys = ", ".join(f'"{name}"' for name in table.partition)
    target = f'"{schema}"."{table.name}"'
    rows = to_sql(table.rows(inputs).select(*columns))
    return Step(
        table=table,
        started=_started(table),
        reached=tuple(
            (reach.table, _reached(table, reach, rules, schema))
            for reach in table.reaches
            if reach.columns_under(rules)
        ),
        wanted=_wanted(table),
        remove=(
            f"WITH gone AS (DELETE FROM {target} WHERE ({keys}) IN (SELECT {keys} FROM keys_{table.name}) "
            f"RETURNING {names}) INSERT INTO old_{table.name} SELECT * FROM gone"
        ),
        insert=(
            f"WITH made AS (INSERT INTO {target} ({names}) {rows} RETURNING {names}) "
            f"INSERT INTO new_{table.name} SELECT * FROM made"
        ),
        count=_count(table, rules, schema),
        scratch=tuple(_temporary(name, stage.schema()) for name, stage in inputs.stages.items()),
        stages=tuple((name, f'INSERT INTO "{name}" {to_sql(stage)}') for name, stage in inputs.stages.items()),
    )


def _started(table: Table) -> str:
    """Keys of the subjects whose new events (or voids) can change the table; %s: event types."""
    touched = "touched.aggregate = ANY(%(aggregates)s) AND touched.type = ANY(%(types)s)"
    if table.partition == ("aggregate", "subject"):
        return f"INSERT INTO keys_{table.name} SELECT DISTINCT aggregate, subject FROM touched WHERE {touched}"
    return f"INSERT INTO keys_{table.name} SELECT DISTINCT subject FROM touched WHERE {touched}"


def _wanted(table: Table) -> str:
    if table.partition == ("aggregate", "subject"):
        keys = f"SELECT aggregate, subject FROM keys_{table.name}"
    else:
        keys = f"SELECT '{table.aggregates[0]}', {table.partition[0]} FROM keys_{table.name}"
    return f"INSERT INTO wanted_events {keys} EXCEPT SELECT aggregate, subject FROM loaded_events"


def _reached(table: Table, reach: Reach, rules: Rules, schema: str) -> str:
    full = schema_of(columns_of(reach.table, rules))
    columns = reach.columns_under(rules)
    old = ibis.table(full, name=f"old_{reach.table}").select(*columns)
    new = ibis.table(full, name=f"new_{reach.table}").select(*columns)
    changed = old.difference(new).union(new.difference(old))
    keys = reach.keys(changed, Whole(rules, schema)).select(*table.partition).distinct()
    for name in table.partition:
        keys = keys.filter(keys[name].notnull())
    return f"INSERT INTO keys_{table.name} {to_sql(keys)}"


def _count(table: Table, rules: Rules, schema: str) -> str | None:
    full = schema_of(columns_of(table.name, rules))
    old = ibis.table(full, name=f"old_{table.name}").mutate(sign=ibis.literal(-1, "int64"))
    new = ibis.table(full, name=f"new_{table.name}").mutate(sign=ibis.literal(1, "int64"))
    sums = contributions(table.name, old.union(new), rules, sign="sign")
    if sums is None:
        return None
    by = ", ".join(f'"{name}"' for name in ("metric", "day", *dimensions_of(rules)))
    return (
        f'INSERT INTO "{schema}".counters AS kept ({by}, numerator, denominator) {to_sql(sums)} '
        f"ON CONFLICT ({by}) DO UPDATE SET numerator = kept.numerator + EXCLUDED.numerator, "
        "denominator = kept.denominator + EXCLUDED.denominator"
    )


def counters_schema(rules: Rules) -> ibis.Schema:
    """The counters' columns: metric, day, every dimension of any metric, numerator, denominator."""
    return ibis.schema(
        {
            "metric": "string",
            "day": "int64",
            **dict.fromkeys(dimensions_of(rules), "string"),
            "numerator": "int64",
            "denominator": "int64",
        }
    )


def create_tables(rules: Rules, schema: str) -> list[str]:
    """The tables of a generation, without their indexes."""
    tables = {name: schema_of(columns_of(name, rules)) for name in TABLES}
    tables["counters"] = counters_schema(rules)
    return [
        f'CREATE TABLE "{schema}"."{name}" ({columns_sql(each)}) WITH (fillfactor = 90)'
        for name, each in tables.items()
    ] + [f'CREATE VIEW "{schema}".clocks AS {to_sql(CLOCKS.rows(Whole(rules, schema)))}']


def create_indexes(rules: Rules, schema: str) -> list[str]:
    """What makes rows unique, what other tables look rows up by, and what a reading of figures looks at: the clocks
    still running by their deadline, and rows by the moment that decides their period."""
    made = []
    for name, table in TABLES.items():
        key = ", ".join(f'"{column}"' for column in table.key)
        made.append(f'ALTER TABLE "{schema}"."{name}" ADD PRIMARY KEY ({key})')
        made += [f'CREATE INDEX ON "{schema}"."{name}" ("{column}")' for column in table.indexes]
        made += [
            f'CREATE INDEX ON "{schema}"."{name}" ("{column}") WHERE "{column}" IS NOT NULL'
            for column in dated_by(name, rules)
        ]
        made += [
            f'CREATE INDEX ON "{schema}"."{name}" ("{clock}_deadline") '
            f'WHERE "{clock}_outcome" IS NULL AND "{clock}_started_at" IS NOT NULL'
            for clock in rules.clocks(name)
        ]
    by = ", ".join(f'"{name}"' for name in ("metric", "day", *dimensions_of(rules)))
    made.append(f'ALTER TABLE "{schema}".counters ADD PRIMARY KEY ({by})')
    return made
