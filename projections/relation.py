"""The event relation that every engine is given: one wide row per event, and which of them count.

`raw` rows come from the typed view of the log (PostgreSQL) or from the log's bytes (DuckDB); what is effective, and in
which order, is said here once.
"""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir

from ledger.events import CATALOGUE, COLUMNS
from projections.tables.definition import DTYPES
from projections.tables.fold import KIND_OF_FIELD

ENVELOPE: Mapping[str, str] = {
    "position": "int64",
    "aggregate": "string",
    "subject": "string",
    "version": "int64",
    "type": "string",
    "occurred_at": "int64",
    "recorded_at": "int64",
}
FIELDS: Mapping[str, str] = {name: DTYPES[KIND_OF_FIELD[kind]] for name, kind in COLUMNS.items()}
RAW = ibis.schema({**ENVELOPE, **FIELDS})
EFFECTIVE = ibis.schema({**ENVELOPE, **FIELDS, "seq": "int64"})

VOID = "record.voided"
VOIDED = "voided_position"
OPENING = tuple(name for name, kind in CATALOGUE.items() if kind.opens)


def fields_of(*aggregates: str) -> tuple[str, ...]:
    """The columns that events of these aggregates can fill."""
    told = {field.name for kind in CATALOGUE.values() if kind.aggregate in aggregates for field in kind.fields}
    return tuple(name for name in FIELDS if name in told)


def raw_schema(aggregate: str) -> ibis.Schema:
    """The columns of one aggregate's events."""
    return ibis.schema({**ENVELOPE, VOIDED: "int64", **{name: FIELDS[name] for name in fields_of(aggregate)}})


def effective_schema(aggregate: str) -> ibis.Schema:
    """The columns of those of them that count."""
    return ibis.schema({**ENVELOPE, **{name: FIELDS[name] for name in fields_of(aggregate)}, "seq": "int64"})


def voids_of(raw: ir.Table) -> ir.Table:
    """The positions that are voided, as `void_of`."""
    return raw.filter(raw.type == VOID).select(void_of=VOIDED)


def effective(raw: ir.Table, valid_at: int | None = None, voids: ir.Table | None = None) -> ir.Table:
    """The events that count, numbered by `seq` within their subject: the opening event first, then by time of
    occurrence, then by position. Voided events and the voids themselves are left out.

    With `valid_at` (microseconds), only what had occurred by then, of subjects opened by then. `voids` are those of the
    raw rows, where they have been put aside.
    """
    voids = voids_of(raw) if voids is None else voids
    kept = raw.filter(raw.type != VOID)
    kept = kept.anti_join(voids, kept.position == voids.void_of)
    if valid_at is not None:
        kept = kept.filter(kept.occurred_at <= valid_at)
        opened = kept.filter(kept.type.isin(OPENING)).select("aggregate", "subject").distinct()
        kept = kept.semi_join(opened, ["aggregate", "subject"])
    opens = ibis.ifelse(kept.type.isin(OPENING), 0, 1)
    in_order = ibis.window(
        group_by=[kept["aggregate"], kept.subject], order_by=[opens, kept.occurred_at, kept.position]
    )
    return kept.mutate(seq=ibis.row_number().over(in_order)).select(*raw.columns, "seq")


def effective_apart(raw: ir.Table, valid_at: int | None = None) -> ir.Table:
    """The same of many events: numbered in few columns, which the others are then joined to.

    A window over all columns would sort them all: of two million events that took ten times as long.
    """
    numbered = effective(raw.select(*ENVELOPE, VOIDED), valid_at).select("position", "seq")
    return raw.join(numbered, "position").select(*(name for name in raw.columns if name != VOIDED), "seq")
