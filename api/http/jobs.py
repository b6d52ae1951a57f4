"""Replays as jobs: one at a time per ledger, with progress that every process of the ledger can read.

A job's row in `log.meta` is its only state. Whether one that says it runs still does is told by the lock that a
rebuild holds: it goes when its process does.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

import orjson

from api.logs import origin_of
from ledger.errors import LedgerError
from ledger.log.application import Ledger
from ledger.vocabulary import instant_text
from projections.generations import NoGeneration
from replays.rebuild import LOCK, UNLOCK, ReplayRunning, Report, back, rebuild

Kind = Literal["rebuild", "compare", "back"]
Progress = Callable[[str, int, int], None]
State = Literal["running", "done", "failed", "interrupted"]

PREFIX: Final = "replay/"
SAVE: Final = (
    "INSERT INTO log.meta (name, value) VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)
ONE: Final = "SELECT value FROM log.meta WHERE name = %s"
LATEST: Final = (
    "SELECT value FROM log.meta WHERE name LIKE 'replay/%%' ORDER BY value::json ->> 'started_at' DESC LIMIT %s"
)
INTERRUPTED: Final = "its process ended; the live tables are as they were"
SAVE_SECONDS: Final = 0.3
GRACE_SECONDS: Final = 5.0
STOP_SECONDS: Final = 10.0
"""How long a process that stops waits for its replays to give up, which they do at their next step."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A replay: what it is doing, how much of that is done, and in the end what it came to."""

    id: str
    kind: Kind
    state: State
    started_at: str
    updated_at: str
    step: str = "starting"
    done: int = 0
    of: int = 0
    error: str | None = None
    report: dict[str, Any] | None = field(default=None)


class Stopped(Exception):
    """The process stops; the replay gives up and leaves the live tables as they are."""


class Jobs:
    """Starts replays in threads of this process and reads those of all processes."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()

    def start(self, kind: Kind) -> Job:
        """Begin a replay. Raises ReplayRunning while another one runs."""
        # one begun here a moment ago may not hold the database's lock yet
        if self._busy() or any(thread.is_alive() for thread in self._threads):
            raise ReplayRunning
        now = _now()
        job = Job(secrets.token_hex(6), kind, "running", now, now)
        self._save(job)
        thread = threading.Thread(target=self._run, args=(job,), name=f"replay-{job.id}", daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()] + [thread]
        thread.start()
        return job

    def find(self, job_id: str) -> Job | None:
        """A job as it stands now."""
        with self._ledger.database.reading() as connection:
            row = connection.execute(ONE, [PREFIX + job_id]).fetchone()
        return None if row is None else self._judged(Job(**orjson.loads(row[0])))

    def latest(self, limit: int) -> list[Job]:
        """The jobs begun last, the newest first."""
        with self._ledger.database.reading() as connection:
            rows = connection.execute(LATEST, [limit]).fetchall()
        return [self._judged(Job(**orjson.loads(row[0]))) for row in rows]

    def wait(self) -> None:
        """Wait for the replays this process began."""
        for thread in self._threads:
            thread.join()

    def stop(self) -> None:
        """Have the replays this process began give up, and wait for that, but not for ever."""
        self._stopping.set()
        until = time.monotonic() + STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _run(self, job: Job) -> None:
        saved = 0.0

        def progress(step: str, done: int, of: int) -> None:
            nonlocal job, saved
            if self._stopping.is_set():
                raise Stopped
            job = replace(job, step=step, done=done, of=of, updated_at=_now())
            if time.monotonic() - saved > SAVE_SECONDS:
                saved = time.monotonic()
                self._save(job)

        try:
            report = _replay(self._ledger, job.kind, progress)
            job = replace(job, state="done", step="done", report=report)
        except Stopped:
            job = replace(job, state="interrupted", error=INTERRUPTED)
        except (LedgerError, NoGeneration) as error:
            job = replace(job, state="failed", error=str(error))
        except Exception as error:
            log.error("replay failed: %s", origin_of(error))
            job = replace(job, state="failed", error=f"{type(error).__name__}; the server's log has the place")
        try:
            self._save(replace(job, updated_at=_now()))
        except LedgerError as error:
            log.error("the end of replay %s could not be kept: %s", job.id, error)

    def _judged(self, job: Job) -> Job:
        if job.state != "running" or any(one.name == f"replay-{job.id}" and one.is_alive() for one in self._threads):
            return job
        silent = datetime.now(UTC) - datetime.fromisoformat(job.updated_at)
        if silent.total_seconds() > GRACE_SECONDS and not self._busy():
            return replace(job, state="interrupted", error=INTERRUPTED)
        return job

    def _busy(self) -> bool:
        with self._ledger.database.connect() as connection:
            row = connection.execute(LOCK).fetchone()
            assert row is not None
            if row[0]:
                connection.execute(UNLOCK)
            return not row[0]

    def _save(self, job: Job) -> None:
        with self._ledger.database.reading() as connection:
            connection.execute(SAVE, [PREFIX + job.id, orjson.dumps(asdict(job)).decode()])


def _replay(ledger: Ledger, kind: Kind, progress: Progress) -> dict[str, Any]:
    found: Report = back(ledger) if kind == "back" else rebuild(ledger, switch=kind == "rebuild", progress=progress)
    return orjson.loads(orjson.dumps(asdict(found) | {"differing": found.differing}, default=str))  # type: ignore[no-any-return]


def _now() -> str:
    return instant_text(datetime.now(UTC))
