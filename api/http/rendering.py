"""Recorded events as readers get them: CloudEvents in the JSON event format, personal fields only for those who may."""

from __future__ import annotations

from typing import Any

import orjson

from ledger.claims import Recorded, encode_json, stored
from ledger.events import PERSONAL
from ledger.vocabulary import Erased, instant_text
from projections.history import Item


def item_told(item: Item, *, personal: bool) -> dict[str, Any]:
    """An item of a history as it is shown: its event, and what it says in words."""
    return {
        "position": item.event.position,
        "own": item.own,
        "voided_by": item.voided_by,
        "words": dict(item.words),
        "event": cloud_event(item.event, personal=personal),
    }


def cloud_event(recorded: Recorded, *, personal: bool) -> dict[str, Any]:
    """The event with what the ledger added, JSON values only.

    Without `personal` the personal fields and `reason` are left out, and `withheld` names those that were given. Those
    that were erased are left out too, and `erased` names them, with the event that says so, when and on what basis.
    """
    told = stored(recorded.data)
    texts = {name: told[name] for name in PERSONAL[recorded.type] if name in told}
    if recorded.reason is not None:
        texts["reason"] = recorded.reason
    erased = {name: text for name, text in texts.items() if isinstance(text, Erased)} if personal else {}
    withheld = [name for name, text in texts.items() if not (personal and isinstance(text, str | Erased))]
    left_out = {*erased, *withheld}
    data = orjson.loads(encode_json({name: value for name, value in told.items() if name not in left_out}))
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
        "reason": None if "reason" in left_out else recorded.reason,
    }
    event |= {name: value for name, value in given.items() if value is not None}
    # an attribute of a CloudEvent is a scalar
    if withheld:
        event["withheld"] = " ".join(withheld)
    for by in erased.values():
        # all texts of an event were encrypted under one key
        event |= {"erasedposition": by.position, "erasedat": instant_text(by.at), "erasedbasis": by.basis}
        event["erased"] = " ".join(erased)
    event["data"] = data
    return event
