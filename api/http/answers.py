"""From the appender's thread to the event loop: one wake-up for all that is answered together."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future

from ledger.log.application import Appended


class Answers:
    """Hands what one commit answered to those who wait for it on one event loop.

    `asyncio.wrap_future` wakes the loop once for every future: a call to the system for each request, during which the
    appender, in the midst of answering, is stopped for the loop's turn.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._arrived: deque[tuple[asyncio.Future[list[Appended]], Future[list[Appended]]]] = deque()
        self._woken = False

    async def to(self, submitted: Future[list[Appended]]) -> list[Appended]:
        """What was answered; raises what refused it. Called on the loop. Who is cancelled takes back what waits."""
        waiting: asyncio.Future[list[Appended]] = self.loop.create_future()
        submitted.add_done_callback(lambda answered: self._arrive(waiting, answered))
        try:
            return await waiting
        except asyncio.CancelledError:
            submitted.cancel()
            raise

    def _arrive(self, waiting: asyncio.Future[list[Appended]], answered: Future[list[Appended]]) -> None:
        self._arrived.append((waiting, answered))
        # woken is taken back before the queue is emptied, so nothing that arrives is left lying
        if not self._woken and not self.loop.is_closed():
            self._woken = True
            self.loop.call_soon_threadsafe(self._hand_on)

    def _hand_on(self) -> None:
        self._woken = False
        while self._arrived:
            waiting, answered = self._arrived.popleft()
            if waiting.done():
                continue
            error = answered.exception()
            if error is None:
                waiting.set_result(answered.result())
            else:
                waiting.set_exception(error)
