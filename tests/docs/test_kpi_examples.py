"""The worked example of every KPI is what the ledger really answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
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
from projections.generations import live
from projections.kpis import figures
from projections.projector import Batches
from replays.founding import found

ZONE = ZoneInfo("Asia/Shanghai")
Examples = dict[str, dict[str, Any]]


@pytest.fixture
def examples(root: Path) -> Examples:
    told: Examples = yaml.safe_load((root / "docs" / "kpi_examples.yaml").read_text("utf-8"))
    return told


def claims(metric: str, example: dict[str, Any]) -> Iterator[Claim]:
    for number, text in enumerate(example["events"]):
        at, kind, subject, *data = text.split(" ", 3)
        told = yaml.safe_load(data[0]) if data else {}
        # YAML makes a time of what is written like one
        told = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in told.items()}
        occurred_at = datetime.fromisoformat(at).replace(tzinfo=ZONE)
        yield claim(kind, subject, told, id=f"{metric}/{number}", source="/docs", occurred_at=occurred_at)


def test_every_example_gives_what_it_says(
    examples: Examples, settings: Settings, open_ledger: Callable[..., Ledger]
) -> None:
    assert list(examples) == [metric.name for metric in default_book().metrics]
    ledger = open_ledger(settings)
    found(ledger)
    answers = {}
    with ledger.database.connect() as connection:
        batches = Batches(ledger, connection, live(connection))
        # one after the other: a figure asked of a moment must not see what the examples after it tell
        for name, example in examples.items():
            for outcome in ledger.append([[each] for each in claims(name, example)], "docs"):
                assert not isinstance(outcome, LedgerError), outcome
            batches.catch_up()
            answers[name] = answer(ledger, name, example)
    assert answers == {name: {"open": 0} | example["gives"] for name, example in examples.items()}


def answer(ledger: Ledger, name: str, example: dict[str, Any]) -> dict[str, int]:
    first, last = date.fromisoformat(example["from"]), date.fromisoformat(example["to"])
    long_after = (datetime(last.year, last.month, last.day) + timedelta(days=365)).isoformat()
    asked = datetime.fromisoformat(example.get("asked", long_after)).replace(tzinfo=ZONE)
    with ledger.database.connect() as connection, connection.transaction():
        told = figures(connection, [name], asked=instant_us(asked), first=first, last=last)
    (figure,) = told.figures
    if figure.metric.type == "median":
        assert isinstance(figure.value, int)
        return {"seconds": figure.value // 1_000_000, "denominator": figure.denominator, "open": figure.open}
    assert figure.numerator is not None
    return {"numerator": figure.numerator, "denominator": figure.denominator, "open": figure.open}
