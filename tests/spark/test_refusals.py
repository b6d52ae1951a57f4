"""What Spark is not let do: read a damaged archive, write over something, be reached at a place where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ledger.rulebook.loading import default_text
from replays.archive.manifest import ArchiveDamaged
from replays.archive.reading import Archive
from replays.archive.writing import write
from replays.spark.engine import RAW_EVENTS, Tables
from replays.spark.folders import Folder, FolderTaken, for_arrow, spark_uri
from replays.spark.replaying import worked_out
from tests.projections.worlds import World, new_ledger

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture
def archive(postgres: str, template: str, tmp_path: Path) -> Archive:
    with new_ledger(postgres, template) as ledger:
        world = World(ledger)
        for nth in range(12):
            world.tell("contact.received", f"K-{nth}", "2025-03-03 09:00")
        write(ledger, tmp_path / "archive", segment=5)
    return Archive.open(tmp_path / "archive")


def refused(spark: SparkSession, archive: Archive, out: Path) -> str:
    with pytest.raises(ArchiveDamaged) as found:
        worked_out(spark, archive, default_text(), archive.last, str(out), lambda *_: None)
    assert not [*out.glob("*")]
    return str(found.value)


def test_a_segment_that_was_altered_is_found_by_the_workers(
    spark: SparkSession, archive: Archive, tmp_path: Path
) -> None:
    path = Path(archive.uri(archive.segments[1]))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert f"{path.name}: was altered: its SHA-256 is" in refused(spark, archive, tmp_path / "out here")


def test_a_segment_that_is_missing_is_found(spark: SparkSession, archive: Archive, tmp_path: Path) -> None:
    path = Path(archive.uri(archive.segments[-1]))
    path.unlink()
    assert f"{path.name}: is missing" in refused(spark, archive, tmp_path / "out here")


def test_a_folder_that_holds_something_is_left_alone(spark: SparkSession, archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FolderTaken, match="holds archive already"):
        worked_out(spark, archive, default_text(), archive.last, str(tmp_path), lambda *_: None)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_only_events_up_to_a_position_are_taken_in(spark: SparkSession, archive: Archive, tmp_path: Path) -> None:
    made = Tables(spark, default_text(), Folder(spark, tmp_path / "out here"))
    made.load([archive.uri(one) for one in archive.segments], [], 7)
    assert sorted(row["position"] for row in made.events().collect()) == list(range(1, 8))
    made.drop()
    assert made.folder.names() == []
    assert not (tmp_path / "out here" / RAW_EVENTS).exists()


def test_places_are_named_as_each_library_names_them() -> None:
    assert spark_uri("s3://bucket/a?endpoint_override=minio:9000") == "s3a://bucket/a"
    assert spark_uri("gs://bucket/a") == "gs://bucket/a"
    assert spark_uri("/tmp/with space") == "file:///tmp/with space"
    for place in ("/tmp/with space", "file:///tmp/with space"):
        assert for_arrow(place, "contacts")[1] == "/tmp/with space/contacts"
    assert (
        for_arrow("s3a://bucket/a?region=eu-west-1&endpoint_override=minio:9000", "contacts")[1] == "bucket/a/contacts"
    )
