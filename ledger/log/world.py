"""What is recorded, as decisions read it while the append holds the ledger's lock: current to the last entry."""

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import Cursor

from ledger.claims import Recorded, decode
from ledger.decisions import Key, Snapshot
from ledger.log.snapshots import Snapshots

REFERRING = """
SELECT DISTINCT entries.subject FROM log.names JOIN log.entries USING (position)
WHERE names.aggregate = %s AND names.subject = %s AND names.field = %s AND entries.aggregate = %s
"""
SUBJECTS = "SELECT DISTINCT subject FROM log.entries WHERE aggregate = %s"
STREAM = "SELECT entry FROM log.entries WHERE aggregate = %s AND subject = %s ORDER BY version"
ENTRY = "SELECT entry FROM log.entries WHERE position = %s"


class LockedWorld:
    """A `ledger.decisions.World` for one transaction. `known` are the snapshots loaded for it beforehand."""

    def __init__(self, cursor: Cursor[Any], snapshots: Snapshots, known: dict[Key, Snapshot]) -> None:
        self._cursor = cursor
        self._snapshots = snapshots
        # held here too: a large batch may push out of the cache what it needs itself
        self._known = known
        self._streams: dict[Key, list[Recorded]] = {}

    def snapshot(self, aggregate: str, subject: str) -> Snapshot:
        key = (aggregate, subject)
        found = self._known.get(key) or self._snapshots.snapshot(key)
        if found is None:
            found = self._snapshots.load(self._cursor, [key])[key]
        self._known[key] = found
        return found

    def referring(self, aggregate: str, field: str, subject: str) -> Iterable[str]:
        named = aggregate if field == "into_id" else field.removesuffix("_id")
        rows = self._cursor.execute(REFERRING, [named, subject, field, aggregate]).fetchall()
        return [row[0] for row in rows]

    def subjects(self, aggregate: str) -> Iterable[str]:
        return [row[0] for row in self._cursor.execute(SUBJECTS, [aggregate]).fetchall()]

    def stream(self, aggregate: str, subject: str) -> Sequence[Recorded]:
        key = (aggregate, subject)
        if key not in self._streams:
            self._streams[key] = [decode(row[0]) for row in self._cursor.execute(STREAM, key)]
        return self._streams[key]

    def entry(self, position: int) -> Recorded | None:
        row = self._cursor.execute(ENTRY, [position]).fetchone()
        return None if row is None else decode(row[0])
