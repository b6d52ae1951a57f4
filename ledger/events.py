"""The catalogue: every event type the ledger knows, derived from the one definition of each.

``CATALOGUE`` maps a type to its ``EventType``: model, labels, example, fields. ``COLUMNS`` is the typed relation all
events share: every field that is neither personal nor unlisted is a column, and one name has one kind everywhere.
``AGGREGATES``, from ``ledger.subjects``, maps the name of an aggregate to its rules. ``json_schema`` gives the JSON
Schema of a type's data.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from ledger.aggregates import record
from ledger.labels import FIELD_LABELS
from ledger.subjects import AGGREGATES, Aggregate
from ledger.vocabulary import Calendrical, Choice, Confidential, Event, Label, Ref, Unlisted

Kind = str
"""How a field is stored: "text", "integer", "boolean", "time" (UTC, µs); "day", "week", "quarter" (text such as
2026-04-01, 2026-W14, 2026-Q2); or, never a column, "mapping" (of names to texts) and "list"."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an event type."""

    name: str
    kind: Kind
    label: Label
    required: bool
    personal: bool
    """⚿: readable with the right only, never a column."""
    column: bool
    """Whether the field is a column of the typed relation."""
    refers_to: str | None
    """The aggregate whose entity the field names, if it names one."""
    choices: type[Choice] | None
    """The closed list its values come from, if there is one."""
    default: Any
    """The value stored when the sender leaves the field out; None for nothing."""


@dataclass(frozen=True, slots=True)
class EventType:
    """One type of event. ``example`` is its data as a sender writes it (JSON values)."""

    name: str
    aggregate: str | None
    """None for ``record.voided``, which stands in the stream of what it voids."""
    model: type[Event]
    label: Label
    opens: bool
    example: Mapping[str, Any]
    fields: tuple[Field, ...]
    validate: Callable[[Any], Any]
    """`model.model_validate` without the arguments it takes beside the data: what is done for every event."""

    def names(self, data: Event) -> list[tuple[str, str, str]]:
        """The entities ``data`` names, as (aggregate, subject, field)."""
        return [
            (field.refers_to, subject, field.name)
            for field in self.fields
            if field.refers_to is not None and (subject := getattr(data, field.name)) is not None
        ]


def _unfold(annotation: Any) -> tuple[Any, list[Any]]:
    """The bare type of a field and the marks put on it, through Annotated and ``| None``."""
    if get_origin(annotation) is Annotated:
        bare, *marks = get_args(annotation)
        inner, more = _unfold(bare)
        return inner, [*more, *marks]
    if get_origin(annotation) in (Union, UnionType):
        (bare,) = (part for part in get_args(annotation) if part is not type(None))
        return _unfold(bare)
    return annotation, []


_KINDS = {bool: "boolean", int: "integer", datetime: "time", str: "text", dict: "mapping", tuple: "list"}


def _kind(bare: type, marks: list[Any]) -> Kind:
    for mark in marks:
        if isinstance(mark, Calendrical):
            return mark.kind
    for base, kind in _KINDS.items():
        if issubclass(bare, base):
            return kind
    raise TypeError(f"a field cannot be of type {bare}")


def _fields(model: type[Event]) -> tuple[Field, ...]:
    hints = get_type_hints(model, include_extras=True)
    found = []
    for name, info in model.model_fields.items():
        bare, marks = _unfold(hints[name])
        bare = get_origin(bare) or bare
        personal = any(isinstance(mark, Confidential) for mark in marks)
        found.append(
            Field(
                name=name,
                kind=_kind(bare, marks),
                label=FIELD_LABELS[name],
                required=info.is_required(),
                personal=personal,
                column=not personal and not any(isinstance(mark, Unlisted) for mark in marks),
                refers_to=next((mark.aggregate for mark in marks if isinstance(mark, Ref)), None),
                choices=bare if issubclass(bare, Choice) else None,
                default=None if info.is_required() else info.get_default(call_default_factory=True),
            )
        )
    return tuple(found)


def _catalogue() -> dict[str, EventType]:
    models: list[type[Event]] = []
    for module in (*(aggregate.module for aggregate in AGGREGATES.values()), record):
        models += [
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, Event) and value is not Event
        ]
    return {
        model.about.type: EventType(
            name=model.about.type,
            aggregate=model.about.aggregate,
            model=model,
            label=model.about.label,
            opens=model.about.opens,
            example=model.about.example,
            fields=_fields(model),
            validate=model.__pydantic_validator__.validate_python,
        )
        for model in models
    }


CATALOGUE: Mapping[str, EventType] = _catalogue()

COLUMNS: Mapping[str, Kind] = {
    field.name: field.kind for known in CATALOGUE.values() for field in known.fields if field.column
}

PERSONAL: Mapping[str, tuple[str, ...]] = {
    known.name: tuple(field.name for field in known.fields if field.personal) for known in CATALOGUE.values()
}
"""Event type → the fields of its data that are personal."""


@cache
def json_schema(name: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of the data of event type ``name``, whole in itself, with labels and an example."""
    known = CATALOGUE[name]
    schema = known.model.model_json_schema()
    listed = schema.pop("$defs", {})
    for field in known.fields:
        declared = _inlined(schema["properties"][field.name], listed)
        if field.personal:
            declared["x-personal"] = True
        declared["title"] = field.label.en
        declared["x-title-zh"] = field.label.zh
        schema["properties"][field.name] = declared
    schema["title"] = known.label.en
    schema["x-title-zh"] = known.label.zh
    schema["examples"] = [dict(known.example)]
    return schema


def _inlined(part: Any, listed: Mapping[str, Any]) -> Any:
    """``part`` with references to other definitions, such as closed lists, replaced by these themselves."""
    if isinstance(part, dict):
        if "$ref" in part:
            rest = {key: value for key, value in part.items() if key != "$ref"}
            return _inlined({**listed[part["$ref"].rsplit("/", 1)[-1]], **rest}, listed)
        return {key: _inlined(value, listed) for key, value in part.items()}
    if isinstance(part, list):
        return [_inlined(value, listed) for value in part]
    return part


__all__ = ["AGGREGATES", "CATALOGUE", "COLUMNS", "PERSONAL", "Aggregate", "EventType", "Field", "Kind", "json_schema"]
