"""The three reports of the source documents, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from api.reports.sections import (
    ALERTS,
    ANSWERING,
    ARCHIVING,
    COLLECTING,
    COMPLAINTS,
    CUSTOMERS,
    DELIVERING,
    HANDING_OFF,
    IDENTIFYING,
    LOYALTY,
    NOTICES,
    PAUSING,
    PLANS,
    QUALITY,
    RESOLVING,
    SATISFACTION,
    TELLING,
    VALUING,
    VOLUMES,
)
from api.reports.shapes import Definition
from ledger.choices import Label, ReportKind

DIAGNOSIS = Definition(
    "diagnosis",
    Label("Diagnosis of customer communication", ReportKind.DIAGNOSIS.label.zh),
    Label(
        "How the company communicates with its customers today: what arrives, how it is answered, handed on and "
        "resolved, what customers say of it, and where it is worst. Its figures are what later ones are compared with.",
        "本报告说明企业与客户沟通的现状：收到了什么，怎样答复、转办和解决，客户如何评价，问题集中在哪里。"
        "报告中的数据是后续改进的比较基础。",
    ),
    (VOLUMES, ANSWERING, HANDING_OFF, RESOLVING, SATISFACTION, COMPLAINTS, QUALITY),
)
PAIN_POINTS = Definition(
    "pain_points",
    Label("Pain points of requirements management", ReportKind.PAIN_POINTS.label.zh),
    Label(
        "Where requirements are lost on their way from what a customer says to what is delivered, told, archived and "
        "made use of; step by step, with where each step is weakest.",
        "客户需求从提出到交付、告知、归档和复用，在哪些环节流失。本报告逐环节说明现状和最薄弱之处。",
    ),
    (COLLECTING, IDENTIFYING, DELIVERING, TELLING, ARCHIVING, VALUING, PAUSING),
)
ANNUAL = Definition(
    "annual",
    Label("Annual assessment", ReportKind.ANNUAL.label.zh),
    Label(
        "What the programme has come to: every metric of the rule book against its target and its baseline, by quarter "
        "and by the stages of the targets, and the plans with what they reached.",
        "优化工作的年度成效：规则中的全部指标与目标、基线逐一对照，按季度和目标阶段说明进展，并列出各优化方案的达成情况。",
    ),
    (
        ANSWERING, HANDING_OFF, RESOLVING, SATISFACTION, COMPLAINTS, QUALITY, COLLECTING, IDENTIFYING, DELIVERING,
        TELLING, ARCHIVING, VALUING, CUSTOMERS, NOTICES, ALERTS, LOYALTY, PLANS,
    ),
    whole=True,
)  # fmt: skip

DEFINITIONS: Final[Mapping[str, Definition]] = {each.kind: each for each in (DIAGNOSIS, PAIN_POINTS, ANNUAL)}
