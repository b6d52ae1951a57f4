"""What the code says only in its source: which rules refuse, and which statuses problems are answered with."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

from api.http import application
from ledger.aggregates.merging import LONGEST_CHAIN
from ledger.events import AGGREGATES, CATALOGUE

ROOT = Path(__file__).parent.parent
CONSTANTS: Mapping[str, object] = {"LONGEST_CHAIN": LONGEST_CHAIN}


def problem_statuses() -> dict[str, set[int]]:
    """The HTTP statuses each kind of problem is answered with, found where problems are made."""
    found: dict[str, set[int]] = {}
    for call in calls("api/http", "Problem"):
        match call.args:
            case [ast.Constant(value=int(status)), ast.Constant(value=str(kind)), *_]:
                found.setdefault(kind, set()).add(status)
    for status, kind in application._KINDS.items():
        found.setdefault(kind, set()).add(status)
    return found


def refusal_rules() -> dict[str, list[str]]:
    """Every rule that refuses: name → what it says, with the places of values named in ‹brackets›."""
    found: dict[str, list[str]] = {}
    own = ("ledger/errors.py", "ledger/second_person.py")
    for call in (*calls("ledger", "Refused"), *(call for place in own for call in calls(place, "__init__"))):
        if len(call.args) < 2 or not isinstance(call.args[0], ast.Constant | ast.JoinedStr):
            continue
        name = said(call.args[0])
        for aggregate in AGGREGATES if "‹aggregate›" in name else ["‹aggregate›"]:
            if aggregate in AGGREGATES and not applies(name.split(".")[1], aggregate):
                continue
            texts = found.setdefault(name.replace("‹aggregate›", aggregate), [])
            text = said(call.args[1]).replace("‹aggregate›", aggregate)
            if text not in texts:
                texts.append(text)
    return found


def applies(rule: str, aggregate: str) -> bool:
    """Whether a rule shared by several aggregates can refuse an event of this one."""
    if rule == "already_opened":
        return hasattr(AGGREGATES[aggregate].module, "refuse_later")
    types = [known for known in CATALOGUE.values() if known.aggregate == aggregate]
    if rule == "never_opened":
        return not all(known.opens for known in types)
    return "merge" not in rule or f"{aggregate}.merged" in CATALOGUE


def calls(place: str, function: str) -> Iterator[ast.Call]:
    path = ROOT / place
    for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and function in (
                getattr(node.func, "id", ""),
                getattr(node.func, "attr", ""),
            ):
                yield node


def said(node: ast.expr) -> str:
    """A text in the code, what is filled in named by the last part of its name."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(said(part) for part in parts)
        case ast.FormattedValue(value=ast.Attribute(attr=name)) | ast.FormattedValue(value=ast.Name(id=name)):
            return str(CONSTANTS.get(name, f"‹{name}›"))
    return "‹…›"
