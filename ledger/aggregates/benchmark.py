"""Benchmarks: where others rank the company in its industry, each rank with the evidence for it."""

from dataclasses import dataclass
from typing import Self

from pydantic import Field, model_validator

from ledger.aggregates.opening import refuse_later
from ledger.occurrence import Occurrence, Reading
from ledger.vocabulary import Day, Digest, Event, Rank, Text


class BenchmarkEntered(
    Event,
    type="benchmark.entered",
    en="Industry rank entered",
    zh="行业排名录入",
    opens=True,
    example={
        "topic": "customer satisfaction",
        "rank": 7,
        "field_size": 120,
        "ranked_on": "2026-03-31",
        "ranked_by": "Association of Service Companies",
        "evidence": "Annual ranking 2026, page 14",
        "evidence_digest": "sha256:" + "3fdba35f04dc8c46" * 4,
    },
):
    topic: Text = Field(min_length=1)
    """What is ranked. Ranks of one topic are told under the same words."""
    rank: Rank
    """1 is the best."""
    field_size: Rank | None = None
    """Among how many, where it is known."""
    ranked_on: Day
    """The day as of which the rank was given."""
    ranked_by: Text = Field(min_length=1)
    evidence: Text = Field(min_length=1)
    """Where it can be looked up: a link or a reference."""
    evidence_digest: Digest | None = None
    """Of the document, so that it can be told from another one."""

    @model_validator(mode="after")
    def _within_its_field(self) -> Self:
        if self.field_size is not None and self.rank > self.field_size:
            raise ValueError(f"rank {self.rank} does not exist among {self.field_size}")
        return self


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark, as far as decisions need it."""


def evolve(state: Benchmark | None, told: Occurrence) -> Benchmark | None:
    """The benchmark after one more event."""
    return Benchmark() if isinstance(told.data, BenchmarkEntered) else state


def decide(state: Benchmark | None, told: Occurrence, world: Reading) -> None:
    """Refuse to enter twice under one name: the rank of a later day is a benchmark of its own."""
    if state is not None:
        refuse_later(told)
