"""The table of ratings: what customers answered about contacts and deliveries."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from ledger.rulebook.expressions import Kind
from projections.tables.definition import Inputs, Reach, Table, label
from projections.tables.fold import fold, kinds, last, last_at, sources

RATED = "contact.rated"
FEEDBACK = "delivery.feedback_received"
RATING = {
    "aspect": last("aspect", RATED),
    "score": last("score", RATED, FEEDBACK),
    "scale": last("scale", RATED, FEEDBACK),
    "rated_at": last_at(RATED, FEEDBACK),
}
CUSTOMER = last("customer_id", FEEDBACK)
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
    events = inputs.events("contact", "delivery")
    events = events.filter(events.type.isin([RATED, FEEDBACK]))
    by = {
        "aggregate": events["aggregate"],
        "subject": events.subject,
        "rating": events.rating_id.coalesce(events.position.cast("string")),
    }
    rows = fold(events, by, {**RATING, "given_by": CUSTOMER})
    contacts = inputs.table("contacts").select(
        "contact_id", by_customer="customer_id", by_channel="channel", merged_into="merged_into"
    )
    rows = rows.left_join(contacts, [rows["aggregate"] == "contact", rows.subject == contacts.contact_id])
    rows = rows.mutate(
        customer_id=rows.given_by.coalesce(rows.by_customer),
        channel=rows.by_channel,
        aspect=ibis.ifelse(rows["aggregate"] == "delivery", "delivery", rows.aspect),
    )
    return rows.select(*COLUMNS)


RATINGS = Table(
    name="ratings",
    label=label("Ratings", "满意度"),
    aggregates=("contact", "delivery"),
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
            lambda changed, _: changed.select(aggregate=ibis.literal("contact"), subject="contact_id"),
        ),
    ),
)
