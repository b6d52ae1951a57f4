"""A new key-encryption key, and all data keys wrapped by it: what an old backup holds then opens nothing any more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection

from ledger.log.database import text_array
from ledger.privacy.encryption import key_id
from ledger.privacy.wrapping import KNOW, KeyFile, NoWrappingKey

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
    """Wrap by the current key every data key that another one wraps; how many there were.

    In batches, each its own transaction: appends go on, and what was interrupted can be begun again. Raises
    NoWrappingKey.
    """
    total, done = state(connection, place).by_others, 0
    while True:
        with connection.transaction():
            rows = connection.execute(OTHERS, [place.ring.current, BATCH]).fetchall()
            if not rows:
                break
            made = []
            for aggregate, subject, number, wrapped, by in rows:
                name = key_id((aggregate, subject), number).encode()
                made.append(place.wrap(place.unwrap(bytes(wrapped), by, name), name))
            owners = [text_array([row[at] for row in rows]) for at in (0, 1)]
            # the key may have changed in the middle: the next round takes what it left
            by = made[-1][1]
            kept = [nth for nth, each in enumerate(made) if each[1] == by]
            if len(kept) == len(rows):
                connection.execute(PUT, [by, *owners, [row[2] for row in rows], [each for each, _ in made]])
                done += len(rows)
        progress(done, max(total, done))
    # what stood there before is overwritten in the table's file
    connection.execute("VACUUM log.data_keys")
    return done


def renew(connection: Connection[Any], place: KeyFile, progress: Progress = lambda *_: None) -> int:
    """Make a new key-encryption key, wrap all data keys by it, and forget the ones before; how many data keys.

    One process at a time. Raises NoWrappingKey, also where the keys are those of a setting.
    """
    connection.execute(ALONE)
    try:
        if not place.ring.keys:
            raise NoWrappingKey(f"There is no key-encryption key in {place}: nothing could be unwrapped.")
        place.keep(place.ring.renewed())
        connection.execute(KNOW, [place.ring.current])
        # who wrapped a data key by the old one holds the ledger's lock; who gets it next reads the file anew
        with connection.transaction():
            connection.execute(APPENDS)
        done = rewrap(connection, place, progress)
        place.keep(place.ring.only())
    finally:
        connection.execute(TOGETHER)
    return done
