"""Tables of notices: notices, notice_deliveries, notice_customers."""

from __future__ import annotations

import ibis.expr.types as ir

from ledger.rulebook.expressions import Kind
from projections.tables.definition import Inputs, Reach, Table, label
from projections.tables.fold import first, first_at, fold, kinds, sources

ISSUED = "notice.issued"
NOTICE = {
    "topic": first("topic", ISSUED),
    "important": first("important", ISSUED),
    "plan_id": first("plan_id", ISSUED),
    "issued_at": first_at(ISSUED),
    "effective_at": first("effective_at", ISSUED),
    "withdrawn_at": first_at("notice.withdrawn"),
}


def _notices(inputs: Inputs) -> ir.Table:
    events = inputs.events("notice")
    return fold(events, {"notice_id": events.subject}, NOTICE)


NOTICES = Table(
    name="notices",
    label=label("Notices", "重要信息通知"),
    aggregates=("notice",),
    key=("notice_id",),
    partition=("notice_id",),
    columns={"notice_id": "text", **kinds(NOTICE)},
    rows=_notices,
    sources=sources(NOTICE),
    cells=NOTICE,
    indexes=("plan_id",),
)

SENT = "notice_delivery.sent"
DELIVERY = {
    "notice_id": first("notice_id", SENT),
    "customer_id": first("customer_id", SENT),
    "channel": first("channel", SENT),
    "sent_at": first_at(SENT),
    "delivered_at": first_at("notice_delivery.delivered"),
    "confirmed_at": first_at("notice_delivery.confirmed"),
    "responded_at": first_at("notice_delivery.responded"),
}


def _notice_deliveries(inputs: Inputs) -> ir.Table:
    events = inputs.events("notice_delivery")
    return fold(events, {"notice_delivery_id": events.subject}, DELIVERY)


NOTICE_DELIVERIES = Table(
    name="notice_deliveries",
    label=label("Notices sent", "通知发送记录"),
    aggregates=("notice_delivery",),
    key=("notice_delivery_id",),
    partition=("notice_delivery_id",),
    columns={"notice_delivery_id": "text", **kinds(DELIVERY)},
    rows=_notice_deliveries,
    sources=sources(DELIVERY),
    cells=DELIVERY,
    indexes=("notice_id", "customer_id"),
)

OF_NOTICE = ("topic", "important", "plan_id", "issued_at", "effective_at", "withdrawn_at")
SENDING = ("notice_id", "customer_id", "channel", "sent_at", "delivered_at", "confirmed_at")
CUSTOMER_COLUMNS: dict[str, Kind] = {
    "notice_id": "text",
    "customer_id": "text",
    **{name: NOTICE[name].kind for name in OF_NOTICE},
    "sendings": "integer",
    "channels_confirmed": "integer",
    "first_sent_at": "time",
    "first_delivered_at": "time",
    "first_confirmed_at": "time",
    "due_at": "time",
    "counts": "boolean",
}


def _notice_customers(inputs: Inputs) -> ir.Table:
    sent = _sent(inputs)
    rows = sent.group_by("notice_id", "customer_id").agg(
        sendings=sent.count(),
        channels_confirmed=sent.channel.nunique(where=sent.confirmed_at.notnull()),
        first_sent_at=sent.sent_at.min(),
        first_delivered_at=sent.delivered_at.min(),
        first_confirmed_at=sent.confirmed_at.min(),
    )
    rows = inputs.stage("sent", rows)
    notices = inputs.table("notices").select("notice_id", *OF_NOTICE)
    rows = rows.inner_join(notices, "notice_id")
    rows = rows.mutate(due_at=rows.effective_at.coalesce(rows.issued_at))
    return rows.mutate(counts=rows.withdrawn_at.isnull() | (rows.withdrawn_at >= rows.due_at)).select(*CUSTOMER_COLUMNS)


def _sent(inputs: Inputs) -> ir.Table:
    """What was sent, to whom it was sent in the end: the customer that survives the one it names."""
    sent = inputs.table("notice_deliveries").select(*SENDING)
    groups = inputs.table("customer_groups").select(member="customer_id", survivor="survivor_id")
    own = sent.anti_join(groups, sent.customer_id == groups.member)
    keys = inputs.keys()
    if keys is None:
        return own.union(_to_survivors(sent, groups))
    groups = groups.semi_join(keys, groups.survivor == keys.customer_id)
    of = ["notice_id", "customer_id"]
    return own.semi_join(keys, of).union(_to_survivors(sent, groups).semi_join(keys, of))


def _to_survivors(sent: ir.Table, groups: ir.Table) -> ir.Table:
    merged = sent.inner_join(groups, sent.customer_id == groups.member)
    return merged.select(**{name: "survivor" if name == "customer_id" else name for name in SENDING})


def _with_survivors(pairs: ir.Table, inputs: Inputs) -> ir.Table:
    """The same pairs of notice and customer, and those of the customers that survive the ones named."""
    groups = inputs.table("customer_groups").select(member="customer_id", survivor="survivor_id")
    pairs = pairs.select("notice_id", "customer_id")
    merged = pairs.inner_join(groups, pairs.customer_id == groups.member)
    return pairs.union(merged.select("notice_id", customer_id="survivor"))


def _of_notice(changed: ir.Table, inputs: Inputs) -> ir.Table:
    return _with_survivors(inputs.table("notice_deliveries").semi_join(changed, "notice_id"), inputs)


def _of_group(changed: ir.Table, inputs: Inputs) -> ir.Table:
    """All that was sent to the customers that changed their survivor, under either; and all that the survivors had."""
    changed = changed.select(member="customer_id", survivor="survivor_id")
    stood, sent = inputs.table("notice_customers"), inputs.table("notice_deliveries")
    had = stood.semi_join(changed, stood.customer_id == changed.survivor).select("notice_id", "customer_id")
    sent = sent.inner_join(changed, sent.customer_id == changed.member)
    own = sent.select("notice_id", customer_id="member")
    return had.union(own, sent.select("notice_id", customer_id="survivor"))


NOTICE_CUSTOMERS = Table(
    name="notice_customers",
    label=label("Customers to be notified", "通知客户表"),
    aggregates=("notice",),
    key=("notice_id", "customer_id"),
    partition=("notice_id", "customer_id"),
    columns=CUSTOMER_COLUMNS,
    rows=_notice_customers,
    sources=frozenset(),
    borrowed={
        "customer_id": ("notice_deliveries", "customer_id"),
        **{name: ("notices", name) for name in OF_NOTICE},
        "sendings": ("notice_deliveries", "sent_at"),
        "channels_confirmed": ("notice_deliveries", "confirmed_at"),
        "first_sent_at": ("notice_deliveries", "sent_at"),
        "first_delivered_at": ("notice_deliveries", "delivered_at"),
        "first_confirmed_at": ("notice_deliveries", "confirmed_at"),
    },
    worked_out={"due_at": ("effective_at", "issued_at"), "counts": ("withdrawn_at", "effective_at", "issued_at")},
    reaches=(
        Reach(
            "notice_deliveries",
            (
                "notice_delivery_id",
                "notice_id",
                "customer_id",
                "channel",
                "sent_at",
                "delivered_at",
                "confirmed_at",
            ),
            _with_survivors,
        ),
        Reach("notices", ("notice_id", *OF_NOTICE), _of_notice),
        Reach("customer_groups", ("customer_id", "survivor_id"), _of_group),
    ),
    indexes=("customer_id",),
)
