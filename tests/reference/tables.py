"""All tracking tables from a list of events and a rule book, the plain way: `tables(told, book)`."""

from tests.reference import contacts, customers, deliveries, requirements
from tests.reference.book import Book
from tests.reference.events import OPENINGS, Streams, Told, effective, of, streams
from tests.reference.expressions import Row
from tests.reference.groups import Groups

Tables = dict[str, list[Row]]

KEYS: dict[str, tuple[str, ...]] = {
    "contacts": ("contact_id",),
    "contact_groups": ("contact_id",),
    "contact_cycles": ("contact_id", "cycle"),
    "pauses": ("contact_id", "pause_id"),
    "handoffs": ("handoff_id",),
    "requirements": ("requirement_id",),
    "requirement_groups": ("requirement_id",),
    "assessments": ("requirement_id", "role"),
    "value_assessments": ("requirement_id", "quarter"),
    "deliveries": ("delivery_id",),
    "tellings": ("delivery_id", "customer_id"),
    "milestones": ("aggregate", "subject", "milestone_id"),
    "customers": ("customer_id",),
    "tier_spells": ("customer_id", "spell"),
    "alerts": ("customer_id", "alert_id"),
    "churns": ("customer_id", "churn"),
    "purchases": ("customer_id", "order_id"),
    "ratings": ("aggregate", "subject", "rating"),
    # An event may name two unknown ones: without `field` the key would not be one.
    "anomalies": ("aggregate", "subject", "position", "kind", "field"),
    "clocks": ("clock", "aggregate", "subject", "part"),
}

REFERENCES = {"customer_id": "customer", "contact_id": "contact", "requirement_id": "requirement"}


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
    made["customers"] = customers.customers(customer, customer_groups, made["contacts"])
    made["alerts"], alert_clocks = customers.alerts(customer, customer_groups, book)
    made["churns"] = customers.churns(customer, customer_groups, made["alerts"])
    made["purchases"] = customers.purchases(customer)
    made["deliveries"], delivery_clocks = deliveries.deliveries(delivery, book)
    made["requirements"] = requirements.requirements(requirement, requirement_groups, made["deliveries"])
    made["requirement_groups"] = requirement_groups.rows("requirement_id")
    made["assessments"] = requirements.assessments(requirement)
    made["value_assessments"] = requirements.value_assessments(requirement, requirement_groups)
    made["tellings"], telling_clocks = deliveries.tellings(
        delivery, made["requirements"], made["deliveries"], requirement_groups, book
    )
    made["milestones"] = deliveries.milestones(delivery)
    made["ratings"] = ratings(contact, contact_groups, delivery)
    made["clocks"] = cycle_clocks + handoff_clocks + alert_clocks + delivery_clocks + telling_clocks
    made["anomalies"] = anomalies(events) + outside_calendars(events, made["clocks"])
    return made


def ratings(contact_streams: Streams, contact_groups: Groups, delivery_streams: Streams) -> list[Row]:
    """Answers of contacts (the last word on each rating_id) and usage feedback of deliveries (each its own)."""
    rows = []
    for contact_id, stream in contact_streams.items():
        said = {event.data["rating_id"]: event for event in of(stream, "contact.rated")}
        for rating_id, event in said.items():
            rows.append(
                {
                    "aggregate": "contact",
                    "subject": contact_id,
                    "rating": rating_id,
                    "customer_id": contacts.customer_of(stream),
                    "channel": stream[0].data["channel"],
                    "aspect": event.data["aspect"],
                    "score": event.data["score"],
                    "scale": event.data["scale"],
                    "rated_at": event.occurred_at,
                    "merged_into": contact_groups.merged_into(contact_id),
                }
            )
    for delivery_id, stream in delivery_streams.items():
        for event in of(stream, "delivery.feedback_received"):
            rows.append(
                {
                    "aggregate": "delivery",
                    "subject": delivery_id,
                    "rating": str(event.position),
                    "customer_id": event.data.get("customer_id"),
                    "channel": None,
                    "aspect": "delivery",
                    "score": event.data["score"],
                    "scale": event.data["scale"],
                    "rated_at": event.occurred_at,
                    "merged_into": None,
                }
            )
    return rows


def anomalies(events: list[Told]) -> list[Row]:
    """Told late, told ahead of the clock, or naming what is not recorded; of the five aggregates' events only."""
    opened = {
        (event.aggregate, event.subject): event.occurred_at
        for event in events
        if event.type == OPENINGS.get(event.aggregate)
    }
    rows = []
    for event in events:
        if (event.aggregate, event.subject) not in opened:
            continue
        row: Row = {
            "aggregate": event.aggregate,
            "subject": event.subject,
            "position": event.position,
            "type": event.type,
            "field": "",
            "names": "",
            "occurred_at": event.occurred_at,
            "recorded_at": event.recorded_at,
        }
        if event.occurred_at < opened[event.aggregate, event.subject]:
            rows.append(row | {"kind": "before_opening"})
        if event.occurred_at > event.recorded_at:
            rows.append(row | {"kind": "ahead_of_clock"})
        for field, named in event.data.items():
            aggregate = event.aggregate if field == "into_id" else REFERENCES.get(field)
            if aggregate is not None and named is not None and (aggregate, named) not in opened:
                rows.append(row | {"kind": "unknown_reference", "field": field, "names": named})
    return rows


def outside_calendars(events: list[Told], clocks: list[Row]) -> list[Row]:
    """Clocks whose calendar is not known for their years: one row, at the opening event, for each subject and clock."""
    opening = {
        (event.aggregate, event.subject): event for event in events if event.type == OPENINGS.get(event.aggregate)
    }
    unknown = {
        (clock["aggregate"], clock["subject"], clock["clock"]) for clock in clocks if clock["outcome"] == "unknown"
    }
    return [
        {
            "aggregate": aggregate,
            "subject": subject,
            "position": opening[aggregate, subject].position,
            "kind": "outside_calendar",
            "field": name,
            "names": "",
            "type": opening[aggregate, subject].type,
            "occurred_at": opening[aggregate, subject].occurred_at,
            "recorded_at": opening[aggregate, subject].recorded_at,
        }
        for aggregate, subject, name in sorted(unknown)
    ]
