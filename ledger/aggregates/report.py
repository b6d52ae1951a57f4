"""Reports: what was issued, with every figure in it, so that it can be written again."""

from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field, model_validator

from ledger.aggregates.opening import refuse_later
from ledger.occurrence import Occurrence, Reading
from ledger.vocabulary import Day, Digest, Dimensions, Event, Id, Integer, Part, ReportKind, Text, Unlisted, in_order


class Figure(Part):
    """One figure of a report. Without a value there was no data."""

    metric: Id
    dimensions: Dimensions = Field(default_factory=dict)
    numerator: Integer | None = None
    denominator: Integer | None = None
    value: Integer | None = None
    stamp: Text | None = None


class ReportIssued(
    Event,
    type="report.issued",
    en="Report issued",
    zh="报告发布",
    opens=True,
    example={
        "report_kind": "diagnosis",
        "period_start": "2026-01-01",
        "period_end": "2026-02-28",
        "figures": [
            {
                "metric": "first_response_in_time",
                "dimensions": {"channel": "web_chat"},
                "numerator": 812,
                "denominator": 1203,
                "value": 6750,
                "stamp": "first_response_in_time 2026-01-01/2026-02-28 at 4711",
            }
        ],
        "digest": "sha256:8c0d8e64a1f1f5d3f0f1c6f2f7c4a9be7a1c2b1d5d0d6f3f9a3c8b7e6d5c4b3a",
    },
):
    report_kind: ReportKind
    period_start: Day
    period_end: Day
    """The last day, counted in."""
    figures: Annotated[tuple[Figure, ...], Field(max_length=10_000), Unlisted()]
    digest: Digest
    """Of the document's bytes."""

    @model_validator(mode="after")
    def _period_in_order(self) -> Self:
        in_order(self.period_start, self.period_end)
        return self


@dataclass(frozen=True, slots=True)
class Report:
    """A report, as far as decisions need it."""


def evolve(state: Report | None, told: Occurrence) -> Report | None:
    """The report after one more event."""
    return Report() if isinstance(told.data, ReportIssued) else state


def decide(state: Report | None, told: Occurrence, world: Reading) -> None:
    """Refuse to issue twice under one name."""
    if state is not None:
        refuse_later(told)
