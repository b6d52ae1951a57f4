"""Restoring: the log of an archive into an empty database, byte for byte, all of it or nothing.

Everything beside an entry's bytes is derived from them by the code that the append has. API keys are in no archive.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection

from ledger.claims import decode
from ledger.errors import Invalid, LedgerError
from ledger.log.application import Ledger
from ledger.log.database import Database
from ledger.log.documents import digest_of
from ledger.log.persistence import StoredEntry, copy_entries, entry_of
from ledger.settings import Settings
from replays.archive.columns import ENTRY
from replays.archive.keys import restore_keys
from replays.archive.manifest import ArchiveDamaged, Finding, Segment
from replays.archive.reading import Archive, Progress

BATCH: Final = 20_000
"""Entries put into the database at a time."""
FOUND: Final = "SELECT ledger_id, (SELECT count(*) FROM log.entries) FROM log.ledger"
# held until the commit: a process that opens the ledger meanwhile waits, and finds this one
LEDGER: Final = """
INSERT INTO log.ledger (ledger_id, simulated, encrypted, created_at) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
DOCUMENT: Final = """
INSERT INTO log.documents (digest, media_type, content, kept_at) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
ANALYZE: Final = "ANALYZE log.entries, log.names, log.documents, log.data_keys"


class NotEmpty(LedgerError):
    """The database to restore into has a ledger already."""

    def __init__(self, ledger_id: object, entries: int) -> None:
        super().__init__(
            f"this database has a ledger already ({ledger_id}, {entries:,} entries): restore into an empty database, "
            "named by LEDGER_DATABASE_URL, or an empty LEDGER_HOME"
        )


@dataclass(frozen=True)
class Restored:
    """The ledger restored, the last position of its log, and how many documents it has."""

    ledger_id: str
    last: int
    documents: int


def restore(archive: Archive, settings: Settings, progress: Progress = lambda *_: None) -> Restored:
    """Put an archive's ledger into the database `settings` name: entries, what they name, documents, data keys.

    Another process sees nothing of it before it is complete; interrupted, it leaves no ledger and can be started again.
    Tables are built when the ledger is opened next (`replays.founding.found`). Raises NotEmpty, ArchiveDamaged before
    anything is written, StorageFailed.
    """
    Ledger.prepare(settings)
    with Database.open(settings) as database, database.connect() as connection:
        _empty(connection)
        if wrong := archive.examine(progress):
            raise ArchiveDamaged(archive.place, wrong)
        manifest = archive.manifest
        with connection.transaction():
            made = connection.execute(
                LEDGER, [manifest.ledger_id, manifest.simulated, manifest.encrypted, manifest.created_at]
            )
            if not made.rowcount:
                _empty(connection)
            _documents(connection, archive, progress)
            restore_keys(connection, archive.storage, manifest)
            _entries(connection, archive, progress)
        connection.execute(ANALYZE)
    return Restored(str(manifest.ledger_id), manifest.last, len(manifest.documents))


def _empty(connection: Connection[Any]) -> None:
    row = connection.execute(FOUND).fetchone()
    if row is not None:
        raise NotEmpty(row[0], row[1])


def _documents(connection: Connection[Any], archive: Archive, progress: Progress) -> None:
    for done, one in enumerate(archive.manifest.documents):
        progress("restoring documents", done, len(archive.manifest.documents))
        content = archive.storage.read(one.file)
        if digest_of(content) != one.digest:
            raise ArchiveDamaged(archive.place, [Finding(one.file, "was altered")])
        connection.execute(DOCUMENT, [one.digest, one.media_type, content, one.kept_at])


def _entries(connection: Connection[Any], archive: Archive, progress: Progress) -> None:
    done = 0
    for segment in archive.segments:
        for batch in archive.batches([segment], [ENTRY]):
            contents = batch.column(ENTRY)
            for start in range(0, len(contents), BATCH):
                part = contents.slice(start, BATCH).to_pylist()
                copy_entries(connection, _stored(archive, segment, done + 1, part))
                done += len(part)
                progress("restoring", done, archive.last)


def _stored(archive: Archive, segment: Segment, first: int, contents: list[bytes]) -> Iterator[StoredEntry]:
    for position, content in enumerate(contents, first):
        try:
            recorded = decode(content)
        except Invalid as error:
            wrong = f"the entry at position {position} cannot be read by this program: {error}"
            raise ArchiveDamaged(archive.place, [Finding(segment.file, wrong)]) from None
        if recorded.position != position:
            wrong = f"has the entry of position {recorded.position} at position {position}"
            raise ArchiveDamaged(archive.place, [Finding(segment.file, wrong)])
        yield entry_of(recorded, content)
