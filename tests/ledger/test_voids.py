"""Voiding: what was told can be taken back, and nothing that depends on it stays."""

import pytest

from ledger.aggregates.contact import Contact
from ledger.aggregates.requirement import Requirement
from ledger.decisions import effective

CONTACT = ("contact.received", "CT-1")
REQUIREMENT = ("requirement.captured", "RQ-1")
DELIVERY = ("delivery.planned", "DL-1", {"requirement_id": "RQ-1"})
NONSENSE = "void.leaves_nonsense"


def test_state_is_as_if_the_voided_had_not_been_told(chronicle):
    chronicle.given(REQUIREMENT, ("requirement.rejected", "RQ-1"))
    (void,) = chronicle.tell(chronicle.void("requirement.rejected"))
    assert (void.aggregate, void.subject, void.version) == ("requirement", "RQ-1", 3)
    assert chronicle.state("requirement", "RQ-1") == Requirement()
    chronicle.given(DELIVERY)


def test_what_may_not_be_voided(chronicle, tell):
    chronicle.given(CONTACT, ("rulebook.published", "book"), ("customer.registered", "CU-1"))
    chronicle.given(("customer.key_destroyed", "CU-1"), ("contact.rang", "CT-1"))
    chronicle.refuses(tell("record.voided", "CT-1", {"voided_position": 99}), rule="void.unknown_position")
    chronicle.refuses(tell("record.voided", "CT-2", {"voided_position": 5}), rule="void.other_subject")
    chronicle.refuses(chronicle.void("rulebook.published"), rule="void.not_voidable")
    chronicle.refuses(chronicle.void("customer.key_destroyed"), rule="void.not_voidable")
    chronicle.refuses(
        chronicle.void("contact.rang"), chronicle.void("contact.rang"), rule="void.already_voided", index=1
    )
    chronicle.given(chronicle.void("contact.rang"))
    chronicle.refuses(chronicle.void("contact.rang"), rule="void.already_voided")
    chronicle.refuses(chronicle.void("record.voided"), rule="void.of_a_void")


def test_an_opening_is_not_voided_from_under_the_rest(chronicle):
    chronicle.given(CONTACT, ("contact.rang", "CT-1"), ("contact.answered", "CT-1"))
    refusal = chronicle.refuses(chronicle.void("contact.received"), rule=NONSENSE, index=0)
    assert "position 2 (contact.rang of CT-1)" in refusal.message
    everything = [chronicle.void(f"contact.{name}") for name in ("received", "rang", "answered")]
    chronicle.tell(*everything)
    assert chronicle.state("contact", "CT-1") is None
    chronicle.given(CONTACT)
    assert chronicle.state("contact", "CT-1") == Contact()


def test_an_opening_is_corrected_in_one_unit(chronicle):
    chronicle.given(CONTACT, ("contact.paused", "CT-1", {}, "10:00"))
    chronicle.refuses(CONTACT, chronicle.void("contact.received"), rule="contact.already_opened", index=0)
    chronicle.tell(chronicle.void("contact.received"), ("contact.received", "CT-1", {"channel": "phone"}))
    live = effective(chronicle.stream("contact", "CT-1"))
    assert [entry.position for entry in live] == [4, 2]
    assert len(chronicle.state("contact", "CT-1").pauses) == 1


def test_a_requirement_with_a_delivery_is_not_voided_alone(chronicle):
    chronicle.given(REQUIREMENT, DELIVERY)
    refusal = chronicle.refuses(chronicle.void("requirement.captured"), rule=NONSENSE)
    assert "position 2 (delivery.planned of DL-1)" in refusal.message
    chronicle.tell(chronicle.void("requirement.captured"), chronicle.void("delivery.planned"))


def test_a_reopening_a_delivery_was_planned_on_is_not_voided(chronicle):
    chronicle.given(REQUIREMENT, ("requirement.closed", "RQ-1"), ("requirement.reopened", "RQ-1"), DELIVERY)
    assert "DL-1" in chronicle.refuses(chronicle.void("requirement.reopened"), rule=NONSENSE).message
    chronicle.tell(chronicle.void("requirement.closed"), chronicle.void("requirement.reopened"))


def test_what_happened_later_to_the_requirement_does_not_matter(chronicle):
    chronicle.given(REQUIREMENT, DELIVERY, ("delivery.progressed", "DL-1"), ("requirement.closed", "RQ-1"))
    chronicle.given(chronicle.void("delivery.progressed"))


def test_a_delivery_under_a_merge_does_not_become_open_again(chronicle):
    chronicle.given(REQUIREMENT, ("requirement.captured", "RQ-2"), DELIVERY, ("delivery.delivered", "DL-1"))
    chronicle.given(("requirement.merged", "RQ-1", {"into_id": "RQ-2"}))
    assert (
        "requirement.merged of RQ-1" in chronicle.refuses(chronicle.void("delivery.delivered"), rule=NONSENSE).message
    )
    chronicle.tell(chronicle.void("delivery.delivered"), chronicle.void("requirement.merged"))


@pytest.mark.parametrize(
    ("aggregate", "opening"),
    [("customer", "customer.registered"), ("contact", "contact.received"), ("requirement", "requirement.captured")],
)
def test_a_survivor_is_not_voided_while_it_survives(chronicle, aggregate, opening):
    chronicle.given((opening, "A"), (opening, "B"), (f"{aggregate}.merged", "A", {"into_id": "B"}))
    assert f"{aggregate}.merged of A" in chronicle.refuses(chronicle.void(opening, "B"), rule=NONSENSE).message
    chronicle.tell(chronicle.void(opening, "B"), chronicle.void(f"{aggregate}.merged"))


def test_voiding_an_unmerge_may_not_close_a_cycle_elsewhere(chronicle):
    chronicle.given(*(("contact.received", name) for name in "XYZ"))
    chronicle.given(("contact.merged", "X", {"into_id": "Y"}), ("contact.unmerged", "X"))
    chronicle.given(("contact.merged", "Z", {"into_id": "X"}), ("contact.merged", "Y", {"into_id": "Z"}))
    assert "contact.merged of Y" in chronicle.refuses(chronicle.void("contact.unmerged"), rule=NONSENSE).message


def test_voiding_an_unmerge_may_not_make_a_chain_too_long(chronicle):
    chronicle.given(*(("contact.received", f"C{n}") for n in range(10)))
    chronicle.given(("contact.merged", "C0", {"into_id": "C1"}), ("contact.unmerged", "C0"))
    chronicle.given(*(("contact.merged", f"C{n}", {"into_id": f"C{n + 1}"}) for n in range(1, 9)))
    assert "C8" in chronicle.refuses(chronicle.void("contact.unmerged"), rule=NONSENSE).message


def test_pauses_still_do_not_overlap_after_a_void(chronicle):
    chronicle.given(
        CONTACT,
        ("contact.paused", "CT-1", {"pause_id": "p1"}, "10:00"),
        ("contact.resumed", "CT-1", {"pause_id": "p1"}, "11:00"),
        ("contact.paused", "CT-1", {"pause_id": "p2"}, "12:00"),
        ("contact.resumed", "CT-1", {"pause_id": "p2"}, "13:00"),
    )
    first_end = chronicle.position("contact.resumed") - 2
    void = ("record.voided", "CT-1", {"voided_position": first_end})
    chronicle.refuses(void, rule=NONSENSE)
    chronicle.refuses(void, ("contact.resumed", "CT-1", {"pause_id": "p1"}, "12:01"), rule="contact.pauses_overlap")
    chronicle.refuses(("record.voided", "CT-1", {"voided_position": first_end - 1}), rule=NONSENSE)


def test_a_pause_told_late_is_not_left_open_across_another(chronicle):
    chronicle.given(CONTACT, ("contact.paused", "CT-1", {"pause_id": "p2"}, "12:00"))
    chronicle.tell(
        ("contact.paused", "CT-1", {"pause_id": "p1"}, "10:00"),
        ("contact.resumed", "CT-1", {"pause_id": "p1"}, "11:00"),
    )
    chronicle.refuses(chronicle.void("contact.resumed"), rule=NONSENSE)


def test_a_once_only_event_may_be_told_again_after_its_void(chronicle):
    chronicle.given(("handoff.requested", "HO-1"), ("handoff.answered", "HO-1", {}, "10:00"))
    chronicle.tell(chronicle.void("handoff.answered"), ("handoff.answered", "HO-1", {}, "11:00"))
    chronicle.refuses(("handoff.answered", "HO-1"), rule="handoff.answered_twice")
    chronicle.refuses(("handoff.answered", "HO-1"), chronicle.void("handoff.answered"), rule="handoff.answered_twice")


def test_voids_of_several_subjects_in_any_order(chronicle):
    chronicle.given(REQUIREMENT, DELIVERY, ("delivery.milestone_set", "DL-1"), ("delivery.milestone_reached", "DL-1"))
    names = ("requirement.captured", "delivery.milestone_set", "delivery.milestone_reached", "delivery.planned")
    chronicle.refuses(*(chronicle.void(name) for name in names[:3]), rule=NONSENSE)
    chronicle.tell(*(chronicle.void(name) for name in names))
    assert chronicle.state("delivery", "DL-1") is None
    assert chronicle.state("requirement", "RQ-1") is None


def test_a_requirement_is_corrected_under_its_delivery(chronicle):
    chronicle.given(REQUIREMENT, DELIVERY, ("requirement.closed", "RQ-1"))
    chronicle.tell(chronicle.void("requirement.captured"), ("requirement.captured", "RQ-1", {"key": False}))
    assert chronicle.state("requirement", "RQ-1") == Requirement(closed=True)
    chronicle.refuses(("delivery.planned", "DL-2", {"requirement_id": "RQ-1"}), rule="delivery.requirement_closed")


def test_a_merge_into_a_cycle_a_void_has_just_closed_is_refused(chronicle):
    chronicle.given(*(("contact.received", name) for name in "XYZ"))
    chronicle.given(("contact.merged", "X", {"into_id": "Y"}), ("contact.unmerged", "X"))
    chronicle.given(("contact.merged", "Y", {"into_id": "X"}))
    void = chronicle.void("contact.unmerged")
    chronicle.refuses(void, ("contact.merged", "Z", {"into_id": "X"}), rule="contact.merge_chain", index=1)
    chronicle.refuses(void, rule=NONSENSE)


def test_what_came_later_elsewhere_does_not_bar_a_void(chronicle):
    """The merge was lawful when it was told: that a delivery was planned after the unmerging does not change that."""
    assessed = ("requirement.assessed", "RQ-1", {"role": "product", "urgency": 3, "importance": 3})
    chronicle.given(("requirement.captured", "RQ-2"), REQUIREMENT, assessed)
    chronicle.given(("requirement.merged", "RQ-1", {"into_id": "RQ-2"}), ("requirement.unmerged", "RQ-1"), DELIVERY)
    chronicle.tell(chronicle.void("requirement.assessed"))


def test_a_delivery_voided_before_the_merge_and_planned_after_the_unmerging_does_not_bar_a_void(chronicle):
    """When it was merged no delivery of it was planned: that one had been, and is again, is no matter."""
    assessed = ("requirement.assessed", "RQ-1", {"role": "product", "urgency": 3, "importance": 3})
    chronicle.given(("requirement.captured", "RQ-2"), REQUIREMENT, assessed, DELIVERY)
    chronicle.given(chronicle.void("delivery.planned"))
    chronicle.given(("requirement.merged", "RQ-1", {"into_id": "RQ-2"}), ("requirement.unmerged", "RQ-1"), DELIVERY)
    chronicle.tell(chronicle.void("requirement.assessed"))


def test_a_survivor_told_again_still_survives(chronicle):
    chronicle.given(("contact.received", "A"), ("contact.received", "B"), ("contact.merged", "A", {"into_id": "B"}))
    for channel in ("phone", "email"):
        chronicle.tell(chronicle.void("contact.received", "B"), ("contact.received", "B", {"channel": channel}))
    assert chronicle.state("contact", "A").merged_into == "B"


def test_a_delivery_refused_under_a_merge_bars_no_void(chronicle):
    """It was not open when the requirement was merged (decision 0019)."""
    assessed = ("requirement.assessed", "RQ-1", {"role": "product", "urgency": 3, "importance": 3})
    chronicle.given(("requirement.captured", "RQ-2"), REQUIREMENT, assessed, DELIVERY, ("delivery.delivered", "DL-1"))
    chronicle.given(("requirement.merged", "RQ-1", {"into_id": "RQ-2"}), ("delivery.refused", "DL-1"))
    chronicle.tell(chronicle.void("requirement.assessed"))
    chronicle.tell(chronicle.void("delivery.refused"))


def test_a_notice_is_not_voided_from_under_its_deliveries(chronicle):
    sent = ("notice_delivery.sent", "ND-1", {"notice_id": "NT-1"})
    chronicle.given(("notice.issued", "NT-1"), sent, ("notice_delivery.delivered", "ND-1"))
    refusal = chronicle.refuses(chronicle.void("notice.issued"), rule=NONSENSE)
    assert "position 2 (notice_delivery.sent of ND-1)" in refusal.message
    chronicle.tell(chronicle.void("notice.issued"), ("notice.issued", "NT-1", {"important": False}))
    everything = ("notice.issued", "notice_delivery.delivered", "notice_delivery.sent")
    chronicle.tell(*(chronicle.void(name) for name in everything))
    assert chronicle.state("notice_delivery", "ND-1") is None


def test_a_withdrawal_of_a_notice_is_voided_whatever_was_sent(chronicle):
    late = ("notice_delivery.sent", "ND-1", {"notice_id": "NT-1"}, "12:00")
    chronicle.given(("notice.issued", "NT-1"), ("notice.withdrawn", "NT-1", {}, "11:00"))
    chronicle.refuses(late, rule="notice_delivery.notice_withdrawn")
    chronicle.given(chronicle.void("notice.withdrawn"), late)
    chronicle.given(("notice.withdrawn", "NT-1", {}, "11:00"))
    chronicle.given(("notice_delivery.delivered", "ND-1"))
    chronicle.given(chronicle.void("notice_delivery.delivered"))


def test_what_a_plan_names_is_voided_with_what_depends_on_it(chronicle):
    chronicle.given(("plan.drafted", "PL-1"), ("plan.task_added", "PL-1"), ("plan.task_completed", "PL-1"))
    assert "plan.task_completed" in chronicle.refuses(chronicle.void("plan.task_added"), rule=NONSENSE).message
    spent = ("plan.progress_reviewed", "PL-1")
    chronicle.given(spent)
    in_euro = ("plan.drafted", "PL-1", {"currency": "EUR"})
    refusal = chronicle.refuses(chronicle.void("plan.drafted"), in_euro, rule=NONSENSE)
    assert "plan.progress_reviewed of PL-1" in refusal.message
    chronicle.tell(chronicle.void("plan.task_added"), chronicle.void("plan.task_completed"))


def test_baselines_benchmarks_and_reports_are_corrected_in_one_unit(chronicle):
    for name in ("baseline.frozen", "benchmark.entered", "report.issued"):
        chronicle.given((name, "B-1"))
        chronicle.tell(chronicle.void(name), (name, "B-1"))
