"""The page of KPIs: each as the default rule book defines it, with a story worked through, out of kpi_examples.yaml."""

from __future__ import annotations

from collections.abc import Iterator

from writing import Words, code, json, same, table

from ledger.rulebook.loading import default_book
from ledger.rulebook.model import Goal, Metric

UNITS = {"number": "a number, not a percentage", "money": "money, in minor units of the currency"}


def page(words: Words, stories: Words) -> Iterator[str]:
    book = default_book()
    yield from ["# KPIs", "", words["pages"]["kpis"]]
    same("kpi_examples.yaml", stories, [metric.name for metric in book.metrics])
    for metric in book.metrics:
        yield from ["", f"## {metric.name}", "", f"{metric.label.en} · {metric.label.zh}.", ""]
        yield from [f"- {line}" for line in definition(metric)]
        yield from ["", *story(stories[metric.name])]
        if compared := stories[metric.name].get("compared"):
            yield from ["", *story(compared)]


def definition(metric: Metric) -> Iterator[str]:
    rows = f"rows of `{metric.table}`" + (f" where `{metric.where}`" if metric.where else "")
    if metric.type == "ratio":
        whole = code(metric.denominator) if metric.denominator else "every row"
        yield f"Ratio of `{metric.numerator}` to {whole}, over {rows}"
    else:
        yield f"Median of `{metric.value}`, over {rows}"
    yield f"at: `{metric.agg_time_dimension}`"
    yield "dimensions: " + (", ".join(map(code, metric.by)) or "none")
    if metric.per:
        yield f"always by {', '.join(map(code, metric.per))}"
    if metric.unit != "percent":
        yield f"unit: {UNITS[metric.unit]}"
    yield "target: " + ("; ".join(goal(stage) for stage in metric.goal) or "none")
    if metric.baseline:
        yield f"compared with its baseline from a sample of {metric.baseline.minimum_sample} on"


def goal(stage: Goal) -> str:
    parts = {
        "at least {:g} %": stage.at_least,
        "at most {:g} %": stage.at_most,
        "change against the baseline of {:+g} %": stage.change,
        "change against the baseline of {:+g} points": stage.change_points,
    }
    said = next(words.format(points / 100) for words, points in parts.items() if points is not None)
    return said + (f" from month {stage.from_month}" if stage.from_month > 1 else "")


def story(told: Words) -> Iterator[str]:
    yield from [told["says"], ""]
    yield from table(("time", "event", "subject", "data"), [told_event(each) for each in told["events"]])
    if frozen := told.get("freeze"):
        yield from ["", f"The figure from {frozen['from']} to {frozen['to']} is frozen as the baseline."]
    asked = f" Asked at {told['asked']}." if "asked" in told else ""
    yield from ["", f"From {told['from']} to {told['to']} this gives: **{'; '.join(given(told['gives']))}**.{asked}"]


def given(figures: Words) -> Iterator[str]:
    """A figure in words, or several, each under the values it is always broken down by."""
    for name, value in figures.items():
        if isinstance(value, dict):
            yield f"{name}: {', '.join(given(value))}"
    alone = {name: value for name, value in figures.items() if not isinstance(value, dict)}
    if alone:
        yield ", ".join(f"{name} {value if isinstance(value, str) else json(value)}" for name, value in alone.items())


def told_event(each: str) -> tuple[str, ...]:
    at, kind, subject, *data = each.split(" ", 3)
    return at, code(kind), code(subject), code(data[0]) if data else ""
