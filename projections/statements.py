"""The SQL that makes a generation's tables."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from ledger.rulebook.rules import Rules
from projections.contributions import columns_of, dated_by, dimensions_of
from projections.inputs import Whole, schema_of
from projections.tables import CLOCKS, TABLES

TYPES = {"string": "text", "int64": "bigint", "boolean": "boolean"}


def to_sql(expression: ir.Expr) -> str:
    # Ibis writes one type under two names: a union of both is not taken apart into the tables below it
    return str(ibis.to_sql(expression, dialect="postgres")).replace(" AS VARCHAR)", " AS TEXT)")


def columns_sql(schema: ibis.Schema) -> str:
    return ", ".join(f'"{name}" {TYPES[str(dtype)]}' for name, dtype in schema.items())


ANY_SCHEMA = "generation_0"
"""Stands for a generation's schema while SQL is compiled: that takes seconds, and a rule rules needs it once."""


def placed(compiled_sql: str, schema: str) -> str:
    """SQL compiled for ANY_SCHEMA, for one generation's schema."""
    return compiled_sql.replace(f'"{ANY_SCHEMA}"', f'"{schema}"')


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


def create_indexes(rules: Rules, schema: str) -> dict[str, list[str]]:
    """For each table, and counters: what makes rows unique, what other tables look rows up by, and what a reading of
    figures looks at: the clocks still running by their deadline, and rows by the moment that decides their period."""
    made = {}
    for name, table in TABLES.items():
        on = f'"{schema}"."{name}"'
        key = ", ".join(f'"{column}"' for column in table.key)
        made[name] = [
            f"ALTER TABLE {on} ADD PRIMARY KEY ({key})",
            *(f'CREATE INDEX ON {on} ("{column}")' for column in table.indexes),
            *(f'CREATE INDEX ON {on} ("{column}") WHERE "{column}" IS NOT NULL' for column in dated_by(name, rules)),
            *(
                f'CREATE INDEX ON {on} ("{clock}_deadline") '
                f'WHERE "{clock}_outcome" IS NULL AND "{clock}_started_at" IS NOT NULL'
                for clock in rules.clocks(name)
            ),
        ]
    by = ", ".join(f'"{name}"' for name in ("metric", "day", *dimensions_of(rules)))
    made["counters"] = [f'ALTER TABLE "{schema}".counters ADD PRIMARY KEY ({by})']
    return made
