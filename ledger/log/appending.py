"""The append: one transaction that takes the ledger's lock, decides on what is recorded by then, and inserts.

The lock is the one row of `log.ledger`, held until the commit. So positions are gapless and in commit order, recorded
times never go back, and no decision is ever made on a stale state, whichever process recorded last. The statements
that follow the lock see all that was committed before it was got: each has a snapshot of its own (READ COMMITTED).
"""

import logging
import threading
from collections.abc import Sequence
from datetime import UTC, timedelta
from typing import Any, cast

import psycopg
from eventsourcing.persistence import EventStore, StoredEvent
from psycopg import Connection, Cursor

from ledger.claims import Recorded, decode
from ledger.decisions import Key, Snapshot, reads
from ledger.errors import AppendFailed, LedgerError, Unavailable
from ledger.log.database import Database, by_first, check
from ledger.log.deciding import Group, Outcome, Unit
from ledger.log.persistence import stored_entry
from ledger.log.snapshots import Snapshots
from ledger.log.world import LockedWorld
from ledger.privacy.destroying import DESTROYED
from ledger.privacy.vault import Concealed, Vault

# every query of an append looks up keys; plans made before the tables were analysed must not scan or compile
SESSION = """
SELECT set_config('lock_timeout', %(lock)s, false),
       set_config('default_transaction_isolation', 'read committed', false),
       set_config('idle_in_transaction_session_timeout', '60s', false),
       set_config('enable_seqscan', 'off', false), set_config('enable_hashjoin', 'off', false),
       set_config('enable_mergejoin', 'off', false), set_config('jit', 'off', false)
"""
LOCK = "SELECT simulated FROM log.ledger FOR UPDATE"
HEAD = "SELECT position, greatest(last_recorded_at, CASE WHEN NOT simulated THEN clock_timestamp() END) FROM log.head"
CHANGED = """
SELECT aggregate, subject, version, entry, source, id, type FROM log.entries WHERE position > %s ORDER BY position
LIMIT %s
"""
MOST_CHANGED = 20_000
# up to here one exchange with insert and commit beats the cheaper rows of COPY, which needs four more
FEW = 200
STORED = """
SELECT asked.source, told.id, told.entry
FROM unnest(%s::text[], %s::text[]) AS asked (source, ids)
CROSS JOIN LATERAL (
    SELECT id, entry FROM log.entries AS entry
    WHERE entry.source = asked.source AND entry.id = ANY(asked.ids::text[]) OFFSET 0
) AS told
"""
NOTIFY = "SELECT pg_notify('ledger_appended', %s)"

_logger = logging.getLogger(__name__)


class Appending:
    """Appends groups of units for one process; any thread may call, one group goes at a time."""

    def __init__(self, database: Database, events: EventStore[str], snapshots: Snapshots, vault: Vault | None) -> None:
        self._database = database
        self._events = events
        self._snapshots = snapshots
        self._vault = vault
        self._skew = timedelta(seconds=database.settings.clock_skew_seconds)
        self._lock = threading.Lock()
        self._connection: Connection[Any] | None = None
        # every entry up to here is reflected in the snapshots kept
        self._seen: int | None = None

    def append(self, units: Sequence[tuple[Unit, str]]) -> list[Outcome]:
        """Append units, each with the key id it is recorded by, in one transaction; one outcome per unit, in order.

        A unit that is refused does not hurt the others. Where the database fails, the outcome is Unavailable: sending
        again with the same ids is safe.
        """
        if not units:
            return []
        with self._lock:
            try:
                return self._append(units)
            except psycopg.Error as error:
                if len(units) == 1:
                    _logger.error("an append was refused by the database: %s", error.diag.message_primary)
                    return [AppendFailed("The database refused the events; the ledger's log says why.")]
                # one of them is at fault; alone, each gets its own answer
                return [outcome for unit in units for outcome in self._append_alone(unit)]
            except LedgerError as error:
                return [error] * len(units)

    def close(self) -> None:
        """Close the connection appends go through."""
        with self._lock:
            self._disconnect()

    def _append_alone(self, unit: tuple[Unit, str]) -> list[Outcome]:
        try:
            return self._append([unit])
        except psycopg.Error as error:
            _logger.error("an append was refused by the database: %s", error.diag.message_primary)
            return [AppendFailed("The database refused the events; the ledger's log says why.")]
        except LedgerError as error:
            return [error]

    def _append(self, units: Sequence[tuple[Unit, str]]) -> list[Outcome]:
        """Try, and once more on a new connection if the old one fails before a commit was sent."""
        for attempt in (1, 2):
            committing = False
            try:
                connection = self._connected()
                group = self._caught_up(connection, units)
                outcomes = [group.decide(unit, recorded_by) for unit, recorded_by in units]
                entries = group.overlay.entries
                concealed: Sequence[Concealed | None] = [None] * len(entries)
                if self._vault is not None:
                    self._vault.destroy(connection, entries)
                    concealed = self._vault.conceal(connection, entries)
                if len(entries) > FEW:
                    self._insert(connection, entries, concealed, copy=True)
                committing = True
                with connection.pipeline():
                    if 0 < len(entries) <= FEW:
                        self._insert(connection, entries, concealed, copy=False)
                    if entries:
                        connection.execute(NOTIFY, [str(group.position)])
                    connection.commit()
                self._seen = group.position
                for key, snapshot in group.overlay.snapshots.items():
                    self._snapshots.keep(key, snapshot)
                return outcomes
            except psycopg.Error as error:
                lost = self._connection is None or self._connection.closed
                self._disconnect()
                if not (lost or isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))):
                    raise
                waited = isinstance(error, psycopg.errors.LockNotAvailable)
                if committing or waited or attempt == 2:
                    raise Unavailable(_unavailable(error, committing, waited)) from error
                self._database.revive()
            except BaseException:
                self._disconnect()
                raise
        raise AssertionError("not reached")

    def _insert(
        self,
        connection: Connection[Any],
        entries: Sequence[Recorded],
        concealed: Sequence[Concealed | None],
        *,
        copy: bool,
    ) -> None:
        # lazily: the server takes the first while the last are being encoded
        stored = map(stored_entry, entries, concealed)
        self._events.recorder.insert_events(cast(Sequence[StoredEvent], stored), connection=connection, copy=copy)

    def _caught_up(self, connection: Connection[Any], units: Sequence[tuple[Unit, str]]) -> Group:
        """Read what is to be decided on and take the lock, in one exchange with the server.

        What takes longest, looking up many streams and ids, is done before the lock is got, while another process may
        have it; what was appended in between is added.
        """
        claims = [claim for unit, _ in units for claim in unit]
        asked = {(claim.source, claim.id) for claim in claims}
        if self._seen is None:
            # nothing is kept that could be out of date
            self._seen = _one(connection.execute(HEAD))[0]
        known: dict[Key, Snapshot] = {}
        missing: dict[Key, None] = {}
        for claim in claims:
            for key in reads(claim):
                if key in known or key in missing:
                    continue
                snapshot = self._snapshots.snapshot(key)
                if snapshot is None:
                    missing[key] = None
                else:
                    known[key] = snapshot
        lock, changed, head, stored, streams = (connection.cursor(binary=True) for _ in range(5))
        with connection.pipeline():
            stored.execute(STORED, by_first(asked))
            self._snapshots.ask(streams, missing)
            lock.execute(LOCK)
            changed.execute(CHANGED, [self._seen, MOST_CHANGED])
            head.execute(HEAD)
        (simulated,), (position, clock) = _one(lock), _one(head)
        known.update(self._snapshots.answer(streams, missing))
        told = changed.fetchall()
        if self._vault is not None and (len(told) == MOST_CHANGED or any(row[6] == DESTROYED for row in told)):
            self._vault.forget()
        if len(told) == MOST_CHANGED:
            self._snapshots.forget_all()
            stale = set(known)
            stored.execute(STORED, by_first(asked))
        else:
            stale = self._snapshots.follow(told)
        self._seen = position
        for key in {(aggregate, subject) for aggregate, subject, *_ in told} & known.keys() - stale:
            # of a stream that was empty nothing is kept that could have followed
            kept = self._snapshots.snapshot(key)
            if kept is None:
                stale.add(key)
            else:
                known[key] = kept
        known.update(self._snapshots.load(streams, stale & known.keys()))
        world = LockedWorld(streams, self._snapshots, known)
        found = {(source, event_id): decode(entry) for source, event_id, entry in stored}
        found |= {row[4:6]: decode(row[3]) for row in told if row[4:6] in asked}
        if self._vault is not None and found:
            found = dict(zip(found, self._vault.reveal(connection, [*found.values()]), strict=True))
        return Group(world, position, clock.astimezone(UTC), simulated, self._skew, found)

    def _connected(self) -> Connection[Any]:
        if self._connection is None:
            connection = self._database.connect(prepare_threshold=0)
            check(connection)
            lock_milliseconds = str(int(self._database.settings.lock_timeout_seconds * 1000))
            connection.execute(SESSION, {"lock": lock_milliseconds})
            connection.autocommit = False
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        if self._vault is not None:
            # keys that were made in a transaction which may not have been committed
            self._vault.forget()
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _one(cursor: Cursor[Any]) -> Any:
    row = cursor.fetchone()
    assert row is not None, "a ledger's row is made when it is opened"
    return row


def _unavailable(error: psycopg.Error, committing: bool, waited: bool) -> str:
    if waited:
        return "Another process has held the ledger's lock for too long: send again with the same ids."
    if committing:
        return "The database did not say whether the events were committed: send again with the same ids."
    return f"The database does not take the events now ({str(error).strip()}): send again with the same ids."
