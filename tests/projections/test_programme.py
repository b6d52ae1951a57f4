"""Plans, notices, reviews, surveys, staff and reports: their tables and figures, by stories with a known end."""

from datetime import date
from typing import Any

import pytest

from projections.kpis import figures
from projections.reading import read_table
from tests.projections.worlds import World, us

PLAN = {"objective": "Answer faster", "unit": "minute", "baseline_value": 120, "goal_value": 30}


def parts(world: World, metric: str, **more: Any) -> tuple[int | None, int]:
    world.catch_up()
    with world.ledger.pool.connection() as connection:
        (figure,) = figures(connection, [metric], asked=us("2025-06-01"), **more).figures
    return figure.numerator, figure.denominator


def test_a_plan_runs_from_draft_to_evaluation(world: World) -> None:
    world.tell("plan.drafted", "P1", "2025-01-06", **PLAN, budget=1_000_000, currency="CNY", department="desk")
    world.tell("plan.measure_added", "P1", "2025-01-07", measure_id="M1", measure="Robots answer first")
    world.tell("plan.risk_identified", "P1", "2025-01-07", risk_id="R1", risk="Robots err", fallback="People answer")
    world.tell("plan.approved", "P1", "2025-01-10")
    world.tell(
        "plan.task_added",
        "P1",
        "2025-01-11",
        task_id="T1",
        task="Buy",
        assignee_id="ann",
        due_at="2025-02-01T00:00:00Z",
    )
    world.tell("plan.task_added", "P1", "2025-01-11", task_id="T2")
    world.tell("plan.milestone_set", "P1", "2025-01-11", milestone_id="live", due_at="2025-03-01T00:00:00Z")
    world.tell("plan.task_started", "P1", "2025-01-12", task_id="T1")
    world.tell("plan.task_completed", "P1", "2025-01-20", task_id="T1")
    world.tell(
        "plan.progress_reviewed", "P1", "2025-01-24", cadence="biweekly", percent=40, spent=200_000, currency="CNY"
    )
    world.tell(
        "plan.progress_reviewed", "P1", "2025-02-07", cadence="biweekly", percent=60, spent=600_000, currency="CNY"
    )
    world.tell("plan.issue_raised", "P1", "2025-02-07", issue_id="I1", issue="Late supplier")
    world.tell("plan.adjusted", "P1", "2025-02-08", adjustment="Another supplier")
    world.tell("plan.milestone_reached", "P1", "2025-02-27", milestone_id="live")
    world.tell("plan.launched", "P1", "2025-03-01")
    world.tell("plan.evaluated", "P1", "2025-04-01", achieved_value=30)
    world.catch_up()
    plan = world.row("plans", plan_id="P1")
    told = ("status", "goal_met", "tasks", "tasks_done", "spent", "issues", "measures")
    assert [plan[name] for name in told] == ["evaluated", True, 2, 1, 600_000, 1, 1]
    assert {row["task_id"]: row["status"] for row in world.rows("tasks")} == {"T1": "done", "T2": "to_do"}
    assert [(row["review"], row["spent"], row["currency"], row["latest"]) for row in world.rows("plan_reviews")] == [
        (1, 200_000, "CNY", False),
        (2, 600_000, "CNY", True),
    ]
    world.tell("plan.progress_reviewed", "P1", "2025-02-21", cadence="biweekly", percent=80)
    (milestone,) = world.rows("milestones", subject="P1")
    assert (milestone["aggregate"], milestone["milestone_id"]) == ("plan", "live")
    assert parts(world, "plan_goals_met") == (1, 1)
    assert parts(world, "budget_used") == (600_000, 1_000_000)


@pytest.mark.parametrize(
    ("baseline", "goal", "achieved", "met"),
    [(120, 30, 30, True), (120, 30, 31, False), (80, 90, 90, True), (80, 90, 89, False), (None, 90, 95, True)],
)
def test_a_goal_is_reached_from_where_it_began(
    world: World, baseline: int | None, goal: int, achieved: int, met: bool
) -> None:
    told = {**PLAN, "baseline_value": baseline, "goal_value": goal}
    world.tell("plan.drafted", "P1", "2025-01-06", **{name: value for name, value in told.items() if value is not None})
    world.tell("plan.evaluated", "P1", "2025-02-06", achieved_value=achieved)
    assert parts(world, "plan_goals_met") == (int(met), 1)


def sent(world: World, delivery: str, when: str, customer: str, channel: str, notice: str = "N1") -> None:
    world.tell("notice_delivery.sent", delivery, when, notice_id=notice, customer_id=customer, channel=channel)


def test_an_important_notice_is_confirmed_on_two_channels(world: World) -> None:
    for customer in ("anna", "bo"):
        world.tell("customer.registered", customer, "2025-01-01")
    world.tell("notice.issued", "N1", "2025-01-06", topic="Terms", important=True, effective_at="2025-02-01T00:00:00Z")
    sent(world, "D1", "2025-01-07", "anna", "email")
    sent(world, "D2", "2025-01-07", "anna", "sms")
    sent(world, "D3", "2025-01-07", "bo", "email")
    sent(world, "D4", "2025-01-08", "bo", "email")
    for delivery in ("D1", "D2", "D3", "D4"):
        world.tell("notice_delivery.confirmed", delivery, "2025-01-09")
    world.tell("notice_delivery.delivered", "D1", "2025-01-07 12:00")
    world.tell("notice_delivery.delivered", "D3", "2025-02-02")
    world.tell("notice_delivery.responded", "D1", "2025-01-10")
    assert parts(world, "dual_confirmation") == (1, 2)
    assert parts(world, "change_told_before") == (1, 2)
    assert parts(world, "reach") == (2, 4)
    assert parts(world, "willingness") == (1, 4)
    # as a row says it of one customer
    row = world.row("notice_customers", notice_id="N1", customer_id="bo")
    assert (row["sendings"], row["channels_confirmed"]) == (2, 1)


def test_a_notice_confirmed_under_two_merged_numbers_is_confirmed_by_one_customer(world: World) -> None:
    for customer in ("anna", "twin"):
        world.tell("customer.registered", customer, "2025-01-01")
    world.tell("notice.issued", "N1", "2025-01-06", topic="Terms", important=True, effective_at="2025-02-01T00:00:00Z")
    sent(world, "D1", "2025-01-07", "anna", "email")
    sent(world, "D2", "2025-01-07", "twin", "sms")
    for delivery in ("D1", "D2"):
        world.tell("notice_delivery.confirmed", delivery, "2025-01-09")
    assert parts(world, "dual_confirmation") == (0, 2)
    world.tell("customer.merged", "twin", "2025-01-10", into_id="anna")
    assert parts(world, "dual_confirmation") == (1, 1)
    (row,) = world.rows("notice_customers")
    assert (row["customer_id"], row["sendings"], row["channels_confirmed"]) == ("anna", 2, 2)
    world.tell("customer.unmerged", "twin", "2025-01-11")
    assert parts(world, "dual_confirmation") == (0, 2)


def test_a_notice_withdrawn_before_it_takes_effect_is_not_counted(world: World) -> None:
    world.tell("notice.issued", "N1", "2025-01-06", topic="Terms", important=True, effective_at="2025-02-01T00:00:00Z")
    sent(world, "D1", "2025-01-07", "anna", "email")
    assert parts(world, "dual_confirmation") == (0, 1)
    world.tell("notice.withdrawn", "N1", "2025-01-08")
    assert parts(world, "dual_confirmation") == (0, 0)


def test_a_week_of_reviews(world: World) -> None:
    world.tell("contact.received", "C1", "2025-01-07", channel="email", department="back")
    for number, (passed, fit) in enumerate([(True, True), (False, False), (False, None)], start=1):
        world.tell("review.sampled", f"V{number}", "2025-01-13", contact_id="C1", week="2025-W02")
        world.tell(
            "review.scored", f"V{number}", "2025-01-14", passed=passed, **({} if fit is None else {"script_fit": fit})
        )
    world.tell("review.rectified", "V2", "2025-01-20")
    week = {"first": date(2025, 1, 6), "last": date(2025, 1, 12)}
    assert parts(world, "review_pass", **week) == (1, 3)
    assert parts(world, "script_fit", **week) == (1, 2)
    assert parts(world, "content_fit", **week) == (0, 0)
    assert parts(world, "rectification", **week) == (1, 2)
    row = world.row("reviews", review_id="V1")
    assert (row["channel"], row["department"], row["week"]) == ("email", "back", "2025-01-06")
    # a channel told with the sample stands, whatever the contact's is told to be later
    world.tell("review.sampled", "V4", "2025-01-13", contact_id="C2", week="2025-W02", channel="phone")
    world.tell("contact.received", "C2", "2025-01-08", channel="email", recorded="2025-01-21")
    world.catch_up()
    assert world.row("reviews", review_id="V4")["channel"] == "phone"


def test_surveys_are_answered_by_aspect(world: World) -> None:
    world.tell("survey.sent", "S1", "2025-01-06", customer_id="anna", survey_kind="satisfaction", channel="email")
    world.tell("survey.sent", "S2", "2025-01-06", customer_id="bo", survey_kind="satisfaction", channel="sms")
    world.tell("survey.answered", "S1", "2025-01-07", aspect="overall", score=2, scale=5)
    world.tell("survey.answered", "S1", "2025-01-07 12:00", aspect="communication", score=4, scale=5)
    assert parts(world, "feedback_collection") == (1, 2)
    assert parts(world, "communication_satisfaction") == (1, 1)
    assert parts(world, "customer_satisfaction") == (0, 1)
    survey = world.row("surveys", survey_id="S1")
    assert (survey["answers"], survey["low"]) == (2, True)
    world.tell("survey.answered", "S1", "2025-01-08", aspect="overall", score=5, scale=5)
    assert parts(world, "customer_satisfaction") == (1, 1)
    assert world.row("surveys", survey_id="S1")["low"] is False
    rating = world.row("ratings", subject="S1", rating="overall")
    assert (rating["customer_id"], rating["channel"], rating["score"]) == ("anna", "email", 5)


def test_staff_scripts_and_reports_have_their_tables(world: World) -> None:
    world.tell("staff.assessed", "anna", "2025-01-10", passed=True)
    world.tell("staff.trained", "anna", "2025-01-05", course="standards", recorded="2025-01-11")
    world.tell("script.published", "K1", "2025-01-06", title="Greeting", wording="Good day")
    world.tell("script.revised", "K1", "2025-02-06", wording="Good morning")
    world.tell("script.retired", "K1", "2025-03-06")
    world.tell(
        "report.issued", "RP1", "2025-02-01", report_kind="diagnosis", period_start="2025-01-01",
        period_end="2025-01-31", figures=[], digest="sha256:" + "0" * 64,
    )  # fmt: skip
    world.catch_up()
    staff = world.row("staff", staff_id="anna")
    assert (staff["trainings"], staff["assessments"], staff["passed"]) == (1, 1, True)
    script = world.row("scripts", script_id="K1")
    assert (script["revisions"], script["status"]) == (1, "retired")
    assert world.row("reports", report_id="RP1")["period_end"] == "2025-01-31"
    assert world.rows("anomalies") == []


def test_of_the_ranks_of_a_topic_the_latest_comes_first(world: World) -> None:
    ranks = [("B1", "satisfaction", "2024-12-31", 31), ("B2", "speed", "2025-03-31", 4)]
    ranks += [("B3", "satisfaction", "2025-06-30", 12), ("B4", "satisfaction", "2023-12-31", 40)]
    for name, topic, ranked_on, rank in ranks:
        said = {"topic": topic, "rank": rank, "ranked_on": ranked_on, "ranked_by": "the association"}
        world.tell("benchmark.entered", name, "2025-07-05", **said, evidence="its yearbook, p. 14")
    world.catch_up()
    with world.ledger.database.reading() as connection:
        page = read_table(connection, "benchmarks", asked=0, sort=["topic", "-ranked_on"], limit=10)
    assert [row["rank"] for row in page.rows] == [12, 31, 40, 4]
    assert page.rows[0]["ranked_on"] == "2025-06-30"
    assert page.rows[0]["evidence"] == "its yearbook, p. 14"
