"""scripts, reviews, staff, staff_assessments, benchmarks and reports."""

from tests.reference.events import Streams, first, first_at, last, last_at, of, status
from tests.reference.expressions import Row


def scripts(streams: Streams) -> list[Row]:
    words = {"script.published": "published", "script.revised": "published", "script.retired": "retired"}
    return [
        {
            "script_id": script_id,
            "title": first(of(stream, "script.published"), "title"),
            "published_at": first_at(of(stream, "script.published")),
            "revisions": len(of(stream, "script.revised")),
            "revised_at": last_at(of(stream, "script.revised")),
            "retired_at": first_at(of(stream, "script.retired")),
            "status": status(stream, dict(words)),
        }
        for script_id, stream in streams.items()
    ]


def reviews(streams: Streams, contact_rows: list[Row]) -> list[Row]:
    """The channel is the one told with the sample, else the contact's."""
    contacts = {row["contact_id"]: row for row in contact_rows}
    rows = []
    for review_id, stream in streams.items():
        sampled, scored = of(stream, "review.sampled"), of(stream, "review.scored")
        contact = contacts.get(first(sampled, "contact_id"), {})
        rows.append(
            {
                "review_id": review_id,
                "contact_id": first(sampled, "contact_id"),
                "channel": first(sampled, "channel") or contact.get("channel"),
                "department": contact.get("department"),
                "week": first(sampled, "week"),
                "seed": first(sampled, "seed"),
                "sampled_at": first_at(sampled),
                "scored_at": last_at(scored),
                "passed": last(scored, "passed"),
                "script_fit": last(scored, "script_fit"),
                "content_fit": last(scored, "content_fit"),
                "rectified_at": first_at(of(stream, "review.rectified")),
            }
        )
    return rows


def staff(streams: Streams) -> list[Row]:
    return [
        {
            "staff_id": staff_id,
            "trainings": len(of(stream, "staff.trained")),
            "trained_at": last_at(of(stream, "staff.trained")),
            "assessments": len(of(stream, "staff.assessed")),
            "assessed_at": last_at(of(stream, "staff.assessed")),
            "passed": last(of(stream, "staff.assessed"), "passed"),
        }
        for staff_id, stream in streams.items()
    ]


def staff_assessments(streams: Streams) -> list[Row]:
    """What is known of a member of staff from one assessment to the next."""
    rows = []
    for staff_id, stream in streams.items():
        assessed = of(stream, "staff.assessed")
        for number, (event, following) in enumerate(zip(assessed, [*assessed[1:], None], strict=False), start=1):
            rows.append(
                {
                    "staff_id": staff_id,
                    "spell": number,
                    "course": event.data.get("course"),
                    "passed": event.data["passed"],
                    "from_at": event.occurred_at,
                    "until_at": following.occurred_at if following else None,
                }
            )
    return rows


def benchmarks(streams: Streams) -> list[Row]:
    said = ("topic", "rank", "field_size", "ranked_on", "ranked_by", "evidence", "evidence_digest")
    return [
        {
            "benchmark_id": benchmark_id,
            "entered_at": stream[0].occurred_at,
            **{name: stream[0].data.get(name) for name in said},
        }
        for benchmark_id, stream in streams.items()
    ]


def reports(streams: Streams) -> list[Row]:
    said = ("report_kind", "period_start", "period_end", "digest")
    return [
        {"report_id": report_id, "issued_at": stream[0].occurred_at, **{name: stream[0].data[name] for name in said}}
        for report_id, stream in streams.items()
    ]
