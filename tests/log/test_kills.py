"""Kill −9 of appending processes and of the database: nothing acknowledged is lost, nothing is there twice."""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import psycopg

from ledger.claims import Claim
from ledger.errors import Retryable
from ledger.log.application import Ledger
from ledger.settings import Settings

Tell = Callable[..., Claim]
PROCESS = Path(__file__).with_name("appending_process.py")
ALL = "SELECT source, id, position FROM log.entries ORDER BY position"


def check(conninfo: str, acknowledged: dict[tuple[str, str], int]) -> None:
    with psycopg.connect(conninfo) as connection:
        rows = connection.execute(ALL).fetchall()
    assert [row[2] for row in rows] == list(range(1, len(rows) + 1))
    stored = {(source, event_id): position for source, event_id, position in rows}
    assert len(stored) == len(rows)
    assert {key: stored.get(key) for key in acknowledged} == acknowledged


def test_killed_processes(settings: Settings, database: str) -> None:
    chance = random.Random(20260401)
    acknowledged: dict[tuple[str, str], int] = {}
    for each in range(3):
        processes = []
        for writer in ("a", "b"):
            # what was in flight when the process died is sent again, as a careful sender does
            numbers = [int(number) for source, number in acknowledged if source == writer]
            first = max(0, max(numbers, default=0) - 40)
            command = [sys.executable, str(PROCESS), database, writer, str(first)]
            processes.append((writer, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)))
        for writer, process in processes:
            assert process.stdout is not None
            # killed in the middle of its work, not while it is still starting
            started = process.stdout.readline()
            _note(acknowledged, writer, started)
        time.sleep(chance.uniform(0.05, 0.4))
        for writer, process in processes:
            process.kill()
            assert process.stdout is not None
            for line in process.stdout.read().splitlines(keepends=True):
                _note(acknowledged, writer, line)
            process.stdout.close()
            process.wait()
        check(database, acknowledged)
        assert len(acknowledged) > 10 * each


def test_killed_database(cluster: Any, tell: Tell, tmp_path: Path) -> None:
    settings = Settings(database_url=cluster.conninfo, home=tmp_path, poll_seconds=0.2)
    chance = random.Random(20260402)
    with Ledger.open(settings) as ledger, _load(ledger, tell) as (acknowledged, retried):
        for _ in range(3):
            time.sleep(chance.uniform(0.2, 0.5))
            cluster.kill()
            time.sleep(chance.uniform(0.0, 0.2))
            cluster.start()
            before = len(acknowledged)
            _wait_for(partial(_more_than, acknowledged, before + 20))
    check(cluster.conninfo, acknowledged)
    assert retried


def test_the_embedded_database_is_started_again(tell: Tell, home: Path) -> None:
    with Ledger.open(Settings(home=home, poll_seconds=0.2)) as ledger:
        conninfo = ledger.database.conninfo
        with ledger.waker() as waker, _load(ledger, tell) as (acknowledged, _):
            for _ in range(2):
                time.sleep(0.2)
                server = psutil.Process(_postmaster(home))
                for process in (*server.children(), server):
                    with suppress(psutil.NoSuchProcess):
                        process.kill()
                before = len(acknowledged)
                _wait_for(partial(_more_than, acknowledged, before + 20))
            position = ledger.head().position
            assert waker.wait(position - 1, 10) >= position
        check(conninfo, acknowledged)


@contextmanager
def _load(ledger: Ledger, tell: Tell) -> Iterator[tuple[dict[tuple[str, str], int], list[int]]]:
    """Four senders, each repeating what was answered as retryable until it is acknowledged."""
    acknowledged: dict[tuple[str, str], int] = {}
    retried: list[int] = []
    stop = threading.Event()

    def send(writer: int) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            source = f"sender-{writer}"
            event = tell(
                "requirement.captured", f"R-{writer}-{number}", {"source_kind": "form"}, id=str(number), source=source
            )
            while True:
                try:
                    answer = ledger.appender.submit([event], "key").result(30)
                except Retryable:
                    if stop.is_set():
                        return
                    retried.append(number)
                    time.sleep(0.02)
                    continue
                acknowledged[source, str(number)] = answer[0].position
                break

    with ThreadPoolExecutor(4) as pool:
        senders = [pool.submit(send, writer) for writer in range(4)]
        try:
            yield acknowledged, retried
        finally:
            stop.set()
        for sender in senders:
            sender.result(60)


def _more_than(acknowledged: dict[tuple[str, str], int], count: int) -> bool:
    return len(acknowledged) > count


def _note(acknowledged: dict[tuple[str, str], int], writer: str, line: bytes) -> None:
    # the last line may be cut short
    if line.endswith(b"\n"):
        number, position = line.split()
        acknowledged[writer, number.decode()] = int(position)


def _postmaster(home: Path) -> int:
    return int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def _wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
