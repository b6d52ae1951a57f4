"""What a serving process does on its own, now and then: the churn watch."""

from __future__ import annotations

import threading

import psycopg
import structlog

from ledger.errors import LedgerError
from ledger.log.application import Ledger
from projections.settled import NotNow
from projections.watching import watch
from replays.founding import RECORDED_BY

log = structlog.stdlib.get_logger(__name__)


class Schedule:
    """Watches every `seconds` in a thread of its own, from one round after the start on; never where they are 0.

    A simulated ledger is not watched: its clock stands between events.
    """

    def __init__(self, ledger: Ledger, seconds: float) -> None:
        self._ledger = ledger
        self._seconds = seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="schedule", daemon=True)

    def start(self) -> None:
        if self._seconds and not self._ledger.simulated:
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._seconds):
            try:
                raised = watch(self._ledger, key_id=RECORDED_BY)
                log.info("watched for churn", raised=len(raised))
            except NotNow as reason:
                log.info("did not watch for churn", reason=str(reason))
            except (LedgerError, psycopg.Error) as error:
                log.warning("could not watch for churn, trying again later", error=str(error).strip())
