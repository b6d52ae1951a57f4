"""KPIs over HTTP: by period and dimension, with numerator, denominator, open items and the target in force."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, date, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from api.figures import figure_told, figures_told
from api.http.context import CaughtUp, program_of
from api.http.contract import FREE_QUERY
from api.http.disclosure import note_export
from api.http.formats import CSV, csv_text, wants_csv
from api.http.problems import FieldError, Problem, invalid
from api.http.tables import Accept, Format
from ledger.rulebook.calendars import local_day
from ledger.rulebook.model import RuleBook, instant_us
from projections.generations import live
from projections.kpis import Answer, Figure, UnknownDimension, UnknownMetric, figures
from projections.periods import Grain
from projections.stamps import stamp
from projections.values import as_day

router = APIRouter()

OPTIONS: Final = frozenset({"metric", "period", "from", "to", "by", "format", "min_position"})
DEFAULT_DAYS: Final = {"day": 31, "week": 26 * 7, "month": 730, "quarter": 1_095, "year": 3_650}
"""How far back figures go at the most where `from` is left out, by period."""
MOST_PERIODS: Final = 400
_SHORTEST_DAYS: Final = {"day": 1, "week": 7, "month": 28, "quarter": 90, "year": 365}
_DESCRIPTION: Final = (
    "Any dimension is a filter: `channel=email`; several values with commas. Without `metric`, every metric that has "
    "the dimensions asked for. Rows whose clock still runs are `open` and counted nowhere else; no denominator is "
    "`no data`, never 100 %."
)


@router.get(
    "/v1/kpis",
    summary="Figures against their targets",
    description=_DESCRIPTION,
    dependencies=[CaughtUp],
    openapi_extra={FREE_QUERY: True},
    responses={200: {"content": {CSV: {"schema": {"type": "string"}}}}},
)
def kpis(
    request: Request,
    metric: Annotated[list[str] | None, Query(max_length=100, description="Names of metrics; all if left out.")] = None,
    period: Annotated[Grain, Query(description="`all` is one figure for the whole time asked for.")] = "all",
    first: Annotated[date | None, Query(alias="from", description="First day, in the rule book's time zone.")] = None,
    last: Annotated[date | None, Query(alias="to", description="Last day; today if left out.")] = None,
    by: Annotated[str | None, Query(max_length=400, description="Dimensions with commas.")] = None,
    chosen: Format = None,
    accept: Accept = None,
) -> Response:
    """`unit` says what a value is: `ratio` (0.9 is 90 %), `number` (contacts per customer), `money` (minor units of the
    currency among the dimensions), `microseconds`."""
    filters = {
        name: tuple(value.split(",")) for name, value in request.query_params.multi_items() if name not in OPTIONS
    }
    dimensions = [name.strip() for name in by.split(",") if name.strip()] if by else []
    program = program_of(request)
    asked = instant_us(program.ledger.now().astimezone(UTC))
    try:
        with program.database.reading() as connection:
            book = live(connection).rules.at(asked)
        known_dimensions(book, [*dimensions, *filters])
        metric = metric or _answering(book, dimensions, filters)
        if period != "all" and first is None:
            with program.database.reading() as connection:
                first = figures(connection, metric[:1], asked=asked).figures[0].period.first
            first = max(first, _far_back(book, asked, period, last))
        first, last = _days(book, asked, period, first, last)
        with program.database.reading() as connection:
            answer = figures(
                connection, metric, asked=asked, grain=period, first=first, last=last, by=dimensions,
                filters=filters,
            )  # fmt: skip
    except (UnknownMetric, UnknownDimension) as error:
        raise invalid(str(error), [FieldError("metric", str(error))]) from None
    if wants_csv(accept, chosen):
        note_export(request, "kpis", len(answer.figures))
        return Response(csv_text(_COLUMNS, [_flat(one, answer) for one in answer.figures]), media_type=CSV)
    return JSONResponse(figures_told(answer))


def known_dimensions(book: RuleBook, names: Sequence[str]) -> None:
    """Raise a `Problem` (422) for a dimension that no metric of the book has."""
    known = sorted({dimension for metric in book.metrics for dimension in metric.by})
    wrong = [
        FieldError(name[:100], "is neither a parameter nor a dimension", f"dimensions are {', '.join(known)}")
        for name in names
        if name not in known
    ]
    if wrong:
        raise invalid("Unknown dimensions", wrong)


def _answering(book: RuleBook, dimensions: Sequence[str], filters: Collection[str]) -> list[str]:
    """The metrics that can be broken down and filtered as asked; a median cannot be filtered."""
    needed = {*dimensions, *filters}
    found = [one.name for one in book.metrics if needed <= {*one.by} and (one.type == "ratio" or not filters)]
    if not found:
        raise invalid(
            "No metric has all these dimensions", [FieldError(name, "does not go together") for name in needed]
        )
    return found


def _today(book: RuleBook, asked: int) -> date:
    return as_day(local_day(asked, book.time_zone))


def _far_back(book: RuleBook, asked: int, grain: Grain, last: date | None) -> date:
    """The first day that is told of where no first day was asked for, at the most that far back."""
    last = last or _today(book, asked)
    return max(last, date(1, 1, 1) + timedelta(DEFAULT_DAYS[grain])) - timedelta(DEFAULT_DAYS[grain] - 1)


def _days(
    book: RuleBook, asked: int, grain: Grain, first: date | None, last: date | None
) -> tuple[date | None, date | None]:
    if grain != "all":
        last = last or _today(book, asked)
        if first is not None and (last - first).days / _SHORTEST_DAYS[grain] > MOST_PERIODS:
            raise _too_many(grain)
    if first is not None and last is not None and first > last:
        raise invalid("The first day comes after the last", [FieldError("from", "must not come after `to`")])
    return first, last


def _too_many(grain: str) -> Problem:
    return invalid(
        f"More than {MOST_PERIODS} periods", [FieldError("period", f"too many of one {grain}", "choose longer ones")]
    )


_COLUMNS: Final = (
    "metric", "label_en", "label_zh", "first_day", "last_day", "dimensions",
    "numerator", "denominator", "open", "value", "unit", "goal", "baseline", "change", "verdict",
    "stamp",
)  # fmt: skip


def _flat(figure: Figure, answer: Answer) -> dict[str, Any]:
    told = figure_told(figure, stamp(figure, answer).text())
    label = told["label"] or {"en": None, "zh": None}
    goal = {name: value for name, value in (told["goal"] or {}).items() if name != "from_month"}
    return {
        **{name: told.get(name) for name in _COLUMNS},
        "label_en": label["en"],
        "label_zh": label["zh"],
        "first_day": told["period"]["first"],
        "last_day": told["period"]["last"],
        "dimensions": "; ".join(f"{name}={value}" for name, value in told["dimensions"].items()),
        "goal": "; ".join(f"{name} {value}" for name, value in goal.items()),
        "baseline": None if figure.baseline is None else figure.baseline.id,
    }
