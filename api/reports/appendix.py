"""The appendix of a report: every figure behind its charts, section by section."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any

from api.reports.markup import text, told
from api.reports.shapes import Section
from api.reports.telling import HEADS, Telling
from api.reports.words import say

Told = dict[str, Any]


def tables(telling: Telling) -> Iterator[str]:
    """A table for each section that has charts, under its heading."""
    for section in telling.findings.definition.sections:
        groups = list(_groups(telling, section))
        if groups:
            yield f"<h3>{telling.of(section.heading)}</h3>{telling.table(('part', *HEADS), groups)}"


def _groups(telling: Telling, section: Section) -> Iterator[tuple[str, Sequence[Sequence[str]]]]:
    found = telling.findings
    for volume in section.volumes:
        for metric in [name for name in volume.metrics if name in found.overall][:1]:
            counted = f"<small>{telling.say('counted_by', metric=telling.plain_metric(metric))}</small>"
            label = volume.label.of(telling.language)
            for by in volume.by:
                heading = f"{text(telling.plain_part_of(label, by))} {counted}"
                yield from _group(telling, heading, _parts(telling, found.broken.get((metric, by), ())))
            heading = f"{text(say('over_time', telling.language, metric=label))} {counted}"
            yield from _group(telling, heading, _times(telling, found.trends.get(metric, ())))
    for metric, by in section.bars:
        heading = text(telling.plain_by(metric, by)) if metric in found.overall else ""
        yield from _group(telling, heading, _parts(telling, found.broken.get((metric, by), ())))
    for metric in section.trends:
        figures = found.trends.get(metric, ())
        heading = text(say("over_time", telling.language, metric=telling.plain_metric(metric))) if figures else ""
        yield from _group(telling, heading, _times(telling, figures))


def _group(
    telling: Telling, heading: str, named: Iterable[tuple[str, Told]]
) -> Iterator[tuple[str, Sequence[Sequence[str]]]]:
    rows = [(name, *telling.cells(one)) for name, one in named]
    if rows:
        yield heading, rows


def _parts(telling: Telling, figures: Iterable[Told]) -> Iterator[tuple[str, Told]]:
    return ((told(telling.plain_part(one)), one) for one in figures)


def _times(telling: Telling, figures: Iterable[Told]) -> Iterator[tuple[str, Told]]:
    there = (one for one in figures if one["value"] is not None or one["open"])
    return ((_days(one) + _part(telling, one), one) for one in there)


def _days(figure: Told) -> str:
    first, last = (date.fromisoformat(figure["period"][end]) for end in ("first", "last"))
    return f"{first.isoformat()} – {last.isoformat()}"


def _part(telling: Telling, figure: Told) -> str:
    return f" {told(telling.plain_part(figure))}" if figure["dimensions"] else ""
