"""Claims from plain values: what is refused, and how it is said."""

from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.claims import claim, encode_json, stored
from ledger.errors import Invalid
from ledger.events import CATALOGUE
from ledger.vocabulary import instant, instant_text

FROZEN = CATALOGUE["baseline.frozen"].example
ISSUED = CATALOGUE["report.issued"].example
ENTERED = CATALOGUE["benchmark.entered"].example
SAMPLED = CATALOGUE["review.sampled"].example
PURCHASE = {"order_id": "o-1", "amount": 100, "currency": "EUR"}
RECEIVED = {"channel": "phone", "department": "desk", "kind": "inquiry"}


def problems_of(name="customer.purchased", subject="CU-1", data=PURCHASE, **attributes):
    attributes = {"id": "e1", "source": "shop", "occurred_at": "2026-04-01T00:00:00Z", **attributes}
    with pytest.raises(Invalid) as caught:
        claim(name, subject, data, **attributes)
    return dict(caught.value.problems)


def test_a_claim_holds_what_was_told():
    told = claim(
        "customer.purchased",
        "CU-1",
        PURCHASE,
        id="e1",
        source="shop",
        occurred_at=datetime(2026, 4, 1, 8, tzinfo=timezone(timedelta(hours=8))),
        expected_version=4,
    )
    assert (told.type, told.aggregate, told.subject, told.stream) == (
        "customer.purchased",
        "customer",
        "CU-1",
        "customer:CU-1",
    )
    assert told.occurred_at == datetime(2026, 4, 1, tzinfo=UTC)
    assert told.occurred_at.tzinfo is UTC
    assert told.expected_version == 4
    assert stored(told.data) == PURCHASE


def test_unknown_type_lists_near_ones():
    assert "customer.purchased" in problems_of(name="customer.purchase")["type"]
    assert problems_of(name="x") == {"type": "is not a known event type"}
    assert problems_of(name=None) == {"type": "is not a known event type"}


@pytest.mark.parametrize(
    ("meant", "written"),
    [
        ("contact.received", "contact.recieved"),
        ("requirement.captured", "requirment.capture"),
        ("customer.purchased", "purchased"),
        ("contact.received", "contact.received" + "!" * 4),
    ],
)
def test_the_type_that_was_meant_comes_first(meant, written):
    assert problems_of(name=written)["type"].startswith(f"is not a known event type; did you mean {meant}")


def test_every_wrong_field_is_named_at_once():
    found = problems_of(subject=" x", data={"amount": -1, "currency": "eur", "colour": 1}, occurred_at="today")
    assert set(found) == {
        "subject",
        "occurred_at",
        "data.order_id",
        "data.amount",
        "data.currency",
        "data.colour",
    }
    assert found["data.order_id"] == "is required"
    assert found["data.colour"] == "is not a field of this event"


@pytest.mark.parametrize("amount", [1.0, 1.5, float("nan"), "1", True, 2**63, 10**30, None])
def test_integers_are_whole_and_fit_64_bits(amount):
    assert "data.amount" in problems_of(data={**PURCHASE, "amount": amount})


@pytest.mark.parametrize("flag", [0, 1, "true", 1.0])
def test_flags_are_true_or_false(flag):
    assert problems_of("contact.resolved", "CT-1", {"solved": flag}) == {"data.solved": "must be true or false"}


@pytest.mark.parametrize("time", ["2026-04-01T00:00:00", "2026-04-01", datetime(2026, 4, 1), 1_775_000_000, "", "9"])
def test_times_need_an_offset(time):
    assert "occurred_at" in problems_of(occurred_at=time)
    assert "data.due_at" in problems_of("delivery.rescheduled", "DL-1", {"due_at": time})


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_times_beyond_the_calendar_are_refused(time):
    assert "occurred_at" in problems_of(occurred_at=time)


@pytest.mark.parametrize("text", ["a\x00b", "a\ud800"])
def test_text_that_cannot_be_stored_is_refused(text):
    assert "reason" in problems_of(reason=text)
    assert "subject" in problems_of(subject=text)
    assert "data.message" in problems_of("contact.received", "CT-1", {**RECEIVED, "message": text})
    assert "data.reference" in problems_of(
        "requirement.converted", "RQ-1", {"improvement": "product", "reference": text}
    )
    book = {"book_version": "1", "digest": "d", "effective_from": "2026-01-01T00:00:00Z", "book": text}
    assert "data.book" in problems_of("rulebook.published", "b", book)


@pytest.mark.parametrize("wrong", ["", " a", "a ", "a\nb", "\u3000a", "a" * 201, 5, None])
def test_ids_are_clean(wrong):
    assert "id" in problems_of(id=wrong)
    assert "data.order_id" in problems_of(data={**PURCHASE, "order_id": wrong})


@pytest.mark.parametrize("data", [[], "text", 3, [["order_id", "o"]]])
def test_data_is_an_object(data):
    assert "data" in problems_of(data=data)


@pytest.mark.parametrize(
    ("name", "data", "path"),
    [
        ("contact.received", {**RECEIVED, "channel": "pigeon"}, "data.channel"),
        ("contact.rated", {"rating_id": "r", "aspect": "online", "score": 6, "scale": 5}, "data"),
        ("contact.rated", {"rating_id": "r", "aspect": "online", "score": 0, "scale": 0}, "data.scale"),
        ("delivery.feedback_received", {"score": 11, "scale": 10}, "data"),
        ("delivery.progressed", {"percent": 101}, "data.percent"),
        ("handoff.requested", {"from_department": "a", "to_department": "b"}, "data"),
        ("requirement.assessed", {"role": "product", "urgency": 0, "importance": 6}, "data.urgency"),
        ("requirement.value_assessed", {"quarter": "2026-Q5"}, "data.quarter"),
        ("requirement.value_assessed", {"quarter": "2026-Q1", "cost_saved": 5}, "data"),
        ("plan.drafted", {"objective": "o", "goal_value": 1}, "data.unit"),
        ("plan.drafted", {"objective": "o", "unit": "min", "goal_value": 1, "budget": 5}, "data"),
        ("plan.progress_reviewed", {"cadence": "monthly", "percent": 5, "spent": 5}, "data"),
        ("plan.progress_reviewed", {"cadence": "weekly", "percent": 5}, "data.cadence"),
        ("notice_delivery.sent", {"notice_id": "N", "customer_id": "C", "channel": "push"}, "data.channel"),
        ("script.published", {"title": "t", "wording": ""}, "data.wording"),
        ("script.revised", {"wording": "w" * 20_001}, "data.wording"),
        ("survey.answered", {"aspect": "overall", "score": 6, "scale": 5}, "data"),
        ("baseline.frozen", {**FROZEN, "period_end": "2025-12-31"}, "data"),
        ("baseline.frozen", {**FROZEN, "statistic": "mode"}, "data.statistic"),
        ("baseline.frozen", {**FROZEN, "sample": -1}, "data.sample"),
        ("baseline.frozen", {**FROZEN, "dimensions": {"channel": 1}}, "data.dimensions.channel"),
        ("baseline.frozen", {**FROZEN, "dimensions": {"channel": "s" * 201}}, "data.dimensions.channel"),
        ("baseline.frozen", {**FROZEN, "dimensions": [["channel", "sms"]]}, "data.dimensions"),
        ("report.issued", {**ISSUED, "digest": "sha256:00"}, "data.digest"),
        ("report.issued", {**ISSUED, "period_end": "2025-12-31"}, "data"),
        ("report.issued", {**ISSUED, "figures": {"metric": "m"}}, "data.figures"),
        ("report.issued", {**ISSUED, "figures": [{"metric": "m", "value": 0.5}]}, "data.figures.0.value"),
        ("report.issued", {**ISSUED, "figures": [{"metric": "m", "colour": "red"}]}, "data.figures.0.colour"),
        ("benchmark.entered", {**ENTERED, "rank": 0}, "data.rank"),
        ("benchmark.entered", {**ENTERED, "field_size": 6}, "data"),
        ("benchmark.entered", {**ENTERED, "evidence": ""}, "data.evidence"),
        ("benchmark.entered", {**ENTERED, "ranked_on": "2026-02-30"}, "data.ranked_on"),
        ("customer.key_destroyed", {"basis": "", "request_id": "r"}, "data.basis"),
        ("record.voided", {"voided_position": 0}, "data.voided_position"),
    ],
)
def test_values_outside_their_bounds_are_refused(name, data, path):
    assert path in problems_of(name, "S-1", data)


DAYS = [
    "2026-02-29",
    "2026-04-31",
    "2026-13-01",
    "2026-4-1",
    "20260401",
    "0999-01-01",
    "2026-04-01T00:00:00Z",
    20260401,
]
WEEKS = ["2025-W53", "2026-W54", "2026-W00", "2026-14", "2026W14", "2026-W14-1", 202614]


@pytest.mark.parametrize(
    ("name", "data", "field", "wrong"),
    [("baseline.frozen", FROZEN, "period_start", day) for day in DAYS]
    + [("review.sampled", SAMPLED, "week", week) for week in WEEKS],
)
def test_days_and_weeks_are_those_of_the_calendar(name, data, field, wrong):
    assert f"data.{field}" in problems_of(name, "S-1", {**data, field: wrong})


def test_the_last_days_and_weeks_of_a_year_are_taken():
    assert CATALOGUE["baseline.frozen"].model(**{**FROZEN, "period_start": "2024-02-29"})
    for week in ("2026-W53", "2025-W52", "2026-W01"):
        assert CATALOGUE["review.sampled"].model(**{**SAMPLED, "week": week})


def test_unknown_attributes_and_a_wrong_expected_version_are_refused():
    assert set(problems_of(colour="red", expected_version=-1)) == {"colour", "expected_version"}


def test_personal_values_stand_in_no_message():
    found = problems_of("contact.received", "CT-1", {**RECEIVED, "message": ["Ms Chen of 5 High Street"]})
    assert "Chen" not in str(found)


@given(st.datetimes(timezones=st.timezones()))
def test_instants_keep_microseconds_and_read_back(moment):
    try:
        utc = instant(moment)
    except ValueError:
        return
    text = instant_text(utc)
    assert len(text) == 27
    assert instant(text) == utc
    assert orjson.loads(encode_json({"at": utc})) == {"at": text}
