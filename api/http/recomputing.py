"""Figures computed again from their stamps, out of the log, and restated beside what they are today."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final, Self

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.figures import UNITS, figure_told, number_told
from api.http.context import program_of
from api.http.figure_rows import row_told, states_told
from api.http.jobs import LATER, Later, worked
from api.http.past import asking_the_past
from api.http.problems import FieldError, invalid, not_found
from api.jobs import Progress
from api.reports.issuing import find
from ledger.log.application import Ledger
from ledger.log.documents import NoDocument
from projections.kpis import Figure
from projections.stamps import BadStamp, Stamp, read_stamp
from replays.recomputing import NotReproducible, Recomputed, recompute
from replays.restating import Restated, restate

router = APIRouter()

MOST_ROWS: Final = 1_000
MOST_WITH_ROWS: Final = 20


class Wanted(BaseModel):
    """Stamps as figures carry them: as texts, or as the objects that these texts are; after them, those of a report's
    figures."""

    model_config = ConfigDict(extra="forbid")

    stamps: Annotated[list[Annotated[str, Field(max_length=4_000)] | dict[str, Any]], Field(max_length=1_000)] = []
    report: Annotated[str | None, Field(max_length=200, description="The id of a report.")] = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.stamps and self.report is None:
            raise ValueError("name stamps, or a report")
        return self


class Recomputation(Wanted):
    """With `rows`, each figure brings the rows behind it as they were: the first thousand, of 20 figures at most."""

    rows: bool = False

    @model_validator(mode="after")
    def _not_too_many(self) -> Self:
        if self.rows and (self.report is not None or len(self.stamps) > MOST_WITH_ROWS):
            raise ValueError(f"rows are told of at most {MOST_WITH_ROWS} figures at a time")
        return self


class Restatement(Wanted):
    """With `history_is_late`, what a source that had told nothing until then brought along counts as told late."""

    history_is_late: bool = False


@router.post("/v1/recompute", summary="Compute figures again from their stamps", responses=LATER)
def again(request: Request, response: Response, wanted: Recomputation, later: Later = False) -> Any:
    """Out of the log up to the stamp's position, by the very definitions that the figure was computed by: whatever was
    told, voided, ruled or programmed since, it is the same figure."""
    ledger = program_of(request).ledger
    stamps = _stamps(ledger, wanted)

    def work(progress: Progress) -> dict[str, Any]:
        with _reproducing():
            found = recompute(ledger, stamps, MOST_ROWS + 1 if wanted.rows else 0, progress)
        return {"figures": [figure_told(each.figure, each.stamp.text()) | _rows(each) for each in found]}

    return worked(request, response, "recompute", work, wanted, later=later)


def _rows(recomputed: Recomputed) -> dict[str, Any]:
    """The rows behind a figure as they were: counted ones first, then open ones, then those left out."""
    behind, metric = recomputed.behind, recomputed.figure.metric
    if behind is None:
        return {}
    return {
        "states": states_told(metric, behind.states),
        "rows": [row_told(metric, row, recomputed.stamp.position) for row in behind.rows[:MOST_ROWS]],
        "more": len(behind.rows) > MOST_ROWS,
    }


@router.post(
    "/v1/restatements",
    summary="Figures as reported beside the same figures today, and why they differ",
    responses=LATER,
)
def restated(request: Request, response: Response, wanted: Restatement, later: Later = False) -> Any:
    """Step by step: `reported`; then with what was `told late`, `imported`, `voided`, what has `happened since`; then
    under today's rules (`rules changed`). A step's change is what it differs by from the one before."""
    ledger = program_of(request).ledger
    stamps = _stamps(ledger, wanted)

    def work(progress: Progress) -> dict[str, Any]:
        with _reproducing():
            found = restate(ledger, stamps, history_is_late=wanted.history_is_late, progress=progress)
        return {"figures": [_restated(each) for each in found]}

    return worked(request, response, "restate", work, wanted, later=later)


def _restated(restated: Restated) -> dict[str, Any]:
    metric = next(step.figure.metric for step in restated.steps if step.figure is not None)
    return {
        "metric": metric.name,
        "label": metric.label.model_dump(),
        "type": metric.type,
        "unit": UNITS[metric.unit] if metric.type == "ratio" else "microseconds",
        "period": {"first": restated.stamp.first.isoformat(), "last": restated.stamp.last.isoformat()},
        "dimensions": dict(restated.stamp.dimensions),
        "stamp": restated.stamp.text(),
        "steps": [{"cause": step.cause, "figure": _step(step.figure)} for step in restated.steps],
    }


def _step(figure: Figure | None) -> dict[str, Any] | None:
    if figure is None:
        return None
    return {
        "numerator": figure.numerator,
        "denominator": figure.denominator,
        "open": figure.open,
        "value": number_told(figure.value),
    }


@contextmanager
def _reproducing() -> Iterator[None]:
    """One of the few questions about the past at a time; what cannot be reproduced, as a `Problem`."""
    try:
        with asking_the_past():
            yield
    except (NotReproducible, NoDocument) as error:
        raise invalid(str(error), [FieldError("stamps", str(error))]) from None


def _stamps(ledger: Ledger, wanted: Wanted) -> list[Stamp]:
    """All stamps wanted. Raises a `Problem` (404, 422)."""
    told: list[str | dict[str, Any]] = list(wanted.stamps)
    if wanted.report is not None:
        report = find(ledger, wanted.report)
        if report is None:
            raise not_found("There is no such report; GET /v1/reports lists them")
        told += [figure.stamp for figure in report.told.figures if figure.stamp is not None]
    return [_stamp(text, nth) for nth, text in enumerate(told)]


def _stamp(told: str | dict[str, Any], nth: int) -> Stamp:
    try:
        return read_stamp(told if isinstance(told, str) else orjson.dumps(told).decode())
    except (BadStamp, orjson.JSONEncodeError) as error:
        raise invalid(str(error), [FieldError(f"stamps.{nth}", str(error))]) from None
