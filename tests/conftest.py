"""What all tests share: one PostgreSQL server for the session, a fresh database for each test that asks for one.

The server is the embedded one; or the one TEST_DATABASE_URL names (its user must be able to create databases); or one
started for the session from the programs in TEST_POSTGRES_BIN, such as /usr/lib/postgresql/15/bin.
"""

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from ledger.claims import Claim, claim
from ledger.log.application import Ledger
from ledger.log.embedded import binaries, embedded_server, release
from ledger.rulebook.loading import default_text
from ledger.settings import Settings
from projections.keeping import keep

ROOMY = 4 * 2**30


def _roomy_directory() -> str | None:
    """Memory-backed where there is plenty: tests make hundreds of databases."""
    shared = Path("/dev/shm")
    return str(shared) if shared.is_dir() and shutil.disk_usage(shared).free > ROOMY else None


@pytest.fixture(scope="session", autouse=True)
def _default_home() -> Iterator[None]:
    """Nothing that a test leaves under a home it did not name lands where the tests were started."""
    with tempfile.TemporaryDirectory(prefix="reqledger-default-home-") as made, pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEDGER_HOME", made)
        yield


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory for an embedded server: as root that one runs as another user, who may not enter pytest's own."""
    made = Path(tempfile.mkdtemp(prefix="reqledger-home-", dir=_roomy_directory())).resolve()
    yield made
    shutil.rmtree(made, ignore_errors=True)


class PrivateCluster:
    """A PostgreSQL server of a test's own, which may be killed."""

    def __init__(self, programs: Path) -> None:
        self.programs = programs
        self.home = Path(tempfile.mkdtemp(prefix="reqledger-cluster-", dir=_roomy_directory())).resolve()
        self.user = _server_user() if os.geteuid() == 0 else None
        if self.user:
            self.home.chmod(0o755)
            shutil.chown(self.home, self.user)
        self._run("initdb", "-D", str(self.home / "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8")
        self.start()

    @property
    def conninfo(self) -> str:
        return make_conninfo(host=str(self.home), user="postgres", dbname="postgres")

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.home}' -c max_connections=200"
        log = str(self.home / "log")
        self._run("pg_ctl", "-D", str(self.home / "data"), "-l", log, "-w", "-t", "60", "-o", options, "start")

    def kill(self) -> None:
        """Kill the server and every process of it, as a crash of the machine would."""
        server = psutil.Process(int((self.home / "data" / "postmaster.pid").read_text().splitlines()[0]))
        for process in (server, *server.children()):
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if server.status() == psutil.STATUS_ZOMBIE if server.is_running() else True:
                break
            time.sleep(0.01)
        # a killed process may stay a zombie whose id still looks taken
        for lock in (self.home / "data" / "postmaster.pid", *self.home.glob(".s.PGSQL.*.lock")):
            lock.unlink(missing_ok=True)

    def stop(self) -> None:
        try:
            self._run("pg_ctl", "-D", str(self.home / "data"), "-m", "immediate", "-w", "stop")
        finally:
            shutil.rmtree(self.home, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        with (self.home / "output").open("a+b") if not self.user else tempfile.TemporaryFile() as output:
            command = [str(self.programs / program), *arguments]
            done = subprocess.run(
                command, user=self.user, stdout=output, stderr=output, cwd="/", stdin=subprocess.DEVNULL, check=False
            )
            if done.returncode:
                output.seek(0)
                raise RuntimeError(f"{' '.join(command)} failed: {output.read().decode(errors='replace')}")


def _server_user() -> str:
    """A user who may run a PostgreSQL server: root may not."""
    for name in ("postgres", "pgserver"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise RuntimeError("as root, a user named postgres is needed to run a PostgreSQL server")


def _programs() -> Path:
    return Path(os.environ.get("TEST_POSTGRES_BIN") or binaries())


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Connection string of the session's PostgreSQL server, as a user who may create databases."""
    named = os.environ.get("TEST_DATABASE_URL")
    if named:
        yield named
        return
    if os.environ.get("TEST_POSTGRES_BIN"):
        cluster = PrivateCluster(_programs())
        yield cluster.conninfo
        cluster.stop()
        return
    home = Path(tempfile.mkdtemp(prefix="reqledger-tests-", dir=_roomy_directory())).resolve()
    server = embedded_server(home)
    try:
        yield server.conninfo
    finally:
        release(server)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def template(postgres: str) -> Iterator[str]:
    """Name of a migrated database without a ledger in it, for fast copies; what it takes seconds to compile is kept."""
    name = f"ledger_template_{uuid.uuid4().hex[:12]}"
    _execute(postgres, sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(sql.Identifier(name)))
    Ledger.prepare(Settings(database_url=make_conninfo(postgres, dbname=name)))
    with psycopg.connect(make_conninfo(postgres, dbname=name)) as connection:
        keep(connection, default_text())
    yield name
    _drop(postgres, name)


@pytest.fixture
def new_database(postgres: str, template: str) -> Iterator[Callable[[], str]]:
    """Makes fresh migrated databases; gives the connection string of each."""
    made = []

    def make() -> str:
        name = f"ledger_test_{uuid.uuid4().hex[:12]}"
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        _execute(postgres, copy)
        made.append(name)
        return make_conninfo(postgres, dbname=name)

    yield make
    for name in made:
        _drop(postgres, name)


@pytest.fixture
def cluster(postgres: str) -> Iterator[PrivateCluster]:
    """A PostgreSQL server for this test alone, of the session's kind, that may be killed and started again."""
    made = PrivateCluster(_programs())
    yield made
    made.stop()


@pytest.fixture
def tell() -> Callable[..., Claim]:
    """Makes claims: `tell(type, subject, data, **envelope)`, with an id of its own unless one is given."""
    numbers = itertools.count(1)

    def make(type: str, subject: str, data: dict[str, object] | None = None, **envelope: object) -> Claim:  # noqa: A002
        given = {"id": f"event-{next(numbers)}", "source": "test", "occurred_at": "2026-04-01T01:00:00Z", **envelope}
        return claim(type, subject, data, **given)

    return make


@pytest.fixture
def database(new_database: Callable[[], str]) -> str:
    """Connection string of a fresh migrated database with no ledger in it yet."""
    return new_database()


@pytest.fixture
def settings(database: str, tmp_path: Path) -> Settings:
    """Settings of a process that uses the fresh database."""
    return Settings(database_url=database, home=tmp_path, poll_seconds=0.2)


@pytest.fixture
def open_ledger() -> Iterator[Callable[..., Ledger]]:
    """Opens ledgers (arguments as for Ledger.open) and closes them after the test."""
    with ExitStack() as stack:
        yield lambda *args, **kwargs: stack.enter_context(Ledger.open(*args, **kwargs))


@pytest.fixture
def ledger(settings: Settings, open_ledger: Callable[..., Ledger]) -> Ledger:
    """A new ledger on a fresh database."""
    return open_ledger(settings)


@pytest.fixture
def simulated_ledger(settings: Settings, open_ledger: Callable[..., Ledger]) -> Ledger:
    """A new ledger that is told its recording clock by the events."""
    return open_ledger(settings, simulated=True)


def _execute(conninfo: str, statement: sql.Composed) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(statement)


def _drop(conninfo: str, name: str) -> None:
    _execute(conninfo, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
