"""What the writers of reference pages share: Markdown, and checks that words and code speak of the same things."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

Words = dict[str, Any]


class Undocumented(Exception):
    """Something in the code has no words in docs/, or words in docs/ have nothing in the code."""


def same(where: str, told: Iterable[str], there: Iterable[str]) -> None:
    """Raise Undocumented unless both name the same."""
    told, there = set(told), set(there)
    if told != there:
        raise Undocumented(f"docs: {where}: missing {sorted(there - told)}, gone from the code {sorted(told - there)}")


def nothing_left(where: str, left: set[Any]) -> None:
    """Raise Undocumented where words are left that nothing in the code took."""
    if left:
        raise Undocumented(f"docs/meanings.yaml: {where}: gone from the code {sorted(left)}")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for row in (heads, ["---"] * len(heads), *rows):
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"


def code(text: str) -> str:
    return f"`{text}`"


def json(value: Any) -> str:
    return orjson.dumps(value).decode()


def json_lines(value: Any) -> list[str]:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode().splitlines()
