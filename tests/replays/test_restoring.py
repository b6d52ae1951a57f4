"""Disaster recovery: a ledger out of its archive alone, byte for byte, that goes on where the other one ended."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.claims import claim, stored
from ledger.errors import KeyRefused
from ledger.log import documents
from ledger.log.application import Ledger
from ledger.log.deciding import Appended
from ledger.rulebook.model import instant_us
from ledger.settings import Settings
from projections.kpis import figures
from replays.archive.manifest import MANIFEST, ArchiveDamaged
from replays.archive.reading import Archive
from replays.archive.restoring import NotEmpty, restore
from replays.archive.writing import write
from replays.founding import found
from tests.projections.worlds import World, caught_up, everything, new_ledger, play_company

LOG = (
    "SELECT * FROM log.entries ORDER BY position",
    "SELECT * FROM log.names ORDER BY aggregate, subject, position, field",
    "SELECT * FROM log.documents ORDER BY digest",
    "SELECT * FROM log.ledger",
)


@pytest.fixture(scope="module")
def lost(postgres: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ledger, Archive]]:
    """A company's ledger that is about to be lost, and its archive. Tests only read both."""
    folder = tmp_path_factory.mktemp("lost") / "archive"
    with new_ledger(postgres, template) as ledger:
        play_company(ledger, contacts=50, days=60)
        with ledger.database.connect() as connection:
            documents.keep(connection, bytes(range(256)), "application/octet-stream")
        caught_up(ledger)
        ledger.keys.create("admin", "of the lost one")
        write(ledger, folder, segment=300)
        yield ledger, Archive.open(folder)


def whole_log(ledger: Ledger) -> list[list[tuple[Any, ...]]]:
    with ledger.database.connect() as connection:
        return [connection.execute(query.encode()).fetchall() for query in LOG]


def test_a_restored_ledger_is_the_one_that_was_lost(
    lost: tuple[Ledger, Archive], settings: Settings, open_ledger: Callable[..., Ledger]
) -> None:
    ledger, archive = lost
    told: list[str] = []
    restored = restore(archive, settings, lambda what, *_: told.append(what))
    assert (restored.last, restored.ledger_id) == (ledger.head().position, str(ledger.head().ledger_id))
    assert "restoring" in told
    again = open_ledger(settings)
    assert whole_log(again) == whole_log(ledger)
    assert again.head() == ledger.head()
    assert again.simulated
    # tables come from a replay
    found(again, archive=archive)
    wanted, tables = everything(ledger), everything(again)
    for name in (*wanted,):
        assert _without_nothing(name, tables[name]) == _without_nothing(name, wanted[name]), name
    # keys of the old one are gone
    assert again.keys.list() == []


def test_figures_and_recognised_duplicates_are_the_same(
    lost: tuple[Ledger, Archive], settings: Settings, open_ledger: Callable[..., Ledger]
) -> None:
    ledger, archive = lost
    restore(archive, settings)
    again = open_ledger(settings)
    found(again)
    assert _figures(again) == _figures(ledger)
    entries = ledger.entries(after=1, limit=1_000)
    told = random.Random(4).sample([one for one in entries if one.type == "contact.received"], 5)
    units = [
        [
            claim(
                one.type, one.subject, stored(one.data), source=one.source, id=one.id, actor=one.actor,
                occurred_at=one.occurred_at, recorded_at=one.recorded_at, correlation_id=one.correlation_id,
                causation_id=one.causation_id,
            )
        ]
        for one in told
    ]  # fmt: skip
    for (outcome,), one in zip(again.append(units, "key-2"), told, strict=True):
        assert isinstance(outcome, Appended)
        assert (outcome.position, outcome.duplicate) == (one.position, True)
    new = World(again).tell("customer.registered", "C-new", "2026-01-05 09:00", id="new")
    assert new == ledger.head().position + 1
    caught_up(again)
    assert World(again).row("customers", customer_id="C-new")


def test_an_old_key_does_not_work(
    lost: tuple[Ledger, Archive], settings: Settings, open_ledger: Callable[..., Ledger], tmp_path: Path
) -> None:
    ledger, archive = lost
    _, secret = ledger.keys.create("admin", "old")
    for path in (Path(archive.place)).rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes()
    restore(archive, settings)
    with pytest.raises(KeyRefused):
        open_ledger(settings).keys.check(secret)


def test_a_database_with_a_ledger_is_refused(lost: tuple[Ledger, Archive], ledger: Ledger, settings: Settings) -> None:
    with pytest.raises(NotEmpty, match=str(ledger.head().ledger_id)):
        restore(lost[1], settings)
    assert ledger.head().position == 0


def test_a_damaged_archive_restores_nothing(
    lost: tuple[Ledger, Archive], settings: Settings, tmp_path: Path, open_ledger: Callable[..., Ledger]
) -> None:
    archive = _copy(lost[1], tmp_path / "copy")
    path = Path(archive.uri(archive.segments[-1]))
    path.write_bytes(path.read_bytes().replace(b"PAR1", b"PAR2"))
    with pytest.raises(ArchiveDamaged, match=path.name):
        restore(archive, settings)
    assert Ledger.existing(settings) is None


def test_all_or_nothing(lost: tuple[Ledger, Archive], settings: Settings, open_ledger: Callable[..., Ledger]) -> None:
    class Interrupted(Exception):
        pass

    def interrupt(what: str, done: int, _of: int) -> None:
        if what == "restoring" and done > 500:
            raise Interrupted

    with pytest.raises(Interrupted):
        restore(lost[1], settings, interrupt)
    assert Ledger.existing(settings) is None
    restore(lost[1], settings)
    assert whole_log(open_ledger(settings)) == whole_log(lost[0])


def test_bytes_are_restored_as_they_are_not_as_this_program_would_write_them(
    postgres: str, template: str, settings: Settings, tmp_path: Path, open_ledger: Callable[..., Ledger]
) -> None:
    """An entry that another version wrote: with a blank, and without a default this version has."""
    with new_ledger(postgres, template) as ledger:
        World(ledger).tell("customer.registered", "C-1", "2025-03-03 09:00")
        with ledger.database.connect() as connection, connection.transaction():
            connection.execute("ALTER TABLE log.entries DISABLE TRIGGER append_only")
            connection.execute(
                "UPDATE log.entries SET entry = convert_to(replace(convert_from(entry, 'UTF8'), ',\"type\"', "
                "', \"type\"'), 'UTF8') WHERE position = 2"
            )
            connection.execute("ALTER TABLE log.entries ENABLE ALWAYS TRIGGER append_only")
        write(ledger, tmp_path)
        before = ledger.entry_bytes(2)
        assert before is not None
        assert b', "type"' in before
    restore(Archive.open(tmp_path), settings)
    assert open_ledger(settings).entry_bytes(2) == before


def test_positions_in_a_segment_are_those_of_its_entries(
    lost: tuple[Ledger, Archive], settings: Settings, tmp_path: Path
) -> None:
    """A segment swapped for another, whose name and digest were put into the manifest."""
    archive = _copy(lost[1], tmp_path / "copy")
    one, two, *rest = archive.manifest.segments
    Path(archive.uri(one)).write_bytes(Path(archive.uri(two)).read_bytes())
    swapped = one.model_copy(update={"sha256": two.sha256, "bytes": two.bytes})
    archive.storage.write(MANIFEST, archive.manifest.model_copy(update={"segments": (swapped, two, *rest)}).written())
    with pytest.raises(ArchiveDamaged, match="does not hold positions 1 to 300"):
        restore(Archive.open(archive.place), settings)


def _copy(archive: Archive, to: Path) -> Archive:
    for path in Path(archive.place).rglob("*"):
        if path.is_file():
            target = to / path.relative_to(archive.place)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return Archive.open(to)


def _figures(ledger: Ledger) -> list[Any]:
    with ledger.pool.connection() as connection:
        return figures(connection, (), asked=instant_us(ledger.now())).figures


def _without_nothing(name: str, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """A counter that came back to nothing is as good as none."""
    return [row for row in rows if name != "counters" or row[-2:] != (0, 0)]
