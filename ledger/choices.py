"""The closed lists of the vocabulary: every value an event may carry, with its label in English and Chinese.

A value is stored as its text. Values are only ever added: a stored event must stay readable.
"""

from enum import StrEnum
from typing import NamedTuple, Self


class Label(NamedTuple):
    """What a reader sees for a name, in English and in Chinese."""

    en: str
    zh: str

    def of(self, language: str) -> str:
        """The label in ``language`` ("en" or "zh"; anything else reads English)."""
        return self.zh if language == "zh" else self.en


class Choice(StrEnum):
    """A closed list. Members are written as value, English label, Chinese label."""

    label: Label

    def __new__(cls, value: str, en: str, zh: str) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = Label(en, zh)
        return member


class Channel(Choice):
    PHONE = "phone", "phone", "电话"
    MEETING = "meeting", "meeting", "面谈"
    WEB_CHAT = "web_chat", "web chat", "在线客服"
    COMMUNITY = "community", "community", "社群"
    EMAIL = "email", "email", "邮件"
    FORM = "form", "form", "表单"
    APP = "app", "app", "应用"
    SOCIAL = "social", "social media", "社交媒体"
    SMS = "sms", "text message", "短信"
    LETTER = "letter", "letter", "信函"
    FAX = "fax", "fax", "传真"
    REFERRAL = "referral", "referral", "转介绍"
    ANNOUNCEMENT = "announcement", "announcement", "公告"
    OTHER = "other", "other", "其他"


class Direction(Choice):
    INBOUND = "inbound", "inbound", "呼入"
    OUTBOUND = "outbound", "outbound", "呼出"


class ContactKind(Choice):
    INQUIRY = "inquiry", "inquiry", "咨询"
    PROBLEM = "problem", "problem", "问题"
    COMPLAINT = "complaint", "complaint", "投诉"
    SUGGESTION = "suggestion", "suggestion", "建议"
    FEEDBACK = "feedback", "feedback", "反馈"
    OTHER = "other", "other", "其他"


class Complexity(Choice):
    GENERAL = "general", "general", "一般"
    COMPLEX = "complex", "complex", "复杂"


class Purpose(Choice):
    SERVICE = "service", "service", "服务"
    MAINTENANCE = "maintenance", "relationship maintenance", "客户维护"
    VALUE_ADDED = "value_added", "value-added", "增值服务"
    SURVEY = "survey", "survey", "调研"
    NOTICE = "notice", "notice", "通知"
    WIN_BACK = "win_back", "win-back", "挽回"
    SALES = "sales", "sales", "销售"
    OTHER = "other", "other", "其他"


class PauseReason(Choice):
    AWAITING_CUSTOMER = "awaiting_customer", "waiting for the customer", "等待客户"
    AWAITING_THIRD_PARTY = "awaiting_third_party", "waiting for a third party", "等待第三方"
    OTHER = "other", "other", "其他"


class Problem(Choice):
    MISUNDERSTANDING = "misunderstanding", "misunderstanding", "误解"
    LATE_ANSWER = "late_answer", "late answer", "回复不及时"
    WRONG_INFORMATION = "wrong_information", "wrong information", "信息有误"
    NO_FOLLOW_UP = "no_follow_up", "no follow-up", "缺少跟进"
    ATTITUDE = "attitude", "attitude", "态度"
    OTHER = "other", "other", "其他"


class Aspect(Choice):
    ONLINE = "online", "online service", "线上服务"
    COMMUNICATION = "communication", "communication", "沟通"
    VALUE_ADDED = "value_added", "value-added service", "增值服务"
    OVERALL = "overall", "overall", "总体"


class Stage(Choice):
    PROSPECT = "prospect", "prospect", "潜在客户"
    CUSTOMER = "customer", "customer", "客户"


class Tier(Choice):
    HIGH = "high", "high value", "高价值"
    MID = "mid", "mid value", "中价值"
    BASE = "base", "base", "基础"


class NeedType(Choice):
    BASIC = "basic", "basic", "基础需求"
    VALUE_ADDED = "value_added", "value-added", "增值需求"
    CUSTOM = "custom", "custom", "定制需求"


class Indicator(Choice):
    CONTACT_DROP = "contact_drop", "fewer contacts", "沟通频次下降"
    SPEND_DROP = "spend_drop", "less spending", "消费下降"
    NEGATIVE_FEEDBACK = "negative_feedback", "negative feedback", "负面反馈增加"
    SILENCE = "silence", "no contact for long", "长期无沟通"


class Cause(Choice):
    SERVICE = "service", "service", "服务"
    CHANGED_NEED = "changed_need", "changed need", "需求变化"
    COMPETITOR = "competitor", "competitor", "竞争对手"
    PRICE = "price", "price", "价格"
    COMMUNICATION = "communication", "communication", "沟通"
    OTHER = "other", "other", "其他"


class SourceKind(Choice):
    SURVEY = "survey", "survey", "调研"
    FORM = "form", "form", "表单"
    TICKET = "ticket", "ticket", "工单"
    RATING = "rating", "rating", "评价"
    SOCIAL = "social", "social media", "社交媒体"
    COMPLAINT = "complaint", "complaint", "投诉"
    INTERVIEW = "interview", "interview", "访谈"
    USAGE = "usage", "usage data", "使用数据"
    CONTACT = "contact", "contact", "客户沟通"


class Expression(Choice):
    EXPLICIT = "explicit", "explicit", "显性"
    IMPLICIT = "implicit", "implicit", "隐性"


class Rejection(Choice):
    INVALID = "invalid", "invalid", "无效"
    OUT_OF_SCOPE = "out_of_scope", "out of scope", "超出范围"
    INFEASIBLE = "infeasible", "infeasible", "不可行"
    STRATEGY_CONFLICT = "strategy_conflict", "in conflict with strategy", "与战略冲突"
    REVERSE = "reverse", "reverse requirement", "反向型需求"
    OTHER = "other", "other", "其他"


class Kano(Choice):
    MUST_BE = "must_be", "must-be", "基础型"
    PERFORMANCE = "performance", "performance", "期望型"
    ATTRACTIVE = "attractive", "attractive", "兴奋型"
    REVERSE = "reverse", "reverse", "反向型"


class ArchiveClass(Choice):
    PRODUCT_IMPROVEMENT = "product_improvement", "product improvement", "产品改进"
    SERVICE_OPTIMISATION = "service_optimisation", "service optimisation", "服务优化"
    NEW_FEATURE = "new_feature", "new feature", "新增功能"


class Role(Choice):
    PRODUCT = "product", "product", "产品"
    SERVICE_OPERATIONS = "service_operations", "service operations", "服务运营"
    ENGINEERING = "engineering", "engineering", "技术"


class Priority(Choice):
    HIGH = "high", "high", "高"
    MID = "mid", "mid", "中"
    LOW = "low", "low", "低"


class Improvement(Choice):
    PRODUCT = "product", "product", "产品"
    SERVICE = "service", "service", "服务"


class ReviewCadence(Choice):
    BIWEEKLY = "biweekly", "every two weeks", "双周"
    MONTHLY = "monthly", "monthly", "每月"


class SurveyKind(Choice):
    SATISFACTION = "satisfaction", "satisfaction", "满意度"
    FEEDBACK = "feedback", "feedback", "反馈"
    NEEDS = "needs", "needs", "需求"
    OTHER = "other", "other", "其他"


class Statistic(Choice):
    RATIO = "ratio", "ratio", "比率"
    MEDIAN = "median", "median", "中位数"
    MEAN = "mean", "mean", "平均值"
    TOTAL = "total", "total", "合计"


class ReportKind(Choice):
    DIAGNOSIS = "diagnosis", "diagnosis of customer communication", "客户沟通现状诊断报告"
    PAIN_POINTS = "pain_points", "pain points of requirements management", "需求管理痛点报告"
    ANNUAL = "annual", "annual assessment", "年度效果评估报告"
