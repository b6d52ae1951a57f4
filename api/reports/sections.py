"""The sections of reports, as data: what each tells, and in which charts."""

from __future__ import annotations

from typing import Final

from api.reports.shapes import Section, Tally, Volume
from ledger.choices import Label


def _requirements(label: Label, at: str, by: str) -> Tally:
    return Tally(label, "requirements", at, by, merged=True)


CONTACTS: Final = Volume(
    Label("Contacts", "客户沟通量"),
    ("complaint_rate", "problem_rate", "collection_coverage"),
    ("channel", "department"),
)
HANDOFFS: Final = Volume(
    Label("Handoffs", "跨部门转办量"), ("transfer_in_time", "handoff_answer_in_time"), ("to_department",)
)
PROBLEMS: Final = Volume(Label("Problems due", "到期客户问题量"), ("resolution_in_time", "resolution"), ("department",))

ANSWERING = Section(
    "answering",
    Label("Answering", "渠道响应"),
    Label(
        "How soon customers get a first answer from a person, on each channel, and how calls are picked up.",
        "客户在各渠道多久得到第一次人工答复，电话是否及时接听。",
    ),
    ("first_response_in_time", "first_response_median", "pickup_in_time", "abandonment"),
    bars=(
        ("first_response_in_time", "channel"),
        ("first_response_in_time", "department"),
        ("first_response_median", "channel"),
        ("pickup_in_time", "department"),
    ),
    trends=("first_response_in_time", "first_response_median", "pickup_in_time", "abandonment"),
)
HANDING_OFF = Section(
    "handoffs",
    Label("Across departments", "跨部门协同"),
    Label(
        "What the front desk cannot settle: how soon it is passed on, and how soon the customer is answered.",
        "前台无法直接处理的事项：多久转出，客户多久得到答复。",
    ),
    ("transfer_in_time", "handoff_answer_in_time", "handoff_response_median"),
    bars=(
        ("transfer_in_time", "from_department"),
        ("handoff_answer_in_time", "to_department"),
        ("handoff_response_median", "to_department"),
    ),
    trends=("transfer_in_time", "handoff_answer_in_time", "handoff_response_median"),
)
RESOLVING = Section(
    "resolution",
    Label("Problems and feedback resolved", "问题解决与反馈处理"),
    Label(
        "Whether problems are solved, in time, and whether those who gave feedback hear the outcome.",
        "问题是否解决、是否及时解决，提出反馈的客户是否得知处理结果。",
    ),
    (
        "resolution", "resolution_in_time", "feedback_answer_in_time", "feedback_solution_in_time",
        "feedback_told_in_time", "closed_loop",
    ),
    bars=(
        ("resolution", "channel"),
        ("resolution", "department"),
        ("resolution_in_time", "department"),
        ("closed_loop", "channel"),
    ),
    trends=("resolution", "resolution_in_time", "feedback_told_in_time", "closed_loop"),
)  # fmt: skip
SATISFACTION = Section(
    "satisfaction",
    Label("Satisfaction", "客户满意度"),
    Label(
        "What customers say of it: ratings of contacts and answers to surveys, of those who answered.",
        "客户的评价：沟通评分与满意度调研，以有效答复计。",
    ),
    (
        "online_satisfaction", "communication_satisfaction", "value_added_satisfaction", "customer_satisfaction",
        "feedback_collection",
    ),
    bars=(("online_satisfaction", "channel"), ("communication_satisfaction", "channel")),
    trends=("online_satisfaction", "communication_satisfaction", "customer_satisfaction", "value_added_satisfaction"),
)  # fmt: skip
COMPLAINTS = Section(
    "complaints",
    Label("Complaints and communication problems", "投诉与沟通问题"),
    Label(
        "How often customers complain, are misunderstood, or are told wrong, late or not at all.",
        "客户投诉、被误解，以及沟通出错、延误或遗漏的比例。",
    ),
    ("complaint_rate", "misunderstanding_rate", "problem_rate"),
    bars=(
        ("complaint_rate", "channel"),
        ("complaint_rate", "department"),
        ("problem_rate", "channel"),
        ("problem_rate", "department"),
    ),
    trends=("complaint_rate", "problem_rate", "misunderstanding_rate"),
)
QUALITY = Section(
    "quality",
    Label("Standards and quality", "沟通规范与质量"),
    Label(
        "Whether records are complete, sampled contacts pass review, scripts fit, and staff know the standards.",
        "线下记录是否完整，抽检是否合格，话术与内容是否适配，员工是否掌握规范。",
    ),
    ("record_completeness", "review_pass", "rectification", "script_fit", "content_fit", "standards_known"),
    bars=(("record_completeness", "department"), ("review_pass", "channel"), ("review_pass", "department")),
    trends=("record_completeness", "review_pass", "script_fit", "content_fit"),
)
COLLECTING = Section(
    "collection",
    Label("Collecting requirements", "需求收集"),
    Label(
        "Whether every contact is screened for requirements, and which key requirements were found too late.",
        "每次沟通是否都筛查需求，哪些关键需求事后才被发现。",
    ),
    ("collection_coverage", "key_omission", "feedback_collection"),
    bars=(
        ("collection_coverage", "channel"),
        ("collection_coverage", "department"),
        ("key_omission", "source_kind"),
        ("key_omission", "channel"),
    ),
    trends=("collection_coverage", "key_omission"),
)
IDENTIFYING = Section(
    "identification",
    Label("Identifying and classifying", "需求识别与分类"),
    Label(
        "Whether what customers need is understood right, where it comes from, and what kind of requirement it is.",
        "客户需求是否识别准确，来自哪里，属于哪一类。",
    ),
    ("identification_accuracy", "misunderstanding_rate"),
    bars=(("identification_accuracy", "source_kind"), ("identification_accuracy", "channel")),
    trends=("identification_accuracy", "misunderstanding_rate"),
    tallies=(
        Tally(
            Label("Captured, by source", "新增需求（按来源）"),
            "requirements",
            "captured_at",
            "source_kind",
            merged=True,
        ),
        Tally(
            Label("Captured, by Kano class", "新增需求（按 Kano 分类）"),
            "requirements",
            "captured_at",
            "kano",
            merged=True,
        ),
        Tally(
            Label("Rejected, by reason", "无效需求（按原因）"), "requirements", "rejected_at", "rejection", merged=True
        ),
    ),
)
DELIVERING = Section(
    "delivery",
    Label("Delivery", "需求落地"),
    Label(
        "Whether requirements are delivered by the date first committed, by the latest date, and by whom.",
        "需求是否按首次承诺期限交付、按最新期限交付，由谁负责。",
    ),
    ("delivery_on_time", "delivery_on_time_latest", "delivery_on_time_delivered"),
    bars=(("delivery_on_time", "owner_id"), ("delivery_on_time_latest", "owner_id")),
    trends=("delivery_on_time", "delivery_on_time_latest"),
)
TELLING = Section(
    "telling",
    Label("Telling the customer", "需求反馈"),
    Label(
        "Whether every customer behind a requirement hears of its delivery in three working days.",
        "需求交付后三个工作日内，是否告知了每一位相关客户。",
    ),
    ("told_in_time",),
    trends=("told_in_time",),
)
ARCHIVING = Section(
    "archive",
    Label("Archive", "分类归档"),
    Label(
        "Whether requirements are archived completely, so that they can be found and used again.",
        "需求是否完整归档，以便检索和复用。",
    ),
    ("archive_completeness",),
    bars=(("archive_completeness", "archive_class"),),
    trends=("archive_completeness",),
)
VALUING = Section(
    "value",
    Label("Value and conversion", "价值评估与转化"),
    Label(
        "How many of the requirements assessed for their value became improvements of product or service.",
        "经过价值评估的需求，有多少转化为产品或服务改进。",
    ),
    ("conversion",),
    trends=("conversion",),
)
PAUSING = Section(
    "pauses",
    Label("Pauses", "处理暂停"),
    Label(
        "What work on problems waits for: while a contact is paused, its clock of resolution stands still.",
        "问题处理在等待什么：沟通暂停期间，解决时限停止计时。",
    ),
    (),
    tallies=(
        Tally(Label("Pauses, by reason", "暂停（按原因）"), "pauses", "paused_at", "pause_reason", until="resumed_at"),
    ),
)
CUSTOMERS = Section(
    "customers",
    Label("Tiers and cadence", "客户分层与维护"),
    Label(
        "Whether customers are contacted as their tier asks, and how often the core customers are.",
        "客户是否按层级要求得到沟通，核心客户的沟通频次。",
    ),
    ("tier_coverage", "cadence_executed", "core_frequency"),
    bars=(("tier_coverage", "tier"), ("cadence_executed", "tier")),
    trends=("cadence_executed", "tier_coverage"),
)
ALERTS = Section(
    "alerts",
    Label("Churn alerts and win-back", "流失预警与挽回"),
    Label(
        "Whether churn was foreseen, alerts were answered, causes located right, and customers won back.",
        "流失是否被预见，预警是否及时响应，原因定位是否准确，客户是否挽回。",
    ),
    ("risk_identification", "alert_answer_in_time", "cause_accuracy", "win_back"),
    bars=(("alert_answer_in_time", "indicator"), ("win_back", "cause"), ("risk_identification", "cause")),
    trends=("alert_answer_in_time", "win_back"),
)
NOTICES = Section(
    "notices",
    Label("Notices", "通知触达"),
    Label(
        "Whether notices reach customers, important ones on two channels, and changes are told beforehand.",
        "通知是否触达客户，重要通知是否经双渠道确认，变更是否提前告知。",
    ),
    ("reach", "dual_confirmation", "change_told_before", "willingness"),
    bars=(("reach", "channel"), ("willingness", "channel")),
    trends=("reach", "dual_confirmation"),
)
LOYALTY = Section(
    "loyalty",
    Label("Loyalty and value", "客户忠诚与价值"),
    Label(
        "What it comes to in the end: customers who stay, buy again, and spend.",
        "最终成效：客户留存、复购与消费。",
    ),
    ("repurchase", "communication_churn", "core_kept", "lifetime_value"),
    bars=(("repurchase", "tier"), ("communication_churn", "tier_at_start")),
)
PLANS = Section(
    "plans",
    Label("Optimisation plans", "服务优化方案"),
    Label(
        "Whether plans reached the number they were to reach, and what was spent of their budgets.",
        "优化方案是否达到量化目标，预算执行情况。",
    ),
    ("plan_goals_met", "budget_used"),
    bars=(("plan_goals_met", "department"),),
)
VOLUMES = Section(
    "volumes",
    Label("Volumes", "沟通总量"),
    Label(
        "What all later figures are parts of: how much was said, handed off and asked for in the period.",
        "后文各项指标的基数：期间内的沟通、转办和问题数量。",
    ),
    (),
    volumes=(CONTACTS, HANDOFFS, PROBLEMS),
)
