"""The worked example of every KPI is what the ledger really answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from ledger.claims import Claim, claim
from ledger.errors import LedgerError
from ledger.log.application import Ledger
from ledger.rulebook.loading import default_book
from ledger.rulebook.model import instant_us
from ledger.settings import Settings
from projections.freezing import freeze
from projections.generations import live
from projections.kpis import Figure, figures
from projections.projector import Batches
from replays.founding import found

ZONE = ZoneInfo("Asia/Shanghai")
MANY = re.compile(r"\{(\d+)\.\.(\d+)\}")
Example = dict[str, Any]


@pytest.fixture
def examples(root: Path) -> dict[str, Example]:
    told: dict[str, Example] = yaml.safe_load((root / "docs" / "kpi_examples.yaml").read_text("utf-8"))
    return told


def test_every_example_gives_what_it_says(
    examples: dict[str, Example], settings: Settings, open_ledger: Callable[..., Ledger]
) -> None:
    assert list(examples) == [metric.name for metric in default_book().metrics]
    ledger = open_ledger(settings)
    found(ledger)
    with ledger.database.connect() as connection:
        batches = Batches(ledger, connection, live(connection))
        # one after the other: a figure asked of a moment must not see what the examples after it tell
        answers = [(name, answer(ledger, batches, name, nth, example)) for name, nth, example in _each(examples)]
    assert answers == [(name, example["gives"]) for name, _, example in _each(examples)]


def test_some_example_has_a_baseline_and_a_change_some_are_broken_down(examples: dict[str, Example]) -> None:
    told = [example for _, _, example in _each(examples)]
    assert any("freeze" in example and {"change", "verdict"} <= example["gives"].keys() for example in told)
    always = {metric.name for metric in default_book().metrics if metric.per}
    assert {name for name, example in examples.items() if len(_groups(example["gives"])) > 1} == always


def answer(ledger: Ledger, batches: Batches, name: str, nth: int, example: Example) -> dict[str, Any]:
    """What the ledger says once the example is told, as far as the example speaks of it."""
    for outcome in ledger.append([[each] for each in claims(f"{name}/{nth}", example)], "docs"):
        assert not isinstance(outcome, LedgerError), outcome
    batches.catch_up()
    if frozen := example.get("freeze"):
        freeze(ledger, name, *_days(frozen), key_id="docs")
    first, last = _days(example)
    long_after = (datetime(last.year, last.month, last.day) + timedelta(days=365)).isoformat()
    asked = datetime.fromisoformat(example.get("asked", long_after)).replace(tzinfo=ZONE)
    with ledger.database.connect() as connection, connection.transaction():
        told = figures(connection, [name], asked=instant_us(asked), first=first, last=last).figures
    gives = example["gives"]
    if told[0].metric.per:
        return {value: said(one, gives.get(value, {})) for one in told for value in one.dimensions.values()}
    (figure,) = told
    return said(figure, gives)


def said(figure: Figure, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A figure as examples write it: the parts always, an open number where there is one, what else is wanted."""
    parts: dict[str, Any] = {"numerator": figure.numerator, "denominator": figure.denominator}
    if figure.metric.type == "median":
        assert isinstance(figure.value, int)
        parts = {"seconds": figure.value // 1_000_000, "denominator": figure.denominator}
    if figure.open:
        parts["open"] = figure.open
    if figure.metric.unit != "percent" or "value" in wanted:
        assert isinstance(figure.value, Decimal)
        parts["value"] = _plain(figure.value)
    if "change" in wanted:
        assert figure.change is not None
        parts["change"] = f"{_plain(figure.change * 100)} %"
    if "verdict" in wanted:
        parts["verdict"] = figure.verdict
    return parts


def claims(source: str, example: Example) -> Iterator[Claim]:
    """The example's events; `MS-{1..40}` is told of each of the forty."""
    for number, text in enumerate(example["events"]):
        at, kind, subject, *data = text.split(" ", 3)
        told = yaml.safe_load(data[0]) if data else {}
        # YAML makes a time of what is written like one
        told = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in told.items()}
        occurred_at = datetime.fromisoformat(at).replace(tzinfo=ZONE)
        for one in _many(subject):
            yield claim(kind, one, told, id=f"{source}/{number}/{one}", source="/docs", occurred_at=occurred_at)


def _many(subject: str) -> Iterator[str]:
    many = MANY.search(subject)
    if many is None:
        yield subject
        return
    for each in range(int(many[1]), int(many[2]) + 1):
        yield subject.replace(many[0], str(each))


def _each(examples: dict[str, Example]) -> Iterator[tuple[str, int, Example]]:
    for name, example in examples.items():
        yield name, 0, example
        if "compared" in example:
            yield name, 1, example["compared"]


def _groups(gives: Mapping[str, Any]) -> list[str]:
    return [name for name, part in gives.items() if isinstance(part, dict)]


def _days(told: Mapping[str, str]) -> tuple[date, date]:
    return date.fromisoformat(told["from"]), date.fromisoformat(told["to"])


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"
