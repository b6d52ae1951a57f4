"""Tables worked out when they are read: what depends on the periods asked for, or what time alone brings about.

`customer_periods`, `customer_spending` and `staff_periods` have a row per subject and period; `cadence` has one per
customer and window of its tier's cadence. A state at a moment is what all that occurred before it makes of it. What a
merged-away customer did counts for the one that survives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from ledger.rulebook.expressions import Kind
from ledger.rulebook.model import Label
from projections.tables.definition import Inputs, label

PERIODS = ibis.schema({"begins": "int64", "ends": "int64", "opens_at": "int64", "closes_at": "int64"})
"""A period: its first and last day, its first moment and the first after it."""
WINDOWS = ibis.schema({"tier": "string", "cadence": "string", **dict(PERIODS.items())})
"""The windows of each tier's cadence, as periods, by the rule book in force when they end."""
ASKED = ibis.schema({"asked": "int64"})


@dataclass(frozen=True)
class Asked:
    """What a reading brings along: the periods, the windows of all cadences, the moment of asking (one row)."""

    periods: ir.Table
    windows: ir.Table
    moment: ir.Table


def asked_tables() -> Asked:
    """The tables of those names."""
    return Asked(
        periods=ibis.table(PERIODS, name="periods"),
        windows=ibis.table(WINDOWS, name="windows"),
        moment=ibis.table(ASKED, name="moment"),
    )


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A table worked out when it is read. `end` is the column (a day) that says which period a row belongs to."""

    name: str
    label: Label
    key: tuple[str, ...]
    columns: Mapping[str, Kind]
    rows: Callable[[Inputs, Asked], ir.Table]
    end: str


def _survivors(rows: ir.Table, inputs: Inputs) -> ir.Table:
    """Rows with `who`: the customer that survives the one they name."""
    groups = inputs.table("customer_groups").select(member="customer_id", survivor_id="survivor_id")
    joined = rows.left_join(groups, rows.customer_id == groups.member)
    return joined.select(*rows.columns, who=joined.survivor_id.coalesce(joined.customer_id))


def _contacts(inputs: Inputs) -> ir.Table:
    contacts = inputs.table("contacts")
    contacts = contacts.filter(contacts.merged_into.isnull() & contacts.customer_id.notnull())
    return _survivors(contacts.select("customer_id", "received_at"), inputs)


def _surveys(inputs: Inputs) -> ir.Table:
    return _survivors(inputs.table("surveys").select("customer_id", "sent_at"), inputs)


def _purchases(inputs: Inputs) -> ir.Table:
    """Every order once: told under two numbers that were merged it is one, as it was under one number: the first."""
    bought = _survivors(inputs.table("purchases"), inputs)
    in_order = ibis.window(group_by=[bought.who, bought.order_id], order_by=[bought.purchased_at, bought.position])
    bought = bought.mutate(nth=ibis.row_number().over(in_order))
    return bought.filter(bought.nth == 0)


def _within(rows: ir.Table, at: str, periods: ir.Table) -> ir.Table:
    """Each row with the period its moment lies in."""
    moment = rows[at]
    return rows.inner_join(periods, [moment >= periods.opens_at, moment < periods.closes_at])


def _held(spells: ir.Table, moments: ir.Table, at: str) -> ir.Table:
    """The spells that hold at moments: begun before, and not ended before."""
    return spells.inner_join(
        moments, [spells.from_at < moments[at], spells.until_at.isnull() | (spells.until_at >= moments[at])]
    )


def _tiers(inputs: Inputs, moments: ir.Table, at: str, key: tuple[str, ...]) -> ir.Table:
    """Of spells that begin in the same moment the later one holds."""
    held = _held(inputs.table("tier_spells"), moments, at)
    return held.group_by("customer_id", *key).agg(
        tier=held.tier.argmax(held.spell), need_type=held.need_type.argmax(held.spell)
    )


def _active(inputs: Inputs, moments: ir.Table, at: str, key: tuple[str, ...]) -> ir.Table:
    held = _held(inputs.table("active_spells"), moments, at)
    return held.select("customer_id", *key).distinct().mutate(active=True)


def _set_beside(rows: ir.Table, other: ir.Table, key: tuple[str, ...], **columns: str) -> ir.Table:
    """The rows, with columns of others of the same key set beside them under new names."""
    right = other.select(**{f"other_{name}": name for name in key}, **columns)
    joined = rows.left_join(right, [rows[name] == right[f"other_{name}"] for name in key])
    return joined.select(*rows.columns, *columns)


def _customer_periods(inputs: Inputs, asked: Asked) -> ir.Table:
    periods, of = asked.periods, ("customer_id", "ends")
    customers = inputs.table("customers")
    customers = customers.filter(customers.merged_into.isnull()).select(
        "customer_id", "segment", "region", "registered_at"
    )
    rows = customers.inner_join(periods, [customers.registered_at < periods.closes_at])
    heard = _within(_contacts(inputs), "received_at", periods)
    heard = heard.group_by(customer_id=heard.who, ends=heard.ends).agg(contacts=heard.count())
    # the joins that look back from a period's end find many rows, and keep the latest
    before = _contacts(inputs)
    before = before.inner_join(periods, [before.received_at < periods.closes_at])
    before = before.group_by(customer_id=before.who, ends=before.ends).agg(last_at=before.received_at.max())
    bought = _within(_purchases(inputs), "purchased_at", periods)
    bought = bought.group_by(customer_id=bought.who, ends=bought.ends).agg(orders=bought.count())
    sent = _within(_surveys(inputs), "sent_at", periods)
    sent = sent.group_by(customer_id=sent.who, ends=sent.ends).agg(surveys=sent.count())
    lost = inputs.table("churns")
    lost = _within(lost.filter(lost.by_communication), "churned_at", periods)
    lost = lost.select("customer_id", "ends").distinct().mutate(lost=True)
    rows = _set_beside(rows, _active(inputs, periods, "opens_at", ("ends",)), of, was_active="active")
    rows = _set_beside(rows, _active(inputs, periods, "closes_at", ("ends",)), of, is_active="active")
    rows = _set_beside(rows, _tiers(inputs, periods, "opens_at", ("ends",)), of, tier_at_start="tier")
    tiers = _tiers(inputs, periods, "closes_at", ("ends",))
    rows = _set_beside(rows, tiers, of, tier="tier", need_type="need_type")
    rows = _set_beside(rows, heard, of, contacts="contacts")
    rows = _set_beside(rows, before, of, last_at="last_at")
    rows = _set_beside(rows, bought, of, orders="orders")
    rows = _set_beside(rows, sent, of, surveys="surveys")
    rows = _set_beside(rows, lost, of, lost="lost")
    rows = _set_beside(rows, _since(asked), ("ends", "tier"), since="since")
    active_at_start, active_at_end = rows.was_active.fill_null(False), rows.is_active.fill_null(False)
    return rows.select(
        "customer_id",
        "tier",
        "tier_at_start",
        "need_type",
        "segment",
        "region",
        period_start=rows.begins,
        period_end=rows.ends,
        active_at_start=active_at_start,
        active_at_end=active_at_end,
        core_at_start=active_at_start & (rows.tier_at_start == "high").fill_null(False),
        core_at_end=active_at_end & (rows.tier == "high").fill_null(False),
        contacts=rows.contacts.fill_null(0),
        orders=rows.orders.fill_null(0),
        surveys=rows.surveys.fill_null(0),
        churned_by_communication=rows.lost.fill_null(False),
        contacted_as_asked=active_at_end & (rows.last_at >= rows.since).fill_null(False),
    )


def _since(asked: Asked) -> ir.Table:
    """Per period and tier, when its latest window that has ended by the period's end began."""
    windows = asked.windows.cross_join(asked.moment)
    windows = windows.filter(windows.closes_at <= windows.asked)
    windows = windows.select(tier="tier", from_at="opens_at", to_at="closes_at")
    ended = windows.inner_join(asked.periods, [windows.to_at <= asked.periods.closes_at])
    return ended.group_by("ends", "tier").agg(since=ended.from_at.max())


def _customer_spending(inputs: Inputs, asked: Asked) -> ir.Table:
    bought = _within(_purchases(inputs), "purchased_at", asked.periods)
    sums = bought.group_by(
        customer_id=bought.who, currency=bought.currency, period_start=bought.begins, period_end=bought.ends
    )
    return sums.agg(amount=bought.amount.sum().cast("int64"), orders=bought.count())


def _staff_periods(inputs: Inputs, asked: Asked) -> ir.Table:
    held = _held(inputs.table("staff_assessments"), asked.periods, "closes_at")
    rows = held.group_by("staff_id", period_start=held.begins, period_end=held.ends)
    return rows.agg(passed=held.passed.argmax(held.spell))


def _cadence(inputs: Inputs, asked: Asked) -> ir.Table:
    windows, of = asked.windows, ("customer_id", "due_tier", "cadence", "begins")
    windows = windows.rename(due_tier="tier")
    customers = inputs.table("customers")
    customers = customers.filter(customers.merged_into.isnull()).select("customer_id")
    rows = _held(inputs.table("active_spells"), windows, "opens_at")
    rows = rows.semi_join(customers, "customer_id").select("customer_id", *windows.columns).distinct()
    rows = _set_beside(rows, _tiers(inputs, windows, "opens_at", of[1:]), of, tier="tier")
    rows = rows.filter(rows.tier == rows.due_tier)
    heard = _within(_contacts(inputs), "received_at", windows)
    heard = heard.group_by(
        customer_id=heard.who, due_tier=heard.due_tier, cadence=heard.cadence, begins=heard.begins
    ).agg(contacts=heard.count())
    rows = _set_beside(rows, heard, of, contacts="contacts")
    rows = _set_beside(rows, _active(inputs, windows, "closes_at", of[1:]), of, is_active="active")
    rows = rows.cross_join(asked.moment)
    contacts = rows.contacts.fill_null(0)
    return rows.select(
        "customer_id",
        "tier",
        "cadence",
        window_start=rows.begins,
        window_end=rows.ends,
        due_at=rows.closes_at,
        contacts=contacts,
        done=contacts > 0,
        ended=rows.closes_at <= rows.asked,
        active_at_end=rows.is_active.fill_null(False),
    )


STANDING: Mapping[str, Standing] = {
    table.name: table
    for table in (
        Standing(
            name="customer_periods",
            label=label("Customers by period", "客户期间表"),
            key=("customer_id", "period_end"),
            columns={
                "customer_id": "text",
                "tier": "text",
                "tier_at_start": "text",
                "need_type": "text",
                "segment": "text",
                "region": "text",
                "period_start": "day",
                "period_end": "day",
                "active_at_start": "boolean",
                "active_at_end": "boolean",
                "core_at_start": "boolean",
                "core_at_end": "boolean",
                "contacts": "integer",
                "orders": "integer",
                "surveys": "integer",
                "churned_by_communication": "boolean",
                "contacted_as_asked": "boolean",
            },
            rows=_customer_periods,
            end="period_end",
        ),
        Standing(
            name="customer_spending",
            label=label("Spending by period", "客户消费期间表"),
            key=("customer_id", "currency", "period_end"),
            columns={
                "customer_id": "text",
                "currency": "text",
                "period_start": "day",
                "period_end": "day",
                "amount": "integer",
                "orders": "integer",
            },
            rows=_customer_spending,
            end="period_end",
        ),
        Standing(
            name="staff_periods",
            label=label("Staff by period", "员工期间表"),
            key=("staff_id", "period_end"),
            columns={"staff_id": "text", "period_start": "day", "period_end": "day", "passed": "boolean"},
            rows=_staff_periods,
            end="period_end",
        ),
        Standing(
            name="cadence",
            label=label("Contact cadence", "客户维护沟通周期表"),
            key=("customer_id", "window_start"),
            columns={
                "customer_id": "text",
                "tier": "text",
                "cadence": "text",
                "window_start": "day",
                "window_end": "day",
                "due_at": "time",
                "contacts": "integer",
                "done": "boolean",
                "ended": "boolean",
                "active_at_end": "boolean",
            },
            rows=_cadence,
            end="window_end",
        ),
    )
}
"""The tables worked out when they are read, by name."""
