"""What a rule book says of voiding: which events' voids need a second person."""

from __future__ import annotations

from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ledger.events import CATALOGUE
from ledger.rulebook.hours import misplaced


class Voids(BaseModel):
    """Whose voids need a second person: one proposes, another one voids."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    second_person: bool = False
    types: list[str] = Field(default=["*"], min_length=1, max_length=100)

    @model_validator(mode="after")
    def _known(self) -> Voids:
        for nth, pattern in enumerate(self.types):
            if not any(fnmatchcase(known, pattern) for known in CATALOGUE):
                raise misplaced(f"{pattern!r} is no event type, nor a pattern of some, such as contact.*", "types", nth)
        return self

    @property
    def by_two(self) -> list[str] | None:
        """Patterns of the event types whose voids need two; None where none do."""
        return self.types if self.second_person else None
