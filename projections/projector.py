"""The projector: brings a generation's tables and counters up to the log, a batch of positions a transaction.

A batch takes the subjects its events touch and replaces their rows by working them out again from all their events:
late arrivals, voids and reopenings are no special cases. Rows, counters and checkpoint move in one transaction, and
the checkpoint's row is locked, so that any number of processes may run a projector: one of them projects.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from psycopg import Connection, Error, InterfaceError, OperationalError
from psycopg.errors import InvalidParameterValue, QueryCanceled

from ledger.log.application import Ledger
from ledger.log.waker import Waker
from projections.generations import Generation, live
from projections.keeping import keep
from projections.relation import VOID
from projections.statements import Statements, Step, statements

HEAD = "SELECT coalesce(max(position), 0) FROM log.entries"
CHECKPOINT = "SELECT notification_id FROM log.tracking WHERE application_name = %s FOR UPDATE SKIP LOCKED"
WAIT_CHECKPOINT = "SELECT notification_id FROM log.tracking WHERE application_name = %s FOR UPDATE"
TOUCH = (
    "INSERT INTO touched SELECT DISTINCT aggregate, subject, type FROM log.entries "
    "WHERE position > %s AND position <= %s RETURNING aggregate, type"
)
# what was planned while the tables were small may read a grown one from end to end
FORGET_PLANS = "DISCARD PLANS"
WANT_TOUCHED = "INSERT INTO wanted_events SELECT DISTINCT aggregate, subject FROM touched"
LOADED = "INSERT INTO loaded_events SELECT aggregate, subject FROM wanted_events"
# a backend whose client was killed would else hold the checkpoint until its statement ends
NOTICE_LOST_CLIENT = "SET client_connection_check_interval = '1s'"
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

BATCH = 2_000
"""Positions a batch takes at the most."""
STATEMENT_SECONDS = 60.0
"""How long one statement of a batch may take before a smaller batch is tried. A single position may take any time."""
DEAD_ROWS = 20_000
"""Rows deleted from a scratch table after which it is truncated: that costs more than deleting, but not every time."""

Filling = tuple[str, str, Mapping[str, Any] | None]
"""A scratch table, a statement that adds rows to it, and its parameters."""


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
        # more statements than the hundred that stay prepared unless said: each would be planned anew every time
        connection.prepared_max = None
        self._planned_at = 0
        self._filled: Counter[str] = Counter()
        self._dead: Counter[str] = Counter()
        self.statements: Statements = statements(generation.book_text, generation.schema)
        with connection.transaction():
            connection.execute("SET search_path TO pg_temp, pg_catalog")
            connection.execute("SET jit TO off")
        notice_lost_client(connection)
        with connection.transaction():
            for statement in self.statements.scratch:
                connection.execute(statement.encode())

    def advance(self, limit: int = BATCH, upto: int | None = None, wait: bool = False) -> int | None:
        """Project the next positions, at most `limit`; how many, or None when another projector is at it."""
        with self.connection.transaction():
            row = self._one(WAIT_CHECKPOINT if wait else CHECKPOINT, [self.generation.schema])
            if row is None:
                return None
            start = int(row[0])
            head = int(self._one(HEAD, [])[0])
            end = max(min(head, start + limit, upto if upto is not None else head), start)
            if end > start:
                if end >= 2 * self._planned_at:
                    self._run(FORGET_PLANS)
                    self._planned_at = end
                self._project(start, end)
                self.ledger.track(self.connection, self.generation.schema, end)
        self.position = end
        return end - start

    def catch_up(self, upto: int | None = None) -> int:
        """Project to the log's present end, or to a position; how many positions."""
        if upto is None:
            upto = int(self._one(HEAD, [])[0])
        total = 0
        while done := self.advance(upto=upto, wait=True):
            total += done
        return total

    def _project(self, start: int, end: int) -> None:
        self._filled.clear()
        touched = self._run(TOUCH, [start, end])
        self._filled["touched"] = len(touched)
        self._fill(("wanted_events", WANT_TOUCHED, None))
        self._load(end)
        self._fill(*self._started(set(touched)))
        moved = [step for step in self.statements.steps if self._replace(step, end)]
        with self.connection.pipeline():
            for step in moved:
                if step.count is not None:
                    self._run(step.count)
        self._empty(*self._filled)

    def _started(self, touched: set[tuple[str, str]]) -> Iterator[Filling]:
        """What notes the keys of the subjects whose own events can change a table."""
        for step in self.statements.steps:
            types = [*step.table.sources, VOID]
            if any(aggregate in step.table.aggregates and kind in types for aggregate, kind in touched):
                asked = {"aggregates": list(step.table.aggregates), "types": types}
                yield f"keys_{step.table.name}", step.started, asked

    def _replace(self, step: Step, upto: int) -> bool:
        """Work the touched rows of one table out again; whether any went or came."""
        keys, old, new = (f"{kind}_{step.table.name}" for kind in ("keys", "old", "new"))
        reached = self._fill(
            *(
                (keys, statement, None)
                for upstream, statement in step.reached
                if self._filled[f"old_{upstream}"] or self._filled[f"new_{upstream}"]
            )
        )
        if not self._filled[keys]:
            return False
        if any(reached) and any(self._fill(("wanted_events", step.wanted, None))):
            self._load(upto)
        stages = ((name, statement, None) for name, statement in step.stages)
        *_, removed, inserted = self._fill(*stages, (old, step.remove, None), (new, step.insert, None))
        return bool(removed or inserted)

    def _load(self, upto: int) -> None:
        """Fetch the events of the wanted subjects: those of the batch and before, whatever was appended meanwhile."""
        self._fill(("effective_events", self.statements.load, {"upto": upto}), ("loaded_events", LOADED, None))
        self._empty("wanted_events")

    def _fill(self, *fillings: Filling) -> list[int]:
        """Run statements that fill scratch tables, in one exchange with the server; how many rows each added."""
        if not fillings:
            return []
        with self.connection.pipeline():
            cursors = [
                self.connection.execute(statement.encode(), parameters, prepare=True)
                for _, statement, parameters in fillings
            ]
        for (table, _, _), cursor in zip(fillings, cursors, strict=True):
            if cursor.rowcount:
                self._filled[table] += cursor.rowcount
        return [cursor.rowcount for cursor in cursors]

    def _empty(self, *tables: str) -> None:
        """Empty scratch tables that were filled."""
        with self.connection.pipeline():
            for table in tables:
                self._dead[table] += self._filled.pop(table)
                if self._dead[table] > DEAD_ROWS:
                    self._run(f"TRUNCATE {table}")
                    self._dead[table] = 0
                else:
                    self._run(f"DELETE FROM {table}")

    def _run(self, statement: str, parameters: Any = None) -> list[Any]:
        cursor = self.connection.execute(statement.encode(), parameters, prepare=True)
        return cursor.fetchall() if cursor.description else []

    def _one(self, statement: str, parameters: Any) -> Any:
        return self.connection.execute(statement.encode(), parameters, prepare=True).fetchone()


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
        self._stopping.set()
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
                self._waker.wait(batches.position, 1.0)
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
