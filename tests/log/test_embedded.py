"""The embedded server: shared, stopped by its last user, and clear about what is in its way."""

import json
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import psutil
import psycopg
import pytest

from ledger.errors import EmbeddedServerError
from ledger.log.embedded import LEAST_FREE_BYTES, embedded_server, release

LEAVES = """
import sys
from pathlib import Path
from ledger.log.embedded import embedded_server
print(embedded_server(Path(sys.argv[1])).pid, flush=True)
"""


def test_it_is_shared_and_the_last_user_stops_it(home: Path) -> None:
    first, second = embedded_server(home), embedded_server(home)
    assert first is second
    pid = first.pid
    # another process finds it running, and leaves it running
    done = subprocess.run([sys.executable, "-c", LEAVES, str(home)], capture_output=True, text=True, check=True)
    assert int(done.stdout) == pid
    release(first)
    with psycopg.connect(second.conninfo) as connection:
        assert connection.execute("SHOW jit").fetchone() == ("off",)
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
    release(second)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_it_keeps_its_data_and_forgets_killed_users(home: Path) -> None:
    server = embedded_server(home)
    with psycopg.connect(server.conninfo) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    users = home / "postgres" / ".handle_pids.json"
    users.write_text(json.dumps([*json.loads(users.read_text()), 2**22 + 1]))
    pid = server.pid
    release(server)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    # the process id it left behind now means this very process
    lock = ("postgres", "0", "5432", str(home / "postgres"), "", "0 0", "ready")
    (home / "postgres" / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lock]) + "\n")
    server = embedded_server(home)
    with psycopg.connect(server.conninfo) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    release(server)


def test_a_directory_of_another_version_is_refused(home: Path) -> None:
    (home / "postgres").mkdir()
    (home / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedServerError, match="made by PostgreSQL 16"):
        embedded_server(home)


def test_a_home_that_is_no_directory_is_refused(home: Path) -> None:
    (home / "file").write_text("")
    with pytest.raises(EmbeddedServerError, match="cannot be written"):
        embedded_server(home / "file")


def test_a_full_disk_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, LEAST_FREE_BYTES - 1))
    with pytest.raises(EmbeddedServerError, match="Free some space"):
        embedded_server(home)


def test_a_server_that_does_not_start_says_why(home: Path) -> None:
    release(embedded_server(home))
    with (home / "postgres" / "postgresql.conf").open("a") as configuration:
        configuration.write("\nshared_buffers = nonsense\n")
    with pytest.raises(EmbeddedServerError, match="shared_buffers"):
        embedded_server(home)


def test_a_directory_cut_short_is_made_anew(home: Path) -> None:
    (home / "postgres.unfinished").mkdir()
    (home / "postgres.unfinished" / "PG_VERSION").write_text("18\n")
    server = embedded_server(home)
    release(server)
    assert not (home / "postgres.unfinished").exists()
