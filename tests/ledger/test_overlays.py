"""Units decided one after another before any of them is stored, as they go into one transaction."""

from datetime import UTC, datetime

import pytest

from ledger.decisions import NOTHING, Overlay, decide_unit
from ledger.errors import Refused

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def batch(chronicle, tell):
    """A common overlay over a chronicle that knows two requirements, and a way to decide one more unit on it."""
    chronicle.given(("requirement.captured", "RQ-1"), ("requirement.captured", "RQ-2"))
    overlay = Overlay(chronicle)

    def decide(*claims):
        decided = decide_unit(
            [tell(*claim) for claim in claims],
            overlay,
            position=3 + len(overlay.entries),
            recorded_at=[NOW] * len(claims),
            recorded_by="key-1",
        )
        overlay.absorb(decided)
        return decided.entries

    overlay.decide = decide
    return overlay


DELIVERY = ("delivery.planned", "DL-1", {"requirement_id": "RQ-1"})
MERGE = ("requirement.merged", "RQ-1", {"into_id": "RQ-2"})


def refused(batch, *claims):
    with pytest.raises(Refused) as caught:
        batch.decide(*claims)
    return caught.value.rule


def test_a_later_unit_sees_what_an_earlier_one_did(batch):
    batch.decide(DELIVERY)
    assert refused(batch, MERGE) == "requirement.open_delivery"
    batch.decide(("delivery.delivered", "DL-1"), MERGE)
    assert refused(batch, ("delivery.planned", "DL-2", {"requirement_id": "RQ-1"})) == "delivery.requirement_merged"
    assert [entry.position for entry in batch.entries] == [3, 4, 5]
    assert batch.snapshot("requirement", "RQ-1").version == 2
    assert batch.snapshot("delivery", "DL-2") == NOTHING


def test_a_refused_unit_leaves_nothing(batch):
    assert refused(batch, DELIVERY, MERGE) == "requirement.open_delivery"
    assert batch.entries == []
    assert batch.snapshots == {}
    batch.decide(MERGE)


def test_what_an_earlier_unit_told_can_be_voided(batch):
    (planned,) = batch.decide(DELIVERY)
    captured = ("record.voided", "RQ-1", {"voided_position": 1})
    assert refused(batch, captured) == "void.leaves_nonsense"
    batch.decide(("record.voided", "DL-1", {"voided_position": planned.position}), captured)
    assert batch.snapshot("delivery", "DL-1").state is None
    assert batch.snapshot("requirement", "RQ-1").version == 2
