"""The columns of a segment, in their order: the envelope, every typed field of any event, and the entry's bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson

from ledger.log.documents import digest_of
from projections.entries import typed_query
from projections.recipes import Events, typing_events
from projections.relation import ENVELOPE, FIELDS

CARRIED: Final[Mapping[str, str]] = {"recorded_by": "string", "source": "string", "id": "string"}
"""Of the envelope, what no table is made of."""
ENTRY: Final = "entry"
COLUMNS: Final[Mapping[str, str]] = {**ENVELOPE, **CARRIED, **FIELDS, ENTRY: "binary"}
"""Every column with its Parquet type. Times are microseconds since 1970 in UTC; a day, week or quarter is the first
moment of its first day."""


def digest(events: Mapping[str, Events]) -> str:
    """The digest of each aggregate's typed columns, and of the statements that type entries into them."""
    told = {
        aggregate: [{name: str(kind) for name, kind in each.raw.items()}, each.typed]
        for aggregate, each in sorted(events.items())
    }
    return digest_of(orjson.dumps(told))


def current() -> str:
    """The digest under which this program types entries."""
    return digest(typing_events())


def segment_query() -> str:
    """The query that gives a segment's rows, of the entries in `chunk`."""
    return typed_query(tuple(COLUMNS), carried=(*CARRIED, ENTRY))
