"""How the `eventsourcing` library stores the ledger: its mapper, recorders and factory, with the ledger's own tables.

The library's recorder numbers events by a sequence, whose numbers are neither gapless nor in commit order. Here the
position is given while the append holds the ledger's lock, and it stands inside the stored bytes; so events are
inserted by the append alone, which hands over its cursor.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import (
    InterfaceError,
    Mapper,
    Notification,
    OperationalError,
    ProgrammingError,
    StoredEvent,
    Tracking,
)
from eventsourcing.postgres import (
    ConnectionPool,
    PostgresApplicationRecorder,
    PostgresDatastore,
    PostgresFactory,
    PostgresTrackingRecorder,
)
from eventsourcing.utils import Environment, EnvType, retry
from psycopg import Connection, Cursor
from psycopg.rows import DictRow, dict_row

from ledger.aggregates.record import RecordVoided
from ledger.claims import Recorded, decode, encode
from ledger.events import CATALOGUE
from ledger.log.waker import CHANNEL
from ledger.vocabulary import Encrypted

CONNINFO = "POSTGRES_CONNINFO"
ENTRY_COLUMNS = {
    "position": "int8",
    "aggregate": "text",
    "subject": "text",
    "version": "int4",
    "type": "text",
    "occurred_at": "timestamptz",
    "recorded_at": "timestamptz",
    "recorded_by": "text",
    "source": "text",
    "id": "text",
    "voided_position": "int8",
    "entry": "bytea",
}
REFERENCES = {
    known.name: tuple((field.refers_to, field.name) for field in known.fields if field.refers_to is not None)
    for known in CATALOGUE.values()
}
COPY_ENTRIES = (
    "COPY log.entries (position, aggregate, subject, version, type, occurred_at, recorded_at, recorded_by, source, id, "
    "voided_position, entry) FROM STDIN (FORMAT BINARY)"
)
INSERT_ENTRIES = """
INSERT INTO log.entries (position, aggregate, subject, version, type, occurred_at, recorded_at, recorded_by, source, id,
                         voided_position, entry)
SELECT * FROM unnest(
    %b::bigint[], %b::text[], %b::text[], %b::integer[], %b::text[], %b::timestamptz[], %b::timestamptz[], %b::text[],
    %b::text[], %b::text[], %b::bigint[], %b::bytea[])
"""
NAME_COLUMNS = {"aggregate": "text", "subject": "text", "position": "int8", "field": "text"}
COPY_NAMES = "COPY log.names (aggregate, subject, position, field) FROM STDIN (FORMAT BINARY)"
INSERT_NAMES = """
INSERT INTO log.names (aggregate, subject, position, field)
SELECT * FROM unnest(%b::text[], %b::text[], %b::bigint[], %b::text[])
"""
STREAM = """
SELECT type, version, entry FROM log.entries
WHERE aggregate = %(aggregate)s AND subject = %(subject)s AND version > %(gt)s AND version <= %(lte)s
ORDER BY version
"""
STREAM_BACKWARDS = STREAM + " DESC LIMIT %(limit)s"
STREAM_FORWARDS = STREAM + " LIMIT %(limit)s"
NOTIFICATIONS = """
SELECT position, aggregate, subject, type, version, entry FROM log.entries
WHERE position >= %(start)s AND position <= %(stop)s AND (%(topics)s::text[] IS NULL OR type = ANY(%(topics)s))
ORDER BY position LIMIT %(limit)s
"""
LAST = "SELECT position FROM log.entries ORDER BY position DESC LIMIT 1"
HIGHEST = 2**31 - 1
FURTHEST = 2**63 - 1


Name = tuple[str, str, int, str]
"""A row of `log.names`: the entity (aggregate, subject) that the entry at a position names, and in which field."""


@dataclass(frozen=True, init=False)
class StoredEntry(StoredEvent):
    """A stored event with all columns of `log.entries` beside the bytes (`state`), and the entities it names."""

    row: tuple[Any, ...]
    names: list[Name]

    def __init__(self, recorded: Recorded, entry: bytes, row: tuple[Any, ...], names: list[Name]) -> None:
        # in one go: a frozen class sets its fields one by one, which takes three times as long
        self.__dict__.update(
            originator_id=recorded.stream,
            originator_version=recorded.version,
            topic=recorded.type,
            state=entry,
            row=row,
            names=names,
        )


class EntryMapper(Mapper[str]):
    """Recorded events ↔ their entry bytes. No transcoder, compressor or cipher stands between."""

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEntry:
        """The entry of a recorded event."""
        return stored_entry(cast(Recorded, domain_event))

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[str]:
        """The recorded event of an entry, read from its bytes alone."""
        return cast(DomainEventProtocol[str], decode(stored_event.state))


class EntryRecorder(PostgresApplicationRecorder):
    """Reads and inserts entries in `log.entries` and what they name in `log.names`."""

    def __init__(self, datastore: PostgresDatastore, *, events_table_name: str = "entries") -> None:
        super().__init__(datastore, events_table_name="entries")
        self.channel_name = CHANNEL

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Insert entries through `connection`, inside the append's transaction; their positions stand in them already.

        `stored_events` may be any iterable of entries, read once. `copy` takes COPY, cheapest by the row, instead of
        INSERT, which takes part in a pipeline.
        """
        connection: Connection[Any] | None = kwargs.get("connection")
        if connection is None:
            raise ProgrammingError("events enter the log through Ledger.append, which decides them first")
        entries = cast(Iterable[StoredEntry], stored_events)
        if kwargs["copy"]:
            copy_entries(connection, entries)
            return None
        names: list[Name] = []
        rows = []
        for entry in entries:
            rows.append(entry.row)
            names.extend(entry.names)
        connection.execute(INSERT_ENTRIES, [list(column) for column in zip(*rows, strict=True)])
        if names:
            connection.execute(INSERT_NAMES, [list(column) for column in zip(*names, strict=True)])
        return None

    @retry((InterfaceError, OperationalError), max_attempts=10, wait=0.2)
    def select_events(
        self,
        originator_id: object,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """The entries of stream `aggregate:subject` with versions in (gt, lte], in order of version."""
        aggregate, _, subject = str(originator_id).partition(":")
        values = {
            "aggregate": aggregate,
            "subject": subject,
            "gt": gt or 0,
            "lte": HIGHEST if lte is None else lte,
            "limit": limit,
        }
        with self.datastore.get_connection() as connection:
            rows = connection.execute(STREAM_BACKWARDS if desc else STREAM_FORWARDS, values).fetchall()
        return [StoredEvent(str(originator_id), row["version"], row["type"], row["entry"]) for row in rows]

    @retry((InterfaceError, OperationalError), max_attempts=10, wait=0.2)
    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """The entries from position `start` to `stop`, of the given types, at most `limit`."""
        values = {
            "start": (start or 0) + (0 if inclusive_of_start or start is None else 1),
            "stop": FURTHEST if stop is None else stop,
            "topics": list(topics) or None,
            "limit": limit,
        }
        with self.datastore.get_connection() as connection:
            rows = connection.execute(NOTIFICATIONS, values).fetchall()
        return [
            Notification(
                f"{row['aggregate']}:{row['subject']}", row["version"], row["type"], row["entry"], row["position"]
            )
            for row in rows
        ]

    @retry((InterfaceError, OperationalError), max_attempts=10, wait=0.2)
    def max_notification_id(self) -> int | None:
        """The last position, None while the log is empty."""
        with self.datastore.get_connection() as connection:
            row = connection.execute(LAST).fetchone()
        return None if row is None else cast(int, row["position"])


class LogTrackingRecorder(PostgresTrackingRecorder):
    """Keeps in `log.tracking` how far each reader of the log has come."""

    def __init__(self, datastore: PostgresDatastore, *, tracking_table_name: str = "tracking", **kwargs: Any) -> None:
        super().__init__(datastore, tracking_table_name="tracking", **kwargs)

    def advance(self, cursor: Cursor[DictRow], tracking: Tracking) -> None:
        """Note how far a reader has come, in the transaction of `cursor`. Raises IntegrityError if it is no news."""
        self._insert_tracking(cursor, tracking)


class LedgerFactory(PostgresFactory):
    """The library's factory, connecting by a whole connection string (with its TLS and other options)."""

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        self.datastore.pool = ConnectionPool(
            self.env.get(CONNINFO) or "",
            connection_class=Connection[DictRow],
            kwargs={"row_factory": dict_row},
            min_size=0,
            max_size=2,
            open=False,
            configure=self.datastore.after_connect_func(),
            check=ConnectionPool.check_connection,
            timeout=10.0,
        )


def stored_entry(recorded: Recorded, concealed: Mapping[str, Encrypted] | None = None) -> StoredEntry:
    """The entry of a recorded event: its bytes, the columns beside them, and what it names.

    `concealed` is what `encode` takes.
    """
    return entry_of(recorded, encode(recorded, concealed))


def entry_of(recorded: Recorded, entry: bytes) -> StoredEntry:
    """The entry that has these bytes, which a recorded event was read from or written to."""
    row = (
        recorded.position,
        recorded.aggregate,
        recorded.subject,
        recorded.version,
        recorded.type,
        recorded.occurred_at,
        recorded.recorded_at,
        recorded.recorded_by,
        recorded.source,
        recorded.id,
        recorded.data.voided_position if isinstance(recorded.data, RecordVoided) else None,
        entry,
    )
    names = [
        (aggregate, subject, recorded.position, field)
        for aggregate, field in REFERENCES[recorded.type]
        if (subject := getattr(recorded.data, field)) is not None
    ]
    return StoredEntry(recorded, entry, row, names)


def copy_entries(connection: Connection[Any], entries: Iterable[StoredEntry]) -> None:
    """Put entries and what they name into their tables, within the caller's transaction."""
    names: list[Name] = []
    with connection.cursor() as cursor:
        with cursor.copy(COPY_ENTRIES) as copy:
            copy.set_types(list(ENTRY_COLUMNS.values()))
            for entry in entries:
                copy.write_row(entry.row)
                names.extend(entry.names)
        with cursor.copy(COPY_NAMES) as copy:
            copy.set_types(list(NAME_COLUMNS.values()))
            for name in names:
                copy.write_row(name)


def environment(conninfo: str) -> dict[str, str]:
    """The library's settings for a ledger: which classes of ours it uses, and where."""
    here = f"{__name__}:"
    return {
        "PERSISTENCE_MODULE": here + LedgerFactory.__name__,
        "MAPPER_TOPIC": here + EntryMapper.__name__,
        "APPLICATION_RECORDER_TOPIC": here + EntryRecorder.__name__,
        "TRACKING_RECORDER_TOPIC": here + LogTrackingRecorder.__name__,
        CONNINFO: conninfo,
        # asked for by the library, unused: the connection string says it all
        "POSTGRES_DBNAME": "",
        "POSTGRES_HOST": "",
        "POSTGRES_USER": "",
        "POSTGRES_PASSWORD": "",
        "POSTGRES_SCHEMA": "log",
        "ORIGINATOR_ID_TYPE": "text",
        # the migrations make the tables
        "CREATE_TABLE": "no",
    }
