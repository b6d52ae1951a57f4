"""plans, tasks and plan_reviews."""

from tests.reference.events import Streams, first, first_at, last, last_at, of, status
from tests.reference.expressions import Row

DRAFTED = (
    "requirement_id",
    "objective",
    "unit",
    "baseline_value",
    "goal_value",
    "owner_id",
    "department",
    "resources",
    "budget",
    "currency",
)


def plans(streams: Streams) -> list[Row]:
    rows = []
    for plan_id, stream in streams.items():
        drafted = of(stream, "plan.drafted")
        reviewed = of(stream, "plan.progress_reviewed")
        evaluated = of(stream, "plan.evaluated")
        row: Row = {
            "plan_id": plan_id,
            "drafted_at": first_at(drafted),
            "approved_at": first_at(of(stream, "plan.approved")),
            "measures": len({event.data["measure_id"] for event in of(stream, "plan.measure_added")}),
            "risks": len({event.data["risk_id"] for event in of(stream, "plan.risk_identified")}),
            "tasks": len({event.data["task_id"] for event in of(stream, "plan.task_added")}),
            "tasks_done": len({event.data["task_id"] for event in of(stream, "plan.task_completed")}),
            "issues": len({event.data["issue_id"] for event in of(stream, "plan.issue_raised")}),
            "adjustments": len(of(stream, "plan.adjusted")),
            "percent": last(reviewed, "percent"),
            "spent": last(reviewed, "spent"),
            "reviewed_at": last_at(reviewed),
            "launched_at": first_at(of(stream, "plan.launched")),
            "achieved_value": last(evaluated, "achieved_value"),
            "evaluated_at": last_at(evaluated),
            "closed_at": first_at(of(stream, "plan.closed")),
            "status": status(
                stream, {f"plan.{word}": word for word in ("drafted", "approved", "launched", "evaluated", "closed")}
            ),
        }
        for field in DRAFTED:
            row[field] = first(drafted, field)
        row["goal_met"] = goal_met(row["baseline_value"], row["goal_value"], row["achieved_value"])
        rows.append(row)
    return rows


def goal_met(baseline: int | None, goal: int, achieved: int | None) -> bool | None:
    """Reached in the direction from the baseline to the goal; upwards where there is no baseline."""
    if achieved is None:
        return None
    return achieved >= goal if baseline is None or goal >= baseline else achieved <= goal


def tasks(streams: Streams) -> list[Row]:
    """Reading taken: only a task whose adding counts has a row (valid_at), and what is done stays done."""
    rows = []
    for plan_id, stream in streams.items():
        for task_id in sorted({event.data["task_id"] for event in of(stream, "plan.task_added")}):
            own = [event for event in stream if event.data.get("task_id") == task_id]
            added = of(own, "plan.task_added")
            started_at = first_at(of(own, "plan.task_started"))
            completed_at = first_at(of(own, "plan.task_completed"))
            rows.append(
                {
                    "plan_id": plan_id,
                    "task_id": task_id,
                    "task": first(added, "task"),
                    "assignee_id": first(added, "assignee_id"),
                    "due_at": first(added, "due_at"),
                    "added_at": first_at(added),
                    "started_at": started_at,
                    "completed_at": completed_at,
                    "status": "done" if completed_at is not None else "doing" if started_at is not None else "to_do",
                }
            )
    return rows


def plan_reviews(streams: Streams) -> list[Row]:
    """Each review, numbered in order; the last of a plan that says what was spent is its latest."""
    rows = []
    for plan_id, stream in streams.items():
        reviews = of(stream, "plan.progress_reviewed")
        spending = [number for number, event in enumerate(reviews, start=1) if event.data.get("spent") is not None]
        for number, event in enumerate(reviews, start=1):
            rows.append(
                {
                    "plan_id": plan_id,
                    "review": number,
                    "cadence": event.data["cadence"],
                    "percent": event.data["percent"],
                    "spent": event.data.get("spent"),
                    "currency": event.data.get("currency"),
                    "budget": first(of(stream, "plan.drafted"), "budget"),
                    "reviewed_at": event.occurred_at,
                    "latest": number == max(spending, default=0),
                }
            )
    return rows
