"""A running program over a fresh database, keys of every role, and clients: here, over a socket, of a process."""

from __future__ import annotations

import logging
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import structlog
import uvicorn
from psycopg.conninfo import make_conninfo

from api.bootstrap import Program, running
from api.cli.client import in_process
from api.sending import OverHttp
from api.simulator import company
from api.simulator.playing import play
from ledger.settings import Settings
from tests.api.processes import Server


@pytest.fixture
def program(settings: Settings) -> Iterator[Program]:
    """Without a projector: what does not read tables need not wait for them."""
    with running(settings, project=False) as program:
        yield program


@pytest.fixture
def own_logging() -> Iterator[None]:
    """What the code under test does to logging ends with the test."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def secrets_of(program: Program) -> dict[str, str]:
    """A secret of each role."""
    return {
        role: program.ledger.keys.create(role, f"test {role}")[1] for role in ("service", "analyst", "auditor", "admin")
    }


@pytest.fixture
def client_of(program: Program, secrets_of: dict[str, str]) -> Iterator[Callable[..., httpx.Client]]:
    """Makes clients in this process: of a role, or without a key."""
    with ExitStack() as stack:
        yield lambda role=None: stack.enter_context(in_process(program.asgi, secrets_of[role] if role else None))


@pytest.fixture
def service(client_of: Callable[..., httpx.Client]) -> httpx.Client:
    return client_of("service")


@pytest.fixture
def admin(client_of: Callable[..., httpx.Client]) -> httpx.Client:
    return client_of("admin")


@pytest.fixture
def serve(settings: Settings, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers on the test's database and makes sure they are gone afterwards."""
    assert settings.database_url is not None
    environment = {"LEDGER_DATABASE_URL": settings.database_url.get_secret_value(), "LEDGER_HOME": str(tmp_path)}
    started: list[Server] = []

    def start(*arguments: str) -> Server:
        server = Server(arguments, environment, tmp_path / "server.log")
        started.append(server)
        server.await_answer()
        return server

    yield start
    for server in started:
        server.close()


@contextmanager
def served(program: Program) -> Iterator[str]:
    """The program behind a real server on a free port; gives its address."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(program.asgi, log_config=None, access_log=False, timeout_graceful_shutdown=5)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        program.tail.stop()
        server.should_exit = True
        thread.join()


@pytest.fixture
def address(program: Program) -> Iterator[str]:
    with served(program) as address:
        yield address


def event(kind: str, subject: str, data: dict[str, Any] | None = None, **attributes: Any) -> dict[str, Any]:
    """An event in the JSON event format; what is not given is filled in."""
    return {
        "specversion": "1.0",
        "id": f"{kind}/{subject}/{len(attributes)}",
        "source": "/tests",
        "type": kind,
        "subject": subject,
        "time": "2026-04-01T01:00:00Z",
        "data": data or {},
        **attributes,
    }


def received(subject: str, **attributes: Any) -> dict[str, Any]:
    """A contact received by e-mail."""
    data = {"channel": "email", "department": "front_desk", "kind": "problem", "message": "My secret complaint"}
    return event("contact.received", subject, data, **attributes)


@pytest.fixture(scope="session")
def company_database(postgres: str, template: str) -> Iterator[Settings]:
    """A database of its own that holds a small simulated company, projected; tests only read it."""
    name = f"ledger_company_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
    settings = Settings(database_url=make_conninfo(postgres, dbname=name), poll_seconds=0.2)
    try:
        with running(settings, simulated=True) as program:
            with in_process(program.asgi, program.local_token) as client:
                play(OverHttp(client), company(seed=7, contacts=120, days=120))
            wait_projected(program)
        yield settings
    finally:
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


def wait_projected(program: Program, seconds: float = 120) -> None:
    """Wait until the tables hold the whole log."""
    until = time.monotonic() + seconds
    while program.projected_position() < program.ledger.head().position:
        assert time.monotonic() < until, program.tables_status()
        time.sleep(0.05)


@pytest.fixture(scope="module")
def shop(company_database: Settings) -> Iterator[Program]:
    """The simulated company's program, without a projector: nothing changes any more."""
    with running(company_database, project=False) as program:
        yield program


@pytest.fixture(scope="module")
def local(shop: Program) -> Iterator[httpx.Client]:
    """An admin's client of the simulated company."""
    with in_process(shop.asgi, shop.local_token) as client:
        yield client
