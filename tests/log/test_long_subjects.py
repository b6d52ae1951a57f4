"""A long story costs its next event nothing: statements and rows are counted, not seconds."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from psycopg import Cursor

from ledger.claims import Claim
from ledger.errors import Refused
from ledger.log.application import Ledger
from ledger.settings import Settings

Tell = Callable[..., Claim]
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def cost(ledger: Ledger, claim: Claim) -> tuple[int, int]:
    """Statements that appending a claim takes, and rows these read or write."""
    made: list[Cursor[Any]] = []

    class Counted(Cursor[Any]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            made.append(self)

    connection = ledger._appending._connected()
    connection.cursor_factory = Counted
    try:
        (outcome,) = ledger.append([[claim]], "key")
    finally:
        connection.cursor_factory = Cursor
    assert isinstance(outcome, list), outcome
    ran = [cursor for cursor in made if cursor.rowcount >= 0]
    return len(ran), sum(cursor.rowcount for cursor in ran)


def fill(ledger: Ledger, tell: Tell, subject: str, first: int, last: int) -> None:
    unit = [tell("contact.answered", subject, {"agent_id": f"A-{number}"}) for number in range(first, last)]
    assert isinstance(ledger.append([unit], "key")[0], list)


RECEIVED = {"channel": "phone", "department": "service", "kind": "inquiry"}


def test_the_ten_thousandth_event_of_a_subject_costs_like_the_tenth(ledger: Ledger, tell: Tell) -> None:
    ledger.append([[tell("contact.received", "C-1", RECEIVED)]], "key")
    fill(ledger, tell, "C-1", 2, 10)
    tenth = cost(ledger, tell("contact.answered", "C-1", {"agent_id": "tenth"}))
    fill(ledger, tell, "C-1", 11, 10_000)
    assert cost(ledger, tell("contact.answered", "C-1", {"agent_id": "ten thousandth"})) == tenth


def test_nor_does_it_where_processes_take_turns(
    settings: Settings, open_ledger: Callable[..., Ledger], tell: Tell
) -> None:
    here, there = open_ledger(settings), open_ledger(settings)
    here.append([[tell("contact.received", "C-1", RECEIVED)]], "key")
    fill(there, tell, "C-1", 2, 10)

    def turns(name: str) -> list[tuple[int, int]]:
        both = (here, there)
        return [
            cost(both[number % 2], tell("contact.answered", "C-1", {"agent_id": f"{name}-{number}"}))
            for number in range(4)
        ]

    turns("first")
    short = turns("short")
    fill(here, tell, "C-1", 10, 2_000)
    turns("again")
    assert turns("long") == short


def test_what_is_told_while_an_append_waits_for_its_turn(
    settings: Settings, open_ledger: Callable[..., Ledger], tell: Tell
) -> None:
    here, there = open_ledger(settings), open_ledger(settings)
    for ledger, name in ((here, "C-1"), (there, "C-2")):
        ledger.append([[tell("contact.received", name, RECEIVED)]], "key")
    both = tell("contact.received", "C-3", RECEIVED)
    answered = [tell("contact.answered", name, {"agent_id": "A"}) for name in ("C-1", "C-3", "C-1", "C-3")]
    with (
        here.database.connect() as watching,
        psycopg.connect(here.database.conninfo) as busy,
        ThreadPoolExecutor() as pool,
    ):
        busy.execute("SELECT 1 FROM log.ledger FOR UPDATE")
        first = pool.submit(there.append, [[both], answered[:2]], "key")
        await_waiting(watching, 1)
        # it has looked everything up by now, and must see what the other, whose turn is first, tells
        second = pool.submit(here.append, [[both], answered[2:]], "key")
        await_waiting(watching, 2)
        busy.rollback()
        (opened,), told = first.result(20)
        (again,), more = second.result(20)
    assert again == opened._replace(duplicate=True)
    assert [(each.subject, each.version) for each in (*told, *more)] == [("C-1", 2), ("C-3", 2), ("C-1", 3), ("C-3", 3)]


def await_waiting(connection: psycopg.Connection[Any], count: int) -> None:
    """Wait until so many wait for the ledger's lock."""
    until = time.monotonic() + 10
    while connection.execute(WAITING).fetchone() != (count,):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_what_another_process_voided_is_read_anew(
    settings: Settings, open_ledger: Callable[..., Ledger], tell: Tell
) -> None:
    here, there = open_ledger(settings), open_ledger(settings)
    here.append([[tell("contact.received", "C-1", RECEIVED)]], "key")
    here.append([[tell("contact.paused", "C-1", {"pause_id": "P-1"})]], "key")
    assert isinstance(there.append([[tell("record.voided", "C-1", {"voided_position": 2})]], "key")[0], list)
    (refused,) = here.append([[tell("contact.resumed", "C-1", {"pause_id": "P-1"})]], "key")
    assert isinstance(refused, Refused)
    (taken,) = here.append([[tell("contact.paused", "C-1", {"pause_id": "P-1"})]], "key")
    assert isinstance(taken, list)
    assert taken[0].version == 4
