"""Reading: entries, streams, what concerns a subject, and being woken when the log grows."""

import threading
import time
from collections.abc import Callable

import pytest
from eventsourcing.persistence import IntegrityError, ProgrammingError

from ledger.claims import Claim, decode
from ledger.log.application import Ledger
from ledger.log.waker import CHANNEL, Waker

Tell = Callable[..., Claim]
# a waker's session has asked for the position last
CUT_LISTENERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'SELECT position FROM log.entries ORDER%'
"""


@pytest.fixture
def told(ledger: Ledger, tell: Tell) -> Ledger:
    due = "2026-05-01T00:00:00Z"
    ledger.append(
        [
            [
                tell("customer.registered", "C1", {"stage": "customer"}),
                tell(
                    "contact.received",
                    "K1",
                    {"customer_id": "C1", "channel": "email", "department": "d", "kind": "other"},
                ),
                tell("requirement.captured", "R1", {"contact_id": "K1", "customer_id": "C1", "source_kind": "contact"}),
                tell("requirement.captured", "R2", {"source_kind": "form"}),
                tell("delivery.planned", "D1", {"requirement_id": "R1", "due_at": due}),
                tell("record.voided", "D1", {"voided_position": 5}),
                tell("requirement.merged", "R1", {"into_id": "R2"}, id="merge", source="crm"),
            ]
        ],
        "key",
    )
    return ledger


def test_entries(told: Ledger) -> None:
    assert [entry.position for entry in told.entries()] == [1, 2, 3, 4, 5, 6, 7]
    assert [entry.position for entry in told.entries(after=2, limit=2)] == [3, 4]
    assert [entry.position for entry in told.entries(types=["delivery.planned", "customer.registered"])] == [1, 5]
    assert [entry.position for entry in told.entries(aggregate="requirement", upto=4)] == [3, 4]
    assert told.entry(7) == told.entries()[6]
    assert told.entry(8) is None
    stored = told.entry_bytes(7)
    assert stored is not None
    assert decode(stored) == told.entry(7)
    assert told.entry_bytes(0) is None


def test_streams_and_ids(told: Ledger) -> None:
    assert [(entry.position, entry.version) for entry in told.stream("requirement", "R1")] == [(3, 1), (7, 2)]
    assert [entry.position for entry in told.stream("requirement", "R1", upto=6)] == [3]
    assert told.find("crm", "merge") == told.entry(7)
    assert told.find("test", "merge") is None


def test_what_concerns_a_subject(told: Ledger) -> None:
    def positions(aggregate: str, subject: str, upto: int | None = None) -> list[int]:
        return [entry.position for entry in told.concerning(aggregate, subject, upto)]

    assert positions("customer", "C1") == [1, 2, 3]
    assert positions("requirement", "R1") == [3, 5, 6, 7]
    assert positions("requirement", "R1", upto=5) == [3, 5]
    assert positions("requirement", "R2") == [4, 7]
    assert positions("delivery", "D1") == [5, 6]
    assert positions("contact", "unknown") == []


def test_the_library_reads_the_same_log(told: Ledger) -> None:
    recorder = told.recorder
    assert recorder.max_notification_id() == 7
    notifications = recorder.select_notifications(3, 3, inclusive_of_start=False)
    assert [(each.id, each.originator_id, each.originator_version, each.topic) for each in notifications] == [
        (4, "requirement:R2", 1, "requirement.captured"),
        (5, "delivery:D1", 1, "delivery.planned"),
        (6, "delivery:D1", 2, "record.voided"),
    ]
    assert [each.id for each in recorder.select_notifications(1, 10, stop=3)] == [1, 2, 3]
    assert [each.id for each in recorder.select_notifications(None, 10, topics=["record.voided"])] == [6]
    same: list[object] = [*told.stream("requirement", "R1")]
    assert list(told.events.get("requirement:R1")) == same
    assert [event.originator_version for event in recorder.select_events("requirement:R1", desc=True, limit=1)] == [2]
    with pytest.raises(ProgrammingError, match=r"Ledger\.append"):
        told.events.put(list(told.events.get("requirement:R1")))
    assert told.head().position == 7


def test_how_far_a_reader_has_come(told: Ledger) -> None:
    assert told.tracked("tables") == 0
    with told.pool.connection() as connection:
        told.track(connection, "tables", 4)
    assert told.tracked("tables") == 4
    with told.pool.connection() as connection, pytest.raises(IntegrityError):
        told.track(connection, "tables", 4)
    with told.pool.connection() as connection:
        told.track(connection, "tables", 5)
        connection.rollback()
    assert told.tracked("tables") == 4


def test_a_waiting_reader_is_woken(told: Ledger, tell: Tell) -> None:
    heard: list[int] = []
    with told.waker() as waker:
        assert waker.wait(6, 10) == 7
        stop = waker.call(heard.append)
        woken = threading.Thread(target=waker.wait, args=(7, 10))
        woken.start()
        started = time.monotonic()
        told.append([[tell("requirement.captured", "R3", {"source_kind": "form"})]], "key")
        woken.join(10)
        assert time.monotonic() - started < 5
        assert waker.position == 8
        _wait_for(lambda: heard == [8])
        stop()
        told.append([[tell("requirement.captured", "R4", {"source_kind": "form"})]], "key")
        assert waker.wait(8, 10) == 9
        assert waker.wait(9, 0.01) == 9
    assert heard == [8]


def test_a_missed_notification_is_made_up_for(told: Ledger, tell: Tell) -> None:
    with told.waker() as waker, told.database.connect() as connection:
        waker.wait(0, 10)
        # as if its session had been told nothing
        _wait_for(lambda: waker.connected)
        cut = connection.execute(CUT_LISTENERS).fetchall()
        assert len(cut) == 1
        told.append([[tell("requirement.captured", "R3", {"source_kind": "form"})]], "key")
        assert waker.wait(7, 10) == 8
        _wait_for(lambda: waker.connected)


@pytest.mark.parametrize("payload", ["", "not a position", "-1", "²", "9" * 30, "1000"])
def test_what_others_notify_is_not_believed(told: Ledger, tell: Tell, payload: str) -> None:
    with told.waker() as waker, told.database.connect() as connection:
        assert waker.wait(6, 10) == 7
        connection.execute("SELECT pg_notify(%s, %s)", [CHANNEL, payload])
        told.append([[tell("requirement.captured", "R3", {"source_kind": "form"})]], "key")
        assert waker.wait(7, 10) == 8
        assert waker.wait(8, 0.5) == 8
        assert waker.connected


def test_closing_wakes_those_who_wait(ledger: Ledger) -> None:
    waker = Waker(ledger.database)
    waiting = threading.Thread(target=waker.wait, args=(0, 60))
    waiting.start()
    waker.close()
    waiting.join(5)
    assert not waiting.is_alive()


def _wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
