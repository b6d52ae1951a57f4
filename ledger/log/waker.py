"""Tells readers that the log has grown: by notification, and by asking now and then, should one be missed.

Notifications alone do not do: a connection can die unnoticed, and what is committed between a first read and LISTEN
is never announced.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Self

import psycopg
from psycopg import Connection

from ledger.errors import LedgerError
from ledger.log.database import Database

CHANNEL = "ledger_appended"
LISTEN = "LISTEN ledger_appended"
POSITION = "SELECT position FROM log.entries ORDER BY position DESC LIMIT 1"

_logger = logging.getLogger(__name__)


class Waker:
    """Watches the head of the log in a thread of its own until closed; any number of readers may wait on it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._poll_seconds = database.settings.poll_seconds
        self._grown = threading.Condition()
        self._position = 0
        self._closing = threading.Event()
        self._callbacks: list[Callable[[int], None]] = []
        self.connected = False
        self._thread = threading.Thread(target=self._watch, name="ledger-waker", daemon=True)
        self._thread.start()

    @property
    def position(self) -> int:
        """The highest position seen so far; the head may be further by less than a poll."""
        return self._position

    def wait(self, after: int, timeout: float, stopping: threading.Event | None = None) -> int:
        """Block until the log is known to go beyond position `after`, at most `timeout` seconds; the position known.

        A reader whose `stopping` is set by `stop` waits no longer.
        """
        endings = [self._closing] if stopping is None else [self._closing, stopping]
        with self._grown:
            self._grown.wait_for(lambda: self._position > after or any(each.is_set() for each in endings), timeout)
            return self._position

    def stop(self, stopping: threading.Event) -> None:
        """Set the event by which a reader knows that it is to stop, and wake it."""
        with self._grown:
            stopping.set()
            self._grown.notify_all()

    def call(self, callback: Callable[[int], None]) -> Callable[[], None]:
        """Have `callback(position)` called, in the waker's thread, when the log grows; call the result to end that.

        A callback must be quick and must not raise.
        """
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def close(self) -> None:
        """Stop watching; all who wait return."""
        self._closing.set()
        with self._grown:
            self._grown.notify_all()
        self._thread.join(self._poll_seconds + 10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _watch(self) -> None:
        while not self._closing.is_set():
            try:
                with self._database.connect() as connection:
                    connection.execute(LISTEN)
                    self.connected = True
                    self._listen(connection)
            except (psycopg.Error, LedgerError, OSError) as error:
                self.connected = False
                _logger.warning("lost the connection that listens for appends, trying again: %s", str(error).strip())
                self._closing.wait(min(self._poll_seconds, 1.0))
                self._revive()
        self.connected = False

    def _listen(self, connection: Connection[Any]) -> None:
        # shorter than a poll, so that closing does not wait for one
        slice_seconds = min(self._poll_seconds, 0.25)
        due = 0.0
        while not self._closing.is_set():
            if time.monotonic() >= due:
                due = time.monotonic() + self._poll_seconds
                row = connection.execute(POSITION).fetchone()
                self._see(row[0] if row else 0)
            for _ in connection.notifies(timeout=slice_seconds, stop_after=1):
                # anybody may notify, and say anything: where the log ends is asked, never believed
                due = 0.0

    def _see(self, position: int) -> None:
        if position <= self._position:
            return
        with self._grown:
            self._position = position
            self._grown.notify_all()
        for callback in tuple(self._callbacks):
            callback(position)

    def _revive(self) -> None:
        try:
            self._database.revive()
        except LedgerError as error:
            _logger.error("the embedded database does not start again: %s", error)
