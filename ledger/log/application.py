"""The ledger: the log of one database, opened for appending and reading."""

import logging
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, cast

from eventsourcing.application import Application
from eventsourcing.persistence import Tracking
from eventsourcing.utils import Environment, EnvType
from psycopg import Connection
from psycopg.errors import InsufficientPrivilege
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from ledger.claims import Claim, Recorded
from ledger.errors import OtherLedger
from ledger.log.appender import Appender
from ledger.log.appending import Appending
from ledger.log.database import Database
from ledger.log.deciding import Appended, Outcome
from ledger.log.keys import Keys
from ledger.log.persistence import LogTrackingRecorder, environment
from ledger.log.preparing import prepare
from ledger.log.reading import Head, Reader
from ledger.log.snapshots import Snapshots
from ledger.log.waker import Waker
from ledger.privacy import erasing
from ledger.privacy.register import Register
from ledger.privacy.revealing import reveal
from ledger.privacy.vault import Vault
from ledger.privacy.wrapping import KeyFile
from ledger.settings import Settings

CREATE = """
INSERT INTO log.ledger (ledger_id, simulated, encrypted, created_at)
VALUES (gen_random_uuid(), %s, %s, clock_timestamp()) ON CONFLICT DO NOTHING
"""
MADE = "SELECT simulated, encrypted, ledger_id FROM log.ledger"
EXISTS = "SELECT to_regclass('log.ledger') IS NOT NULL"

_logger = logging.getLogger(__name__)


class Ledger(Reader, Application[str]):
    """One ledger, open in this process. Any number of processes may have the same one open.

    `append` and `appender` append; the methods of `Reader` read; `keys` are its API keys; `pool` gives connections to
    those who read tables of their own. Close it, or use it as a context manager.
    """

    name = "ledger"

    def __init__(self, database: Database, *, simulated: bool, wrapping: KeyFile | None, register: Register) -> None:
        Reader.__init__(self, database)
        Application.__init__(self, environment(database.conninfo))
        self.database = database
        self.settings = database.settings
        self.simulated = simulated
        self.keys = Keys(database)
        self.wrapping = wrapping
        self.register = register
        vault = None if wrapping is None else Vault(wrapping, register, database.settings.cached_streams)
        self._appending = Appending(database, self.events, self.kept, vault)
        self._appender: Appender | None = None
        self._starting = threading.Lock()
        # the class is the one the environment names
        self._tracking = cast(LogTrackingRecorder, self.factory.tracking_recorder())

    @classmethod
    def open(cls, settings: Settings, *, simulated: bool | None = None) -> Self:
        """The ledger of the database `settings` name, created and migrated as needed.

        `simulated`, decided when a ledger is created (not, unless said), gives one that takes its recording clock from
        the events; None takes an existing ledger as it is. So is LEDGER_ENCRYPT. What was erased and has come back with
        a backup is erased again. Raises Unfit (EmbeddedServerError, DatabaseUnfit, MigrationError, OtherLedger),
        RegisterFailed or Unavailable (NoWrappingKey).
        """
        database = Database.open(settings)
        try:
            with database.connect() as connection:
                prepare(connection)
                encrypt = settings.encrypt
                connection.execute(CREATE, [bool(simulated), not simulated if encrypt is None else encrypt])
                row = connection.execute(MADE).fetchone()
                assert row is not None
                if simulated is not None and row[0] != simulated:
                    raise OtherLedger(
                        f"This ledger was created {'for simulation' if row[0] else 'for real events'}, which cannot be "
                        "changed: use another database (LEDGER_DATABASE_URL) or home (LEDGER_HOME)."
                    )
                if encrypt is not None and row[1] != encrypt:
                    raise OtherLedger(
                        f"This ledger was created {'to keep' if row[1] else 'not to keep'} personal texts encrypted, "
                        "which cannot be changed: leave LEDGER_ENCRYPT out, or use another database or home."
                    )
                wrapping = KeyFile.of(connection, settings) if row[1] else None
            ledger = cls(database, simulated=row[0], wrapping=wrapping, register=Register(row[2], settings))
            if ledger.encrypted and (keys := erasing.again(ledger)):
                _logger.warning("%d data keys that had come back with a backup were destroyed again", keys)
            return ledger
        except BaseException:
            database.close()
            raise

    @classmethod
    def existing(cls, settings: Settings) -> Self | None:
        """The ledger that is in the database `settings` name, migrated as needed; None where there is none, and none is
        made. Raises as `open` does."""
        # who may not even look is told why by `open`
        with Database.open(settings) as database, database.connect() as connection, suppress(InsufficientPrivilege):
            (made,) = connection.execute(EXISTS).fetchone() or (False,)
            if not made or connection.execute(MADE).fetchone() is None:
                return None
        return cls.open(settings)

    @classmethod
    def prepare(cls, settings: Settings) -> None:
        """Bring the database `settings` name to this program's structure, creating no ledger in it."""
        with Database.open(settings) as database, database.connect() as connection:
            prepare(connection)

    @property
    def encrypted(self) -> bool:
        """Whether personal texts are kept encrypted: decided when the ledger was created."""
        return self.wrapping is not None

    def reveal(self, entries: Iterable[Recorded]) -> list[Recorded]:
        """Entries with their personal texts as text, or Erased. Raises NoWrappingKey, KeyMissing, Undecipherable."""
        if self.wrapping is None:
            return [*entries]
        with self.database.reading() as connection:
            return reveal(connection, self.wrapping, entries)

    @property
    def pool(self) -> ConnectionPool[Connection[Any]]:
        """Connections for readers: tuple rows, one transaction per use, times in UTC."""
        return self.database.pool

    @property
    def kept(self) -> Snapshots:
        """The aggregate states kept in memory."""
        return cast(Snapshots, self.repository)

    @property
    def appender(self) -> Appender:
        """The group commit of this process, started at first use."""
        with self._starting:
            if self._appender is None:
                self._appender = Appender(
                    self._appending.append,
                    queue_events=self.settings.queue_events,
                    queue_seconds=self.settings.queue_seconds,
                    transaction_events=self.settings.transaction_events,
                )
            return self._appender

    def append(self, units: Sequence[Sequence[Claim]], recorded_by: str) -> list[Outcome]:
        """Append units, each of which stands or falls as a whole, in one transaction recorded by key `recorded_by`.

        Blocks until it is durable. Gives per unit one Appended per claim, or the LedgerError that kept it out: Refused
        (also VersionMismatch and DuplicateMismatch), Unavailable or AppendFailed.
        """
        return self._appending.append([(unit, recorded_by) for unit in units])

    def now(self) -> datetime:
        """The ledger's present time (UTC): its clock's, or on a simulated ledger the last recorded time."""
        return self.head().last_recorded_at if self.simulated else datetime.now(UTC)

    def waker(self) -> Waker:
        """A new watcher of the log's end; the caller closes it."""
        return Waker(self.database)

    def track(self, connection: Connection[Any], reader: str, position: int) -> None:
        """Note, in the transaction of `connection`, that `reader` has taken all up to `position`.

        Raises eventsourcing.persistence.IntegrityError when it had come as far already.
        """
        with connection.cursor(row_factory=dict_row) as cursor:
            self._tracking.advance(cursor, Tracking(reader, position))

    def tracked(self, reader: str) -> int:
        """How far `reader` has come; 0 when it has not begun."""
        return self._tracking.max_tracking_id(reader) or 0

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """The library's settings: ours alone, nothing from the process environment."""
        return Environment(name, env)

    def construct_repository(self) -> Snapshots:
        """The repository of snapshots, bounded by LEDGER_CACHED_STREAMS."""
        return Snapshots(self.events, cache_maxsize=self._database.settings.cached_streams)

    def close(self) -> None:
        """Append what waits, then leave the database. Closing twice does nothing more."""
        if self.closing.is_set():
            return
        if self._appender is not None:
            self._appender.close()
        self._appending.close()
        Application.close(self)
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


__all__ = ["Appended", "Head", "Ledger", "Outcome"]
