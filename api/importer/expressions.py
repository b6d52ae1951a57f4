"""Templates, values and conditions of a mapping, compiled into functions of one row."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from api.importer.errors import RowRefused
from api.importer.model import Condition, Mapping, ValueSource
from api.importer.rows import Cell
from api.importer.times import reader
from ledger.events import Field

PREVIOUS = "previous."
_BRACES = re.compile(r"\{([^{}]+)\}")


@dataclass(slots=True)
class Moment:
    """A row being read: its cells, those of the group's previous row, and what the group remembers."""

    cells: list[Cell]
    previous: list[Cell] | None
    remembered: dict[str, str]
    line: int
    digest: str
    copy: int


Getter = Callable[[Moment], Any]
"""The value for a row; None when it is not there."""
Complain = Callable[[str], None]


class Names:
    """What a template may name: the file's columns, `previous.` columns, what is remembered, `line`, `digest`, `copy`.

    `line` is the line the row begins on, `digest` 24 hexadecimal digits over the identity's cells, and `copy` counts
    the rows with that digest from 1.
    """

    def __init__(self, head: Sequence[str], remembered: set[str], identity: Sequence[str] | None) -> None:
        self.columns = {name: place for place, name in enumerate(head) if name}
        self.remembered = remembered
        chosen = self.columns if identity is None else identity
        self._identity = [self.columns[name] for name in chosen if name in self.columns]

    def digest(self, cells: Sequence[Cell]) -> str:
        """Over the cells as they stand in the file, each with its length before it."""
        texts = (_text(cells[place]) or "" for place in self._identity)
        told = "".join(f"{len(text)}:{text}," for text in texts)
        return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:24]

    def getter(self, name: str, complain: Complain) -> Getter:
        """What a name between braces, or in a condition, stands for, as text."""
        if name in self.columns:
            place = self.columns[name]
            return lambda moment: _text(moment.cells[place])
        if name.startswith(PREVIOUS) and name.removeprefix(PREVIOUS) in self.columns:
            place = self.columns[name.removeprefix(PREVIOUS)]
            return lambda moment: None if moment.previous is None else _text(moment.previous[place])
        if name in self.remembered:
            return lambda moment: moment.remembered.get(name)
        match name:
            case "line":
                return lambda moment: str(moment.line)
            case "digest":
                return lambda moment: moment.digest
            case "copy":
                return lambda moment: str(moment.copy)
        complain(f"the file has no column {name}, only {', '.join(self.columns)}")
        return lambda moment: None


def _text(cell: Cell) -> str | None:
    return cell.isoformat() if isinstance(cell, datetime) else cell


def parts(text: str) -> list[str]:
    """A template's parts: plain text and names in turn, beginning with plain text."""
    return _BRACES.split(text)


def template(text: str, names: Names, complain: Complain) -> Getter:
    """The template filled in; None as soon as one of its names has no value."""
    pieces = parts(text)
    if any("{" in piece or "}" in piece for piece in pieces[::2]):
        complain(f"{text!r} has a brace without its counterpart")
    getters = [names.getter(name, complain) for name in pieces[1::2]]
    if not getters:
        return lambda moment: text
    if len(getters) == 1:
        before, get, after = pieces[0], getters[0], pieces[2]
        if not before and not after:
            return get
        return lambda moment: None if (found := get(moment)) is None else f"{before}{found}{after}"

    def fill(moment: Moment) -> str | None:
        found = [get(moment) for get in getters]
        if None in found:
            return None
        return "".join([piece for pair in zip(pieces[::2], [*found, ""], strict=True) for piece in pair])

    return fill


def condition(name: str, said: Condition, names: Names, complain: Complain) -> Callable[[Moment], bool]:
    """Whether what is said of the column holds."""
    get = names.getter(name, complain)
    before = names.getter(PREVIOUS + name, complain) if name in names.columns else lambda moment: None
    if (said.becomes is not None or said.changed is not None) and name not in names.columns:
        complain("becomes and changed are said of a column")
    present, equals, differs = said.present, said.equals, said.differs
    becomes, changed = said.becomes, said.changed

    def holds(moment: Moment) -> bool:
        found = get(moment)
        if present is not None and (found is not None) is not present:
            return False
        if equals is not None and found not in equals:
            return False
        if differs is not None and found in differs:
            return False
        if becomes is not None and (found not in becomes or before(moment) in becomes):
            return False
        return changed is None or (moment.previous is not None and before(moment) != found) is changed

    return holds


def value(
    source: ValueSource, field: Field, declared: FieldInfo, mapping: Mapping, names: Names, complain: Complain
) -> Getter:
    """A field's value, as JSON holds it; `declared` is the field in the event's model."""
    if field.kind in ("mapping", "list"):
        complain(f"{field.name} is a {field.kind}, which a row of a file cannot tell")
    fits = _fits(field.name, declared)
    for constant in (source.constant, source.otherwise, source.default):
        if constant is not None:
            fits(constant, complain)
    if source.constant is not None:
        constant = source.constant
        return lambda moment: constant
    told = source.column if source.column is not None else str(source.template)
    if source.column is not None:
        get = _cell(source.column, names, complain) if field.kind == "time" else names.getter(source.column, complain)
    else:
        get = template(told, names, complain)
    convert = _converter(source, field, mapping, fits, told, complain)
    default = source.default

    def found(moment: Moment) -> Any:
        text = get(moment)
        return default if text is None else convert(text)

    return found


def _cell(name: str, names: Names, complain: Complain) -> Getter:
    if name not in names.columns:
        return names.getter(name, complain)
    place = names.columns[name]
    return lambda moment: moment.cells[place]


def _converter(
    source: ValueSource,
    field: Field,
    mapping: Mapping,
    fits: Callable[[Any, Complain], None],
    told: str,
    complain: Complain,
) -> Callable[[Any], Any]:
    if source.values is not None:
        table = mapping.values.get(source.values)
        if table is None:
            complain(f"there are no values {source.values}, only {', '.join(mapping.values) or 'none'}")
            table = {}
        for text, meaning in table.items():
            fits(meaning, partial(_complain_of, complain, f"values {source.values}, {text!r}: "))
        return _lookup(table, source, told)
    if field.kind == "time":
        return reader(
            source.format or mapping.time_format, source.zone or mapping.time_zone, mapping.ambiguous, mapping.skipped
        )
    if field.kind == "integer":
        return lambda text: _integer(text, told)
    if field.kind == "boolean":
        return lambda text: _boolean(text, told)
    return lambda text: text


def _complain_of(complain: Complain, what: str, why: str) -> None:
    complain(what + why)


def _lookup(table: dict[str, Any], source: ValueSource, told: str) -> Callable[[str], Any]:
    otherwise, name = source.otherwise, source.values

    def look(text: str) -> Any:
        found = table.get(text, otherwise)
        if found is None:
            raise RowRefused(f"{told}: {text!r} is not among the values {name}")
        return found

    return look


def _integer(text: str, told: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise RowRefused(f"{told}: {text!r} is not a whole number") from None


def _boolean(text: str, told: str) -> bool:
    lowered = text.lower()
    if lowered not in ("true", "false"):
        raise RowRefused(f"{told}: {text!r} is neither true nor false; give values that say which is which")
    return lowered == "true"


def _fits(name: str, declared: FieldInfo) -> Callable[[Any, Complain], None]:
    """A check of constants against the field's own type, before any row is read."""
    annotation: Any = declared.annotation
    for mark in declared.metadata:
        annotation = Annotated[annotation, mark]
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)

    def check(constant: Any, complain: Complain) -> None:
        try:
            adapter.validate_python(constant)
        except ValidationError as error:
            complain(f"{constant!r} does not fit {name}: {error.errors()[0]['msg']}")

    return check
