"""Priority by rule: what the rule book makes of the roles' assessments of a requirement.

Each role's assessment has a score; a requirement has the sum of its roles' scores, compared with the levels times the
number of roles, so that nothing is divided. What people decided stands beside it in a column of its own.
"""

from __future__ import annotations

from collections.abc import Callable

import ibis
import ibis.expr.types as ir

from ledger.rulebook.expressions import Kind, parse
from ledger.rulebook.model import PriorityRule
from ledger.rulebook.rules import Rules
from projections.tables.definition import Inputs, beside
from projections.tables.expressions import bind, condition
from projections.tables.fold import how_many, kinds, last

ASSESSED = "requirement.assessed"
MARKS = {
    "urgency": last("urgency", ASSESSED),
    "importance": last("importance", ASSESSED),
    "benefit": last("benefit", ASSESSED),
    "effort": last("effort", ASSESSED),
    "against_strategy": last("against_strategy", ASSESSED),
}
"""What a role says of a requirement."""

MARK_KINDS: dict[str, Kind] = kinds(MARKS)
SCORED: dict[str, Kind] = {"score": "integer", "rule_priority": "text"}
"""What the rule adds to one role's assessment."""

RULED: dict[str, Kind] = {
    "assessed_roles": "integer",
    "rule_score": "integer",
    "rule_priority": "text",
    "roles_differ": "boolean",
    "priority_differs": "boolean",
}
"""What the rule adds to a requirement."""


def scored(assessments: ir.Table, rules: Rules) -> ir.Table:
    """Assessments, one row per requirement and role, with `SCORED` beside their marks; each by the rule in force when
    it was given (`assessed_at`)."""
    score = _by_rule(rules, assessments.assessed_at, lambda rule: _score(assessments, rule), ibis.null("int64"))
    level = _by_rule(
        rules, assessments.assessed_at, lambda rule: _level(score, ibis.literal(1, "int64"), rule), ibis.null("string")
    )
    low = assessments.against_strategy.fill_null(False)
    return assessments.mutate(
        score=score,
        rule_priority=ibis.cases(
            (score.isnull() | level.isnull(), ibis.null("string")), (low, ibis.literal("low")), else_=level
        ),
    )


def _score(assessments: ir.Table, rule: PriorityRule) -> ir.Value:
    return bind(parse(rule.score, MARK_KINDS), assessments)


def _by_rule(rules: Rules, at: ir.Value, value: Callable[[PriorityRule], ir.Value], nothing: ir.Value) -> ir.Value:
    """What the rule in force at a moment gives; `nothing` where that book has none."""
    found, last = nothing, None
    for spell, rule in rules.priorities():
        if rule != last:
            given = nothing if rule is None else value(rule)
            found = given if spell.from_us is None else ibis.ifelse(at >= spell.from_us, given, found)
            last = rule
    return found


def ruled(requirements: ir.Table, assessments: ir.Table, inputs: Inputs, known: dict[str, Kind]) -> ir.Table:
    """Requirements (of columns `known`, among them `kano` and `priority`) with `RULED` beside them.

    `assessments` are scored ones, of these requirements. The rule in force at the latest of them holds for all.
    """
    sums = assessments.group_by("requirement_id").agg(
        assessed_roles=assessments.score.count().cast("int64"),
        rule_score=assessments.score.sum().cast("int64"),
        ruled_at=assessments.assessed_at.max(),
        levels=assessments.rule_priority.nunique(),
        against=how_many(assessments.against_strategy),
    )
    rows = beside(inputs, "sums", requirements, sums, ["requirement_id"])
    rows = rows.mutate(
        assessed_roles=rows.assessed_roles.coalesce(0),
        against_strategy=rows.against.coalesce(0) > 0,
        roles_differ=rows.levels.coalesce(0) > 1,
    )
    priority = _by_rule(
        inputs.rules, rows.ruled_at, lambda rule: _rule_priority(rows, rule, known), ibis.null("string")
    )
    rows = rows.mutate(rule_priority=priority)
    return rows.mutate(priority_differs=(rows.priority != rows.rule_priority).fill_null(False))


def rule_kinds(known: dict[str, Kind]) -> dict[str, Kind]:
    """What `low_when` may speak of: the requirement's own columns, and whether any role sees a conflict."""
    return {**known, "against_strategy": "boolean"}


def _rule_priority(rows: ir.Table, rule: PriorityRule, known: dict[str, Kind]) -> ir.Value:
    low = ibis.literal(False)
    if rule.low_when is not None:
        low = condition(rule.low_when, rows, rule_kinds(known))
    level = _level(rows.rule_score, rows.assessed_roles, rule)
    return ibis.cases((low, ibis.literal("low")), (rows.assessed_roles == 0, ibis.null("string")), else_=level)


def _level(score: ir.Value, roles: ir.Value, rule: PriorityRule) -> ir.Value:
    """The first level whose mean score is reached."""
    return ibis.cases(
        *((score >= roles * level.at_least, ibis.literal(level.priority)) for level in rule.levels),
        else_=ibis.literal("low"),
    )
