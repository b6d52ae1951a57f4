"""Sealing a log: what is signed, what is proven, and what is refused."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from ledger.log.application import Ledger
from ledger.seal import keys
from ledger.seal.keys import NoSealKey, renew, signer, verifiers
from ledger.seal.notes import Checkpoint, Signer, opened
from ledger.seal.sealing import Contradiction, Sealer, seal, status
from ledger.seal.tiles import Tree, last_signed, signed_of
from ledger.seal.tree import extends, includes, leaf_hash
from ledger.settings import Settings
from tests.seal.plain_tree import mth, path, proof

Append = Callable[[int], None]
Sealed = Callable[..., Checkpoint]
SIZES = "SELECT size FROM log.checkpoints ORDER BY size"


def entries(ledger: Ledger) -> list[bytes]:
    with ledger.pool.connection() as connection:
        rows = connection.execute("SELECT entry FROM log.entries ORDER BY position").fetchall()
    return [bytes(entry) for (entry,) in rows]


def test_every_checkpoint_is_the_root_of_the_log_as_it_stood(
    ledger: Ledger, connection: Connection[Any], sealed: Sealed
) -> None:
    sealed(1, 2, 252, 1, 1, 300, 211)
    stored = entries(ledger)
    sizes = [size for (size,) in connection.execute(SIZES)]
    assert sizes == [1, 3, 255, 256, 257, 557, 768]
    for size in sizes:
        signed = signed_of(connection, size)
        assert signed is not None
        assert opened(signed.note, verifiers(connection)).root == signed.root == mth(stored[:size])
        assert Tree(connection, size).root() == signed.root
    tiles = connection.execute("SELECT level, number FROM log.tiles ORDER BY 1, 2").fetchall()
    assert tiles == [(0, 0), (0, 1), (0, 2)]


def test_every_entry_and_every_older_tree_is_proven(
    ledger: Ledger, connection: Connection[Any], sealed: Sealed
) -> None:
    newest = sealed(200, 350, 150)
    stored = entries(ledger)
    tree = Tree(connection, newest.size)
    for index in (0, 1, 199, 255, 256, 511, 512, 699):
        hashes = tree.inclusion(index)
        assert hashes == path(index, stored)
        assert includes(leaf_hash(stored[index]), index, newest.size, hashes, newest.root)
    for old in (1, 200, 255, 256, 257, 512, 550, 700):
        hashes = tree.consistency(old)
        assert hashes == proof(old, stored)
        assert extends(old, mth(stored[:old]), newest.size, newest.root, hashes)


def test_a_long_log_is_sealed_in_steps(
    connection: Connection[Any], append: Append, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.seal.sealing.MOST", 100)
    append(330)
    key = signer(connection, ledger.settings)
    sizes = [made.size for made in iter(lambda: seal(connection, key), None)]
    assert sizes == [100, 200, 300, 330]


def test_a_sealer_seals_within_a_second_and_what_is_left_when_it_stops(ledger: Ledger, append: Append) -> None:
    with ledger.waker() as waker:
        sealer = Sealer(ledger.database, waker)
        sealer.start()
        append(1)
        await_size(ledger, 1)
        began = time.monotonic()
        append(3)
        await_size(ledger, 4)
        assert time.monotonic() - began < 2
        append(2)
        sealer.stop()
        assert size_of(ledger) == 6


def test_several_sealers_make_one_row_of_checkpoints(ledger: Ledger, append: Append) -> None:
    with ledger.waker() as waker:
        sealers = [Sealer(ledger.database, waker) for _ in range(3)]
        for each in sealers:
            each.start()
        for _ in range(5):
            append(20)
            time.sleep(0.1)
        await_size(ledger, 100)
        # the one that seals is gone; another takes over
        for count, each in enumerate(sealers, 1):
            each.stop()
            append(10)
            if count < len(sealers):
                await_size(ledger, 100 + 10 * count)
    stored = entries(ledger)
    with ledger.database.connect() as connection:
        for size, root in connection.execute("SELECT size, root FROM log.checkpoints"):
            assert root == mth(stored[:size])


def test_what_contradicts_the_last_checkpoint_is_not_signed(
    ledger: Ledger, connection: Connection[Any], superuser: Connection[Any], append: Append, sealed: Sealed
) -> None:
    made = sealed(300)
    append(10)
    key = signer(connection, ledger.settings)
    altered = "UPDATE log.entries SET entry = set_byte(entry, 3, get_byte(entry, 3) # 1) WHERE position = 290"
    for change, undo, said in (
        (altered, altered, "no longer have the root"),
        ("UPDATE log.entries SET position = -5 WHERE position = 299", "", "missing in the log"),
        ("UPDATE log.tiles SET root = decode(repeat('00', 32), 'hex')", "", "no longer have the root"),
        ("DELETE FROM log.tiles", "", "are gone"),
        ("UPDATE log.checkpoints SET root = decode(repeat('00', 32), 'hex')", "", "not what its note says"),
        ("UPDATE log.checkpoints SET size = 311", "", "missing in the log"),
        ("UPDATE log.checkpoints SET note = replace(note, '300', '301')", "", "not a good one"),
    ):
        superuser.execute("BEGIN")
        superuser.execute(change.replace("-5", "5000").encode())
        superuser.execute("COMMIT" if undo else "SELECT 1")
        if undo:
            with pytest.raises(Contradiction, match=said):
                seal(connection, key)
            superuser.execute(undo.encode())
            continue
        with pytest.raises(Contradiction, match=said):
            seal(superuser, key)
        superuser.execute("ROLLBACK")
    assert last_signed(connection) == signed_of(connection, made.size)
    good = seal(connection, key)
    assert good is not None
    assert good.size == 310


def test_a_sealer_that_cannot_go_on_says_so_and_goes_on_when_it_can(
    ledger: Ledger, superuser: Connection[Any], append: Append, sealed: Sealed
) -> None:
    sealed(5)
    altered = "UPDATE log.entries SET entry = set_byte(entry, 3, get_byte(entry, 3) # 1) WHERE position = 2"
    superuser.execute(altered)
    append(1)
    with ledger.waker() as waker:
        sealer = Sealer(ledger.database, waker)
        sealer.start()
        await_state(ledger, lambda now: now.halted_by is not None and "no longer have the root" in now.halted_by)
        assert size_of(ledger) == 5
        superuser.execute(altered)
        await_state(ledger, lambda now: now.halted_by is None and now.size == 6)
        sealer.stop()


def test_tiles_that_a_killed_sealer_left_are_taken_and_wrong_ones_refused(
    ledger: Ledger, connection: Connection[Any], superuser: Connection[Any], append: Append, sealed: Sealed
) -> None:
    sealed(1)
    append(600)
    key = signer(connection, ledger.settings)
    superuser.execute("ALTER TABLE log.checkpoints ADD CONSTRAINT killed CHECK (size < 2) NOT VALID")
    with pytest.raises(Exception, match="killed"):
        seal(connection, key)
    assert size_of(ledger) == 1
    superuser.execute("ALTER TABLE log.checkpoints DROP CONSTRAINT killed")
    assert connection.execute("SELECT count(*) FROM log.tiles").fetchone() == (2,)
    superuser.execute("CREATE TABLE kept AS SELECT * FROM log.tiles")
    superuser.execute("UPDATE log.tiles SET hashes = set_byte(hashes, 9, get_byte(hashes, 9) # 1) WHERE number = 1")
    with pytest.raises(Contradiction, match="Tile 1 of level 0"):
        seal(connection, key)
    superuser.execute("UPDATE log.tiles SET hashes = kept.hashes FROM kept WHERE kept.number = tiles.number")
    made = seal(connection, key)
    assert made is not None
    assert made.root == mth(entries(ledger))


def test_the_key_is_made_once_and_only_its_owner_reads_it(ledger: Ledger, settings: Settings) -> None:
    made = []

    def make() -> None:
        with ledger.database.connect() as connection:
            made.append(signer(connection, settings))

    threads = [threading.Thread(target=make) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len({each.secret for each in made}) == 1
    assert made[0].name == f"requirements-ledger/{ledger.head().ledger_id}"
    file = key_file(ledger)
    assert Signer.read(file.read_text()) == made[0]
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    with ledger.database.connect() as connection:
        assert verifiers(connection) == [made[0].verifier]
        assert keys.missing(connection, settings) is None


def test_without_its_key_nothing_is_sealed(ledger: Ledger, settings: Settings, append: Append, tmp_path: Path) -> None:
    with ledger.database.connect() as connection:
        held = signer(connection, settings)
        elsewhere = settings.model_copy(update={"home": tmp_path / "elsewhere"})
        with pytest.raises(NoSealKey, match="There is no seal key in"):
            signer(connection, elsewhere)
        assert not (tmp_path / "elsewhere").exists()
        assert "There is no seal key" in (keys.missing(connection, elsewhere) or "")
        file = tmp_path / "another.key"
        file.write_text(Signer.make(held.name).secret)
        with pytest.raises(NoSealKey, match="put that one there"):
            signer(connection, settings.model_copy(update={"seal_key_file": file}))
        file.write_text("nonsense")
        with pytest.raises(NoSealKey, match="cannot be read"):
            signer(connection, settings.model_copy(update={"seal_key_file": file}))
        named = Settings(database_url=settings.database_url, home=tmp_path / "elsewhere", seal_key=held.secret)
        assert signer(connection, named) == held
        assert held.secret not in repr(named)


def test_a_key_of_another_ledger_is_not_taken(ledger: Ledger, settings: Settings) -> None:
    key_file(ledger).write_text(Signer.make("example.com/other").secret)
    with ledger.database.connect() as connection:
        with pytest.raises(NoSealKey, match=r"belongs to example\.com/other"):
            signer(connection, settings)
        named = settings.model_copy(update={"seal_origin": "example.com/other"})
        assert signer(connection, named).name == "example.com/other"


def test_a_renewed_key_goes_on_where_the_old_one_ended(
    ledger: Ledger, settings: Settings, connection: Connection[Any], append: Append, sealed: Sealed
) -> None:
    sealed(3)
    old = signer(connection, settings)
    new = renew(connection, settings)
    assert new.name == old.name
    assert signer(connection, settings) == new
    assert verifiers(connection) == [old.verifier, new.verifier]
    assert Signer.read(Path(f"{key_file(ledger)}.{old.verifier.key_id.hex()}").read_text()) == old
    made = sealed(2)
    newest = last_signed(connection)
    assert newest is not None
    assert opened(newest.note, [new.verifier]) == made
    with_secret = settings.model_copy(update={"seal_key": Settings(seal_key=new.secret).seal_key})
    with pytest.raises(NoSealKey, match="LEDGER_SEAL_KEY holds the key"):
        renew(connection, with_secret)


def test_a_running_sealer_takes_a_renewed_key(ledger: Ledger, settings: Settings, append: Append) -> None:
    with ledger.waker() as waker:
        sealer = Sealer(ledger.database, waker)
        sealer.start()
        append(1)
        await_size(ledger, 1)
        with ledger.database.connect() as connection:
            new = renew(connection, settings)
        append(1)
        await_size(ledger, 2)
        sealer.stop()
    with ledger.database.connect() as connection:
        newest = last_signed(connection)
        assert newest is not None
        assert opened(newest.note, [new.verifier]).size == 2


def key_file(ledger: Ledger) -> Path:
    return ledger.settings.home / keys.FILE.format(ledger_id=ledger.head().ledger_id)


def size_of(ledger: Ledger) -> int:
    with ledger.database.reading() as connection:
        return status(connection).size


def await_size(ledger: Ledger, size: int) -> None:
    await_state(ledger, lambda now: now.size >= size)


def await_state(ledger: Ledger, reached: Callable[[Any], bool]) -> None:
    until = time.monotonic() + 20
    while True:
        with ledger.database.reading() as connection:
            now = status(connection)
        if reached(now):
            return
        assert time.monotonic() < until, now
        time.sleep(0.02)
