"""Tables of customers: customer_merges, customer_groups, customers, tier_spells, alerts, churns, purchases."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from ledger.rulebook.expressions import Kind
from projections.tables.clockwork import Clocked, with_clocks
from projections.tables.definition import Inputs, Reach, Table, beside, label
from projections.tables.fold import distinct, edge, first, first_at, fold, kinds, last, last_at, sources
from projections.tables.groups import group_reach, group_rows

MERGE = {
    "merged_into": edge("into_id", "customer.merged", "customer.unmerged"),
    "merged_at": edge("occurred_at", "customer.merged", "customer.unmerged"),
}


def _customer_merges(inputs: Inputs) -> ir.Table:
    events = inputs.events("customer")
    rows = fold(events, {"customer_id": events.subject}, MERGE)
    return rows.filter(rows.merged_into.notnull())


# The edges stand apart from `customers`, which counts what the whole group did: it could not be made of itself.
CUSTOMER_MERGES = Table(
    name="customer_merges",
    label=label("Merges of customers", "客户合并记录"),
    aggregates=("customer",),
    key=("customer_id",),
    partition=("customer_id",),
    columns={"customer_id": "text", **kinds(MERGE)},
    rows=_customer_merges,
    sources=sources(MERGE),
    cells=MERGE,
)

CUSTOMER_GROUPS = Table(
    name="customer_groups",
    label=label("Merged customers", "合并的客户"),
    aggregates=("customer",),
    key=("customer_id",),
    partition=("customer_id",),
    columns={"customer_id": "text", "survivor_id": "text", "joined_at": "time"},
    rows=lambda inputs: group_rows(inputs, "customer_merges", "customer_id"),
    sources=frozenset(),
    borrowed={"survivor_id": ("customer_merges", "merged_into"), "joined_at": ("customer_merges", "merged_at")},
    reaches=(group_reach("customer_merges", "customer_groups", "customer_id"),),
    indexes=("survivor_id",),
)

CHURN_UNDONE = ("customer.won_back", "customer.purchased")
CUSTOMER = {
    "segment": last("segment", "customer.registered"),
    "region": last("region", "customer.registered"),
    "stage": last("stage", "customer.registered", "customer.stage_changed"),
    "registered_at": first_at("customer.registered"),
    "tier": last("tier", "customer.tiered"),
    "need_type": last("need_type", "customer.tiered"),
    "manager_id": last("manager_id", "customer.tiered"),
    "tiered_at": last_at("customer.tiered"),
    "preferred_channel": last("channel", "customer.channel_preferred"),
    "orders": distinct("order_id", "customer.purchased"),
    "last_purchased_at": last_at("customer.purchased"),
    "churned_at": last_at("customer.churned", undone_by=CHURN_UNDONE),
    **MERGE,
    "erased_at": first_at("customer.key_destroyed"),
}
COLUMNS: dict[str, Kind] = {
    "customer_id": "text",
    **kinds(CUSTOMER),
    "contacts": "integer",
    "last_contact_at": "time",
    "status": "text",
}


def _customers(inputs: Inputs) -> ir.Table:
    events = inputs.events("customer")
    rows = fold(events, {"customer_id": events.subject}, CUSTOMER)
    rows = beside(inputs, "heard", rows, _heard(inputs), ["customer_id"])
    return rows.mutate(
        contacts=ibis.coalesce(rows.contacts, 0),
        status=ibis.cases(
            (rows.erased_at.notnull(), "erased"),
            (rows.merged_into.notnull(), "merged"),
            (rows.churned_at.notnull(), "churned"),
            else_=rows.stage,
        ),
    )


def _heard(inputs: Inputs) -> ir.Table:
    """Contacts of each customer: those of its own number, and those of all that are merged into it."""
    contacts = inputs.table("contacts")
    contacts = contacts.filter(contacts.merged_into.isnull() & contacts.customer_id.notnull())
    contacts = contacts.select("customer_id", "received_at")
    groups = inputs.table("customer_groups").select(member="customer_id", survivor="survivor_id")
    own = contacts
    keys = inputs.keys()
    if keys is not None:
        own = own.semi_join(keys, "customer_id")
        groups = groups.semi_join(keys, groups.survivor == keys.customer_id)
    members = contacts.inner_join(groups, contacts.customer_id == groups.member)
    heard = own.union(members.select(customer_id="survivor", received_at="received_at"))
    return heard.group_by("customer_id").agg(contacts=heard.count(), last_contact_at=heard.received_at.max())


def _and_its_survivor(changed: ir.Table, inputs: Inputs) -> ir.Table:
    changed = changed.select("customer_id")
    groups = inputs.table("customer_groups").semi_join(changed, "customer_id")
    return changed.union(groups.select(customer_id="survivor_id"))


CUSTOMERS = Table(
    name="customers",
    label=label("Customers", "客户分层表"),
    aggregates=("customer",),
    key=("customer_id",),
    partition=("customer_id",),
    columns=COLUMNS,
    rows=_customers,
    sources=sources(CUSTOMER),
    cells=CUSTOMER,
    borrowed={"contacts": ("contacts", "received_at"), "last_contact_at": ("contacts", "received_at")},
    reaches=(
        Reach(
            "contacts",
            ("contact_id", "customer_id", "received_at", "merged_into"),
            _and_its_survivor,
        ),
        Reach(
            "customer_groups",
            ("customer_id", "survivor_id"),
            lambda changed, _: changed.select(customer_id="survivor_id"),
        ),
    ),
)

TIERED = "customer.tiered"


def _tier_spells(inputs: Inputs) -> ir.Table:
    events = inputs.events("customer")
    events = events.filter(events.type == TIERED)
    in_order = ibis.window(group_by=events.subject, order_by=events.seq)
    return events.select(
        customer_id=events.subject,
        spell=ibis.row_number().over(in_order).cast("int64") + 1,
        tier=events.tier,
        need_type=events.need_type,
        manager_id=events.manager_id,
        from_at=events.occurred_at,
        until_at=events.occurred_at.lead().over(in_order),
    )


TIER_SPELLS = Table(
    name="tier_spells",
    label=label("Tiers over time", "客户分层履历"),
    aggregates=("customer",),
    key=("customer_id", "spell"),
    partition=("customer_id",),
    columns={
        "customer_id": "text",
        "spell": "integer",
        "tier": "text",
        "need_type": "text",
        "manager_id": "text",
        "from_at": "time",
        "until_at": "time",
    },
    rows=_tier_spells,
    sources=frozenset({TIERED}),
    part="spell",
)

ALERT = {
    "indicator": first("indicator", "customer.alert_raised"),
    "evidence": first("evidence", "customer.alert_raised"),
    "raised_at": first_at("customer.alert_raised"),
    "answered_at": first_at("customer.alert_answered"),
    "owner_id": last("owner_id", "customer.alert_answered"),
    "contact_id": last("contact_id", "customer.alert_answered"),
    "diagnosed_at": last_at("customer.cause_diagnosed"),
    "cause": last("cause", "customer.cause_diagnosed"),
    "verified_at": last_at("customer.cause_verified"),
    "correct": last("correct", "customer.cause_verified"),
    "planned_at": first_at("customer.win_back_planned"),
    "won_back_at": first_at("customer.won_back"),
}
OF_CUSTOMER = ("merged_into", "merged_at")
ALERT_COLUMNS: dict[str, Kind] = {
    "customer_id": "text",
    "alert_id": "text",
    **kinds(ALERT),
    "merged_into": "text",
    "merged_at": "time",
}


def _merged(inputs: Inputs, *columns: str) -> ir.Table:
    """Whether the customers in question are merged away: (customer_id, columns of the merge)."""
    return inputs.scoped("customers").select("customer_id", *columns)


def _merged_or_unmerged(*columns: str) -> Reach:
    """A customer that is merged away, or no longer, reaches what is told of it."""
    return Reach(
        "customers",
        ("customer_id", *columns),
        lambda changed, _: changed.filter(changed.merged_into.notnull()).select("customer_id"),
    )


def _alerts(inputs: Inputs) -> ir.Table:
    events = inputs.events("customer")
    events = events.filter(events.alert_id.notnull())
    rows = fold(events, {"customer_id": events.subject, "alert_id": events.alert_id}, ALERT)
    rows = rows.filter(rows.raised_at.notnull())
    rows = beside(inputs, "merged", rows, _merged(inputs, *OF_CUSTOMER), ["customer_id"])
    return with_clocks(
        Clocked(
            rows=rows.select(*ALERT_COLUMNS),
            key=("customer_id", "alert_id"),
            schema=ALERT_COLUMNS,
            targets=inputs.rules.targets("alerts"),
        ),
        inputs,
    )


ALERTS = Table(
    name="alerts",
    label=label("Churn alerts", "流失预警表"),
    aggregates=("customer",),
    key=("customer_id", "alert_id"),
    partition=("customer_id",),
    columns=ALERT_COLUMNS,
    rows=_alerts,
    sources=sources(ALERT),
    cells=ALERT,
    part="alert_id",
    borrowed={name: ("customers", name) for name in OF_CUSTOMER},
    reaches=(_merged_or_unmerged(*OF_CUSTOMER),),
)


def _churns(inputs: Inputs) -> ir.Table:
    events = inputs.events("customer")
    events = events.filter(events.type == "customer.churned")
    in_order = ibis.window(group_by=events.subject, order_by=events.seq)
    churns = events.select(
        customer_id=events.subject,
        churn=ibis.row_number().over(in_order).cast("int64") + 1,
        churned_at=events.occurred_at,
        cause=events.cause,
        by_communication=events.by_communication,
    )
    churns = inputs.stage("churns", churns)
    alerts = inputs.scoped("alerts").select("customer_id", "raised_at", "won_back_at")
    warned = churns.inner_join(alerts, "customer_id")
    warned = warned.filter(
        (warned.raised_at < warned.churned_at)
        & ~((warned.won_back_at <= warned.churned_at) & (warned.won_back_at >= warned.raised_at)).fill_null(False)
    )
    warned = warned.select("customer_id", "churn").distinct().mutate(warned=True)
    joined = beside(inputs, "warned", churns, warned, ["customer_id", "churn"])
    rows = joined.select(*churns.columns, alerted=ibis.coalesce(joined.warned, False))
    return beside(inputs, "merged", rows, _merged(inputs, "merged_into"), ["customer_id"])


CHURNS = Table(
    name="churns",
    label=label("Churns", "客户流失表"),
    aggregates=("customer",),
    key=("customer_id", "churn"),
    partition=("customer_id",),
    columns={
        "customer_id": "text",
        "churn": "integer",
        "churned_at": "time",
        "cause": "text",
        "by_communication": "boolean",
        "alerted": "boolean",
        "merged_into": "text",
    },
    rows=_churns,
    sources=frozenset({"customer.churned"}),
    part="churn",
    borrowed={"alerted": ("alerts", "raised_at"), "merged_into": ("customers", "merged_into")},
    reaches=(
        _merged_or_unmerged("merged_into"),
        Reach(
            "alerts",
            ("customer_id", "alert_id", "raised_at", "won_back_at"),
            lambda changed, _: changed.select("customer_id"),
        ),
    ),
)

PURCHASE = {
    "amount": first("amount", "customer.purchased"),
    "currency": first("currency", "customer.purchased"),
    "purchased_at": first_at("customer.purchased"),
    "position": first("position", "customer.purchased"),
}


def _purchases(inputs: Inputs) -> ir.Table:
    events = inputs.events("customer")
    events = events.filter(events.type == "customer.purchased")
    return fold(events, {"customer_id": events.subject, "order_id": events.order_id}, PURCHASE)


PURCHASES = Table(
    name="purchases",
    label=label("Purchases", "购买记录"),
    aggregates=("customer",),
    key=("customer_id", "order_id"),
    partition=("customer_id",),
    columns={"customer_id": "text", "order_id": "text", **kinds(PURCHASE)},
    rows=_purchases,
    sources=sources(PURCHASE),
    cells=PURCHASE,
    part="order_id",
)
