"""Claims, what the ledger makes of them, and the bytes it keeps.

A ``Claim`` is an event as a sender tells it; ``claim`` builds one, checked, from plain values. A ``Recorded`` is the
claim with what the ledger adds: position, version, time of recording, key. ``encode`` gives the one byte string an
entry is stored, hashed and handed out as; ``decode`` reads it back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, NotRequired

import orjson
from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError, with_config
from rapidfuzz import fuzz, process
from typing_extensions import TypedDict

from ledger.errors import Invalid, problems
from ledger.events import CATALOGUE, PERSONAL
from ledger.occurrence import Occurrence
from ledger.vocabulary import INT64, Encrypted, Event, Id, Instant, Part, Personal, instant_text

VOID = "record.voided"
KNOWN = tuple(CATALOGUE)
LONGEST_TYPE = 60
"""Characters of an unknown type that are looked at for the known ones it may have meant."""
UNPLACED = "record"
"""The aggregate of a claim to void: only deciding shows in whose stream it stands."""

Source = Annotated[str, StringConstraints(min_length=1, max_length=400, pattern=r"^[^\s\x00-\x1f\x7f-\x9f]+$")]
Version = Annotated[int, Field(strict=True, ge=0, le=INT64[1])]


@dataclass(slots=True, kw_only=True)
class Claim(Occurrence):
    """An event as a sender tells it, well formed.

    ``expected_version`` is the version the sender believes the subject to have (0: none yet). ``recorded_at`` is
    given for simulated ledgers only.
    """

    expected_version: int | None = None
    recorded_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Recorded(Occurrence):
    """An event as the ledger took it. ``position`` counts all entries from 1, ``version`` those of the subject.

    ``recorded_at`` is aware UTC; ``recorded_by`` the id of the key it was sent under.
    """

    position: int
    version: int
    recorded_at: datetime
    recorded_by: str


@with_config(ConfigDict(extra="forbid"))
class Envelope(TypedDict):
    """The attributes around an event's data, as the sender gives them.

    A dict and not a model: a claim takes its values over at once, and that is a third of the time.
    """

    id: Id
    source: Source
    subject: Id
    occurred_at: Instant
    actor: NotRequired[Id | None]
    reason: NotRequired[Personal | None]
    correlation_id: NotRequired[Id | None]
    causation_id: NotRequired[Id | None]
    expected_version: NotRequired[Version | None]
    recorded_at: NotRequired[Instant | None]


_envelope = TypeAdapter(Envelope).validator.validate_python


def claim(
    type: str,  # noqa: A002 - the attribute's own name
    subject: str,
    data: Mapping[str, Any] | None = None,
    **attributes: Any,
) -> Claim:
    """A claim from plain values: ``attributes`` are those of ``Envelope`` (id, source, occurred_at, …).

    Times are aware datetimes or RFC 3339 text with an offset. Raises Invalid, naming every wrong field ("data.channel",
    "occurred_at"): unknown types (with the nearest known ones), unknown fields, decimals, times without an offset, NUL
    or lone surrogates in text, integers beyond 64 bits.
    """
    known = CATALOGUE.get(type) if isinstance(type, str) else None
    if known is None:
        raise Invalid([("type", _unknown(type))])
    found = []
    try:
        envelope = _envelope({**attributes, "subject": subject})
    except ValidationError as error:
        found += problems(error)
    try:
        event = known.validate({} if data is None else data)
    except ValidationError as error:
        found += problems(error, "data")
    if found:
        raise Invalid(found)
    return Claim(type=known.name, aggregate=known.aggregate or UNPLACED, data=event, **envelope)


def _unknown(type_name: object) -> str:
    return _not_known(str(type_name)[:LONGEST_TYPE])


@lru_cache(maxsize=1024)
def _not_known(type_name: str) -> str:
    near = [name for name, _, _ in process.extract(type_name, KNOWN, scorer=fuzz.ratio, limit=3, score_cutoff=60)]
    return "is not a known event type" + (f"; did you mean {' or '.join(near)}?" if near else "")


def stored(data: Event) -> dict[str, Any]:
    """The data as it is stored: fields in the order they are defined, those not given left out."""
    return {name: value for name, value in data.__dict__.items() if value is not None}


def encode(entry: Recorded, concealed: Mapping[str, Encrypted] | None = None) -> bytes:
    """The entry's bytes: compact UTF-8 JSON, keys in fixed order, what was not given left out.

    ``concealed`` holds what is kept in place of personal texts: "reason", "data.<field>".
    """
    document: dict[str, Any] = {
        "position": entry.position,
        "type": entry.type,
        "aggregate": entry.aggregate,
        "subject": entry.subject,
        "version": entry.version,
        "occurred_at": instant_text(entry.occurred_at),
        "recorded_at": instant_text(entry.recorded_at),
        "recorded_by": entry.recorded_by,
        "source": entry.source,
        "id": entry.id,
    }
    if entry.actor is not None:
        document["actor"] = entry.actor
    if entry.reason is not None:
        document["reason"] = entry.reason if concealed is None else concealed["reason"]
    if entry.correlation_id is not None:
        document["correlation_id"] = entry.correlation_id
    if entry.causation_id is not None:
        document["causation_id"] = entry.causation_id
    document["data"] = data = stored(entry.data)
    if concealed is not None:
        for name in PERSONAL[entry.type]:
            if name in data:
                data[name] = concealed[f"data.{name}"]
    return encode_json(document)


def encode_json(value: Any) -> bytes:
    """Any value of claims and entries as compact JSON: instants in their stored form, choices as their text."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_PASSTHROUGH_DATETIME)


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, Part):
        return {name: told for name, told in value.__dict__.items() if told is not None}
    raise TypeError(f"{value!r} cannot stand in an entry")


def decode(entry: bytes) -> Recorded:
    """The entry ``encode`` gave these bytes for. Raises Invalid when they are none."""
    try:
        document = orjson.loads(entry)
        told = document.pop("data")
        for name in PERSONAL[document["type"]]:
            if type(text := told.get(name)) is dict:
                told[name] = Encrypted(**text)
        if type(text := document.get("reason")) is dict:
            document["reason"] = Encrypted(**text)
        data = CATALOGUE[document["type"]].validate(told)
        document["occurred_at"] = datetime.fromisoformat(document["occurred_at"])
        document["recorded_at"] = datetime.fromisoformat(document["recorded_at"])
        return Recorded(data=data, **document)
    except (ValueError, TypeError, KeyError) as error:
        raise Invalid([("entry", f"is not an entry of this ledger ({type(error).__name__})")]) from error
