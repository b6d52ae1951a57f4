"""Surveys: what a customer was asked, what they answered, and what is done about it."""

from dataclasses import dataclass
from typing import Self

from pydantic import model_validator

from ledger.aggregates.opening import refuse_first, refuse_later
from ledger.occurrence import Occurrence, Reading
from ledger.vocabulary import (
    Aspect,
    Channel,
    CustomerId,
    Event,
    Personal,
    Scale,
    Score,
    SurveyKind,
    within_scale,
)


class SurveySent(
    Event,
    type="survey.sent",
    en="Survey sent",
    zh="调研发送",
    opens=True,
    example={"customer_id": "CU-1007", "survey_kind": "satisfaction", "channel": "email"},
):
    customer_id: CustomerId
    survey_kind: SurveyKind
    channel: Channel | None = None


class SurveyAnswered(
    Event,
    type="survey.answered",
    en="Survey answered",
    zh="调研答复",
    example={"aspect": "communication", "score": 4, "scale": 10, "comment": "Nobody called me back."},
):
    """One aspect's answer; of several answers on one aspect the last counts."""

    aspect: Aspect
    score: Score
    scale: Scale
    comment: Personal | None = None

    @model_validator(mode="after")
    def _within_scale(self) -> Self:
        within_scale(self.score, self.scale)
        return self


class SurveyActionPlanned(
    Event,
    type="survey.action_planned",
    en="Improvement action planned",
    zh="改进措施制定",
    example={"action": "Call Chen Yu back and name one person who is responsible."},
):
    action: Personal | None = None


@dataclass(frozen=True, slots=True)
class Survey:
    """A survey, as far as decisions need it."""


def evolve(state: Survey | None, told: Occurrence) -> Survey | None:
    """The survey after one more event."""
    return Survey() if isinstance(told.data, SurveySent) else state


def decide(state: Survey | None, told: Occurrence, world: Reading) -> None:
    """Refuse what cannot be said of this survey."""
    if state is None:
        return refuse_first(told)
    return refuse_later(told)
