"""What if: figures and rows under two rule books side by side, over any time, without touching anything."""

from __future__ import annotations

from datetime import UTC, date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.forms.comparison import comparison_workbook
from api.http.context import program_of
from api.http.disclosure import note_export
from api.http.formats import CSV, csv_text
from api.http.forms import XLSX
from api.http.jobs import LATER, Later, worked
from api.http.past import asking_the_past
from api.http.problems import FieldError, invalid, not_found
from api.http.rulebooks import BookText, checked, planning
from api.jobs import Progress
from ledger.aggregates.rulebook import RulebookPublished
from ledger.log.application import Ledger
from ledger.rulebook.calendars import local_day
from ledger.rulebook.editing import BadSetting, edited
from ledger.rulebook.model import instant_us
from ledger.rulebook.rules import in_force, read_rules
from projections.kpis import UnknownMetric
from projections.periods import Grain
from projections.recipes import recipe
from projections.values import as_day
from replays.comparing import Question, compare
from replays.founding import published_books, published_texts
from replays.telling import told

router = APIRouter()

MOST_ROWS = 10_000
FIGURES = ("metric", "label_en", "label_zh", "first_day", "last_day", "dimensions", "value_before", "value_after",
           "numerator_before", "numerator_after", "denominator_before", "denominator_after", "open_before",
           "open_after")  # fmt: skip


class Side(BaseModel):
    """One side: all the rules in force, or one book that judges all time (a published version, or a draft), with
    changes made to it (`set`: such as targets.first_response.limits[email]=12h)."""

    model_config = ConfigDict(extra="forbid")

    version: Annotated[str | None, Field(min_length=1, max_length=60)] = None
    book: BookText | None = None
    changes: Annotated[list[Annotated[str, Field(max_length=2_000)]], Field(alias="set", max_length=50)] = []

    @model_validator(mode="after")
    def _one(self) -> Side:
        if self.version is not None and self.book is not None:
            raise ValueError("say either `version` or `book`")
        return self


class WhatIf(BaseModel):
    """`before` is compared with `after`, over the days from `from` to `to` by `period`, as of a position of the log;
    `rows` says how many rows are told of each metric."""

    model_config = ConfigDict(extra="forbid")

    before: Side = Side()
    after: Side
    first: Annotated[date | None, Field(alias="from")] = None
    last: Annotated[date | None, Field(alias="to")] = None
    period: Grain = "month"
    by: Annotated[list[str], Field(max_length=5)] = []
    metrics: Annotated[list[str], Field(max_length=200)] = []
    as_of: Annotated[int | None, Field(ge=1)] = None
    rows: Annotated[int, Field(ge=0, le=MOST_ROWS)] = 20


@router.post(
    "/v1/what-if",
    summary="Compare two rule books over the same events",
    responses={200: {"content": {CSV: {"schema": {"type": "string"}}, XLSX: {"schema": {"type": "string"}}}}, **LATER},
)
def what_if(
    request: Request,
    response: Response,
    wanted: WhatIf,
    later: Later = False,
    chosen: Annotated[str, Query(alias="format", pattern="^(json|csv|xlsx)$")] = "json",
) -> Any:
    """The live figures are not touched. Only what differs is told: figures, rows that count otherwise and why. A job's
    result is JSON."""
    ledger = program_of(request).ledger

    def work(progress: Progress) -> dict[str, Any]:
        with planning(), asking_the_past():
            base = _rules(ledger, wanted.before, alone=bool(wanted.after.changes))
            other = _rules(ledger, wanted.after, alone=True)
            question = _question(ledger, wanted, base)
            try:
                return told(compare(ledger, base, other, question, progress), recipe(other))
            except UnknownMetric as error:
                raise invalid(str(error), [FieldError("metrics", str(error))]) from None

    found = worked(request, response, "what-if", work, wanted, later=later)
    if later or chosen == "json":
        return found
    note_export(request, "what-if", len(found["figures"]))
    if chosen == "csv":
        return Response(csv_text(FIGURES, [_flat(one) for one in found["figures"]]), media_type=CSV)
    headers = {"content-disposition": 'attachment; filename="what-if.xlsx"'}
    return Response(
        comparison_workbook(found, [_flat(one) for one in found["figures"]]), media_type=XLSX, headers=headers
    )


def _rules(ledger: Ledger, side: Side, *, alone: bool) -> str:
    """The text of one side's rules. Raises a `Problem` (404, 422)."""
    published = published_texts(ledger)
    now = instant_us(ledger.now().astimezone(UTC))
    current = read_rules(in_force(published)).at(now).version
    if side.version is None and side.book is None and not side.changes and not alone:
        return in_force(published)
    text = side.book
    if text is None:
        version = side.version or current
        text = next((each for each in _texts(ledger) if each[0] == version), (None, None))[1]
        if text is None:
            raise not_found(f"No rule book of version {version} was published; GET /v1/rulebooks lists all")
    try:
        text = edited(text, side.changes) if side.changes else text
    except BadSetting as error:
        raise invalid(str(error), [FieldError("set", str(error))]) from None
    checked(text)
    return text


def _texts(ledger: Ledger) -> list[tuple[str, str]]:
    return [
        (one.data.book_version, one.data.book)
        for one in published_books(ledger)
        if isinstance(one.data, RulebookPublished)
    ]


def _question(ledger: Ledger, wanted: WhatIf, rules_text: str) -> Question:
    now = instant_us(ledger.now().astimezone(UTC))
    head = ledger.head().position
    if wanted.as_of is not None and wanted.as_of > head:
        raise invalid(f"The log ends at position {head}", [FieldError("as_of", f"beyond the end, {head}")])
    today = as_day(local_day(now, read_rules(rules_text).at(now).time_zone))
    last = wanted.last or today
    first = wanted.first or date(last.year, 1, 1)
    if first > last:
        raise invalid("The first day comes after the last", [FieldError("from", "must not come after `to`")])
    return Question(
        position=wanted.as_of or head,
        asked=now,
        first=first,
        last=last,
        grain=wanted.period,
        by=tuple(wanted.by),
        metrics=tuple(wanted.metrics),
        samples=wanted.rows,
    )


def _flat(moved: dict[str, Any]) -> dict[str, Any]:
    before, after = moved["before"] or {}, moved["after"] or {}
    sides = {
        f"{part}_{name}": side.get(part)
        for part in ("value", "numerator", "denominator", "open")
        for name, side in (("before", before), ("after", after))
    }
    return sides | {
        "metric": moved["metric"],
        "label_en": moved["label"]["en"],
        "label_zh": moved["label"]["zh"],
        "first_day": moved["period"]["first"],
        "last_day": moved["period"]["last"],
        "dimensions": "; ".join(f"{name}={value}" for name, value in moved["dimensions"].items()),
    }
