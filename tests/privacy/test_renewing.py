"""Key-encryption keys that are renewed: data keys are wrapped anew, and what they wrapped is read as before."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Callable

import pytest
from pydantic import SecretStr

from ledger.log.application import Ledger
from ledger.privacy import rotating
from ledger.privacy.wrapping import NoWrappingKey, missing
from ledger.settings import Settings
from tests.privacy.lives import CONTACT, Tell, lives, record, texts


def test_a_new_key_encryption_key_wraps_all_and_the_old_one_opens_nothing(
    ledger: Ledger, settings: Settings, open_ledger: Callable[..., Ledger], tell: Tell
) -> None:
    lives(ledger, tell)
    other = open_ledger(settings)
    assert ledger.wrapping is not None
    old = ledger.wrapping.ring
    with ledger.database.connect() as connection:
        backup = connection.execute("SELECT wrapped, wrapped_by FROM log.data_keys").fetchall()
        alive = rotating.state(connection, ledger.wrapping).alive
        assert rotating.renew(connection, ledger.wrapping) == alive > 0
        state = rotating.state(connection, ledger.wrapping)
    assert (state.alive, state.by_others) == (alive, 0)
    new = ledger.wrapping.ring
    assert new.current != old.current
    assert len(new.keys) == 1
    assert {by for _, by in backup} == {old.current}
    assert texts(other)["ann"] == "Ann Quince", "another process reads the file again"
    record(other, tell("contact.answered", "C1", {"agent_id": "s1", "message": "Dear Ann"}))
    with ledger.database.connect() as connection:
        assert rotating.state(connection, ledger.wrapping).by_others == 0
    for wrapped, by in backup:
        with pytest.raises(NoWrappingKey):
            new.unwrap(bytes(wrapped), by, b"customer:ann/1")


def test_keys_made_while_the_key_encryption_key_is_renewed_again_and_again_can_be_read(
    ledger: Ledger, settings: Settings, open_ledger: Callable[..., Ledger], tell: Tell
) -> None:
    other = open_ledger(settings)
    stop = threading.Event()
    told = 0

    def append() -> None:
        nonlocal told
        while not stop.is_set():
            record(other, tell("contact.received", f"N{told}", CONTACT | {"message": f"number {told}"}))
            told += 1

    thread = threading.Thread(target=append)
    thread.start()

    def renew() -> None:
        assert ledger.wrapping is not None
        with ledger.database.connect() as connection:
            for _ in range(10):
                rotating.renew(connection, ledger.wrapping)

    renewing = [threading.Thread(target=renew) for _ in range(2)]
    for each in renewing:
        each.start()
    for each in renewing:
        each.join()
    stop.set()
    thread.join()
    read = ledger.reveal(ledger.entries(limit=100_000))
    assert [getattr(entry.data, "message", None) for entry in read] == [f"number {n}" for n in range(told)]
    assert ledger.wrapping is not None
    assert len(ledger.wrapping.ring.keys) == 1
    with ledger.database.connect() as connection:
        assert rotating.state(connection, ledger.wrapping).by_others == 0


def test_keys_of_a_setting_are_renewed_step_by_step(
    settings: Settings, open_ledger: Callable[..., Ledger], tell: Tell
) -> None:
    old, new = (b64encode(bytes([number] * 32)).decode() for number in (1, 2))

    def opened(keys: str) -> tuple[Ledger, str | None]:
        given = settings.model_copy(update={"wrapping_key": SecretStr(keys)})
        ledger = open_ledger(given)
        with ledger.database.connect() as connection:
            return ledger, missing(connection, given)

    ledger, without = opened(old)
    lives(ledger, tell)
    assert without is None
    for keys in (f"{old} {new}", f"{new} {old}"):
        ledger, without = opened(keys)
        assert (texts(ledger)["ann"], without) == ("Ann Quince", None)
    assert ledger.wrapping is not None
    with ledger.database.connect() as connection:
        alive = rotating.state(connection, ledger.wrapping).alive
        assert rotating.rewrap(connection, ledger.wrapping) == alive > 0
        assert rotating.rewrap(connection, ledger.wrapping) == 0
        with pytest.raises(NoWrappingKey, match="where it comes from is where new ones are put"):
            rotating.renew(connection, ledger.wrapping)
    ledger, without = opened(new)
    assert (texts(ledger)["ann"], without) == ("Ann Quince", None)
    _, without = opened(old)
    assert without is not None
    assert "is not in LEDGER_WRAPPING_KEY" in without
