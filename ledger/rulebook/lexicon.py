"""What the rule book's expressions are written in: words, names, numbers, texts and signs, and nothing besides.

An expression is looked at here before any parser sees it. What a parser is never given it cannot misread: comments,
casts, parameters, other dialects and other alphabets end here, each at its place.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
from typing import NamedTuple

KEYWORDS = frozenset(("and", "or", "not", "is", "null", "in", "true", "false", "coalesce"))
KEYWORDS |= frozenset(("case", "when", "then", "else", "end"))
COMMENTS = ("--", "/*", "*/", "//", "#", "{#", "{%")
MAX_NESTING = 16
"""Brackets, CASEs, NOTs and minuses within one another: a parser takes some thirty calls for each."""
BETWEEN = frozenset(("=", "<", ">", "<>", "!=", "<=", ">=", "+", "*", ",", "and", "or"))
"""What stands between two values."""
OPENING = BETWEEN | frozenset(("", "(", "-", "not", "is", "in", "case", "when", "then", "else"))
"""What a value may come after."""
OPERATORS = tuple("=<>!~|&^%/")
"""What may not follow a sign at once: together they are one of some dialect."""

TOKEN = re.compile(
    r"""
      (?P<space>[ \t\r\n]+)
    | (?P<text>'(?:[^']|'')*')
    | (?P<number>[0-9]+)
    | "(?P<quoted>[a-z_][a-z0-9_]*)(?:"\."(?P<part>[a-z_][a-z0-9_]*))?"
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
    | (?P<sign><>|!=|<=|>=|[=<>+\-*(),])
    """,
    re.VERBOSE,
)
UNSEEN = {"Cc": "a control character", "Cf": "a character that cannot be seen", "Cs": "half a character",
          "Zl": "a line separator", "Zp": "a paragraph separator"}  # fmt: skip
"""Kinds of characters (Unicode's) that no text may hold: engines refuse some, and nobody reads the others."""


class Stray(NamedTuple):
    """Something that is not of the language: at which character, counted from 0, and why."""

    place: int
    problem: str


def stray(text: str, columns: Container[str]) -> Stray | None:
    """The first thing in an expression that is not of the language; columns are the only names there are."""
    at, before = 0, ("", "")
    levels: list[int] = []
    prefixes = 0
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None or text.startswith(COMMENTS, at):
            return Stray(at, _unknown(text, at))
        token, kind = found.group().lower(), str(found.lastgroup)
        if kind != "space":
            problem = _misfit(found, kind, text, columns) or _misplaced(before, token)
            if kind == "sign" and token not in "(,)" and text[found.end() : found.end() + 1] in OPERATORS:
                return Stray(found.end(), _unknown(text, found.end()))
            if token in ("(", "case"):
                levels.append(prefixes)
            elif token in (")", "end") and levels:
                levels.pop()
            prefixes = prefixes + 1 if token in ("not", "-") else 0
            if len(levels) + sum(levels) + prefixes > MAX_NESTING:
                problem = problem or f"nested more than {MAX_NESTING} deep in brackets, CASEs, NOTs and minuses"
            if problem:
                return Stray(at, problem)
            before = (before[1], token)
        at = found.end()
    return None


def _misfit(found: re.Match[str], kind: str, text: str, columns: Container[str]) -> str | None:
    """What is wrong with a token in itself."""
    glued = found.end() < len(text) and (text[found.end()] in "'\"" or text[found.end()].isalnum())
    if glued and kind in ("word", "number", "quoted", "part"):
        what = "a number" if kind == "number" else f"{found.group()[:40]}"
        return f"{what} with {text[found.end()]!r} at its end is not allowed in a rule book"
    match kind:
        case "text":
            for character in found.group():
                strange = UNSEEN.get(unicodedata.category(character))
                if strange:
                    return f"the text holds {strange}, U+{ord(character):04X}"
        case "quoted" | "part":
            return _unnamed(".".join(filter(None, found.group("quoted", "part"))), columns)
        case "word" if found.group().lower() not in KEYWORDS:
            if text[found.end() :].lstrip(" \t\r\n").startswith("("):
                return f"{found.group()[:60].upper()} is not allowed in a rule book"
            return _unnamed(found.group(), columns)
    return None


def _unnamed(name: str, columns: Container[str]) -> str | None:
    return None if name in columns else f"there is no column {name[:60]!r}"


def _misplaced(before: tuple[str, str], token: str) -> str | None:
    """What is wrong with a token after those before it, where a parser is more lenient than SQL."""
    if (token in BETWEEN or token == ")") and before[1] in OPENING:
        return "a value is missing before this"
    if token == "null" and before[1] == "not" and before[0] != "is":
        return "write IS NOT NULL"
    if (before[1] == "is" and token not in ("null", "not")) or (before == ("is", "not") and token != "null"):
        return "only IS NULL and IS NOT NULL are allowed"
    return None


def _unknown(text: str, at: int) -> str:
    comment = next((mark for mark in COMMENTS if text.startswith(mark, at)), None)
    if comment:
        return f"comments are not allowed, nor is {comment!r}"
    character = text[at]
    if character == "'":
        return "the text is not closed"
    if character == '"':
        return "a name in double quotes is a column's, in small letters"
    name = "" if "!" <= character <= "~" else f" ({unicodedata.name(character, 'without a name')})"
    told = repr(character) if character.isprintable() else f"U+{ord(character):04X}"
    return f"{told}{name} is not allowed in a rule book"
