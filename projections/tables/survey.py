"""The table of surveys: what was sent, whether it was answered, and what followed a low score."""

from __future__ import annotations

import ibis.expr.types as ir

from ledger.rulebook.expressions import Kind
from projections.tables.definition import Inputs, Table, beside, label
from projections.tables.fold import distinct, first, first_at, fold, kinds, sources

ANSWERED = "survey.answered"
SURVEY = {
    "customer_id": first("customer_id", "survey.sent"),
    "survey_kind": first("survey_kind", "survey.sent"),
    "channel": first("channel", "survey.sent"),
    "sent_at": first_at("survey.sent"),
    "answered_at": first_at(ANSWERED),
    "answers": distinct("aspect", ANSWERED),
    "action_planned_at": first_at("survey.action_planned"),
}
COLUMNS: dict[str, Kind] = {"survey_id": "text", **kinds(SURVEY), "low": "boolean"}


def _surveys(inputs: Inputs) -> ir.Table:
    events = inputs.events("survey")
    rows = fold(events, {"survey_id": events.subject}, SURVEY)
    answers = events.filter(events.type == ANSWERED)
    # of several answers to one aspect the last one counts
    last = answers.group_by(survey_id=answers.subject, aspect=answers.aspect).agg(
        score=answers.score.argmax(answers.seq), scale=answers.scale.argmax(answers.seq)
    )
    low = last.filter(last.score * 10 < last.scale * 6).select("survey_id").distinct().mutate(low=True)
    rows = beside(inputs, "low", rows, low, ["survey_id"])
    return rows.mutate(low=rows.low.fill_null(False)).select(*COLUMNS)


SURVEYS = Table(
    name="surveys",
    label=label("Surveys", "满意度调查"),
    aggregates=("survey",),
    key=("survey_id",),
    partition=("survey_id",),
    columns=COLUMNS,
    rows=_surveys,
    sources=sources(SURVEY),
    cells=SURVEY,
    worked_out={"low": ("answers",)},
    indexes=("customer_id",),
)
