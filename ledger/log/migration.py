"""Brings a database to the structure this program needs: numbered SQL files, each run once, in order.

`log.migrations` says what ran. Several processes may start at once: an advisory lock lets one migrate.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

from psycopg import Connection

from ledger.errors import MigrationError

# any constant of our own; it only has to differ from those of other programs in the same database
LOCK = "SELECT pg_advisory_xact_lock(7246331902116)"
CREATE_RECORD = """
CREATE SCHEMA IF NOT EXISTS log;
CREATE TABLE IF NOT EXISTS log.migrations (
    number      integer PRIMARY KEY,
    name        text NOT NULL,
    digest      text NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""
RECORD_EXISTS = "SELECT to_regclass('log.migrations') IS NOT NULL"
APPLIED = "SELECT number, name, digest FROM log.migrations ORDER BY number"
RECORD = "INSERT INTO log.migrations (number, name, digest) VALUES (%s, %s, %s)"


@dataclass(frozen=True)
class Migration:
    """One numbered step; `digest` (SHA-256, hex) tells whether the file has changed since it ran."""

    number: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """All steps this program knows, in order."""
    return sorted(_read(), key=lambda migration: migration.number)


def applied(connection: Connection) -> dict[int, tuple[str, str]]:
    """What ran on this database: number → (name, digest)."""
    exists = connection.execute(RECORD_EXISTS).fetchone()
    if exists is None or not exists[0]:
        return {}
    return {number: (name, digest) for number, name, digest in connection.execute(APPLIED)}


def pending(connection: Connection) -> list[str]:
    """The names of the steps that have not run yet; nothing is changed.

    Raises MigrationError as `migrate` does.
    """
    done, known = applied(connection), migrations()
    _check(done, known)
    return [migration.name for migration in known if migration.number not in done]


def migrate(connection: Connection, upto: int | None = None) -> list[str]:
    """Run what has not run yet (up to number `upto`) in one transaction; the names of what ran.

    Raises MigrationError when the database is ahead of this program, or was migrated by files that differ from these.
    """
    with connection.transaction():
        connection.execute(LOCK)
        connection.execute(CREATE_RECORD)
        done = applied(connection)
        known = migrations()
        _check(done, known)
        ran = []
        for migration in known:
            if migration.number in done or (upto is not None and migration.number > upto):
                continue
            connection.execute(migration.sql)
            connection.execute(RECORD, [migration.number, migration.name, migration.digest])
            ran.append(migration.name)
        return ran


def _check(done: dict[int, tuple[str, str]], known: list[Migration]) -> None:
    by_number = {migration.number: migration for migration in known}
    for number, (name, digest) in done.items():
        migration = by_number.get(number)
        if migration is None:
            raise MigrationError(
                f"This database was migrated by a newer program (step {name}); start that one, or restore a backup."
            )
        if migration.digest != digest:
            raise MigrationError(
                f"Migration {name} ran on this database with another content than this program's; "
                "start the program version that made the database."
            )


def _read() -> Iterator[Migration]:
    for file in files("ledger.log").joinpath("migrations").iterdir():
        if file.name.endswith(".sql"):
            yield Migration(int(file.name.split("_", 1)[0]), file.name[: -len(".sql")], file.read_text("utf-8"))
