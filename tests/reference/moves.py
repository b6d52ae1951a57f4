"""What a drawn event says: per type its weight within its aggregate, and how its fields are drawn."""

from tests.reference.programme_moves import PROGRAMME, PROGRAMME_FIELDS
from tests.reference.words import CAUSES, CHANNELS, QUARTERS, Data, Draw, Fields, Words, score

VOID = "record.voided"
PROPOSED = "void.proposed"
OPENINGS = {
    "customer": "customer.registered",
    "contact": "contact.received",
    "handoff": "handoff.requested",
    "requirement": "requirement.captured",
    "delivery": "delivery.planned",
    "plan": "plan.drafted",
    "notice": "notice.issued",
    "notice_delivery": "notice_delivery.sent",
    "script": "script.published",
    "review": "review.sampled",
    "survey": "survey.sent",
    "staff": "staff.assessed",
    "baseline": "baseline.frozen",
    "benchmark": "benchmark.entered",
    "report": "report.issued",
}
"""The event a teller begins a subject with."""


def data_for(draw: Draw, kind: str, subject: str, occurred_at: int) -> Data:
    return FIELDS.get(kind, _nothing)(Words(draw, subject, occurred_at))


def _nothing(_: Words) -> Data:
    return {}


def _requested(w: Words) -> Data:
    data = {"from_department": w.one("desk", "shop"), "to_department": w.one("lab", "stock")}
    about = w.some(contact_id=w.contact, requirement_id=w.requirement) or {"contact_id": w.contact()}
    return data | about


FIELDS: dict[str, Fields] = {
    "customer.registered": lambda w: (
        {"stage": w.one("prospect", "customer", "customer")}
        | w.some(segment=lambda: w.one("retail", "trade"), region=lambda: "north", name=lambda: "A. Nonymous")
    ),
    "customer.stage_changed": lambda w: {"stage": w.one("prospect", "customer")},
    "customer.tiered": lambda w: (
        {"tier": w.one("high", "mid", "base")}
        | w.some(need_type=lambda: w.one("basic", "custom"), manager_id=lambda: w.id("m"))
    ),
    "customer.channel_preferred": lambda w: {"channel": w.one(*CHANNELS)},
    "customer.purchased": lambda w: {"order_id": w.one("o1", "o2", "o3")} | w.money("amount", 0, 990, 2**40),
    "customer.alert_raised": lambda w: (
        {"alert_id": w.id("a"), "indicator": w.one("silence", "spend_drop")} | w.some(evidence=lambda: "two months")
    ),
    "customer.alert_answered": lambda w: (
        {"alert_id": w.id("a")} | w.some(owner_id=lambda: w.id("m"), contact_id=w.contact)
    ),
    "customer.cause_diagnosed": lambda w: {"alert_id": w.told("alert_id", "a1"), "cause": w.one(*CAUSES)},
    "customer.cause_verified": lambda w: {"alert_id": w.told("alert_id", "a1"), "correct": w.flag()},
    "customer.win_back_planned": lambda w: (
        {"alert_id": w.told("alert_id", "a1")} | w.some(win_back_measure=lambda: "a call")
    ),
    "customer.won_back": lambda w: {"alert_id": w.told("alert_id", "a1")},
    "customer.churned": lambda w: (
        w.some(cause=lambda: w.one(*CAUSES)) | w.one({}, {"by_communication": True}, {"by_communication": False})
    ),
    "customer.merged": lambda w: {"into_id": w.draw.opened("customer")},
    "customer.erasure_requested": lambda w: {"basis": "request", "request_id": w.id("q")},
    "customer.key_destroyed": lambda w: {"basis": "request", "request_id": w.id("q")},
    "contact.received": lambda w: (
        {
            "channel": w.one(*CHANNELS),
            "department": w.one("desk", "shop"),
            "kind": w.one("inquiry", "problem", "complaint", "complaint", "feedback"),
        }
        | w.some(
            customer_id=w.customer,
            direction=lambda: w.one("inbound", "inbound", "outbound"),
            complexity=lambda: w.one("general", "complex"),
            purpose=lambda: w.one("service", "maintenance"),
            message=lambda: "it is broken",
        )
    ),
    "contact.identified": lambda w: {"customer_id": w.customer()},
    "contact.answered": lambda w: w.some(
        agent_id=lambda: w.id("g"), script_id=lambda: w.id("s"), automated=lambda: w.one(True, False, False)
    ),
    "contact.minutes_recorded": lambda w: {"prepared": w.flag(), "complete": w.flag()},
    "contact.screened": lambda w: {"has_requirement": w.flag()},
    "contact.paused": lambda w: (
        {"pause_id": w.one("p1", "p2", "p3")} | w.some(pause_reason=lambda: w.one("awaiting_customer", "other"))
    ),
    "contact.resumed": lambda w: {"pause_id": w.told("pause_id", "p1", "p2", "p3")},
    "contact.resolved": lambda w: {"solved": w.flag()},
    "contact.customer_informed": lambda w: w.some(channel=lambda: w.one(*CHANNELS)),
    "contact.rated": lambda w: (
        {
            "rating_id": w.id("t"),
            "aspect": w.one("online", "communication", "value_added", "overall"),
        }
        | score(w)
    ),
    "contact.problem_flagged": lambda w: {"problem": w.one("misunderstanding", "attitude")},
    "contact.merged": lambda w: {"into_id": w.draw.opened("contact")},
    "contact.closed": lambda w: {"valid": w.flag()},
    "handoff.requested": _requested,
    "handoff.accepted": lambda w: w.some(owner_id=lambda: w.id("m")),
    "requirement.captured": lambda w: (
        {"source_kind": w.one("contact", "survey")}
        | w.some(
            customer_id=w.customer,
            contact_id=w.contact,
            channel=lambda: w.one(*CHANNELS),
            expression=lambda: w.one("explicit", "implicit"),
            key=w.flag,
            found_late=w.flag,
        )
    ),
    "requirement.merged": lambda w: {"into_id": w.draw.opened("requirement")},
    "requirement.rejected": lambda w: {"rejection": w.one("invalid", "infeasible")},
    "requirement.classified": lambda w: (
        {"kano": w.one("must_be", "attractive", "reverse")}
        | w.some(archive_class=lambda: w.one("product_improvement", "new_feature"))
    ),
    "requirement.assessed": lambda w: (
        {
            "role": w.one("product", "service_operations", "engineering"),
            "urgency": w.one(1, 2, 4, 5),
            "importance": w.one(2, 3, 4),
        }
        | w.some(benefit=lambda: w.one(1, 4), effort=lambda: w.one(1, 4))
        | w.one({}, {}, {}, {"against_strategy": True}, {"against_strategy": False})
    ),
    "requirement.prioritised": lambda w: {"priority": w.one("high", "mid", "low")},
    "requirement.verified": lambda w: {"correct": w.flag()},
    "requirement.archived": lambda w: {"complete": w.flag()},
    "requirement.value_assessed": lambda w: (
        {"quarter": w.one(*QUARTERS)}
        | w.some(repurchase_bp=lambda: w.one(-50, 120), high_value=w.flag)
        | (w.one({}, {"cost_saved": 5_000, "currency": "CNY"}))
    ),
    "requirement.converted": lambda w: {"improvement": w.one("product", "service")},
    "delivery.planned": lambda w: (
        {"requirement_id": w.draw.opened("requirement"), "due_at": w.due()} | w.some(owner_id=lambda: w.id("m"))
    ),
    "delivery.milestone_set": lambda w: {"milestone_id": w.id("x"), "due_at": w.due()},
    "delivery.milestone_reached": lambda w: {"milestone_id": w.told("milestone_id", "x1")},
    "delivery.progressed": lambda w: {"percent": w.one(0, 50, 100)},
    "delivery.rescheduled": lambda w: {"due_at": w.due()},
    "delivery.customer_informed": lambda w: {"customer_id": w.customer()} | w.some(channel=lambda: w.one(*CHANNELS)),
    "delivery.feedback_received": lambda w: score(w) | w.some(customer_id=w.customer),
} | PROGRAMME_FIELDS

AGGREGATES: dict[str, dict[str, int]] = {
    "customer": {
        "customer.tiered": 6,
        "customer.stage_changed": 4,
        "customer.channel_preferred": 1,
        "customer.purchased": 4,
        "customer.alert_raised": 4,
        "customer.alert_answered": 3,
        "customer.cause_diagnosed": 2,
        "customer.cause_verified": 2,
        "customer.win_back_planned": 2,
        "customer.won_back": 2,
        "customer.churned": 3,
        "customer.merged": 2,
        "customer.unmerged": 1,
        "customer.erasure_requested": 1,
        "customer.key_destroyed": 1,
    },
    "contact": {
        "contact.identified": 3,
        "contact.rang": 4,
        "contact.answered": 8,
        "contact.abandoned": 2,
        "contact.minutes_recorded": 2,
        "contact.screened": 2,
        "contact.paused": 6,
        "contact.resumed": 6,
        "contact.solution_proposed": 3,
        "contact.resolved": 6,
        "contact.customer_informed": 4,
        "contact.reopened": 5,
        "contact.rated": 3,
        "contact.problem_flagged": 2,
        "contact.merged": 5,
        "contact.unmerged": 2,
        "contact.closed": 4,
    },
    "handoff": {
        "handoff.transferred": 4,
        "handoff.accepted": 3,
        "handoff.returned": 3,
        "handoff.answered": 3,
        "handoff.withdrawn": 1,
    },
    "requirement": {
        "requirement.clarification_requested": 2,
        "requirement.clarified": 2,
        "requirement.merged": 6,
        "requirement.unmerged": 2,
        "requirement.rejected": 2,
        "requirement.classified": 3,
        "requirement.assessed": 5,
        "requirement.prioritised": 2,
        "requirement.scoped": 1,
        "requirement.verified": 3,
        "requirement.archived": 2,
        "requirement.value_assessed": 4,
        "requirement.converted": 2,
        "requirement.reopened": 3,
        "requirement.closed": 1,
    },
    "delivery": {
        "delivery.milestone_set": 3,
        "delivery.milestone_reached": 2,
        "delivery.progressed": 2,
        "delivery.rescheduled": 3,
        "delivery.delivered": 9,
        "delivery.accepted": 2,
        "delivery.refused": 4,
        "delivery.customer_informed": 6,
        "delivery.feedback_received": 2,
        "delivery.cancelled": 1,
    },
} | PROGRAMME
