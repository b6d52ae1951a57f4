"""What differs between two rule books, part by part, named as the YAML names it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.rulebook.model import RuleBook

NAMED_BY: Mapping[str, str] = {
    **dict.fromkeys(("calendars", "dimensions", "targets", "metrics", "indicators"), "name"),
    "cadences": "tier",
    "levels": "priority",
    "goal": "from_month",
    "limits": "when",
    "cases": "when",
}
"""What tells the members of a list apart, where it is not their place."""
SPOKEN = frozenset({"name", "tier", "priority"})
"""Of these, what can stand in a path as a word: `targets.first_response`, but `limits[channel = 'email']`."""
WORDS = frozenset({"label", "version", "goal", "baseline", "unit", "programme_start"})
"""Parts that change no figure: texts, and what a figure is measured against."""
TASKS = frozenset({"indicators", "sampling", "duplicates", "voids"})
"""Parts that tasks go by (the churn watch, samples, duplicates, voiding), and no figure."""


@dataclass(frozen=True)
class Change:
    """A part that two books say differently; None where one does not have it. figures: whether it can move a figure."""

    path: str
    before: Any
    after: Any
    figures: bool


def changes(before: RuleBook, after: RuleBook) -> list[Change]:
    """All differences, in the order of the book; its own tests are left out."""
    return list(_changes((), _plain(before), _plain(after)))


def _plain(book: RuleBook) -> dict[str, Any]:
    found: dict[str, Any] = _said(book.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"tests"}))
    return found


def _said(value: Any) -> Any:
    """A part of a book as plain values; a duration as it is written."""
    if isinstance(value, dict):
        return value["text"] if value.keys() >= {"us", "text"} else {name: _said(part) for name, part in value.items()}
    return [_said(part) for part in value] if isinstance(value, list) else value


def _changes(path: tuple[str, ...], before: Any, after: Any) -> Iterator[Change]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            yield from _changes((*path, f".{name}"), before.get(name), after.get(name))
    elif isinstance(before, list) and isinstance(after, list):
        left, right = _members(path[-1][1:], before), _members(path[-1][1:], after)
        for name in dict.fromkeys([*left, *right]):
            yield from _changes((*path, name), left.get(name), right.get(name))
    else:
        parts = {part[1:] for part in path}
        yield Change("".join(path)[1:], before, after, figures=not parts & (WORDS | TASKS))


def _members(name: str, members: Sequence[Any]) -> dict[str, Any]:
    """A list as a mapping: to each member the step of the path that leads to it."""
    key = NAMED_BY.get(name)
    found: dict[str, Any] = {}
    for nth, member in enumerate(members):
        told = str(member.get(key, "otherwise") if key else nth) if isinstance(member, dict) else str(member)
        step = f".{told}" if key in SPOKEN else f"[{told}]"
        found[step if step not in found else f"[{nth}]"] = member
    return found
