"""Aggregate states kept in memory for deciding, the least recently used going first.

The library's repository would ask the database for newer events at every use. Here the append, holding the ledger's
lock, reads what other processes have appended and so knows that all that is kept is current: appending the
ten-thousandth event of a subject costs like the tenth, whichever process appended those before.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable
from itertools import groupby
from typing import Any

from eventsourcing.application import Repository
from eventsourcing.persistence import EventStore
from psycopg import Cursor

from ledger.claims import VOID, decode
from ledger.decisions import NOTHING, Key, Snapshot, fold
from ledger.events import AGGREGATES
from ledger.log.database import by_first

STREAMS = """
SELECT asked.aggregate, own.subject, own.version, own.entry
FROM unnest(%s::text[], %s::text[]) AS asked (aggregate, subjects)
CROSS JOIN LATERAL (
    SELECT subject, version, entry FROM log.entries AS told
    WHERE told.aggregate = asked.aggregate AND told.subject = ANY(asked.subjects::text[]) OFFSET 0
) AS own
ORDER BY asked.aggregate, own.subject, own.version
"""


class Snapshots(Repository[str]):
    """The library's repository, holding a Snapshot per stream, also of streams in which nothing is recorded."""

    def __init__(self, event_store: EventStore[str], *, cache_maxsize: int) -> None:
        super().__init__(event_store)
        self._most = cache_maxsize
        self._kept: OrderedDict[Key, Snapshot] = OrderedDict()

    def snapshot(self, key: Key) -> Snapshot | None:
        """The snapshot kept of a stream, None when there is none in memory."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, key: Key, snapshot: Snapshot) -> None:
        """Keep a snapshot that is known to be current."""
        self._kept[key] = snapshot
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def follow(self, told: Iterable[tuple[Any, ...]]) -> set[Key]:
        """Bring what is kept up to what others have appended: aggregate, subject, version, entry and
        more, by position. What is kept may know some of it already.

        Gives the streams that were forgotten, because something was voided in them: those are to be read anew.
        """
        forgotten: set[Key] = set()
        for aggregate, subject, version, entry, *_ in told:
            key = (aggregate, subject)
            kept = self.snapshot(key)
            if kept is None or version <= kept.version:
                continue
            recorded = decode(entry)
            if recorded.type == VOID or version != kept.version + 1:
                del self._kept[key]
                forgotten.add(key)
            else:
                self.keep(key, Snapshot(version, AGGREGATES[aggregate].evolve(kept.state, recorded)))
        return forgotten

    def forget_all(self) -> None:
        """Forget everything, when others have changed too much to name it."""
        self._kept.clear()

    def load(self, cursor: Cursor[Any], keys: Collection[Key]) -> dict[Key, Snapshot]:
        """Read streams in one query, whatever is kept of them, and keep what they come to."""
        self.ask(cursor, keys)
        return self.answer(cursor, keys)

    def ask(self, cursor: Cursor[Any], keys: Collection[Key]) -> None:
        """Send the query of `load`; `answer` takes its result."""
        if keys:
            cursor.execute(STREAMS, by_first(keys))

    def answer(self, cursor: Cursor[Any], keys: Collection[Key]) -> dict[Key, Snapshot]:
        """The snapshots of the streams that were asked for; those in which something is recorded are kept."""
        found = dict.fromkeys(keys, NOTHING)
        if found:
            for key, rows in groupby(cursor, key=lambda row: (row[0], row[1])):
                entries = [decode(row[3]) for row in rows]
                found[key] = Snapshot(entries[-1].version, fold(key[0], entries))
                self.keep(key, found[key])
        return found
