"""The charts of a report, out of its figures."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from api.figures import LENGTHS, SECONDS, quantity_in_words
from api.reports.charts import Bar, Point, bars, line
from api.reports.judging import target
from api.reports.markup import text
from api.reports.shapes import Section, Volume
from api.reports.telling import Telling
from api.reports.words import say

Told = dict[str, Any]
MOST_BARS: Final = 12
SHARE: Final = "ratio"


class Drawing:
    """The charts of one language of a report; each is a `figure` element, with an id of its own."""

    def __init__(self, telling: Telling) -> None:
        self.telling = telling
        self.findings = telling.findings
        self._numbers = itertools.count(1)

    def charts(self, section: Section) -> Iterator[str]:
        """The charts of a section that have something to show."""
        for volume in section.volumes:
            yield from self._parts_of(volume)
        for volume in section.volumes:
            yield from self._volumes(volume)
        for metric, by in section.bars:
            figures = [one for one in self.findings.broken.get((metric, by), ()) if one["value"] is not None]
            if figures:
                yield self._bars(self.telling.plain_by(metric, by), figures, by, self.findings.others[metric, by])
        for metric in section.trends:
            figures = self.findings.trends.get(metric, [])
            if sum(one["value"] is not None for one in figures) > 1 and not any(one["dimensions"] for one in figures):
                yield self._trend(metric, figures)

    def _bars(self, title: str, figures: Sequence[Told], by: str, others: int) -> str:
        told = self.telling
        unit = figures[0]["unit"]
        # the worst on top: that is what a reader looks for
        shown = sorted(figures[:MOST_BARS], key=lambda one: (one["verdict"] != "missed", -_counted(one)))
        rows = [
            Bar(
                told.plain_value(by, one["dimensions"][by]),
                float(one["value"]),
                told.plain_quantity(one),
                f"n={one['denominator']:,}",
                one["verdict"],
                target(one),
            )
            for one in shown
        ]
        drawn = bars(self._name(), title, _said(rows), rows, ceiling=1.0 if unit == SHARE else None)
        return self._figure(title, drawn, others + len(figures) - len(shown))

    def _trend(self, metric: str, figures: Sequence[Told]) -> str:
        told = self.telling
        title = told.plain_metric(metric)
        points = [
            Point(name, one["value"], told.plain_quantity(one), one["verdict"], target(one))
            for name, one in zip(told.plain_periods(figures, self.findings.grain), figures, strict=True)
        ]
        unit = figures[0]["unit"]
        baseline = next((one["baseline"]["value"] for one in figures if one["baseline"] is not None), None)
        length, ticks = _scaled(unit, [point.value or 0.0 for point in points], told.language)
        return self._lines(
            say("over_time", told.language, metric=title),
            [replace(one, value=_part(one.value, length), target=_part(one.target, length)) for one in points],
            ticks,
            ceiling=1.0 if unit == SHARE else None,
            baseline=_part(baseline, length),
            floor=_floor(unit, points),
        )

    def _lines(self, title: str, points: Sequence[Point], ticks: Callable[[float], str], **more: Any) -> str:
        said = "; ".join(f"{point.label}: {point.told}" for point in points)
        drawn = line(self._name(), title, said, points, ticks=ticks, **more)
        return self._figure(title, drawn, 0)

    def _parts_of(self, volume: Volume) -> Iterator[str]:
        """How much there was, by each dimension."""
        told = self.telling
        for by in volume.by:
            for metric in self._counting(volume):
                figures = [one for one in self.findings.broken.get((metric, by), ()) if _counted(one)]
                whole = sum(_counted(one) for one in figures)
                rows = [
                    Bar(
                        told.plain_value(by, one["dimensions"][by]),
                        float(_counted(one)),
                        f"{_counted(one):,}",
                        quantity_in_words(_counted(one) / whole, SHARE, told.language),
                    )
                    for one in figures[:MOST_BARS]
                ]
                if rows:
                    title = told.plain_part_of(volume.label.of(told.language), by)
                    others = self.findings.others[metric, by] + len(figures) - len(rows)
                    yield self._figure(title, bars(self._name(), title, _said(rows), rows), others)

    def _volumes(self, volume: Volume) -> Iterator[str]:
        """How much there was over time."""
        told = self.telling
        for metric in self._counting(volume):
            figures = self.findings.trends.get(metric, [])
            if len(figures) > 1:
                points = [
                    Point(name, float(_counted(one)), f"{_counted(one):,}")
                    for name, one in zip(told.plain_periods(figures, self.findings.grain), figures, strict=True)
                ]
                title = say("over_time", told.language, metric=volume.label.of(told.language))
                yield self._lines(title, points, lambda value: f"{value:,.0f}")

    def _counting(self, volume: Volume) -> list[str]:
        """The metric whose denominator a volume is, if the book has one."""
        return [name for name in volume.metrics if name in self.findings.overall][:1]

    def _figure(self, title: str, drawn: str, others: int) -> str:
        more = f'<p class="more">{self.telling.say("more_values", count=others)}</p>' if others else ""
        return f"<figure><figcaption>{text(title)}</figcaption>{drawn}{more}</figure>"

    def _name(self) -> str:
        return f"{self.telling.language}-chart-{next(self._numbers)}"


def _counted(figure: Told) -> int:
    return int(figure["denominator"]) + int(figure["open"])


def _part(value: float | None, length: float) -> float | None:
    return None if value is None else value / length


def _said(rows: Sequence[Bar]) -> str:
    return "; ".join(f"{row.label}: {row.told}" for row in rows)


def _floor(unit: str, points: Sequence[Point]) -> float:
    """Where the scale begins: lines may leave something out below, where shares stay near the whole."""
    values = [each for point in points for each in (point.value, point.target) if each is not None]
    return min(0.6, math.floor(min(values, default=0.0) * 5) / 5) if unit == SHARE else 0.0


def _scaled(unit: str, values: Sequence[float], language: str) -> tuple[float, Callable[[float], str]]:
    """What a scale's steps are counted in, and how its marks are worded: durations in the unit the longest would be
    told in."""
    if unit == SHARE:
        return 1.0, lambda value: f"{value * 100:g}%" if language == "zh" else f"{value * 100:g} %"
    if unit != "microseconds":
        return 1.0, lambda value: quantity_in_words(value, unit, language)
    seconds = max(values, default=0.0) / 1_000_000
    length, word = next(((each, words) for each, words in LENGTHS if seconds >= 2 * each), (1, SECONDS))
    return length * 1_000_000.0, lambda value: f"{value:g}{word[language]}"
