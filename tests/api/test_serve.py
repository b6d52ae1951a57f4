"""`reqledger serve` as a process of its own: one or several workers, and an orderly end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import orjson
import pytest

from ledger.settings import Settings
from tests.api.conftest import received

START_SECONDS = 60


class Server:
    """A server process, its address and the key it told."""

    def __init__(self, arguments: Sequence[str], environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "api.cli", "serve", "--port", "0", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                env=os.environ | environment | {"PYTHONUNBUFFERED": "1"},
                text=True,
            )
        self.secret = ""
        self.address = self._address()

    def _address(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if key := re.search(r"rl_\S+", line):
                self.secret = key[0]
            if address := re.search(r"http://\S+:\d+", line):
                return address[0].rstrip(";")
        raise AssertionError(f"the server did not start:\n{self.log.read_text()}")

    def await_answer(self) -> None:
        """Wait until it answers: workers start after the address is known."""
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                if httpx.get(f"{self.address}/readyz", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.1)

    def post(self, *subjects: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.secret}", "content-type": "application/cloudevents-batch+json"}
        body = orjson.dumps([received(subject) for subject in subjects])
        return httpx.post(f"{self.address}/v1/events", headers=headers, content=body, timeout=30)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.address}{path}", headers={"authorization": f"Bearer {self.secret}"}, timeout=30)

    def end(self, number: int) -> int:
        """Send a signal and give the exit status."""
        self.process.send_signal(number)
        return self.process.wait(30)


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
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()
        for pipe in (server.process.stdin, server.process.stdout):
            if pipe is not None:
                pipe.close()


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
    assert server.post("C-1").status_code == 201
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
    assert again.post("C-1").json()["events"][0]["duplicate"]


def test_several_workers_share_one_ledger(serve: Callable[..., Server]) -> None:
    server = serve("--workers", "2")
    positions = [server.post(f"C-{number}").json()["position"] for number in range(30)]
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
