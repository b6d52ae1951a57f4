"""Nothing goes undocumented: the reference pages are those the code makes, and they name all there is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import typer

from api.cli import app as commands
from api.http.access import ACCESS
from api.http.metrics import Metrics
from api.http.problems import TITLES
from api.importer.loading import shipped
from api.importer.model import Mapping
from ledger.events import AGGREGATES, CATALOGUE
from ledger.rulebook.loading import default_book
from ledger.rulebook.model import RuleBook
from ledger.settings import Settings
from projections.tables import READABLE
from projections.tables.standing import STANDING

Pages = dict[str, str]
MEASURED = "benchmarks.md"
"""The page that is not made of the code but of what it was seen to do."""


def test_the_reference_is_what_the_code_makes(root: Path, reference: Pages) -> None:
    written = {file.name: file.read_text("utf-8") for file in (root / "docs" / "reference").iterdir()}
    written.pop(MEASURED)
    stale = sorted(name for name in written.keys() | reference.keys() if written.get(name) != reference.get(name))
    assert not stale, f"{', '.join(stale)} out of date: run .venv/bin/python docs/generate.py"


def test_the_same_code_makes_the_same_pages(generator: ModuleType, reference: Pages) -> None:
    assert generator.pages() == reference


def test_every_event_type_with_every_field(reference: Pages) -> None:
    sections = _sections(reference["events.md"], "### ")
    assert set(sections) == set(CATALOGUE)
    for name, known in CATALOGUE.items():
        for word in (known.label.en, known.label.zh, *(f"| `{field.name}` |" for field in known.fields)):
            assert word in sections[name], f"{name}: {word}"
        for field in known.fields:
            assert not field.personal or "⚿" in sections[name]
            assert all(f"`{choice.value}`" in sections[name] for choice in field.choices or ())
    assert all(aggregate.label.zh in reference["events.md"] for aggregate in AGGREGATES.values())


def test_every_table_with_every_column(generator: ModuleType, reference: Pages) -> None:
    sections = _sections(reference["tables.md"], "## ")
    late = sections.pop(generator.STANDING_TITLE)
    assert set(sections) == set(READABLE)
    sections |= _sections(late, "### ")
    assert set(sections) == {*READABLE, *STANDING}
    for name, table in {**READABLE, **STANDING}.items():
        assert table.label.zh in sections[name]
        rows = [line for line in sections[name].splitlines() if line.startswith("| `")]
        assert [row.split("`")[1] for row in rows] == list(table.columns)
        assert all(row.split("|")[3].strip() for row in rows), "a column without what sets it"


def test_every_kpi_and_clock(reference: Pages) -> None:
    book = default_book()
    kpis = _sections(reference["kpis.md"], "## ")
    assert set(kpis) == {metric.name for metric in book.metrics}
    assert all(metric.label.zh in kpis[metric.name] and "this gives" in kpis[metric.name] for metric in book.metrics)
    assert set(_sections(reference["clocks.md"], "## ")) == {target.name for target in book.targets} | {"Calendars"}


def test_every_route_with_its_roles(reference: Pages) -> None:
    sections = _sections(reference["http.md"], "## ")
    assert set(sections) == {f"{method} {path}" for method, path in ACCESS}
    for (method, path), roles in ACCESS.items():
        assert ", ".join(sorted(roles)) in sections[f"{method} {path}"]


def test_every_command_with_every_option(reference: Pages) -> None:
    sections = _sections(reference["commands.md"], "## ")
    found = dict(_commands(typer.main.get_command(commands), "reqledger"))
    assert set(sections) == set(found)
    for name, options in found.items():
        assert not [option for option in options if option not in sections[name]], name


def test_every_setting(reference: Pages) -> None:
    for name, info in Settings.model_fields.items():
        assert f"`LEDGER_{name.upper()}`" in reference["settings.md"]
        assert info.description, f"{name} has no description"


def test_every_rule_book_key_and_mapping_key(reference: Pages) -> None:
    for model, page in ((RuleBook, "rule-book.md"), (Mapping, "mappings.md")):
        for name in _keys(model.model_json_schema()):
            assert f"| `{name}` |" in reference[page], f"{page}: {name}"
    assert all(name in reference["mappings.md"] for name in shipped())


def test_every_problem_and_every_rule_that_refuses(root: Path, reference: Pages) -> None:
    page = reference["problems.md"]
    for kind in TITLES:
        (row,) = (line for line in page.splitlines() if line.startswith(f"| `{kind}` |"))
        assert row.split("|")[2].strip(), f"{kind} has no status"
    assert not [rule for rule in _rules(root) if f"| `{rule}` |" not in page]


def test_every_metric(reference: Pages) -> None:
    exposed = Metrics().exposition().decode().splitlines()
    names = [line.split()[2] for line in exposed if line.startswith("# TYPE ")]
    assert len(names) > 10
    assert not [name for name in names if name.removesuffix("_created") not in reference["metrics.md"]]


@pytest.mark.parametrize("section", ["tables", "rule_book_keys", "mapping_keys", "clock_columns"])
def test_words_without_a_thing_are_refused(generator: ModuleType, section: str) -> None:
    with pytest.raises(generator.Undocumented):
        generator.same(section, {"no_such_thing"}, set())


def _sections(page: str, mark: str) -> dict[str, str]:
    """The text under each heading of one level; an event's heading is below that of its aggregate."""
    parts = f"\n{page}".split(f"\n{mark}")[1:]
    return {part.split("\n", 1)[0]: part.split("\n## ")[0] for part in parts}


def _commands(group: object, path: str) -> Iterator[tuple[str, list[str]]]:
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        if hasattr(command, "commands"):
            yield from _commands(command, f"{path} {name}")
        else:
            shown = [each for each in command.params if not getattr(each, "hidden", False)]
            options = [option for each in shown for option in each.opts if option.startswith("--")]
            yield f"{path} {name}", options


def _keys(schema: dict[str, object]) -> Iterator[str]:
    """The names of all keys in a model's JSON Schema, its parts' too; a duration's inside is no key."""
    for name, part in [("", schema), *schema.get("$defs", {}).items()]:  # type: ignore[attr-defined]
        if name != "Duration":
            yield from part.get("properties", {})


def _rules(root: Path) -> Iterator[str]:
    """Names of rules that stand in the code as they are; those made per aggregate have no name there."""
    for file in (root / "ledger").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refused" and node.args:
                match node.args[0]:
                    case ast.Constant(value=str(rule)):
                        yield rule
                    case ast.JoinedStr(values=[_, ast.Constant(value=str(rest))]):
                        yield f"contact{rest}"
