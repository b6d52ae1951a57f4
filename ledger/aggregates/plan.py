"""Plans: how a service is to be optimised, with a goal that is a number, and how it went."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from pydantic import model_validator

from ledger.aggregates.opening import refuse_first, refuse_later
from ledger.errors import Refused
from ledger.occurrence import Occurrence, Reading
from ledger.vocabulary import (
    Amount,
    Currency,
    Event,
    Id,
    Instant,
    Integer,
    Percent,
    RequirementId,
    ReviewCadence,
    Text,
    with_currency,
)


class PlanDrafted(
    Event,
    type="plan.drafted",
    en="Plan drafted",
    zh="服务优化方案制定",
    opens=True,
    example={
        "requirement_id": "RQ-2026-0153",
        "objective": "first answer in chat within half an hour instead of two hours",
        "unit": "min",
        "baseline_value": 120,
        "goal_value": 30,
        "owner_id": "staff-52",
        "department": "service_operations",
        "resources": "two agents, a trained assistant",
        "budget": 10000000,
        "currency": "CNY",
    },
):
    requirement_id: RequirementId | None = None
    objective: Text
    unit: Id
    baseline_value: Integer | None = None
    goal_value: Integer
    owner_id: Id | None = None
    department: Id | None = None
    resources: Text | None = None
    budget: Amount | None = None
    currency: Currency | None = None

    @model_validator(mode="after")
    def _money_has_a_currency(self) -> Self:
        with_currency("budget", self.budget, self.currency)
        return self


class PlanMeasureAdded(
    Event,
    type="plan.measure_added",
    en="Measure added",
    zh="优化措施添加",
    example={"measure_id": "assistant", "measure": "an assistant answers the common questions"},
):
    measure_id: Id
    measure: Text


class PlanRiskIdentified(
    Event,
    type="plan.risk_identified",
    en="Risk identified",
    zh="风险识别",
    example={
        "risk_id": "recognition",
        "risk": "the assistant recognises fewer than 80 % of the questions",
        "fallback": "people answer",
    },
):
    risk_id: Id
    risk: Text
    fallback: Text | None = None


class PlanApproved(Event, type="plan.approved", en="Plan approved", zh="方案批准", example={}):
    pass


class PlanMilestoneSet(
    Event,
    type="plan.milestone_set",
    en="Milestone of the plan set",
    zh="方案里程碑设定",
    example={"milestone_id": "trial", "due_at": "2026-05-15T10:00:00.000000Z"},
):
    milestone_id: Id
    due_at: Instant


class PlanMilestoneReached(
    Event,
    type="plan.milestone_reached",
    en="Milestone of the plan reached",
    zh="方案里程碑达成",
    example={"milestone_id": "trial"},
):
    milestone_id: Id


class PlanTaskAdded(
    Event,
    type="plan.task_added",
    en="Task added",
    zh="任务添加",
    example={
        "task_id": "train",
        "task": "train the assistant on last year's chats",
        "assignee_id": "staff-61",
        "due_at": "2026-05-08T10:00:00.000000Z",
    },
):
    task_id: Id
    task: Text | None = None
    assignee_id: Id | None = None
    due_at: Instant | None = None


class PlanTaskStarted(Event, type="plan.task_started", en="Task started", zh="任务开始", example={"task_id": "train"}):
    task_id: Id


class PlanTaskCompleted(
    Event, type="plan.task_completed", en="Task completed", zh="任务完成", example={"task_id": "train"}
):
    task_id: Id


class PlanProgressReviewed(
    Event,
    type="plan.progress_reviewed",
    en="Progress reviewed",
    zh="实施进度复盘",
    example={"cadence": "biweekly", "percent": 60, "spent": 6000000, "currency": "CNY"},
):
    cadence: ReviewCadence
    percent: Percent
    spent: Amount | None = None
    """All of the budget spent so far."""
    currency: Currency | None = None

    @model_validator(mode="after")
    def _money_has_a_currency(self) -> Self:
        with_currency("spent", self.spent, self.currency)
        return self


class PlanIssueRaised(
    Event,
    type="plan.issue_raised",
    en="Issue raised",
    zh="实施问题登记",
    example={"issue_id": "data", "issue": "last year's chats are stored without their outcome"},
):
    issue_id: Id
    issue: Text


class PlanAdjusted(
    Event,
    type="plan.adjusted",
    en="Plan adjusted",
    zh="方案调整",
    example={"adjustment": "train on the last quarter only"},
):
    adjustment: Text


class PlanLaunched(Event, type="plan.launched", en="Plan launched", zh="方案上线", example={}):
    pass


class PlanEvaluated(Event, type="plan.evaluated", en="Effect evaluated", zh="效果评估", example={"achieved_value": 27}):
    achieved_value: Integer


class PlanClosed(Event, type="plan.closed", en="Plan closed", zh="方案关闭", example={}):
    pass


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan, as far as decisions need it. ``currency`` is that of its budget, ``tasks`` says of each if it is done."""

    currency: str | None = None
    approved: bool = False
    launched: bool = False
    closed: bool = False
    measures: frozenset[str] = frozenset()
    risks: frozenset[str] = frozenset()
    issues: frozenset[str] = frozenset()
    milestones: frozenset[str] = frozenset()
    tasks: Mapping[str, bool] = field(default_factory=dict)


def evolve(state: Plan | None, told: Occurrence) -> Plan | None:
    """The plan after one more event."""
    match told.data:
        case PlanDrafted(budget=budget, currency=currency):
            return Plan(currency if budget is not None else None)
        case _ if state is None:
            return None
        case PlanMeasureAdded(measure_id=measure_id):
            return replace(state, measures=state.measures | {measure_id})
        case PlanRiskIdentified(risk_id=risk_id):
            return replace(state, risks=state.risks | {risk_id})
        case PlanIssueRaised(issue_id=issue_id):
            return replace(state, issues=state.issues | {issue_id})
        case PlanMilestoneSet(milestone_id=milestone_id):
            return replace(state, milestones=state.milestones | {milestone_id})
        case PlanTaskAdded(task_id=task_id):
            return replace(state, tasks={**state.tasks, task_id: False})
        case PlanTaskCompleted(task_id=task_id):
            return replace(state, tasks={**state.tasks, task_id: True})
        case PlanApproved():
            return replace(state, approved=True)
        case PlanLaunched():
            return replace(state, launched=True)
        case PlanClosed():
            return replace(state, closed=True)
    return state


def decide(state: Plan | None, told: Occurrence, world: Reading) -> None:
    """Refuse what cannot be said of this plan."""
    if state is None:
        return refuse_first(told)
    refuse_later(told)
    if state.closed:
        raise Refused("plan.closed", f"plan {told.subject} is closed: nothing more is told of it")
    match told.data:
        case PlanApproved() if state.approved:
            raise Refused("plan.approved_twice", f"plan {told.subject} was already approved")
        case PlanLaunched() if state.launched:
            raise Refused("plan.launched_twice", f"plan {told.subject} was already launched")
        case PlanMeasureAdded(measure_id=measure_id) if measure_id in state.measures:
            raise Refused("plan.measure_repeated", f"{told.subject} already has a measure {measure_id}")
        case PlanRiskIdentified(risk_id=risk_id) if risk_id in state.risks:
            raise Refused("plan.risk_repeated", f"{told.subject} already has a risk {risk_id}")
        case PlanIssueRaised(issue_id=issue_id) if issue_id in state.issues:
            raise Refused("plan.issue_repeated", f"{told.subject} already has an issue {issue_id}")
        case PlanMilestoneReached(milestone_id=milestone_id) if milestone_id not in state.milestones:
            raise Refused(
                "plan.milestone_unknown",
                f"{told.subject} has no milestone {milestone_id}: tell plan.milestone_set first",
            )
        case PlanTaskAdded(task_id=task_id) if task_id in state.tasks:
            raise Refused("plan.task_repeated", f"{told.subject} already has a task {task_id}")
        case PlanTaskStarted(task_id=task_id) | PlanTaskCompleted(task_id=task_id) if task_id not in state.tasks:
            raise Refused("plan.task_unknown", f"{told.subject} has no task {task_id}: tell plan.task_added first")
        case PlanTaskCompleted(task_id=task_id) if state.tasks[task_id]:
            raise Refused("plan.task_completed_twice", f"task {task_id} of {told.subject} was already completed")
        case PlanProgressReviewed(spent=int(), currency=currency) if state.currency not in (None, currency):
            raise Refused(
                "plan.other_currency",
                f"the budget of {told.subject} is in {state.currency}, what is spent of it cannot be in {currency}",
            )
    return None
