"""客户关系管理中的沟通问题解决方案: tiers and cadence, feedback to a closed loop, notices, and a customer nearly lost.

All figures are worked out by hand from the story as it is told here.
"""

from tests.stories.conftest import Story

QUARTER = ("2026-01-01", "2026-03-31")


def customers(story: Story) -> None:
    """Three customers, their tiers, needs and channels (S1-2, S1-4)."""
    for name, tier, need in (("CU-1", "high", "custom"), ("CU-2", "mid", "value_added"), ("CU-3", "base", "basic")):
        story.tell("2025-12-01 09:00", "customer.registered", name, stage="customer")
        story.tell("2025-12-01 09:10", "customer.tiered", name, tier=tier, need_type=need)
    story.tell("2025-12-01 09:20", "customer.channel_preferred", "CU-1", channel="phone")


def maintenance(story: Story) -> None:
    """The high one monthly, the middle one quarterly, the base one half-yearly (S1-5, S1-6)."""
    contact = {"department": "care", "direction": "outbound", "kind": "other", "channel": "phone"}
    for number, (day, customer, purpose) in enumerate(
        (
            ("2026-01-20", "CU-1", "maintenance"),
            ("2026-02-20", "CU-1", "value_added"),
            # none of CU-1 in March
            ("2026-03-30", "CU-2", "maintenance"),
            ("2026-02-01", "CU-3", "maintenance"),
        )
    ):
        story.tell(f"{day} 10:00", "contact.received", f"M-{number}", customer_id=customer, purpose=purpose, **contact)
    story.tell("2026-02-20 10:30", "contact.rated", "M-1", rating_id="1", aspect="value_added", score=4, scale=5)


def feedback(story: Story) -> None:
    """A suggestion is answered and closed, a complex complaint is late with its plan (S1-7, S1-8)."""
    story.tell("2026-02-02 09:00", "survey.sent", "S-1", customer_id="CU-2", survey_kind="feedback", channel="email")
    story.tell("2026-02-02 09:00", "survey.sent", "S-2", customer_id="CU-3", survey_kind="feedback", channel="email")
    story.tell("2026-02-03 09:00", "survey.answered", "S-1", aspect="communication", score=5, scale=5)
    general = {"channel": "email", "department": "desk", "complexity": "general", "kind": "suggestion"}
    story.tell("2026-02-10 09:00", "contact.received", "F-1", customer_id="CU-2", **general)
    story.tell("2026-02-11 09:00", "contact.answered", "F-1")
    story.tell("2026-02-12 09:00", "contact.resolved", "F-1", solved=True)
    story.tell("2026-02-12 11:00", "contact.customer_informed", "F-1", channel="email")
    hard = {"channel": "phone", "department": "desk", "complexity": "complex", "kind": "complaint"}
    story.tell("2026-02-16 09:00", "contact.received", "F-2", customer_id="CU-3", **hard)
    story.tell("2026-02-16 09:30", "contact.problem_flagged", "F-2", problem="misunderstanding")
    story.tell("2026-02-18 09:01", "contact.solution_proposed", "F-2")
    story.tell("2026-02-19 09:00", "contact.resolved", "F-2", solved=True)
    story.tell("2026-02-19 11:01", "contact.customer_informed", "F-2", channel="phone")


def terms(story: Story) -> None:
    """New terms are confirmed on two channels by one of two customers (S1-4)."""
    story.tell(
        "2026-03-02 09:00", "notice.issued", "N-1",
        topic="Terms of contract", important=True, effective_at="2026-03-16T00:00:00+08:00",
    )  # fmt: skip
    for delivery, customer, channel in (
        ("D-1", "CU-1", "email"), ("D-2", "CU-1", "sms"), ("D-3", "CU-2", "email"), ("D-4", "CU-2", "sms"),
    ):  # fmt: skip
        story.tell(
            "2026-03-03 09:00", "notice_delivery.sent", delivery, notice_id="N-1", customer_id=customer, channel=channel
        )
        story.tell("2026-03-03 09:01", "notice_delivery.delivered", delivery)
    for delivery in ("D-1", "D-2", "D-3"):
        story.tell("2026-03-04 09:00", "notice_delivery.confirmed", delivery)


def test_tiers_feedback_and_notices(story: Story) -> None:
    customers(story)
    maintenance(story)
    feedback(story)
    terms(story)

    # CU-1: January and February kept, March not; CU-2 its quarter; CU-3 has until June
    assert story.figure("cadence_executed", *QUARTER) == (3, 4)
    assert story.figure("cadence_executed", *QUARTER, tier="high") == (2, 3)
    # on the last of March: CU-1's last window is March itself, without a contact
    assert story.figure("tier_coverage", *QUARTER) == (2, 3)
    # two contacts and M-1 is one of them; nothing else of the one core customer
    assert story.figure("core_frequency", *QUARTER) == (2, 1)
    assert story.figure("value_added_satisfaction", *QUARTER) == (1, 1)
    assert story.figure("feedback_collection", *QUARTER) == (1, 2)

    # answered after exactly 24 hours: in time; the plan a minute after 48 hours: not; told after 2 h, and 2 h 1 min
    assert story.figure("feedback_answer_in_time", *QUARTER) == (1, 1)
    assert story.figure("feedback_solution_in_time", *QUARTER) == (0, 1)
    assert story.figure("feedback_told_in_time", *QUARTER) == (1, 2)
    # the loop of the complaint is open: it was never answered
    assert story.figure("closed_loop", *QUARTER) == (1, 2)
    assert story.figure("misunderstanding_rate", *QUARTER) == (1, 6)

    assert story.figure("dual_confirmation", *QUARTER) == (1, 2)
    assert story.figure("reach", *QUARTER) == (4, 4)


def test_a_customer_falls_silent_is_won_back_and_another_is_lost(story: Story) -> None:
    customers(story)
    contact = {"channel": "phone", "department": "care", "kind": "inquiry"}
    for name in ("CU-1", "CU-2", "CU-3"):
        story.tell("2026-01-05 09:00", "contact.received", f"C-{name}", customer_id=name, **contact)
    story.get("/v1/kpis", metric="reach")
    # whatever day it is: two months have passed since January 2026
    raised = story.post("/v1/watch")["signs"]
    assert {(sign["customer_id"], sign["indicator"]) for sign in raised} == {
        ("CU-1", "silence"), ("CU-2", "silence"), ("CU-3", "silence"),
    }  # fmt: skip
    assert story.post("/v1/watch")["raised"] == 0
    story.position += len(raised)

    # another alert, told at a time of its own, goes the whole way (S1-9 to S1-11)
    story.tell("2026-02-02 09:00", "customer.alert_raised", "CU-1", alert_id="A-1", indicator="negative_feedback")
    story.tell("2026-02-03 09:00", "customer.alert_answered", "CU-1", alert_id="A-1", owner_id="bo")
    story.tell("2026-02-04 09:00", "customer.cause_diagnosed", "CU-1", alert_id="A-1", cause="service")
    story.tell("2026-02-10 09:00", "customer.cause_verified", "CU-1", alert_id="A-1", correct=True)
    story.tell("2026-02-11 09:00", "customer.win_back_planned", "CU-1", alert_id="A-1", win_back_measure="A visit")
    story.tell("2026-02-20 09:00", "customer.won_back", "CU-1", alert_id="A-1")
    # CU-2 was warned of, CU-3 left without a warning before it
    story.tell("2026-02-05 09:00", "customer.alert_raised", "CU-2", alert_id="A-2", indicator="contact_drop")
    story.tell("2026-03-01 09:00", "customer.churned", "CU-2", cause="price")
    story.tell("2026-03-02 09:00", "customer.churned", "CU-3", cause="communication", by_communication=True)

    assert story.figure("alert_answer_in_time", *QUARTER, indicator="negative_feedback") == (1, 1)
    assert story.figure("alert_answer_in_time", *QUARTER, indicator="contact_drop") == (0, 1)
    assert story.figure("cause_accuracy", *QUARTER) == (1, 1)
    assert story.figure("win_back", *QUARTER) == (1, 1)
    assert story.figure("risk_identification", *QUARTER) == (1, 2)
    assert story.figure("communication_churn", *QUARTER) == (1, 3)
    assert story.figure("core_kept", *QUARTER) == (1, 1)
    told = story.history("customer", "CU-1")
    assert told[-5:] == [
        "customer.alert_answered",
        "customer.cause_diagnosed",
        "customer.cause_verified",
        "customer.win_back_planned",
        "customer.won_back",
    ]
