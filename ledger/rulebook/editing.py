"""One-off changes of a rule book, told on one line each: `targets.first_response.limits[email]=12h`.

A path goes by the names of parts (`targets.first_response`, `cadences.high`); a member without a name is chosen in
brackets, by its place (`limits[0]`) or by words of its condition (`limits[email]`). `+=` and `-=` add to and take from
a list (`calendars.office.holidays+=2026-12-24`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import yaml

from ledger.rulebook.changes import NAMED_BY
from ledger.safe_yaml import SafeLoader

SETTING = re.compile(r"(?P<path>[a-z_][^=+]*?)\s*(?P<sign>\+=|-=|=)\s*(?P<value>.+)", re.DOTALL)
STEP = re.compile(r"\.?([a-z_][a-z0-9_]*)|\[([^\]]+)\]")
SCALAR_OF = {"limits": "within", "cases": "then", "cadences": "every"}
"""What a plain value given to a member of such a list stands for."""


class BadSetting(ValueError):
    """The change does not fit the book: which one, where, and what is there instead."""


def edited(text: str, settings: Iterable[str]) -> str:
    """A book's YAML with changes made to it, under the version `what-if`. Raises BadSetting."""
    book = yaml.load(text, Loader=SafeLoader)
    for setting in settings:
        _set(book, setting)
    # the book's own tests hold of the book as it was
    book.pop("tests", None)
    return yaml.safe_dump(book | {"version": "what-if"}, allow_unicode=True, sort_keys=False)


def _set(book: dict[str, Any], setting: str) -> None:
    found = SETTING.fullmatch(setting.strip())
    if not found:
        raise BadSetting(f"{setting!r} is not a change such as targets.first_response.limits[email]=12h")
    steps = _steps(found["path"], setting)
    place: Any = book
    for nth, (name, chosen) in enumerate(steps[:-1]):
        place = _member(place, name, chosen, [step[0] or "" for step in steps[:nth]], setting)
    holder, (name, chosen) = place, steps[-1]
    try:
        value = yaml.load(found["value"], Loader=SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadSetting(f"{setting!r}: its value is not YAML: {getattr(error, 'problem', None) or error}") from error
    if found["sign"] != "=":
        _listed(_member(holder, name, chosen, [], setting), value, found["sign"], setting)
    elif isinstance(holder, list):
        member = _member(holder, name, chosen, [steps[-2][0] or ""], setting)
        scalar = SCALAR_OF.get(steps[-2][0] or "")
        if scalar is None or isinstance(value, dict):
            holder[holder.index(member)] = value
        else:
            member[scalar] = value
    else:
        holder[name] = value


def _steps(path: str, setting: str) -> list[tuple[str | None, str | None]]:
    """The parts of a path: a name, or what stands in brackets."""
    steps, at = [], 0
    while at < len(path):
        found = STEP.match(path, at)
        if not found:
            raise BadSetting(f"{setting!r}: cannot read the path from {path[at:]!r} on")
        steps.append((found[1], found[2]))
        at = found.end()
    return steps


def _member(place: Any, name: str | None, chosen: str | None, path: list[str], setting: str) -> Any:
    if isinstance(place, dict):
        if name in place:
            return place[name]
        raise BadSetting(f"{setting!r}: there is no {name or chosen!r} here; there are {', '.join(map(str, place))}")
    if isinstance(place, list):
        wanted = name or chosen or ""
        known = [_names(member) for member in place]
        hits = [nth for nth, names in enumerate(known) if wanted in names] or (
            [int(wanted)] if wanted.isdigit() and int(wanted) < len(place) else []
        )
        hits = hits or [
            nth
            for nth, names in enumerate(known)
            if any(re.search(rf"\b{re.escape(wanted)}\b", each) for each in names)
        ]
        if len(hits) == 1:
            return place[hits[0]]
        told = "; ".join(" ".join(names) for names in known)
        raise BadSetting(f"{setting!r}: {len(hits)} members are {wanted!r}; there are: {told}")
    raise BadSetting(f"{setting!r}: {'.'.join(path)} has no parts")


def _names(member: Any) -> list[str]:
    if not isinstance(member, dict):
        return [str(member)]
    return [str(member[key]) for key in dict.fromkeys(NAMED_BY.values()) if key in member] or ["otherwise"]


def _listed(members: Any, value: Any, sign: str, setting: str) -> None:
    if not isinstance(members, list):
        raise BadSetting(f"{setting!r}: only lists are added to and taken from")
    for each in value if isinstance(value, list) else [value]:
        if sign == "+=":
            members.append(each)
        elif each in members:
            members.remove(each)
        else:
            raise BadSetting(f"{setting!r}: {each} is not there; there are {', '.join(map(str, members))}")
