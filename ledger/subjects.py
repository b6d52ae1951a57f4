"""The kinds of subjects events are about, each with its rules."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ledger.aggregates import (
    access,
    baseline,
    benchmark,
    contact,
    customer,
    delivery,
    handoff,
    notice,
    notice_delivery,
    plan,
    report,
    requirement,
    review,
    rulebook,
    script,
    staff,
    survey,
    void,
)
from ledger.choices import Label
from ledger.occurrence import Occurrence, Reading


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One kind of subject and its rules. A state is immutable, and None before the subject is opened.

    ``evolve(state, told)`` gives the state after an event; ``decide(state, told, world)`` raises Refused;
    ``settle(state, subject)``, where there is one, is asked once at the end of a unit and raises Refused too.
    """

    name: str
    label: Label
    opening: str
    """The type of the event that opens a subject: the first of them where several do."""
    example: str
    """A subject's id, for examples."""
    module: ModuleType
    """Where its events and rules stand."""
    evolve: Callable[[Any, Occurrence], Any]
    decide: Callable[[Any, Occurrence, Reading], None]
    settle: Callable[[Any, str], None] | None = None


def _of(module: ModuleType, en: str, zh: str, opening: str, example: str) -> Aggregate:
    name = opening.split(".")[0]
    settle = getattr(module, "settle", None)
    return Aggregate(name, Label(en, zh), opening, example, module, module.evolve, module.decide, settle)


AGGREGATES: Mapping[str, Aggregate] = {
    aggregate.name: aggregate
    for aggregate in (
        _of(customer, "Customer", "客户", "customer.registered", "CU-1007"),
        _of(contact, "Contact", "客户沟通", "contact.received", "CT-2026-000481"),
        _of(handoff, "Handoff", "跨部门转办", "handoff.requested", "HO-2026-0077"),
        _of(requirement, "Requirement", "客户需求", "requirement.captured", "RQ-2026-0153"),
        _of(delivery, "Delivery", "需求交付", "delivery.planned", "DL-2026-0042"),
        _of(plan, "Plan", "服务优化方案", "plan.drafted", "PL-2026-007"),
        _of(notice, "Notice", "重要信息通知", "notice.issued", "NT-2026-003"),
        _of(notice_delivery, "Delivery of a notice", "通知送达", "notice_delivery.sent", "ND-2026-0311"),
        _of(script, "Script", "沟通话术", "script.published", "SC-018"),
        _of(review, "Review", "质量抽检", "review.sampled", "RV-2026-W14-web_chat-03"),
        _of(survey, "Survey", "满意度调研", "survey.sent", "SV-2026-0290"),
        _of(staff, "Member of staff", "员工", "staff.trained", "staff-31"),
        _of(baseline, "Baseline", "基线", "baseline.frozen", "first_response_in_time-2026-02"),
        _of(benchmark, "Industry benchmark", "行业对标", "benchmark.entered", "satisfaction-2026-03"),
        _of(report, "Report", "报告", "report.issued", "diagnosis-2026-02"),
        _of(rulebook, "Rule book", "规则", "rulebook.published", "customer_service"),
        _of(access, "Access by a key", "密钥访问", "access.personal_read", "b5db506f47c3"),
        _of(void, "Proposed void", "作废提议", "void.proposed", "4711"),
    )
}
"""Every kind of subject by its name."""
