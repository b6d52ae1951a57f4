"""Reading the log itself: one event, pages of events, the stream of them, and the catalogue of types."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from api.http.context import Personal, key_of, program_of
from api.http.disclosure import disclosed, positions
from api.http.problems import FieldError, Problem, forbidden, invalid, not_found, overloaded
from api.http.rendering import cloud_event
from api.http.tables import Limit, within_page
from api.http.tail import MOST_STREAMS
from ledger.claims import Recorded
from ledger.events import AGGREGATES, CATALOGUE, EventType, json_schema

router = APIRouter()

LARGEST: Final = 2**63 - 1
STREAM_PAGE: Final = 200
LOOK_THROUGH: Final = 100_000
"""Positions that a page of some types or of one aggregate looks through at most."""
KEY_SECONDS: Final = 2.0
"""How often an open stream whose events stay away looks whether its key is still good, in seconds."""

Types = Annotated[list[str] | None, Query(alias="type", description="Only events of these types.", max_length=100)]
Kind = Annotated[str | None, Query(description="Only events of this aggregate.")]
After = Annotated[int, Query(ge=0, le=LARGEST, description="Begin after this position.")]


@router.get("/v1/events", summary="Events in the order of their positions, or the one a source told under an id")
def events(
    request: Request,
    personal: Personal,
    source: Annotated[str | None, Query(description="With `id`: the one event this source told under it.")] = None,
    event_id: Annotated[str | None, Query(alias="id")] = None,
    after: After = 0,
    types: Types = None,
    aggregate: Kind = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """`next_after` is the `after` of the next page; null where there is nothing more yet.

    With `type` or `aggregate`, a page looks through so many positions at most and may hold few events, or none, while
    `next_after` says where to go on.
    """
    ledger = program_of(request).ledger
    own_only = key_of(request).role == "service"
    if source is not None or event_id is not None:
        if source is None or event_id is None:
            missing = "source" if source is None else "id"
            raise invalid("source and id are given together", [FieldError(missing, "is required beside the other")])
        found = None if "\x00" in source + event_id else ledger.find(source, event_id)
        if found is None or (own_only and not key_of(request).allows(found.source, found.type)):
            raise not_found("No event with this source and id is recorded")
        return {"events": _shown(request, [found], personal), "next_after": None}
    if own_only:
        raise forbidden("A service's key finds what it sent, by source and id; a reader's key lists events")
    _known(types, aggregate)
    within_page(request, limit)
    head = ledger.head().position
    upto = _looked_through(after, head, types, aggregate)
    page = ledger.entries(after=after, limit=limit, types=types, aggregate=aggregate, upto=upto)
    following = page[-1].position if len(page) == limit else upto if upto < head else None
    return {
        "events": _shown(request, page, personal),
        "next_after": following,
    }


def _shown(request: Request, entries: Sequence[Recorded], personal: bool) -> list[dict[str, Any]]:
    """Events as they are shown, which is on record where the key is shown personal texts."""
    told = disclosed(request, entries, positions(entries)) if personal else entries
    return [cloud_event(entry, personal=personal) for entry in told]


def _looked_through(after: int, head: int, types: list[str] | None, aggregate: str | None) -> int:
    """The last position a page may look at: the log has no index by type, and one that is rare may be far away."""
    return head if types is None and aggregate is None else min(head, after + LOOK_THROUGH)


def _known(types: list[str] | None, aggregate: str | None) -> None:
    wrong = [FieldError("type", f"{name[:100]!r} is not a known type") for name in types or () if name not in CATALOGUE]
    if aggregate is not None and aggregate not in AGGREGATES:
        wrong.append(FieldError("aggregate", f"must be one of {', '.join(AGGREGATES)}"))
    if wrong:
        raise invalid("Nothing like that is recorded", wrong)


class StreamStart:
    """Where a stream begins, checked before the answer begins: Last-Event-ID wins over `after`."""

    def __init__(
        self,
        request: Request,
        after: After = 0,
        types: Types = None,
        aggregate: Kind = None,
        last_event_id: Annotated[
            str | None,
            Header(description="The id (position) of the last event seen; sent by a client that reconnects."),
        ] = None,
    ) -> None:
        _known(types, aggregate)
        self.after, self.types, self.aggregate = after, types, aggregate
        if last_event_id:
            whole = last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) <= 19
            if not whole or int(last_event_id) > LARGEST:
                raise invalid("Last-Event-ID is a position", [FieldError("Last-Event-ID", "must be a whole number")])
            self.after = int(last_event_id)
        if program_of(request).tail.listeners >= MOST_STREAMS:
            raise overloaded(f"{MOST_STREAMS} streams are open already", retry_after=10)


@router.get(
    "/v1/events/stream",
    summary="Events as they are recorded (server-sent events)",
    response_class=EventSourceResponse,
)
async def stream(
    request: Request, start: Annotated[StreamStart, Depends()], personal: Personal
) -> AsyncIterator[ServerSentEvent]:
    """Each message has the position as its id and the type as its event; a client that reconnects misses nothing."""
    program = program_of(request)
    after = start.after
    with program.tail.listening() as grown:
        program.metrics.streams.inc()
        try:
            while not program.tail.closing and await still_let_in(request):
                grown.clear()
                page, after, more = await run_in_threadpool(_page, request, start, after, personal)
                for shown in page:
                    yield _message(shown)
                if not more:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(grown.wait(), KEY_SECONDS)
        finally:
            program.metrics.streams.dec()


async def still_let_in(request: Request) -> bool:
    """Whether the stream's key is still good: one that was revoked or has expired reads no further."""
    try:
        await program_of(request).doorkeeper.key(request.headers.get("authorization", "").encode("latin-1"))
    except Problem:
        return False
    return True


def _page(request: Request, start: StreamStart, after: int, personal: bool) -> tuple[list[dict[str, Any]], int, bool]:
    """The next events of a stream, the position up to which it has then seen everything, and whether there is more."""
    program = program_of(request)
    head = program.ledger.head().position
    upto = _looked_through(after, head, start.types, start.aggregate)
    page = program.ledger.entries(
        after=after, limit=STREAM_PAGE, types=start.types, aggregate=start.aggregate, upto=upto
    )
    seen = page[-1].position if len(page) == STREAM_PAGE else max(after, upto)
    return _shown(request, page, personal), seen, seen < head


def _message(shown: dict[str, Any]) -> ServerSentEvent:
    return ServerSentEvent(raw_data=orjson.dumps(shown).decode(), event=shown["type"], id=str(shown["position"]))


@router.get("/v1/catalogue", summary="Every event type: labels, fields, JSON Schema, example")
def catalogue() -> dict[str, Any]:
    """What may be told, and how."""
    return {
        "aggregates": [
            {"name": one.name, "label": one.label._asdict(), "opening": one.opening} for one in AGGREGATES.values()
        ],
        "types": [_described(known) for known in CATALOGUE.values()],
    }


@router.get("/v1/catalogue/{event_type}", summary="One event type")
def catalogue_type(event_type: str) -> dict[str, Any]:
    """The same as in the whole catalogue, of one type."""
    if event_type not in CATALOGUE:
        raise not_found("There is no such event type; GET /v1/catalogue lists all")
    return _described(CATALOGUE[event_type])


def _described(known: EventType) -> dict[str, Any]:
    return {
        "type": known.name,
        "aggregate": known.aggregate,
        "label": known.label._asdict(),
        "opens": known.opens,
        "fields": [
            {
                "name": field.name,
                "kind": field.kind,
                "label": field.label._asdict(),
                "required": field.required,
                "personal": field.personal,
                "refers_to": field.refers_to,
                "choices": None if field.choices is None else [choice.value for choice in field.choices],
                "default": field.default,
            }
            for field in known.fields
        ],
        "schema": json_schema(known.name),
        "example": dict(known.example),
    }
