"""`reqledger serve` as a process of its own, which a test asks over its socket, ends or kills."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import orjson
import psutil

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

    def post(self, *events: dict[str, Any]) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.secret}", "content-type": "application/cloudevents-batch+json"}
        return httpx.post(f"{self.address}/v1/events", headers=headers, content=orjson.dumps(events), timeout=30)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.address}{path}", headers={"authorization": f"Bearer {self.secret}"}, timeout=30)

    def close(self) -> None:
        """Kill it where it runs, and leave its pipes."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def end(self, number: int) -> int:
        """Send a signal and give the exit status."""
        self.process.send_signal(number)
        return self.process.wait(30)


def sockets_of_workers(server: int, port: int, status: str) -> list[int]:
    """How many sockets on a port each worker of a server has in a state ("LISTEN"), of those that have any."""
    found = []
    for worker in psutil.Process(server).children():
        sockets = worker.net_connections("tcp")
        found.append(sum(one.laddr.port == port and one.status == status for one in sockets))
    return [count for count in found if count]
