"""The table of clocks: every started clock with its deadline, over all tables that clocks run on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from ledger.rulebook.expressions import Kind
from projections.tables.definition import DTYPES, Inputs, Table, label
from projections.tables.expressions import CLOCK_COLUMNS

COLUMNS: dict[str, Kind] = {
    "clock": "text",
    "aggregate": "text",
    "subject": "text",
    "part": "text",
    "customer_id": "text",
    "owner": "text",
    **CLOCK_COLUMNS,
}


@dataclass(frozen=True)
class Place:
    """Where a table's clocks are told of: its aggregate, and which of its columns say what."""

    aggregate: str
    subject: str
    part: str | None = None
    customer: str | None = None
    owner: str | None = None


PLACES: Mapping[str, Place] = {
    "contact_cycles": Place("contact", "contact_id", "cycle", "customer_id", "department"),
    "handoffs": Place("handoff", "handoff_id", owner="to_department"),
    "deliveries": Place("delivery", "delivery_id", owner="owner_id"),
    "tellings": Place("delivery", "delivery_id", "customer_id", "customer_id", "owner_id"),
    "alerts": Place("customer", "customer_id", "alert_id", "customer_id", "owner_id"),
}
"""The tables that clocks may run on."""


def _clocks(inputs: Inputs) -> ir.Table:
    found = [_of_clock(inputs.table(table), table, clock) for table in PLACES for clock in inputs.rules.clocks(table)]
    return ibis.union(*found) if len(found) > 1 else found[0]


def _of_clock(rows: ir.Table, table: str, clock: str) -> ir.Table:
    place = PLACES[table]
    started = rows.filter(rows[f"{clock}_started_at"].notnull())

    def told(column: str | None) -> ir.Value:
        return started[column].cast("string") if column else ibis.null("string")

    return started.select(
        clock=ibis.literal(clock),
        aggregate=ibis.literal(place.aggregate),
        subject=started[place.subject],
        part=told(place.part).fill_null(""),
        customer_id=told(place.customer),
        owner=told(place.owner),
        **{part: started[f"{clock}_{part}"].cast(DTYPES[kind]) for part, kind in CLOCK_COLUMNS.items()},
    )


CLOCKS = Table(
    name="clocks",
    label=label("Clocks", "时限一览"),
    aggregates=("contact", "handoff", "delivery", "customer"),
    key=("clock", "aggregate", "subject", "part"),
    partition=("aggregate", "subject"),
    columns=COLUMNS,
    rows=_clocks,
    sources=frozenset(),
)
