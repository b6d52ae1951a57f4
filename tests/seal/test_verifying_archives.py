"""An archive altered by somebody who may write to it, manifest included, is found out by log and checkpoints."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from psycopg import Connection

from ledger.log.application import Ledger
from ledger.seal.notes import Checkpoint
from replays.archive.manifest import MANIFEST
from replays.archive.reading import Archive, OtherArchive
from replays.archive.writing import write
from replays.verifying import verify


@pytest.fixture
def archived(ledger: Ledger, sealed: Callable[..., Checkpoint], tmp_path: Path) -> Path:
    """An archive of 600 entries in two segments, the last 88 in no full tile; checkpoints over 300, 560 and 600."""
    sealed(300, 260, 40)
    folder = tmp_path / "archive"
    write(ledger, str(folder), segment=400)
    return folder


def found(ledger: Ledger, folder: Path) -> list[str]:
    return [str(each) for each in verify(ledger, archive=Archive.open(folder)).findings]


def forge(folder: Path, position: int, **columns: Any) -> None:
    """Exchange values in a segment, and have the manifest name the forged file's digest."""
    manifest = json.loads((folder / MANIFEST).read_text())
    (segment,) = (one for one in manifest["segments"] if one["first"] <= position <= one["last"])
    file = folder / segment["file"]
    table = pyarrow.parquet.read_table(file)
    at = table.column("position").to_pylist().index(position)
    for name, value in columns.items():
        values = table.column(name).to_pylist()
        values[at] = value(values[at])
        place = table.column_names.index(name)
        table = table.set_column(place, table.schema.field(name), pyarrow.array(values, table.schema.field(name).type))
    pyarrow.parquet.write_table(table, file, compression="zstd")
    segment |= {"sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "bytes": file.stat().st_size}
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_an_archive_that_nobody_touched(
    ledger: Ledger, archived: Path, append: Callable[[int], None], tmp_path: Path
) -> None:
    assert found(ledger, archived) == []
    append(50)
    assert found(ledger, archived) == []
    # not even where it goes on beyond the last checkpoint
    write(ledger, str(archived))
    assert found(ledger, archived) == []


def test_a_forged_entry_is_named_by_its_position(ledger: Ledger, archived: Path) -> None:
    forge(archived, 70, entry=lambda entry: entry.replace(b"no. ", b"no, "))
    assert found(ledger, archived) == ["position 70: in the archive, the entry is not the one that was sealed"]


def test_a_forged_entry_among_the_newest_is_named_by_the_checkpoints_around_it(ledger: Ledger, archived: Path) -> None:
    forge(archived, 570, entry=lambda entry: entry.replace(b"no. ", b"no, "))
    (told,) = found(ledger, archived)
    assert told.startswith("position 561: in the archive, not what was sealed: among the positions 561 to 600")


def test_a_forged_entry_beyond_the_last_checkpoint_is_found_by_the_log(
    ledger: Ledger, archived: Path, append: Callable[[int], None]
) -> None:
    append(50)
    write(ledger, str(archived))
    forge(archived, 640, entry=lambda entry: entry.replace(b"no. ", b"no, "))
    (told,) = found(ledger, archived)
    assert "among the positions 601 to 650, an entry is not the one under the log" in told


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("source_kind", "interview", "column source_kind is 'interview', but the entry says 'form'"),
        ("customer_id", None, "column customer_id is None, but the entry says 'C3'"),
        ("subject", "R1", "column subject is 'R1', but the entry says 'R10'"),
        ("recorded_by", "somebody", "column recorded_by is 'somebody', but the entry says 'key'"),
        ("occurred_at", 0, "column occurred_at is 1970-01-01T00:00:00+00:00, but the entry says "),
    ],
)
def test_a_forged_column_is_named(ledger: Ledger, archived: Path, column: str, value: Any, told: str) -> None:
    forge(archived, 11, **{column: lambda _: value})
    (finding,) = found(ledger, archived)
    assert finding.startswith(f"position 11: in the archive, {told}")


def test_bytes_that_are_no_text(ledger: Ledger, archived: Path) -> None:
    forge(archived, 70, entry=lambda _: b"\xff\xfe")
    told = found(ledger, archived)
    assert told[0] == "position 70: in the archive, the entry is not the one that was sealed"
    assert "its entries cannot be read" in told[1]


def test_a_file_other_than_the_manifest_says_is_named(ledger: Ledger, archived: Path) -> None:
    file = archived / Archive.open(archived).segments[0].file
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    (told,) = found(ledger, archived)
    assert "was altered: its SHA-256" in told


def test_an_archive_that_goes_beyond_the_log(ledger: Ledger, archived: Path, superuser: Connection[Any]) -> None:
    superuser.execute("DELETE FROM log.entries WHERE position > 560")
    superuser.execute("DELETE FROM log.checkpoints WHERE size > 560")
    assert "in the archive, positions to 600 are held; the log ends before" in found(ledger, archived)


def test_the_archive_of_another_ledger(ledger: Ledger, archived: Path) -> None:
    manifest = json.loads((archived / MANIFEST).read_text())
    (archived / MANIFEST).write_text(json.dumps(manifest | {"ledger_id": "5c0d6a54-9d0e-4c5b-8f51-2d9a90f0a0a7"}))
    with pytest.raises(OtherArchive):
        verify(ledger, archive=Archive.open(archived))
