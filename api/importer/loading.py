"""Reading a mapping from YAML, with messages that point at line and key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import yaml
from pydantic import ValidationError

from api.importer.errors import BadMapping
from api.importer.model import Mapping
from ledger.rulebook.loading import line_of
from ledger.safe_yaml import SafeLoader

Place = Sequence[int | str]


class _Loader(SafeLoader):
    """Reads days and times as the text they are written in: a constant of a field that is a day is text."""


_Loader.yaml_implicit_resolvers = {
    start: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for start, resolvers in SafeLoader.yaml_implicit_resolvers.items()
}


class Loaded:
    """A mapping with the text it came from, so that what is wrong can be shown where it stands."""

    def __init__(self, mapping: Mapping, tree: yaml.Node, name: str) -> None:
        self.mapping = mapping
        self.name = name
        self._tree = tree

    def wrong(self, place: Place, reason: str) -> str:
        """One line of a BadMapping's message."""
        return f"{self.name}:{line_of(self._tree, place)}: {_key(place)}: {reason}"


def shipped() -> list[str]:
    """The names of the mappings that come with the program."""
    folder = files("api.importer").joinpath("mappings")
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load(mapping: str | Path) -> Loaded:
    """Read a mapping from a file, or a shipped one by its name. Raises BadMapping."""
    if str(mapping) in shipped():
        text = files("api.importer").joinpath("mappings", f"{mapping}.yaml").read_text(encoding="utf-8")
        return parse(text, f"{mapping}.yaml")
    path = Path(mapping)
    try:
        return parse(path.read_text(encoding="utf-8"), path.name)
    except FileNotFoundError:
        raise BadMapping(f"{mapping}: no such file, nor a shipped mapping ({', '.join(shipped())})") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadMapping(f"{mapping}: cannot be read: {error}") from error


def parse(text: str, name: str = "mapping") -> Loaded:
    """Parse and validate the text of a mapping. Raises BadMapping."""
    try:
        tree = yaml.compose(text, Loader=SafeLoader)
        content = yaml.load(text, Loader=_Loader)
        twice = [f"{name}:{line}: {key}: stands twice" for line, key in _repeated(tree)]
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or error
        raise BadMapping(f"{name}:{mark.line + 1 if mark else 1}: not YAML: {reason}") from error
    if tree is None:
        raise BadMapping(f"{name}:1: mapping: the file is empty")
    if twice:
        raise BadMapping("\n".join(twice))
    try:
        return Loaded(Mapping.model_validate(content), tree, name)
    except ValidationError as error:
        raise BadMapping("\n".join(_lines(error, tree, name))) from error


def _lines(error: ValidationError, tree: yaml.Node, name: str) -> Iterator[str]:
    for each in error.errors():
        place = each["loc"]
        reason = "is not a key that stands here" if each["type"] == "extra_forbidden" else each["msg"]
        yield f"{name}:{line_of(tree, place)}: {_key(place) or 'mapping'}: {reason.removeprefix('Value error, ')}"


def _key(place: Place) -> str:
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _repeated(node: yaml.Node | None) -> Iterator[tuple[int, str]]:
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                yield key.start_mark.line + 1, key.value
            seen.add(key.value)
            yield from _repeated(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated(item)
