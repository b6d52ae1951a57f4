"""One language's telling of a report's figures: what metrics, parts and periods are called, and figures as tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from api.figures import VERDICTS, change_in_words, goal_in_words, parts_in_words, quantity_in_words
from api.naming import dimension_label, value_label
from api.reports.charts import sign
from api.reports.gathering import Findings
from api.reports.markup import text, told
from api.reports.words import Language, period_in_words, say
from ledger.choices import Label
from projections.periods import Grain

Told = dict[str, Any]
HEADS = ("value", "parts", "open", "target", "change", "verdict")


@dataclass(frozen=True)
class Telling:
    """The findings of a report in one language. All text it gives is escaped, but for that of `plain` names."""

    findings: Findings
    language: Language

    def say(self, word: str, **values: object) -> str:
        """A word of the frame, escaped; values are escaped with it."""
        return text(say(word, self.language, **values))

    def of(self, label: Label) -> str:
        """A label, escaped."""
        return text(label.of(self.language))

    def plain_metric(self, name: str) -> str:
        """A metric's label."""
        label = self.findings.book.metric(name).label
        return label.zh if self.language == "zh" else label.en

    def plain_dimension(self, name: str) -> str:
        """A dimension's label."""
        return dimension_label(name, self.findings.book).of(self.language)

    def plain_value(self, dimension: str, value: str) -> str:
        """A dimension's value by its label."""
        return value_label(dimension, value).of(self.language)

    def plain_part(self, figure: Told) -> str:
        """The values of a figure's dimensions, by their labels."""
        return ", ".join(self.plain_value(name, value) for name, value in figure["dimensions"].items())

    def plain_name(self, figure: Told) -> str:
        """A metric's label with the part of it that a figure tells."""
        part = self.plain_part(figure)
        metric = self.plain_metric(figure["metric"])
        return f"{metric} ({part})" if part else metric

    def plain_quantity(self, figure: Told) -> str:
        """A figure's value in words."""
        return quantity_in_words(figure["value"], figure["unit"], self.language)

    def plain_by(self, metric: str, dimension: str) -> str:
        """A metric by a dimension, as a heading."""
        return self.plain_part_of(self.plain_metric(metric), dimension)

    def plain_part_of(self, whole: str, dimension: str) -> str:
        """Something by a dimension, as a heading."""
        by = self.plain_dimension(dimension)
        return say("by", self.language, metric=whole, dimension=by[:1].lower() + by[1:])

    def plain_periods(self, figures: Sequence[Told], grain: Grain) -> list[str]:
        """The short names of the periods of some figures."""
        days = [
            (date.fromisoformat(one["period"]["first"]), date.fromisoformat(one["period"]["last"])) for one in figures
        ]
        one_year = len({first.year for first, _ in days}) == 1
        return [period_in_words(first, last, grain, self.language, one_year=one_year) for first, last in days]

    def verdict(self, figure: Told) -> str:
        """A verdict with its sign; nothing where there is no goal."""
        found = figure["verdict"]
        if found == "no goal":
            return ""
        word = text(VERDICTS[self.language].get(found, found))
        return f'<span class="verdict {_class(found)}">{sign(found)} {word}</span>'

    def change(self, figure: Told) -> str:
        """A change with the baseline it is against."""
        if figure["baseline"] is None:
            return ""
        was = quantity_in_words(figure["baseline"]["value"], figure["unit"], self.language)
        change = change_in_words(figure, self.language)
        said = f"<small>{self.say('baseline_was', value=was)}</small>"
        return f"{text(change)} {said}" if change else said

    def cells(self, figure: Told) -> tuple[str, ...]:
        """The cells of a figure, under `HEADS`."""
        return (
            f"<strong>{text(self.plain_quantity(figure))}</strong>",
            text(parts_in_words(figure)),
            text(f"{figure['open']:,}" if figure["open"] else ""),
            text(goal_in_words(figure["goal"], self.language)),
            self.change(figure),
            self.verdict(figure),
        )

    def figures(self, figures: Iterable[Told], names: Iterable[str], first: str) -> str:
        """A table of figures under the names of their rows; `first` is the head of these."""
        rows = [(told(name), *self.cells(one)) for name, one in zip(names, figures, strict=True)]
        return self.table((first, *HEADS), [("", rows)])

    def table(self, heads: Sequence[str], groups: Iterable[tuple[str, Iterable[Sequence[str]]]]) -> str:
        """A table of rows in groups, each with a heading where it has one. Heads are words, cells are escaped already;
        the first cell of a row is its head. Columns are set by their kind."""
        head = "".join(f'<th scope="col" class="{name}">{self.say(name)}</th>' for name in heads)
        bodies = []
        for heading, rows in groups:
            body = "".join(_row(heads, row) for row in rows)
            title = (
                f'<tr class="group"><th scope="rowgroup" colspan="{len(heads)}">{heading}</th></tr>' if heading else ""
            )
            bodies.append(f"<tbody>{title}{body}</tbody>")
        return f'<div class="wide"><table><thead><tr>{head}</tr></thead>{"".join(bodies)}</table></div>'


def _row(heads: Sequence[str], cells: Sequence[str]) -> str:
    first, *others = cells
    rest = "".join(f'<td class="{name}">{cell}</td>' for name, cell in zip(heads[1:], others, strict=True))
    return f'<tr><th scope="row">{first}</th>{rest}</tr>'


def _class(verdict: str) -> str:
    return verdict if verdict in ("met", "missed") else "plain"
