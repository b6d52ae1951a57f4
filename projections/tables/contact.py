"""Tables of contacts: contacts, contact_groups, pauses, contact_cycles."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from ledger.rulebook.expressions import Kind
from projections.tables.clockwork import Clocked, with_clocks
from projections.tables.definition import Inputs, Reach, Table, beside, label
from projections.tables.fold import count, edge, ever, first, first_at, fold, kinds, last, last_at, sources, status
from projections.tables.groups import group_reach, group_rows

CONTACT = {
    "customer_id": last("customer_id", "contact.received", "contact.identified"),
    "channel": first("channel", "contact.received"),
    "department": first("department", "contact.received"),
    "direction": first("direction", "contact.received"),
    "kind": first("kind", "contact.received"),
    "complexity": first("complexity", "contact.received"),
    "purpose": first("purpose", "contact.received"),
    "received_at": first_at("contact.received"),
    "rang_at": first_at("contact.rang"),
    "answered_at": first_at("contact.answered", automated=False),
    "agent_id": last("agent_id", "contact.answered", automated=False),
    "script_id": last("script_id", "contact.answered"),
    "abandoned_at": first_at("contact.abandoned"),
    "prepared": last("prepared", "contact.minutes_recorded"),
    "complete": last("complete", "contact.minutes_recorded"),
    "screened_at": first_at("contact.screened"),
    "has_requirement": last("has_requirement", "contact.screened"),
    "solution_proposed_at": first_at("contact.solution_proposed"),
    "resolved_at": first_at("contact.resolved"),
    "solved": last("solved", "contact.resolved"),
    "fixed_at": first_at("contact.resolved", solved=True),
    "informed_at": first_at("contact.customer_informed"),
    "valid": last("valid", "contact.closed"),
    "closed_at": last_at("contact.closed"),
    "reopened": count("contact.reopened"),
    "misunderstood": ever("contact.problem_flagged", problem="misunderstanding"),
    "flagged": ever("contact.problem_flagged"),
    "merged_into": edge("into_id", "contact.merged", "contact.unmerged"),
    "merged_at": edge("occurred_at", "contact.merged", "contact.unmerged"),
    "status": status(
        {
            "contact.received": "open",
            "contact.answered": "answered",
            "contact.abandoned": "abandoned",
            "contact.resolved": "resolved",
            "contact.reopened": "open",
            "contact.closed": "closed",
        },
        automated=False,
    ),
}


def _contacts(inputs: Inputs) -> ir.Table:
    events = inputs.events("contact")
    rows = fold(events, {"contact_id": events.subject}, CONTACT)
    return rows.mutate(status=ibis.ifelse(rows.merged_into.notnull(), "merged", rows.status))


CONTACTS = Table(
    name="contacts",
    label=label("Contacts", "客户沟通记录"),
    aggregates=("contact",),
    key=("contact_id",),
    partition=("contact_id",),
    columns={"contact_id": "text", **kinds(CONTACT)},
    rows=_contacts,
    sources=sources(CONTACT),
    cells=CONTACT,
    indexes=("customer_id",),
)

CONTACT_GROUPS = Table(
    name="contact_groups",
    label=label("Merged contacts", "合并的沟通"),
    aggregates=("contact",),
    key=("contact_id",),
    partition=("contact_id",),
    columns={"contact_id": "text", "survivor_id": "text", "joined_at": "time"},
    rows=lambda inputs: group_rows(inputs, "contacts", "contact_id"),
    sources=frozenset(),
    borrowed={"survivor_id": ("contacts", "merged_into"), "joined_at": ("contacts", "merged_at")},
    reaches=(group_reach("contacts", "contact_groups", "contact_id"),),
    indexes=("survivor_id",),
)

PAUSE = {
    "pause_reason": first("pause_reason", "contact.paused"),
    "paused_at": first_at("contact.paused"),
    "resumed_at": first_at("contact.resumed"),
}


def with_cycle(events: ir.Table) -> ir.Table:
    """Add the cycle each event falls into: 1, and one more from every reopening on."""
    reopened = (events.type == "contact.reopened").ifelse(1, 0)
    so_far = reopened.sum().over(ibis.cumulative_window(group_by=events.subject, order_by=events.seq))
    return events.mutate(cycle=so_far.cast("int64") + 1)


def _pauses(inputs: Inputs) -> ir.Table:
    events = with_cycle(inputs.events("contact"))
    events = events.filter(events.pause_id.notnull())
    rows = events.group_by(contact_id=events.subject, pause_id=events.pause_id).agg(
        cycle=events.cycle.argmin(events.seq, where=events.type == "contact.paused"),
        **{name: spec.expression(events) for name, spec in PAUSE.items()},
    )
    return rows.filter(rows.paused_at.notnull())


PAUSES = Table(
    name="pauses",
    label=label("Pauses", "暂停记录"),
    aggregates=("contact",),
    key=("contact_id", "pause_id"),
    partition=("contact_id",),
    columns={"contact_id": "text", "pause_id": "text", "cycle": "integer", **kinds(PAUSE)},
    rows=_pauses,
    sources=sources(PAUSE) | {"contact.reopened"},
    cells=PAUSE,
    part="pause_id",
)

CYCLE = {
    "rang_at": first_at("contact.rang"),
    "answered_at": first_at("contact.answered", automated=False),
    "abandoned_at": first_at("contact.abandoned"),
    "solution_proposed_at": first_at("contact.solution_proposed"),
    "resolved_at": first_at("contact.resolved"),
    "solved": last("solved", "contact.resolved"),
    "fixed_at": first_at("contact.resolved", solved=True),
    "informed_at": first_at("contact.customer_informed"),
    "closed_at": last_at("contact.closed"),
}
OF_CONTACT = (
    "customer_id", "channel", "department", "direction", "kind", "complexity", "purpose", "valid", "merged_at",
)  # fmt: skip


def _cycles(inputs: Inputs) -> ir.Table:
    events = with_cycle(inputs.events("contact"))
    rows = fold(
        events,
        {"contact_id": events.subject, "cycle": events.cycle},
        {"received_at": first_at("contact.received", "contact.reopened"), **CYCLE},
    )
    contacts = inputs.scoped("contacts").select("contact_id", *OF_CONTACT)
    rows = inputs.stage("told", rows.inner_join(contacts, "contact_id"))
    rows = _with_tier(rows, inputs)
    members = inputs.stage("members", _members(inputs))
    arrivals = members.group_by("contact_id").agg(group_received_at=members.received_at.min())
    rows = beside(inputs, "arrivals", rows, arrivals, ["contact_id"])
    rows = rows.mutate(group_received_at=ibis.ifelse(rows.cycle == 1, rows.group_received_at, ibis.null("int64")))
    rows = rows.select(*CYCLES_BASE)
    return with_clocks(
        Clocked(
            rows=rows,
            key=("contact_id", "cycle"),
            schema=CYCLES_BASE,
            targets=inputs.rules.targets("contact_cycles"),
            pauses=inputs.scoped("pauses"),
            group=members,
        ),
        inputs,
    )


def _with_tier(rows: ir.Table, inputs: Inputs) -> ir.Table:
    """Add the tier the contact's customer had when the cycle began."""
    spells = inputs.table("tier_spells").select("customer_id", "spell", spell_tier="tier", from_at="from_at")
    held = rows.select("contact_id", "cycle", "customer_id", "received_at").inner_join(spells, "customer_id")
    held = held.filter(held.from_at <= held.received_at)
    tiers = held.group_by("contact_id", "cycle").agg(tier=held.spell_tier.argmax(held.spell))
    return beside(inputs, "tiers", rows, tiers, ["contact_id", "cycle"])


def _members(inputs: Inputs) -> ir.Table:
    """What was merged into the contacts in question: (survivor as contact_id, received_at, joined_at)."""
    groups = inputs.table("contact_groups")
    keys = inputs.keys()
    if keys is not None:
        groups = groups.semi_join(keys, groups.survivor_id == keys.contact_id)
    groups = groups.select(member="contact_id", survivor_id="survivor_id", joined_at="joined_at")
    contacts = inputs.table("contacts")
    joined = groups.inner_join(contacts, groups.member == contacts.contact_id)
    return joined.select(contact_id="survivor_id", received_at="received_at", joined_at="joined_at")


def _by_customer(changed: ir.Table, inputs: Inputs) -> ir.Table:
    contacts = inputs.table("contacts")
    return contacts.semi_join(changed, contacts.customer_id == changed.customer_id).select("contact_id")


def _survivors_of(changed: ir.Table, inputs: Inputs) -> ir.Table:
    groups = inputs.table("contact_groups")
    return groups.semi_join(changed, groups.contact_id == changed.contact_id).select(contact_id="survivor_id")


CYCLES_BASE: dict[str, Kind] = {
    "contact_id": "text",
    "cycle": "integer",
    **{name: CONTACTS.columns[name] for name in OF_CONTACT if name != "merged_at"},
    "tier": "text",
    "received_at": "time",
    **kinds(CYCLE),
    "merged_at": "time",
    "group_received_at": "time",
}

CONTACT_CYCLES = Table(
    name="contact_cycles",
    label=label("Contact cycles", "沟通处理周期"),
    aggregates=("contact",),
    key=("contact_id", "cycle"),
    partition=("contact_id",),
    columns=CYCLES_BASE,
    rows=_cycles,
    sources=sources(CYCLE) | {"contact.received", "contact.reopened"},
    cells={"received_at": first_at("contact.received", "contact.reopened"), **CYCLE},
    part="cycle",
    borrowed={
        **{name: ("contacts", name) for name in OF_CONTACT},
        "tier": ("tier_spells", "tier"),
        "group_received_at": ("contacts", "received_at"),
    },
    reaches=(
        Reach("contacts", ("contact_id", *OF_CONTACT), lambda changed, _: changed.select("contact_id")),
        Reach("pauses", ("contact_id", "paused_at", "resumed_at"), lambda changed, _: changed.select("contact_id")),
        Reach("tier_spells", ("customer_id", "spell", "tier", "from_at"), _by_customer),
        Reach(
            "contact_groups",
            ("contact_id", "survivor_id", "joined_at"),
            lambda changed, _: changed.select(contact_id="survivor_id"),
        ),
        Reach("contacts", ("contact_id", "received_at"), _survivors_of),
    ),
)
