"""Running the server: in this process, or as several workers on one socket and one database."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import parent_process
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from ledger.settings import Settings

STOP_SECONDS: Final = 15
"""How long requests under way may take to end when the server stops."""
BACKLOG: Final = 2048
COLLECTED_AFTER: Final = (50_000, 20, 20)
"""Objects made before the youngest are looked through for cycles; how often that is done before the older are."""
TURN_SECONDS: Final = 0.0005
"""How long a thread that computes keeps others from it. The appender waits for the database a dozen times in a
transaction, and each time it comes back while a batch is being read it would else wait for five milliseconds."""


class PortInUse(Exception):
    """The address cannot be listened on; the message says why and what to do."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on an address; port 0 takes a free one. Raises `PortInUse`."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise PortInUse(
            f"{host}:{port} cannot be listened on ({error.strerror or error}). "
            "Stop what listens there, or choose another port with --port or PORT."
        ) from error


def serve_here(app: ASGIApp, listening: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM, then end open requests and return."""
    # the server raises the signal once more when it is done, which must not end the process before its caller is
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _noted)
    with _tuned():
        uvicorn.Server(uvicorn.Config(app, **_options())).run(sockets=[listening])


def serve_workers(workers: int, listening: socket.socket) -> None:
    """Serve with several processes until SIGINT or SIGTERM; one that dies is started again."""
    with _shared_measurements():
        config = uvicorn.Config("api.http.serving:worker", factory=True, workers=workers, **_options())
        # elsewhere the system does not spread connections among sockets of one address
        supervisor = _Balanced if sys.platform == "linux" else Multiprocess
        supervisor(config, sockets=[listening]).run()


class _Balanced(Multiprocess):
    """Workers with a socket each on one address, among which the system spreads connections.

    On one socket for all, whoever wakes first takes every connection that has come: a few busy senders would all be
    with one worker.
    """

    _family: int
    _address: Any
    _reserved: socket.socket
    _handed: socket.socket

    @property
    def sockets(self) -> list[socket.socket]:
        """A socket for the worker about to be started, which listens on it when it is ready; the worker before has its
        own by now."""
        self._handed.close()
        self._handed = self._bound()
        return [self._handed]

    @sockets.setter
    def sockets(self, listening: list[socket.socket]) -> None:
        (first,) = listening
        self._family, self._address = first.family, first.getsockname()
        first.close()
        # do not listen, and keep the address while nobody does
        self._reserved = self._bound()
        self._handed = self._bound()

    def _bound(self) -> socket.socket:
        bound = socket.socket(self._family)
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            bound.setsockopt(socket.SOL_SOCKET, option, 1)
        bound.bind(self._address)
        return bound


def worker() -> ASGIApp:
    """The application of one worker process; it leaves the database when the server stops."""
    from prometheus_client.multiprocess import mark_process_dead

    from api.bootstrap import running
    from api.logs import configure

    threading.Thread(target=_stop_with_server, name="server", daemon=True).start()
    settings = Settings()
    configure(settings.log_level)
    stack = ExitStack()
    program = stack.enter_context(running(settings))
    stack.callback(mark_process_dead, os.getpid())
    stack.enter_context(_tuned())
    program.at_stop = stack.close
    return program.asgi


@contextmanager
def _tuned() -> Iterator[None]:
    """What a serving process sets for itself once it has everything loaded: turns of threads are short, and garbage in
    cycles is looked for seldom, and never among what the program is made of.

    Requests leave hardly any, but each event makes dozens of objects: as often as Python looks unasked, a third of the
    time an append took went into looking through all that is loaded.
    """
    sys.setswitchinterval(TURN_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTED_AFTER)
    try:
        yield
    finally:
        # libraries that count what is left at the end complain of what nobody may collect
        gc.unfreeze()


def _options() -> dict[str, Any]:
    return {
        "http": "httptools",
        "ws": "none",
        "lifespan": "on",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_graceful_shutdown": STOP_SECONDS,
        "timeout_keep_alive": 60,
    }


@contextmanager
def _shared_measurements() -> Iterator[None]:
    """A directory in which workers share what they measure; they find it in their environment."""
    directory = tempfile.mkdtemp(prefix="reqledger-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
    try:
        yield
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _stop_with_server() -> None:
    """Stop this worker when the process that started it is gone, however it went: nobody else would."""
    if (server := parent_process()) is not None:
        server.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _noted(_number: int, _frame: object) -> None:
    """The server has acted on the signal already."""
