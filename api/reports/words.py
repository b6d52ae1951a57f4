"""The words around the figures of a report, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final, Literal

from ledger.choices import Label
from projections.periods import Grain

Language = Literal["zh", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")
MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip

WORDS: Final[Mapping[str, Label]] = {
    "to": Label("to", "至"),
    "provisional": Label(
        "Provisional: the period ends on {last}; these are the figures of {asked}.",
        "临时报告：报告期至 {last} 才结束，数据截至 {asked}。",
    ),
    "summary": Label("Summary", "摘要"),
    "contents": Label("Contents", "目录"),
    "met": Label("goals met", "项达标"),
    "missed": Label("goals missed", "项未达标"),
    "unjudged": Label("not judged yet", "项暂无结论"),
    "without_goal": Label("without a goal", "项未设目标"),
    "score": Label(
        "{met} goals met, {missed} missed, {unjudged} not judged yet",
        "{met} 项达标，{missed} 项未达标，{unjudged} 项暂无结论",
    ),
    "best": Label("Farthest beyond their goals", "超出目标最多"),
    "worst": Label("Farthest from their goals", "距离目标最远"),
    "latest": Label(
        "In the last of the quarters or years told, {period}: {met} goals met, {missed} missed.",
        "最近一期（{period}）：{met} 项达标，{missed} 项未达标。",
    ),
    "none": Label("None.", "无。"),
    "weakest": Label("Where it is worst", "问题集中之处"),
    "weakest_text": Label(
        "The parts of breakdowns that lack most cases to their goals. What few cases pass through weighs little here, "
        "however low its share.",
        "按“距目标还差多少件”排列的薄弱环节。件数少的环节即使比率低，影响也小，排名靠后。",
    ),
    "part": Label("Where", "环节"),
    "short_by": Label("Short by", "差额（件）"),
    "metric": Label("Metric", "指标"),
    "value": Label("Value", "数值"),
    "parts": Label("Numerator / denominator", "分子 / 分母"),
    "open": Label("Open", "进行中"),
    "target": Label("Target", "目标"),
    "change": Label("Against baseline", "较基线"),
    "verdict": Label("Verdict", "结论"),
    "baseline_was": Label("was {value}", "基线 {value}"),
    "no_data": Label("Without data in the period: {names}.", "报告期内无数据：{names}。"),
    "by": Label("{metric}, by {dimension}", "{metric}（按{dimension}）"),
    "over_time": Label("{metric}, over time", "{metric}趋势"),
    "more_values": Label("and {count} more, which count less", "另有 {count} 项计数较少，未列出"),
    "counted_by": Label("counted by the denominator of “{metric}”", "以“{metric}”的分母计"),
    "tally_text": Label("rows of the table {table}", "取自数据表 {table}"),
    "which": Label("Which", "类别"),
    "count": Label("Count", "数量"),
    "of_all": Label("Of all", "占比"),
    "lasting": Label("Still lasting", "仍在暂停"),
    "mean": Label("Mean length", "平均时长"),
    "nothing_there": Label("There was nothing of it in the period.", "报告期内没有相关记录。"),
    "by_span": Label("By quarter", "分季度"),
    "by_year": Label("By year", "分年度"),
    "others": Label("Further metrics", "其他指标"),
    "others_text": Label("What else the rule book measures.", "规则中的其余指标。"),
    "stages": Label("Targets by stage", "分阶段目标"),
    "stages_text": Label(
        "Targets that grow with the programme, which began on {start}: each stage by the figures of its own months, as "
        "far as they lie in the period.",
        "随项目推进逐步提高的目标（项目始于 {start}）：每一阶段以其所在月份（限报告期内）的数据衡量。",
    ),
    "stage_from": Label("In force", "生效期"),
    "onwards": Label("{first} onwards", "{first} 起"),
    "outside": Label("outside the period", "不在报告期内"),
    "plan_list": Label("The plans and their goals", "优化方案达成情况"),
    "objective": Label("Objective", "优化目标"),
    "before": Label("Before", "基线值"),
    "goal": Label("Goal", "目标值"),
    "achieved": Label("Achieved", "达成值"),
    "department": Label("Department", "责任部门"),
    "spent": Label("Spent / budget", "已用 / 预算"),
    "plan_met": Label("met", "达标"),
    "plan_missed": Label("missed", "未达标"),
    "plan_running": Label("under way", "进行中"),
    "more_plans": Label("and {count} plans more, in the table plans", "另有 {count} 个方案，见数据表 plans"),
    "appendix": Label("Appendix: the figures in full", "附录：完整数据"),
    "appendix_text": Label(
        "Every figure behind the charts. Rows whose clock was still running are open: neither met nor missed.",
        "图表所依据的全部数据。时限尚未结束的记录计为进行中，既不算达标，也不算未达标。",
    ),
    "legend": Label("How to read the charts", "图例"),
    "legend_met": Label("met", "达标"),
    "legend_missed": Label("missed", "未达标"),
    "legend_plain": Label("not judged", "无结论"),
    "legend_target": Label("target", "目标"),
    "legend_baseline": Label("baseline", "基线"),
    "legend_n": Label("n: cases counted", "n：计入的件数"),
    "about": Label("About this report", "报告说明"),
    "absent": Label(
        "Not in the rule book in force, and therefore left out: {names}.", "现行规则中没有以下内容，故未列入：{names}。"
    ),
    "several": Label(
        "Several rule books were in force: figures add up what each of them says of its own days.",
        "报告期跨越多个规则版本：各项数据按每个版本的生效日期分别计算后合计。",
    ),
    "report_id": Label("Report", "报告编号"),
    "period": Label("Period", "报告期"),
    "asked": Label("Asked at", "取数时间"),
    "position": Label("Position of the log", "日志位置"),
    "rule_book": Label("Rule book", "规则版本"),
    "digest": Label("Digest of the rule book", "规则摘要"),
    "recipe": Label("Digest of the definitions", "定义摘要"),
    "issued_by": Label("Issued by", "签发人"),
    "key": Label("Under key", "签发密钥"),
    "figures": Label("Figures", "数据项"),
    "figures_text": Label(
        "{count}, each recorded with its stamp in the event report.issued, from which it can be computed again",
        "{count} 项，连同指标戳记入 report.issued 事件，可据此重新计算",
    ),
    "not_said": Label("not said", "未注明"),
    "simulated": Label("From a simulated ledger: what it tells is invented.", "数据来自模拟台账，内容均为虚构。"),
}


def say(word: str, language: Language, **values: object) -> str:
    """A word or sentence, with values filled in. Not escaped yet."""
    return WORDS[word].of(language).format(**values)


def day_in_words(day: date, language: Language) -> str:
    """2 January 2026, 2026年1月2日."""
    if language == "zh":
        return f"{day.year}年{day.month}月{day.day}日"
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def period_in_words(first: date, last: date, grain: Grain, language: Language, *, one_year: bool) -> str:
    """The short name of a period of a grain; the year is left out where all are of one."""
    match grain:
        case "month" if language == "zh":
            return f"{first.month}月" if one_year else f"{first.year % 100:02}年{first.month}月"
        case "month":
            name = MONTHS[first.month - 1][:3]
            return name if one_year else f"{name} {first.year % 100:02}"
        case "quarter":
            quarter = (first.month + 2) // 3
            return f"Q{quarter}" if one_year else f"{first.year} Q{quarter}"
        case "year":
            return str(first.year)
    return f"{first.month}-{first.day:02}"
