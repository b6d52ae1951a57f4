"""Tables of quality: scripts, reviews (the weekly sample), staff, staff_assessments."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from ledger.rulebook.expressions import Kind
from projections.tables.definition import Inputs, Reach, Table, label
from projections.tables.fold import count, first, first_at, fold, kinds, last, last_at, sources, status

SCRIPT = {
    "title": first("title", "script.published"),
    "published_at": first_at("script.published"),
    "revisions": count("script.revised"),
    "revised_at": last_at("script.revised"),
    "retired_at": first_at("script.retired"),
    "status": status({"script.published": "published", "script.revised": "published", "script.retired": "retired"}),
}


def _scripts(inputs: Inputs) -> ir.Table:
    events = inputs.events("script")
    return fold(events, {"script_id": events.subject}, SCRIPT)


SCRIPTS = Table(
    name="scripts",
    label=label("Scripts", "话术手册"),
    aggregates=("script",),
    key=("script_id",),
    partition=("script_id",),
    columns={"script_id": "text", **kinds(SCRIPT)},
    rows=_scripts,
    sources=sources(SCRIPT),
    cells=SCRIPT,
)

SAMPLED, SCORED = "review.sampled", "review.scored"
REVIEW = {
    "contact_id": first("contact_id", SAMPLED),
    "week": first("week", SAMPLED),
    "seed": first("seed", SAMPLED),
    "sampled_at": first_at(SAMPLED),
    "scored_at": last_at(SCORED),
    "passed": last("passed", SCORED),
    "script_fit": last("script_fit", SCORED),
    "content_fit": last("content_fit", SCORED),
    "rectified_at": first_at("review.rectified"),
}
CHANNEL = first("channel", SAMPLED)
REVIEW_COLUMNS: dict[str, Kind] = {"review_id": "text", **kinds(REVIEW), "channel": "text", "department": "text"}


def _reviews(inputs: Inputs) -> ir.Table:
    events = inputs.events("review")
    rows = fold(events, {"review_id": events.subject}, {**REVIEW, "own_channel": CHANNEL})
    contacts = inputs.table("contacts").select("contact_id", of_contact="channel", department="department")
    rows = rows.left_join(contacts, "contact_id")
    return rows.mutate(channel=rows.own_channel.coalesce(rows.of_contact)).select(*REVIEW_COLUMNS)


REVIEWS = Table(
    name="reviews",
    label=label("Quality reviews", "质量抽检表"),
    aggregates=("review",),
    key=("review_id",),
    partition=("review_id",),
    columns=REVIEW_COLUMNS,
    rows=_reviews,
    sources=sources(REVIEW),
    cells={**REVIEW, "channel": CHANNEL},
    borrowed={"channel": ("contacts", "channel"), "department": ("contacts", "department")},
    reaches=(
        Reach(
            "contacts",
            ("contact_id", "channel", "department"),
            lambda changed, inputs: inputs.table("reviews").semi_join(changed, "contact_id").select("review_id"),
        ),
    ),
    indexes=("contact_id",),
)

TRAINED, ASSESSED = "staff.trained", "staff.assessed"
STAFF_MEMBER = {
    "trainings": count(TRAINED),
    "trained_at": last_at(TRAINED),
    "assessments": count(ASSESSED),
    "assessed_at": last_at(ASSESSED),
    "passed": last("passed", ASSESSED),
}


def _staff(inputs: Inputs) -> ir.Table:
    events = inputs.events("staff")
    return fold(events, {"staff_id": events.subject}, STAFF_MEMBER)


STAFF = Table(
    name="staff",
    label=label("Staff", "员工培训与考核"),
    aggregates=("staff",),
    key=("staff_id",),
    partition=("staff_id",),
    columns={"staff_id": "text", **kinds(STAFF_MEMBER)},
    rows=_staff,
    sources=sources(STAFF_MEMBER),
    cells=STAFF_MEMBER,
)


def _staff_assessments(inputs: Inputs) -> ir.Table:
    events = inputs.events("staff")
    events = events.filter(events.type == ASSESSED)
    in_order = ibis.window(group_by=events.subject, order_by=events.seq)
    return events.select(
        staff_id=events.subject,
        spell=ibis.row_number().over(in_order).cast("int64") + 1,
        course=events.course,
        passed=events.passed,
        from_at=events.occurred_at,
        until_at=events.occurred_at.lead().over(in_order),
    )


STAFF_ASSESSMENTS = Table(
    name="staff_assessments",
    label=label("Staff assessments", "员工考核记录"),
    aggregates=("staff",),
    key=("staff_id", "spell"),
    partition=("staff_id",),
    columns={
        "staff_id": "text",
        "spell": "integer",
        "course": "text",
        "passed": "boolean",
        "from_at": "time",
        "until_at": "time",
    },
    rows=_staff_assessments,
    sources=frozenset({ASSESSED}),
    part="spell",
)
