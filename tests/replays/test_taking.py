"""All tables of a moment: as Parquet files, or as the answer to a query that can do nothing but read them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from ledger.log.application import Ledger
from ledger.rulebook.loading import default_book
from projections.tables import READABLE
from projections.values import shown
from replays.archive.loading import Archived
from replays.archive.reading import Archive
from replays.archive.writing import write
from replays.as_of import tables_at
from replays.taking import OVERVIEW, BadQuery, FolderTaken, taken, vacant
from tests.projections.worlds import World, at, new_ledger, play_company


@pytest.fixture(scope="module")
def played(postgres: str, template: str) -> Iterator[Ledger]:
    """A small company. Tests only read it."""
    with new_ledger(postgres, template) as ledger:
        play_company(ledger, contacts=40, days=50)
        yield ledger


@pytest.fixture(scope="module")
def archived(played: Ledger, tmp_path_factory: pytest.TempPathFactory) -> Archived:
    folder = tmp_path_factory.mktemp("taking") / "archive"
    write(played, folder, segment=200)
    return Archived(Archive.open(folder))


def _told(kind: str, value: Any) -> Any:
    if value is None or kind not in ("time", "day"):
        return value
    return shown("time", round(value.timestamp() * 1_000_000)) if kind == "time" else value.isoformat()


@pytest.mark.parametrize("position", [300, None])
def test_every_table_is_a_file_and_from_an_archive_the_same(
    played: Ledger, archived: Archived, tmp_path: Path, position: int | None
) -> None:
    with taken(played, as_of=position) as tables:
        told = tables.write(vacant(tmp_path / "log"))
    with taken(archived, as_of=position) as tables:
        assert tables.write(vacant(tmp_path / "archive")) == told
    assert {*told["tables"]} == {*READABLE}
    with tables_at(played, as_of=position) as engine:
        for name, one in told["tables"].items():
            found = pyarrow.parquet.read_table(tmp_path / "log" / one["file"]).to_pylist()
            assert found == pyarrow.parquet.read_table(tmp_path / "archive" / one["file"]).to_pylist()
            assert len(found) == one["rows"]
            wanted = [{n: shown(kind, row[n]) for n, kind in one["columns"].items()} for row in engine.rows(name)]
            rows = [{n: _told(kind, row[n]) for n, kind in one["columns"].items()} for row in found]
            assert sorted(rows, key=repr) == sorted(wanted, key=repr), name
            key = READABLE[name].key
            assert [tuple(row[n] for n in key) for row in rows] == sorted(tuple(row[n] for n in key) for row in rows)
    (book,) = told["rule_books"]
    assert (book["digest"], told["position"]) == (default_book().digest(), position or played.head().position)
    assert json.loads((tmp_path / "log" / OVERVIEW).read_text()) == told


def test_a_taken_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FolderTaken, match=r"mine\.txt"):
        vacant(tmp_path)


def test_a_query_reads_the_tables_of_then(world: World) -> None:
    world.tell("contact.received", "K-1", "2025-03-03 09:00")
    then = world.tell("contact.received", "K-2", "2025-03-04 09:00")
    world.tell("contact.received", "K-3", "2025-03-05 09:00", kind="complaint")
    with taken(world.ledger, as_of=then) as tables:
        answer = tables.query("SELECT kind, count(*) AS n, max(received_at) AS last FROM contacts GROUP BY 1")
        assert answer.read_all().to_pylist() == [{"kind": "inquiry", "n": 2, "last": at("2025-03-04 09:00")}]
    with taken(world.ledger, valid_at=datetime(2025, 3, 3, 12, tzinfo=UTC)) as tables:
        assert tables.query("SELECT contact_id FROM contacts").read_all().to_pylist() == [{"contact_id": "K-1"}]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("SELECT * FROM read_csv('/etc/passwd')", "disabled"),
        ("SELECT * FROM '/etc/passwd'", "disabled|not exist"),
        ("COPY contacts TO '/tmp/out.csv'", "one SELECT"),
        ("ATTACH '/tmp/other.db'", "one SELECT"),
        ("SET enable_external_access = true", "one SELECT"),
        ("INSERT INTO contacts SELECT * FROM contacts", "one SELECT"),
        ("SELECT 1; SELECT 2", "one SELECT"),
        ("SELEKT 1", "cannot be run"),
        ("SELECT nothing FROM contacts", "cannot be run"),
        ("", "one SELECT"),
        ("INSTALL httpfs", "one SELECT"),
        ("SELECT getenv('HOME')", "cannot be run"),
    ],
)
def test_a_query_can_do_nothing_but_read(archived: Archived, one_event: Any, query: str, why: str) -> None:
    with pytest.raises(BadQuery, match=why):
        one_event.query(query).read_all()


@pytest.fixture(scope="module")
def one_event(archived: Archived) -> Iterator[Any]:
    with taken(archived, as_of=1) as tables:
        yield tables
