"""`reqledger serve` as a process of its own: one or several workers, and an orderly end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import orjson
import psutil
import pytest

from ledger.settings import Settings
from tests.api.conftest import received
from tests.api.processes import Server, sockets_of_workers


@contextmanager
def an_open_stream(server: Server) -> Iterator[None]:
    headers = {"authorization": f"Bearer {server.secret}"}
    with httpx.stream("GET", f"{server.address}/v1/events/stream", headers=headers, timeout=30) as response:
        assert response.status_code == 200
        yield


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_ends_in_order_and_keeps_what_it_told(serve: Callable[..., Server], number: int) -> None:
    server = serve()
    assert server.secret
    assert server.post(received("C-1")).status_code == 201
    with an_open_stream(server):
        began = time.monotonic()
        assert server.end(number) == 0, server.log.read_text()
        assert time.monotonic() - began < 45
    log = [orjson.loads(line) for line in server.log.read_text().splitlines()]
    assert not [line for line in log if line["level"] in ("error", "warning")], log
    again = serve()
    # the first key is told once
    assert again.secret == ""
    again.secret = server.secret
    assert again.post(received("C-1")).json()["events"][0]["duplicate"]


def test_several_workers_share_one_ledger(serve: Callable[..., Server]) -> None:
    server = serve("--workers", "2")
    positions = [server.post(received(f"C-{number}")).json()["position"] for number in range(30)]
    assert positions == list(range(2, 32))
    question = f"/v1/tables/contacts?min_position={positions[-1]}&limit=100"
    until = time.monotonic() + 90
    # the projector of a server that has just started may still be getting ready
    while (answer := server.get(question)).status_code == 503 and time.monotonic() < until:
        time.sleep(0.5)
    assert len(answer.json()["rows"]) == 30
    assert "ledger_appended_events_total 30.0" in server.get("/metrics").text
    key = server.get("/v1/keys").json()["keys"][0]
    assert httpx.delete(
        f"{server.address}/v1/keys/{key['id']}", headers={"authorization": f"Bearer {server.secret}"}
    ).is_success
    # the other worker may remember the key for a moment
    time.sleep(2.5)
    assert {server.get("/v1/tables").status_code for _ in range(10)} == {401}
    assert server.end(signal.SIGTERM) == 0, server.log.read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system does not spread connections")
def test_connections_are_spread_among_workers(serve: Callable[..., Server]) -> None:
    server = serve("--workers", "2")
    port = int(server.address.rsplit(":", 1)[1])

    until = time.monotonic() + 60
    while len(sockets_of_workers(server.process.pid, port, "LISTEN")) < 2:
        assert time.monotonic() < until, server.log.read_text()
        time.sleep(0.2)
    # all with one of them: once in 2 ** 39
    held = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
    try:
        until = time.monotonic() + 10
        while sum(spread := sockets_of_workers(server.process.pid, port, "ESTABLISHED")) < 40:
            assert time.monotonic() < until, spread
            time.sleep(0.1)
        assert len(spread) == 2
    finally:
        for connection in held:
            connection.close()


def test_workers_end_with_their_server_however_it_ends(serve: Callable[..., Server]) -> None:
    server = serve("--workers", "2")
    assert server.post(received("C-1")).status_code == 201
    workers = psutil.Process(server.process.pid).children(recursive=True)
    server.process.kill()
    server.process.wait()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive
    port = server.address.rsplit(":", 1)[1]
    again = serve("--port", port)
    again.secret = server.secret
    assert again.post(received("C-1")).json()["events"][0]["duplicate"]


def test_a_port_that_is_taken_is_told(serve: Callable[..., Server], settings: Settings) -> None:
    server = serve()
    assert settings.database_url is not None
    port = server.address.rsplit(":", 1)[1]
    ran = subprocess.run(
        [sys.executable, "-m", "api.cli", "serve", "--port", port],
        env=os.environ | {"LEDGER_DATABASE_URL": settings.database_url.get_secret_value()},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 1
    assert "another port" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_server_ends_with_whoever_started_it(serve: Callable[..., Server]) -> None:
    server = serve("--until-stdin-ends")
    assert server.process.stdin is not None
    server.process.stdin.close()
    assert server.process.wait(20) == 0
