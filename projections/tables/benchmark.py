"""The table of benchmarks: every industry rank that was entered, with where it can be looked up."""

from __future__ import annotations

import ibis.expr.types as ir

from projections.tables.definition import Inputs, Table, label
from projections.tables.fold import first, first_at, fold, kinds, sources

ENTERED = "benchmark.entered"
BENCHMARK = {
    "topic": first("topic", ENTERED),
    "rank": first("rank", ENTERED),
    "field_size": first("field_size", ENTERED),
    "ranked_on": first("ranked_on", ENTERED),
    "ranked_by": first("ranked_by", ENTERED),
    "evidence": first("evidence", ENTERED),
    "evidence_digest": first("evidence_digest", ENTERED),
    "entered_at": first_at(ENTERED),
}


def _benchmarks(inputs: Inputs) -> ir.Table:
    events = inputs.events("benchmark")
    return fold(events, {"benchmark_id": events.subject}, BENCHMARK)


BENCHMARKS = Table(
    name="benchmarks",
    label=label("Industry benchmarks", "行业对标"),
    aggregates=("benchmark",),
    key=("benchmark_id",),
    partition=("benchmark_id",),
    columns={"benchmark_id": "text", **kinds(BENCHMARK)},
    rows=_benchmarks,
    sources=sources(BENCHMARK),
    cells=BENCHMARK,
)
