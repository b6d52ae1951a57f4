"""Rule books over HTTP: which were published, and what they say."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from api.http.context import program_of
from api.http.problems import not_found
from ledger.aggregates.rulebook import RulebookPublished
from ledger.claims import Recorded
from ledger.vocabulary import instant_text
from projections.generations import live
from replays.founding import published_books

router = APIRouter()


@router.get("/v1/rulebooks", summary="The rule books published, and which one the tables are built under")
def rulebooks(request: Request) -> dict[str, Any]:
    """In the order in which they were published."""
    return {"rulebooks": [_told(published, in_force) for published, in_force in _published(request)]}


@router.get("/v1/rulebooks/{version}", summary="One version of the rule book, with its text")
def rulebook(request: Request, version: str) -> dict[str, Any]:
    """`book` is the YAML as it was published."""
    for published, in_force in _published(request):
        assert isinstance(published.data, RulebookPublished)
        if published.data.book_version == version:
            return _told(published, in_force) | {"book": published.data.book}
    raise not_found("No rule book of that version was published; GET /v1/rulebooks lists all")


def _published(request: Request) -> list[tuple[Recorded, bool]]:
    program = program_of(request)
    with program.database.reading() as connection:
        text = live(connection).book_text
    books = published_books(program.ledger)
    return [(one, isinstance(one.data, RulebookPublished) and one.data.book == text) for one in books]


def _told(published: Recorded, in_force: bool) -> dict[str, Any]:
    data = published.data
    assert isinstance(data, RulebookPublished)
    return {
        "rule_book": published.subject,
        "version": data.book_version,
        "digest": data.digest,
        "effective_from": instant_text(data.effective_from),
        "published_at": instant_text(published.recorded_at),
        "position": published.position,
        "in_force": in_force,
    }
