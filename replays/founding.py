"""Setting a ledger up: its first rule book, published as an event, and its first generation of tables."""

from __future__ import annotations

import time

from ledger.aggregates.rulebook import RulebookPublished
from ledger.claims import Recorded, claim, decode
from ledger.errors import LedgerError
from ledger.log.application import Ledger
from ledger.rulebook.loading import default_text
from ledger.rulebook.model import EPOCH
from ledger.rulebook.rules import in_force
from projections import generations
from projections.keeping import keep_recipe, recall
from projections.recipes import recipe
from projections.values import instant
from replays.archive.reading import Archive
from replays.engine import Progress
from replays.rebuild import ReplayRunning, rebuild
from replays.trying import check

SOURCE = "/ledger"
# any constant of our own: of several processes that start at once, one founds
LOCK = "SELECT pg_advisory_xact_lock(7246331902120)"
# in the order of the index that holds them together
BOOKS = "SELECT entry FROM log.entries WHERE aggregate = 'rulebook' ORDER BY aggregate, subject, version"
PUBLISHED = "rulebook.published"
RECORDED_BY = "ledger"
"""What `recorded_by` says of the events the ledger itself records."""


def found(
    ledger: Ledger,
    book_text: str | None = None,
    *,
    archive: Archive | None = None,
    progress: Progress = lambda *_: None,
) -> None:
    """Publish the first rule book unless one is, and make sure tables built under this program's definitions are live.

    Safe to call at every start, by several processes: those that come second wait. Tables are built out of
    an archive of this ledger where one is given. Raises BadRuleBook.
    """
    if not published_texts(ledger):
        publish_first(ledger, book_text or default_text())
    while not _ready(ledger, archive, progress):
        time.sleep(1.0)


def _ready(ledger: Ledger, archive: Archive | None, progress: Progress) -> bool:
    """Make tables of this program's definitions live; False while another process is at it."""
    with ledger.database.connect() as connection, connection.transaction():
        connection.execute(LOCK)
        try:
            live = generations.live(connection)
            # a rule book whose publisher was killed before the tables followed it: they follow now
            book_text = in_force(published_texts(ledger)) or live.book_text
            recall(connection, book_text)
            if live.current and live.book_text == book_text:
                keep_recipe(connection, recipe(book_text))
                return True
        except generations.NoGeneration:
            book_text = in_force(published_texts(ledger)) or default_text()
            recall(connection, book_text)
            if ledger.head().position <= 1:
                generations.create(connection, book_text, state="live")
                return True
    try:
        rebuild(ledger, book_text=book_text, archive=archive, progress=progress)
    except ReplayRunning:
        return False
    return True


def published_books(ledger: Ledger) -> list[Recorded]:
    """The rule books published, in that order; all are `RulebookPublished`, which is never voided."""
    with ledger.database.reading() as connection:
        books = [decode(row[0]) for row in connection.execute(BOOKS)]
    return sorted(books, key=lambda entry: entry.position)


def published_texts(ledger: Ledger) -> list[str]:
    """The rule books published, as YAML, in that order."""
    return [entry.data.book for entry in published_books(ledger) if isinstance(entry.data, RulebookPublished)]


def publish_first(ledger: Ledger, book_text: str) -> None:
    """Publish a book as the ledger's first event; another process that does the same changes nothing."""
    book = check(book_text)
    # a simulated ledger has no clock before its first event: the book is told at its beginning
    told_at = EPOCH if ledger.simulated else ledger.now()
    first = claim(
        PUBLISHED,
        book.rule_book,
        {
            "book_version": book.version,
            "digest": book.digest(),
            "effective_from": instant(book.effective_from_us),
            "book": book_text,
            "second_person_voids": book.voids.by_two,
        },
        id=f"{book.rule_book}/{book.version}",
        source=SOURCE,
        occurred_at=told_at,
    )
    (outcome,) = ledger.append([[first]], RECORDED_BY)
    if isinstance(outcome, LedgerError) and not published_texts(ledger):
        raise outcome
