"""Tables of deliveries: deliveries, milestones, tellings."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from ledger.rulebook.expressions import Kind
from projections.tables.clockwork import Clocked, with_clocks
from projections.tables.definition import Inputs, Reach, Table, beside, label
from projections.tables.fold import count, first, first_at, fold, kinds, last, last_at, sources, status

DELIVERY = {
    "requirement_id": first("requirement_id", "delivery.planned"),
    "owner_id": last("owner_id", "delivery.planned"),
    "planned_at": first_at("delivery.planned"),
    "committed_due_at": first("due_at", "delivery.planned"),
    "due_at": last("due_at", "delivery.planned", "delivery.rescheduled"),
    "rescheduled": count("delivery.rescheduled"),
    "percent": last("percent", "delivery.progressed"),
    "accepted_at": first_at("delivery.accepted"),
    "refused": count("delivery.refused"),
    "cancelled_at": first_at("delivery.cancelled"),
    "status": status(
        {
            "delivery.planned": "planned",
            "delivery.progressed": "in_progress",
            "delivery.delivered": "delivered",
            "delivery.accepted": "accepted",
            "delivery.refused": "refused",
            "delivery.cancelled": "cancelled",
        }
    ),
}
DELIVERED = last_at("delivery.delivered", undone_by=("delivery.refused",))
"""How a delivery's `delivered_at` is explained; `_accepted_deliveries` is its definition."""
COLUMNS: dict[str, Kind] = {"delivery_id": "text", **kinds(DELIVERY), "delivered_at": "time"}


def _deliveries(inputs: Inputs) -> ir.Table:
    events = inputs.events("delivery")
    rows = fold(events, {"delivery_id": events.subject}, DELIVERY)
    rows = beside(inputs, "delivered", rows, _accepted_deliveries(events), ["delivery_id"])
    return with_clocks(
        Clocked(
            rows=rows.select(*COLUMNS),
            key=("delivery_id",),
            schema=COLUMNS,
            targets=inputs.rules.targets("deliveries"),
        ),
        inputs,
    )


def _accepted_deliveries(events: ir.Table) -> ir.Table:
    """The earliest delivery that no refusal follows before the next delivery."""
    outcomes = events.filter(events.type.isin(["delivery.delivered", "delivery.refused"]))
    following = outcomes.type.lead().over(ibis.window(group_by=outcomes.subject, order_by=outcomes.seq))
    outcomes = outcomes.mutate(following=following)
    stood = outcomes.filter(
        (outcomes.type == "delivery.delivered")
        & (outcomes.following.isnull() | (outcomes.following == "delivery.delivered"))
    )
    return stood.group_by(delivery_id=stood.subject).agg(delivered_at=stood.occurred_at.argmin(stood.seq))


DELIVERIES = Table(
    name="deliveries",
    label=label("Deliveries", "需求交付表"),
    aggregates=("delivery",),
    key=("delivery_id",),
    partition=("delivery_id",),
    columns=COLUMNS,
    rows=_deliveries,
    sources=sources(DELIVERY),
    cells={**DELIVERY, "delivered_at": DELIVERED},
    indexes=("requirement_id",),
)

SET, REACHED = (
    ("delivery.milestone_set", "plan.milestone_set"),
    ("delivery.milestone_reached", "plan.milestone_reached"),
)
MILESTONE = {"set_at": first_at(*SET), "due_at": last("due_at", *SET), "reached_at": first_at(*REACHED)}


def _milestones(inputs: Inputs) -> ir.Table:
    events = inputs.events("delivery", "plan", fields=("milestone_id", "due_at"))
    events = events.filter(events.milestone_id.notnull())
    by = {"aggregate": events["aggregate"], "subject": events.subject, "milestone_id": events.milestone_id}
    rows = fold(events, by, MILESTONE)
    return rows.filter(rows.set_at.notnull())


MILESTONES = Table(
    name="milestones",
    label=label("Milestones", "里程碑"),
    aggregates=("delivery", "plan"),
    key=("aggregate", "subject", "milestone_id"),
    partition=("aggregate", "subject"),
    columns={"aggregate": "text", "subject": "text", "milestone_id": "text", **kinds(MILESTONE)},
    rows=_milestones,
    sources=sources(MILESTONE),
    cells=MILESTONE,
    part="milestone_id",
)

INFORMED = "delivery.customer_informed"
TELLING = {"informed_at": first_at(INFORMED)}
TELLINGS_COLUMNS: dict[str, Kind] = {
    "delivery_id": "text",
    "customer_id": "text",
    "requirement_id": "text",
    "owner_id": "text",
    "delivered_at": "time",
    "joined_at": "time",
    "started_at": "time",
    **kinds(TELLING),
    "channel": "text",
    "cancelled_at": "time",
}


def _tellings(inputs: Inputs) -> ir.Table:
    deliveries = inputs.scoped("deliveries")
    deliveries = deliveries.filter(deliveries.delivered_at.notnull()).select(*OF_DELIVERY)
    rows = _customers_of(inputs.stage("deliveries", deliveries), inputs)
    events = inputs.events("delivery")
    events = events.filter(events.type == INFORMED)
    told = events.group_by(told_delivery=events.subject, told_customer=events.customer_id).agg(
        informed_at=TELLING["informed_at"].expression(events), channel=events.channel.argmin(events.seq)
    )
    told = inputs.stage("told", told)
    rows = rows.left_join(told, [rows.delivery_id == told.told_delivery, rows.customer_id == told.told_customer])
    rows = rows.mutate(started_at=ibis.greatest(rows.delivered_at, rows.joined_at.coalesce(rows.delivered_at)))
    return with_clocks(
        Clocked(
            rows=rows.select(*TELLINGS_COLUMNS),
            key=("delivery_id", "customer_id"),
            schema=TELLINGS_COLUMNS,
            targets=inputs.rules.targets("tellings"),
        ),
        inputs,
    )


OF_DELIVERY = ("delivery_id", "requirement_id", "owner_id", "delivered_at", "cancelled_at")


def _customers_of(deliveries: ir.Table, inputs: Inputs) -> ir.Table:
    """Each delivery with every customer whose requirement is in the group of its own requirement, and since when.

    Two requirements came together at the first ancestor they share: at the later of the merges that led each there.
    """
    lines = inputs.stage("lines", _lines(deliveries, inputs))
    own = deliveries.inner_join(lines, [("requirement_id", "member")])
    own = own.select(*OF_DELIVERY, ancestor="ancestor", own_since="since")
    both = own.inner_join(
        lines.select(other="member", shared="ancestor", other_since="since"), [("ancestor", "shared")]
    )
    met = both.select(*OF_DELIVERY, "other", since=ibis.greatest(both.own_since, both.other_since)).view()
    requirements = inputs.table("requirements").select(other_id="requirement_id", customer_id="customer_id")
    met = met.inner_join(requirements, [("other", "other_id")])
    met = met.filter(met.customer_id.notnull()).view()
    found = met.group_by(*OF_DELIVERY, "customer_id").agg(since=met.since.min())
    return found.select(
        *OF_DELIVERY, "customer_id", joined_at=ibis.ifelse(found.since == NEVER, ibis.null("int64"), found.since)
    )


NEVER = -(2**62)
"""Before all merges: a requirement has always been together with itself."""


def _lines(deliveries: ir.Table, inputs: Inputs) -> ir.Table:
    """(member, ancestor, since) of every requirement in the groups of the deliveries', itself among its ancestors."""
    groups, lineage = inputs.table("requirement_groups"), inputs.table("requirement_lineage")
    named = deliveries.select("requirement_id").distinct()
    own = groups.select(own_id="requirement_id", own_survivor="survivor_id")
    rooted = named.left_join(own, [("requirement_id", "own_id")])
    roots = rooted.select(survivor_id=rooted.own_survivor.coalesce(rooted.requirement_id)).distinct()
    below = groups.semi_join(roots, "survivor_id").select(member="requirement_id")
    members = below.union(roots.select(member="survivor_id")).distinct()
    selves = members.select("member", ancestor="member", since=ibis.literal(NEVER, "int64"))
    climbs = lineage.select(member="requirement_id", ancestor="ancestor_id", since="joined_at")
    return selves.union(climbs.semi_join(members, "member"))


def _by_requirement(changed: ir.Table, inputs: Inputs) -> ir.Table:
    """Deliveries of any requirement in the groups that the changed requirements belong to."""
    groups, deliveries = inputs.table("requirement_groups"), inputs.table("deliveries")
    changed = changed.select("requirement_id")
    survivors = groups.semi_join(changed, "requirement_id").select(requirement_id="survivor_id")
    roots = changed.union(survivors)
    members = groups.semi_join(roots, groups.survivor_id == roots.requirement_id).select("requirement_id")
    affected = roots.union(members)
    return deliveries.semi_join(affected, "requirement_id").select("delivery_id")


def _by_group(changed: ir.Table, inputs: Inputs) -> ir.Table:
    both = changed.select("requirement_id").union(changed.select(requirement_id="survivor_id"))
    return _by_requirement(both, inputs)


TELLINGS = Table(
    name="tellings",
    label=label("Customers to be told", "交付反馈表"),
    aggregates=("delivery",),
    key=("delivery_id", "customer_id"),
    partition=("delivery_id",),
    columns=TELLINGS_COLUMNS,
    rows=_tellings,
    sources=sources(TELLING),
    cells={**TELLING, "channel": first("channel", INFORMED)},
    part="customer_id",
    borrowed={
        "requirement_id": ("deliveries", "requirement_id"),
        "owner_id": ("deliveries", "owner_id"),
        "delivered_at": ("deliveries", "delivered_at"),
        "cancelled_at": ("deliveries", "cancelled_at"),
        "started_at": ("deliveries", "delivered_at"),
        "joined_at": ("requirements", "merged_at"),
        "customer_id": ("requirements", "customer_id"),
    },
    reaches=(
        Reach(
            "deliveries",
            OF_DELIVERY,
            lambda changed, _: changed.select("delivery_id"),
        ),
        Reach("requirements", ("requirement_id", "customer_id"), _by_requirement),
        Reach("requirement_groups", ("requirement_id", "survivor_id"), _by_group),
        Reach("requirement_lineage", ("requirement_id", "ancestor_id", "joined_at"), _by_requirement),
    ),
)
