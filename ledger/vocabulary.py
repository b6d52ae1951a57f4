"""The vocabulary events are written in: the base class of all events and the types of their fields.

Pure: nothing here touches a database, a network or a clock. The closed lists stand in ``ledger.choices`` and are
offered from here too.

A field's type says what may be stored in it: text, an id, a bounded integer, a flag, an instant in UTC, a day, week
or quarter, or one of a closed list. There are no floats: money is integer minor units beside a currency, ratios are
integer basis points. ``Ref`` marks an id that names another entity; ``Confidential`` marks personal text (⚿ in the
docs), which never becomes a table column; ``Unlisted`` marks what is kept in the log alone: long text, mappings, lists.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    StringConstraints,
)
from pydantic_core import core_schema

from ledger.choices import (
    ArchiveClass,
    Aspect,
    Cause,
    Channel,
    Choice,
    Complexity,
    ContactKind,
    Direction,
    Expression,
    Improvement,
    Indicator,
    Kano,
    Label,
    NeedType,
    PauseReason,
    Priority,
    Problem,
    Purpose,
    Rejection,
    ReportKind,
    ReviewCadence,
    Role,
    SourceKind,
    Stage,
    Statistic,
    SurveyKind,
    Tier,
)

INT64 = (-(2**63), 2**63 - 1)
EXAMPLE_TIME = "2026-04-01T01:00:00.000000Z"


@dataclass(frozen=True, slots=True)
class Ref:
    """Marks an id as naming an entity of ``aggregate``."""

    aggregate: str


@dataclass(frozen=True, slots=True)
class Encrypted:
    """Personal text as an encrypting ledger keeps it: the id of its data key; commitment, nonce and text as base64."""

    key: str
    commitment: str
    nonce: str
    text: str


@dataclass(frozen=True, slots=True)
class Erased:
    """Stands for personal text whose key was destroyed: by the event at which position, when (UTC), on what basis."""

    position: int
    at: datetime
    basis: str


@dataclass(frozen=True, slots=True)
class Confidential:
    """Marks text as personal: readable with the right only, never a table column."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """A sender gives text; what is read from the log may be encrypted."""
        return core_schema.no_info_wrap_validator_function(
            lambda value, text: value if type(value) is Encrypted else text(value), handler(source)
        )


@dataclass(frozen=True, slots=True)
class Unlisted:
    """Marks what is kept in the log but is no column of the typed relation."""


@dataclass(frozen=True, slots=True)
class Calendrical:
    """Marks text as naming a day, an ISO week or a quarter of the calendar, in no particular time zone."""

    kind: Literal["day", "week", "quarter"]


def instant(value: object) -> datetime:
    """``value`` as an aware UTC datetime, microseconds kept.

    Takes a datetime with an offset or RFC 3339 text with an offset; raises ValueError for anything else (a time
    without an offset could mean any zone).
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"not an RFC 3339 time; write it like {EXAMPLE_TIME}") from None
        if value.tzinfo is UTC:
            return value
    if not isinstance(value, datetime):
        raise ValueError(f"a time is text like {EXAMPLE_TIME}")
    if value.tzinfo is None or value.utcoffset() is None:
        raise ValueError("a time needs its offset from UTC (end it with Z or +08:00)")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time lies outside the years 1 to 9999") from None


@lru_cache(maxsize=1024)  # what is appended together is recorded at one moment
def instant_text(value: datetime) -> str:
    """The stored form of a UTC datetime: RFC 3339 with microseconds and Z."""
    return value.isoformat(timespec="microseconds")[:26] + "Z"


def _real_day(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"there is no day {text}") from None
    return text


def _real_week(text: str) -> str:
    try:
        date.fromisocalendar(int(text[:4]), int(text[-2:]), 1)
    except ValueError:
        raise ValueError(f"there is no week {text}: that year has fewer weeks") from None
    return text


def _by_name(mapping: dict[str, str]) -> dict[str, str]:
    return dict(sorted(mapping.items()))


# PostgreSQL cannot hold NUL; lone surrogates, which UTF-8 cannot hold, are refused by the validation itself.
_NO_CONTROL = r"\x00-\x1f\x7f-\x9f"
_TEXT_PATTERN = r"^[^\x00]*$"
_ID_PATTERN = rf"^[^\s{_NO_CONTROL}](?:[^{_NO_CONTROL}]*[^\s{_NO_CONTROL}])?$"

Id = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_ID_PATTERN)]
DataKeyName = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=_TEXT_PATTERN)]
Text = Annotated[str, StringConstraints(max_length=2_000, pattern=_TEXT_PATTERN)]
Personal = Annotated[str, StringConstraints(max_length=20_000, pattern=_TEXT_PATTERN), Confidential()]
Document = Annotated[str, StringConstraints(min_length=1, max_length=1_000_000, pattern=_TEXT_PATTERN), Unlisted()]
Wording = Annotated[str, StringConstraints(min_length=1, max_length=20_000, pattern=_TEXT_PATTERN), Unlisted()]
Dimensions = Annotated[
    dict[Id, Annotated[str, StringConstraints(max_length=200, pattern=_TEXT_PATTERN)]],
    Field(max_length=20),
    AfterValidator(_by_name),
    Unlisted(),
]
"""What a figure is broken down by: dimension → value, kept in the order of names."""
Instant = Annotated[datetime, BeforeValidator(instant)]
Day = Annotated[
    str,
    StringConstraints(pattern=r"^[1-9][0-9]{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])$"),
    AfterValidator(_real_day),
    Calendrical("day"),
]
Week = Annotated[
    str,
    StringConstraints(pattern=r"^[1-9][0-9]{3}-W(?:0[1-9]|[1-4][0-9]|5[0-3])$"),
    AfterValidator(_real_week),
    Calendrical("week"),
]
Quarter = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{3}-Q[1-4]$"), Calendrical("quarter")]
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Flag = Annotated[bool, Field(strict=True)]
Integer = Annotated[int, Field(strict=True, ge=INT64[0], le=INT64[1])]
Amount = Annotated[int, Field(strict=True, ge=0, le=INT64[1])]
Grade = Annotated[int, Field(strict=True, ge=1, le=5)]
Percent = Annotated[int, Field(strict=True, ge=0, le=100)]
Scale = Annotated[int, Field(strict=True, ge=1, le=1_000)]
Score = Annotated[int, Field(strict=True, ge=0, le=1_000)]
Position = Annotated[int, Field(strict=True, ge=1, le=INT64[1])]
Rank = Annotated[int, Field(strict=True, ge=1, le=INT64[1])]

CustomerId = Annotated[Id, Ref("customer")]
ContactId = Annotated[Id, Ref("contact")]
RequirementId = Annotated[Id, Ref("requirement")]
PlanId = Annotated[Id, Ref("plan")]
NoticeId = Annotated[Id, Ref("notice")]


@dataclass(frozen=True, slots=True)
class About:
    """What an event class says about itself."""

    type: str
    aggregate: str | None
    """None for an event that may stand in any stream."""
    label: Label
    opens: bool
    example: Mapping[str, Any]


class Event(BaseModel):
    """What an event says beyond its envelope. Frozen; unknown fields are refused.

    A subclass names its type, labels and an example, and is the one definition of that event type::

        class ContactRang(Event, type="contact.rang", en="Phone rang", zh="电话响铃", example={}): ...

    ``opens`` marks the event that begins a subject: before it nothing else may be told of that subject.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    about: ClassVar[About]

    def __init_subclass__(cls, *, type: str, en: str, zh: str, example: Mapping[str, Any], opens: bool = False) -> None:  # noqa: A002
        prefix = type.split(".")[0]
        cls.about = About(type, None if prefix == "record" else prefix, Label(en, zh), opens, example)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Pydantic hands the class keywords on a second time; they are already taken."""


class Part(BaseModel):
    """One of the things in a list that an event holds. Frozen; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def within_scale(score: int, scale: int) -> None:
    """Raise ValueError when a score lies above its own scale."""
    if score > scale:
        raise ValueError(f"the score {score} is above its scale {scale}")


def with_currency(field: str, amount: int | None, currency: str | None) -> None:
    """Raise ValueError when an amount of money, told in ``field``, comes without its currency."""
    if amount is not None and currency is None:
        raise ValueError(f"{field} needs its currency")


def in_order(period_start: str, period_end: str) -> None:
    """Raise ValueError when a period's last day comes before its first."""
    if period_end < period_start:
        raise ValueError(f"the period would end on {period_end}, before it starts on {period_start}")


__all__ = [
    "EXAMPLE_TIME",
    "INT64",
    "About",
    "Amount",
    "ArchiveClass",
    "Aspect",
    "Calendrical",
    "Cause",
    "Channel",
    "Choice",
    "Complexity",
    "Confidential",
    "ContactId",
    "ContactKind",
    "Currency",
    "CustomerId",
    "DataKeyName",
    "Day",
    "Digest",
    "Dimensions",
    "Direction",
    "Document",
    "Encrypted",
    "Erased",
    "Event",
    "Expression",
    "Flag",
    "Grade",
    "Id",
    "Improvement",
    "Indicator",
    "Instant",
    "Integer",
    "Kano",
    "Label",
    "NeedType",
    "NoticeId",
    "Part",
    "PauseReason",
    "Percent",
    "Personal",
    "PlanId",
    "Position",
    "Priority",
    "Problem",
    "Purpose",
    "Quarter",
    "Rank",
    "Ref",
    "Rejection",
    "ReportKind",
    "RequirementId",
    "ReviewCadence",
    "Role",
    "Scale",
    "Score",
    "SourceKind",
    "Stage",
    "Statistic",
    "SurveyKind",
    "Text",
    "Tier",
    "Unlisted",
    "Week",
    "Wording",
    "in_order",
    "instant",
    "instant_text",
    "with_currency",
    "within_scale",
]
