"""The invariants of plans, notices, scripts, reviews, surveys and staff, one story each."""

import pytest

from ledger.aggregates.notice_delivery import NoticeDelivery
from ledger.events import CATALOGUE

NOTICE = ("notice.issued", "NT-1")
PLAN = ("plan.drafted", "PL-1")
SENT = ("notice_delivery.sent", "ND-1", {"notice_id": "NT-1"})


# plans


def test_nothing_is_told_of_a_plan_that_is_closed(chronicle):
    chronicle.given(PLAN, ("plan.task_added", "PL-1"), ("plan.milestone_set", "PL-1"), ("plan.closed", "PL-1"))
    told = [name for name, known in CATALOGUE.items() if known.aggregate == "plan" and not known.opens]
    assert len(told) == 14
    for name in told:
        chronicle.refuses((name, "PL-1"), rule="plan.closed")
    chronicle.given(chronicle.void("plan.closed"), ("plan.evaluated", "PL-1"))


@pytest.mark.parametrize("name", ["approved", "launched"])
def test_a_plan_is_approved_and_launched_once(chronicle, name):
    chronicle.given(PLAN, (f"plan.{name}", "PL-1"))
    chronicle.refuses((f"plan.{name}", "PL-1"), rule=f"plan.{name}_twice")


@pytest.mark.parametrize(
    ("name", "field"), [("measure_added", "measure"), ("risk_identified", "risk"), ("issue_raised", "issue")]
)
def test_measures_risks_and_issues_have_ids_of_their_own(chronicle, name, field):
    chronicle.given(PLAN, (f"plan.{name}", "PL-1", {f"{field}_id": "a"}), (f"plan.{name}", "PL-1"))
    chronicle.refuses((f"plan.{name}", "PL-1"), rule=f"plan.{field}_repeated")


def test_a_milestone_of_a_plan_is_set_before_it_is_reached(chronicle):
    chronicle.given(PLAN)
    chronicle.refuses(("plan.milestone_reached", "PL-1"), rule="plan.milestone_unknown")
    chronicle.given(("plan.milestone_set", "PL-1"), ("plan.milestone_set", "PL-1"))
    chronicle.given(("plan.milestone_reached", "PL-1"), ("plan.milestone_reached", "PL-1"))


def test_a_task_is_added_once_and_before_the_rest_and_completed_once(chronicle):
    chronicle.given(PLAN)
    chronicle.refuses(("plan.task_started", "PL-1"), rule="plan.task_unknown")
    chronicle.refuses(("plan.task_completed", "PL-1"), rule="plan.task_unknown")
    chronicle.given(("plan.task_added", "PL-1"))
    chronicle.refuses(("plan.task_added", "PL-1"), rule="plan.task_repeated")
    chronicle.given(("plan.task_completed", "PL-1", {}, "12:00"), ("plan.task_started", "PL-1", {}, "10:00"))
    chronicle.refuses(("plan.task_completed", "PL-1"), rule="plan.task_completed_twice")


def test_what_is_spent_is_in_the_currency_of_the_budget(chronicle):
    chronicle.given(PLAN, ("plan.drafted", "PL-2", {"budget": None}))
    in_euro = {"currency": "EUR"}
    chronicle.refuses(("plan.progress_reviewed", "PL-1", in_euro), rule="plan.other_currency")
    chronicle.given(
        ("plan.progress_reviewed", "PL-1"),
        ("plan.progress_reviewed", "PL-1", {**in_euro, "spent": None}),
        ("plan.progress_reviewed", "PL-2", in_euro),
    )


# notices


def test_a_notice_is_withdrawn_once(chronicle):
    chronicle.given(NOTICE, ("notice.withdrawn", "NT-1"))
    chronicle.refuses(("notice.withdrawn", "NT-1"), rule="notice.withdrawn_twice")


def test_a_notice_is_recorded_before_it_is_sent(chronicle):
    chronicle.refuses(SENT, rule="notice_delivery.notice_unknown")
    chronicle.tell(NOTICE, SENT)


def test_a_withdrawn_notice_is_not_sent_any_more(chronicle):
    chronicle.given(NOTICE, ("notice.withdrawn", "NT-1", {}, "12:00"))
    chronicle.refuses((*SENT, "12:01"), rule="notice_delivery.notice_withdrawn")
    chronicle.given((*SENT, "12:00"), (SENT[0], "ND-2", SENT[2], "11:00"))


def test_a_notice_may_be_withdrawn_after_it_was_sent_whatever_the_times(chronicle):
    chronicle.given(NOTICE, (*SENT, "12:00"), ("notice.withdrawn", "NT-1", {}, "11:00"))
    chronicle.given(("notice_delivery.delivered", "ND-1", {}, "13:00"))


def test_each_step_of_a_notices_delivery_is_told_once_in_any_order(chronicle):
    chronicle.given(NOTICE, SENT)
    for name in ("responded", "confirmed", "delivered"):
        chronicle.given((f"notice_delivery.{name}", "ND-1"))
        chronicle.refuses((f"notice_delivery.{name}", "ND-1"), rule=f"notice_delivery.{name}_twice")
    assert chronicle.state("notice_delivery", "ND-1") == NoticeDelivery(True, True, True)


# scripts, reviews, surveys, staff


def test_a_retired_script_is_neither_revised_nor_retired_again(chronicle):
    chronicle.given(("script.published", "SC-1"), ("script.revised", "SC-1"), ("script.revised", "SC-1"))
    chronicle.given(("script.retired", "SC-1"))
    chronicle.refuses(("script.revised", "SC-1"), rule="script.retired")
    chronicle.refuses(("script.retired", "SC-1"), rule="script.retired")


def test_a_review_is_scored_before_it_is_rectified(chronicle):
    chronicle.given(("review.sampled", "RV-1"))
    chronicle.refuses(("review.rectified", "RV-1"), rule="review.not_scored")
    chronicle.given(("review.scored", "RV-1", {}, "12:00"), ("review.rectified", "RV-1", {}, "10:00"))
    chronicle.given(("review.scored", "RV-1", {"passed": True}), ("review.rectified", "RV-1"))


def test_a_survey_is_answered_as_often_as_it_is_told(chronicle):
    chronicle.given(("survey.sent", "SV-1"), ("survey.action_planned", "SV-1"))
    for aspect in ("communication", "overall", "overall"):
        chronicle.given(("survey.answered", "SV-1", {"aspect": aspect}))


@pytest.mark.parametrize("first", ["staff.trained", "staff.assessed"])
def test_staff_are_known_from_the_first_training_or_assessment_on(chronicle, first):
    chronicle.given((first, "staff-1"), ("staff.assessed", "staff-1"), ("staff.trained", "staff-1"), (first, "staff-1"))
    chronicle.given(chronicle.void("staff.assessed"), chronicle.void("staff.trained"))
