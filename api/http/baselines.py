"""Baselines over HTTP: figures frozen as events, which goals of change are compared with."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from api.figures import baseline_told
from api.http.context import key_of, program_of
from api.http.problems import FieldError, invalid
from api.http.stewarding import not_now
from projections.baselines import Baselines
from projections.freezing import NothingToFreeze, freeze
from projections.kpis import UnknownDimension, UnknownMetric
from projections.settled import NotNow

router = APIRouter()

Named = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z][a-z0-9_]*$")]


class Freeze(BaseModel):
    """Which metric's figures are frozen, of which days (both included), and broken down by what."""

    model_config = ConfigDict(extra="forbid")

    metric: Named
    first: Annotated[date, Field(alias="from")]
    last: Annotated[date, Field(alias="to")]
    by: Annotated[list[Named], Field(max_length=5)] = []
    actor: Annotated[str | None, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")] = None


@router.get("/v1/baselines", summary="The baselines in use")
def baselines(request: Request) -> dict[str, Any]:
    """Of each metric, statistic and dimensions the one frozen last; those before it stand in the log."""
    with program_of(request).database.reading() as connection:
        return {"baselines": [baseline_told(each) for each in Baselines(connection)]}


@router.post("/v1/baselines", summary="Freeze figures as baselines", status_code=201)
def new_baselines(request: Request, wanted: Freeze) -> dict[str, Any]:
    """One baseline for each value of the dimensions; appended together, or none of them."""
    if wanted.first > wanted.last:
        raise invalid("The first day comes after the last", [FieldError("from", "must not come after `to`")])
    program = program_of(request)
    try:
        frozen = freeze(
            program.ledger,
            wanted.metric,
            wanted.first,
            wanted.last,
            by=wanted.by,
            key_id=key_of(request).id,
            actor=wanted.actor,
        )
    except (UnknownMetric, NothingToFreeze) as error:
        raise invalid(str(error), [FieldError("metric", str(error))]) from None
    except UnknownDimension as error:
        raise invalid(str(error), [FieldError("by", str(error))]) from None
    except NotNow as error:
        raise not_now(error) from None
    with program.database.reading() as connection:
        return {"baselines": [baseline_told(each) for each in Baselines(connection) if each.id in frozen]}
