"""The table of anomalies: what was accepted though it looks odd, for people to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import ibis
import ibis.expr.types as ir

from ledger.events import CATALOGUE
from ledger.rulebook.expressions import Kind
from projections.tables.clocks import PLACES
from projections.tables.clockwork import UNKNOWN
from projections.tables.definition import Inputs, Reach, Table, label

SUBJECTS: Mapping[str, tuple[str, str]] = {
    "customer": ("customers", "customer_id"),
    "contact": ("contacts", "contact_id"),
    "handoff": ("handoffs", "handoff_id"),
    "requirement": ("requirements", "requirement_id"),
    "delivery": ("deliveries", "delivery_id"),
    "plan": ("plans", "plan_id"),
    "notice": ("notices", "notice_id"),
    "notice_delivery": ("notice_deliveries", "notice_delivery_id"),
    "script": ("scripts", "script_id"),
    "review": ("reviews", "review_id"),
    "survey": ("surveys", "survey_id"),
    "staff": ("staff", "staff_id"),
    "benchmark": ("benchmarks", "benchmark_id"),
    "report": ("reports", "report_id"),
}
"""Where to look whether a subject was ever opened: a table has a row exactly for those."""

WATCHED = (*SUBJECTS, "baseline")
"""The aggregates whose events are looked at. Baselines have no table, and nothing names them."""

REFERENCES: tuple[tuple[str, str], ...] = (
    ("customer_id", "customer"),
    ("contact_id", "contact"),
    ("requirement_id", "requirement"),
    ("plan_id", "plan"),
    ("into_id", ""),
)
"""Fields that name another subject, and its aggregate; `into_id` names one of the event's own aggregate."""

MERGING = ("customer", "contact", "requirement")
NAMED = frozenset(aggregate for _, aggregate in REFERENCES if aggregate)
"""The aggregates that other events name."""

COLUMNS: dict[str, Kind] = {
    "aggregate": "text",
    "subject": "text",
    "position": "integer",
    "kind": "text",
    "field": "text",
    "names": "text",
    "type": "text",
    "occurred_at": "time",
    "recorded_at": "time",
}
NAMING = tuple(field for field, _ in REFERENCES)
NEEDED = ("aggregate", "subject", "position", "type", "occurred_at", "recorded_at", *NAMING)
OPENING = [name for name, kind in CATALOGUE.items() if kind.opens]


def _anomalies(inputs: Inputs) -> ir.Table:
    events = inputs.stage("events", inputs.events(*WATCHED, fields=NAMING).select(*NEEDED))
    opening = events.filter(events.type.isin(OPENING))
    opened = opening.group_by("aggregate", "subject").agg(opened_at=opening.occurred_at.min())
    odd = events.inner_join(inputs.stage("opened", opened), ["aggregate", "subject"])
    found = [
        _row(odd.filter(odd.occurred_at < odd.opened_at), "before_opening"),
        _row(events.filter(events.occurred_at > events.recorded_at), "ahead_of_clock"),
    ]
    for field, aggregate in REFERENCES:
        naming = events.filter(events[field].notnull()).mutate(
            names_aggregate=ibis.literal(aggregate) if aggregate else events["aggregate"]
        )
        for named in [aggregate] if aggregate else MERGING:
            table, key = SUBJECTS[named]
            known = inputs.table(table).select(known=key)
            unknown = naming.filter(naming.names_aggregate == named)
            unknown = unknown.anti_join(known, unknown[field] == known.known)
            found.append(_row(unknown, "unknown_reference", field))
    return ibis.union(*found, *_outside_calendars(inputs, opening))


def _outside_calendars(inputs: Inputs, opening: ir.Table) -> Iterator[ir.Table]:
    """Subjects with a clock whose calendar does not tell its deadline, one row for each such clock."""
    for table, place in PLACES.items():
        for name in inputs.rules.on_calendars(table):
            rows = inputs.table(table)
            rows = rows.filter(rows[f"{name}_outcome"] == UNKNOWN)
            found = opening.filter(opening["aggregate"] == place.aggregate)
            found = found.semi_join(rows, found.subject == rows[place.subject])
            yield _row(found, "outside_calendar").mutate(field=ibis.literal(name))


def _row(events: ir.Table, kind: str, field: str | None = None) -> ir.Table:
    return events.select(
        "aggregate",
        "subject",
        "position",
        kind=ibis.literal(kind),
        field=ibis.literal(field or ""),
        names=events[field] if field else ibis.literal(""),
        type=events.type,
        occurred_at=events.occurred_at,
        recorded_at=events.recorded_at,
    )


def _by_name(changed: ir.Table, inputs: Inputs, *, aggregate: str, key: str) -> ir.Table:
    """Subjects whose events name one that was now opened, or is no longer."""
    named = inputs.table("names")
    named = named.filter(named["aggregate"] == aggregate)
    named = named.semi_join(changed, named.subject == changed[key])
    entries = inputs.table("entries")
    return entries.semi_join(named, "position").select("aggregate", "subject")


def _by_clock(changed: ir.Table, inputs: Inputs, *, table: str) -> ir.Table:
    """Subjects with a clock that was outside its calendar, or is now."""
    place = PLACES[table]
    outside = [changed[f"{name}_outcome"] == UNKNOWN for name in inputs.rules.on_calendars(table)]
    changed = changed.filter(ibis.or_(*outside))
    return changed.select(aggregate=ibis.literal(place.aggregate), subject=changed[place.subject])


ANOMALIES = Table(
    name="anomalies",
    label=label("Anomalies", "异常记录"),
    aggregates=WATCHED,
    key=("aggregate", "subject", "position", "kind", "field"),
    partition=("aggregate", "subject"),
    columns=COLUMNS,
    rows=_anomalies,
    sources=frozenset(CATALOGUE),
    reaches=(
        *(
            Reach(table, (key,), partial(_by_name, aggregate=aggregate, key=key))
            for aggregate, (table, key) in SUBJECTS.items()
            if aggregate in NAMED
        ),
        *(
            Reach(table, (place.subject,), partial(_by_clock, table=table), calendars=True)
            for table, place in PLACES.items()
        ),
    ),
)
