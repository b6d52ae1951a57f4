"""The tracking tables, in the order in which they depend on one another."""

from collections.abc import Mapping

from projections.tables.activity import ACTIVE_SPELLS
from projections.tables.anomalies import ANOMALIES
from projections.tables.benchmark import BENCHMARKS
from projections.tables.clocks import CLOCKS
from projections.tables.contact import CONTACT_CYCLES, CONTACT_GROUPS, CONTACTS, PAUSES
from projections.tables.customer import (
    ALERTS,
    CHURNS,
    CUSTOMER_GROUPS,
    CUSTOMER_MERGES,
    CUSTOMERS,
    PURCHASES,
    TIER_SPELLS,
)
from projections.tables.definition import Inputs, Reach, Table
from projections.tables.delivery import DELIVERIES, MILESTONES, TELLINGS
from projections.tables.handoff import HANDOFFS
from projections.tables.notice import NOTICE_CUSTOMERS, NOTICE_DELIVERIES, NOTICES
from projections.tables.plan import PLAN_REVIEWS, PLANS, TASKS
from projections.tables.quality import REVIEWS, SCRIPTS, STAFF, STAFF_ASSESSMENTS
from projections.tables.rating import RATINGS
from projections.tables.report import REPORTS
from projections.tables.requirement import (
    ASSESSMENTS,
    REQUIREMENT_GROUPS,
    REQUIREMENT_LINEAGE,
    REQUIREMENTS,
    VALUE_ASSESSMENTS,
)
from projections.tables.survey import SURVEYS

TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        CONTACTS,
        CONTACT_GROUPS,
        PAUSES,
        TIER_SPELLS,
        CONTACT_CYCLES,
        HANDOFFS,
        DELIVERIES,
        REQUIREMENTS,
        REQUIREMENT_GROUPS,
        REQUIREMENT_LINEAGE,
        ASSESSMENTS,
        VALUE_ASSESSMENTS,
        TELLINGS,
        MILESTONES,
        CUSTOMER_MERGES,
        CUSTOMER_GROUPS,
        CUSTOMERS,
        ACTIVE_SPELLS,
        ALERTS,
        CHURNS,
        PURCHASES,
        SURVEYS,
        RATINGS,
        PLANS,
        TASKS,
        PLAN_REVIEWS,
        NOTICES,
        NOTICE_DELIVERIES,
        NOTICE_CUSTOMERS,
        SCRIPTS,
        REVIEWS,
        STAFF,
        STAFF_ASSESSMENTS,
        BENCHMARKS,
        REPORTS,
        ANOMALIES,
    )
}

READABLE: Mapping[str, Table] = {**TABLES, CLOCKS.name: CLOCKS}
"""What can be read: the kept tables, and the clocks, which are a view over their columns."""

__all__ = ["CLOCKS", "READABLE", "TABLES", "Inputs", "Reach", "Table"]
