"""The end of the log, as open streams watch it: one waker for the process, every stream is woken by it."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ledger.log.waker import Waker

MOST_STREAMS = 200


class Tail:
    """Wakes coroutines when something was appended, and tells them when the process is about to stop.

    `closing` is set by the first SIGTERM or SIGINT: a server waits for its open answers before it stops, and a stream
    never ends by itself.
    """

    def __init__(self, waker: Waker) -> None:
        self._waker = waker
        self._listeners: set[asyncio.Event] = set()
        self._pending = False
        self._end: Callable[[], None] | None = None
        self._handlers: dict[int, Any] = {}
        self.closing = False

    def start(self) -> None:
        """Begin to watch; call it on the event loop that the streams run on."""
        loop = asyncio.get_running_loop()

        def grown(_position: int) -> None:
            # one wake-up on its way is enough, however fast the log grows
            if self._listeners and not self._pending:
                self._pending = True
                loop.call_soon_threadsafe(self._wake)

        self._end = self._waker.call(grown)
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._handlers[number] = signal.signal(number, self._on_signal)

    def stop(self) -> None:
        """Stop watching and end every stream."""
        if self._end is not None:
            self._end()
            self._end = None
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()
        self.closing = True
        self._wake()

    @property
    def listeners(self) -> int:
        """How many streams are open."""
        return len(self._listeners)

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """An event that is set whenever something may have been appended, or the process is about to stop."""
        event = asyncio.Event()
        self._listeners.add(event)
        try:
            yield event
        finally:
            self._listeners.discard(event)

    def _wake(self) -> None:
        self._pending = False
        for event in tuple(self._listeners):
            event.set()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.closing = True
        self._wake()
        handler = self._handlers.get(number)
        if callable(handler):
            handler(number, frame)
