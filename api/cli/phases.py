"""A programme's figures from its first months to its last: diagnosed, frozen as baselines, compared with targets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import httpx
from rich.table import Table
from rich.text import Text

from api.cli.client import ClientError, ask
from api.cli.figures import STYLES
from api.cli.output import console, note
from api.figures import goal_in_words, value_in_words

Told = dict[str, Any]
Key = tuple[str, tuple[str, ...]]


@dataclass(frozen=True)
class Phases:
    """The days of the diagnosis, and as many at the end: figures of periods as long as each other compare."""

    diagnosis: tuple[date, date]
    end: tuple[date, date]

    @property
    def whole(self) -> tuple[date, date]:
        """From the first day to the last."""
        return self.diagnosis[0], self.end[1]


def freeze_diagnosis(client: httpx.Client, phases: Phases) -> int:
    """Freeze the diagnosis' figures of all metrics that have a goal of change; how many metrics were frozen now.

    What is frozen already stays. Raises ClientError.
    """
    frozen = {one["kpi"] for one in ask(client, "GET", "/v1/baselines").json()["baselines"]}
    first, last = phases.diagnosis
    found = ask(client, "GET", "/v1/kpis", params=_days(phases.diagnosis)).json()["figures"]
    # a goal of change may hold in later months only: the end's figures name those too
    found += ask(client, "GET", "/v1/kpis", params=_days(phases.end)).json()["figures"]
    wanted = dict.fromkeys(one["metric"] for one in found if {"change", "change_points"} & (one["goal"] or {}).keys())
    new = 0
    for metric in wanted:
        if metric in frozen:
            continue
        body = {"metric": metric, "from": first.isoformat(), "to": last.isoformat()}
        try:
            ask(client, "POST", "/v1/baselines", json=body)
        except ClientError as error:
            note(f"{metric} has no baseline. {error}")
        else:
            new += 1
    return new


def show_phases(client: httpx.Client, phases: Phases, title: str) -> None:
    """Print every KPI at the programme's beginning, at its end, and over all days; the end is what is judged."""
    began, ended, whole = (
        ask(client, "GET", "/v1/kpis", params=params).json()
        for params in (_days(phases.diagnosis), _days(phases.end), _days(phases.whole))
    )
    table = Table(title=title, title_justify="left", header_style="bold", show_edge=False, pad_edge=False)
    heads = ("KPI", _in_words(phases.diagnosis), _in_words(phases.end), _in_words(phases.whole), "Target", "")
    for place, head in enumerate(heads):
        table.add_column(head, justify="right" if 0 < place < 5 else "left", no_wrap=place > 0)
    for label, first, last, over_all in _rows(began["figures"], ended["figures"], whole["figures"]):
        # what only happened before the last months is judged by all of it
        judged = last if last is not None and last["value"] is not None else over_all
        verdict = "" if judged is None else judged["verdict"]
        goal = "" if judged is None else goal_in_words(judged["goal"])
        style = STYLES.get(verdict, "")
        values = [_value(first), _value(last, change=True), _value(over_all)]
        table.add_row(label, *values[:1], Text(values[1], style=style), values[2], goal, Text(verdict, style=style))
    console.print(table)
    book, position = whole["rule_book"]["version"], whole["position"]
    note(f"changes are against {_in_words(phases.diagnosis)}, rule book {book}, as of position {position}")


def _rows(*columns: list[Told]) -> Iterator[tuple[str, Told | None, Told | None, Told | None]]:
    """What the same metric and dimensions came to in the three periods, in the order of the rule book."""
    by_key = [{_key(one): one for one in column} for column in columns]
    labels = {_key(one): one for column in columns for one in column}
    order = {metric: place for place, metric in enumerate(dict.fromkeys(metric for metric, _ in labels))}
    told = {metric for metric, dimensions in labels if dimensions}
    for key in sorted(labels, key=lambda key: (order[key[0]], key[1])):
        if key[0] in told and not key[1]:  # no data in one period, broken down in another
            continue
        first, last, whole = (column.get(key) for column in by_key)
        one = labels[key]
        label = one["label"]["en"] if one["label"] else one["metric"]
        yield " ".join((label, *key[1])), first, last, whole


def _key(figure: Told) -> Key:
    return figure["metric"], tuple(figure["dimensions"].values())


def _value(figure: Told | None, *, change: bool = False) -> str:
    if figure is None:
        return "–"
    return value_in_words(figure if change else {**figure, "change": None})


def _days(period: tuple[date, date]) -> dict[str, str]:
    return {"from": period[0].isoformat(), "to": period[1].isoformat()}


def _in_words(period: tuple[date, date]) -> str:
    first, last = period
    return f"{first:%b} – {last:%b}"
