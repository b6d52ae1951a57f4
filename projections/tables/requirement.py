"""Tables of requirements: requirements, requirement_groups, assessments, value_assessments."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from ledger.rulebook.expressions import Kind
from projections.tables.definition import Inputs, Reach, Table, beside, label
from projections.tables.fold import count, edge, first, first_at, fold, kinds, last, last_at, sources, status
from projections.tables.groups import group_reach, group_rows, lineage_rows
from projections.tables.priority import ASSESSED, MARKS, RULED, SCORED, ruled, scored

REOPENED = ("requirement.reopened",)
REQUIREMENT = {
    "customer_id": first("customer_id", "requirement.captured"),
    "contact_id": first("contact_id", "requirement.captured"),
    "channel": first("channel", "requirement.captured"),
    "source_kind": first("source_kind", "requirement.captured"),
    "expression": first("expression", "requirement.captured"),
    "key": first("key", "requirement.captured"),
    "found_late": first("found_late", "requirement.captured"),
    "captured_at": first_at("requirement.captured"),
    "clarification_requested_at": last_at("requirement.clarification_requested"),
    "clarified_at": last_at("requirement.clarified"),
    "clarifications": count("requirement.clarified"),
    "rejected_at": last_at("requirement.rejected", undone_by=REOPENED),
    "rejection": last("rejection", "requirement.rejected", undone_by=REOPENED),
    "kano": last("kano", "requirement.classified"),
    "archive_class": last("archive_class", "requirement.classified"),
    "classified_at": last_at("requirement.classified"),
    "assessments": count("requirement.assessed"),
    "priority": last("priority", "requirement.prioritised"),
    "scoped_at": first_at("requirement.scoped"),
    "verified_at": last_at("requirement.verified"),
    "correct": last("correct", "requirement.verified"),
    "archived_at": last_at("requirement.archived"),
    "archive_complete": last("complete", "requirement.archived"),
    "converted_at": first_at("requirement.converted"),
    "improvement": last("improvement", "requirement.converted"),
    "reopened": count("requirement.reopened"),
    "closed_at": last_at("requirement.closed", undone_by=REOPENED),
    "merged_into": edge("into_id", "requirement.merged", "requirement.unmerged"),
    "merged_at": edge("occurred_at", "requirement.merged", "requirement.unmerged"),
    "status": status(
        {
            "requirement.captured": "captured",
            "requirement.clarification_requested": "clarifying",
            "requirement.clarified": "captured",
            "requirement.classified": "classified",
            "requirement.assessed": "assessed",
            "requirement.prioritised": "prioritised",
            "requirement.scoped": "scoped",
            "requirement.archived": "archived",
            "requirement.rejected": "rejected",
            "requirement.closed": "closed",
            "requirement.reopened": "reopened",
        }
    ),
}
OF_DELIVERY: dict[str, Kind] = {
    "deliveries": "integer",
    "delivery_id": "text",
    "due_at": "time",
    "delivered_at": "time",
}
OWN: dict[str, Kind] = {"requirement_id": "text", **kinds(REQUIREMENT)}
COLUMNS: dict[str, Kind] = {**OWN, **RULED, **OF_DELIVERY, "delivery_status": "text"}


def _requirements(inputs: Inputs) -> ir.Table:
    events = inputs.events("requirement")
    rows = fold(events, {"requirement_id": events.subject}, REQUIREMENT)
    rows = rows.mutate(status=ibis.ifelse(rows.merged_into.notnull(), "merged", rows.status))
    rows = ruled(rows, inputs.stage("assessed", _assessments(inputs)), inputs, OWN)
    deliveries = inputs.table("deliveries")
    keys = inputs.keys()
    if keys is not None:
        deliveries = deliveries.semi_join(keys, "requirement_id")
    nth = ibis.row_number().over(
        ibis.window(
            group_by=deliveries.requirement_id,
            order_by=[deliveries.planned_at.desc(), deliveries.delivery_id.desc()],
        )
    )
    deliveries = deliveries.mutate(nth=nth)
    latest = deliveries.group_by("requirement_id").agg(
        deliveries=deliveries.count(),
        **{name: deliveries[name].max(where=deliveries.nth == 0) for name in ("delivery_id", "due_at", "delivered_at")},
        delivery_status=deliveries.status.max(where=deliveries.nth == 0),
    )
    rows = beside(inputs, "latest", rows, latest, ["requirement_id"])
    rows = rows.mutate(deliveries=ibis.coalesce(rows.deliveries, 0))
    return rows.select(*COLUMNS)


def _below(changed: ir.Table, inputs: Inputs) -> ir.Table:
    """The changed requirements, and all that share a survivor with them now."""
    groups = inputs.table("requirement_groups")
    changed = changed.filter(changed.merged_into.notnull()).select("requirement_id")
    survivors = groups.semi_join(changed, "requirement_id").select("survivor_id")
    sharing = groups.semi_join(survivors, "survivor_id").select("requirement_id")
    under = groups.semi_join(changed, groups.survivor_id == changed.requirement_id).select("requirement_id")
    return changed.union(sharing, under)


REQUIREMENTS = Table(
    name="requirements",
    label=label("Requirements", "需求跟踪表"),
    aggregates=("requirement",),
    key=("requirement_id",),
    partition=("requirement_id",),
    columns=COLUMNS,
    rows=_requirements,
    sources=sources(REQUIREMENT),
    cells=REQUIREMENT,
    worked_out={
        "assessed_roles": ("assessments",),
        "rule_score": ("assessments",),
        "rule_priority": ("assessments", "kano"),
        "roles_differ": ("assessments",),
        "priority_differs": ("priority", "assessments", "kano"),
    },
    borrowed={
        "deliveries": ("deliveries", "delivery_id"),
        "delivery_id": ("deliveries", "delivery_id"),
        "due_at": ("deliveries", "due_at"),
        "delivered_at": ("deliveries", "delivered_at"),
        "delivery_status": ("deliveries", "status"),
    },
    reaches=(
        Reach(
            "deliveries",
            ("delivery_id", "requirement_id", "planned_at", "due_at", "delivered_at", "status"),
            lambda changed, _: changed.select("requirement_id"),
        ),
    ),
    indexes=("customer_id", "contact_id"),
)

REQUIREMENT_GROUPS = Table(
    name="requirement_groups",
    label=label("Merged requirements", "合并的需求"),
    aggregates=("requirement",),
    key=("requirement_id",),
    partition=("requirement_id",),
    columns={"requirement_id": "text", "survivor_id": "text", "joined_at": "time"},
    rows=lambda inputs: group_rows(inputs, "requirements", "requirement_id"),
    sources=frozenset(),
    borrowed={"survivor_id": ("requirements", "merged_into"), "joined_at": ("requirements", "merged_at")},
    reaches=(group_reach("requirements", "requirement_groups", "requirement_id"),),
    indexes=("survivor_id",),
)

REQUIREMENT_LINEAGE = Table(
    name="requirement_lineage",
    label=label("Merges of requirements, step by step", "需求合并链"),
    aggregates=("requirement",),
    key=("requirement_id", "ancestor_id"),
    partition=("requirement_id",),
    columns={"requirement_id": "text", "ancestor_id": "text", "joined_at": "time"},
    rows=lambda inputs: lineage_rows(inputs, "requirements", "requirement_id"),
    sources=frozenset(),
    borrowed={"ancestor_id": ("requirements", "merged_into"), "joined_at": ("requirements", "merged_at")},
    reaches=(
        Reach(
            "requirement_groups",
            ("requirement_id", "survivor_id", "joined_at"),
            lambda changed, _: changed.select("requirement_id"),
        ),
        Reach("requirements", ("requirement_id", "merged_into", "merged_at"), _below),
    ),
)

ASSESSMENT = {**MARKS, "assessed_at": last_at(ASSESSED), "times": count(ASSESSED)}


def _assessments(inputs: Inputs) -> ir.Table:
    events = inputs.events("requirement")
    events = events.filter(events.type == ASSESSED)
    rows = fold(events, {"requirement_id": events.subject, "role": events.role}, ASSESSMENT)
    return scored(rows, inputs.rules)


ASSESSMENTS = Table(
    name="assessments",
    label=label("Assessments", "需求评审表"),
    aggregates=("requirement",),
    key=("requirement_id", "role"),
    partition=("requirement_id",),
    columns={"requirement_id": "text", "role": "text", **kinds(ASSESSMENT), **SCORED},
    rows=_assessments,
    sources=sources(ASSESSMENT),
    cells=ASSESSMENT,
    worked_out={
        "score": ("urgency", "importance", "benefit", "effort"),
        "rule_priority": ("urgency", "importance", "benefit", "effort", "against_strategy"),
    },
    part="role",
)

VALUED = "requirement.value_assessed"
VALUE = {
    "repurchase_bp": last("repurchase_bp", VALUED),
    "cost_saved": last("cost_saved", VALUED),
    "currency": last("currency", VALUED),
    "high_value": last("high_value", VALUED),
    "assessed_at": last_at(VALUED),
}


def _value_assessments(inputs: Inputs) -> ir.Table:
    events = inputs.events("requirement")
    events = events.filter(events.type == VALUED)
    rows = fold(events, {"requirement_id": events.subject, "quarter": events.quarter}, VALUE)
    state = inputs.scoped("requirements")
    state = state.select(
        "requirement_id", "converted_at", valid=state.rejected_at.isnull() & state.merged_into.isnull()
    )
    return rows.inner_join(state, "requirement_id")


VALUE_ASSESSMENTS = Table(
    name="value_assessments",
    label=label("Value assessments", "需求价值评估表"),
    aggregates=("requirement",),
    key=("requirement_id", "quarter"),
    partition=("requirement_id",),
    columns={
        "requirement_id": "text",
        "quarter": "day",
        **kinds(VALUE),
        "converted_at": "time",
        "valid": "boolean",
    },
    rows=_value_assessments,
    sources=sources(VALUE),
    cells=VALUE,
    part="quarter",
    borrowed={"converted_at": ("requirements", "converted_at"), "valid": ("requirements", "rejected_at")},
    reaches=(
        Reach(
            "requirements",
            ("requirement_id", "converted_at", "rejected_at", "merged_into"),
            lambda changed, _: changed.select("requirement_id"),
        ),
    ),
)
