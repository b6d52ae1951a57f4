"""What is drawn of plans, notices, scripts, reviews, surveys, staff, baselines, benchmarks and reports."""

from datetime import UTC, datetime, timedelta

from tests.reference.words import CHANNELS, Data, Fields, Words, score

KPIS = ["first_response_in_time", "complaint_rate", "core_frequency", "repurchase", "lifetime_value"]
DIGEST = "sha256:" + "8c0d8e64a1f1f5d3" * 4


def _day(w: Words, days: int = 0) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=w.occurred_at)
    return (moment + timedelta(days=days)).date().isoformat()


def _week(w: Words) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=w.occurred_at, days=w.one(-7, 0, 0))
    year, week, _ = moment.isocalendar()
    return f"{year}-W{week:02}"


def _drafted(w: Words) -> Data:
    data = {"objective": "answer faster", "unit": "min", "goal_value": w.one(0, 30, 90)}
    optional = w.some(
        requirement_id=w.requirement,
        baseline_value=lambda: w.one(30, 120),
        owner_id=lambda: w.id("m"),
        department=lambda: w.one("desk", "shop"),
        resources=lambda: "two agents",
    )
    budget: Data = w.one({}, w.money("budget", 0, 1_000), w.money("budget", 700))
    return data | optional | budget


def _frozen(w: Words) -> Data:
    numerator, denominator = w.one(0, 12, 40), w.one(40, 50)
    return {
        "kpi": w.one(*KPIS),
        "period_start": _day(w, -30),
        "period_end": _day(w, w.one(-30, 0)),
        "statistic": "ratio",
        "numerator": numerator,
        "denominator": denominator,
        "value": numerator * 10_000 // denominator,
        "unit": "bp",
        "sample": denominator,
    } | w.some(dimensions=lambda: w.one({"channel": "email"}, {"currency": "CNY"}))


def _entered(w: Words) -> Data:
    said = {"topic": w.one("satisfaction", "speed"), "rank": w.one(1, 7, 40), "ranked_on": _day(w, w.one(-90, 0, 1))}
    return (
        said
        | {"ranked_by": "the association", "evidence": "its yearbook"}
        | w.some(field_size=lambda: w.one(40, 120), evidence_digest=lambda: DIGEST)
    )


def _issued(w: Words) -> Data:
    figure = {"metric": w.one(*KPIS), "numerator": 3, "denominator": 4, "value": 7_500}
    return {
        "report_kind": w.one("diagnosis", "pain_points", "annual"),
        "period_start": _day(w, -30),
        "period_end": _day(w),
        "figures": w.one([], [figure]),
        "digest": DIGEST,
    }


PROGRAMME_FIELDS: dict[str, Fields] = {
    "plan.drafted": _drafted,
    "plan.measure_added": lambda w: {"measure_id": w.one("m1", "m2", "m3"), "measure": "an assistant answers"},
    "plan.risk_identified": lambda w: {"risk_id": w.id("k"), "risk": "it errs"} | w.some(fallback=lambda: "people"),
    "plan.milestone_set": lambda w: {"milestone_id": w.id("x"), "due_at": w.due()},
    "plan.milestone_reached": lambda w: {"milestone_id": w.told("milestone_id", "x1")},
    "plan.task_added": lambda w: (
        {"task_id": w.one("t1", "t2", "t3")}
        | w.some(task=lambda: "train it", assignee_id=lambda: w.id("m"), due_at=w.due)
    ),
    "plan.task_started": lambda w: {"task_id": w.told("task_id", "t1")},
    "plan.task_completed": lambda w: {"task_id": w.told("task_id", "t1")},
    "plan.progress_reviewed": lambda w: (
        {"cadence": w.one("biweekly", "monthly"), "percent": w.one(0, 50, 100)}
        | w.one({}, w.money("spent", 0, 600), w.money("spent", 300))
    ),
    "plan.issue_raised": lambda w: {"issue_id": w.id("i"), "issue": "no data"},
    "plan.adjusted": lambda w: {"adjustment": "the last quarter only"},
    "plan.evaluated": lambda w: {"achieved_value": w.one(-1, 0, 29, 30, 31, 90)},
    "notice.issued": lambda w: (
        {"topic": "new terms"}
        | w.some(important=w.flag, effective_at=w.due)
        | w.one({}, {"plan_id": w.draw.named("plan")})
    ),
    "notice_delivery.sent": lambda w: {
        "notice_id": w.draw.opened("notice"),
        "customer_id": w.customer(),
        "channel": w.one("sms", "app", "announcement"),
    },
    "script.published": lambda w: {"title": "late parcel", "wording": "We are sorry."},
    "script.revised": lambda w: {"wording": "We are looking where it is."},
    "review.sampled": lambda w: (
        {"contact_id": w.contact(), "week": _week(w)} | w.some(channel=lambda: w.one(*CHANNELS), seed=lambda: 20260406)
    ),
    "review.scored": lambda w: {"passed": w.flag()} | w.some(script_fit=w.flag, content_fit=w.flag),
    "survey.sent": lambda w: (
        {"customer_id": w.customer(), "survey_kind": w.one("satisfaction", "needs")}
        | w.some(channel=lambda: w.one(*CHANNELS))
    ),
    "survey.answered": lambda w: (
        {"aspect": w.one("communication", "value_added", "overall")} | score(w) | w.some(comment=lambda: "too slow")
    ),
    "survey.action_planned": lambda w: w.some(action=lambda: "call back"),
    "staff.trained": lambda w: {"course": w.one("standards", "scripts")},
    "staff.assessed": lambda w: {"passed": w.flag()} | w.some(course=lambda: "standards"),
    "baseline.frozen": _frozen,
    "benchmark.entered": _entered,
    "report.issued": _issued,
}

PROGRAMME: dict[str, dict[str, int]] = {
    "plan": {
        "plan.measure_added": 2,
        "plan.risk_identified": 2,
        "plan.approved": 2,
        "plan.milestone_set": 2,
        "plan.milestone_reached": 2,
        "plan.task_added": 3,
        "plan.task_started": 3,
        "plan.task_completed": 3,
        "plan.progress_reviewed": 6,
        "plan.issue_raised": 1,
        "plan.adjusted": 1,
        "plan.launched": 2,
        "plan.evaluated": 4,
        "plan.closed": 1,
    },
    "notice": {"notice.withdrawn": 1},
    "notice_delivery": {
        "notice_delivery.delivered": 3,
        "notice_delivery.confirmed": 3,
        "notice_delivery.responded": 2,
    },
    "script": {"script.revised": 4, "script.retired": 1},
    "review": {"review.scored": 4, "review.rectified": 3},
    "survey": {"survey.answered": 5, "survey.action_planned": 2},
    "staff": {"staff.trained": 2, "staff.assessed": 5},
    "baseline": {"baseline.frozen": 1},
    "benchmark": {"benchmark.entered": 1},
    "report": {"report.issued": 1},
}
