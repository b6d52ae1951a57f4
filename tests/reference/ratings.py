"""surveys, and ratings: what customers answered about contacts and deliveries, and in surveys."""

from tests.reference import contacts
from tests.reference.events import Streams, Told, first, first_at, of
from tests.reference.expressions import Row
from tests.reference.groups import Groups


def surveys(streams: Streams) -> list[Row]:
    rows = []
    for survey_id, stream in streams.items():
        sent, answered = of(stream, "survey.sent"), of(stream, "survey.answered")
        rows.append(
            {
                "survey_id": survey_id,
                "customer_id": first(sent, "customer_id"),
                "survey_kind": first(sent, "survey_kind"),
                "channel": first(sent, "channel"),
                "sent_at": first_at(sent),
                "answered_at": first_at(answered),
                "answers": len(_answers(stream)),
                # below 60 % of its scale, by the last word on the aspect
                "low": any(event.data["score"] * 100 < 60 * event.data["scale"] for event in _answers(stream).values()),
                "action_planned_at": first_at(of(stream, "survey.action_planned")),
            }
        )
    return rows


def _answers(stream: list[Told]) -> dict[str, Told]:
    """aspect → the last answer to it."""
    return {event.data["aspect"]: event for event in of(stream, "survey.answered")}


def ratings(
    contact_streams: Streams, contact_groups: Groups, delivery_streams: Streams, survey_streams: Streams
) -> list[Row]:
    """Of contacts the last word on each rating_id, of surveys on each aspect; feedback on deliveries each its own."""
    rows = []
    for contact_id, stream in contact_streams.items():
        said = {event.data["rating_id"]: event for event in of(stream, "contact.rated")}
        for rating_id, event in said.items():
            about = {"customer_id": contacts.customer_of(stream), "channel": stream[0].data["channel"]}
            about["merged_into"] = contact_groups.merged_into(contact_id)
            rows.append(_rating("contact", contact_id, rating_id, event) | about)
    for delivery_id, stream in delivery_streams.items():
        for event in of(stream, "delivery.feedback_received"):
            about = {"customer_id": event.data.get("customer_id"), "channel": None, "aspect": "delivery"}
            rows.append(_rating("delivery", delivery_id, str(event.position), event) | about)
    for survey_id, stream in survey_streams.items():
        for aspect, event in _answers(stream).items():
            about = {name: first(of(stream, "survey.sent"), name) for name in ("customer_id", "channel")}
            rows.append(_rating("survey", survey_id, aspect, event) | about)
    return rows


def _rating(aggregate: str, subject: str, rating: str, event: Told) -> Row:
    return {
        "aggregate": aggregate,
        "subject": subject,
        "rating": rating,
        "aspect": event.data.get("aspect"),
        "score": event.data["score"],
        "scale": event.data["scale"],
        "rated_at": event.occurred_at,
        "merged_into": None,
    }
