"""anomalies: told late, told ahead of the clock, or naming what is not recorded."""

from tests.reference.events import OPENINGS, Told
from tests.reference.expressions import Row

REFERENCES = {"customer_id": "customer", "contact_id": "contact", "requirement_id": "requirement", "plan_id": "plan"}


def anomalies(events: list[Told]) -> list[Row]:
    """Of all subjects but rule books. A subject with several openings is opened by the earliest."""
    opened: dict[tuple[str, str], int] = {}
    for event in events:
        if event.type in OPENINGS.get(event.aggregate, ()):
            key = (event.aggregate, event.subject)
            opened[key] = min(event.occurred_at, opened.get(key, event.occurred_at))
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
        (event.aggregate, event.subject): event for event in events if event.type in OPENINGS.get(event.aggregate, ())
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
