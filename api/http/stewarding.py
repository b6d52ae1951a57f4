"""Tasks over HTTP that read the tables and record what follows from them: the churn watch, the weekly sample."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from api.http.context import key_of, program_of
from api.http.problems import FieldError, Problem, invalid
from projections.sampling import LARGEST_SEED, AlreadySampled, BadWeek, sample
from projections.settled import NotNow
from projections.watching import watch

router = APIRouter()


class Watch(BaseModel):
    """With `dry_run` the signs are told, and nothing is raised."""

    model_config = ConfigDict(extra="forbid")

    dry_run: bool = False


class Draw(BaseModel):
    """Which week is sampled; what is left out is the rule book's, or chosen."""

    model_config = ConfigDict(extra="forbid")

    week: Annotated[str, Field(pattern=r"^[0-9]{4}-W[0-9]{2}$", examples=["2026-W14"])]
    seed: Annotated[int | None, Field(ge=0, le=LARGEST_SEED)] = None
    per_channel: Annotated[int | None, Field(ge=1, le=1_000)] = None
    dry_run: bool = False


@router.post("/v1/watch", summary="Raise the churn alerts that are due")
def look(request: Request, wanted: Watch) -> dict[str, Any]:
    """One alert for each sign that none stands for yet, with the figures that show it."""
    try:
        found = watch(program_of(request).ledger, key_id=key_of(request).id, dry_run=wanted.dry_run)
    except NotNow as error:
        raise not_now(error) from None
    return {"raised": 0 if wanted.dry_run else len(found), "signs": [asdict(sign) for sign in found]}


@router.post("/v1/samples", summary="Draw a week's sample for quality reviews")
def drawn(request: Request, wanted: Draw) -> dict[str, Any]:
    """Recorded as reviews to be scored. The same week and seed draw the same again and record nothing new."""
    try:
        made = sample(
            program_of(request).ledger,
            wanted.week,
            key_id=key_of(request).id,
            seed=wanted.seed,
            per_channel=wanted.per_channel,
            dry_run=wanted.dry_run,
        )
    except BadWeek as error:
        raise invalid(str(error), [FieldError("week", str(error))]) from None
    except AlreadySampled as error:
        raise Problem(409, "conflict", str(error)) from None
    except NotNow as error:
        raise not_now(error) from None
    return asdict(made)


def not_now(error: NotNow) -> Problem:
    return Problem(503, "not-now", str(error), headers={"retry-after": "5"})
