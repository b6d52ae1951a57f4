"""What a mapping says: which events a row of a file stands for, and where each value comes from."""

from __future__ import annotations

from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, field_validator, model_validator


def _scalar(value: object) -> object:
    if not isinstance(value, (bool, int, str)):
        raise ValueError(
            "write text (in quotes where YAML would see a date or a decimal), a whole number, true or false"
        )
    return value


Scalar = Annotated[bool | int | str, BeforeValidator(_scalar)]
Column = Annotated[str, StringConstraints(min_length=1)]
Template = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


def _listed(value: object) -> object:
    return value if isinstance(value, list) else [value]


Texts = Annotated[list[Annotated[str, BeforeValidator(str)]], BeforeValidator(_listed)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _known_zone(name: str | None) -> str | None:
    if name is not None:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{name!r} is not an IANA time zone, such as America/New_York") from None
    return name


Zone = Annotated[str, BeforeValidator(_known_zone)]


class TimeSource(_Part):
    """A time from a column. Format and zone are the mapping's where they are not given."""

    column: Column
    format: str | None = None
    """As Python's strptime takes it, or `iso`."""
    zone: Zone | None = None


class ValueSource(_Part):
    """A value from a column, a template or a constant; exactly one of the three."""

    column: Column | None = None
    template: Template | None = None
    constant: Scalar | None = None
    values: str | None = None
    """A table under the mapping's `values:`, by its name: the text on the left becomes the value on the right."""
    otherwise: Scalar | None = None
    """What a text becomes that the table does not hold; without it the row is refused."""
    default: Scalar | None = None
    """What an empty cell becomes; without it the field is left out."""
    format: str | None = None
    zone: Zone | None = None

    @model_validator(mode="after")
    def _one_source(self) -> ValueSource:
        given = [name for name in ("column", "template", "constant") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of column, template, constant" + (f", not {given}" if given else ""))
        if self.otherwise is not None and self.values is None:
            raise ValueError("otherwise says what a text becomes that values does not hold: give values too")
        return self


class Condition(_Part):
    """What must hold of a column; all that is given must."""

    present: bool | None = None
    equals: Texts | None = None
    """One text or several: the cell is one of them."""
    differs: Texts | None = None
    """One text or several: the cell is none of them (an empty cell is none)."""
    becomes: Texts | None = None
    """The cell is one of them, and that of the group's previous row, if there is one, was none of them."""
    changed: bool | None = None
    """The cell is another one than in the group's previous row; a group's first row has changed nothing."""

    @model_validator(mode="after")
    def _something(self) -> Condition:
        if not self.model_fields_set:
            raise ValueError("say what must hold: present, equals, differs, becomes or changed")
        return self


def _value_source(value: object) -> object:
    if isinstance(value, (dict, ValueSource)):
        return value
    return {"template": value} if isinstance(value, str) and "{" in value else {"constant": value}


def _condition(value: object) -> object:
    return value if isinstance(value, (dict, Condition)) else {"equals": value}


class EventRule(_Part):
    """One event that a row may stand for."""

    type: str
    subject: Template
    id: Template
    time: TimeSource
    when: dict[Column, Annotated[Condition, BeforeValidator(_condition)]] = {}
    row: Literal["any", "first", "later"] = "any"
    """Which rows of a group: `first` opens it."""
    once: bool = False
    """Not again within a group when the same id has been given before."""
    actor: Template | None = None
    reason: Template | None = None
    correlation_id: Template | None = None
    causation_id: Template | None = None
    data: dict[str, Annotated[ValueSource, BeforeValidator(_value_source)]] = {}
    """Fields. A plain value is a constant, and a template if it is text with a brace."""
    remember: dict[str, Template] = {}
    """Names that templates and conditions of later rows (and later events) of the group can use."""
    forget: list[str] = []

    @field_validator("time", mode="before")
    @classmethod
    def _column_alone(cls, value: object) -> object:
        return {"column": value} if isinstance(value, str) else value


class Mapping(_Part):
    """How the rows of one kind of file become events."""

    mapping: str
    source: Annotated[str, StringConstraints(pattern=r"^\S+$", max_length=400)]
    """The CloudEvents source of every event; with the id it says which event is the same."""
    time_zone: Zone
    time_format: str = "iso"
    ambiguous: Literal["earlier", "later", "refuse"] = "earlier"
    """A local time that the clocks show twice, in autumn."""
    skipped: Literal["forward", "refuse"] = "forward"
    """A local time that the clocks never show, in spring: moved forward as the clocks were, or refused."""
    encoding: str = "utf-8-sig"
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","
    sheet: str | None = None
    """The sheet of a workbook; its first where none is said."""
    empty: list[str] = [""]
    """Cells that mean nothing is known."""
    defaults: dict[Column, str] = {}
    """What stands in for an empty cell of a column, everywhere."""
    values: dict[str, dict[str, Scalar]] = {}
    group_by: Column | None = None
    """The column whose equal cells in rows next to each other mean one entity, told row by row."""
    identity: list[Column] | None = None
    """The columns that `{digest}` is computed from; all of them where none are said."""
    events: Annotated[list[EventRule], Field(min_length=1)]

    @field_validator("values", mode="before")
    @classmethod
    def _texts(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {
            name: {str(text): meaning for text, meaning in table.items()} if isinstance(table, dict) else table
            for name, table in value.items()
        }
