"""The hand-written pages: links lead somewhere, every page can be found, and what they show is so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.importer import import_file
from ledger.events import CATALOGUE
from ledger.settings import Settings

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|src=\"([^\"]+)\"")
BLOCK = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in _links(page):
        assert target.exists(), f"{target} is not there"
        if anchor:
            assert anchor in _anchors(target), f"{target.name} has no heading #{anchor}"


def test_every_page_can_be_found() -> None:
    found, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in found or page.suffix != ".md":
            continue
        found.add(page)
        waiting += [target for target, _ in _links(page)]
    assert not sorted(str(page.relative_to(ROOT)) for page in set(PAGES) - found)


def test_each_threat_has_a_test_that_exists() -> None:
    page = (ROOT / "docs" / "explanation" / "threats.md").read_text("utf-8")
    named = re.findall(r"`(tests/[a-z_/]+\.py)::(test_\w+)`", page)
    assert len(named) > 30
    for file, test in named:
        assert f"def {test}(" in (ROOT / file).read_text("utf-8"), f"{file}::{test}"
    rows = [line for line in page.split("## What is not answered")[0].splitlines() if line.startswith("| ")]
    assert len(named) == len(rows) - 2 * page.split("## What is not answered")[0].count("| threat |")


def test_no_path_of_one_machine_stands_in_a_page() -> None:
    told = {
        page.name: re.findall(r"(?<![\w.~])/(?:home|root|tmp|work|Users)/\S*", page.read_text("utf-8"))
        for page in PAGES
    }
    assert not {name: paths for name, paths in told.items() if paths}


def test_event_types_and_settings_that_pages_name_exist() -> None:
    prefixes = "|".join(sorted({name.split(".")[0] for name in CATALOGUE}))
    kind = re.compile(rf"[`\"]((?:{prefixes})\.[a-z_]+)[`\"]")
    variable = re.compile(r"\bLEDGER_[A-Z_]+\b")
    settings = {f"LEDGER_{name.upper()}" for name in Settings.model_fields} | {"LEDGER_URL", "LEDGER_KEY"}
    for page in PAGES:
        if page.parent.name == "reference":
            continue
        text = page.read_text("utf-8")
        unknown = {name for name in kind.findall(text) if name not in CATALOGUE and not _is_rule(name)}
        assert not unknown, page
        assert not set(variable.findall(text)) - settings, page


def _is_rule(name: str) -> bool:
    return f"| `{name}` |" in (ROOT / "docs" / "reference" / "problems.md").read_text("utf-8")


def test_the_mapping_shown_imports_the_file_shown(tmp_path: Path) -> None:
    blocks = dict(BLOCK.findall((ROOT / "docs" / "how-to" / "write-a-mapping.md").read_text("utf-8")))
    file, mapping = tmp_path / "cases.csv", tmp_path / "cases.yaml"
    file.write_text(blocks["csv"])
    mapping.write_text(blocks["yaml"])
    report = import_file(file, mapping, None)
    assert (report.rows, report.events, report.refused) == (4, 2, 2)
    shown = (ROOT / "docs" / "how-to" / "import-a-file.md").read_text("utf-8")
    assert all(f"line {refusal.line}: {refusal.reason}" in shown for refusal in report.refusals)


def _links(page: Path) -> Iterator[tuple[Path, str]]:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.DOTALL)
    for written in LINK.findall(text):
        link = written[0] or written[1]
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        yield (page.parent / path).resolve() if path else page, anchor


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
