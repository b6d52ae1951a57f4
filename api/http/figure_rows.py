"""From a figure to the rows behind it, and from each row to its events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from api.figures import figure_told
from api.http.context import CaughtUp, program_of
from api.http.contract import FREE_QUERY
from api.http.disclosure import note_export
from api.http.formats import CSV, csv_text, wants_csv
from api.http.problems import FieldError, invalid, not_found
from api.http.tables import Accept, Cursor, Format, Limit, within_page, wrong_question
from ledger.rulebook.model import Metric, instant_us
from ledger.rulebook.rules import Rules
from ledger.vocabulary import instant_text
from projections.kpis import UnknownDimension, UnknownMetric
from projections.reading import BadCursor
from projections.rows import Behind, Part, Row, columns_read, in_words, rows_behind, subject_of
from projections.stamps import stamp
from projections.values import instant

router = APIRouter()

OPTIONS: Final = frozenset({"from", "to", "part", "state", "cursor", "limit", "format", "min_position"})
_DESCRIPTION: Final = (
    "`figures` is what `/v1/kpis` says of the same question, and the rows add up to it. `part` is `numerator`, "
    "`denominator`, `denominator_only` (counted, but not in the numerator), `open` (the clock still runs) or "
    "`left_out`, with the reason in `state` and in words. A row without a day to count on is of the period that it "
    "began in. `states` tells, with the first page, how many rows there are of each. Any dimension is a filter: "
    "`channel=email`; several values with commas. Each row names the path of its subject's history, and the paths "
    "that explain the columns the metric reads."
)


@router.get(
    "/v1/kpis/{metric}/rows",
    summary="The rows behind a figure",
    description=_DESCRIPTION,
    dependencies=[CaughtUp],
    openapi_extra={FREE_QUERY: True},
    responses={200: {"content": {CSV: {"schema": {"type": "string"}}}}},
)
def rows(
    request: Request,
    metric: str,
    first: Annotated[date | None, Query(alias="from", description="First day, in the rule book's time zone.")] = None,
    last: Annotated[date | None, Query(alias="to", description="Last day; today if left out.")] = None,
    part: Part = "denominator",
    state: Annotated[str | None, Query(max_length=100, description="Only rows of this state.")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    chosen: Format = None,
    accept: Accept = None,
) -> Response:
    """One page, within one snapshot; the pages that follow are asked at the moment of the first."""
    within_page(request, limit)
    if first is not None and last is not None and first > last:
        raise invalid("The first day comes after the last", [FieldError("from", "must not come after `to`")])
    filters = {
        name: tuple(value.split(",")) for name, value in request.query_params.multi_items() if name not in OPTIONS
    }
    if any("\x00" in text for text in (state or "", *(value for values in filters.values() for value in values))):
        raise invalid("No text holds the NUL character", [FieldError("filter", "holds the NUL character")])
    program = program_of(request)
    asked = instant_us(program.ledger.now().astimezone(UTC))
    try:
        with program.database.reading() as connection:
            found = rows_behind(
                connection, metric, asked=asked, first=first, last=last, filters=filters, part=part, state=state,
                cursor=cursor, limit=limit,
            )  # fmt: skip
    except UnknownMetric as error:
        raise not_found(str(error)) from None
    except UnknownDimension as error:
        raise invalid(str(error), [FieldError("filter", str(error))]) from None
    except BadCursor as error:
        raise wrong_question(error) from None
    rules = found.answer.rules
    if wants_csv(accept, chosen):
        note_export(request, f"rows of {found.metric.name}", len(found.rows))
        flat = [_flat(found.metric, row) for row in found.rows]
        headers = {"ledger-position": str(found.answer.position)}
        if found.next_cursor is not None:
            headers["ledger-next-cursor"] = found.next_cursor
        return Response(csv_text(list(flat[0]) if flat else [], flat), 200, headers, CSV)
    return JSONResponse(
        {
            **_question(found),
            "filters": {name: list(values) for name, values in filters.items()},
            "part": part,
            "figures": [figure_told(figure, stamp(figure, found.answer).text()) for figure in found.answer.figures],
            "states": None if found.states is None else states_told(found.metric, found.states),
            "rows": [row_told(found.metric, row) | links(rules, found.metric, row) for row in found.rows],
            "next_cursor": found.next_cursor,
        }
    )


def _question(found: Behind) -> dict[str, Any]:
    answer = found.answer
    return {
        "metric": found.metric.name,
        "label": found.metric.label.model_dump() if found.metric.label else None,
        "table": found.metric.table,
        "position": answer.position,
        "asked_at": instant_text(instant(answer.asked)),
        "rule_book": {"name": answer.book.rule_book, "version": answer.book.version, "digest": answer.book.digest()},
        "time_zone": answer.book.time_zone,
        "period": {"first": found.period.first.isoformat(), "last": found.period.last.isoformat()},
    }


def states_told(metric: Metric, states: Mapping[str, int]) -> list[dict[str, Any]]:
    """How many rows there are of each state, the most first."""
    return [
        {"state": state, "words": dict(in_words(metric, state)), "rows": rows}
        for state, rows in sorted(states.items(), key=lambda each: (-each[1], each[0]))
    ]


def row_told(metric: Metric, row: Row, as_of: int | None = None) -> dict[str, Any]:
    """A row as it is shown: what it adds, or why it is left out, and where its events are (up to a position)."""
    aggregate, subject = subject_of(metric, row.key)
    then = "" if as_of is None else f"?as_of={as_of}"
    return {
        "key": dict(row.key),
        "day": row.day,
        "state": row.state,
        "words": dict(in_words(metric, row.state, row)),
        "numerator": row.numerator,
        "denominator": row.denominator,
        "value": row.value,
        "deadline": row.deadline,
        "outcome": row.outcome,
        "judged_by": row.judged_by,
        "dimensions": dict(row.dimensions),
        "history": f"/v1/history/{aggregate}/{quote(subject, safe='')}{then}",
    }


def links(rules: Rules, metric: Metric, row: Row) -> dict[str, Any]:
    """The paths that explain the cells which a row's figure is worked out of."""
    key = "/".join(quote(str(value), safe="") for value in row.key.values())
    return {"explain": {name: f"/v1/explain/{metric.table}/{key}/{name}" for name in columns_read(rules, metric)}}


def _flat(metric: Metric, row: Row) -> dict[str, Any]:
    told = row_told(metric, row)
    words = told["words"]
    return {
        **told["key"],
        **{name: told[name] for name in ("day", "state")},
        "reason_en": words["en"],
        "reason_zh": words["zh"],
        **{name: told[name] for name in ("numerator", "denominator", "value", "deadline", "outcome", "judged_by")},
        **{f"by_{name}": value for name, value in told["dimensions"].items()},
        "history": told["history"],
    }
