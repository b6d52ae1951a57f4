"""An archive's manifest: which ledger it is of, and which segments and documents it is made of.

What the manifest does not name is not part of the archive. It is the file that is written last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ledger.errors import LedgerError, problems

MANIFEST = "manifest.json"
SEGMENTS, DOCUMENTS, KEYS = "segments", "documents", "keys"
SHA256 = r"^[0-9a-f]{64}$"
DIGEST = r"^sha256:[0-9a-f]{64}$"


@dataclass(frozen=True)
class Finding:
    """What is wrong with an archive: the file, and what about it."""

    file: str
    wrong: str

    def __str__(self) -> str:
        return f"{self.file}: {self.wrong}"


class ArchiveDamaged(LedgerError):
    """An archive is not what was written: `findings` names every file that is not, and why."""

    def __init__(self, place: str, findings: list[Finding]) -> None:
        self.findings = findings
        super().__init__(f"the archive {place} is damaged: " + "; ".join(map(str, findings)))


class Segment(BaseModel):
    """The entries from position `first` to `last` in one Parquet file, which never changes.

    bytes, sha256: of the file. typed: the digest of the columns that its entries were typed into, and of how
    (`replays.archive.columns.digest`).
    """

    model_config = ConfigDict(frozen=True)

    first: int = Field(ge=1)
    last: int = Field(ge=1)
    rows: int = Field(ge=1)
    file: str = Field(pattern=r"^segments/[0-9]{12,}-[0-9]{12,}\.parquet$")
    bytes: int = Field(ge=1)
    sha256: str = Field(pattern=SHA256)
    typed: str = Field(pattern=DIGEST)


class KeptDocument(BaseModel):
    """A document that events name by its digest, and when it was first kept."""

    model_config = ConfigDict(frozen=True)

    digest: str = Field(pattern=DIGEST)
    media_type: str
    bytes: int = Field(ge=0)
    kept_at: datetime

    @property
    def file(self) -> str:
        return f"{DOCUMENTS}/{self.digest.removeprefix('sha256:')}"


class KeptKeys(BaseModel):
    """The data keys when the archive was last written, in one Parquet file; `wrapping`: the fingerprints of all
    key-encryption keys the ledger ever had, the last one wraps."""

    model_config = ConfigDict(frozen=True)

    rows: int = Field(ge=0)
    bytes: int = Field(ge=1)
    sha256: str = Field(pattern=SHA256)
    wrapping: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        return f"{KEYS}/{self.sha256}.parquet"


class Manifest(BaseModel):
    """All there is to an archive. `created_at` is the ledger's, `last_recorded_at` that of the last archived entry."""

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    ledger_id: UUID
    simulated: bool
    encrypted: bool = False
    created_at: datetime
    last_recorded_at: datetime | None = None
    segments: tuple[Segment, ...] = ()
    documents: tuple[KeptDocument, ...] = ()
    keys: KeptKeys | None = None

    @property
    def last(self) -> int:
        """The last position archived; 0 where there is none."""
        return self.segments[-1].last if self.segments else 0

    def written(self) -> bytes:
        return self.model_dump_json(indent=1).encode()

    def gaps(self) -> Iterator[Finding]:
        """Segments that do not go on where the one before ended, or do not hold what their name says."""
        end = 0
        for one in self.segments:
            if one.first <= end:
                yield Finding(one.file, f"overlaps with the segment before, which ends at position {end}")
            elif one.first > end + 1:
                yield Finding(one.file, f"positions {end + 1} to {one.first - 1} are missing before it")
            if one.file != file_of(one.first, one.last) or one.rows != one.last - one.first + 1:
                yield Finding(one.file, f"is listed with positions {one.first} to {one.last}, {one.rows} rows")
            end = max(end, one.last)


def file_of(first: int, last: int) -> str:
    """Where the segment of some positions stands."""
    return f"{SEGMENTS}/{first:012}-{last:012}.parquet"


def read_manifest(place: str, content: bytes) -> Manifest:
    """A manifest of its bytes. Raises ArchiveDamaged where it is none, or of a later format than this program's."""
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        wrong = "; ".join(f"{path}: {what}" for path, what in problems(error))
        raise ArchiveDamaged(place, [Finding(MANIFEST, f"is no manifest that this program reads ({wrong})")]) from None
