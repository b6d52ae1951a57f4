"""A standalone cluster of processes: a master and two workers, on which a ledger's tables are worked out."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import psutil
import pytest

from ledger.log.application import Ledger
from projections.generations import live
from replays.archive.loading import Archived
from replays.archive.reading import Archive
from replays.archive.writing import write
from replays.as_of import tables_at
from tests.projections.worlds import SHANGHAI, World, caught_up, everything, new_ledger, play_company
from tests.spark.conftest import CONF

START_SECONDS = 90
REPLAY_SECONDS = 1_200
MASTER, WORKER = "org.apache.spark.deploy.master.Master", "org.apache.spark.deploy.worker.Worker"
HOST = "127.0.0.1"


class Cluster:
    """A master and two workers with one core each, on the loopback interface alone."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        port, page = _free_ports(2)
        self.master = f"spark://{HOST}:{port}"
        said = self._start(stack, "master", MASTER, "--port", port, "--webui-port", page)
        self._await(said, "I have been elected leader", 1)
        for name in ("worker-1", "worker-2"):
            self._start(
                stack, name, WORKER, "--cores", 1, "--memory", "1g", "--webui-port", 0, "--work-dir", folder / name,
                self.master,
            )  # fmt: skip
        self._await(said, "Registering worker", 2)

    def worked(self) -> list[str]:
        """The workers on which an application had a process."""
        return [each for each in ("worker-1", "worker-2") if [*(self.folder / each).glob("app-*/*")]]

    def _start(self, stack: ExitStack, name: str, main: str, *arguments: object) -> Path:
        import pyspark

        home = Path(pyspark.__path__[0])
        log = self.folder / f"{name}.log"
        environment = {
            "SPARK_HOME": str(home),
            "SPARK_LOCAL_IP": HOST,
            "SPARK_NO_DAEMONIZE": "1",
            "SPARK_DAEMON_MEMORY": "256m",
        }
        with log.open("ab") as file:
            process = subprocess.Popen(
                [str(home / "bin" / "spark-class"), main, "--host", HOST, *map(str, arguments)],
                stdout=file, stderr=file, stdin=subprocess.DEVNULL, env=os.environ | environment, cwd=self.folder,
            )  # fmt: skip
        stack.callback(_end, process)
        return log

    def _await(self, log: Path, said: str, times: int) -> None:
        until = time.monotonic() + START_SECONDS
        while len(re.findall(said, log.read_text())) < times:
            told = {each.name: each.read_text()[-2_000:] for each in self.folder.glob("*.log")}
            assert time.monotonic() < until, told
            time.sleep(0.2)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in taken:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in taken]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it has started."""
    try:
        family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    except psutil.NoSuchProcess:
        family = []
    for each in family:
        try:
            each.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait(30)


@contextmanager
def cluster_in(folder: Path) -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(folder, stack)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster_in(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture(scope="module")
def played(postgres: str, template: str) -> Iterator[Ledger]:
    with new_ledger(postgres, template) as ledger:
        play_company(ledger, contacts=60, days=60)
        caught_up(ledger)
        yield ledger


@pytest.fixture(scope="module")
def archive(played: Ledger, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """The company's log, but for what comes later."""
    folder = tmp_path_factory.mktemp("archived") / "archive"
    write(played, folder, segment=500)
    return Archive.open(folder)


def replay(ledger: Ledger, *arguments: object) -> Any:
    """`reqledger replay` in a process of its own; what it says as JSON."""
    environment = {"LEDGER_DATABASE_URL": ledger.database.conninfo, "LEDGER_HOME": str(ledger.settings.home)}
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", "replay", "--json", *map(str, arguments)],
        env=os.environ | environment, capture_output=True, text=True, timeout=REPLAY_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4_000:]
    return json.loads(done.stdout)


BOUNDS = [
    *("--conf", "spark.driver.memory=1g", "--conf", "spark.executor.memory=768m"),
    *("--conf", "spark.ui.enabled=false", "--conf", "spark.cores.max=2"),
]

QUICKLY = [f"--conf={name}={value}" for name, value in CONF.items() if "codegen" in name]


def test_a_cluster_gives_the_tables_that_duckdb_gives(
    cluster: Cluster, played: Ledger, archive: Archive, tmp_path: Path
) -> None:
    told = replay(played, "--engine", cluster.master, "--archive", archive.place, "--out", tmp_path / "out", *BOUNDS)
    assert cluster.worked() == ["worker-1", "worker-2"]
    assert (told["position"], json.loads((tmp_path / "out" / "replay.json").read_text())) == (archive.last, told)
    with tables_at(Archived(archive)) as engine:
        for name, one in told["tables"].items():
            wanted = sorted(map(repr, engine.rows(name)))
            assert sorted(map(repr, _written(tmp_path / "out", name, one["columns"]))) == wanted, name
            assert one["rows"] == len(wanted)


def _written(out: Path, name: str, kinds: dict[str, str]) -> Iterator[dict[str, Any]]:
    """The rows of a written table, times and days as whole microseconds."""
    turn = {"time": 'epoch_us("{0}") AS "{0}"', "day": 'epoch_us("{0}") AS "{0}"'}
    columns = ", ".join(turn.get(kind, '"{0}"').format(column) for column, kind in kinds.items())
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.execute(f"SELECT {columns} FROM read_parquet('{out / name}/*.parquet')")
        names = [each[0] for each in found.description or []]
        for row in found.fetchall():
            yield dict(zip(names, row, strict=True))


def test_a_ledgers_tables_are_built_anew_on_a_cluster(cluster: Cluster, played: Ledger, archive: Archive) -> None:
    """What came after the archive is caught up from the log."""
    world = World(played)
    now = played.now().astimezone(SHANGHAI).replace(tzinfo=None).isoformat()
    world.tell("contact.received", "late-1", now, id="late received")
    world.tell("contact.answered", "late-1", now, automated=False, id="late answered")
    caught_up(played)
    before = everything(played)
    with played.pool.connection() as connection:
        old = live(connection).number
    told = replay(played, "--engine", cluster.master, "--archive", archive.place, *BOUNDS, *QUICKLY)
    head = played.head().position
    assert head > archive.last
    assert (told["report"]["position"], told["report"]["compared_at"], told["report"]["differences"]) == (
        head,
        head,
        [],
    )
    with played.pool.connection() as connection:
        assert live(connection).number > old
    after = everything(played)
    for name, rows in before.items():
        nothing = [row for row in rows if name == "counters" and row[-2:] == (0, 0)]
        assert [row for row in after[name] if row not in nothing] == [row for row in rows if row not in nothing], name
