"""All tracking tables from a list of events and a rule book, the plain way: `tables(told, book)`."""

from tests.reference import contacts, customers, deliveries, notices, plans, quality, requirements
from tests.reference.anomalies import anomalies, outside_calendars
from tests.reference.book import Book
from tests.reference.events import Told, effective, streams
from tests.reference.expressions import Row
from tests.reference.groups import Groups
from tests.reference.ratings import ratings, surveys

Tables = dict[str, list[Row]]

KEYS: dict[str, tuple[str, ...]] = {
    "contacts": ("contact_id",),
    "contact_groups": ("contact_id",),
    "contact_cycles": ("contact_id", "cycle"),
    "pauses": ("contact_id", "pause_id"),
    "handoffs": ("handoff_id",),
    "requirements": ("requirement_id",),
    "requirement_groups": ("requirement_id",),
    "requirement_lineage": ("requirement_id", "ancestor_id"),
    "assessments": ("requirement_id", "role"),
    "value_assessments": ("requirement_id", "quarter"),
    "deliveries": ("delivery_id",),
    "tellings": ("delivery_id", "customer_id"),
    "milestones": ("aggregate", "subject", "milestone_id"),
    "customer_merges": ("customer_id",),
    "customers": ("customer_id",),
    "customer_groups": ("customer_id",),
    "active_spells": ("customer_id", "spell"),
    "tier_spells": ("customer_id", "spell"),
    "alerts": ("customer_id", "alert_id"),
    "churns": ("customer_id", "churn"),
    "purchases": ("customer_id", "order_id"),
    "surveys": ("survey_id",),
    "ratings": ("aggregate", "subject", "rating"),
    "plans": ("plan_id",),
    "tasks": ("plan_id", "task_id"),
    "plan_reviews": ("plan_id", "review"),
    "notices": ("notice_id",),
    "notice_deliveries": ("notice_delivery_id",),
    "notice_customers": ("notice_id", "customer_id"),
    "scripts": ("script_id",),
    "reviews": ("review_id",),
    "staff": ("staff_id",),
    "staff_assessments": ("staff_id", "spell"),
    "benchmarks": ("benchmark_id",),
    "reports": ("report_id",),
    # An event may name two unknown ones: without `field` the key would not be one.
    "anomalies": ("aggregate", "subject", "position", "kind", "field"),
    "clocks": ("clock", "aggregate", "subject", "part"),
}


def tables(told: list[Told], book: Book, as_of: int | None = None, valid_at: int | None = None) -> Tables:
    """table → rows, as known at position `as_of` (default: all) and as had occurred by `valid_at` µs (default: all)."""
    events = effective(told, as_of, valid_at)
    customer, contact, requirement = (streams(events, name) for name in ("customer", "contact", "requirement"))
    delivery, handoff = streams(events, "delivery"), streams(events, "handoff")
    customer_groups, contact_groups, requirement_groups = (Groups.of(each) for each in (customer, contact, requirement))

    made: Tables = {}
    made["tier_spells"] = customers.tier_spells(customer)
    made["contacts"] = contacts.contacts(contact, contact_groups)
    made["contact_groups"] = contact_groups.rows("contact_id")
    made["pauses"] = contacts.pauses(contact)
    made["contact_cycles"], cycle_clocks = contacts.contact_cycles(
        contact, contact_groups, made["tier_spells"], made["pauses"], book
    )
    made["handoffs"], handoff_clocks = contacts.handoffs(handoff, contact, book)
    made["customer_merges"] = [
        {"customer_id": name, "merged_into": into, "merged_at": at}
        for name, (into, at) in customer_groups.edges.items()
    ]
    made["customer_groups"] = customer_groups.rows("customer_id")
    made["active_spells"] = customers.active_spells(customer)
    made["customers"] = customers.customers(customer, customer_groups, made["contacts"])
    made["alerts"], alert_clocks = customers.alerts(customer, customer_groups, book)
    made["churns"] = customers.churns(customer, customer_groups, made["alerts"])
    made["purchases"] = customers.purchases(customer)
    made["deliveries"], delivery_clocks = deliveries.deliveries(delivery, book)
    made["assessments"] = requirements.assessments(requirement, book.priority)
    made["requirements"] = requirements.requirements(
        requirement, requirement_groups, made["deliveries"], made["assessments"], book.priority
    )
    made["requirement_groups"] = requirement_groups.rows("requirement_id")
    made["requirement_lineage"] = requirement_groups.lineage("requirement_id")
    made["value_assessments"] = requirements.value_assessments(requirement, requirement_groups)
    made["tellings"], telling_clocks = deliveries.tellings(
        delivery, made["requirements"], made["deliveries"], requirement_groups, book
    )
    plan, notice, survey, staff = (streams(events, name) for name in ("plan", "notice", "survey", "staff"))
    made["milestones"] = deliveries.milestones("delivery", delivery) + deliveries.milestones("plan", plan)
    made["surveys"] = surveys(survey)
    made["ratings"] = ratings(contact, contact_groups, delivery, survey)
    made["plans"] = plans.plans(plan)
    made["tasks"] = plans.tasks(plan)
    made["plan_reviews"] = plans.plan_reviews(plan)
    made["notices"] = notices.notices(notice)
    made["notice_deliveries"] = notices.notice_deliveries(streams(events, "notice_delivery"))
    made["notice_customers"] = notices.notice_customers(made["notices"], made["notice_deliveries"], customer_groups)
    made["scripts"] = quality.scripts(streams(events, "script"))
    made["reviews"] = quality.reviews(streams(events, "review"), made["contacts"])
    made["staff"] = quality.staff(staff)
    made["staff_assessments"] = quality.staff_assessments(staff)
    made["benchmarks"] = quality.benchmarks(streams(events, "benchmark"))
    made["reports"] = quality.reports(streams(events, "report"))
    made["clocks"] = cycle_clocks + handoff_clocks + alert_clocks + delivery_clocks + telling_clocks
    made["anomalies"] = anomalies(events) + outside_calendars(events, made["clocks"])
    return made
