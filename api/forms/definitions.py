"""The forms: sheets over tables, columns under the documents' own Chinese heads, and English ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ledger.choices import Label


@dataclass(frozen=True)
class Column:
    """A column of a sheet: the table's column that fills it, and its head. `width` is in characters.

    `statement` is filled from the log, for those who may see personal text.
    """

    name: str
    head: Label
    width: int = 14


@dataclass(frozen=True)
class Sheet:
    title: Label
    table: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Form:
    name: str
    label: Label
    sheets: tuple[Sheet, ...]


def _columns(*told: tuple[str, str, str] | tuple[str, str, str, int]) -> tuple[Column, ...]:
    return tuple(Column(name, Label(en, zh), *width) for name, zh, en, *width in told)


STATEMENT = "statement"

REQUIREMENT_SUMMARY = Form(
    "requirement_summary",
    Label("Requirement summary", "客户需求数据汇总表"),
    (
        Sheet(
            Label("Requirements", "客户需求"),
            "requirements",
            _columns(
                ("requirement_id", "需求编号", "Requirement", 18),
                ("captured_at", "提出时间", "Captured", 19),
                ("source_kind", "来源", "Source"),
                ("channel", "渠道", "Channel"),
                ("customer_id", "客户编号", "Customer", 18),
                ("contact_id", "沟通编号", "Contact", 18),
                ("expression", "显性/隐性", "Expression", 11),
                ("key", "关键需求", "Key", 10),
                ("found_late", "事后发现", "Found late", 11),
                (STATEMENT, "需求描述", "Statement", 60),
                ("status", "状态", "Status"),
                ("rejection", "无效原因", "Rejection"),
                ("merged_into", "合并至", "Merged into", 18),
            ),
        ),
    ),
)

REQUIREMENT_TRACKING = Form(
    "requirement_tracking",
    Label("Requirement tracking", "需求跟踪表"),
    (
        Sheet(
            Label("Tracking", "需求跟踪"),
            "requirements",
            _columns(
                ("requirement_id", "需求编号", "Requirement", 18),
                ("customer_id", "客户编号", "Customer", 18),
                ("status", "状态", "Status"),
                ("kano", "Kano 分类", "Kano", 11),
                ("archive_class", "归档分类", "Archive class", 22),
                ("rule_score", "评分合计", "Score (sum)", 11),
                ("assessed_roles", "评审角色数", "Roles", 11),
                ("rule_priority", "规则优先级", "Priority by rule", 15),
                ("priority", "人工优先级", "Priority by people", 17),
                ("priority_differs", "是否不一致", "Differs", 11),
                ("delivery_id", "交付编号", "Delivery", 18),
                ("due_at", "计划交付时间", "Due", 19),
                ("delivered_at", "实际交付时间", "Delivered", 19),
                ("delivery_status", "交付状态", "Delivery status"),
                ("archived_at", "归档时间", "Archived", 19),
                ("closed_at", "关闭时间", "Closed", 19),
            ),
        ),
    ),
)

OPTIMISATION_PLANS = Form(
    "optimisation_plans",
    Label("Service optimisation plans", "服务优化方案表"),
    (
        Sheet(
            Label("Plans", "优化方案"),
            "plans",
            _columns(
                ("plan_id", "方案编号", "Plan", 16),
                ("requirement_id", "需求编号", "Requirement", 18),
                ("objective", "优化目标", "Objective", 40),
                ("unit", "单位", "Unit", 10),
                ("baseline_value", "基线值", "Baseline", 10),
                ("goal_value", "目标值", "Goal", 10),
                ("achieved_value", "达成值", "Achieved", 10),
                ("goal_met", "是否达成", "Goal met", 10),
                ("owner_id", "负责人", "Owner"),
                ("department", "责任部门", "Department"),
                ("resources", "所需资源", "Resources", 30),
                ("budget", "预算（最小货币单位）", "Budget (minor units)", 20),
                ("currency", "币种", "Currency", 9),
                ("measures", "措施数", "Measures", 9),
                ("risks", "风险数", "Risks", 9),
                ("tasks", "任务数", "Tasks", 9),
                ("tasks_done", "已完成任务", "Tasks done", 11),
                ("status", "状态", "Status"),
                ("launched_at", "上线时间", "Launched", 19),
                ("evaluated_at", "评估时间", "Evaluated", 19),
            ),
        ),
        Sheet(
            Label("Milestones", "里程碑"),
            "milestones",
            _columns(
                ("aggregate", "对象类型", "Kind"),
                ("subject", "编号", "Subject", 18),
                ("milestone_id", "里程碑", "Milestone", 20),
                ("due_at", "计划时间", "Due", 19),
                ("reached_at", "达成时间", "Reached", 19),
            ),
        ),
    ),
)

PLAN_TRACKING = Form(
    "plan_tracking",
    Label("Implementation tracking", "优化实施跟踪表"),
    (
        Sheet(
            Label("Tasks", "任务"),
            "tasks",
            _columns(
                ("plan_id", "方案编号", "Plan", 16),
                ("task_id", "任务编号", "Task id", 16),
                ("task", "任务内容", "Task", 40),
                ("assignee_id", "负责人", "Assignee"),
                ("due_at", "计划完成时间", "Due", 19),
                ("added_at", "创建时间", "Added", 19),
                ("started_at", "开始时间", "Started", 19),
                ("completed_at", "完成时间", "Completed", 19),
                ("status", "状态", "Status"),
            ),
        ),
        Sheet(
            Label("Reviews", "进度评审"),
            "plan_reviews",
            _columns(
                ("plan_id", "方案编号", "Plan", 16),
                ("review", "评审次数", "Review", 10),
                ("reviewed_at", "评审时间", "Reviewed", 19),
                ("cadence", "评审周期", "Cadence"),
                ("percent", "进度（%）", "Progress (%)", 12),
                ("spent", "已用预算（最小货币单位）", "Spent (minor units)", 22),
                ("budget", "预算（最小货币单位）", "Budget (minor units)", 20),
                ("currency", "币种", "Currency", 9),
            ),
        ),
    ),
)

CONTACT_CADENCE = Form(
    "contact_cadence",
    Label("Contact cadence", "客户维护沟通周期表"),
    (
        Sheet(
            Label("Windows", "维护周期"),
            "cadence",
            _columns(
                ("customer_id", "客户编号", "Customer", 18),
                ("tier", "客户层级", "Tier"),
                ("cadence", "维护周期", "Cadence"),
                ("window_start", "周期开始", "From", 12),
                ("window_end", "周期结束", "To", 12),
                ("contacts", "沟通次数", "Contacts", 10),
                ("done", "是否完成", "Done", 10),
                ("ended", "周期已结束", "Ended", 12),
            ),
        ),
    ),
)

QUALITY_REVIEWS = Form(
    "quality_reviews",
    Label("Quality reviews", "质量抽检表"),
    (
        Sheet(
            Label("Reviews", "抽检"),
            "reviews",
            _columns(
                ("review_id", "抽检编号", "Review", 24),
                ("week", "抽检周（周一）", "Week (Monday)", 15),
                ("contact_id", "沟通编号", "Contact", 18),
                ("channel", "渠道", "Channel"),
                ("department", "部门", "Department"),
                ("sampled_at", "抽取时间", "Sampled", 19),
                ("scored_at", "评分时间", "Scored", 19),
                ("passed", "是否合格", "Passed", 10),
                ("script_fit", "话术适配", "Script fits", 12),
                ("content_fit", "内容适配", "Content fits", 12),
                ("rectified_at", "整改时间", "Rectified", 19),
            ),
        ),
    ),
)

FORMS: Mapping[str, Form] = {
    form.name: form
    for form in (
        REQUIREMENT_SUMMARY,
        REQUIREMENT_TRACKING,
        OPTIMISATION_PLANS,
        PLAN_TRACKING,
        CONTACT_CADENCE,
        QUALITY_REVIEWS,
    )
}
