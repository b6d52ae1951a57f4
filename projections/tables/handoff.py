"""The table of handoffs between departments."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from ledger.rulebook.expressions import Kind
from projections.tables.clockwork import Clocked, with_clocks
from projections.tables.definition import Inputs, Reach, Table, beside, label
from projections.tables.fold import count, first, first_at, fold, kinds, last, last_at, sources, status

HANDOFF = {
    "contact_id": first("contact_id", "handoff.requested"),
    "requirement_id": first("requirement_id", "handoff.requested"),
    "from_department": first("from_department", "handoff.requested"),
    "to_department": first("to_department", "handoff.requested"),
    "requested_at": first_at("handoff.requested"),
    "transferred_at": first_at("handoff.transferred"),
    "accepted_at": first_at("handoff.accepted"),
    "owner_id": last("owner_id", "handoff.accepted"),
    "returned": count("handoff.returned"),
    "returned_at": last_at("handoff.returned"),
    "answered_at": first_at("handoff.answered"),
    "withdrawn_at": first_at("handoff.withdrawn"),
    "status": status(
        {
            "handoff.requested": "requested",
            "handoff.transferred": "transferred",
            "handoff.accepted": "accepted",
            "handoff.returned": "returned",
            "handoff.answered": "answered",
            "handoff.withdrawn": "withdrawn",
        }
    ),
}
COLUMNS: dict[str, Kind] = {"handoff_id": "text", **kinds(HANDOFF), "arrived_at": "time"}


def _handoffs(inputs: Inputs) -> ir.Table:
    events = inputs.events("handoff")
    rows = inputs.stage("told", fold(events, {"handoff_id": events.subject}, HANDOFF))
    rows = _with_arrival(rows, inputs)
    return with_clocks(
        Clocked(
            rows=rows.select(*COLUMNS),
            key=("handoff_id",),
            schema=COLUMNS,
            targets=inputs.rules.targets("handoffs"),
        ),
        inputs,
    )


def _with_arrival(rows: ir.Table, inputs: Inputs) -> ir.Table:
    """Add when the contact arrived: in the cycle under way at the request; without a contact, at the request itself."""
    cycles = inputs.table("contact_cycles").select("contact_id", "cycle", "received_at")
    asked = rows.select("handoff_id", "contact_id", "requested_at").inner_join(cycles, "contact_id")
    arrivals = asked.group_by("handoff_id").agg(
        before=asked.received_at.max(where=asked.received_at <= asked.requested_at),
        opened=asked.received_at.max(where=asked.cycle == 1),
    )
    rows = beside(inputs, "arrivals", rows, arrivals, ["handoff_id"])
    return rows.mutate(arrived_at=ibis.coalesce(rows.before, rows.opened, rows.requested_at))


def _by_contact(changed: ir.Table, inputs: Inputs) -> ir.Table:
    handoffs = inputs.table("handoffs")
    return handoffs.semi_join(changed, handoffs.contact_id == changed.contact_id).select("handoff_id")


HANDOFFS = Table(
    name="handoffs",
    label=label("Handoffs", "跨部门转办表"),
    aggregates=("handoff",),
    key=("handoff_id",),
    partition=("handoff_id",),
    columns=COLUMNS,
    rows=_handoffs,
    sources=sources(HANDOFF),
    cells={**HANDOFF, "arrived_at": first_at("handoff.requested")},
    borrowed={"arrived_at": ("contact_cycles", "received_at")},
    reaches=(Reach("contact_cycles", ("contact_id", "cycle", "received_at"), _by_contact),),
    indexes=("contact_id",),
)
