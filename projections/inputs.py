"""Where a definition finds its inputs: as a whole (a rebuild, an as-of), or for the keys a batch touches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import ibis
import ibis.expr.types as ir

from ledger.rulebook.expressions import Kind
from ledger.rulebook.rules import Rules
from projections.contributions import columns_of
from projections.relation import EFFECTIVE, ENVELOPE, effective_schema, fields_of
from projections.tables import TABLES
from projections.tables.definition import DTYPES

DAYS = ibis.schema(
    {
        "calendar": "string",
        "day": "int64",
        "ends_at": "int64",
        "working": "boolean",
        "ordinal": "int64",
    }
)
SEGMENTS = ibis.schema(
    {
        "calendar": "string",
        "utc_day": "int64",
        "begins_at": "int64",
        "ends_at": "int64",
        "opens_at": "int64",
        "closes_at": "int64",
        "before_us": "int64",
        "work_day": "int64",
    }
)
CALENDARS: Mapping[str, ibis.Schema] = {"calendar_days": DAYS, "calendar_segments": SEGMENTS}
"""The relations that a rule book's calendars are worked out into, as ledger.rulebook.calendars describes them."""
LOG: Mapping[str, ibis.Schema] = {
    "names": ibis.schema({"aggregate": "string", "subject": "string", "position": "int64", "field": "string"}),
    "entries": ibis.schema({"aggregate": "string", "subject": "string", "position": "int64"}),
}


def schema_of(columns: Mapping[str, Kind]) -> ibis.Schema:
    return ibis.schema({name: DTYPES[kind] for name, kind in columns.items()})


def _columns(aggregates: Iterable[str], fields: Iterable[str] | None) -> list[str]:
    return [*ENVELOPE, *(fields_of(*aggregates) if fields is None else fields), "seq"]


class Whole:
    """All events and all rows, as tables of one schema (or of none)."""

    def __init__(self, rules: Rules, schema: str | None = None, table: str = "") -> None:
        self.rules = rules
        self.schema = schema
        self.of_table = table
        self.stages: dict[str, ir.Table] = {}

    def events(self, *aggregates: str, fields: Iterable[str] | None = None) -> ir.Table:
        events = ibis.table(EFFECTIVE, name="effective_events")
        return events.filter(events["aggregate"].isin(aggregates)).select(*_columns(aggregates, fields))

    def table(self, name: str) -> ir.Table:
        if name in LOG:
            return ibis.table(LOG[name], name=name, database="log")
        return ibis.table(schema_of(columns_of(name, self.rules)), name=name, database=self.schema)

    def scoped(self, table: str) -> ir.Table:
        return self.table(table)

    def keys(self) -> ir.Table | None:
        return None

    def stage(self, name: str, rows: ir.Table) -> ir.Table:
        full_name = f"stage_{self.of_table}_{name}"
        self.stages[full_name] = rows
        return ibis.table(rows.schema(), name=full_name)

    def days(self) -> ir.Table:
        return ibis.table(DAYS, name="calendar_days", database=self.schema)

    def segments(self) -> ir.Table:
        return ibis.table(SEGMENTS, name="calendar_segments", database=self.schema)


class Apart(Whole):
    """The same, where the events of every aggregate stand in a relation of their own, with their own columns only."""

    def events(self, *aggregates: str, fields: Iterable[str] | None = None) -> ir.Table:
        columns = _columns(aggregates, fields)
        apart = []
        for aggregate in aggregates:
            events = ibis.table(effective_schema(aggregate), name=f"effective_{aggregate}")
            apart.append(
                events.select(
                    *(
                        events[name] if name in events.columns else ibis.null(EFFECTIVE[name]).name(name)
                        for name in columns
                    )
                )
            )
        return ibis.union(*apart) if len(apart) > 1 else apart[0]


class Touched(Apart):
    """The events and rows that a batch's keys of one table touch; the keys stand in `keys_<table>`."""

    def __init__(self, rules: Rules, schema: str, table: str) -> None:
        super().__init__(rules, schema, table)
        self.definition = TABLES[table]

    def keys(self) -> ir.Table:
        columns = {name: DTYPES[self.definition.columns[name]] for name in self.definition.partition}
        return ibis.table(ibis.schema(columns), name=f"keys_{self.definition.name}")

    def events(self, *aggregates: str, fields: Iterable[str] | None = None) -> ir.Table:
        events = super().events(*aggregates, fields=fields)
        keys = self.keys()
        if self.definition.partition == ("aggregate", "subject"):
            return events.semi_join(keys, ["aggregate", "subject"])
        return events.semi_join(keys, events.subject == keys[self.definition.partition[0]])

    def scoped(self, table: str) -> ir.Table:
        rows = self.table(table)
        return rows.semi_join(self.keys(), self.definition.partition[0])
