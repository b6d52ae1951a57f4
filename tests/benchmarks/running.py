"""What is measured: one embedded PostgreSQL for the run, a fresh database for each turn, servers as processes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ledger.log.application import Ledger
from ledger.log.embedded import embedded_server, release
from ledger.settings import Settings
from projections.projector import status
from replays.founding import found
from tests.api.processes import sockets_of_workers

START_SECONDS = 60.0
STOP_SECONDS = 30.0
POOL = "15"
"""Connections of the library's pool: with more, or fewer than ten, its endpoint answered fewer requests."""


class DidNotStart(Exception):
    """A server that is to be measured does not answer; the message holds the end of its log."""


@dataclass(frozen=True)
class Address:
    """Where a server takes events, and what it wants to see in the Authorization header."""

    host: str
    port: int
    path: str
    authorization: str


class Bench:
    """The run's PostgreSQL, with everything that makes commits durable switched on."""

    def __init__(self, home: Path, conninfo: str) -> None:
        self.home = home
        self.conninfo = conninfo
        self._made = 0
        self._serving: subprocess.Popen[bytes] | None = None

    def memory(self, *, highest: bool = False) -> int:
        """Resident bytes of the server that is running: now, or the most it has ever had."""
        assert self._serving is not None
        status = Path(f"/proc/{self._serving.pid}/status").read_text()
        name = "VmHWM:" if highest else "VmRSS:"
        return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith(name)))

    def _await_workers(self, workers: int, port: int) -> None:
        """One that is not there yet would be left out for as long as the connections that come now last."""
        assert self._serving is not None
        until = time.monotonic() + START_SECONDS
        while len(sockets_of_workers(self._serving.pid, port, "LISTEN")) < workers:
            assert time.monotonic() < until, "not all workers have started"
            time.sleep(0.1)

    @contextmanager
    def database(self) -> Iterator[str]:
        """Connection string of an empty database, dropped afterwards."""
        self._made += 1
        name = f"turn_{self._made}"
        create = sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(sql.Identifier(name))
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute(create)
        try:
            yield make_conninfo(self.conninfo, dbname=name)
        finally:
            with psycopg.connect(self.conninfo, autocommit=True) as connection:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
                connection.execute("CHECKPOINT")

    @contextmanager
    def ledger(self, *, simulated: bool = False, encrypt: bool | None = None) -> Iterator[Ledger]:
        """A ledger in a fresh database, set up with the default rule book; nothing projects it."""
        with self.database() as conninfo:
            settings = Settings(database_url=conninfo, home=self.home, encrypt=encrypt)
            with Ledger.open(settings, simulated=simulated) as ledger:
                found(ledger)
                yield ledger

    @contextmanager
    def served(self, workers: int = 1, **environment: str) -> Iterator[tuple[Address, str]]:
        """`reqledger serve` over a fresh ledger: its address, and the connection string of its database.

        Its projector has begun: compiling its statements takes it seconds, once.
        """
        with self.ledger() as ledger:
            conninfo = ledger.database.conninfo
            secret = ledger.keys.create("service", "benchmark")[1]
            port = _free_port()
            command = [sys.executable, "-m", "api.cli", "serve", "--port", str(port), "--workers", str(workers)]
            # it ends with this process, however that ends
            command.append("--until-stdin-ends")
            environment |= {"LEDGER_DATABASE_URL": conninfo, "LEDGER_HOME": str(self.home)}
            with self._process(command, environment, port):
                _await_projector(ledger)
                if workers > 1:
                    self._await_workers(workers, port)
                yield Address("127.0.0.1", port, "/v1/events", f"Bearer {secret}"), conninfo

    @contextmanager
    def projector_held(self, conninfo: str) -> Iterator[None]:
        """Have the projector of a served ledger wait, as if another process projected."""
        with psycopg.connect(conninfo) as connection:
            connection.execute("SELECT 1 FROM log.tracking WHERE application_name LIKE 'generation_%' FOR UPDATE")
            yield
            connection.rollback()

    @contextmanager
    def library(self) -> Iterator[tuple[Address, str]]:
        """The endpoint to compare with, over a fresh database."""
        with self.database() as conninfo:
            port = _free_port()
            command = [sys.executable, "-m", "tests.benchmarks.library_server", str(port), conninfo]
            with self._process(command, {}, port):
                yield Address("127.0.0.1", port, "/events", ""), conninfo

    @contextmanager
    def _process(self, command: list[str], environment: dict[str, str], port: int) -> Iterator[None]:
        log = self.home / f"server-{port}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=output, stderr=output, env=os.environ | environment
            )
        try:
            _await_answer(process, port, log)
            self._serving = process
            yield
        finally:
            self._serving = None
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            assert process.stdin is not None
            process.stdin.close()


@contextmanager
def bench() -> Iterator[Bench]:
    """The embedded PostgreSQL in a directory of its own on disk, both gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="reqledger-benchmark-")).resolve()
    server = embedded_server(home)
    try:
        yield Bench(home, server.conninfo)
    finally:
        release(server)
        shutil.rmtree(home, ignore_errors=True)


def library_settings(conninfo: str) -> dict[str, str]:
    """How the eventsourcing library is told of a database."""
    place = conninfo_to_dict(conninfo)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": str(place["dbname"]),
        "POSTGRES_HOST": str(place["host"]),
        "POSTGRES_PORT": str(place.get("port", "5432")),
        "POSTGRES_USER": str(place["user"]),
        "POSTGRES_PASSWORD": "unused",
        "POSTGRES_POOL_SIZE": POOL,
        "POSTGRES_MAX_OVERFLOW": "0",
    }


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def _await_answer(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        if process.poll() is not None or time.monotonic() > until:
            raise DidNotStart(log.read_text()[-4000:])
        time.sleep(0.1)


def _await_projector(ledger: Ledger) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        with ledger.database.connect() as connection:
            now = status(connection)
        if now is not None and now.lag_positions == 0:
            return
        if time.monotonic() > until:
            raise DidNotStart(f"nothing projects the tables: {now}")
        time.sleep(0.1)
