"""Voids that need two persons: proposed under one key, done under another, as the rule book says."""

import pytest

from ledger.second_person import SamePerson, another_person
from tests.ledger.conftest import event

CONTACT = ("contact.received", "CT-1")
BY_TWO = ("rulebook.published", "book", {"book_version": "1", "second_person_voids": ["contact.*", "report.issued"]})
BY_ONE = ("rulebook.published", "book", {"book_version": "2", "second_person_voids": None})


def proposed(position):
    return ("void.proposed", str(position))


@pytest.fixture
def by_two(chronicle):
    """A rule book that wants two persons for contacts, at position 1; a contact at 2, a pause of it at 3."""
    return chronicle.given(BY_TWO, CONTACT, ("contact.rang", "CT-1"))


def test_what_one_proposes_another_voids(by_two):
    refusal = by_two.refuses(by_two.void("contact.rang"), rule="void.not_proposed", index=0)
    assert "void.proposed with the subject 3" in refusal.message
    state = by_two.state("contact", "CT-1")
    by_two.tell(proposed(3), key="ann")
    assert by_two.state("contact", "CT-1") == state
    refusal = by_two.refuses(by_two.void("contact.rang"), rule="second_person.same_key", key="ann")
    assert isinstance(refusal, SamePerson)
    (void,) = by_two.tell(by_two.void("contact.rang"), key="bo")
    assert (void.aggregate, void.recorded_by) == ("contact", "bo")
    by_two.refuses(by_two.void("contact.rang"), rule="void.already_voided", key="cho")
    by_two.refuses(proposed(3), rule="void.already_voided", key="ann")
    by_two.refuses(("void.declined", "3"), rule="void.already_voided", key="cho")


def test_one_person_does_not_propose_and_void_in_one_request(by_two):
    by_two.refuses(event(*proposed(3)), by_two.void("contact.rang"), rule="second_person.same_key", index=1)


def test_what_was_declined_is_proposed_anew(by_two):
    by_two.refuses(("void.declined", "3"), rule="void.never_opened")
    by_two.tell(proposed(3), key="ann")
    by_two.refuses(proposed(3), rule="void.already_proposed", key="bo")
    by_two.tell(("void.declined", "3"), key="bo")
    by_two.refuses(("void.declined", "3"), rule="void.not_proposed")
    by_two.refuses(by_two.void("contact.rang"), rule="void.not_proposed", key="bo")
    by_two.tell(proposed(3), key="bo")
    by_two.tell(by_two.void("contact.rang"), key="ann")


def test_openings_are_voided_and_told_again_by_the_second_person(by_two):
    by_two.tell(proposed(2), key="ann")
    again = ("contact.received", "CT-1", {"channel": "phone"})
    by_two.refuses(by_two.void("contact.received"), rule="void.leaves_nonsense", key="bo")
    by_two.tell(by_two.void("contact.received"), again, key="bo")
    assert by_two.stream("contact", "CT-1")[-1].data.channel == "phone"


def test_each_of_several_voids_is_proposed(by_two):
    by_two.tell(proposed(3), key="ann")
    both = by_two.void("contact.rang"), by_two.void("contact.received")
    by_two.refuses(*both, rule="void.not_proposed", index=1, key="bo")
    by_two.tell(proposed(2), key="bo")
    by_two.refuses(*both, rule="second_person.same_key", index=1, key="bo")
    by_two.tell(*both, key="cho")
    assert by_two.state("contact", "CT-1") is None


def test_what_may_not_be_proposed(by_two):
    by_two.given(("customer.registered", "CU-1"), ("customer.key_destroyed", "CU-1"))
    by_two.refuses(("void.proposed", "CT-1"), rule="void.subject_no_position")
    by_two.refuses(("void.proposed", "03"), rule="void.subject_no_position")
    by_two.refuses(proposed(99), rule="void.unknown_position")
    by_two.refuses(proposed(1), rule="void.not_voidable")
    by_two.refuses(proposed(5), rule="void.not_voidable")
    by_two.tell(proposed(3), key="ann")
    by_two.refuses(proposed(6), rule="void.not_voidable")
    by_two.refuses(("record.voided", "3", {"voided_position": 6}), rule="void.not_voidable")
    by_two.tell(by_two.void("contact.rang"), key="bo")
    by_two.refuses(proposed(7), rule="void.of_a_void")


def test_only_the_types_the_rule_book_names_need_two(by_two):
    by_two.given(("customer.registered", "CU-1"))
    by_two.tell(by_two.void("customer.registered"), key="ann")


def test_the_rule_book_published_last_says_who_needs_two(chronicle):
    chronicle.given(CONTACT, ("contact.rang", "CT-1"))
    chronicle.tell(proposed(2), key="ann")
    chronicle.given(BY_TWO)
    chronicle.refuses(chronicle.void("contact.rang"), rule="second_person.same_key", key="ann")
    chronicle.given(BY_ONE)
    chronicle.tell(chronicle.void("contact.rang"), key="ann")


def test_two_keys_are_two_persons():
    another_person("ann", "bo", "this")
    with pytest.raises(SamePerson, match="this needs a second person: it was asked for under the same key, ann"):
        another_person("ann", "ann", "this")
