"""Recorded events as readers get them: CloudEvents in the JSON event format, personal fields only for those who may."""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson

from ledger.claims import Recorded, encode_json, stored
from ledger.events import CATALOGUE
from ledger.vocabulary import instant_text


@cache
def personal_fields(event_type: str) -> tuple[str, ...]:
    """The fields of an event type's data that are personal."""
    return tuple(field.name for field in CATALOGUE[event_type].fields if field.personal)


def cloud_event(recorded: Recorded, *, personal: bool) -> dict[str, Any]:
    """The event with what the ledger added, JSON values only.

    Without `personal` the personal fields and `reason` are left out, and `withheld` names those that were given.
    """
    data: dict[str, Any] = orjson.loads(encode_json(stored(recorded.data)))
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": recorded.id,
        "source": recorded.source,
        "type": recorded.type,
        "subject": recorded.subject,
        "time": instant_text(recorded.occurred_at),
        "datacontenttype": "application/json",
        "aggregate": recorded.aggregate,
        "position": recorded.position,
        "version": recorded.version,
        "recordedat": instant_text(recorded.recorded_at),
        "recordedby": recorded.recorded_by,
    }
    given = {
        "actor": recorded.actor,
        "correlationid": recorded.correlation_id,
        "causationid": recorded.causation_id,
        "reason": recorded.reason,
    }
    event |= {name: value for name, value in given.items() if value is not None}
    if not personal:
        withheld = [name for name in personal_fields(recorded.type) if data.pop(name, None) is not None]
        if event.pop("reason", None) is not None:
            withheld.append("reason")
        if withheld:
            # an attribute of a CloudEvent is a scalar
            event["withheld"] = " ".join(withheld)
    event["data"] = data
    return event
