"""The table of reports: what was issued, for which period, under which digest."""

from __future__ import annotations

import ibis.expr.types as ir

from projections.tables.definition import Inputs, Table, label
from projections.tables.fold import first, first_at, fold, kinds, sources

ISSUED = "report.issued"
REPORT = {
    "report_kind": first("report_kind", ISSUED),
    "period_start": first("period_start", ISSUED),
    "period_end": first("period_end", ISSUED),
    "digest": first("digest", ISSUED),
    "issued_at": first_at(ISSUED),
}


def _reports(inputs: Inputs) -> ir.Table:
    events = inputs.events("report")
    return fold(events, {"report_id": events.subject}, REPORT)


REPORTS = Table(
    name="reports",
    label=label("Reports", "报告"),
    aggregates=("report",),
    key=("report_id",),
    partition=("report_id",),
    columns={"report_id": "text", **kinds(REPORT)},
    rows=_reports,
    sources=sources(REPORT),
    cells=REPORT,
)
