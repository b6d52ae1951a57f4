"""Group commit: what waits together is appended together, within bounds, and everybody gets an answer."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from ledger.claims import Claim
from ledger.errors import AppendFailed, Closed, Overloaded, Refused
from ledger.log.appender import Appender
from ledger.log.application import Ledger
from ledger.log.deciding import Outcome, Unit
from ledger.settings import Settings

Tell = Callable[..., Claim]
FORM = {"source_kind": "form"}
CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def test_many_threads_get_their_own_answers(ledger: Ledger, tell: Tell) -> None:
    def send(number: int) -> int:
        event = tell("requirement.captured", f"R{number}", FORM)
        return ledger.appender.submit([event], f"key-{number}").result(30)[0].position

    with ThreadPoolExecutor(32) as pool:
        positions = list(pool.map(send, range(200)))
    assert sorted(positions) == list(range(1, 201))
    keys = {entry.position: entry.recorded_by for entry in ledger.entries()}
    assert keys == {position: f"key-{number}" for number, position in enumerate(positions)}


def test_a_refusal_reaches_its_sender_alone(ledger: Ledger, tell: Tell) -> None:
    with psycopg.connect(ledger.database.conninfo) as busy:
        busy.execute("SELECT simulated FROM log.ledger FOR UPDATE")
        events = [tell("requirement.captured", name, FORM) for name in ("R1", "R1", "R2")]
        answers = [ledger.appender.submit([event], "key") for event in events]
        busy.rollback()
    assert answers[0].result(10)[0].position == 1
    with pytest.raises(Refused, match="already_opened"):
        answers[1].result(10)
    assert answers[2].result(10)[0].position == 2


def test_overload_is_answered_at_once_and_passes(
    settings: Settings, open_ledger: Callable[..., Ledger], tell: Tell
) -> None:
    ledger = open_ledger(settings.model_copy(update={"queue_events": 5, "transaction_events": 2}))
    with psycopg.connect(ledger.database.conninfo) as busy:
        busy.execute("SELECT simulated FROM log.ledger FOR UPDATE")
        answers = []
        overloaded = ""
        for number in range(20):
            try:
                answers.append(ledger.appender.submit([tell("requirement.captured", f"R{number}", FORM)], "key"))
            except Overloaded as error:
                overloaded = str(error)
                break
        assert overloaded.startswith("5 events wait")
        # one group was taken already and waits for the lock
        assert 5 <= len(answers) <= 7
        busy.rollback()
    assert [answer.result(10)[0].position for answer in answers] == list(range(1, len(answers) + 1))
    assert ledger.appender.submit([tell("requirement.captured", "R99", FORM)], "key").result(10)
    assert ledger.appender.waiting == 0


def test_who_would_wait_too_long_is_told_so(settings: Settings, open_ledger: Callable[..., Ledger], tell: Tell) -> None:
    ledger = open_ledger(settings.model_copy(update={"queue_seconds": 0.2}))
    with psycopg.connect(ledger.database.conninfo) as busy:
        busy.execute("SELECT simulated FROM log.ledger FOR UPDATE")
        answers = []
        overloaded = ""
        for number in range(50):
            try:
                answers.append(ledger.appender.submit([tell("requirement.captured", f"R{number}", FORM)], "key"))
            except Overloaded as error:
                overloaded = str(error)
                break
            time.sleep(0.05)
        assert overloaded.startswith("Events have waited")
        busy.rollback()
    assert [answer.result(10)[0].position for answer in answers] == list(range(1, len(answers) + 1))
    assert ledger.appender.submit([tell("requirement.captured", "R99", FORM)], "key").result(10)


def test_a_unit_larger_than_a_transaction_still_goes_in_one(
    settings: Settings, open_ledger: Callable[..., Ledger], tell: Tell
) -> None:
    ledger = open_ledger(settings.model_copy(update={"queue_events": 5, "transaction_events": 2}))
    unit = [tell("requirement.captured", f"R{number}", FORM) for number in range(9)]
    assert len(ledger.appender.submit(unit, "key").result(10)) == 9
    assert len({entry.recorded_at for entry in ledger.entries()}) == 1


def test_what_waits_is_appended_before_closing(
    settings: Settings, open_ledger: Callable[..., Ledger], tell: Tell
) -> None:
    ledger = open_ledger(settings)
    appender = ledger.appender
    answers = [appender.submit([tell("requirement.captured", f"R{number}", FORM)], "key") for number in range(20)]
    ledger.close()
    assert [answer.result(0)[0].position for answer in answers] == list(range(1, 21))
    with pytest.raises(Closed):
        appender.submit([tell("requirement.captured", "R99", FORM)], "key")
    ledger.close()


def test_a_sender_who_has_gone_is_left_out(tell: Tell) -> None:
    taken: list[list[str]] = []
    let_go, first = threading.Event(), threading.Event()

    def append(units: Sequence[tuple[Unit, str]]) -> list[Outcome]:
        taken.append([recorded_by for _, recorded_by in units])
        first.set()
        let_go.wait(10)
        return [[] for _ in units]

    appender = Appender(append, queue_events=100, queue_seconds=5.0, transaction_events=100)
    event = [tell("requirement.captured", "R1", FORM)]
    appender.submit(event, "first")
    first.wait(10)
    gone, stays = appender.submit(event, "gone"), appender.submit(event, "stays")
    assert gone.cancel()
    let_go.set()
    assert stays.result(10) == []
    appender.close()
    assert taken == [["first"], ["stays"]]


def test_nobody_is_left_waiting_when_the_program_is_at_fault(tell: Tell) -> None:
    def append(units: Sequence[tuple[Unit, str]]) -> list[Outcome]:
        raise RuntimeError("a fault")

    appender = Appender(append, queue_events=100, queue_seconds=5.0, transaction_events=100)
    for _ in range(2):
        answer = appender.submit([tell("requirement.captured", "R1", FORM)], "key")
        with pytest.raises(AppendFailed):
            answer.result(10)
    appender.close()


def test_an_event_the_database_refuses_does_not_hurt_the_others(ledger: Ledger, tell: Tell) -> None:
    with ledger.database.connect() as connection:
        connection.execute("ALTER TABLE log.entries ADD CONSTRAINT odd CHECK (subject <> 'odd')")
    units = [[tell("requirement.captured", name, FORM)] for name in ("R1", "odd", "R2")]
    outcomes = ledger.append(units, "key")
    assert isinstance(outcomes[1], AppendFailed)
    assert [entry.subject for entry in ledger.entries()] == ["R1", "R2"]


def test_a_lost_connection_is_replaced(ledger: Ledger, tell: Tell) -> None:
    ledger.append([[tell("requirement.captured", "R1", FORM)]], "key")
    for number in range(2, 5):
        with ledger.database.connect() as connection:
            connection.execute(CUT)
        (outcome,) = ledger.append([[tell("requirement.captured", f"R{number}", FORM)]], "key")
        assert isinstance(outcome, list), outcome
        assert outcome[0].position == number
        assert ledger.head().position == number
