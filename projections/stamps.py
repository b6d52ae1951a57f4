"""Stamps: what a figure depends on, so that it can be computed again, exactly, at any later time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ledger.rulebook.model import instant_us
from ledger.vocabulary import Digest, instant_text
from projections.kpis import Answer, Figure
from projections.values import instant


class BadStamp(ValueError):
    """The text is not a stamp."""


class Stamp(BaseModel):
    """A metric's figure: of the days from `first` to `last` (both counted in), for values of dimensions, with filters;
    as of a position of the log and a moment of asking; under rule books (version: digest), by a recipe (its digest).

    `baseline` names what the figure was compared with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    metric: str
    first: Annotated[date, Field(alias="from")]
    last: Annotated[date, Field(alias="to")]
    dimensions: Mapping[str, str] = {}
    filters: Mapping[str, tuple[str, ...]] = {}
    position: Annotated[int, Field(ge=0)]
    asked_at: datetime
    rule_books: Mapping[str, str]
    recipe: Digest
    baseline: str | None = None

    @property
    def asked(self) -> int:
        """The moment of asking in microseconds."""
        return instant_us(self.asked_at)

    def text(self) -> str:
        """The stamp as compact JSON; what is empty is left out."""
        told = {
            "metric": self.metric,
            "from": self.first,
            "to": self.last,
            "dimensions": dict(sorted(self.dimensions.items())),
            "filters": dict(sorted(self.filters.items())),
            "position": self.position,
            "asked_at": instant_text(self.asked_at),
            "rule_books": dict(self.rule_books),
            "recipe": self.recipe,
            "baseline": self.baseline,
        }
        return orjson.dumps({name: value for name, value in told.items() if value not in ({}, None)}).decode()


def stamp(figure: Figure, answer: Answer) -> Stamp:
    """The stamp of one figure of an answer."""
    return Stamp(
        metric=figure.metric.name,
        first=figure.period.first,
        last=figure.period.last,
        dimensions=figure.dimensions,
        filters=answer.filters,
        position=answer.position,
        asked_at=instant(answer.asked),
        rule_books={book.version: book.digest() for book in answer.rules.books if book.version in figure.rule_books},
        recipe=answer.recipe,
        baseline=figure.baseline.id if figure.baseline else None,
    )


def read_stamp(text: str) -> Stamp:
    """A stamp out of its text. Raises BadStamp, saying what is wrong with it."""
    try:
        found = Stamp.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise BadStamp(f"this is not a stamp: {place + ': ' if place else ''}{first['msg']}") from None
    if found.asked_at.tzinfo is None:
        raise BadStamp("this is not a stamp: asked_at: has no offset from UTC")
    if found.first > found.last:
        raise BadStamp("this is not a stamp: from: comes after `to`")
    return found
