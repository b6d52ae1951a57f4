"""A witness that others wrote: the package aics-witness, where it is installed, takes and refuses what it should."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest

from ledger.seal.keys import signer
from replays.verifying import verify
from tests.seal.holding import Tell, await_held, await_refused, put
from tests.seal.test_sealing import size_of

pytestmark = pytest.mark.skipif(find_spec("aics_witness") is None, reason="the package aics-witness is not installed")


@pytest.fixture
def setting(run: Any, tmp_path: Path) -> Iterator[str]:
    """The address of a witness that was told of the test's log."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {"AICS_WITNESS_CONFIG": str(tmp_path / "witness.json")}
    program = [sys.executable, "-m", "aics_witness"]

    def do(*arguments: str) -> str:
        done = subprocess.run([*program, *arguments], env=environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    verifier = do("init", "--name", "witness.example/w1")
    with run() as ledger, ledger.database.connect() as connection:
        key = signer(connection, ledger.settings).verifier
    do("add-log", "--origin", key.name, "--vkey", key.text)
    serving = subprocess.Popen(
        [*program, "serve", "--listen", f"127.0.0.1:{port}"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 20
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/healthz")
                break
            except httpx.HTTPError:
                assert time.monotonic() < until
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}#{verifier}"
    finally:
        serving.terminate()
        serving.wait()


def test_it_cosigns_what_goes_on_and_stops_a_log_that_was_set_back(
    run: Any, tell: Tell, restore: Any, setting: str
) -> None:
    with run(setting) as ledger:
        for count in (1, 3, 300, 700, 5):
            put(ledger, tell, count)
            size = ledger.head().position
            await_held(ledger, lambda now: now["witness"].size == size and now["witness"].error is None)  # noqa: B023
        report = verify(ledger)
        assert (report.findings, report.cosigned) == ([], 1009)
    put_back = restore()
    with run(setting) as ledger:
        put(ledger, tell, 9)
        await_held(ledger, lambda now: now["witness"].size == 1018)
    put_back()
    for count in (3, 90):
        with run(setting) as ledger:
            put(ledger, tell, count)
            await_refused(ledger, "1018")
            assert size_of(ledger) == 1009
