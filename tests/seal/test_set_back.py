"""A log that was set back to an older state: nothing is signed that contradicts what is held outside."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import LedgerError
from ledger.log.application import Ledger
from ledger.seal import keys
from ledger.seal.keys import rename, renew, verifiers
from ledger.seal.notes import opened
from ledger.seal.outside import renamings
from ledger.seal.sealing import Sealer
from replays.verifying import Held, verify
from tests.seal.holding import Tell, await_held, await_refused, known, put
from tests.seal.test_sealing import await_size, size_of
from tests.seal.witness import Witness


@pytest.mark.parametrize("place", ["file", "witness that shows", "witness that does not"])
def test_after_a_restore_nothing_is_signed_that_contradicts_what_is_held(
    run: Any, tell: Tell, restore: Any, witness: Witness, tmp_path: Path, place: str
) -> None:
    witness.shows = place != "witness that does not"
    file = tmp_path / "held.checkpoint"
    setting = file.as_uri() if place == "file" else witness.setting
    with run(setting) as ledger:
        known(ledger, witness)
        put(ledger, tell, 40)
        await_held(ledger, lambda now: any(each.size == 40 for each in now.values()))
    put_back = restore()
    with run(setting) as ledger:
        put(ledger, tell, 30, "told once")
        await_held(ledger, lambda now: any(each.size == 70 for each in now.values()))
        good = file.read_text("utf-8") if place == "file" else witness.last[next(iter(witness.logs))][1]
    put_back()
    # it has fewer entries than were signed, then others
    for count in (0, 10, 100):
        with run(setting) as ledger:
            put(ledger, tell, count, "told otherwise")
            cause = await_refused(ledger, "70")
            assert "reqledger seal rename" in cause
            assert ("file://" if place == "file" else witness.name) in cause
            assert (size_of(ledger), ledger.head().position) == (40, 40 + (count and (count + (count > 10) * 10)))
            if place != "witness that does not":
                assert [each.what for each in verify(ledger).findings], "what was found is kept as evidence"
            assert verify(ledger, [Held("kept", good)]).findings
    # the place is gone, and what was found there is not forgotten
    if place != "witness that does not":
        file.unlink(missing_ok=True)
        with run() as ledger:
            await_refused(ledger, "70")
    else:
        witness.instead = lambda *_: (503, "text/plain", b"")
        with run(setting) as ledger:
            await_refused(ledger, "70")
            put(ledger, tell, 1)
            time.sleep(0.3)
            assert size_of(ledger) == 40
            # what it said was said of the log under the name it had
            with ledger.database.connect() as connection:
                rename(connection, ledger.settings, "lost with a disk", "example.com/ledger-of-2027")
            await_size(ledger, ledger.head().position)


def test_a_log_that_lost_only_checkpoints_goes_on(run: Any, tell: Tell, restore: Any, witness: Witness) -> None:
    """A backup may hold entries that were sealed only after it was taken."""
    with run(witness.setting) as ledger:
        known(ledger, witness)
        put(ledger, tell, 5)
        await_held(ledger, lambda now: now["witness"].size == 5)
    with run_unsealed(run) as ledger:
        put(ledger, tell, 300)
    put_back = restore()
    with run(witness.setting) as ledger:
        await_held(ledger, lambda now: now["witness"].size == 305)
    put_back()
    with run(witness.setting) as ledger:
        put(ledger, tell, 5)
        await_held(ledger, lambda now: now["witness"].size == 310 and now["witness"].error is None)
        assert verify(ledger).findings == []


def test_a_log_set_back_under_a_running_server_signs_nothing_more(
    run: Any, tell: Tell, restore: Any, witness: Witness, tmp_path: Path
) -> None:
    witness.shows = False
    file = tmp_path / "held.checkpoint"
    with run() as ledger:
        known(ledger, witness)
        put(ledger, tell, 2)
        await_size(ledger, 2)
    put_back = restore()
    for setting in (file.as_uri(), witness.setting):
        with run(setting) as ledger:
            put(ledger, tell, 2)
            await_held(ledger, lambda now: {each.size for each in now.values()} == {4})
            put_back()
            put_again(ledger, tell, 5)
            await_refused(ledger, "4")
            assert size_of(ledger) == 2
        file.unlink(missing_ok=True)
        put_back()


def test_a_checkpoint_by_a_key_that_was_renewed_after_the_backup(
    run: Any, tell: Tell, restore: Any, tmp_path: Path
) -> None:
    file = tmp_path / "held.checkpoint"
    with run(file.as_uri()) as ledger:
        put(ledger, tell, 2)
        await_held(ledger, lambda now: now["file"].size == 2)
        with ledger.database.connect() as connection:
            place = keys.Place.of(connection, ledger.settings).path
    first, put_back = place.read_text(), restore()
    with run(file.as_uri()) as ledger:
        with ledger.database.connect() as connection:
            renew(connection, ledger.settings)
        put(ledger, tell, 2)
        await_held(ledger, lambda now: now["file"].size == 4)
    put_back()
    place.write_text(first)
    with run(file.as_uri()) as ledger:
        put(ledger, tell, 5)
        await_refused(ledger, "by a key that this database does not know")
        assert size_of(ledger) == 2
        # a claim counts as long as it is made
        file.unlink()
        await_size(ledger, 7)


def test_a_log_goes_on_under_another_name_and_says_so(
    run: Any, tell: Tell, restore: Any, witness: Witness, tmp_path: Path
) -> None:
    file = tmp_path / "held.checkpoint"
    with run(file.as_uri(), witness.setting) as ledger:
        known(ledger, witness)
        put(ledger, tell, 4)
        await_held(ledger, lambda now: {each.size for each in now.values()} == {4})
    put_back = restore()
    with run(file.as_uri(), witness.setting) as ledger:
        put(ledger, tell, 4)
        await_held(ledger, lambda now: {each.size for each in now.values()} == {8})
    lost = file.read_text("utf-8")
    put_back()
    with run(file.as_uri(), witness.setting) as ledger:
        put(ledger, tell, 1)
        await_refused(ledger, "was set back")
        with ledger.database.connect() as connection:
            former = verifiers(connection)[-1]
            made = rename(connection, ledger.settings, "the disk of 2026-11-20 is lost")
            assert made.name == f"{former.name}/2"
        # the running server takes the new key by itself
        await_size(ledger, 5)
        await_held(ledger, lambda now: now["file"].size == 5)
        await_held(ledger, lambda now: "does not know this log" in (now["witness"].error or ""))
        witness.knows(made.verifier)
        put(ledger, tell, 1)
        await_held(ledger, lambda now: now["witness"].size == 6)
        report = verify(ledger)
        assert report.findings == []
        assert report.renamed
        assert "the disk of 2026-11-20 is lost" in report.renamed[0]
        with ledger.database.connect() as connection:
            (told,) = renamings(connection)
            assert (told.origin, told.former, told.size) == (made.name, former.name, 4)
        # whoever kept what was lost still shows it
        assert [each.what for each in verify(ledger, [Held("kept", lost)]).findings]
    assert opened(file.read_text("utf-8"), [made.verifier]).size == 6
    (aside,) = tmp_path.glob("held.checkpoint.*")
    assert aside.read_text("utf-8") == lost
    with run(file.as_uri(), witness.setting) as ledger:
        put(ledger, tell, 1)
        await_size(ledger, 7)


def put_again(ledger: Ledger, tell: Tell, count: int) -> None:
    """Append once the database answers again."""
    until = time.monotonic() + 20
    while True:
        try:
            put(ledger, tell, count, "told otherwise")
            return
        except (AssertionError, LedgerError):
            assert time.monotonic() < until
            time.sleep(0.1)


@contextmanager
def run_unsealed(run: Any) -> Iterator[Ledger]:
    """A ledger that takes events while nothing seals."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sealer, "start", lambda _: None)
        with run() as ledger:
            yield ledger
