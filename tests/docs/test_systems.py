"""Everything the source documents ask for is somewhere in the ledger, and nothing in the ledger is for nothing."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from ledger.events import CATALOGUE
from ledger.rulebook.loading import default_book
from projections.tables import READABLE
from projections.tables.standing import STANDING

Rows = dict[str, dict[str, Any]]


@pytest.fixture
def rows(root: Path) -> Rows:
    told: Rows = yaml.safe_load((root / "docs" / "systems.yaml").read_text("utf-8"))["systems"]
    return told


@pytest.fixture
def check(generator: ModuleType) -> Callable[[Rows], None]:
    """docs/systems.py's own check, against the code."""
    systems = importlib.import_module("systems")
    known = systems.named(name for name, _ in generator.every_command())
    return lambda rows: systems.check(rows, known)


def test_every_row_of_the_source_documents_is_there_in_order(rows: Rows) -> None:
    counts = {"S0": 14, "S1": 12, "S2": 8}
    assert list(rows) == [f"{name}-{nth}" for name, last in counts.items() for nth in range(1, last + 1)]


def test_every_event_type_table_and_kpi_belongs_to_a_row(rows: Rows) -> None:
    there = {
        "events": set(CATALOGUE),
        "tables": {*READABLE, *STANDING},
        "kpis": {metric.name for metric in default_book().metrics},
    }
    assert {key: {name for told in rows.values() for name in told[key]} for key in there} == there


def test_the_page_names_every_row_with_all_it_has(rows: Rows, reference: dict[str, str]) -> None:
    parts = reference["systems.md"].split("\n### ")[1:]
    sections = {part.split(" ", 1)[0]: part for part in parts}
    assert set(sections) == set(rows)
    for row, told in rows.items():
        for key in ("events", "tables", "kpis"):
            assert all(f"[`{name}`](" in sections[row] for name in told[key]), row
        assert all(f"[`reqledger {name}`](" in sections[row] for name in told.get("commands", ())), row


def test_what_stands_there_is_so(rows: Rows, check: Callable[[Rows], None]) -> None:
    check(rows)


@pytest.mark.parametrize("key", ["events", "tables", "kpis", "commands"])
def test_a_name_that_does_not_exist_is_refused(
    generator: ModuleType, rows: Rows, check: Callable[[Rows], None], key: str
) -> None:
    wrong = copy.deepcopy(rows)
    wrong["S0-1"][key] = [*wrong["S0-1"].get(key, ()), "no_such_thing"]
    with pytest.raises(generator.Undocumented, match="no_such_thing"):
        check(wrong)


@pytest.mark.parametrize("key", ["events", "tables"])
def test_a_row_without_events_or_tables_is_refused(
    generator: ModuleType, rows: Rows, check: Callable[[Rows], None], key: str
) -> None:
    wrong = copy.deepcopy(rows)
    wrong["S0-1"][key] = []
    with pytest.raises(generator.Undocumented, match="S0-1"):
        check(wrong)


@pytest.mark.parametrize(
    ("key", "name"), [("events", "contact.screened"), ("tables", "tellings"), ("kpis", "win_back")]
)
def test_what_belongs_to_no_row_is_refused(
    generator: ModuleType, rows: Rows, check: Callable[[Rows], None], key: str, name: str
) -> None:
    wrong = copy.deepcopy(rows)
    for told in wrong.values():
        told[key] = [each for each in told[key] if each != name]
    with pytest.raises(generator.Undocumented, match=name):
        check(wrong)


def test_a_row_that_is_missing_is_refused(generator: ModuleType, rows: Rows, check: Callable[[Rows], None]) -> None:
    with pytest.raises(generator.Undocumented, match="S2-8"):
        check({row: told for row, told in rows.items() if row != "S2-8"})
