"""What a batch does for one table, compiled once: which keys it touches, and how their rows are replaced."""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from ledger.events import COLUMNS
from ledger.log.relation import typed_entries
from ledger.rulebook.rules import Rules
from projections.contributions import columns_of, contributions, dimensions_of
from projections.inputs import Touched, Whole, schema_of
from projections.relation import ENVELOPE, VOID, VOIDED, effective, effective_schema, fields_of, raw_schema, voids_of
from projections.statements import ANY_SCHEMA, TYPES, to_sql
from projections.tables import TABLES
from projections.tables.definition import Reach, Table

AGGREGATES = tuple(dict.fromkeys(aggregate for table in TABLES.values() for aggregate in table.aggregates))
"""Those whose events make rows."""


@dataclass(frozen=True)
class Step:
    """What a batch does for one table.

    told: the events (aggregate and type) that can change it; started: the statement that adds the keys of their
    subjects, where there are any; reached: for each upstream table that reaches it, the statement that adds its keys;
    wanted: asks for events of keys not loaded yet (None where its rows are made of other tables alone); replace: works
    the rows out again, writes those that differ and notes them in `changed_<table>`; count: moves the counters by what
    is noted there (None where no metric stands on the table).
    """

    table: str
    told: tuple[str, ...]
    started: str
    reached: tuple[tuple[str, str], ...]
    wanted: str | None
    replace: str
    count: str | None


def step(table: Table, rules: Rules) -> Step:
    return Step(
        table=table.name,
        told=tuple(
            f"{aggregate} {kind}"
            for aggregate in table.aggregates
            for kind in (*sorted(table.sources), VOID)
            if table.sources
        ),
        started=_started(table),
        reached=tuple(
            (reach.table, _reached(table, reach, rules)) for reach in table.reaches if reach.columns_under(rules)
        ),
        wanted=_wanted(table) if table.sources else None,
        replace=_replace(table, rules),
        count=_count(table, rules),
    )


def changed_schema(table: str, rules: Rules) -> ibis.Schema:
    """Rows of a table that went (sign −1) or came (1)."""
    return ibis.schema({"sign": "int64", **schema_of(columns_of(table, rules))})


def changed_rows(table: str, rules: Rules) -> ir.Table:
    return ibis.table(changed_schema(table, rules), name=f"changed_{table}")


def load(aggregate: str) -> str:
    """The statement that fetches the effective events of an aggregate's wanted subjects, up to the position `upto`."""
    typed = typed_entries((*ENVELOPE, VOIDED), {name: COLUMNS[name] for name in fields_of(aggregate)}).as_string()
    columns = effective_schema(aggregate).names
    names = ", ".join(f'"{name}"' for name in columns)
    raw = ibis.table(raw_schema(aggregate), name="raw_events")
    # apart, as there are few: else they are looked for among all events once for each
    voids = ibis.table(ibis.schema({"void_of": "int64"}), name="voids")
    events = effective(raw, voids=voids).select(*columns)
    return (
        f"INSERT INTO effective_{aggregate} ({names}) WITH raw_events AS MATERIALIZED ({typed} "
        f"WHERE entry.aggregate = '{aggregate}' AND entry.position <= upto AND entry.subject = ANY "
        f"(ARRAY(SELECT subject FROM wanted_events WHERE aggregate = '{aggregate}'))), "
        f"voids AS MATERIALIZED ({to_sql(voids_of(raw))}) {to_sql(events)}"
    )


def _started(table: Table) -> str:
    """Keys of the subjects whose new events (or voids) can change the table."""
    kinds = ", ".join(f"'{kind}'" for kind in (*sorted(table.sources), VOID))
    aggregates = ", ".join(f"'{aggregate}'" for aggregate in table.aggregates)
    key = "aggregate, subject" if table.partition == ("aggregate", "subject") else "subject"
    return (
        f"INSERT INTO keys_{table.name} SELECT DISTINCT {key} FROM touched "
        f"WHERE aggregate IN ({aggregates}) AND type IN ({kinds})"
    )


def _wanted(table: Table) -> str:
    if table.partition == ("aggregate", "subject"):
        keys = f"SELECT aggregate, subject FROM keys_{table.name}"
    else:
        keys = f"SELECT '{table.aggregates[0]}', {table.partition[0]} FROM keys_{table.name}"
    return f"INSERT INTO wanted_events {keys} EXCEPT SELECT aggregate, subject FROM loaded_events"


def _reached(table: Table, reach: Reach, rules: Rules) -> str:
    rows = changed_rows(reach.table, rules)
    columns = reach.columns_under(rules)
    # what stands as it stood, as far as these columns go, went as often as it came
    sums = rows.group_by(list(columns)).agg(weight=rows.sign.sum())
    changed = sums.filter(sums.weight != 0).select(*columns)
    keys = reach.keys(changed, Whole(rules, ANY_SCHEMA)).select(*table.partition).distinct()
    for name in table.partition:
        keys = keys.filter(keys[name].notnull())
    return f"INSERT INTO keys_{table.name} {to_sql(keys)}"


def _replace(table: Table, rules: Rules) -> str:
    """One statement. Its parts all see the tables as they stood before, so it is known what differs when it writes."""
    inputs = Touched(rules, ANY_SCHEMA, table.name)
    columns = columns_of(table.name, rules)
    schema = schema_of(columns)
    rows = to_sql(table.rows(inputs).select(*columns))
    target = f'"{ANY_SCHEMA}"."{table.name}"'
    names = ", ".join(f'"{name}"' for name in columns)
    # rows are compared as a whole, for which their types must be the same to the letter
    typed = ", ".join(f'CAST("{name}" AS {TYPES[str(dtype)]}) AS "{name}"' for name, dtype in schema.items())
    partition = ", ".join(f'"{name}"' for name in table.partition)
    key = ", ".join(f'"{name}"' for name in table.key)
    others = [name for name in columns if name not in table.key]
    written = ", ".join(f'"{name}" = EXCLUDED."{name}"' for name in others)
    parts = [
        *((name, to_sql(stage)) for name, stage in inputs.stages.items()),
        ("made", f"SELECT {typed} FROM ({rows}) AS rows"),
        ("stood", f"SELECT {names} FROM {target} WHERE ({partition}) IN (SELECT {partition} FROM keys_{table.name})"),
        ("goes", f"SELECT stood.* FROM stood LEFT JOIN made USING ({key}) WHERE stood IS DISTINCT FROM made"),
        ("comes", f"SELECT made.* FROM made LEFT JOIN stood USING ({key}) WHERE made IS DISTINCT FROM stood"),
    ]
    told = ", ".join(f'"{name}" AS MATERIALIZED ({query})' for name, query in parts)
    return (
        f"WITH {told}, "
        f"removed AS (DELETE FROM {target} WHERE ({key}) IN (SELECT {key} FROM goes EXCEPT SELECT {key} FROM comes)), "
        f"wrote AS (INSERT INTO {target} ({names}) SELECT {names} FROM comes ON CONFLICT ({key}) "
        f"DO {f'UPDATE SET {written}' if others else 'NOTHING'}) "
        f"INSERT INTO changed_{table.name} (sign, {names}) "
        f"SELECT -1, {names} FROM goes UNION ALL SELECT 1, {names} FROM comes"
    )


def _count(table: Table, rules: Rules) -> str | None:
    sums = contributions(table.name, changed_rows(table.name, rules), rules, sign="sign")
    if sums is None:
        return None
    by = ", ".join(f'"{name}"' for name in ("metric", "day", *dimensions_of(rules)))
    return (
        f'INSERT INTO "{ANY_SCHEMA}".counters AS kept ({by}, numerator, denominator) {to_sql(sums)} '
        f"ON CONFLICT ({by}) DO UPDATE SET numerator = kept.numerator + EXCLUDED.numerator, "
        "denominator = kept.denominator + EXCLUDED.denominator"
    )
