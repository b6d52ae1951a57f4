"""The archive: segments of the log in columns, written once, found out when they are not what was written."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any

import ibis
import pyarrow
import pyarrow.parquet
import pytest
from psycopg import sql
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

from ledger.log import documents
from ledger.log.application import Ledger
from projections.recipes import Recipe
from replays.archive.columns import COLUMNS, current
from replays.archive.loading import Archived
from replays.archive.manifest import MANIFEST, ArchiveDamaged
from replays.archive.reading import Archive, BeyondArchive, NoArchive, OtherArchive
from replays.archive.storage import PARTIAL, Storage
from replays.archive.writing import ArchiveRunning, LogBroken, write
from replays.engine import Replay
from replays.rebuild import rebuild
from tests.projections.worlds import World, caught_up, new_ledger, play_company

SEGMENT = 200
PROCESS = Path(__file__).with_name("archiving_process.py")


@pytest.fixture(scope="module")
def played(postgres: str, template: str) -> Iterator[Ledger]:
    """A small company with documents. Tests only read it."""
    with new_ledger(postgres, template) as ledger:
        play_company(ledger, contacts=50, days=60)
        with ledger.database.connect() as connection:
            documents.keep(connection, b"\x00\xff a report", "text/html")
        yield ledger


@pytest.fixture
def archive(played: Ledger, tmp_path: Path) -> Archive:
    """The whole company in segments of 200 positions and a smaller one."""
    write(played, tmp_path / "archive", segment=SEGMENT)
    return Archive.open(tmp_path / "archive")


def entries(ledger: Ledger) -> list[tuple[Any, ...]]:
    with ledger.database.connect() as connection:
        return connection.execute(
            "SELECT position, aggregate, subject, version, type, recorded_by, source, id, voided_position, entry "
            "FROM log.entries ORDER BY position"
        ).fetchall()


def test_a_segment_holds_the_log_in_columns_and_as_stored(played: Ledger, archive: Archive) -> None:
    head = played.head()
    assert (archive.last, archive.manifest.ledger_id) == (head.position, head.ledger_id)
    assert archive.manifest.last_recorded_at == head.last_recorded_at
    assert [one.first for one in archive.segments] == list(range(1, head.position + 1, SEGMENT))
    assert {one.typed for one in archive.segments} == {current()}
    assert Path(archive.uri(archive.segments[0])).name == "000000000001-000000000200.parquet"
    found = pyarrow.concat_tables(pyarrow.parquet.read_table(archive.uri(one)) for one in archive.segments)
    assert {name: str(kind) for name, kind in zip(found.column_names, found.schema.types, strict=True)} == {
        name: {"boolean": "bool"}.get(kind, kind) for name, kind in COLUMNS.items()
    }
    assert found.column_names == list(COLUMNS)
    beside = ("position", "aggregate", "subject", "version", "type", "recorded_by", "source", "id", "voided_position")
    rows = zip(*(found.column(name).to_pylist() for name in (*beside, "entry")), strict=True)
    assert list(rows) == entries(played)


def test_its_typed_columns_are_those_of_a_replay(played: Ledger, archive: Archive, recipe: Recipe) -> None:
    with Replay(recipe) as replay:
        replay.load(played, archive.last)
        files = [archive.uri(one) for one in archive.segments]
        for aggregate, events in recipe.events.items():
            names = ", ".join(f'"{name}"' for name in events.raw.names)
            wanted = replay.connection.execute(f'SELECT {names} FROM "raw_{aggregate}" ORDER BY position').fetchall()
            query = f"SELECT {names} FROM read_parquet(?) WHERE \"aggregate\" = '{aggregate}' ORDER BY position"
            assert replay.connection.execute(query, [files]).fetchall() == wanted


def test_a_second_run_writes_only_what_is_new(postgres: str, template: str, tmp_path: Path) -> None:
    with new_ledger(postgres, template) as ledger:
        world = World(ledger)
        for number in range(10):
            world.tell("customer.registered", f"C-{number}", "2025-03-03 09:00")
        first = write(ledger, tmp_path, segment=4)
        assert (first.first, first.last, first.segments, first.left) == (1, 11, 3, 0)
        before = {path: path.read_bytes() for path in (tmp_path / "segments").iterdir()}
        again = write(ledger, tmp_path, segment=4)
        assert (again.first, again.last, again.segments, again.documents) == (12, 11, 0, 0)
        for number in range(10, 20):
            world.tell("customer.registered", f"C-{number}", "2025-03-03 09:00")
        third = write(ledger, tmp_path, segment=4, whole=True)
        assert (third.first, third.last, third.segments, third.left) == (12, 20, 3, 1)
        archive = Archive.open(tmp_path)
        assert [(one.first, one.last) for one in archive.segments] == [
            (1, 4), (5, 8), (9, 11), (12, 12), (13, 16), (17, 20)
        ]  # fmt: skip
        assert {path: path.read_bytes() for path in before} == before
        assert archive.examine() == []


def test_documents_stand_under_their_digest(played: Ledger, archive: Archive) -> None:
    with played.database.connect() as connection:
        kept = connection.execute("SELECT digest, media_type, kept_at, content FROM log.documents").fetchall()
    assert len(kept) > 2
    assert {
        (one.digest, one.media_type, one.kept_at, archive.storage.read(one.file)) for one in archive.manifest.documents
    } == {*kept}


def test_what_is_wrong_is_named(archive: Archive, tmp_path: Path) -> None:
    first, second, third, *_ = [Path(archive.uri(one)) for one in archive.segments]
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(content)
    second.unlink()
    third.write_bytes(third.read_bytes()[:-1])
    document = tmp_path / "archive" / archive.manifest.documents[0].file
    document.write_bytes(b"another")
    (tmp_path / "archive" / "segments" / "stray.parquet").write_bytes(b"")
    found = {one.file: one.wrong for one in Archive.open(tmp_path / "archive").examine()}
    assert {*found} == {
        f"segments/{first.name}", f"segments/{second.name}", f"segments/{third.name}",
        archive.manifest.documents[0].file, "segments/stray.parquet",
    }  # fmt: skip
    assert "SHA-256" in found[f"segments/{first.name}"]
    assert found[f"segments/{second.name}"] == "is missing"
    assert "bytes" in found[f"segments/{third.name}"]
    with pytest.raises(ArchiveDamaged, match=first.name):
        Archive.open(tmp_path / "archive").verify(upto=1)


def test_overlapping_and_foreign_segments_are_named(
    played: Ledger, archive: Archive, postgres: str, template: str, tmp_path: Path
) -> None:
    one, two, *rest = archive.manifest.segments
    for listed, word in (((one, *rest), "are missing before"), ((one, one, two, *rest), "overlaps")):
        manifest = archive.manifest.model_copy(update={"segments": listed})
        archive.storage.write(MANIFEST, manifest.written())
        with pytest.raises(ArchiveDamaged, match=word):
            Archive.open(archive.storage).verify()
    archive.storage.write(MANIFEST, archive.manifest.written())
    with new_ledger(postgres, template) as other:
        write(other, tmp_path / "other")
        foreign = Archive.open(tmp_path / "other").segments[0]
        with pytest.raises(OtherArchive):
            write(other, archive.storage)
        with pytest.raises(OtherArchive):
            archive.against(other)
    Path(archive.uri(foreign)).write_bytes((tmp_path / "other" / foreign.file).read_bytes())
    archive.storage.write(MANIFEST, archive.manifest.model_copy(update={"segments": (foreign, two, *rest)}).written())
    with pytest.raises(ArchiveDamaged, match="is of another ledger"):
        Archive.open(archive.storage).verify()


def test_an_archive_of_another_course_of_the_log_is_not_gone_on_with(
    postgres: str, template: str, tmp_path: Path
) -> None:
    """As after a database went back to an older backup and other events came."""
    with new_ledger(postgres, template) as ledger:
        World(ledger).tell("customer.registered", "C-1", "2025-03-03 09:00")
        write(ledger, tmp_path)
        _forge(ledger, "DELETE FROM log.entries WHERE position = 2")
        with pytest.raises(OtherArchive, match="the log ends at 1"):
            write(ledger, tmp_path)
        World(ledger).tell("customer.registered", "C-2", "2025-03-03 09:00")
        with pytest.raises(OtherArchive, match="its entry at position 2"):
            write(ledger, tmp_path)


def test_a_gap_in_the_log_is_not_archived(postgres: str, template: str, tmp_path: Path) -> None:
    with new_ledger(postgres, template) as ledger:
        world = World(ledger)
        for number in range(5):
            world.tell("customer.registered", f"C-{number}", "2025-03-03 09:00")
        _forge(ledger, "DELETE FROM log.entries WHERE position = 5")
        with pytest.raises(LogBroken):
            write(ledger, tmp_path, segment=3)
        assert Archive.open(tmp_path).last == 3
        assert not [*tmp_path.rglob(f"*{PARTIAL}")]


def test_one_process_writes_at_a_time(played: Ledger, tmp_path: Path) -> None:
    def meanwhile(*_: Any) -> None:
        with pytest.raises(ArchiveRunning):
            write(played, tmp_path / "two")

    write(played, tmp_path / "one", progress=meanwhile)


def test_segments_without_their_manifest_are_left_alone(played: Ledger, archive: Archive) -> None:
    """They may be another ledger's."""
    folder = Path(archive.place)
    (folder / MANIFEST).unlink()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(ArchiveDamaged, match=r"manifest\.json: is missing"):
        write(played, folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_where_there_is_no_archive(tmp_path: Path) -> None:
    with pytest.raises(NoArchive):
        Archive.open(tmp_path)
    (tmp_path / MANIFEST).write_text('{"format": 2}')
    with pytest.raises(ArchiveDamaged, match="format"):
        Archive.open(tmp_path)


def _forge(ledger: Ledger, statement: str) -> None:
    """What somebody with every right may do to the log."""
    with ledger.database.connect() as connection, connection.transaction():
        for command in ("DISABLE TRIGGER", "ENABLE ALWAYS TRIGGER"):
            connection.execute(sql.SQL("ALTER TABLE log.entries {} append_only").format(sql.SQL(command)))
            if command == "DISABLE TRIGGER":
                connection.execute(statement.encode())


def test_killed_at_any_moment_the_archive_is_valid(played: Ledger, tmp_path: Path) -> None:
    chance = random.Random(20260501)
    head, ends = played.head().position, []
    for _ in range(8):
        command = [sys.executable, str(PROCESS), played.database.conninfo, str(tmp_path), "60"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout is not None
            process.stdout.read(chance.randrange(1, 12))
            time.sleep(chance.uniform(0, 0.05))
            process.kill()
        if not (tmp_path / MANIFEST).exists():
            ends.append(0)
            continue
        archive = Archive.open(tmp_path)
        assert archive.examine() == []
        archive.verify()
        ends.append(archive.last)
    assert ends == sorted(ends)
    assert {0 < end < head for end in ends} >= {True}
    write(played, tmp_path, segment=60)
    archive = Archive.open(tmp_path)
    assert (archive.last, archive.examine()) == (head, [])
    known = {MANIFEST, *(one.file for one in archive.segments), *(one.file for one in archive.manifest.documents)}
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == known


def test_elsewhere_than_on_this_machine(played: Ledger, tmp_path: Path, recipe: Recipe) -> None:
    """A storage that DuckDB cannot open by itself: everything goes through pyarrow."""
    storage = Storage(SubTreeFileSystem(str(tmp_path), LocalFileSystem()), "archive", "test://archive")
    write(played, storage, segment=SEGMENT)
    archive = Archive.open(storage)
    assert (archive.examine(), archive.against(played)) == ([], [])
    assert not archive.storage.local
    assert events(recipe, Archived(archive), archive.last) == events(recipe, played, archive.last)
    assert sorted(path.name for path in (tmp_path / "archive").iterdir()) == ["documents", "manifest.json", "segments"]


def events(recipe: Recipe, source: Ledger | Archived, upto: int) -> list[Any]:
    with Replay(recipe) as replay:
        replay.load(source, upto)
        return [sorted(map(repr, replay.rows(f"raw_{aggregate}"))) for aggregate in recipe.events]


@pytest.mark.parametrize("upto", [1, 200, 333, None])
def test_a_replay_reads_the_same_from_it(played: Ledger, archive: Archive, recipe: Recipe, upto: int | None) -> None:
    wanted = archive.last if upto is None else upto
    assert events(recipe, Archived(archive), wanted) == events(recipe, played, wanted)


def test_what_comes_after_it_is_read_from_the_log(played: Ledger, recipe: Recipe, tmp_path: Path) -> None:
    write(played, tmp_path, segment=250, whole=True)
    archive, head = Archive.open(tmp_path), played.head().position
    assert archive.last < head
    assert events(recipe, Archived(archive, played), head) == events(recipe, played, head)
    with pytest.raises(BeyondArchive, match=f"ends at position {archive.last}"):
        events(recipe, Archived(archive), head)


def test_segments_of_other_definitions_are_typed_again(played: Ledger, archive: Archive, recipe: Recipe) -> None:
    """A program to come has a column more; a segment of this one has it in its entries alone."""
    contacts = replace(
        recipe.events["contact"],
        raw=ibis.schema({**dict(recipe.events["contact"].raw.items()), "text_of_type": "string"}),
        typed="INSERT INTO raw_contact (position, type, text_of_type) "
        "SELECT position, type, json_extract_string(CAST(decode(entry) AS JSON), '$.type') FROM chunk "
        "WHERE \"aggregate\" = 'contact'",
    )
    other = replace(recipe, events={**recipe.events, "contact": contacts})
    with Replay(other) as replay, Replay(recipe) as ours:
        replay.load(Archived(archive), archive.last)
        ours.load(Archived(archive), archive.last)
        (told,) = replay.connection.execute(
            "SELECT count(*), count(*) FILTER (text_of_type = type) FROM raw_contact"
        ).fetchall()
        ((contacts_told,),) = ours.connection.execute("SELECT count(*) FROM raw_contact").fetchall()
        alike = [sorted(each.rows("raw_customer"), key=itemgetter("position")) for each in (replay, ours)]
    assert alike[0] == alike[1]
    assert told == (contacts_told, contacts_told)


def test_a_damaged_archive_is_not_replayed(archive: Archive, recipe: Recipe) -> None:
    last = Path(archive.uri(archive.segments[-1]))
    last.unlink()
    assert sum(map(len, events(recipe, Archived(archive), SEGMENT))) == SEGMENT
    with pytest.raises(ArchiveDamaged, match=last.name):
        events(recipe, Archived(archive), archive.last)


def test_tables_built_from_it_are_the_live_ones(postgres: str, template: str, tmp_path: Path) -> None:
    with new_ledger(postgres, template) as ledger:
        play_company(ledger, contacts=30, days=40)
        caught_up(ledger)
        write(ledger, tmp_path, segment=100, whole=True)
        report = rebuild(ledger, archive=Archive.open(tmp_path))
        assert (report.position, report.compared_at, report.differences) == (
            ledger.head().position, ledger.head().position, [],
        )  # fmt: skip


def test_a_time_is_a_position_in_it_too(played: Ledger, archive: Archive) -> None:
    with played.database.connect() as connection:
        moments = [row[0] for row in connection.execute("SELECT recorded_at FROM log.entries ORDER BY position")]
    for moment in (*random.Random(3).sample(moments, 5), moments[0] - timedelta(days=1), moments[-1]):
        assert archive.position_at(moment) == played.position_at(moment)
    with pytest.raises(BeyondArchive):
        archive.position_at(moments[-1] + timedelta(seconds=1))
