"""The table of when a customer was an active one: active_spells."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from projections.tables.customer import CHURN_UNDONE
from projections.tables.definition import Inputs, Table, label
from projections.tables.fold import first_at

REGISTERED = "customer.registered"
STAGED = (REGISTERED, "customer.stage_changed")
CHURNED = "customer.churned"
MOVING = (*STAGED, CHURNED, *CHURN_UNDONE)
"""The events that can make a customer an active one, or no longer."""


def _active_spells(inputs: Inputs) -> ir.Table:
    """From each event on which a customer becomes active to the next on which it no longer is.

    What held last is found without looking back: the number of the event, doubled, and whether it says so, in one.
    What occurred before the registration takes effect with it: nobody is an active customer before.
    """
    events = inputs.events("customer")
    events = events.filter(events.type.isin(MOVING))
    registered_at = ibis.ifelse(events.type == REGISTERED, events.occurred_at, ibis.null("int64"))
    registered_at = registered_at.max().over(ibis.window(group_by=events.subject))
    events = events.mutate(occurred_at=ibis.greatest(events.occurred_at, registered_at))
    so_far = ibis.window(group_by=events.subject, order_by=events.seq, preceding=None, following=0)
    of_stage = ibis.ifelse(events.type.isin(STAGED), _noted(events.seq, events.stage == "customer"), ibis.null("int64"))
    of_churn = ibis.ifelse(~events.type.isin(STAGED), _noted(events.seq, events.type == CHURNED), ibis.null("int64"))
    said = events.select(
        "subject", "seq", "occurred_at", staged=of_stage.max().over(so_far), churned=of_churn.max().over(so_far)
    )
    said = said.select(
        "subject", "seq", "occurred_at", active=(said.staged % 2 == 1) & (said.churned.fill_null(0) % 2 == 0)
    )
    in_order = ibis.window(group_by=said.subject, order_by=said.seq)
    said = said.mutate(before=said.active.lag().over(in_order).fill_null(False))
    changes = said.filter(said.active != said.before)
    in_order = ibis.window(group_by=changes.subject, order_by=changes.seq)
    changes = changes.mutate(until_at=changes.occurred_at.lead().over(in_order))
    spells = changes.filter(changes.active)
    nth = ibis.row_number().over(ibis.window(group_by=spells.subject, order_by=spells.seq)).cast("int64") + 1
    return spells.select(customer_id="subject", spell=nth, from_at="occurred_at", until_at="until_at")


def _noted(seq: ir.Value, said: ir.BooleanValue) -> ir.Value:
    return (seq + 1) * 2 + said.ifelse(ibis.literal(1, "int64"), ibis.literal(0, "int64"))


ACTIVE_SPELLS = Table(
    name="active_spells",
    label=label("Active customers over time", "客户活跃履历"),
    aggregates=("customer",),
    key=("customer_id", "spell"),
    partition=("customer_id",),
    columns={"customer_id": "text", "spell": "integer", "from_at": "time", "until_at": "time"},
    rows=_active_spells,
    sources=frozenset(MOVING),
    cells={"from_at": first_at(*MOVING), "until_at": first_at(*MOVING)},
)
