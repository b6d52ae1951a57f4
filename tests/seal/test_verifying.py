"""What a superuser does to a sealed log is found, and named: where, and what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from psycopg import Connection

from ledger.claims import Claim
from ledger.log.application import Ledger
from ledger.seal.keys import signer
from ledger.seal.notes import Checkpoint, Signer
from ledger.seal.tiles import last_signed, signed_of
from replays.verifying import Held, Report, verify

Sealed = Callable[..., Checkpoint]
FLIP = "UPDATE log.entries SET entry = set_byte(entry, {at}, get_byte(entry, {at}) # 1) WHERE position = {position}"
SWAP = """
UPDATE log.entries SET position = 1000 + position WHERE position IN ({one}, {other});
UPDATE log.entries SET position = {one} WHERE position = 1000 + {other};
UPDATE log.entries SET position = {other} WHERE position = 1000 + {one}
"""
SHIFT = """
ALTER TABLE log.entries DROP CONSTRAINT entries_position_check;
UPDATE log.entries SET position = -position WHERE position >= {at};
UPDATE log.entries SET position = 1 - position WHERE position < 0;
INSERT INTO log.entries SELECT {at}, aggregate, 'forged', version, type, occurred_at, recorded_at, recorded_by, source,
    'forged', voided_position, entry FROM log.entries WHERE position = 1
"""


@pytest.fixture
def told(ledger: Ledger, sealed: Sealed) -> Ledger:
    """A log of 600 entries, the last 88 of which are in no full tile, with checkpoints over 300, 560, 580 and 600."""
    sealed(300, 260, 20, 20)
    return ledger


def found(ledger: Ledger, *held: Held) -> dict[int | None, list[str]]:
    report: dict[int | None, list[str]] = {}
    for each in verify(ledger, held).findings:
        report.setdefault(each.position, []).append(each.what)
    return report


def test_a_log_that_nobody_touched(told: Ledger, tell: Callable[..., Claim]) -> None:
    outcomes = told.append(
        [
            [tell("record.voided", "R1", {"voided_position": 2}, reason="a mistake")],
            [tell("requirement.captured", 'R"\\1', {"source_kind": "form", "customer_id": 'C"1\\'}, actor="ann")],
        ],
        "key",
    )
    assert all(isinstance(outcome, list) for outcome in outcomes)
    report = verify(told)
    assert (report.entries, report.sealed, report.checkpoints) == (602, 600, 4)
    assert (report.findings, report.more) == ([], 0)


def test_an_empty_log(ledger: Ledger) -> None:
    report = verify(ledger)
    assert report == Report(seconds=report.seconds)


@pytest.mark.parametrize("position", [1, 255, 256, 257, 512])
def test_a_changed_byte_is_named_by_its_position(told: Ledger, superuser: Connection[Any], position: int) -> None:
    superuser.execute(FLIP.format(at=60, position=position).encode())
    report = found(told)
    assert set(report) == {position}
    assert "the entry is not the one that was sealed" in report[position]


def test_a_changed_byte_in_the_newest_entries_is_named_by_the_checkpoints_around_it(
    told: Ledger, superuser: Connection[Any]
) -> None:
    # the last byte of the statement: no column is made of it
    superuser.execute(
        b"UPDATE log.entries SET entry = convert_to(replace(convert_from(entry, 'UTF8'), 'no. ', 'no, '), 'UTF8') "
        b"WHERE position = 570"
    )
    report = found(told)
    assert set(report) == {561}
    assert "among the positions 561 to 580" in report[561][0]
    assert "the checkpoint of size 580" in report[561][0]


def test_a_deleted_row_is_named(told: Ledger, superuser: Connection[Any]) -> None:
    superuser.execute("DELETE FROM log.entries WHERE position = 77")
    report = found(told)
    assert report.pop(77)[0] == "the entry is missing"
    assert not report


def test_rows_deleted_from_the_end_are_named(told: Ledger, superuser: Connection[Any]) -> None:
    superuser.execute("DELETE FROM log.entries WHERE position > 590")
    report = found(told)
    assert report[591][0] == "the entry is missing (and all up to 600)"
    assert "the checkpoint of size 600" in report[581][0]


def test_two_swapped_rows_are_named(told: Ledger, superuser: Connection[Any]) -> None:
    superuser.execute(SWAP.format(one=10, other=500).encode())
    report = found(told)
    assert set(report) == {10, 500}
    for one, other in ((10, 500), (500, 10)):
        assert "the entry is not the one that was sealed" in report[one]
        assert f"column position is {one}, but the entry says {other}" in report[one]


def test_an_inserted_row_is_named(told: Ledger, superuser: Connection[Any]) -> None:
    superuser.execute(SHIFT.format(at=500).encode())
    report = found(told)
    positions = [position for position in report if position is not None]
    assert min(positions) == 500
    assert "column subject is 'forged', but the entry says 'R0'" in report[500]
    assert "the entry is not the one that was sealed" in report[500]


def test_a_row_where_there_is_no_position(told: Ledger, superuser: Connection[Any]) -> None:
    superuser.execute("ALTER TABLE log.entries DROP CONSTRAINT entries_position_check")
    superuser.execute("UPDATE log.entries SET position = -3 WHERE position = 3")
    report = found(told)
    assert report[3][0] == "the entry is missing"
    assert "a row that does not belong there: the position is taken, or is none" in report[-3]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("subject = 'R-other'", "column subject is 'R-other', but the entry says 'R299'"),
        ("version = 9", "column version is 9, but the entry says 1"),
        ("type = 'contact.received'", "column type is 'contact.received', but the entry says 'requirement.captured'"),
        ("recorded_by = 'nobody'", "column recorded_by is 'nobody', but the entry says 'key'"),
        ("voided_position = 7", "column voided_position is 7, but the entry says None"),
        (
            "occurred_at = occurred_at + interval '1 microsecond'",
            "column occurred_at is 2026-04-01T01:00:00.000001+00:00, but the entry says 2026-04-01T01:00:00+00:00",
        ),
    ],
)
def test_a_changed_column_is_named(told: Ledger, superuser: Connection[Any], change: str, what: str) -> None:
    superuser.execute(f"UPDATE log.entries SET {change} WHERE position = 300".encode())
    assert found(told) == {300: [what]}


def test_the_hashes_alone(told: Ledger, superuser: Connection[Any]) -> None:
    superuser.execute("UPDATE log.entries SET subject = 'R-other' WHERE position = 300")
    superuser.execute(FLIP.format(at=60, position=400).encode())
    assert {each.position for each in verify(told).findings} == {300, 400}
    assert {each.position for each in verify(told, beside=False).findings} == {400}


def test_bytes_that_are_no_entry_at_all(told: Ledger, superuser: Connection[Any]) -> None:
    superuser.execute("UPDATE log.entries SET entry = '\\xff00ff' WHERE position = 5")
    report = found(told)
    assert report == {5: ["the entry is not the one that was sealed", "the bytes are not an entry of this ledger"]}


def test_what_the_trail_lacks_or_invents_is_named(told: Ledger, superuser: Connection[Any]) -> None:
    superuser.execute("UPDATE log.names SET subject = 'C-other' WHERE position = 9")
    assert found(told) == {
        9: [
            "log.names lacks customer C1, which the entry names as its customer_id",
            "log.names has customer C-other as its customer_id, which the entry does not name",
        ]
    }


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (
            "UPDATE log.tiles SET hashes = set_byte(hashes, 99, get_byte(hashes, 99) # 1) WHERE number = 1",
            "tile 1 of level 0: its hashes are not those of its root",
        ),
        (
            "UPDATE log.tiles SET root = set_byte(root, 9, get_byte(root, 9) # 1) WHERE number = 0",
            "tile 0 of level 0: its hashes are not those of the log",
        ),
        ("DELETE FROM log.tiles WHERE number = 1", "tile 1 of level 0 is missing"),
        (
            "UPDATE log.checkpoints SET root = decode(repeat('00', 32), 'hex') WHERE size = 560",
            "the checkpoint of size 560: its row is not what its note says, of size 560",
        ),
        (
            r"UPDATE log.checkpoints SET note = replace(note, E'\n560\n', E'\n561\n') WHERE size = 560",
            "the checkpoint of size 560: the signature of",
        ),
        ("UPDATE log.seal_keys SET verifier = 'x' || verifier", "log.seal_keys: a verifier key's hash"),
    ],
)
def test_what_is_done_to_the_tree_is_named(told: Ledger, superuser: Connection[Any], change: str, what: str) -> None:
    superuser.execute(change.encode())
    assert any(each.startswith(what) for each in found(told)[None])


def test_an_entry_whose_tile_was_made_to_fit_is_named_by_the_checkpoints(
    told: Ledger, superuser: Connection[Any]
) -> None:
    superuser.execute(FLIP.format(at=60, position=400).encode())
    superuser.execute("DELETE FROM log.tiles WHERE number = 1")
    report = found(told)
    assert "among the positions 301 to 560, an entry is not the one" in report[301][0]


def test_a_log_rewritten_and_sealed_again_contradicts_a_checkpoint_held_outside(
    told: Ledger, superuser: Connection[Any], connection: Connection[Any], sealed: Sealed
) -> None:
    kept = signed_of(connection, 580)
    assert kept is not None
    superuser.execute("DELETE FROM log.checkpoints; DELETE FROM log.tiles")
    superuser.execute("DELETE FROM log.names WHERE position > 570; DELETE FROM log.entries WHERE position > 570")
    told.kept.forget_all()
    sealed(60)
    assert not found(told)
    report = found(told, Held("kept.txt", kept.note))
    assert "the checkpoint in kept.txt, of size 580, was signed and is gone from the ledger" in report[None][0]
    assert "not the one under the checkpoint in kept.txt" in report[1][0]


def test_a_checkpoint_rolled_back_is_named_by_one_held_outside(
    told: Ledger, superuser: Connection[Any], connection: Connection[Any]
) -> None:
    newest = last_signed(connection)
    assert newest is not None
    assert not found(told, Held("kept.txt", newest.note))
    superuser.execute("DELETE FROM log.checkpoints WHERE size > 560")
    assert not found(told)
    (what,) = found(told, Held("kept.txt", newest.note))[None]
    assert what.startswith("the checkpoint in kept.txt, of size 600, was signed and is gone from the ledger;")
    superuser.execute("DELETE FROM log.entries WHERE position > 560")
    report = found(told, Held("kept.txt", newest.note))
    assert "the checkpoint in kept.txt was signed over 600 entries, and the log has 560" in report[None]


def test_with_a_key_held_outside_another_key_in_the_database_signs_nothing(
    told: Ledger, superuser: Connection[Any], connection: Connection[Any]
) -> None:
    key = signer(connection, told.settings)
    assert not verify(told, trusted=[key.verifier]).findings
    forger = Signer.make(key.name)
    newest = last_signed(connection)
    assert newest is not None
    superuser.execute("INSERT INTO log.seal_keys (verifier) VALUES (%s)", [forger.verifier.text])
    note = forger.sign(Checkpoint(key.name, newest.size, newest.root).text)
    superuser.execute("UPDATE log.checkpoints SET note = %s WHERE size = %s", [note, newest.size])
    assert not verify(told).findings
    (wrong,) = verify(told, trusted=[key.verifier]).findings
    assert str(wrong).startswith(f"the checkpoint of size {newest.size}: no key of")


def test_a_document_that_is_not_what_it_is_named_after(told: Ledger, superuser: Connection[Any]) -> None:
    superuser.execute(
        "INSERT INTO log.documents (digest, media_type, content) "
        "VALUES ('sha256:' || repeat('0', 64), 'text/plain', 'a')"
    )
    assert "its content is not the one" in found(told)[None][0]


def test_findings_beyond_a_hundred_are_counted(told: Ledger, superuser: Connection[Any]) -> None:
    superuser.execute("UPDATE log.entries SET recorded_by = 'nobody'")
    report = verify(told)
    assert (len(report.findings), report.more) == (100, 500)
