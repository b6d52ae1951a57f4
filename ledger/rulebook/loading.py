"""Reading a rule book from YAML, with messages that point at line and key."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from yaml.constructor import ConstructorError

from ledger.rulebook.model import RuleBook
from ledger.safe_yaml import SafeLoader


class BadRuleBook(ValueError):
    """The rule book cannot be used; every line of the message says where and why."""


class _Loader(SafeLoader):
    """YAML in which no key stands twice, and in which every error has its place."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:  # a day like 2026-02-30
            raise ConstructorError(problem=str(error), problem_mark=node.start_mark) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise ConstructorError(problem=f"{key.value} stands there twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def load(text: str, source: str = "rule book") -> RuleBook:
    """Parse and validate one book.

    Raises BadRuleBook; each of its lines reads `source:line: key: what is wrong`.
    """
    try:
        loader = _Loader(text)
        tree = loader.get_single_node()
        content = None if tree is None else loader.construct_document(tree)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        # where the text ends too early, libyaml names the line after it
        line = min(mark.line, text.count("\n")) + 1 if mark else 1
        raise BadRuleBook(f"{source}:{line}: not YAML: {getattr(error, 'problem', None) or error}") from error
    try:
        return RuleBook.model_validate(content)
    except ValidationError as error:
        problems = [(_place(each), each["msg"]) for each in error.errors()]
        lines = (f"{source}:{line_of(tree, at)}: {'.'.join(map(str, at)) or 'book'}: {said}" for at, said in problems)
        raise BadRuleBook("\n".join(lines)) from error


def _place(error: ErrorDetails) -> tuple[int | str, ...]:
    """The keys down to what is wrong; a check over several of them says itself which it is (hours.misplaced)."""
    return (*error["loc"], *error.get("ctx", {}).get("at", ()))


def load_all(text: str) -> list[RuleBook]:
    """The books of a YAML stream, each of which is valid."""
    contents = yaml.load_all(text, Loader=_Loader)
    return [RuleBook.model_validate(content) for content in contents if content is not None]


def line_of(tree: yaml.Node | None, path: Sequence[int | str]) -> int:
    """The line, counted from 1, of the deepest part of the path that the text holds."""
    node: Any = tree
    line = node.start_mark.line + 1 if node is not None else 1
    for part in path:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


@cache
def default_text() -> str:
    """The book that a new ledger publishes first, as YAML."""
    return files("ledger.rulebook").joinpath("default.yaml").read_text(encoding="utf-8")


@cache
def default_book() -> RuleBook:
    return load(default_text(), "default.yaml")
