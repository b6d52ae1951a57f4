"""The projector: brings a generation's tables and counters up to the log, a batch of positions a transaction.

A batch takes the subjects its events touch and replaces their rows by working them out again from all their events:
late arrivals, voids and reopenings are no special cases. Rows, counters and checkpoint move in one transaction, and
the checkpoint's row is locked, so that any number of processes may run a projector: one of them projects.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from psycopg import Connection, Error, InterfaceError, OperationalError
from psycopg.errors import InvalidParameterValue, QueryCanceled
from psycopg.pq import TransactionStatus

from ledger.log.application import Ledger
from ledger.log.waker import Waker
from projections.generations import Generation, live
from projections.keeping import keep
from projections.procedure import procedure

HEAD = "SELECT coalesce(max(position), 0) FROM log.entries"
WAIT_CHECKPOINT = "SELECT notification_id FROM log.tracking WHERE application_name = %s FOR UPDATE"
ADVANCE = "SELECT begun, ended FROM pg_temp.advance(%s, %s, %s, %s)"
# a small sample will do, and the statistics of a table that has just begun to grow may be a minute away
GROWN = (
    "SELECT format('%%I.%%I', nspname, relname) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "
    "WHERE relkind = 'r' AND (nspname = %s OR (nspname, relname) IN (('log', 'entries'), ('log', 'names'))) "
    "AND pg_relation_size(pg_class.oid) > 0"
)
# a backend whose client was killed would else hold the checkpoint until its statement ends
NOTICE_LOST_CLIENT = "SET client_connection_check_interval = '1s'"
SESSION = (
    "SET search_path TO pg_temp, pg_catalog",
    # what is lost with a crash is projected again: rows and checkpoint are lost together
    "SET synchronous_commit TO off",
    "SET jit TO off",
    "SET plan_cache_mode TO force_generic_plan",
    # a batch looks up a few rows of tables that grow: whole tables must not be read, however small they are yet
    "SET seq_page_cost TO 10",
    "SET random_page_cost TO 0.5",
    "SET default_statistics_target TO 1",
)
TIMEOUT = "SELECT set_config('statement_timeout', %s, false)"
HALT = "UPDATE projections.generations SET halted_at = %s, halted_by = %s WHERE number = %s"
STATUS = (
    "SELECT number, coalesce((SELECT notification_id FROM log.tracking WHERE application_name = "
    "'generation_' || number), 0), halted_at, halted_by FROM projections.generations WHERE state = 'live'"
)
# how long the first entry not projected yet has waited, by the ledger's own clock
LAG = """
SELECT head.position,
       coalesce(extract(epoch FROM CASE WHEN head.simulated THEN head.last_recorded_at ELSE clock_timestamp() END
                                   - waiting.recorded_at), 0)::float8
FROM log.head AS head LEFT JOIN log.entries AS waiting ON waiting.position = %s
"""

# deleted rows stay in a scratch table until it is vacuumed, and everything that looks at it reads over them
LITTERED = (
    "SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r' "
    "AND pg_relation_size(oid) >= %s"
)

BATCH = 2_000
"""Positions a batch takes at the most."""
STATEMENT_SECONDS = 60.0
"""How long one statement of a batch may take before a smaller batch is tried. A single position may take any time."""

GROWTH = 8
"""By how many times the log has grown when all is planned anew: what was planned for small tables may read a grown one
from end to end."""
LEAST_GROWTH = 1_000
"""Positions before which that is not worth it."""
LITTER_BYTES = 2_000_000
"""Size of a scratch table from which on it is vacuumed; what looks at it is then planned anew."""
LITTER_POSITIONS = 2_000
"""How many positions are projected between two looks at those sizes."""


@dataclass(frozen=True)
class Status:
    """How far the live generation is: positions, positions and seconds behind, and what holds it up, if anything."""

    generation: int
    position: int
    head: int
    lag_positions: int
    lag_seconds: float
    halted_at: int | None
    halted_by: str | None


class Batches:
    """Projects batches into one generation over one connection, which it must have to itself."""

    def __init__(self, ledger: Ledger, connection: Connection[Any], generation: Generation) -> None:
        self.ledger = ledger
        self.connection = connection
        self.generation = generation
        self.position = 0
        self._planned_at = LEAST_GROWTH // GROWTH
        self._since_vacuum = 0
        made = procedure(generation.book_text, generation.schema)
        with connection.transaction():
            for setting in SESSION:
                connection.execute(setting)
        notice_lost_client(connection)
        with connection.transaction():
            for statement in (*made.scratch, *made.functions):
                connection.execute(statement.encode())
        # of a table that was never vacuumed the planner believes that it has ten pages
        self._vacuum(0)

    def advance(self, limit: int = BATCH, upto: int | None = None, wait: bool = False) -> int | None:
        """Project the next positions, at most `limit`; how many, or None when another projector is at it."""
        row = self.connection.execute(ADVANCE, [self.generation.schema, limit, upto, wait], prepare=True).fetchone()
        if row is None or row[0] is None:
            return None
        begun, self.position = row
        self._since_vacuum += self.position - begun
        if self._since_vacuum >= LITTER_POSITIONS:
            self._vacuum(LITTER_BYTES)
        if self.position >= GROWTH * self._planned_at:
            self._plan_anew()
        return int(self.position - begun)

    def _plan_anew(self) -> None:
        """Look at what the tables hold by now; every statement is planned anew then."""
        found = [row[0] for row in self.connection.execute(GROWN, [self.generation.schema])]
        self.connection.execute(f"ANALYZE {', '.join(found)}".encode())
        self._planned_at = self.position

    def _vacuum(self, larger_than: int) -> None:
        """Vacuum the scratch tables that have grown beyond a size. (Within a transaction of the caller's it is not
        allowed, and left for later.)"""
        if self.connection.info.transaction_status != TransactionStatus.IDLE:
            return
        self._since_vacuum = 0
        found = [row[0] for row in self.connection.execute(LITTERED, [larger_than])]
        if found:
            self.connection.execute(f"VACUUM {', '.join(found)}".encode())

    def catch_up(self, upto: int | None = None) -> int:
        """Project to the log's present end, or to a position; how many positions."""
        if upto is None:
            row = self.connection.execute(HEAD).fetchone()
            upto = int(row[0]) if row else 0
        total = 0
        while done := self.advance(upto=upto, wait=True):
            total += done
        return total


def notice_lost_client(connection: Connection[Any]) -> None:
    """Have the server end a statement whose client is gone, where its platform can tell."""
    with suppress(InvalidParameterValue), connection.transaction():
        connection.execute(NOTICE_LOST_CLIENT)


def status(connection: Connection[Any]) -> Status | None:
    """How far the live generation is, or None when there is none yet."""
    row = connection.execute(STATUS).fetchone()
    if row is None:
        return None
    number, position, halted_at, halted_by = row
    lag = connection.execute(LAG, [position + 1]).fetchone()
    assert lag is not None
    head = max(int(lag[0]), position)
    return Status(
        number, position, head, head - position, float(lag[1]) if head > position else 0.0, halted_at, halted_by
    )


class Projector:
    """Keeps the live generation up to the log, in a thread of its own, until stopped.

    It is woken by the waker, survives lost connections and switched generations, and when it cannot go on it says so
    where `status` finds it and tries again.
    """

    RETRY_SECONDS = 1.0
    STATEMENT_SECONDS = STATEMENT_SECONDS

    def __init__(self, ledger: Ledger, waker: Waker) -> None:
        self._ledger = ledger
        self._waker = waker
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="projector", daemon=True)
        self._log = structlog.get_logger("projector")
        self._allowed = 0.0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Finish the batch under way and end."""
        self._waker.stop(self._stopping)
        if self._thread.is_alive():
            self._thread.join(30)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._ledger.database.connect() as connection:
                    self._project_live(connection)
            except Exception as error:
                # whatever it is, readers must learn that the tables stand still; trying again is always safe
                self._log.error("projector_halted", error=type(error).__name__, cause=_cause(error))
                self._halted(error)
                self._stopping.wait(self.RETRY_SECONDS)

    def _project_live(self, connection: Connection[Any]) -> None:
        generation = live(connection)
        if not generation.current:
            raise OutdatedGeneration(generation.number)
        batches = Batches(self._ledger, connection, generation)
        keep(connection, generation.book_text)
        self._allowed = 0.0
        halted, limit, most = True, BATCH, BATCH
        while not self._stopping.is_set():
            self._allow(connection, 0.0 if limit == 1 else self.STATEMENT_SECONDS)
            try:
                done = batches.advance(limit)
            except QueryCanceled:
                if limit == 1:
                    raise
                most = limit = limit // 2
                self._log.warning("projector_batch_took_too_long", smaller=limit)
                continue
            except (OperationalError, InterfaceError):
                raise
            except Exception:
                if limit == 1:
                    raise
                # narrow the batch down, so that what halts the projector is known to the position
                limit = max(limit // 8, 1)
                continue
            most = min(most + most // 8 + 1, BATCH)
            limit = min(limit * 2, most)
            if halted and done is not None:
                connection.execute(HALT, [None, None, generation.number])
                halted = False
            if done is None:
                self._stopping.wait(0.05)
            elif done == 0:
                self._waker.wait(batches.position, 1.0, self._stopping)
            # asked after every batch: under a steady load there is always one more
            if live(connection).number != generation.number:
                return

    def _allow(self, connection: Connection[Any], seconds: float) -> None:
        """Bound what a statement may take from now on; 0 is no bound."""
        if seconds != self._allowed:
            connection.execute(TIMEOUT, [str(round(seconds * 1_000))])
            self._allowed = seconds

    def _halted(self, error: Exception) -> None:
        try:
            with self._ledger.database.connect() as connection:
                now = status(connection)
                if now is not None:
                    connection.execute(HALT, [now.position + 1, _cause(error), now.generation])
        except Exception:
            self._log.warning("projector_halt_not_recorded")


class OutdatedGeneration(RuntimeError):
    """The live tables were built under other definitions than this program's."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"the tables of generation {number} were built under other definitions: "
            "run `reqledger replay` to build them anew"
        )


def _cause(error: Exception) -> str:
    """What went wrong, without any value of an event in it."""
    if isinstance(error, Error):
        return f"{type(error).__name__}: {error.diag.message_primary or str(error).splitlines()[0]}"
    return f"{type(error).__name__}: {error}"
