"""The sealer: hashes what was appended into the tree and signs a checkpoint over it, within a second of the append.

Nothing is signed before what it stands on is stored, nor before the new tree is seen to begin with the last one that
was signed: each time, the tree of that size is worked out again, from the stored tiles' roots and from the entries.
Any number of processes may run a sealer: the one with the lock seals.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import structlog
from psycopg import Connection, Error

from ledger.errors import LedgerError
from ledger.log.database import Database
from ledger.log.waker import Waker
from ledger.seal.keys import NoSealKey, signer, verifiers
from ledger.seal.notes import BadNote, Checkpoint, Signer, opened
from ledger.seal.tiles import CHUNK, Signed, TreeDamaged, edge, last_signed
from ledger.seal.tree import EMPTY, WIDTH, Growing, Tile, leaf_hash
from ledger.seal.witnesses import Witnesses

LOCK = "SELECT pg_try_advisory_lock(7246331902122)"
ENTRIES = "SELECT position, entry FROM log.entries WHERE position > %s ORDER BY position LIMIT %s"
STORE = """
INSERT INTO log.tiles (level, number, root, hashes)
SELECT * FROM unnest(%s::smallint[], %s::bigint[], %s::bytea[], %s::bytea[]) ON CONFLICT DO NOTHING
"""
OTHERWISE = """
SELECT told.level, told.number
FROM unnest(%s::smallint[], %s::bigint[], %s::bytea[], %s::bytea[]) AS told (level, number, root, hashes)
JOIN log.tiles AS tile USING (level, number)
WHERE tile.root <> told.root OR tile.hashes <> told.hashes LIMIT 1
"""
SIGN = "INSERT INTO log.checkpoints (size, root, note) VALUES (%s, %s, %s)"
HALT = """
INSERT INTO log.meta (name, value) VALUES ('seal_halted', %s) ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value
"""
RESUME = "DELETE FROM log.meta WHERE name = 'seal_halted'"
# how long the first entry not sealed yet has waited, by the ledger's own clock
STATUS = """
SELECT sealed.size, head.position,
       coalesce(extract(epoch FROM CASE WHEN head.simulated THEN head.last_recorded_at ELSE clock_timestamp() END
                                   - waiting.recorded_at), 0)::float8,
       (SELECT value FROM log.meta WHERE name = 'seal_halted')
FROM log.head AS head
CROSS JOIN (SELECT coalesce(max(size), 0) AS size FROM log.checkpoints) AS sealed
LEFT JOIN log.entries AS waiting ON waiting.position = sealed.size + 1
"""

MOST = CHUNK
"""Entries that one checkpoint takes in at the most."""


class Contradiction(LedgerError):
    """The log is no longer the one that was signed: nothing more is signed."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}. Nothing more is sealed until this is cleared up: `reqledger verify` names what was changed"
        )


class HeldOutside(LedgerError):
    """The log does not go on from a checkpoint that is held outside: nothing more is signed."""


@dataclass(frozen=True)
class Status:
    """How far the log is sealed: positions, positions and seconds behind, and what holds it up, if anything."""

    size: int
    head: int
    lag_positions: int
    lag_seconds: float
    halted_by: str | None


def status(connection: Connection[Any]) -> Status:
    """How far the log is sealed, by whichever process."""
    row = connection.execute(STATUS).fetchone()
    assert row is not None, "a ledger's row is made when it is opened"
    size, head, seconds, halted_by = row
    return Status(size, head, max(head - size, 0), seconds if head > size else 0.0, halted_by)


def seal(connection: Connection[Any], key: Signer) -> Checkpoint | None:
    """Take the next entries into the tree and sign the checkpoint over it; None where there is nothing new.

    `connection` must be one that commits each statement, and hold the sealers' lock. Raises Contradiction.
    """
    last = last_signed(connection)
    size, signed = (0, EMPTY) if last is None else (last.size, last.root)
    # from the last full tile on: what of the signed tree has no tile yet is hashed again
    start = size // WIDTH * WIDTH
    rows = connection.execute(ENTRIES, [start, size - start + MOST], binary=True).fetchall()
    if [position for position, _ in rows] != list(range(start + 1, start + len(rows) + 1)) or start + len(rows) < size:
        raise Contradiction(f"Positions after {start} are missing in the log, of which {size} were sealed")
    if start + len(rows) == size:
        return None
    leaves = [leaf_hash(entry) for _, entry in rows]
    try:
        tree = Growing(start, edge(connection, start))
    except TreeDamaged as error:
        raise Contradiction(str(error)) from error
    tiles = [*tree.add(leaves[: size - start])]
    if last is not None:
        _confirm(connection, last)
    if tree.root() != signed:
        raise Contradiction(f"The log's first {size} entries no longer have the root that was signed for them")
    tiles += tree.add(leaves[size - start :])
    _store(connection, tiles)
    checkpoint = Checkpoint(key.name, tree.size, tree.root())
    connection.execute(SIGN, [checkpoint.size, checkpoint.root, key.sign(checkpoint.text)])
    return checkpoint


def _confirm(connection: Connection[Any], last: Signed) -> None:
    """Hold the newest checkpoint's row against what was signed."""
    try:
        told = opened(last.note, verifiers(connection))
    except BadNote as error:
        raise Contradiction(f"The checkpoint of size {last.size} is not a good one: {error}") from error
    # it may bear a name that the log had before, under a key that is known for it
    if (told.size, told.root) != (last.size, last.root):
        raise Contradiction(f"The row of the checkpoint of size {last.size} is not what its note says")


def _store(connection: Connection[Any], tiles: list[Tile]) -> None:
    """Keep full tiles. Those that a killed sealer left are the same, as they hash the same entries."""
    if not tiles:
        return
    columns = [[getattr(tile, name) for tile in tiles] for name in Tile.__slots__]
    stored = connection.execute(STORE, columns).rowcount
    if stored < len(tiles) and (found := connection.execute(OTHERWISE, columns).fetchone()):
        raise Contradiction(f"Tile {found[1]} of level {found[0]} is stored with other hashes than the log's")


class Sealer:
    """Seals the log in a thread of its own until stopped, then once more.

    Woken by the waker, it survives lost connections; when it cannot go on it says so where `status` finds it, and tries
    again.
    """

    RETRY_SECONDS = 1.0

    def __init__(self, database: Database, waker: Waker) -> None:
        self._database = database
        self._waker = waker
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sealer", daemon=True)
        self._log = structlog.get_logger("sealer")
        self._complained: str | None = ""
        self._witnesses = Witnesses(database)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Seal what there is, and end."""
        self._waker.stop(self._stopping)
        if self._thread.is_alive():
            self._thread.join(30)
        self._witnesses.stop()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._database.connect() as connection:
                    self._seal_here(connection)
            except Exception as error:
                # whatever it is, it must be seen that nothing is sealed; trying again is always safe
                self._complain(error)
                self._stopping.wait(self.RETRY_SECONDS)

    def _seal_here(self, connection: Connection[Any]) -> None:
        key = signer(connection, self._database.settings)
        while not _locked(connection):
            if self._stopping.wait(self.RETRY_SECONDS):
                return
        try:
            self._witnesses.begin(connection, key.name)
            self._go_on(connection, key)
        finally:
            self._witnesses.end()

    def _go_on(self, connection: Connection[Any], key: Signer) -> None:
        sealed = 0
        # until there is another key that signs now, which this process then looks for
        while verifiers(connection)[-1] == key.verifier:
            stopping = self._stopping.is_set()
            last = last_signed(connection)
            before = 0 if last is None else last.size
            if before < sealed:
                # the database was set back under this process: what is held outside is asked anew
                return
            sealed = before
            while not (refused := self._witnesses.refusal(connection)) and (made := seal(connection, key)):
                sealed = made.size
            if refused is not None:
                self._complain(HeldOutside(refused))
            elif self._complained is not None:
                connection.execute(RESUME)
                self._complained = None
            if sealed > before:
                self._witnesses.offer()
            if stopping:
                self._witnesses.stop()
                return
            # under a steady load each checkpoint takes in many entries; a single one is sealed at once
            self._stopping.wait(self._database.settings.seal_seconds)
            if refused is None:
                self._waker.wait(sealed, self.RETRY_SECONDS, self._stopping)
            else:
                self._stopping.wait(self.RETRY_SECONDS)

    def _complain(self, error: Exception) -> None:
        cause = _cause(error)
        if cause == self._complained:
            return
        self._log.error("seal_halted", error=type(error).__name__, cause=cause)
        self._complained = cause
        # another process may have the key that this one lacks
        if not isinstance(error, NoSealKey):
            try:
                with self._database.connect() as connection:
                    connection.execute(HALT, [cause])
            except Exception:
                self._log.warning("seal_halt_not_recorded")


def _locked(connection: Connection[Any]) -> bool:
    row = connection.execute(LOCK).fetchone()
    return row is not None and bool(row[0])


def _cause(error: Exception) -> str:
    """What went wrong, without any value of an event in it."""
    if isinstance(error, Error):
        return f"{type(error).__name__}: {error.diag.message_primary or str(error).splitlines()[0]}"
    return str(error) if isinstance(error, LedgerError) else f"{type(error).__name__}: {error}"
