"""The page that says where each thing the source documents ask for is in the ledger, out of systems.yaml."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from writing import Undocumented, Words, code, same

from ledger.events import CATALOGUE
from ledger.rulebook.loading import default_book
from projections.tables import READABLE
from projections.tables.standing import STANDING

ROWS = (
    *(f"S0-{nth}" for nth in range(1, 15)),
    *(f"S1-{nth}" for nth in range(1, 13)),
    *(f"S2-{nth}" for nth in range(1, 9)),
)
"""Every row there must be."""

KEYS = ("name", "asks", "events", "tables", "kpis", "commands")
NEEDED = ("events", "tables")
"""What every row has some of: nothing can be asked for that is told by no event and stands in no table."""


def named(commands: Iterable[str]) -> Mapping[str, set[str]]:
    """All that rows may name, by key; `commands` are those of the command line."""
    return {
        "events": set(CATALOGUE),
        "tables": {*READABLE, *STANDING},
        "kpis": {metric.name for metric in default_book().metrics},
        "commands": set(commands),
    }


def check(rows: Words, known: Mapping[str, set[str]]) -> None:
    """Raise Undocumented for a row that is missing or empty, a name that does not exist, or one that no row has."""
    same("systems.yaml", rows, ROWS)
    for row, told in rows.items():
        same(f"systems.yaml: {row}", {"commands", *told}, KEYS)
        for key, names in known.items():
            wrong = {*told.get(key, ())} - names
            if wrong:
                raise Undocumented(f"docs/systems.yaml: {row}: {key}: there is no {', '.join(sorted(wrong))}")
        empty = [key for key in NEEDED if not told[key]]
        if empty:
            raise Undocumented(f"docs/systems.yaml: {row} has no {' and no '.join(empty)}")
    for key in ("events", "tables", "kpis"):
        same(f"systems.yaml: {key}", {name for told in rows.values() for name in told[key]}, known[key])


def page(words: Words, told: Words, commands: Iterable[str]) -> Iterator[str]:
    """The page's lines. Raises Undocumented as `check` does."""
    rows = told["systems"]
    check(rows, named(commands))
    yield from ["# What the documents ask for", "", words["pages"]["systems"]]
    for document, title in told["documents"].items():
        yield from ["", f"## {document} {title['zh']}", "", f"{title['en']}."]
        for row, system in rows.items():
            if row.startswith(f"{document}-"):
                yield from ["", f"### {row} {system['name']['en']} {system['name']['zh']}", "", system["asks"], ""]
                yield from lists(system)


def lists(system: Words) -> Iterator[str]:
    yield "- events: " + ", ".join(link("events.md", name) for name in system["events"])
    yield "- tables: " + ", ".join(link("tables.md", name) for name in system["tables"])
    yield "- KPIs: " + (", ".join(link("kpis.md", name) for name in system["kpis"]) or "none")
    if commands := system.get("commands"):
        yield "- commands: " + ", ".join(link("commands.md", f"reqledger {name}") for name in commands)


def link(file: str, name: str) -> str:
    return f"[{code(name)}]({file}#{name.replace('.', '').replace(' ', '-')})"
