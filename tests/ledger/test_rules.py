"""The invariants, one story each: given what was told, what else may be told and what is refused."""

from datetime import timedelta

import pytest

from ledger.aggregates.contact import Contact
from ledger.aggregates.delivery import Delivery
from ledger.aggregates.handoff import Handoff
from ledger.aggregates.requirement import Requirement
from ledger.claims import claim
from ledger.decisions import decide_unit
from ledger.errors import Refused, VersionMismatch
from ledger.events import AGGREGATES, CATALOGUE

CONTACT = ("contact.received", "CT-1")
REQUIREMENT = ("requirement.captured", "RQ-1")
DELIVERY = ("delivery.planned", "DL-1", {"requirement_id": "RQ-1"})
NOTICE = ("notice.issued", "NT-1")
MERGEABLE = [("customer", "customer.registered"), ("contact", "contact.received"), ("requirement", REQUIREMENT[0])]


ERASURES = {"customer.erasure_requested", "customer.key_destroyed"}
LATER = [known.name for known in CATALOGUE.values() if known.aggregate and not known.opens]


@pytest.mark.parametrize("name", [name for name in LATER if name not in ERASURES])
def test_nothing_happens_to_what_was_never_opened(chronicle, tell, name):
    known = CATALOGUE[name]
    chronicle.refuses(tell(name, "X-1"), rule=f"{known.aggregate}.never_opened", index=0)


@pytest.mark.parametrize(
    "aggregate", [name for name in AGGREGATES if name not in ("staff", "rulebook", "void", "access")]
)
def test_nothing_is_opened_twice(chronicle, tell, aggregate):
    chronicle.given(REQUIREMENT, NOTICE)
    opening = AGGREGATES[aggregate].opening
    data = {"delivery": {"requirement_id": "RQ-1"}, "notice_delivery": {"notice_id": "NT-1"}}.get(aggregate, {})
    chronicle.given(tell(opening, "X-1", data))
    chronicle.refuses(tell(opening, "X-1", data), rule=f"{aggregate}.already_opened")


def test_late_and_out_of_order_telling_is_accepted(chronicle):
    chronicle.given(
        ("contact.received", "CT-1", {}, "10:00"),
        ("contact.closed", "CT-1", {}, "08:00"),
        ("contact.resolved", "CT-1", {}, "09:30"),
        ("contact.resolved", "CT-1", {"solved": False}, "09:40"),
        ("contact.answered", "CT-1", {}, "09:00"),
        ("contact.rang", "CT-1", {}, "08:59"),
        ("contact.answered", "CT-1", {}, "07:00"),
    )
    assert chronicle.state("contact", "CT-1") == Contact()


def test_references_to_what_is_not_recorded_are_accepted(chronicle):
    chronicle.given(
        CONTACT,
        REQUIREMENT,
        ("handoff.requested", "HO-1", {"contact_id": "CT-none", "requirement_id": "RQ-none"}),
        DELIVERY,
        ("delivery.customer_informed", "DL-1", {"customer_id": "CU-none"}),
    )
    assert chronicle.state("handoff", "HO-1") == Handoff()


def test_a_clock_may_run_a_little_ahead(chronicle, tell):
    now = tell(*CONTACT).occurred_at
    at_the_limit = claim_at(now + timedelta(minutes=5))
    chronicle.tell(at_the_limit, now=now)
    beyond = claim_at(now + timedelta(minutes=5, microseconds=1), subject="CT-2")
    with pytest.raises(Refused, match=r"event\.ahead_of_clock"):
        chronicle.tell(beyond, now=now)
    decided = decide_unit(
        [beyond], chronicle, position=2, recorded_at=[now], recorded_by="k", skew=timedelta(minutes=6)
    )
    assert [entry.position for entry in decided.entries] == [2]


def claim_at(moment, subject="CT-1"):
    example = CATALOGUE["contact.received"].example
    return claim("contact.received", subject, example, id=subject, source="test", occurred_at=moment)


# merging


@pytest.mark.parametrize(("aggregate", "opening"), MERGEABLE)
def test_merging_is_refused_where_it_makes_no_sense(chronicle, aggregate, opening):
    merged, unmerged = f"{aggregate}.merged", f"{aggregate}.unmerged"
    chronicle.given((opening, "A"), (opening, "B"), (opening, "C"))
    chronicle.refuses((merged, "A", {"into_id": "A"}), rule=f"{aggregate}.merge_into_itself")
    chronicle.refuses((merged, "A", {"into_id": "nobody"}), rule=f"{aggregate}.merge_unknown")
    chronicle.refuses((unmerged, "A"), rule=f"{aggregate}.not_merged")
    chronicle.given((merged, "A", {"into_id": "B"}))
    chronicle.refuses((merged, "A", {"into_id": "C"}), rule=f"{aggregate}.already_merged")
    chronicle.refuses((merged, "B", {"into_id": "A"}), rule=f"{aggregate}.merge_cycle")
    chronicle.given((merged, "B", {"into_id": "C"}))
    chronicle.refuses((merged, "C", {"into_id": "A"}), rule=f"{aggregate}.merge_cycle")
    chronicle.given((unmerged, "B"), (merged, "C", {"into_id": "A"}))


@pytest.mark.parametrize("order", [range(8), reversed(range(8))])
def test_chains_of_merges_are_at_most_eight_long(chronicle, order):
    chronicle.given(*(("contact.received", f"C{n}") for n in range(10)))
    chronicle.given(*(("contact.merged", f"C{n}", {"into_id": f"C{n + 1}"}) for n in order))
    chronicle.refuses(("contact.merged", "C8", {"into_id": "C9"}), rule="contact.merge_chain")
    chronicle.refuses(("contact.merged", "C9", {"into_id": "C0"}), rule="contact.merge_chain")
    chronicle.given(("contact.merged", "C9", {"into_id": "C1"}))


def test_what_was_merged_may_still_be_told_of(chronicle):
    chronicle.given(CONTACT, ("contact.received", "CT-2"), ("contact.merged", "CT-1", {"into_id": "CT-2"}))
    chronicle.given(("contact.answered", "CT-1"), ("contact.closed", "CT-1"))


# contacts


def test_pauses_do_not_overlap(chronicle):
    chronicle.given(
        CONTACT,
        ("contact.paused", "CT-1", {"pause_id": "p1"}, "10:00"),
    )
    chronicle.refuses(("contact.paused", "CT-1", {"pause_id": "p2"}, "11:00"), rule="contact.pauses_overlap")
    chronicle.refuses(("contact.paused", "CT-1", {"pause_id": "p2"}, "09:00"), rule="contact.pauses_overlap")
    chronicle.given(
        ("contact.resumed", "CT-1", {"pause_id": "p1"}, "12:00"),
        ("contact.paused", "CT-1", {"pause_id": "p2"}, "12:00"),
        ("contact.resumed", "CT-1", {"pause_id": "p2"}, "13:00"),
    )
    chronicle.refuses(("contact.paused", "CT-1", {"pause_id": "p3"}, "11:59"), rule="contact.pauses_overlap")


def test_a_pause_may_be_told_late_with_its_end(chronicle):
    chronicle.given(CONTACT, ("contact.paused", "CT-1", {"pause_id": "p2"}, "12:00"))
    early = ("contact.paused", "CT-1", {"pause_id": "p1"}, "10:00")
    chronicle.refuses(early, rule="contact.pauses_overlap", index=0)
    chronicle.refuses(
        early, ("contact.resumed", "CT-1", {"pause_id": "p1"}, "12:01"), rule="contact.pauses_overlap", index=1
    )
    chronicle.tell(early, ("contact.resumed", "CT-1", {"pause_id": "p1"}, "12:00"))


def test_a_pause_is_begun_and_resumed_once(chronicle):
    chronicle.given(CONTACT, ("contact.paused", "CT-1", {"pause_id": "p1"}, "10:00"))
    chronicle.refuses(("contact.resumed", "CT-1", {"pause_id": "p9"}, "11:00"), rule="contact.pause_unknown")
    chronicle.refuses(("contact.resumed", "CT-1", {"pause_id": "p1"}, "09:59"), rule="contact.resumed_before_paused")
    chronicle.given(("contact.resumed", "CT-1", {"pause_id": "p1"}, "11:00"))
    chronicle.refuses(("contact.resumed", "CT-1", {"pause_id": "p1"}, "11:30"), rule="contact.pause_resumed_twice")
    chronicle.refuses(("contact.paused", "CT-1", {"pause_id": "p1"}, "12:00"), rule="contact.pause_repeated")


@pytest.mark.parametrize(
    ("opening", "reopened", "endings"),
    [
        ("contact.received", "contact.reopened", ["contact.closed", "contact.resolved", "contact.abandoned"]),
        ("requirement.captured", "requirement.reopened", ["requirement.closed", "requirement.rejected"]),
    ],
)
def test_nothing_is_reopened_twice_without_ending_between(chronicle, opening, reopened, endings):
    chronicle.given((opening, "S-1"))
    for ending in endings:
        chronicle.given((ending, "S-1"), (reopened, "S-1"))
        chronicle.refuses((reopened, "S-1"), rule=reopened.replace(".reopened", ".already_reopened"))


# handoffs


def test_a_handoff_is_answered_and_withdrawn_once(chronicle):
    chronicle.given(("handoff.requested", "HO-1"), ("handoff.returned", "HO-1"), ("handoff.transferred", "HO-1"))
    chronicle.given(("handoff.answered", "HO-1"), ("handoff.withdrawn", "HO-1"))
    chronicle.refuses(("handoff.answered", "HO-1"), rule="handoff.answered_twice")
    chronicle.refuses(("handoff.withdrawn", "HO-1"), rule="handoff.withdrawn_twice")


# requirements and deliveries


def test_a_delivery_needs_a_requirement_that_takes_one(chronicle):
    chronicle.refuses(DELIVERY, rule="delivery.requirement_unknown")
    chronicle.given(REQUIREMENT, ("requirement.rejected", "RQ-1"))
    chronicle.refuses(DELIVERY, rule="delivery.requirement_rejected")
    chronicle.given(("requirement.reopened", "RQ-1"), ("requirement.closed", "RQ-1"))
    chronicle.refuses(DELIVERY, rule="delivery.requirement_closed")
    chronicle.given(("requirement.reopened", "RQ-1"), ("requirement.captured", "RQ-2"))
    chronicle.given(("requirement.merged", "RQ-1", {"into_id": "RQ-2"}))
    chronicle.refuses(DELIVERY, rule="delivery.requirement_merged")
    chronicle.given(("requirement.unmerged", "RQ-1"), DELIVERY)
    assert chronicle.state("delivery", "DL-1") == Delivery("RQ-1")


def test_a_requirement_may_end_while_its_delivery_is_open(chronicle):
    chronicle.given(REQUIREMENT, DELIVERY, ("requirement.closed", "RQ-1"), ("delivery.delivered", "DL-1"))
    assert chronicle.state("requirement", "RQ-1") == Requirement(closed=True)


def test_a_requirement_with_an_open_delivery_is_not_merged_away(chronicle):
    merge = ("requirement.merged", "RQ-1", {"into_id": "RQ-2"})
    chronicle.given(REQUIREMENT, ("requirement.captured", "RQ-2"), DELIVERY)
    assert "DL-1" in chronicle.refuses(merge, rule="requirement.open_delivery").message
    chronicle.given(("delivery.delivered", "DL-1"), ("delivery.refused", "DL-1"))
    chronicle.refuses(merge, rule="requirement.open_delivery")
    chronicle.refuses(merge, ("delivery.cancelled", "DL-1"), rule="requirement.open_delivery", index=0)
    chronicle.tell(("delivery.cancelled", "DL-1"), merge)


def test_a_delivery_may_be_delivered_again(chronicle):
    chronicle.given(REQUIREMENT, DELIVERY)
    for name in ("delivered", "delivered", "refused", "delivered", "accepted"):
        chronicle.given((f"delivery.{name}", "DL-1"))
    chronicle.given(("delivery.cancelled", "DL-1"))
    chronicle.refuses(("delivery.cancelled", "DL-1"), rule="delivery.cancelled_twice")
    chronicle.given(("delivery.refused", "DL-1"))
    assert not chronicle.state("delivery", "DL-1").open


@pytest.mark.parametrize("end", ["requirement.merged", "requirement.closed", "requirement.rejected"])
def test_a_customer_may_refuse_a_delivery_whatever_became_of_the_requirement(chronicle, end):
    """Decision 0019: the merge asked for no open delivery when it was told, and asks again when it is told again."""
    chronicle.given(REQUIREMENT, ("requirement.captured", "RQ-2"), DELIVERY, ("delivery.delivered", "DL-1"))
    chronicle.given((end, "RQ-1", {"into_id": "RQ-2"} if end == "requirement.merged" else {}))
    chronicle.given(("delivery.refused", "DL-1"))
    assert chronicle.state("delivery", "DL-1").open
    if end == "requirement.merged":
        again = DELIVERY[0], "DL-2", DELIVERY[2]
        chronicle.refuses(again, rule="delivery.requirement_merged")
        chronicle.given(("requirement.unmerged", "RQ-1"))
        merge = ("requirement.merged", "RQ-1", {"into_id": "RQ-2"})
        assert "DL-1" in chronicle.refuses(merge, rule="requirement.open_delivery").message
        chronicle.given(("delivery.delivered", "DL-1"), merge)


def test_a_milestone_is_set_before_it_is_reached(chronicle):
    chronicle.given(REQUIREMENT, DELIVERY)
    chronicle.refuses(("delivery.milestone_reached", "DL-1"), rule="delivery.milestone_unknown")
    chronicle.given(("delivery.milestone_set", "DL-1"), ("delivery.milestone_set", "DL-1"))
    chronicle.given(("delivery.milestone_reached", "DL-1"), ("delivery.milestone_reached", "DL-1"))


# customers


def test_an_alert_is_raised_once_and_before_it_is_answered(chronicle):
    chronicle.given(("customer.registered", "CU-1"))
    for name in ("alert_answered", "cause_diagnosed", "cause_verified", "win_back_planned", "won_back"):
        chronicle.refuses((f"customer.{name}", "CU-1"), rule="customer.alert_unknown")
    chronicle.given(("customer.alert_raised", "CU-1"), ("customer.alert_answered", "CU-1"))
    chronicle.given(("customer.cause_verified", "CU-1"), ("customer.won_back", "CU-1"))
    chronicle.refuses(("customer.alert_raised", "CU-1"), rule="customer.alert_repeated")


def test_whoever_is_named_may_be_erased_registered_or_not_and_again(chronicle):
    chronicle.given(("customer.erasure_requested", "CU-1"), ("customer.key_destroyed", "CU-1"))
    chronicle.given(("customer.registered", "CU-1"), ("customer.key_destroyed", "CU-1"))


# rule books


def test_a_version_of_a_rule_book_is_published_once(chronicle):
    chronicle.given(("rulebook.published", "book"), ("rulebook.published", "book", {"book_version": "2026.2"}))
    chronicle.refuses(("rulebook.published", "book"), rule="rulebook.version_taken")
    chronicle.given(("rulebook.published", "other"))


# units


def test_a_unit_stands_or_falls_together(chronicle):
    refusal = chronicle.refuses(
        CONTACT, REQUIREMENT, ("handoff.answered", "HO-1"), DELIVERY, rule="handoff.never_opened"
    )
    assert refusal.index == 2
    entries = chronicle.tell(CONTACT, REQUIREMENT, DELIVERY, ("contact.rang", "CT-1"))
    assert [(entry.position, entry.version) for entry in entries] == [(1, 1), (2, 1), (3, 1), (4, 2)]


def test_expected_version_counts_the_entries_of_the_subject(chronicle, tell):
    chronicle.given(tell(*CONTACT, expected_version=0), tell("contact.rang", "CT-1", expected_version=1))
    with pytest.raises(VersionMismatch, match="at version 3, not at the expected 1") as caught:
        chronicle.tell(tell("contact.rang", "CT-1"), tell("contact.rang", "CT-1", expected_version=1))
    assert (caught.value.expected, caught.value.actual, caught.value.index) == (1, 3, 1)
