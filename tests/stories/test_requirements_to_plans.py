"""客户需求分析及服务优化流程: from what customers say, over a common requirement, to a plan whose effect is measured.

All figures are worked out by hand from the story as it is told here.
"""

from tests.stories.conftest import Story


def collect(story: Story) -> None:
    """Four sources, in January: a ticket, a survey, an interview, usage data (S2-1)."""
    for customer, tier in (("CU-1", "high"), ("CU-2", "base")):
        story.tell("2026-01-05 09:00", "customer.registered", customer, stage="customer")
        story.tell("2026-01-05 09:05", "customer.tiered", customer, tier=tier)
    for name, day, kind, customer, statement in (
        ("R-1", "12", "ticket", "CU-1", "I want to know at once where my order is"),
        ("R-2", "13", "survey", "CU-2", "I want to know at once where my order is!"),
        ("R-3", "14", "interview", "CU-1", "Call me every day"),
        ("R-4", "15", "usage", "CU-2", "Something is slow"),
    ):
        story.tell(
            f"2026-01-{day} 10:00", "requirement.captured", name,
            source_kind=kind, customer_id=customer, statement=statement, key=name == "R-1",
        )  # fmt: skip


def clean(story: Story) -> None:
    """Duplicates are one, across customers; the vague one is asked about, and turns out to be none (S2-2)."""
    proposed = story.get("/v1/duplicates")["candidates"]
    assert [side["requirement_id"] for side in proposed[0]["requirements"]] == ["R-1", "R-2"]
    story.tell("2026-01-16 09:00", "requirement.merged", "R-2", into_id="R-1")
    story.tell("2026-01-16 09:10", "requirement.clarification_requested", "R-4")
    story.tell("2026-01-19 09:10", "requirement.clarified", "R-4", statement="It was my own network")
    story.tell("2026-01-19 09:20", "requirement.rejected", "R-4", rejection="invalid")


def weigh(story: Story) -> None:
    """Kano first, then three roles; the rule decides, people say what they think of it (S2-3, S2-4)."""
    story.tell("2026-01-20 09:00", "requirement.classified", "R-1", kano="must_be")
    story.tell("2026-01-20 09:05", "requirement.classified", "R-3", kano="reverse")
    for role, urgency, importance in (("product", 5, 5), ("service_operations", 5, 4), ("engineering", 2, 3)):
        story.tell(
            "2026-01-21 09:00", "requirement.assessed", "R-1",
            role=role, urgency=urgency, importance=importance, benefit=4, effort=3,
        )  # fmt: skip
        story.tell(
            "2026-01-21 09:30", "requirement.assessed", "R-3",
            role=role, urgency=5, importance=5, benefit=5, effort=1,
        )  # fmt: skip
    story.tell("2026-01-22 09:00", "requirement.prioritised", "R-1", priority="high")
    story.tell("2026-01-22 09:05", "requirement.prioritised", "R-3", priority="mid")


def plan(story: Story) -> None:
    """Two hours to thirty minutes, with a budget, a task, a risk and its fallback (S2-5, S2-6)."""
    story.tell(
        "2026-02-02 09:00", "plan.drafted", "P-1", requirement_id="R-1", objective="Answer order questions sooner",
        unit="minute", baseline_value=120, goal_value=30, owner_id="olga", department="service",
        budget=10_000_000, currency="CNY",
    )  # fmt: skip
    story.tell("2026-02-02 09:10", "plan.measure_added", "P-1", measure_id="M1", measure="A page that shows the order")
    story.tell(
        "2026-02-02 09:20", "plan.risk_identified", "P-1",
        risk_id="K1", risk="Recognised below 80 %", fallback="People answer",
    )  # fmt: skip
    story.tell("2026-02-03 09:00", "plan.approved", "P-1")
    for task in ("T1", "T2"):
        story.tell("2026-02-04 09:00", "plan.task_added", "P-1", task_id=task, due_at="2026-02-20T10:00:00Z")
    story.tell("2026-02-05 09:00", "plan.task_started", "P-1", task_id="T1")
    story.tell("2026-02-18 09:00", "plan.task_completed", "P-1", task_id="T1")
    for day, percent, spent in (("16", 40, 3_000_000), ("27", 80, 6_000_000)):
        story.tell(
            f"2026-02-{day} 15:00", "plan.progress_reviewed", "P-1",
            cadence="biweekly", percent=percent, spent=spent, currency="CNY",
        )  # fmt: skip


def tell_and_launch(story: Story) -> None:
    """Customers are told before the change takes effect, one of them too late (S2-7)."""
    story.tell(
        "2026-03-02 09:00", "notice.issued", "N-1",
        topic="Your orders at a glance", plan_id="P-1", effective_at="2026-03-10T00:00:00+08:00",
    )  # fmt: skip
    for delivery, customer, channel in (("ND-1", "CU-1", "app"), ("ND-2", "CU-2", "sms")):
        story.tell(
            "2026-03-03 09:00", "notice_delivery.sent", delivery, notice_id="N-1", customer_id=customer, channel=channel
        )
    story.tell("2026-03-03 09:05", "notice_delivery.delivered", "ND-1")
    story.tell("2026-03-10 08:00", "notice_delivery.delivered", "ND-2")
    story.tell("2026-03-10 09:00", "plan.launched", "P-1")


def test_from_what_customers_say_to_what_came_of_it(story: Story) -> None:
    collect(story)
    clean(story)
    weigh(story)

    # (25 + 2) + (20 + 2) + (6 + 2) = 57 over three roles: a mean of 19, high from 16 on; one role sees it low
    first = story.row("requirements", requirement_id="R-1")
    assert (first["rule_score"], first["assessed_roles"], first["rule_priority"]) == (57, 3, "high")
    assert (first["roles_differ"], first["priority"], first["priority_differs"]) == (True, "high", False)
    # R-3 has the highest score there is, and is reverse: low, whatever people say
    third = story.row("requirements", requirement_id="R-3")
    assert (third["rule_score"], third["rule_priority"], third["priority_differs"]) == (99, "low", True)
    assert story.row("requirements", requirement_id="R-2")["status"] == "merged"
    assert story.row("requirements", requirement_id="R-4")["rejection"] == "invalid"
    assert story.figure("key_omission", "2026-01-01", "2026-01-31") == (0, 1)

    plan(story)
    # what is merged away or rejected is not delivered
    for requirement in ("R-2", "R-4"):
        refused = story.send(
            "2026-02-05 09:00", "delivery.planned", "D-0", requirement_id=requirement, due_at="2026-03-09T10:00:00Z"
        )
        assert refused.status_code == 409
    tracking = story.row("plans", plan_id="P-1")
    assert (tracking["tasks"], tracking["tasks_done"], tracking["percent"], tracking["risks"]) == (2, 1, 80, 1)
    # six of ten 万
    assert story.figure("budget_used", "2026-02-01", "2026-02-28") == (6_000_000, 10_000_000)

    tell_and_launch(story)
    # the second was delivered eight hours after the change took effect
    assert story.figure("change_told_before", "2026-03-01", "2026-03-31") == (1, 2)
    assert story.figure("reach", "2026-03-01", "2026-03-31") == (2, 2)

    story.tell("2026-04-10 09:00", "plan.evaluated", "P-1", achieved_value=45)
    assert story.figure("plan_goals_met", "2026-04-01", "2026-04-30") == (0, 1)
    # measured again a month later: reached; the figure is that of the last measurement, in its month
    story.tell("2026-05-11 09:00", "plan.evaluated", "P-1", achieved_value=28)
    story.tell("2026-05-12 09:00", "plan.closed", "P-1")
    assert story.row("plans", plan_id="P-1")["goal_met"] is True
    assert story.figure("plan_goals_met", "2026-05-01", "2026-05-31") == (1, 1)
    assert story.figure("plan_goals_met", "2026-04-01", "2026-04-30") == (0, 0)

    assert story.history("requirement", "R-4") == [
        "requirement.captured",
        "requirement.clarification_requested",
        "requirement.clarified",
        "requirement.rejected",
    ]
    told = story.history("plan", "P-1")
    assert (told[0], told[-1], told.count("plan.progress_reviewed")) == ("plan.drafted", "plan.closed", 2)
    # a requirement's history shows what was merged into it
    assert story.history("requirement", "R-1").count("requirement.captured") == 2
