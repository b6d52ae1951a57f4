"""The life of an optimisation plan: drafted with a goal that is a number, carried out in tasks, launched, evaluated."""

from __future__ import annotations

from dataclasses import dataclass

from api.simulator.notices import announce_change
from api.simulator.rhythm import DAY, HOUR, office_time, rfc3339
from api.simulator.teller import Data, Subject
from api.simulator.words import ADJUSTMENTS, ISSUES, sentence
from api.simulator.world import World


@dataclass(frozen=True)
class Draft:
    """What a plan sets out to do. `day` is counted from the programme's first; money is in fen."""

    day: int
    days: int
    objective: str
    unit: str
    baseline: int | None
    goal: int
    reaches: int
    department: str
    budget: int | None
    measures: tuple[str, ...]
    risks: tuple[tuple[str, str | None], ...]
    tasks: tuple[str, ...]


DRAFTS = (
    Draft(36, 84, "网页客服首次响应由2小时缩短到30分钟", "min", 120, 30, 27, "service", 10_000_000,
          ("智能助手回答常见问题", "高峰时段增加两名客服"), (("识别率低于80%", "转人工处理"), ("高峰期排队", None)),
          ("整理常见问题", "训练助手", "灰度试运行", "编写转人工规则", "全员培训")),
    Draft(44, 100, "差评率由15%降到5%", "percent", 15, 5, 7, "service", 6_000_000,
          ("每条差评24小时内回访", "每周复盘差评原因"), (("回访人手不足", "由销售支援"),),
          ("差评分类", "回访话术", "回访排班", "复盘会")),
    Draft(52, 96, "Answer across departments within eight hours instead of twenty", "h", 20, 8, 7, "product", 8_000_000,
          ("One queue for all departments", "A named contact in each department"),
          (("Two queues for a while", "The old queue stays readable"),),
          ("Describe the queue", "Move open cases", "Train the contacts", "Close the old queue")),
    Draft(75, 110, "Deliver nine of ten requirements by the promised day", "percent", 68, 90, 90, "engineering",
          25_000_000, ("Promise dates after estimation", "Review open deliveries every week"),
          (("Estimates take too long", "Estimate the high ones only"), ("A supplier is late", None)),
          ("Estimation guide", "Weekly review", "Dashboard of due dates", "Train the owners")),
    Draft(88, 90, "核心客户每月至少沟通一次", "percent", 55, 95, 96, "sales", 4_000_000,
          ("专属经理月度回访", "沟通周期到期提醒"), (("经理休假", "由同组经理代管"),),
          ("客户分层", "制定回访清单", "提醒上线")),
    Draft(110, 84, "Invoices can be corrected by the customer", "percent", None, 60, 64, "billing", 12_000_000,
          ("A form instead of a letter",), (("Tax rules differ by region", "Start with one region"),),
          ("Form", "Check with tax office", "Pilot in one region", "All regions")),
    Draft(130, 98, "重复来电率由18%降到9%", "percent", 18, 9, 12, "service", 5_000_000,
          ("一次解决授权", "来电前查看历史记录"), (("授权过大", "限额以上由主管批准"),),
          ("授权规则", "客户历史视图", "客服培训")),
    Draft(150, 84, "Complaints about deliveries halved", "count", 40, 20, 17, "logistics", 9_000_000,
          ("Tell of delays before they are noticed", "A second carrier in the south"),
          (("The second carrier costs more", "Only above ten parcels a day"),),
          ("Delay messages", "Contract with the carrier", "Compare both carriers")),
    Draft(176, 90, "话术适配率提升到95%", "percent", 86, 95, 96, "service", None,
          ("按抽检结果每月修订话术",), (("修订过于频繁", "每月一次"),),
          ("收集一线反馈", "修订前二十条话术", "试用两周")),
    Draft(205, 84, "Half of the surveys are answered within a day", "percent", 31, 50, 52, "product", 3_000_000,
          ("Two questions instead of twelve",), (("Less is learned", "Interviews every quarter"),),
          ("Cut the questions", "Send after the contact", "Read the answers weekly")),
)  # fmt: skip

Step = tuple[int, str, Data]


def draft_plans(world: World, day: int, at: int) -> None:
    """The plans that are drafted on that day of the programme, with all that becomes of them."""
    for draft in DRAFTS:
        if draft.day == day:
            _carry_out(world, draft, office_time(world.random, at))


def _carry_out(world: World, draft: Draft, at: int) -> None:
    random, teller = world.random, world.teller
    plan = world.subject("plan", "P")
    owner = f"owner-{random.randrange(1, 13):02d}"
    data: Data = {"objective": draft.objective, "unit": draft.unit, "goal_value": draft.goal, "owner_id": owner,
                  "department": draft.department, "resources": f"{len(draft.tasks)}人，兼职"}  # fmt: skip
    if draft.baseline is not None:
        data["baseline_value"] = draft.baseline
    if draft.budget is not None:
        data |= {"budget": draft.budget, "currency": "CNY"}
    # the requirement that gave the idea, where one is known well enough
    wanted = [one.subject for one in world.survivors if 0 < one.subject.opened < at]
    if wanted:
        data["requirement_id"] = random.choice(wanted).id
    teller.tell("drafted", plan, at, data, opens=True, actor=owner)
    steps = _prepared(world, draft, at)
    launched = at + int(draft.days * (0.55 + 0.1 * random.random())) * DAY
    end = at + draft.days * DAY
    steps += [*_tasks(world, draft, at, launched), *_reviews(world, draft, at, launched, end)]
    steps.append((office_time(random, launched), "launched", {}))
    steps.append((office_time(random, end - 5 * DAY), "evaluated", {"achieved_value": draft.reaches}))
    steps.append((office_time(random, end, 3), "closed", {}))
    _tell(world, plan, owner, steps)
    announce_change(world, f"方案上线：{draft.objective}", launched - 16 * DAY, launched, plan)


def _tell(world: World, plan: Subject, owner: str, steps: list[Step]) -> None:
    """All of it, in the order in which it happens; what is spent is now and then entered with a digit too many."""
    for at, kind, data in sorted(steps, key=lambda step: step[0]):
        corrected, told = None, data
        early = kind == "progress_reviewed" and data["percent"] < 40 and "spent" in data
        if early and world.teller.rare("wrong spending", 0.15):
            corrected, told = data, {**data, "spent": data["spent"] * 10}
        late = int(world.random.random() * 2 * DAY) if world.random.random() < 0.05 else 0
        world.teller.tell(kind, plan, at, told, actor=owner, late=late, corrected=corrected)


def _prepared(world: World, draft: Draft, at: int) -> list[Step]:
    """What is written down before the plan is approved."""
    steps: list[Step] = []
    for number, measure in enumerate(draft.measures, 1):
        steps.append((at + number * HOUR // 4, "measure_added", {"measure_id": f"M{number}", "measure": measure}))
    for number, (risk, fallback) in enumerate(draft.risks, 1):
        data = {"risk_id": f"R{number}", "risk": risk}
        if fallback is not None:
            data["fallback"] = fallback
        steps.append((at + HOUR + number * HOUR // 4, "risk_identified", data))
    steps.append((office_time(world.random, at, world.random.randrange(2, 6)), "approved", {}))
    return steps


def _tasks(world: World, draft: Draft, at: int, launched: int) -> list[Step]:
    """Tasks one after another, and the milestones that lie between; the last task of some plans is never done."""
    random = world.random
    steps: list[Step] = []
    share = (launched - at - 8 * DAY) // len(draft.tasks)
    for number, task in enumerate(draft.tasks, 1):
        begins = at + 7 * DAY + (number - 1) * share
        due = office_time(random, begins + share)
        data: Data = {"task_id": f"T{number}"}
        steps.append((at + 3 * HOUR + number, "task_added", {**data, "task": task, "due_at": rfc3339(due),
                      "assignee_id": f"staff-{random.randrange(1, 40)}"}))  # fmt: skip
        steps.append((office_time(random, begins), "task_started", data))
        if number < len(draft.tasks) or random.random() < 0.8:
            done = office_time(random, begins + int(share * (0.7 + 0.5 * random.random())))
            steps.append((done, "task_completed", data))
    for name, due, reached in (("trial", launched - 14 * DAY, 0.95), ("launch", launched, 1.0)):
        steps.append((at + 4 * HOUR, "milestone_set", {"milestone_id": name, "due_at": rfc3339(due)}))
        if random.random() < reached:
            moment = office_time(random, due + int((random.random() - 0.6) * 6 * DAY))
            steps.append((moment, "milestone_reached", {"milestone_id": name}))
    return steps


def _reviews(world: World, draft: Draft, at: int, launched: int, end: int) -> list[Step]:
    """Every two weeks until the launch, every four from then on: how far it is, what is spent, what is in the way."""
    random = world.random
    steps: list[Step] = []
    overspent = 1.12 if draft.goal > draft.reaches and draft.unit == "percent" else 0.85 + 0.14 * random.random()
    now, number = at, 0
    while True:
        biweekly = now + 14 * DAY < launched
        now = office_time(random, now + (14 if biweekly else 28) * DAY)
        if now >= end - 2 * DAY:
            return steps
        percent = min(100, (now - at) * 100 // (end - at))
        data: Data = {"cadence": "biweekly" if biweekly else "monthly", "percent": percent}
        if draft.budget is not None:
            data |= {"spent": int(draft.budget * overspent * min(1.0, 1.3 * percent / 100)), "currency": "CNY"}
        steps.append((now, "progress_reviewed", data))
        if random.random() < 0.4 or (number == 0 and draft is DRAFTS[0]):
            number += 1
            issue = {"issue_id": f"I{number}", "issue": sentence(random, ISSUES)}
            steps.append((now + HOUR // 2, "issue_raised", issue))
            if random.random() < 0.6 or number == 1:
                steps.append((now + HOUR, "adjusted", {"adjustment": sentence(random, ADJUSTMENTS)}))
