"""requirements, requirement_groups, assessments and value_assessments."""

from typing import Any

from tests.reference.book import Priority
from tests.reference.events import Streams, Told, first, first_at, last, last_at, last_unless_followed, of, status
from tests.reference.expressions import Row, evaluate
from tests.reference.groups import Groups

CAPTURED = ("customer_id", "contact_id", "channel", "source_kind", "expression", "key", "found_late")
STATUS: dict[str, Any] = {
    f"requirement.{word}": word
    for word in (
        "captured",
        "classified",
        "assessed",
        "prioritised",
        "scoped",
        "archived",
        "rejected",
        "closed",
        "reopened",
    )
} | {"requirement.clarification_requested": "clarifying", "requirement.clarified": "captured"}


def rejection_of(stream: list[Told]) -> Told | None:
    return last_unless_followed(stream, "requirement.rejected", "requirement.reopened")


def requirements(
    streams: Streams, groups: Groups, delivery_rows: list[Row], assessment_rows: list[Row], priority: Priority | None
) -> list[Row]:
    rows = []
    for requirement_id, stream in streams.items():
        rejected = rejection_of(stream)
        closed = last_unless_followed(stream, "requirement.closed", "requirement.reopened")
        deliveries = [row for row in delivery_rows if row["requirement_id"] == requirement_id]
        latest: Row = max(deliveries, key=lambda row: (row["planned_at"], row["delivery_id"]), default={})
        row: Row = {
            "requirement_id": requirement_id,
            "captured_at": stream[0].occurred_at,
            "clarification_requested_at": last_at(of(stream, "requirement.clarification_requested")),
            "clarified_at": last_at(of(stream, "requirement.clarified")),
            "clarifications": len(of(stream, "requirement.clarified")),
            "rejected_at": rejected.occurred_at if rejected else None,
            "rejection": rejected.data["rejection"] if rejected else None,
            "kano": last(of(stream, "requirement.classified"), "kano"),
            "archive_class": last(of(stream, "requirement.classified"), "archive_class"),
            "classified_at": last_at(of(stream, "requirement.classified")),
            "assessments": len(of(stream, "requirement.assessed")),
            "priority": last(of(stream, "requirement.prioritised"), "priority"),
            "scoped_at": first_at(of(stream, "requirement.scoped")),
            "verified_at": last_at(of(stream, "requirement.verified")),
            "correct": last(of(stream, "requirement.verified"), "correct"),
            "archived_at": last_at(of(stream, "requirement.archived")),
            "archive_complete": last(of(stream, "requirement.archived"), "complete"),
            "converted_at": first_at(of(stream, "requirement.converted")),
            "improvement": last(of(stream, "requirement.converted"), "improvement"),
            "reopened": len(of(stream, "requirement.reopened")),
            "closed_at": closed.occurred_at if closed else None,
            "merged_into": groups.merged_into(requirement_id),
            "merged_at": groups.merged_at(requirement_id),
            "deliveries": len(deliveries),
            "delivery_id": latest.get("delivery_id"),
            "due_at": latest.get("due_at"),
            "delivered_at": latest.get("delivered_at"),
            "delivery_status": latest.get("status"),
            "status": "merged" if groups.merged_into(requirement_id) else status(stream, STATUS),
        }
        for field in CAPTURED:
            row[field] = first(of(stream, "requirement.captured"), field)
        said = [each for each in assessment_rows if each["requirement_id"] == requirement_id]
        rows.append(row | by_rule(row, said, priority))
    return rows


def by_rule(row: Row, said: list[Row], priority: Priority | None) -> Row:
    """What the rule makes of the roles' assessments of one requirement."""
    scored = [each["score"] for each in said if each["score"] is not None]
    against = any(each["against_strategy"] for each in said)
    level = None
    if priority is not None:
        if evaluate(priority.low_when, {**row, "against_strategy": against}) is True:
            level = "low"
        elif scored:
            level = priority.level(sum(scored), len(scored))
    return {
        "assessed_roles": len(scored),
        "rule_score": sum(scored) if scored else None,
        "rule_priority": level,
        "roles_differ": len({each["rule_priority"] for each in said} - {None}) > 1,
        "priority_differs": None not in (level, row["priority"]) and level != row["priority"],
    }


def assessments(streams: Streams, priority: Priority | None) -> list[Row]:
    """Per role the latest word on each mark: one an assessment leaves out stays as it was said before."""
    rows = []
    for requirement_id, stream in streams.items():
        said = of(stream, "requirement.assessed")
        for role in sorted({event.data["role"] for event in said}):
            own = [event for event in said if event.data["role"] == role]
            row: Row = {
                "requirement_id": requirement_id,
                "role": role,
                "assessed_at": last_at(own),
                "times": len(own),
            }
            for field in ("urgency", "importance", "benefit", "effort", "against_strategy"):
                row[field] = last(own, field)
            row["score"] = evaluate(priority.score, row) if priority else None
            row["rule_priority"] = None
            if priority and row["score"] is not None:
                row["rule_priority"] = "low" if row["against_strategy"] else priority.level(row["score"], 1)
            rows.append(row)
    return rows


def value_assessments(streams: Streams, groups: Groups) -> list[Row]:
    rows = []
    for requirement_id, stream in streams.items():
        said = of(stream, "requirement.value_assessed")
        for quarter in sorted({event.data["quarter"] for event in said}):
            own = [event for event in said if event.data["quarter"] == quarter]
            row: Row = {
                "requirement_id": requirement_id,
                "quarter": quarter,
                "assessed_at": last_at(own),
                "converted_at": first_at(of(stream, "requirement.converted")),
                "valid": rejection_of(stream) is None and groups.merged_into(requirement_id) is None,
            }
            for field in ("repurchase_bp", "cost_saved", "currency", "high_value"):
                row[field] = last(own, field)
            rows.append(row)
    return rows
