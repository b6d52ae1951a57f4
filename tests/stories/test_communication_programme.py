"""客户沟通与需求管理优化方案: from the first contact over handoffs and deliveries to what a requirement was worth.

All figures are worked out by hand from the story as it is told here.
"""

from tests.stories.conftest import Story

JANUARY, FIRST = ("2026-01-01", "2026-01-31"), ("2026-01-01", "2026-03-31")


def online(story: Story) -> None:
    """Chat 3 minutes, community 2 hours, e-mail 24 hours; one of each (S0-1)."""
    for name, channel, when in (
        ("W-1", "web_chat", "2026-01-05 09:03"),
        ("W-2", "community", "2026-01-05 11:01"),
        ("W-3", "email", "2026-01-06 09:00"),
    ):
        story.tell("2026-01-05 09:00", "contact.received", name, channel=channel, department="desk", kind="inquiry")
        story.tell(when, "contact.answered", name, agent_id="anna", script_id="K-1")
        story.tell("2026-01-07 09:00", "contact.screened", name, has_requirement=False)
    story.tell("2026-01-08 09:00", "contact.rated", "W-1", rating_id="1", aspect="online", score=9, scale=10)


def on_the_phone(story: Story) -> None:
    """One call is picked up, one given up; the meeting's record is not complete (S0-2)."""
    for name in ("T-1", "T-2"):
        story.tell("2026-01-12 10:00", "contact.received", name, channel="phone", department="desk", kind="problem")
        story.tell("2026-01-12 10:00", "contact.rang", name)
    story.tell("2026-01-12 10:01", "contact.abandoned", "T-2")
    story.tell("2026-01-12 10:00", "contact.answered", "T-1", agent_id="anna")
    story.tell("2026-01-12 10:20", "contact.minutes_recorded", "T-1", prepared=True, complete=True)
    story.tell("2026-01-12 10:20", "contact.screened", "T-1", has_requirement=True)
    story.tell("2026-01-13 10:00", "contact.received", "B-1", channel="meeting", department="sales", kind="inquiry")
    story.tell("2026-01-13 11:00", "contact.minutes_recorded", "B-1", prepared=True, complete=False)


def across_departments(story: Story) -> None:
    """What the desk cannot solve is handed over within the hour, and answered after a day and a bit (S0-3)."""
    story.tell(
        "2026-01-12 10:30", "handoff.requested", "H-1",
        contact_id="T-1", from_department="desk", to_department="logistics",
    )  # fmt: skip
    story.tell("2026-01-12 11:00", "handoff.transferred", "H-1")
    story.tell("2026-01-12 14:00", "handoff.accepted", "H-1", owner_id="li")
    story.tell("2026-01-13 10:31", "handoff.answered", "H-1")
    story.tell("2026-01-14 10:00", "contact.resolved", "T-1", solved=True)


def quality(story: Story) -> None:
    """Scripts are revised, contacts sampled, failings rectified, staff taught (S0-4, S0-5, S0-14)."""
    story.tell("2026-01-02 09:00", "script.published", "K-1", title="Greeting", wording="Good day")
    story.tell("2026-02-02 09:00", "script.revised", "K-1", wording="Good morning")
    drawn = story.post("/v1/samples", week="2026-W02", seed=7, per_channel=1)
    assert drawn["of"] == {"community": 1, "email": 1, "web_chat": 1}
    story.position += 3
    for name, passed in (("W-1", True), ("W-2", False), ("W-3", True)):
        story.tell(
            "2026-01-19 09:00", "review.scored", f"2026-W02.{name}",
            passed=passed, script_fit=passed, content_fit=True,
        )  # fmt: skip
    story.tell("2026-01-26 09:00", "review.rectified", "2026-W02.W-2")
    story.tell("2026-01-09 09:00", "staff.trained", "anna", course="standards")
    story.tell("2026-01-30 09:00", "staff.assessed", "anna", passed=True)
    story.tell("2026-01-30 09:00", "staff.assessed", "bo", passed=False)


def from_requirement_to_value(story: Story) -> None:
    """Captured, scoped, delivered a day late, told in two working days, archived, valued, converted (S0-7 to S0-12)."""
    story.tell("2026-01-05 08:00", "customer.registered", "CU-1", stage="customer")
    story.tell(
        "2026-01-12 10:25", "requirement.captured", "R-1",
        contact_id="T-1", customer_id="CU-1", source_kind="contact", key=True,
    )  # fmt: skip
    story.tell("2026-01-15 09:00", "requirement.verified", "R-1", correct=True)
    story.tell("2026-01-15 10:00", "requirement.scoped", "R-1", boundary="Domestic orders", criteria="Shown in 1 s")
    story.tell(
        "2026-01-16 09:00",
        "delivery.planned",
        "D-1",
        requirement_id="R-1",
        owner_id="wei",
        due_at="2026-02-05T10:00:00Z",
    )
    story.tell("2026-01-16 09:10", "delivery.milestone_set", "D-1", milestone_id="draft", due_at="2026-01-23T10:00:00Z")
    story.tell("2026-01-22 09:10", "delivery.milestone_reached", "D-1", milestone_id="draft")
    # Friday, 6 February; told on Tuesday, the second working day after it
    story.tell("2026-02-06 17:00", "delivery.delivered", "D-1")
    story.tell("2026-02-10 17:00", "delivery.customer_informed", "D-1", customer_id="CU-1", channel="phone")
    story.tell("2026-02-20 09:00", "delivery.feedback_received", "D-1", customer_id="CU-1", score=5, scale=5)
    story.tell(
        "2026-02-23 09:00", "requirement.classified", "R-1", kano="performance", archive_class="service_optimisation"
    )
    story.tell("2026-02-24 09:00", "requirement.archived", "R-1", complete=True)
    story.tell(
        "2026-03-25 09:00", "requirement.value_assessed", "R-1",
        quarter="2026-Q1", repurchase_bp=250, cost_saved=900_000, currency="CNY", high_value=True,
    )  # fmt: skip
    story.tell("2026-03-27 09:00", "requirement.converted", "R-1", improvement="service", reference="P-1")


def test_a_quarter_of_the_programme(story: Story) -> None:
    online(story)
    on_the_phone(story)
    across_departments(story)
    quality(story)
    from_requirement_to_value(story)

    # the chat at its very limit and the e-mail at its own are in time; the community a minute late
    assert story.figure("first_response_in_time", *JANUARY) == (2, 3)
    assert story.figure("online_satisfaction", *JANUARY) == (1, 1)
    assert story.figure("pickup_in_time", *JANUARY) == (1, 2)
    assert story.figure("abandonment", *JANUARY) == (1, 2)
    # two calls and a meeting
    assert story.figure("record_completeness", *JANUARY) == (1, 3)
    assert story.figure("transfer_in_time", *JANUARY) == (1, 1)
    assert story.figure("handoff_answer_in_time", *JANUARY) == (0, 1)
    # the call that was given up is a problem too, and never solved: its 72 hours are over
    assert story.figure("resolution", *JANUARY) == (1, 2)
    # four of six were screened
    assert story.figure("collection_coverage", *JANUARY) == (4, 6)
    week = ("2026-01-05", "2026-01-11")
    assert story.figure("review_pass", *week) == (2, 3)
    assert story.figure("script_fit", *week) == (2, 3)
    assert story.figure("content_fit", *week) == (3, 3)
    assert story.figure("rectification", *week) == (1, 1)
    assert story.figure("standards_known", *JANUARY) == (1, 2)

    assert story.figure("key_omission", *FIRST) == (0, 1)
    assert story.figure("identification_accuracy", *FIRST) == (1, 1)
    assert story.figure("delivery_on_time", *FIRST) == (0, 1)
    assert story.figure("told_in_time", *FIRST) == (1, 1)
    assert story.figure("archive_completeness", *FIRST) == (1, 1)
    assert story.figure("conversion", *FIRST) == (1, 1)

    # a flag on the wrong contact is voided: the figure follows, and history keeps it
    wrong = story.tell("2026-01-14 12:00", "contact.problem_flagged", "W-3", problem="attitude")
    assert story.figure("problem_rate", *JANUARY) == (1, 6)
    story.tell("2026-01-15 12:00", "record.voided", "W-3", voided_position=wrong)
    assert story.figure("problem_rate", *JANUARY) == (0, 6)
    assert "[contact.problem_flagged]" in story.history("contact", "W-3")

    # a requirement's history goes from the contact it came from to what became of it
    told = story.history("requirement", "R-1")
    assert [kind for kind in told if kind.startswith(("handoff", "delivery"))] == [
        "handoff.requested", "handoff.transferred", "handoff.accepted", "handoff.answered",
        "delivery.planned", "delivery.milestone_set", "delivery.milestone_reached", "delivery.delivered",
        "delivery.customer_informed", "delivery.feedback_received",
    ]  # fmt: skip
    assert told[0] == "contact.received"
    assert told[-1] == "requirement.converted"


def test_a_baseline_of_the_diagnosis_judges_the_rollout(story: Story) -> None:
    """Eight of forty contacts complain in January, four of forty in May: half as many, and a quarter less is wanted."""
    for month, complaining in (("01", 8), ("05", 4)):
        for number in range(40):
            story.tell(
                f"2026-{month}-06 10:00", "contact.received", f"{month}-{number}",
                channel="form", department="desk", kind="complaint" if number < complaining else "inquiry",
            )  # fmt: skip
    may = {"metric": "complaint_rate", "from": "2026-05-01", "to": "2026-05-31"}
    assert story.get("/v1/kpis", **may)["figures"][0]["verdict"] == "no baseline yet"
    (baseline,) = story.post("/v1/baselines", metric="complaint_rate", **{"from": JANUARY[0], "to": JANUARY[1]})[
        "baselines"
    ]
    assert (baseline["value"], baseline["sample"]) == (0.2, 40)
    story.position += 1
    (figure,) = story.get("/v1/kpis", **may)["figures"]
    assert (figure["value"], figure["change"], figure["goal"]["change"], figure["verdict"]) == (0.1, -0.5, -0.25, "met")
