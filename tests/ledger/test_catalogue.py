"""The catalogue: one definition per event type, and what is derived from it."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jsonschema_rs
import orjson
import pytest

from ledger.claims import UNPLACED, Recorded, claim, decode, encode
from ledger.errors import Invalid
from ledger.events import AGGREGATES, CATALOGUE, COLUMNS, json_schema
from ledger.labels import FIELD_LABELS

GOLDEN = Path(__file__).parent / "golden_entries.ndjson"
ENVELOPE = ("position", "type", "aggregate", "subject", "version", "occurred_at", "recorded_at", "recorded_by")
ENVELOPE += ("source", "id", "actor", "reason", "correlation_id", "causation_id")
ALL = sorted(CATALOGUE)

DOMAIN = """
customer: registered stage_changed tiered channel_preferred purchased alert_raised alert_answered cause_diagnosed
 cause_verified win_back_planned won_back churned merged unmerged erasure_requested key_destroyed
contact: received identified rang answered abandoned minutes_recorded screened paused resumed solution_proposed resolved
 customer_informed reopened rated problem_flagged merged unmerged closed
handoff: requested transferred accepted returned answered withdrawn
requirement: captured clarification_requested clarified merged unmerged rejected classified assessed prioritised scoped
 verified archived value_assessed converted reopened closed
delivery: planned milestone_set milestone_reached progressed rescheduled delivered accepted refused customer_informed
 feedback_received cancelled
plan: drafted measure_added risk_identified approved milestone_set milestone_reached task_added task_started
 task_completed progress_reviewed issue_raised adjusted launched evaluated closed
notice: issued withdrawn
notice_delivery: sent delivered confirmed responded
script: published revised retired
review: sampled scored rectified
survey: sent answered action_planned
staff: trained assessed
baseline: frozen
benchmark: entered
report: issued
rulebook: published
void: proposed declined
access: personal_read exported
record: voided
"""


def example_entry(name, position=7):
    """The catalogue's example of a type as a recorded entry, every envelope attribute given."""
    known = CATALOGUE[name]
    aggregate = AGGREGATES[known.aggregate or "contact"]
    told = claim(
        name,
        aggregate.example,
        known.example,
        id=f"{name}-1",
        source="crm",
        occurred_at="2026-04-01T09:00:00.25+08:00",
        actor="staff-31",
        reason="told by phone / 电话告知",
        correlation_id="flow-9",
        causation_id="event-8",
    )
    return Recorded(
        id=told.id,
        source=told.source,
        type=told.type,
        aggregate=aggregate.name,
        subject=told.subject,
        occurred_at=told.occurred_at,
        data=told.data,
        actor=told.actor,
        reason=told.reason,
        correlation_id=told.correlation_id,
        causation_id=told.causation_id,
        position=position,
        version=3,
        recorded_at=datetime(2026, 4, 1, 1, 0, 2, 123456, tzinfo=UTC),
        recorded_by="key-1",
    )


def test_catalogue_holds_every_event_of_the_domain():
    listed = {
        f"{aggregate}.{name}"
        for aggregate, names in (line.split(":") for line in DOMAIN.replace("\n ", " ").strip().splitlines())
        for name in names.split()
    }
    assert set(CATALOGUE) == listed


def test_entry_bytes_of_every_type_never_change():
    """Lines are only ever added: for a new type, or for an example with a new field. None is edited or removed."""
    golden = GOLDEN.read_text("utf-8").splitlines()
    for line in golden:
        assert encode(decode(line.encode())).decode() == line
    assert {encode(example_entry(name)).decode() for name in CATALOGUE} <= set(golden)
    assert len(golden) >= 106


@pytest.mark.parametrize("name", ALL)
def test_bytes_read_back_to_the_same_entry_and_bytes(name):
    entry = example_entry(name)
    assert decode(encode(entry)) == entry
    assert encode(decode(encode(entry))) == encode(entry)


@pytest.mark.parametrize("name", ALL)
def test_example_is_valid_and_whole(name):
    known = CATALOGUE[name]
    data = known.model.model_validate(known.example)
    unsaid = [field.name for field in known.fields if getattr(data, field.name) is None]
    assert unsaid == (["requirement_id"] if name == "handoff.requested" else [])
    jsonschema_rs.validator_for(json_schema(name)).validate(dict(known.example))


@pytest.mark.parametrize("name", ALL)
def test_labels_are_given_in_both_languages(name):
    known = CATALOGUE[name]
    for label in (known.label, *(field.label for field in known.fields)):
        assert label.en.isascii()
        assert re.search(r"[一-鿿]", label.zh)


def test_choices_and_aggregates_have_labels():
    labels = [aggregate.label for aggregate in AGGREGATES.values()]
    for known in CATALOGUE.values():
        for field in known.fields:
            labels += [choice.label for choice in field.choices or ()]
    assert all(label.en and re.search(r"[一-鿿]", label.zh) for label in labels)


def test_every_field_label_is_of_a_field():
    fields = {field.name for known in CATALOGUE.values() for field in known.fields}
    assert set(FIELD_LABELS) == fields | set(ENVELOPE)


def test_one_name_has_one_meaning_everywhere():
    seen = {}
    for known in CATALOGUE.values():
        for field in known.fields:
            meaning = (field.kind, field.personal, field.column)
            assert seen.setdefault(field.name, meaning) == meaning, field.name
            assert field.name not in ENVELOPE


def test_columns_are_the_fields_that_are_not_personal():
    fields = [field for known in CATALOGUE.values() for field in known.fields]
    assert {field.name: field.kind for field in fields if field.column} == COLUMNS
    assert set(COLUMNS.values()) == {"text", "integer", "boolean", "time", "day", "week", "quarter"}
    left_out = {field.name for field in fields if not field.column}
    assert left_out == {
        *("name", "win_back_measure", "message", "minutes", "solution", "statement", "boundary", "criteria", "comment"),
        *("action", "book", "wording", "dimensions", "figures", "destroyed_keys", "second_person_voids"),
    }
    assert {field.kind for field in fields if not field.column} == {"text", "mapping", "list"}


def test_names_of_a_field_refer_to_the_aggregate_they_name():
    for known in CATALOGUE.values():
        for field in known.fields:
            expected = {
                "customer_id": "customer",
                "contact_id": "contact",
                "requirement_id": "requirement",
                "plan_id": "plan",
                "notice_id": "notice",
                "into_id": known.aggregate,
            }
            assert field.refers_to == expected.get(field.name)


def test_names_lists_what_an_event_names():
    captured = CATALOGUE["requirement.captured"]
    told = captured.model.model_validate({**captured.example, "contact_id": None})
    assert captured.names(told) == [("customer", "CU-1007", "customer_id")]
    merged = CATALOGUE["contact.merged"]
    assert merged.names(merged.model.model_validate({"into_id": "CT-2"})) == [("contact", "CT-2", "into_id")]


def test_defaults_are_stored():
    answered = claim("contact.answered", "CT-1", {}, id="1", source="s", occurred_at="2026-04-01T00:00:00Z")
    assert answered.data.automated is False
    bare = example_entry("contact.answered")
    entry = orjson.loads(encode(bare))
    assert entry["data"]["automated"] is False
    for known in CATALOGUE.values():
        for field in known.fields:
            assert field.default is None or not field.required


def test_each_aggregate_is_opened_by_one_event_but_staff_and_access_by_either():
    others = {"staff": ["staff.assessed"], "access": ["access.exported"]}
    for aggregate in AGGREGATES.values():
        opening = [known.name for known in CATALOGUE.values() if known.aggregate == aggregate.name and known.opens]
        assert opening == [aggregate.opening, *others.get(aggregate.name, [])]
    assert not CATALOGUE["record.voided"].opens


def test_schema_marks_personal_fields_and_needs_no_other_document():
    text = orjson.dumps([json_schema(name) for name in CATALOGUE]).decode()
    assert "$ref" not in text
    assert json_schema("contact.received")["properties"]["message"]["x-personal"] is True


def test_claim_to_void_is_placed_when_decided():
    told = claim("record.voided", "CT-1", {"voided_position": 1}, id="1", source="s", occurred_at="2026-04-01T00:00Z")
    assert told.aggregate == UNPLACED


def test_a_mapping_is_stored_in_the_order_of_its_names():
    frozen = CATALOGUE["baseline.frozen"]
    told = frozen.model.model_validate({**frozen.example, "dimensions": {"department": "sales", "channel": ""}})
    assert list(told.dimensions) == ["channel", "department"]
    assert told == frozen.model.model_validate({**frozen.example, "dimensions": {"channel": "", "department": "sales"}})


def test_a_list_is_stored_without_what_was_not_given():
    issued = CATALOGUE["report.issued"]
    figure = {"metric": "complaint_rate", "numerator": 0, "denominator": 0, "value": None}
    entry = replace(example_entry("report.issued"), data=issued.model(**{**issued.example, "figures": [figure]}))
    assert b'"figures":[{"metric":"complaint_rate","dimensions":{},"numerator":0,"denominator":0}]' in encode(entry)
    assert decode(encode(entry)) == entry


def test_decode_refuses_what_is_no_entry():
    for wrong in (b"", b"{}", b"[]", b'{"type":"contact.danced"}', encode(example_entry("contact.rang"))[:-1]):
        with pytest.raises(Invalid, match="not an entry"):
            decode(wrong)
