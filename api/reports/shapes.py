"""What a report is made of: sections, with the metrics told in each and the charts drawn of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ledger.choices import Label


@dataclass(frozen=True)
class Volume:
    """How much there was of something: what a metric counts (its denominator), by dimension and over time.

    metrics: the first of them that the rule book has is read.
    """

    label: Label
    metrics: tuple[str, ...]
    by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tally:
    """Rows of a table, counted by the value of a column; those whose moment `at` lies in the period.

    until: where rows last, the column of the moment they ended. merged: whether the table tells what was merged away.
    """

    label: Label
    table: str
    at: str
    by: str
    until: str | None = None
    merged: bool = False


@dataclass(frozen=True)
class Section:
    """metrics: told in a table. bars: charts of a metric by a dimension. trends: charts of metrics over time."""

    name: str
    heading: Label
    text: Label
    metrics: tuple[str, ...]
    bars: tuple[tuple[str, str], ...] = ()
    trends: tuple[str, ...] = ()
    volumes: tuple[Volume, ...] = ()
    tallies: tuple[Tally, ...] = ()


@dataclass(frozen=True)
class Definition:
    """A report. whole: it tells every metric of the rule book, those that no section names in one of their own; also
    by quarter, by the stages of their targets, and the plans."""

    kind: str
    title: Label
    introduction: Label
    sections: tuple[Section, ...]
    whole: bool = False

    @property
    def metrics(self) -> Iterator[str]:
        """Every metric that a section names, once."""
        return iter(
            dict.fromkeys(
                name
                for section in self.sections
                for name in (*section.metrics, *(each for each, _ in section.bars), *section.trends)
            )
        )
