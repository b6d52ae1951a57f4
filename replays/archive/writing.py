"""Writing an archive: what the log has and the archive has not, segment by segment, the manifest after each.

The documents that events name are written before the segments whose entries may name them. A process that ends in the
middle leaves the archive with the segments written so far.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow
from adbc_driver_postgresql import dbapi as adbc
from psycopg import Connection, sql

from ledger.errors import LedgerError
from ledger.log import documents
from ledger.log.application import Ledger
from ledger.log.reading import Head
from replays.archive.columns import current, segment_query
from replays.archive.keys import archive_keys
from replays.archive.manifest import (
    DOCUMENTS,
    KEYS,
    MANIFEST,
    SEGMENTS,
    ArchiveDamaged,
    Finding,
    KeptDocument,
    Manifest,
    Segment,
)
from replays.archive.manifest import file_of as segment_file
from replays.archive.reading import LEDGER, Archive, NoArchive, Progress
from replays.archive.storage import Storage
from replays.engine import Engine

SEGMENT: Final = 1_000_000
"""Positions in a whole segment."""
ROW_GROUP: Final = 122_880
MEMORY_MB: Final = 1_000
ENTRIES: Final = (
    "SELECT position, aggregate, subject, version::bigint AS version, type, "
    "(extract(epoch FROM occurred_at)::numeric * 1000000)::bigint AS occurred_at, "
    "(extract(epoch FROM recorded_at)::numeric * 1000000)::bigint AS recorded_at, recorded_by, source, id, entry "
    "FROM log.entries WHERE position >= {first} AND position <= {last} ORDER BY position"
)
FILL: Final = (
    "COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {rows}, "
    "KV_METADATA {{'{key}': '{ledger}'}})"
)
RECORDED: Final = "SELECT recorded_at FROM log.entries WHERE position = %s"
KEPT: Final = (
    "SELECT digest, media_type, octet_length(content), kept_at FROM log.documents "
    "WHERE NOT digest = ANY(%s) ORDER BY kept_at, digest"
)
LOCK: Final = 7246331902121


class ArchiveRunning(LedgerError):
    """Another process writes this ledger's archive."""

    def __init__(self) -> None:
        super().__init__("another process is writing an archive of this ledger: wait for it to end")


class LogBroken(LedgerError):
    """The log's positions have a gap: the log itself is damaged."""

    def __init__(self, first: int, last: int) -> None:
        super().__init__(
            f"the log does not hold every position from {first} to {last}: entries are missing from the database; "
            "`reqledger doctor` says more. Nothing of them was archived"
        )


@dataclass(frozen=True)
class Written:
    """What was added to an archive: from which position to which (none where `last` < `first`), and in how many files;
    `left` positions at the log's end are left for a later time."""

    place: str
    first: int
    last: int
    segments: int
    documents: int
    bytes: int
    left: int


def write(
    ledger: Ledger,
    place: str | Path | Storage,
    *,
    segment: int = SEGMENT,
    whole: bool = False,
    progress: Progress = lambda *_: None,
) -> Written:
    """Add to the archive in a folder what the log has beyond it, in segments that end at multiples of `segment`.

    The last one is smaller, and the next writing goes on after it; with `whole`, no such one is written. Raises
    OtherArchive, ArchiveDamaged, StorageFailed, ArchiveRunning, LogBroken.
    """
    storage = place if isinstance(place, Storage) else Storage.at(place)
    with _alone(ledger) as connection:
        head = ledger.head()
        manifest = _present(storage, ledger, head)
        _clear(storage, manifest)
        before = manifest
        end = head.position // segment * segment if whole else head.position
        manifest = _documents(connection, storage, manifest, progress)
        with (
            Engine(min(MEMORY_MB, ledger.settings.replay_memory_mb)) as engine,
            adbc.connect(ledger.database.conninfo) as source,
        ):
            engine.connection.execute("SET preserve_insertion_order = true")
            progress("archiving", before.last, end)
            while manifest.last < end:
                first = manifest.last + 1
                last = min(end, (manifest.last // segment + 1) * segment)
                made = _segment(engine, source, storage, manifest, (first, last, end), progress)
                row = connection.execute(RECORDED, [last]).fetchone()
                assert row is not None
                changed = {"segments": (*manifest.segments, made), "last_recorded_at": row[0]}
                manifest = manifest.model_copy(update=changed)
                storage.write(MANIFEST, manifest.written())
        if ledger.encrypted:
            progress("archiving data keys", 0, 1)
            kept = archive_keys(connection, storage)
            if kept != manifest.keys:
                manifest = manifest.model_copy(update={"keys": kept})
                storage.write(MANIFEST, manifest.written())
            # those before held keys that may have been destroyed since
            _clear(storage, manifest)
    added = manifest.segments[len(before.segments) :]
    return Written(
        place=storage.place,
        first=before.last + 1,
        last=manifest.last,
        segments=len(added),
        documents=len(manifest.documents) - len(before.documents),
        bytes=sum(one.bytes for one in added),
        left=head.position - manifest.last,
    )


def _present(storage: Storage, ledger: Ledger, head: Head) -> Manifest:
    """The manifest there is, of an archive of this ledger that the log goes on from; or a new one.

    A new one is written before all else: files without a manifest are never those of a writing that was cut short.
    """
    try:
        archive = Archive.open(storage)
    except NoArchive:
        for name in (*storage.names(SEGMENTS), *storage.names(DOCUMENTS)):
            wrong = f"is missing, and the folder has {name}: put the manifest back, or name an empty folder"
            raise ArchiveDamaged(storage.place, [Finding(MANIFEST, wrong)]) from None
        made = Manifest(
            ledger_id=head.ledger_id,
            simulated=head.simulated,
            encrypted=ledger.encrypted,
            created_at=head.created_at,
        )
        storage.write(MANIFEST, made.written())
        return made
    if gaps := [*archive.manifest.gaps()]:
        raise ArchiveDamaged(storage.place, gaps)
    archive.require(ledger)
    return archive.manifest


def _clear(storage: Storage, manifest: Manifest) -> None:
    """Delete what a process left that ended while it wrote."""
    for folder in ("", SEGMENTS, DOCUMENTS, KEYS):
        storage.clear(folder)
    for name in Archive(storage, manifest).unfinished():
        storage.delete(name)


def _documents(connection: Connection[Any], storage: Storage, manifest: Manifest, progress: Progress) -> Manifest:
    known = [one.digest for one in manifest.documents]
    rows = connection.execute(KEPT, [known]).fetchall()
    added = [KeptDocument(digest=digest, media_type=kind, bytes=size, kept_at=at) for digest, kind, size, at in rows]
    for done, one in enumerate(added):
        progress("archiving documents", done, len(added))
        storage.write(one.file, documents.fetch(connection, one.digest).content)
    if not added:
        return manifest
    manifest = manifest.model_copy(update={"documents": (*manifest.documents, *added)})
    storage.write(MANIFEST, manifest.written())
    return manifest


def _segment(
    engine: Engine, source: Any, storage: Storage, manifest: Manifest, span: tuple[int, int, int], progress: Progress
) -> Segment:
    """Write the entries from one position to another (of those up to a third) as a segment."""
    first, last, end = span
    query = sql.SQL(ENTRIES).format(first=sql.Literal(first), last=sql.Literal(last)).as_string(None)
    file = segment_file(first, last)
    with source.cursor() as cursor:
        cursor.execute(query)
        found = cursor.fetch_record_batch()
        counted = _Counted(first, end, progress)
        engine.connection.register(
            "chunk", pyarrow.RecordBatchReader.from_batches(found.schema, counted.through(found))
        )
        with storage.filling(file) as path:
            engine.connection.execute(
                FILL.format(
                    query=segment_query(),
                    path=str(path).replace("'", "''"),
                    rows=ROW_GROUP,
                    key=LEDGER.decode(),
                    ledger=manifest.ledger_id,
                )
            )
            if counted.next != last + 1:
                raise LogBroken(first, last)
        engine.connection.unregister("chunk")
    digest, length = storage.digest(file)
    return Segment(
        first=first, last=last, rows=last - first + 1, file=file, bytes=length, sha256=digest, typed=current()
    )


class _Counted:
    """Lets entries pass, and counts them: their positions must follow one another from `first` on."""

    def __init__(self, first: int, end: int, progress: Progress) -> None:
        self.next = first
        self._end = end
        self._progress = progress

    def through(self, batches: pyarrow.RecordBatchReader) -> Iterator[pyarrow.RecordBatch]:
        for batch in batches:
            if not batch.num_rows:
                continue
            positions = batch.column(0)
            expected = pyarrow.array(range(self.next, self.next + batch.num_rows), pyarrow.int64())
            if not positions.equals(expected):
                return
            self.next += batch.num_rows
            yield batch
            self._progress("archiving", self.next - 1, self._end)


@contextmanager
def _alone(ledger: Ledger) -> Iterator[Connection[Any]]:
    """A connection that writes archives of this ledger, and no other. Raises ArchiveRunning."""
    with ledger.database.holding(LOCK) as connection:
        if connection is None:
            raise ArchiveRunning
        yield connection
