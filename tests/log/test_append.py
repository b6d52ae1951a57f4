"""Appending: positions, refusals, versions, duplicates."""

from collections.abc import Callable

import pytest

from ledger.claims import Claim
from ledger.errors import DuplicateMismatch, LedgerError, Refused, VersionMismatch
from ledger.log.application import Appended, Ledger

Tell = Callable[..., Claim]
FORM = {"source_kind": "form"}


def appended(outcome: list[Appended] | LedgerError) -> list[Appended]:
    assert isinstance(outcome, list), outcome
    return outcome


def captured(tell: Tell, subject: str, **envelope: object) -> Claim:
    return tell("requirement.captured", subject, FORM, **envelope)


def test_positions_count_from_one_and_versions_per_subject(ledger: Ledger, tell: Tell) -> None:
    units = [[captured(tell, "R1")], [captured(tell, "R2"), tell("requirement.closed", "R2")]]
    outcomes = [appended(outcome) for outcome in ledger.append(units, "key-1")]
    places = [(each.position, each.subject, each.version, each.duplicate) for unit in outcomes for each in unit]
    assert places == [(1, "R1", 1, False), (2, "R2", 1, False), (3, "R2", 2, False)]
    assert ledger.head().position == 3
    assert [entry.recorded_by for entry in ledger.entries()] == ["key-1"] * 3
    assert ledger.entries()[0].recorded_at == outcomes[0][0].recorded_at


def test_a_refused_unit_appends_nothing_and_does_not_hurt_the_others(ledger: Ledger, tell: Tell) -> None:
    outcomes = ledger.append(
        [
            [captured(tell, "R1")],
            [captured(tell, "R2"), captured(tell, "R1")],
            [captured(tell, "R2")],
        ],
        "key-1",
    )
    assert isinstance(outcomes[1], Refused)
    assert outcomes[1].rule == "requirement.already_opened"
    assert outcomes[1].index == 1
    assert [each.position for outcome in (outcomes[0], outcomes[2]) for each in appended(outcome)] == [1, 2]
    assert [entry.subject for entry in ledger.entries()] == ["R1", "R2"]


def test_a_refusal_alone_leaves_no_trace(ledger: Ledger, tell: Tell) -> None:
    before = ledger.head()
    (outcome,) = ledger.append([[tell("requirement.closed", "R1")]], "key-1")
    assert isinstance(outcome, Refused)
    assert ledger.head() == before
    (outcome,) = ledger.append([[captured(tell, "R1")]], "key-1")
    assert appended(outcome)[0].position == 1


def test_units_of_one_group_see_each_other(ledger: Ledger, tell: Tell) -> None:
    plan = {"requirement_id": "R1", "due_at": "2026-05-01T00:00:00Z"}
    outcomes = ledger.append(
        [
            [captured(tell, "R1")],
            [tell("delivery.planned", "D1", plan)],
            [tell("requirement.rejected", "R1", {"rejection": "invalid"})],
            [tell("delivery.planned", "D2", plan)],
        ],
        "key-1",
    )
    assert isinstance(outcomes[3], Refused)
    assert outcomes[3].rule == "delivery.requirement_rejected"
    assert ledger.head().position == 3


def test_expected_version(ledger: Ledger, tell: Tell) -> None:
    (outcome,) = ledger.append([[captured(tell, "R1", expected_version=1)]], "key-1")
    assert isinstance(outcome, VersionMismatch)
    assert (outcome.expected, outcome.actual) == (1, 0)
    opening = captured(tell, "R1", expected_version=0)
    closing = tell("requirement.closed", "R1", expected_version=1)
    for unit in ([opening], [closing], [opening], [closing]):
        # a repetition is answered with the first result although the version has moved on
        (outcome,) = ledger.append([unit], "key-1")
        appended(outcome)
    assert ledger.head().position == 2


def test_the_same_event_again_answers_with_the_first_result(ledger: Ledger, tell: Tell) -> None:
    event = captured(tell, "R1", id="x")
    (first,) = ledger.append([[event]], "key-1")
    (again,) = ledger.append([[event]], "key-2")
    was, now = appended(first)[0], appended(again)[0]
    assert (now.position, now.version, now.recorded_at, now.duplicate) == (1, 1, was.recorded_at, True)
    assert ledger.head().position == 1


@pytest.mark.parametrize(
    "other",
    [
        {"type": "requirement.captured", "subject": "R2", "data": FORM},
        {"type": "requirement.captured", "subject": "R1", "data": {"source_kind": "survey"}},
        {"type": "requirement.captured", "subject": "R1", "data": FORM, "actor": "somebody"},
        {"type": "requirement.captured", "subject": "R1", "data": FORM, "occurred_at": "2026-04-01T01:00:01Z"},
        {"type": "contact.received", "subject": "R1", "data": {"channel": "phone", "department": "d", "kind": "other"}},
    ],
)
def test_the_same_id_with_other_content_is_refused(ledger: Ledger, tell: Tell, other: dict[str, object]) -> None:
    ledger.append([[captured(tell, "R1", id="x")]], "key-1")
    (outcome,) = ledger.append([[captured(tell, "R9"), tell(**other, id="x")]], "key-1")
    assert isinstance(outcome, DuplicateMismatch)
    assert (outcome.position, outcome.index) == (1, 1)
    assert ledger.head().position == 1


def test_another_source_may_use_the_same_id(ledger: Ledger, tell: Tell) -> None:
    units = [[captured(tell, "R1", id="x", source="a")], [captured(tell, "R2", id="x", source="b")]]
    assert [appended(outcome)[0].position for outcome in ledger.append(units, "key-1")] == [1, 2]


def test_duplicates_inside_a_unit(ledger: Ledger, tell: Tell) -> None:
    event = captured(tell, "R1", id="x")
    (outcome,) = ledger.append([[event, event, tell("requirement.closed", "R1")]], "key-1")
    assert [(each.position, each.duplicate) for each in appended(outcome)] == [(1, False), (1, True), (2, False)]
    (outcome,) = ledger.append([[captured(tell, "R2", id="y"), captured(tell, "R3", id="y")]], "key-1")
    assert isinstance(outcome, Refused)
    assert (outcome.rule, outcome.index) == ("event.id_taken", 1)
    assert ledger.head().position == 2


def test_duplicates_inside_a_group(ledger: Ledger, tell: Tell) -> None:
    event = captured(tell, "R1", id="x")
    units = [[event], [event], [captured(tell, "R2", id="x")], [event, tell("requirement.closed", "R1")]]
    outcomes = ledger.append(units, "key-1")
    assert [(each.position, each.duplicate) for each in appended(outcomes[0])] == [(1, False)]
    assert [(each.position, each.duplicate) for each in appended(outcomes[1])] == [(1, True)]
    assert isinstance(outcomes[2], DuplicateMismatch)
    assert [(each.position, each.duplicate) for each in appended(outcomes[3])] == [(1, True), (2, False)]


def test_the_twin_of_a_refused_event_is_decided_itself(ledger: Ledger, tell: Tell) -> None:
    event = tell("requirement.closed", "R1", id="x")
    outcomes = ledger.append([[event], [captured(tell, "R1")], [event]], "key-1")
    assert isinstance(outcomes[0], Refused)
    assert [(each.position, each.duplicate) for each in appended(outcomes[2])] == [(2, False)]


def test_a_void_twice_told_is_a_duplicate(ledger: Ledger, tell: Tell) -> None:
    void = tell("record.voided", "R1", {"voided_position": 1})
    ledger.append([[captured(tell, "R1")]], "key-1")
    first, second = (appended(ledger.append([[void]], "key-1")[0])[0] for _ in range(2))
    assert (first.position, first.aggregate, first.version) == (2, "requirement", 2)
    assert (second.position, second.duplicate) == (2, True)
    # what was voided can be told anew
    (outcome,) = ledger.append([[captured(tell, "R1")]], "key-1")
    assert appended(outcome)[0].version == 3


def test_the_state_of_a_subject_is_kept_and_current(ledger: Ledger, tell: Tell) -> None:
    verified = [tell("requirement.verified", "R1", {"correct": True}) for _ in range(300)]
    ledger.append([[captured(tell, "R1"), *verified]], "key-1")
    ledger.append([[tell("requirement.closed", "R1")]], "key-1")
    kept = ledger.kept.snapshot(("requirement", "R1"))
    assert kept is not None
    assert (kept.version, kept.state.closed) == (302, True)


def test_an_empty_append_is_nothing(ledger: Ledger) -> None:
    assert ledger.append([], "key-1") == []
    assert ledger.append([[]], "key-1") == [[]]
    assert ledger.head().position == 0
