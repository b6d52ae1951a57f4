"""Merged groups: every subject that is merged away, with the one that survives it."""

from __future__ import annotations

from functools import partial

import ibis
import ibis.expr.types as ir

from projections.tables.definition import Inputs, Reach

LONGEST_CHAIN = 8


def group_rows(inputs: Inputs, table: str, key: str) -> ir.Table:
    """(key, survivor_id, joined_at) of every row of `table` that is merged into another, chains followed to their end.

    joined_at is when it came together with the survivor: the latest merge on the way. The chain is walked step by
    step, as Ibis has no recursion: it is at most eight long, by the ledger's own rule.
    """
    rows, edges = _first_step(inputs, table, key)
    for _ in range(LONGEST_CHAIN - 1):
        joined = rows.left_join(edges.view(), [("ancestor_id", "member")])
        rows = joined.select(
            key,
            ancestor_id=joined.into_id.coalesce(joined.ancestor_id),
            joined_at=ibis.greatest(joined.joined_at, joined.into_at.coalesce(joined.joined_at)),
        ).view()
    return rows.select(key, "joined_at", survivor_id="ancestor_id")


def lineage_rows(inputs: Inputs, table: str, key: str) -> ir.Table:
    """(key, ancestor_id, joined_at) for every step of every chain: with each ancestor since when."""
    rows, edges = _first_step(inputs, table, key)
    steps = [rows]
    for nth in range(1, LONGEST_CHAIN):
        joined = inputs.stage(f"step_{nth}", rows).inner_join(edges.view(), [("ancestor_id", "member")])
        rows = joined.select(
            key, ancestor_id="into_id", joined_at=ibis.greatest(joined.joined_at, joined.into_at)
        ).view()
        steps.append(rows)
    return ibis.union(*steps)


def _first_step(inputs: Inputs, table: str, key: str) -> tuple[ir.Table, ir.Table]:
    merged = inputs.table(table)
    edges = merged.filter(merged.merged_into.notnull()).select(member=key, into_id="merged_into", into_at="merged_at")
    start = inputs.scoped(table)
    rows = start.filter(start.merged_into.notnull())
    return rows.select(key, ancestor_id="merged_into", joined_at="merged_at"), edges


def group_reach(table: str, groups: str, key: str) -> Reach:
    """A changed merge reaches its subject, all that shared its survivor, and all whose survivor it was."""
    return Reach(table, (key, "merged_into", "merged_at"), partial(_whole_groups, groups=groups, key=key))


def _whole_groups(changed: ir.Table, inputs: Inputs, *, groups: str, key: str) -> ir.Table:
    stood = inputs.table(groups)
    # what neither was merged before nor is now belongs to no group
    changed = changed.filter(changed.merged_into.notnull()).select(key)
    survivors = stood.semi_join(changed, key).select(survivor_id="survivor_id")
    sharing = stood.semi_join(survivors, "survivor_id").select(key)
    survived = stood.semi_join(changed, stood.survivor_id == changed[key]).select(key)
    return changed.union(sharing, survived)
