"""Kill −9 of processes that seal: every checkpoint there is, is one of the log, and the next sealer goes on."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ledger.claims import Claim
from ledger.errors import Unavailable
from ledger.log.application import Ledger
from ledger.seal.sealing import Sealer, status
from ledger.settings import Settings
from replays.verifying import verify

PROCESS = Path(__file__).with_name("sealing_process.py")


def test_a_sealer_outlives_its_database(cluster: Any, tell: Callable[..., Claim], tmp_path: Path) -> None:
    settings = Settings(database_url=cluster.conninfo, home=tmp_path, poll_seconds=0.2, seal_seconds=0.1)
    with Ledger.open(settings) as ledger, ledger.waker() as waker:
        sealer = Sealer(ledger.database, waker)
        sealer.start()
        for turn in range(1, 4):
            units = [[tell("requirement.captured", f"R{turn}-{each}", {"source_kind": "form"})] for each in range(300)]
            assert all(isinstance(outcome, list) for outcome in ledger.append(units, "key"))
            cluster.kill()
            cluster.start()
            await_sealed(ledger)
        sealer.stop()
        report = verify(ledger)
        assert (report.entries, report.sealed, report.findings) == (900, 900, [])


def test_killed_sealers_leave_nothing_that_contradicts(settings: Settings, database: str, tmp_path: Path) -> None:
    chance = random.Random(20260403)
    reached = 0
    for turn in range(4):
        processes = [
            subprocess.Popen(
                [sys.executable, str(PROCESS), database, str(tmp_path), f"{writer}{turn}"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            for writer in "ab"
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline()
        time.sleep(chance.uniform(0.1, 0.6))
        for process in processes:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
        with Ledger.open(settings) as ledger:
            report = verify(ledger)
            assert (report.findings, report.more) == ([], 0)
            assert report.entries > reached
            reached = report.entries
            assert report.checkpoints > turn
    with Ledger.open(settings) as ledger, ledger.waker() as waker:
        sealer = Sealer(ledger.database, waker)
        sealer.start()
        await_sealed(ledger)
        sealer.stop()
        assert verify(ledger).sealed == reached


def await_sealed(ledger: Ledger) -> None:
    """Wait until all that is recorded is sealed, and nothing holds the sealer up."""
    until = time.monotonic() + 30
    while True:
        with suppress(Unavailable), ledger.database.reading() as connection:
            now = status(connection)
            if not now.lag_positions and now.halted_by is None:
                return
            assert time.monotonic() < until, now
        time.sleep(0.05)
