"""Group commit: one thread appends what many requests hand in, all that waits in one transaction.

A commit costs about as much for a thousand events as for one, so the more waits the cheaper each becomes. The queue is
bounded, in events and in the time they wait; beyond that the answer is Overloaded at once, which is kinder than a
time-out later.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from time import monotonic

from ledger.errors import AppendFailed, Closed, LedgerError, Overloaded
from ledger.log.deciding import Appended, Outcome, Unit

Append = Callable[[Sequence[tuple[Unit, str]]], Sequence[Outcome]]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Waiting:
    unit: Unit
    recorded_by: str
    answer: Future[list[Appended]]
    since: float


class Appender:
    """Appends units handed in by any thread. `append` is called in the appender's own thread, one call at a time."""

    def __init__(self, append: Append, *, queue_events: int, queue_seconds: float, transaction_events: int) -> None:
        self._append = append
        self._queue_events = queue_events
        self._queue_seconds = queue_seconds
        self._transaction_events = transaction_events
        self._queue: deque[_Waiting] = deque()
        self._events = 0
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="ledger-appender", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many events wait now."""
        return self._events

    def refuse_overload(self) -> None:
        """Raise Overloaded or Closed where `submit` would, whatever it were given: before anything is read in vain."""
        with self._changed:
            self._refuse_overload(1)

    def submit(self, unit: Unit, recorded_by: str) -> Future[list[Appended]]:
        """Hand in a unit (claims that stand or fall together); the future answers after the commit.

        It answers with one Appended per claim, or with the LedgerError that refused the unit. Raises Overloaded when
        too much waits already, and Closed after `close`; nothing was appended then.
        """
        waiting = _Waiting(unit, recorded_by, Future(), monotonic())
        with self._changed:
            self._refuse_overload(len(unit))
            self._queue.append(waiting)
            self._events += len(unit)
            self._changed.notify()
        return waiting.answer

    def _refuse_overload(self, more: int) -> None:
        if self._closing:
            raise Closed("The ledger is shutting down: send again with the same ids.")
        if self._events and self._events + more > self._queue_events:
            raise Overloaded(
                f"{self._events} events wait to be appended already: send again in a moment with the same ids."
            )
        if self._queue and (waited := monotonic() - self._queue[0].since) > self._queue_seconds:
            raise Overloaded(
                f"Events have waited for {waited:.0f} seconds to be appended: send again in a moment with the same ids."
            )

    def close(self) -> None:
        """Append what waits, then stop. Nothing more is taken in the meantime."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while group := self._next():
            try:
                outcomes = self._append([(waiting.unit, waiting.recorded_by) for waiting in group])
            except Exception:
                # whatever went wrong, nobody may be left waiting and the thread must live on
                _logger.exception("a group of %d units could not be appended", len(group))
                outcomes = [AppendFailed("The events could not be appended; the ledger's log says why.")] * len(group)
            for waiting, outcome in zip(group, outcomes, strict=True):
                if isinstance(outcome, LedgerError):
                    waiting.answer.set_exception(outcome)
                else:
                    waiting.answer.set_result(outcome)

    def _next(self) -> list[_Waiting]:
        """The next group, waiting for one; empty when there is nothing more to come."""
        group: list[_Waiting] = []
        while not group:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closing)
                if not self._queue:
                    return []
                events = 0
                while self._queue and (not group or events + len(self._queue[0].unit) <= self._transaction_events):
                    waiting = self._queue.popleft()
                    events += len(waiting.unit)
                    self._events -= len(waiting.unit)
                    # a sender who has gone cancels; who is not cancelled now gets an answer
                    if waiting.answer.set_running_or_notify_cancel():
                        group.append(waiting)
        return group
