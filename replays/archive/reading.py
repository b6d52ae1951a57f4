"""An archive, opened: what it holds, whether that is what was written, and its segments for an engine to read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.compute as pc
import pyarrow.dataset
import pyarrow.parquet

from ledger.aggregates.rulebook import RulebookPublished
from ledger.claims import Recorded, decode
from ledger.errors import LedgerError
from ledger.log.application import Ledger
from ledger.rulebook.model import instant_us
from replays.archive.columns import ENTRY
from replays.archive.manifest import (
    DOCUMENTS,
    KEYS,
    MANIFEST,
    SEGMENTS,
    ArchiveDamaged,
    Finding,
    Manifest,
    Segment,
    read_manifest,
)
from replays.archive.storage import PARTIAL, Missing, Storage

Progress = Callable[[str, int, int], None]
LEDGER = b"requirements-ledger"
"""Under this key a segment's Parquet metadata names the ledger."""
BOOKS = "rulebook.published"


class NoArchive(LedgerError):
    """There is no archive in a folder."""

    def __init__(self, place: str) -> None:
        super().__init__(f"there is no archive in {place}: `reqledger archive write` makes one")


class OtherArchive(LedgerError):
    """An archive is of another ledger, or knows of entries that the log does not have."""


class BeyondArchive(LedgerError):
    """A position or time lies beyond an archive's end."""

    def __init__(self, place: str, asked: object, last: int) -> None:
        super().__init__(f"{asked} lies beyond the archive {place}, which ends at position {last}")


class Archive:
    """The archive of one ledger in a folder.

    `segments` are in order of positions, without a gap from 1 to `last`. Before their rows are used, `verify` them.
    """

    def __init__(self, storage: Storage, manifest: Manifest) -> None:
        self.storage = storage
        self.manifest = manifest
        self._sound: set[str] = set()

    @classmethod
    def open(cls, place: str | Path | Storage) -> Archive:
        """The archive in a folder or under a URI. Raises NoArchive, ArchiveDamaged (its manifest), StorageFailed."""
        storage = place if isinstance(place, Storage) else Storage.at(place)
        try:
            manifest = read_manifest(storage.place, storage.read(MANIFEST))
        except Missing:
            raise NoArchive(storage.place) from None
        return cls(storage, manifest)

    @property
    def place(self) -> str:
        return self.storage.place

    @property
    def segments(self) -> Sequence[Segment]:
        return self.manifest.segments

    @property
    def last(self) -> int:
        """The last position it holds; 0 where it holds none."""
        return self.manifest.last

    def uri(self, segment: Segment) -> str:
        """A segment's file as other programs name it: a path of this machine, or a URI."""
        return self.storage.uri(segment.file)

    def upto(self, position: int) -> list[Segment]:
        """The segments that hold all positions up to one, and maybe some after it."""
        return [one for one in self.segments if one.first <= position]

    def verify(self, upto: int | None = None, progress: Progress = lambda *_: None) -> None:
        """Raise ArchiveDamaged unless every segment (of positions up to `upto`) is what was written; each is looked at
        once."""
        wanted = list(self.segments) if upto is None else self.upto(upto)
        found = [*self.manifest.gaps(), *self._segments(wanted, progress)]
        if found:
            raise ArchiveDamaged(self.place, found)

    def examine(self, progress: Progress = lambda *_: None) -> list[Finding]:
        """Everything that is wrong with the archive, and every file in its folders that is not of it."""
        found = [*self.manifest.gaps(), *self._segments(self.segments, progress)]
        for done, one in enumerate(self.manifest.documents):
            progress("checking documents", done, len(self.manifest.documents))
            found += self._altered(one.file, one.digest.removeprefix("sha256:"), one.bytes)
        if (keys := self.manifest.keys) is not None:
            found += self._altered(keys.file, keys.sha256, keys.bytes)
        left = {*self.unfinished()}
        known = {*(one.file for one in self.segments), *(one.file for one in self.manifest.documents)}
        for folder in (SEGMENTS, DOCUMENTS):
            for name in self.storage.names(folder):
                if name not in known and name not in left and not name.endswith(PARTIAL):
                    found.append(Finding(name, "stands in the folder, and the manifest does not name it"))
        return found

    def unfinished(self) -> Iterator[str]:
        """Files of a writing that ended before it could name them: segments beyond the last, documents as named,
        data keys that others have replaced."""
        for name in self.storage.names(SEGMENTS):
            first = name.removeprefix(f"{SEGMENTS}/").partition("-")[0]
            if first.isascii() and first.isdigit() and int(first) > self.last:
                yield name
        known = {one.file for one in self.manifest.documents}
        for name in self.storage.names(DOCUMENTS):
            if name not in known and name == f"{DOCUMENTS}/{self.storage.digest(name)[0]}":
                yield name

        for name in self.storage.names(KEYS):
            if self.manifest.keys is None or name != self.manifest.keys.file:
                yield name

    def against(self, ledger: Ledger, segments: Sequence[Segment] | None = None) -> list[Finding]:
        """What the log says otherwise: the last entry of each segment must stand in it, byte for byte.

        Raises OtherArchive where the archive is of another ledger, ArchiveDamaged where a segment cannot be read.
        """
        self.of(ledger)
        found = []
        for one in self.segments if segments is None else segments:
            stored = ledger.entry_bytes(one.last)
            if stored is None:
                found.append(
                    Finding(one.file, f"holds positions to {one.last}; the log ends at {ledger.head().position}")
                )
            elif stored != self.entry(one):
                found.append(Finding(one.file, f"its entry at position {one.last} is not the one in the log"))
        return found

    def of(self, ledger: Ledger) -> None:
        """Raise OtherArchive unless it is an archive of this ledger, whatever it holds."""
        if (there := ledger.head().ledger_id) != self.manifest.ledger_id:
            raise OtherArchive(
                f"the archive {self.place} is of the ledger {self.manifest.ledger_id}, this one is {there}"
            )

    def require(self, ledger: Ledger) -> None:
        """Raise OtherArchive, or ArchiveDamaged, unless the log is the one archived and goes on from there.

        Its last entry tells: it holds its position, its time and its id.
        """
        if differing := self.against(ledger, self.segments[-1:]):
            raise OtherArchive(f"the archive {self.place} and the log differ: {'; '.join(map(str, differing))}")

    def entry(self, segment: Segment) -> bytes:
        """The bytes of the last entry of a segment. Raises ArchiveDamaged where it cannot be read."""
        try:
            with self.storage.open(segment.file) as file:
                content = pyarrow.parquet.ParquetFile(file)
                last = content.read_row_group(content.num_row_groups - 1, columns=[ENTRY])
                found: bytes = last.column(ENTRY)[-1].as_py()
        except (OSError, pyarrow.ArrowException):
            raise ArchiveDamaged(
                self.place, [Finding(segment.file, "is no Parquet file, or not a whole one")]
            ) from None
        except Missing:
            raise ArchiveDamaged(self.place, [Finding(segment.file, "is missing")]) from None
        return found

    def batches(
        self, segments: Sequence[Segment], columns: Sequence[str], where: Any = None
    ) -> Iterator[pyarrow.RecordBatch]:
        """Rows of verified segments, in order of their positions."""
        yield from self.dataset(segments).to_batches(columns=list(columns), filter=where)

    def dataset(self, segments: Sequence[Segment]) -> pyarrow.dataset.Dataset:
        """Verified segments as one relation that engines of Arrow read."""
        paths = [self.storage.path(one.file) for one in segments]
        return pyarrow.dataset.dataset(paths, filesystem=self.storage.files, format="parquet")

    def position_at(self, recorded: datetime) -> int:
        """The last position recorded at or before a moment; 0 when there is none. Raises BeyondArchive."""
        asked = instant_us(recorded)
        last = self.manifest.last_recorded_at
        if last is None or asked > instant_us(last):
            raise BeyondArchive(self.place, recorded.isoformat(), self.last)
        by_then = pc.field("recorded_at") <= asked
        found = 0
        for batch in self.batches(self.segments, ["position"], by_then):
            found = max(found, pc.max(batch.column("position")).as_py() or 0)
        return found

    def books(self) -> list[str]:
        """The rule books published, as YAML, in that order."""
        entries: list[Recorded] = []
        for batch in self.batches(self.segments, [ENTRY], pc.field("type") == BOOKS):
            entries += [decode(entry) for entry in batch.column(ENTRY).to_pylist()]
        return [one.data.book for one in entries if isinstance(one.data, RulebookPublished)]

    def _segments(self, wanted: Sequence[Segment], progress: Progress) -> Iterator[Finding]:
        last = wanted[-1].last if wanted else 0
        for one in wanted:
            progress("checking the archive", one.first - 1, last)
            if one.file in self._sound:
                continue
            found = [*self._altered(one.file, one.sha256, one.bytes)] or [*self._foreign(one)]
            if not found:
                self._sound.add(one.file)
            yield from found
        progress("checking the archive", last, last)

    def _altered(self, file: str, sha256: str, length: int) -> Iterator[Finding]:
        try:
            digest, there = self.storage.digest(file)
        except Missing:
            yield Finding(file, "is missing")
            return
        if there != length:
            yield Finding(file, f"was altered: it has {there} bytes, and was written with {length}")
        elif digest != sha256:
            yield Finding(file, f"was altered: its SHA-256 is {digest}, and was {sha256}")

    def _foreign(self, segment: Segment) -> Iterator[Finding]:
        with self.storage.open(segment.file) as file:
            try:
                told = pyarrow.parquet.read_metadata(file)
            except pyarrow.ArrowException:
                yield Finding(segment.file, "is no Parquet file")
                return
        ledger = (told.metadata or {}).get(LEDGER, b"").decode(errors="replace")
        if ledger != str(self.manifest.ledger_id):
            yield Finding(segment.file, f"is of another ledger ({ledger or 'none is named'})")
        names = [told.schema.column(nth).name for nth in range(told.num_columns)]
        if missing := [name for name in ("position", ENTRY) if name not in names]:
            yield Finding(segment.file, f"has no column {' and no column '.join(missing)}")
        elif (told.num_rows, *_range(told, names.index("position"))) != (segment.rows, segment.first, segment.last):
            yield Finding(segment.file, f"does not hold positions {segment.first} to {segment.last}")


def _range(told: pyarrow.parquet.FileMetaData, column: int) -> tuple[int | None, int | None]:
    """The least and greatest value of a column, as the file's own statistics have it."""
    parts = [told.row_group(nth).column(column).statistics for nth in range(told.num_row_groups)]
    if not parts or any(part is None or not part.has_min_max for part in parts):
        return None, None
    return min(part.min for part in parts), max(part.max for part in parts)
