"""A new key-encryption key, and all data keys wrapped by it: what an old backup holds then opens nothing any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection

from ledger.privacy.encryption import key_id
from ledger.privacy.wrapping import KNOW, KeyFile, KeyRing

BATCH: Final = 1_000
OTHERS: Final = """
SELECT aggregate, subject, number, wrapped, wrapped_by FROM log.data_keys
WHERE wrapped_by <> %s LIMIT %s FOR UPDATE
"""
PUT: Final = """
UPDATE log.data_keys AS kept SET wrapped = made.wrapped, wrapped_by = %s
FROM unnest(%s::text[], %s::text[], %s::integer[], %s::bytea[]) AS made (aggregate, subject, number, wrapped)
WHERE kept.aggregate = made.aggregate AND kept.subject = made.subject AND kept.number = made.number
"""
ALONE: Final = "SELECT pg_advisory_lock(7246331902132)"
TOGETHER: Final = "SELECT pg_advisory_unlock(7246331902132)"
APPENDS: Final = "SELECT FROM log.ledger FOR UPDATE"
COUNT: Final = """
SELECT count(*) FILTER (WHERE wrapped IS NOT NULL), count(*) FILTER (WHERE wrapped_by <> %s),
       count(*) FILTER (WHERE wrapped IS NULL)
FROM log.data_keys
"""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class State:
    """How a ledger's data keys stand: alive, of these wrapped by another key than the current one, and destroyed."""

    current: str
    alive: int
    by_others: int
    destroyed: int


def state(connection: Connection[Any], place: KeyFile) -> State:
    """How the data keys stand. Raises NoWrappingKey."""
    current = place.ring.current
    row = connection.execute(COUNT, [current]).fetchone()
    assert row is not None
    return State(current, *row)


def rewrap(connection: Connection[Any], place: KeyFile, progress: Progress = lambda *_: None) -> int:
    """Wrap by the current key, known from then on, every data key that another one wraps; how many there were.

    In batches, each its own transaction: appends go on, and what was interrupted can be begun again. One process does
    it at a time, the next one waits. Raises NoWrappingKey.
    """
    with _alone(connection):
        ring = place.present
        connection.execute(KNOW, [ring.current])
        total, done = state(connection, place).by_others, 0
        while rows := _wrap(connection, ring):
            done += rows
            progress(done, max(total, done))
        # what stood there before is overwritten in the table's file
        connection.execute("VACUUM log.data_keys")
    return done


def renew(connection: Connection[Any], place: KeyFile, progress: Progress = lambda *_: None) -> int:
    """Make a new current key, wrap all data keys by it, and forget the others; how many were wrapped anew.

    Raises NoWrappingKey.
    """
    with _alone(connection):
        place.keep(place.present.renewed())
        # who wrapped a data key by the old one holds the ledger's lock; who gets it next reads the file anew
        with connection.transaction():
            connection.execute(APPENDS)
        done = rewrap(connection, place, progress)
        place.keep(place.present.only())
    return done


@contextmanager
def _alone(connection: Connection[Any]) -> Iterator[None]:
    """No other process wraps keys anew meanwhile; may be nested."""
    connection.execute(ALONE)
    try:
        yield
    finally:
        connection.execute(TOGETHER)


def _wrap(connection: Connection[Any], ring: KeyRing) -> int:
    """Wrap a batch of those that other keys wrap; how many."""
    with connection.transaction():
        rows = connection.execute(OTHERS, [ring.current, BATCH]).fetchall()
        wrapped = []
        for aggregate, subject, number, secret, by in rows:
            name = key_id((aggregate, subject), number).encode()
            wrapped.append(ring.wrap(ring.unwrap(bytes(secret), by, name), name)[0])
        if rows:
            owners = ([row[at] for row in rows] for at in range(3))
            connection.execute(PUT, [ring.current, *owners, wrapped])
    return len(rows)
