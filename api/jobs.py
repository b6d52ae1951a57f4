"""Long work as jobs: with progress that every process of the ledger can read, and that any of them can cancel.

A job's row in `log.meta` is its only state. The process that works on it says every second that it is still there, by
the database's clock; a job that has been silent for longer is one whose process ended.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

import orjson
import psycopg
from psycopg import Connection

from api.logs import origin_of
from ledger.errors import LedgerError
from ledger.log.application import Ledger
from ledger.vocabulary import instant_text
from projections.generations import NoGeneration

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is; raises where the work is to end."""
Work = Callable[[Progress], Mapping[str, Any]]
"""What a job does: it gives its result, as JSON has it, and calls the progress often enough to be cancelled by."""
State = Literal["running", "done", "failed", "cancelled", "interrupted"]

PREFIX: Final = "job/"
INSERT: Final = "INSERT INTO log.meta (name, value) VALUES (%s, %s)"
UPDATE: Final = "UPDATE log.meta SET value = %s WHERE name = %s"
ONE: Final = "SELECT value, clock_timestamp() FROM log.meta WHERE name = %s"
CLOCK: Final = "SELECT clock_timestamp()"
LATEST: Final = (
    "SELECT value, clock_timestamp() FROM log.meta WHERE name LIKE 'job/%%' AND (%(kinds)s::text[] IS NULL "
    "OR value::json ->> 'kind' = ANY(%(kinds)s)) ORDER BY value::json ->> 'started_at' DESC, name LIMIT %(limit)s"
)
INTERRUPTED: Final = "its process ended before it was done"
CANCELLED: Final = "it was cancelled"
BEAT_SECONDS: Final = 0.3
"""How often a process says how far its jobs are, and looks whether they were cancelled."""
SAVE_SECONDS: Final = 0.8
"""How often it says so where nothing is new."""
SILENT_SECONDS: Final = 5.0
STOP_SECONDS: Final = 10.0
"""How long a process that stops waits for its jobs to give up, which they do at their next step."""
MOST_RUNNING: Final = 8

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """Long work: what it is and was asked for, who began it (a key's id), how much of it is done, and in the end what
    it came to. `cancelling`: somebody asked that it end."""

    id: str
    kind: str
    state: State
    started_at: str
    updated_at: str
    step: str = "starting"
    done: int = 0
    of: int = 0
    error: str | None = None
    result: Mapping[str, Any] | None = None
    wanted: Mapping[str, Any] | None = None
    begun_by: str | None = None
    cancelling: bool = False

    @property
    def ended(self) -> bool:
        return self.state != "running"


class TooManyJobs(LedgerError):
    """This process works on as many jobs as it may."""

    def __init__(self) -> None:
        super().__init__(f"{MOST_RUNNING} jobs are running in this process already: wait for one to end")


class Stopped(Exception):
    """The process stops; the work gives up and leaves everything as it was."""


class Cancelled(Exception):
    """The job was cancelled; the work gives up and leaves everything as it was."""


class _Running:
    """A job that this process works on, its thread, and whether it is to end."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.cancelled = threading.Event()
        self.thread: threading.Thread | None = None
        self.saved = job, time.monotonic()
        """What was written last, and when."""
        self.lock = threading.Lock()
        """Held while the job's row is written: what is written last is its end."""


class Jobs:
    """Works on jobs in threads of this process, and reads and cancels those of all processes."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._running: dict[str, _Running] = {}
        self._starting = threading.Lock()
        self._stopping = threading.Event()
        self._closed = threading.Event()
        self._beat: threading.Thread | None = None

    def start(
        self,
        kind: str,
        work: Work,
        *,
        wanted: Mapping[str, Any] | None = None,
        begun_by: str | None = None,
        alone: Callable[[], None] | None = None,
    ) -> Job:
        """Begin a job. `alone` is called first, by one thread at a time, and raises where such work must not begin now.

        `wanted` and `begun_by` are kept beside it. Raises TooManyJobs.
        """
        with self._starting:
            if alone is not None:
                alone()
            if sum(1 for each in self._running.values() if _alive(each)) >= MOST_RUNNING:
                raise TooManyJobs
            with self._ledger.database.reading() as connection:
                now = _now(connection)
                job = Job(secrets.token_hex(6), kind, "running", now, now, wanted=wanted, begun_by=begun_by)
                connection.execute(INSERT, [PREFIX + job.id, _text(job)])
            running = _Running(job)
            running.thread = threading.Thread(
                target=self._work, args=(running, work), name=f"job-{job.id}", daemon=True
            )
            self._running = {name: each for name, each in self._running.items() if _alive(each)} | {job.id: running}
            running.thread.start()
            if self._beat is None:
                self._beat = threading.Thread(target=self._beating, name="jobs-beat", daemon=True)
                self._beat.start()
        return job

    def working_on(self, kinds: Collection[str]) -> bool:
        """Whether this process works on a job of one of these kinds."""
        return any(each.job.kind in kinds and _alive(each) for each in self._running.values())

    def find(self, job_id: str) -> Job | None:
        """A job as it stands now."""
        if "\x00" in job_id:
            return None
        with self._ledger.database.reading() as connection:
            row = connection.execute(ONE, [PREFIX + job_id]).fetchone()
        return None if row is None else self._judged(*row)

    def latest(self, limit: int, kinds: Collection[str] | None = None) -> list[Job]:
        """The jobs begun last, the newest first; of these kinds only, where they are given."""
        with self._ledger.database.reading() as connection:
            named = None if kinds is None else list(kinds)
            rows = connection.execute(LATEST, {"kinds": named, "limit": limit}).fetchall()
        return [self._judged(*row) for row in rows]

    def cancel(self, job_id: str) -> Job | None:
        """Ask that a job end, whichever process works on it: it does at its next step. One that has ended stays."""
        if "\x00" in job_id:
            return None
        with self._ledger.database.reading() as connection:
            row = connection.execute(f"{ONE} FOR UPDATE", [PREFIX + job_id]).fetchone()
            if row is None:
                return None
            job = self._judged(*row)
            if not job.ended:
                job = replace(job, cancelling=True)
                connection.execute(UPDATE, [_text(job), PREFIX + job_id])
        return job

    def wait(self) -> None:
        """Wait for the jobs this process began."""
        for each in tuple(self._running.values()):
            if each.thread is not None:
                each.thread.join()

    def stop(self) -> None:
        """Have the jobs this process began give up, and wait for that, but not for ever."""
        self._stopping.set()
        until = time.monotonic() + STOP_SECONDS
        for each in tuple(self._running.values()):
            if each.thread is not None:
                each.thread.join(max(0.0, until - time.monotonic()))
        self._closed.set()
        if (beat := self._beat) is not None:
            beat.join(max(0.0, until - time.monotonic()))

    def _work(self, running: _Running, work: Work) -> None:
        job = running.job

        def progress(step: str, done: int, of: int) -> None:
            if self._stopping.is_set():
                raise Stopped
            if running.cancelled.is_set():
                raise Cancelled
            running.job = replace(running.job, step=step, done=done, of=of)

        try:
            result = orjson.loads(orjson.dumps(work(progress), default=str))
            ended = replace(running.job, state="done", step="done", result=result)
        except Cancelled:
            ended = replace(running.job, state="cancelled", error=CANCELLED)
        except Stopped:
            ended = replace(running.job, state="interrupted", error=INTERRUPTED)
        except (LedgerError, NoGeneration) as error:
            ended = replace(running.job, state="failed", error=str(error))
        except Exception as error:
            log.error("job failed: %s", origin_of(error))
            ended = replace(
                running.job, state="failed", error=f"{type(error).__name__}; the server's log has the place"
            )
        with running.lock:
            running.job = ended
            try:
                self._save(running)
            except (LedgerError, psycopg.Error) as error:
                log.error("the end of job %s could not be kept: %s", job.id, error)

    def _beating(self) -> None:
        """Say how far the jobs are, as long as any of them is worked on."""
        while not self._closed.wait(BEAT_SECONDS):
            with self._starting:
                alive = [each for each in self._running.values() if _alive(each)]
                if not alive:
                    self._beat = None
                    return
            for each in alive:
                with each.lock:
                    if each.job.ended:
                        continue
                    try:
                        self._save(each)
                    except (LedgerError, psycopg.Error) as error:
                        log.warning("the progress of job %s could not be kept: %s", each.job.id, error)

    def _save(self, running: _Running) -> None:
        """Write a job's row, and learn from it whether it was cancelled."""
        name = PREFIX + running.job.id
        with self._ledger.database.reading() as connection:
            row = connection.execute(f"{ONE} FOR UPDATE", [name]).fetchone()
            assert row is not None
            text, now = row
            if orjson.loads(text)["cancelling"]:
                running.cancelled.set()
            job, (saved, at) = running.job, running.saved
            if job != saved or time.monotonic() - at > SAVE_SECONDS:
                told = replace(job, updated_at=_instant(now), cancelling=running.cancelled.is_set())
                connection.execute(UPDATE, [_text(told), name])
                running.saved = job, time.monotonic()

    def _judged(self, text: str, now: datetime) -> Job:
        job = Job(**orjson.loads(text))
        if job.ended:
            return job
        silent = (now - datetime.fromisoformat(job.updated_at)).total_seconds()
        here = job.id in self._running and _alive(self._running[job.id])
        if silent > SILENT_SECONDS and not here:
            return replace(job, state="interrupted", error=INTERRUPTED)
        return job


def _alive(running: _Running) -> bool:
    return running.thread is not None and running.thread.is_alive()


def _text(job: Job) -> str:
    return orjson.dumps(asdict(job)).decode()


def _now(connection: Connection[Any]) -> str:
    row = connection.execute(CLOCK).fetchone()
    assert row is not None
    return _instant(row[0])


def _instant(moment: datetime) -> str:
    return instant_text(moment.astimezone(UTC))
