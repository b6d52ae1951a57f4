"""Text on its way into a page: escaped, with what would turn or hide other text made visible."""

from __future__ import annotations

import re
from html import escape
from typing import Final

DIRECTIONS: Final = re.compile("[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
"""Characters that turn the direction of what follows, or are not seen at all."""
NOT_TEXT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""What XML cannot hold, and control characters."""


def text(value: object) -> str:
    """A value as text of HTML or XML, between tags or in an attribute's quotes."""
    cleaned = NOT_TEXT.sub("\ufffd", str(value))
    return escape(DIRECTIONS.sub(lambda found: f"[U+{ord(found[0]):04X}]", cleaned))


def told(value: object) -> str:
    """Text that came with the data, kept apart from the direction of the text around it."""
    return f"<bdi>{text(value)}</bdi>"


def wide(value: str) -> float:
    """About how wide a text is, in ems: Chinese characters are twice as wide as Latin ones."""
    return sum(1.0 if ord(character) >= 0x2E80 else 0.56 for character in value)


def shortened(value: str, ems: float) -> str:
    """A text that fits into a width, cut with an ellipsis where it does not."""
    if wide(value) <= ems:
        return value
    kept = ""
    for character in value:
        if wide(kept + character) > ems - 1:
            break
        kept += character
    return kept + "…"
