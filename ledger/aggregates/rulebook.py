"""Rule books: the targets, calendars and KPI formulas in force, each version published once."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import Field

from ledger.aggregates.opening import refuse_first
from ledger.errors import Refused
from ledger.occurrence import Occurrence, Reading
from ledger.vocabulary import Document, Event, Id, Instant, Unlisted

EXAMPLE_BOOK = "rule_book: customer_service\nversion: 2026.1\n"


class RulebookPublished(
    Event,
    type="rulebook.published",
    en="Rule book published",
    zh="规则发布",
    opens=True,
    example={
        "book_version": "2026.1",
        "digest": "sha256:8c0d8e64a1f1f5d3f0f1c6f2f7c4a9be7a1c2b1d5d0d6f3f9a3c8b7e6d5c4b3a",
        "effective_from": "2026-01-01T00:00:00.000000Z",
        "book": EXAMPLE_BOOK,
        "second_person_voids": ["customer.*"],
    },
):
    book_version: Id
    digest: Id
    effective_from: Instant
    book: Document
    second_person_voids: Annotated[tuple[Id, ...], Field(max_length=100), Unlisted()] | None = None
    """Patterns of the event types whose voids need a second person, as the book says; left out where none do."""


@dataclass(frozen=True, slots=True)
class Rulebook:
    """A rule book, as far as decisions need it."""

    versions: frozenset[str] = frozenset()
    second_person_voids: tuple[str, ...] = ()
    """Of the book published last."""

    def needs_second_person(self, voided: str) -> bool:
        """Whether to void an event of this type needs a second person."""
        return any(fnmatchcase(voided, pattern) for pattern in self.second_person_voids)


def evolve(state: Rulebook | None, told: Occurrence) -> Rulebook | None:
    """The rule book after one more event."""
    match told.data:
        case RulebookPublished(book_version=version, second_person_voids=voids):
            return Rulebook((state.versions if state else frozenset()) | {version}, voids or ())
    return state


def decide(state: Rulebook | None, told: Occurrence, world: Reading) -> None:
    """Refuse what cannot be said of this rule book. Every version is published by the same event, the first opens."""
    if state is None:
        return refuse_first(told)
    match told.data:
        case RulebookPublished(book_version=version) if version in state.versions:
            raise Refused("rulebook.version_taken", f"version {version} of {told.subject} was already published")
    return None
