"""Tables of optimisation plans: plans, tasks, plan_reviews."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from ledger.rulebook.expressions import Kind
from projections.tables.definition import Inputs, Table, beside, label
from projections.tables.fold import count, distinct, first, first_at, fold, kinds, last, last_at, sources, status

DRAFTED, REVIEWED, EVALUATED = "plan.drafted", "plan.progress_reviewed", "plan.evaluated"
PLAN = {
    "requirement_id": first("requirement_id", DRAFTED),
    "objective": first("objective", DRAFTED),
    "unit": first("unit", DRAFTED),
    "baseline_value": first("baseline_value", DRAFTED),
    "goal_value": first("goal_value", DRAFTED),
    "owner_id": first("owner_id", DRAFTED),
    "department": first("department", DRAFTED),
    "resources": first("resources", DRAFTED),
    "budget": first("budget", DRAFTED),
    "currency": first("currency", DRAFTED),
    "drafted_at": first_at(DRAFTED),
    "approved_at": first_at("plan.approved"),
    "measures": distinct("measure_id", "plan.measure_added"),
    "risks": distinct("risk_id", "plan.risk_identified"),
    "tasks": distinct("task_id", "plan.task_added"),
    "tasks_done": distinct("task_id", "plan.task_completed"),
    "issues": distinct("issue_id", "plan.issue_raised"),
    "adjustments": count("plan.adjusted"),
    "percent": last("percent", REVIEWED),
    "spent": last("spent", REVIEWED),
    "reviewed_at": last_at(REVIEWED),
    "launched_at": first_at("plan.launched"),
    "achieved_value": last("achieved_value", EVALUATED),
    "evaluated_at": last_at(EVALUATED),
    "closed_at": first_at("plan.closed"),
    "status": status(
        {
            DRAFTED: "drafted",
            "plan.approved": "approved",
            "plan.launched": "launched",
            EVALUATED: "evaluated",
            "plan.closed": "closed",
        }
    ),
}
COLUMNS: dict[str, Kind] = {"plan_id": "text", **kinds(PLAN), "goal_met": "boolean"}


def _plans(inputs: Inputs) -> ir.Table:
    events = inputs.events("plan")
    rows = fold(events, {"plan_id": events.subject}, PLAN)
    # a goal above where it began is reached from below, one beneath it from above
    rising = rows.baseline_value.isnull() | (rows.goal_value >= rows.baseline_value)
    reached = ibis.ifelse(rising, rows.achieved_value >= rows.goal_value, rows.achieved_value <= rows.goal_value)
    return rows.mutate(goal_met=reached).select(*COLUMNS)


PLANS = Table(
    name="plans",
    label=label("Optimisation plans", "服务优化方案表"),
    aggregates=("plan",),
    key=("plan_id",),
    partition=("plan_id",),
    columns=COLUMNS,
    rows=_plans,
    sources=sources(PLAN),
    cells=PLAN,
    worked_out={"goal_met": ("achieved_value", "goal_value", "baseline_value")},
    indexes=("requirement_id",),
)

TASK = {
    "task": first("task", "plan.task_added"),
    "assignee_id": first("assignee_id", "plan.task_added"),
    "due_at": first("due_at", "plan.task_added"),
    "added_at": first_at("plan.task_added"),
    "started_at": first_at("plan.task_started"),
    "completed_at": first_at("plan.task_completed"),
}
TASK_COLUMNS: dict[str, Kind] = {"plan_id": "text", "task_id": "text", **kinds(TASK), "status": "text"}


def _tasks(inputs: Inputs) -> ir.Table:
    events = inputs.events("plan")
    events = events.filter(events.task_id.notnull())
    rows = fold(events, {"plan_id": events.subject, "task_id": events.task_id}, TASK)
    rows = rows.filter(rows.added_at.notnull())
    state = ibis.cases((rows.completed_at.notnull(), "done"), (rows.started_at.notnull(), "doing"), else_="to_do")
    return rows.mutate(status=state)


TASKS = Table(
    name="tasks",
    label=label("Tasks", "优化实施任务表"),
    aggregates=("plan",),
    key=("plan_id", "task_id"),
    partition=("plan_id",),
    columns=TASK_COLUMNS,
    rows=_tasks,
    sources=sources(TASK),
    cells=TASK,
    worked_out={"status": ("added_at", "started_at", "completed_at")},
    part="task_id",
)

REVIEW_COLUMNS: dict[str, Kind] = {
    "plan_id": "text",
    "review": "integer",
    "cadence": "text",
    "percent": "integer",
    "spent": "integer",
    "currency": "text",
    "budget": "integer",
    "reviewed_at": "time",
    "latest": "boolean",
}


def _plan_reviews(inputs: Inputs) -> ir.Table:
    events = inputs.events("plan")
    reviews = events.filter(events.type == REVIEWED)
    in_order = ibis.window(group_by=reviews.subject, order_by=reviews.seq)
    telling = ibis.ifelse(reviews.spent.notnull(), reviews.seq, ibis.null("int64"))
    latest = telling.max().over(ibis.window(group_by=reviews.subject))
    rows = reviews.select(
        plan_id=reviews.subject,
        review=ibis.row_number().over(in_order).cast("int64") + 1,
        cadence=reviews.cadence,
        percent=reviews.percent,
        spent=reviews.spent,
        currency=reviews.currency,
        reviewed_at=reviews.occurred_at,
        # of those that say what was spent
        latest=(reviews.seq == latest).fill_null(False),
    )
    drafted = events.filter(events.type == DRAFTED).select(plan_id="subject", budget="budget")
    return beside(inputs, "drafted", rows, drafted, ["plan_id"]).select(*REVIEW_COLUMNS)


PLAN_REVIEWS = Table(
    name="plan_reviews",
    label=label("Progress reviews", "优化实施跟踪表"),
    aggregates=("plan",),
    key=("plan_id", "review"),
    partition=("plan_id",),
    columns=REVIEW_COLUMNS,
    rows=_plan_reviews,
    sources=frozenset({REVIEWED, DRAFTED}),
    part="review",
    borrowed={"budget": ("plans", "budget")},
)
