"""The table of ratings: what customers answered about contacts and deliveries, and in surveys."""

from __future__ import annotations

from functools import partial

import ibis
import ibis.expr.types as ir

from ledger.rulebook.expressions import Kind
from projections.tables.definition import Inputs, Reach, Table, label
from projections.tables.fold import fold, kinds, last, last_at, sources

RATED = "contact.rated"
FEEDBACK = "delivery.feedback_received"
SURVEYED = "survey.answered"
RATING = {
    "aspect": last("aspect", RATED, SURVEYED),
    "score": last("score", RATED, FEEDBACK, SURVEYED),
    "scale": last("scale", RATED, FEEDBACK, SURVEYED),
    "rated_at": last_at(RATED, FEEDBACK, SURVEYED),
}
CUSTOMER = last("customer_id", FEEDBACK)
TOLD = ("rating_id", "aspect", "score", "scale", "customer_id")
OF_CONTACT = ("customer_id", "channel", "merged_into")
COLUMNS: dict[str, Kind] = {
    "aggregate": "text",
    "subject": "text",
    "rating": "text",
    "customer_id": "text",
    "channel": "text",
    **kinds(RATING),
    "merged_into": "text",
}


def _ratings(inputs: Inputs) -> ir.Table:
    events = inputs.events("contact", "delivery", "survey", fields=TOLD)
    events = events.filter(events.type.isin([RATED, FEEDBACK, SURVEYED]))
    by = {"aggregate": events["aggregate"], "subject": events.subject, "rating": rating_of(events)}
    rows = fold(events, by, {**RATING, "given_by": CUSTOMER})
    contacts = inputs.table("contacts").select(
        "contact_id", by_customer="customer_id", by_channel="channel", merged_into="merged_into"
    )
    rows = rows.left_join(contacts, [rows["aggregate"] == "contact", rows.subject == contacts.contact_id])
    surveys = inputs.table("surveys").select("survey_id", asked_customer="customer_id", asked_on="channel")
    rows = rows.left_join(surveys, [rows["aggregate"] == "survey", rows.subject == surveys.survey_id])
    rows = rows.mutate(
        customer_id=ibis.coalesce(rows.given_by, rows.by_customer, rows.asked_customer),
        channel=rows.by_channel.coalesce(rows.asked_on),
        aspect=ibis.ifelse(rows["aggregate"] == "delivery", "delivery", rows.aspect),
    )
    return rows.select(*COLUMNS)


def _rated(changed: ir.Table, inputs: Inputs, *, aggregate: str, key: str) -> ir.Table:
    """Those of the changed subjects that have ratings: a rating has its row whatever else is known."""
    rows = inputs.table("ratings")
    rows = rows.filter(rows["aggregate"] == aggregate)
    return rows.semi_join(changed, rows.subject == changed[key]).select("aggregate", "subject")


def rating_of(events: ir.Table) -> ir.Value:
    """What names a rating within its subject: its own id; a survey's by aspect; feedback on a delivery by position."""
    return ibis.cases(
        (events.type == SURVEYED, events.aspect),
        else_=events.rating_id.coalesce(events.position.cast("string")),
    )


RATINGS = Table(
    name="ratings",
    label=label("Ratings", "满意度"),
    aggregates=("contact", "delivery", "survey"),
    key=("aggregate", "subject", "rating"),
    partition=("aggregate", "subject"),
    columns=COLUMNS,
    rows=_ratings,
    sources=sources(RATING),
    cells={**RATING, "customer_id": CUSTOMER},
    part="rating",
    borrowed={name: ("contacts", name) for name in OF_CONTACT},
    reaches=(
        Reach(
            "contacts",
            ("contact_id", *OF_CONTACT),
            partial(_rated, aggregate="contact", key="contact_id"),
        ),
        Reach(
            "surveys",
            ("survey_id", "customer_id", "channel"),
            partial(_rated, aggregate="survey", key="survey_id"),
        ),
    ),
)
