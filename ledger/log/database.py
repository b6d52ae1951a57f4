"""The database behind a ledger: where it is, whether it can be trusted with events, and connections to it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import Connection
from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool

from ledger.errors import DatabaseUnfit, Unavailable
from ledger.log.embedded import EmbeddedServer, embedded_server, release
from ledger.settings import Settings

LEAST_SERVER_VERSION = 150000
STATE = """
SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), current_setting('fsync'),
       current_setting('full_page_writes'), current_setting('synchronous_commit'), pg_is_in_recovery()
"""


class Database:
    """A PostgreSQL database, embedded or named by settings, checked for what the ledger's promises rest on.

    `pool` gives connections for reading (tuple rows, no autocommit, UTC). Close it when done.
    """

    def __init__(self, conninfo: str, settings: Settings, server: EmbeddedServer | None = None) -> None:
        self.conninfo = make_conninfo(conninfo, application_name="reqledger")
        self.settings = settings
        self._server = server
        with self.connect() as connection:
            check(connection)
        self.pool: ConnectionPool[Connection[Any]] = ConnectionPool(
            self.conninfo,
            min_size=1,
            max_size=settings.pool_connections,
            timeout=settings.pool_timeout_seconds,
            configure=_utc,
            check=ConnectionPool.check_connection,
            name="ledger-readers",
            open=True,
        )

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """The database `settings` name, or the embedded one under the home, started if need be.

        Raises EmbeddedServerError, Unavailable (nobody answers) or DatabaseUnfit.
        """
        if settings.database_url is not None:
            return cls(settings.database_url.get_secret_value(), settings)
        server = embedded_server(settings.home)
        try:
            return cls(server.conninfo, settings, server)
        except BaseException:
            release(server)
            raise

    def connect(self, **options: Any) -> Connection[Any]:
        """A connection of its own, outside the pool. Raises Unavailable when nobody answers."""
        try:
            connection = psycopg.connect(self.conninfo, autocommit=True, connect_timeout=10, **options)
        except psycopg.OperationalError as error:
            raise Unavailable(f"The database does not answer: {str(error).strip()}") from error
        _utc(connection)
        return connection

    @contextmanager
    def holding(self, lock: int) -> Iterator[Connection[Any] | None]:
        """A connection of its own that holds an advisory lock until the end; None where another session holds it."""
        with self.connect() as connection:
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", [lock]).fetchone()
            if row is None or not row[0]:
                yield None
                return
            try:
                yield connection
            finally:
                # closing is noticed some time later, and the next may ask before
                if not connection.closed:
                    connection.execute("SELECT pg_advisory_unlock(%s)", [lock])

    @contextmanager
    def reading(self) -> Iterator[Connection[Any]]:
        """A connection of the pool for one transaction. Raises Unavailable when the database does not answer."""
        try:
            with self.pool.connection() as connection:
                yield connection
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise Unavailable(f"The database does not answer: {str(error).strip()}") from error

    def revive(self) -> None:
        """Start the embedded server again if it has died. A named server is somebody else's to start."""
        if self._server is not None:
            self._server.revive()

    def close(self) -> None:
        """Close the connections and leave the embedded server."""
        self.pool.close()
        if self._server is not None:
            release(self._server)
            self._server = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def check(connection: Connection[Any]) -> None:
    """Raise DatabaseUnfit when this server would lose acknowledged events or cannot hold them."""
    row = connection.execute(STATE).fetchone()
    assert row is not None
    version, encoding, fsync, full_pages, commit, standby = row
    if version < LEAST_SERVER_VERSION:
        raise DatabaseUnfit(f"PostgreSQL {version // 10000} is too old: 15 or later is needed.")
    if encoding != "UTF8":
        raise DatabaseUnfit(f"The database's encoding is {encoding}; create one with ENCODING 'UTF8'.")
    if standby:
        raise DatabaseUnfit("The database is a read-only standby; name its primary in LEDGER_DATABASE_URL.")
    off = [
        name
        for name, value in (("fsync", fsync), ("full_page_writes", full_pages), ("synchronous_commit", commit))
        if value == "off"
    ]
    if off:
        raise DatabaseUnfit(
            f"{' and '.join(off)} {'is' if len(off) == 1 else 'are'} off: acknowledged events could be lost. "
            "Switch on in postgresql.conf (or ALTER ROLE/DATABASE … RESET) and start again."
        )


def _utc(connection: Connection[Any]) -> None:
    connection.execute("SET TIME ZONE 'UTC'")
    if not connection.autocommit:
        connection.commit()


def text_array(values: Sequence[str]) -> str:
    """Texts as a literal of PostgreSQL's `text[]`: psycopg's own way takes ten times as long."""
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return '{"' + '","'.join(quoted) + '"}' if values else "{}"


def by_first(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Pairs as two literals of `text[]`: the first halves, each once, and for each a literal of its second halves.

    Many values beside one are looked up in one walk of an index, four times as fast as pair by pair.
    """
    seconds: dict[str, list[str]] = {}
    for first, second in pairs:
        seconds.setdefault(first, []).append(second)
    return [text_array(list(seconds)), text_array([text_array(each) for each in seconds.values()])]
