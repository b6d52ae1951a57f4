"""Reading the log: entries by position, by subject, by sender's id, and all that concerns a subject.

Every method raises Unavailable when the database does not answer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ledger.claims import Recorded, decode
from ledger.log.database import Database

HEAD = "SELECT position, last_recorded_at, simulated, created_at, ledger_id FROM log.head"
ENTRIES = """
SELECT entry FROM log.entries
WHERE position > %(after)s AND position <= %(upto)s
  AND (%(types)s::text[] IS NULL OR type = ANY(%(types)s))
  AND (%(aggregate)s::text IS NULL OR aggregate = %(aggregate)s)
ORDER BY position LIMIT %(limit)s
"""
STREAM = "SELECT entry FROM log.entries WHERE aggregate = %s AND subject = %s AND position <= %s ORDER BY version"
FIND = "SELECT entry FROM log.entries WHERE source = %s AND id = %s"
ENTRY = "SELECT entry FROM log.entries WHERE position = %s"
# recorded times never go back along positions, so the last one at or before a moment is the one to find
POSITION_AT = """
SELECT position FROM log.entries WHERE recorded_at <= %s ORDER BY recorded_at DESC, position DESC LIMIT 1
"""
CONCERNING = """
WITH told AS (
    SELECT position FROM log.entries WHERE aggregate = %(aggregate)s AND subject = %(subject)s
    UNION
    SELECT position FROM log.names WHERE aggregate = %(aggregate)s AND subject = %(subject)s
)
SELECT entry FROM log.entries
WHERE position <= %(upto)s AND position IN (
    SELECT position FROM told
    UNION
    SELECT void.position FROM log.entries AS void JOIN told ON void.voided_position = told.position
)
ORDER BY position
"""
END = 2**63 - 1


@dataclass(frozen=True)
class Head:
    """Where the log ends. `position` is 0 while it is empty; times are UTC.

    `last_recorded_at` is the time of the last entry; of an empty log the creation, or 1970 on a simulated ledger.
    """

    position: int
    last_recorded_at: datetime
    simulated: bool
    created_at: datetime
    ledger_id: UUID


class Reader:
    """Reads one ledger's log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def head(self) -> Head:
        """Where the log ends now."""
        with self._database.reading() as connection:
            row = connection.execute(HEAD).fetchone()
        assert row is not None, "a ledger's row is made when it is opened"
        return Head(*row)

    def entries(
        self,
        after: int = 0,
        limit: int = 1000,
        types: Sequence[str] | None = None,
        aggregate: str | None = None,
        upto: int | None = None,
    ) -> list[Recorded]:
        """Entries beyond position `after` (and up to `upto`), in order, at most `limit`."""
        values = {
            "after": after,
            "upto": END if upto is None else upto,
            "types": None if types is None else list(types),
            "aggregate": aggregate,
            "limit": limit,
        }
        return list(self._read(ENTRIES, values))

    def entry(self, position: int) -> Recorded | None:
        """The entry at a position; None beyond the head."""
        return next(self._read(ENTRY, [position]), None)

    def entry_bytes(self, position: int) -> bytes | None:
        """The bytes of the entry at a position, as stored."""
        with self._database.reading() as connection:
            row = connection.execute(ENTRY, [position]).fetchone()
        return None if row is None else bytes(row[0])

    def stream(self, aggregate: str, subject: str, upto: int | None = None) -> list[Recorded]:
        """A subject's own entries (up to position `upto`), in order."""
        return list(self._read(STREAM, [aggregate, subject, END if upto is None else upto]))

    def find(self, source: str, event_id: str) -> Recorded | None:
        """What a source told under an id."""
        return next(self._read(FIND, [source, event_id]), None)

    def concerning(self, aggregate: str, subject: str, upto: int | None = None) -> list[Recorded]:
        """All that concerns a subject (up to position `upto`): its own entries, those that name it, voids of either."""
        values = {"aggregate": aggregate, "subject": subject, "upto": END if upto is None else upto}
        return list(self._read(CONCERNING, values))

    def position_at(self, recorded: datetime) -> int:
        """The last position recorded at or before a moment; 0 when there is none."""
        with self._database.reading() as connection:
            row = connection.execute(POSITION_AT, [recorded]).fetchone()
        return 0 if row is None else int(row[0])

    def _read(self, query: str, values: Any) -> Iterator[Recorded]:
        with self._database.reading() as connection:
            rows = connection.execute(query, values).fetchall()
        return (decode(row[0]) for row in rows)
