"""One asks, another approves, the keys are gone: what can be read before and after, by whom, and what stays proven."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from ledger.claims import Claim
from ledger.errors import DuplicateMismatch, OtherLedger, Refused, Unavailable
from ledger.log.application import Ledger
from ledger.privacy import erasing
from ledger.privacy.erasing import NotEncrypted
from ledger.privacy.register import RegisterFailed
from ledger.privacy.revealing import KeyMissing
from ledger.privacy.wrapping import NoWrappingKey
from ledger.settings import Settings
from ledger.vocabulary import Encrypted, Erased
from tests.privacy.lives import CONTACT, Tell, lives, record, texts


def erase(ledger: Ledger, customer: str) -> erasing.Erasure:
    erasing.ask(ledger, customer, basis="GDPR Art. 17", request_id="dsr-1", by="asks")
    return erasing.approve(ledger, customer, by="approves")


def test_what_is_kept_is_encrypted_and_read_again(ledger: Ledger, tell: Tell) -> None:
    lives(ledger, tell)
    kept = [ledger.entry_bytes(position) or b"" for position in range(1, 10)]
    assert not any(word in entry for entry in kept for word in (b"Quince", b"speaking", b"red door", b"pressed"))
    assert isinstance(getattr(ledger.entries()[0].data, "name", None), Encrypted)
    assert texts(ledger) == {
        "ann": "Ann Quince", "bob": "Bob Plum", "c1": "Ann speaking", "c2": "it is me, Ann", "c2-who": None,
        "c3": "Bob speaking", "r1": "a red door", "d1": None, "d1-why": "as Ann pressed for it",
    }  # fmt: skip


def test_an_erasure_takes_all_that_is_the_customers_and_nothing_else(ledger: Ledger, tell: Tell) -> None:
    lives(ledger, tell)
    before = [ledger.entry_bytes(position) for position in range(1, 10)]
    done = erase(ledger, "ann")
    assert done.customers == ("ann",)
    assert [ledger.entry_bytes(position) for position in range(1, 10)] == before, "the log stays as it is"
    read = texts(ledger)
    gone = Erased(done.position, ledger.entries()[-1].recorded_at, "GDPR Art. 17")
    assert {name for name, text in read.items() if text == gone} == {"ann", "c1", "c2", "r1", "d1-why"}
    assert read["bob"] == "Bob Plum"
    assert read["c3"] == "Bob speaking"
    destroyed = ledger.entries()[-1]
    assert destroyed.type == "customer.key_destroyed"
    assert destroyed.recorded_by == "approves"
    assert getattr(destroyed.data, "destroyed_keys", None) == (
        "contact:C1/1", "contact:C2/1", "customer:ann/1", "delivery:D1/1", "requirement:R1/1",
    )  # fmt: skip


def test_a_customer_that_comes_back_is_read_and_can_be_erased_again(ledger: Ledger, tell: Tell) -> None:
    lives(ledger, tell)
    erase(ledger, "ann")
    record(ledger, tell("contact.answered", "C1", {"agent_id": "s1", "message": "Dear Ann"}, id="again"))
    (answered,) = (entry for entry in ledger.reveal(ledger.entries()) if entry.id == "again")
    assert getattr(answered.data, "message", None) == "Dear Ann"
    erasing.ask(ledger, "ann", basis="again", request_id="dsr-2", by="asks")
    assert erasing.approve(ledger, "ann", by="approves").keys == 1
    (answered,) = (entry for entry in ledger.reveal(ledger.entries()) if entry.id == "again")
    assert isinstance(getattr(answered.data, "message", None), Erased)


def test_a_merged_group_is_erased_as_a_whole(ledger: Ledger, tell: Tell) -> None:
    lives(ledger, tell)
    record(ledger, tell("customer.registered", "ann-2", {"name": "A. Quince", "stage": "customer"}, id="ann-2"))
    record(ledger, tell("customer.merged", "ann-2", {"into_id": "ann"}))
    assert erase(ledger, "ann-2").customers == ("ann", "ann-2")
    assert isinstance(texts(ledger)["ann"], Erased)
    assert isinstance(texts(ledger)["ann-2"], Erased)


def test_feedback_on_a_delivery_is_the_customers_own(ledger: Ledger, tell: Tell) -> None:
    lives(ledger, tell)
    said = {"score": 5, "scale": 5}
    record(
        ledger,
        tell("delivery.delivered", "D1"),
        tell("delivery.feedback_received", "D1", said | {"customer_id": "bob", "comment": "so Bob"}, id="bobs"),
        tell("delivery.feedback_received", "D1", said | {"customer_id": "ann", "comment": "so Ann"}, id="anns"),
    )
    erase(ledger, "bob")
    assert isinstance(texts(ledger)["bobs"], Erased)
    assert texts(ledger)["anns"] == "so Ann"


def test_what_was_named_by_mistake_is_not_erased(ledger: Ledger, tell: Tell) -> None:
    lives(ledger, tell)
    wrong = record(ledger, tell("contact.identified", "C3", {"customer_id": "ann"}))[0]
    record(ledger, tell("record.voided", "C3", {"voided_position": wrong.position}))
    erase(ledger, "ann")
    assert texts(ledger)["c3"] == "Bob speaking"


def test_somebody_else_approves(ledger: Ledger, tell: Tell) -> None:
    lives(ledger, tell)
    with pytest.raises(Refused, match="nobody has asked that ann be erased"):
        erasing.approve(ledger, "ann", by="approves")
    asked = erasing.ask(ledger, "ann", basis="GDPR", request_id="dsr-1", by="asks")
    assert erasing.ask(ledger, "ann", basis="GDPR", request_id="dsr-1", by="asks").duplicate
    with pytest.raises(Refused, match="erasing ann needs a second person"):
        erasing.approve(ledger, "ann", by="asks")
    (waits,) = erasing.waiting(ledger)
    assert (waits.customer, waits.requested_by, waits.position) == ("ann", "asks", asked.position)
    assert texts(ledger)["ann"] == "Ann Quince"
    record(ledger, tell("record.voided", "ann", {"voided_position": asked.position}))
    assert erasing.waiting(ledger) == []
    with pytest.raises(Refused, match="nobody has asked"):
        erasing.approve(ledger, "ann", by="approves")


def test_whoever_is_named_can_be_erased_registered_or_not(ledger: Ledger, tell: Tell) -> None:
    record(ledger, tell("contact.received", "C9", CONTACT | {"customer_id": "zoe", "message": "Zoe here"}, id="c9"))
    erase(ledger, "zoe")
    assert isinstance(texts(ledger)["c9"], Erased)
    record(ledger, tell("customer.registered", "zoe", {"name": "Zoe", "stage": "customer"}, id="zoe"))
    assert texts(ledger)["zoe"] == "Zoe"


def test_two_who_approve_at_once_erase_once(ledger: Ledger, tell: Tell) -> None:
    lives(ledger, tell)
    erasing.ask(ledger, "ann", basis="GDPR", request_id="dsr-1", by="asks")
    outcomes: list[object] = []

    def approve(by: str) -> None:
        try:
            outcomes.append(erasing.approve(ledger, "ann", by=by))
        except Refused as refusal:
            outcomes.append(refusal)

    threads = [threading.Thread(target=approve, args=[f"approver-{n}"]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert any(isinstance(one, erasing.Erasure) for one in outcomes)
    assert sum(entry.type == "customer.key_destroyed" for entry in ledger.entries()) == 1


def test_an_erasure_and_appends_of_another_process_do_not_pass_each_other_by(
    ledger: Ledger, settings: Settings, open_ledger: Callable[..., Ledger], tell: Tell
) -> None:
    """Whatever was recorded before the event is erased by it; whatever comes after can be read."""
    other = open_ledger(settings)
    lives(ledger, tell)
    erasing.ask(ledger, "ann", basis="GDPR", request_id="dsr-1", by="asks")
    stop = threading.Event()
    claims = [
        tell("contact.received", f"N{n}", CONTACT | {"customer_id": "ann", "message": f"number {n}"}, id=f"n{n}")
        for n in range(400)
    ]
    told: list[Claim] = []

    def append() -> None:
        for one in claims:
            if stop.is_set():
                break
            record(other, one)
            told.append(one)

    thread = threading.Thread(target=append)
    thread.start()
    done = None
    while done is None:
        try:
            done = erasing.approve(ledger, "ann", by="approves")
        except Refused as refusal:
            if refusal.rule != "customer.keys_left":
                raise
    stop.set()
    thread.join()
    record(other, tell("contact.answered", "C1", {"agent_id": "s1", "message": "after"}, id="after"))
    for entry in ledger.reveal(ledger.entries(limit=2_000)):
        message = getattr(entry.data, "message", None)
        if message is None or entry.id == "c3":
            continue
        assert isinstance(message, Erased) == (entry.position < done.position), entry


def test_an_event_sent_again_is_recognised_before_and_after_its_erasure(ledger: Ledger, tell: Tell) -> None:
    message = tell("contact.received", "C1", CONTACT | {"customer_id": "ann", "message": "Ann speaking"}, id="1")
    other = tell("contact.received", "C1", CONTACT | {"customer_id": "ann", "message": "something else"}, id="1")
    record(ledger, message)
    assert record(ledger, message)[0].duplicate
    (refused,) = ledger.append([[other]], "key")
    assert isinstance(refused, DuplicateMismatch)
    erase(ledger, "ann")
    assert record(ledger, message)[0].duplicate
    assert record(ledger, other)[0].duplicate, "what it said is known to nobody any more"


def test_a_key_that_is_gone_without_an_event_is_a_failure(ledger: Ledger, tell: Tell) -> None:
    lives(ledger, tell)
    with ledger.database.connect() as connection:
        connection.execute(
            "UPDATE log.data_keys SET wrapped = NULL, wrapped_by = NULL, destroyed_at = 1 WHERE subject = 'ann'"
        )
    with pytest.raises(KeyMissing, match=r"customer:ann/1 is gone, and no event says that it was destroyed"):
        ledger.reveal(ledger.entries())


def test_a_restored_backup_is_erased_again(
    ledger: Ledger, settings: Settings, open_ledger: Callable[..., Ledger], tell: Tell
) -> None:
    lives(ledger, tell)
    with ledger.database.connect() as connection:
        backup = connection.execute(
            "SELECT aggregate, subject, number, wrapped, wrapped_by FROM log.data_keys"
        ).fetchall()
    done = erase(ledger, "ann")
    # the keys of the backup, in a log that goes on beyond it
    with ledger.database.connect() as connection, connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE log.data_keys SET wrapped = %s, wrapped_by = %s, destroyed_at = NULL "
            "WHERE aggregate = %s AND subject = %s AND number = %s",
            [(wrapped, by, aggregate, subject, number) for aggregate, subject, number, wrapped, by in backup],
        )
    assert texts(ledger)["ann"] == "Ann Quince", "a backup would bring it back"
    again = open_ledger(settings)
    assert texts(again)["ann"] == Erased(done.position, again.entries()[-1].recorded_at, "GDPR Art. 17")
    assert again.head().position == done.position, "the event is there already"


def test_a_backup_from_before_the_request_is_erased_again_with_its_event(
    new_database: Callable[[], str], tmp_path: Any, open_ledger: Callable[..., Ledger], tell: Tell
) -> None:
    """The log itself is that of the backup: what was asked and done since is in the register alone."""
    first, second = (Settings(database_url=new_database(), home=tmp_path) for _ in range(2))
    ledger = open_ledger(first)
    lives(ledger, tell)
    tables = ("ledger", "entries", "names", "data_keys", "wrapping_keys")
    copies = []
    with ledger.database.connect() as connection:
        for table in tables:
            with connection.cursor().copy(f"COPY log.{table} TO STDOUT") as copy:
                copies.append(b"".join(bytes(part) for part in copy))
    erase(ledger, "ann")
    ledger.close()
    Ledger.prepare(second)
    assert second.database_url is not None
    with psycopg.connect(second.database_url.get_secret_value()) as connection:
        for table, content in zip(tables, copies, strict=True):
            with connection.cursor().copy(f"COPY log.{table} FROM STDIN") as copy:
                copy.write(content)
    restored = open_ledger(second)
    assert isinstance(texts(restored)["ann"], Erased)
    assert isinstance(texts(restored)["c2"], Erased)
    assert texts(restored)["c3"] == "Bob speaking"
    (told,) = (entry for entry in restored.entries() if entry.type == "customer.key_destroyed")
    assert told.recorded_by == "approves"
    assert restored.head().position == 10
    assert open_ledger(second).head().position == 10, "it is told once"


def test_without_the_register_nothing_is_erased(
    ledger: Ledger, settings: Settings, open_ledger: Callable[..., Ledger], tell: Tell, tmp_path: Any
) -> None:
    lives(ledger, tell)
    elsewhere = open_ledger(settings.model_copy(update={"erasure_register": tmp_path / "folder" / "register"}))
    (tmp_path / "folder").write_text("no folder")
    erasing.ask(elsewhere, "ann", basis="GDPR", request_id="dsr-1", by="asks")
    with pytest.raises(RegisterFailed, match=r"nothing was erased\. Make room, or name another place"):
        erasing.approve(elsewhere, "ann", by="approves")
    assert texts(ledger)["ann"] == "Ann Quince"
    assert ledger.entries()[-1].type == "customer.erasure_requested"


def test_without_its_key_a_process_neither_keeps_nor_reads_texts(
    ledger: Ledger, settings: Settings, open_ledger: Callable[..., Ledger], tell: Tell, tmp_path: Any
) -> None:
    lives(ledger, tell)
    without = open_ledger(settings.model_copy(update={"wrapping_key_file": tmp_path / "none"}))
    (refused,) = without.append([[tell("contact.answered", "C1", {"agent_id": "s1", "message": "Dear Ann"})]], "key")
    assert isinstance(refused, NoWrappingKey)
    assert isinstance(refused, Unavailable)
    assert without.head().position == 9
    record(without, tell("contact.resolved", "C1", {"solved": True}))
    with pytest.raises(NoWrappingKey, match="is not here, which wrapped data keys of this ledger"):
        without.reveal(without.entries())
    assert not (tmp_path / "none").exists(), "no second key is made"


def test_whether_texts_are_encrypted_is_decided_once(
    settings: Settings, open_ledger: Callable[..., Ledger], tell: Tell
) -> None:
    plain = settings.model_copy(update={"encrypt": False})
    ledger = open_ledger(plain)
    lives(ledger, tell)
    assert b"Ann Quince" in (ledger.entry_bytes(1) or b"")
    assert texts(ledger)["ann"] == "Ann Quince"
    assert not open_ledger(settings).encrypted, "what is not said is as it is"
    with pytest.raises(OtherLedger, match="created not to keep personal texts encrypted"):
        Ledger.open(settings.model_copy(update={"encrypt": True}))
    with pytest.raises(NotEncrypted):
        erasing.ask(ledger, "ann", basis="GDPR", request_id="dsr-1", by="asks")
