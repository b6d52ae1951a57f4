"""The projector: exactly once whatever happens to it, and it says so when it cannot go on."""

import itertools
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ledger.log.application import Ledger
from ledger.log.waker import Waker
from projections import generations
from projections.projector import WAIT_CHECKPOINT, Batches, Projector, status
from replays.rebuild import rebuild
from tests.projections.worlds import World, caught_up, everything, new_ledger, play_company

PATIENCE = 20.0
# the projector's own session: it alone has a temporary table of touched subjects
CUT_PROJECTORS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'reqledger'
  AND (query LIKE '%notification_id%' OR query LIKE '%projections.generations%' OR query = 'COMMIT' OR query = 'BEGIN')
"""
CUT_LISTENERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'SELECT position FROM log.entries ORDER%'
"""


def eventually(holds: Callable[[], Any], patience: float = PATIENCE) -> Any:
    deadline = time.monotonic() + patience
    while not (found := holds()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


@contextmanager
def projecting(ledger: Ledger, projectors: int = 1) -> Iterator[list[Projector]]:
    with ledger.waker() as waker:
        running = [Projector(ledger, waker) for _ in range(projectors)]
        for each in running:
            each.RETRY_SECONDS = 0.1  # type: ignore[misc]
            each.start()
        try:
            yield running
        finally:
            for each in running:
                each.stop()


def now(ledger: Ledger) -> Any:
    with ledger.pool.connection() as connection:
        return status(connection)


def level(ledger: Ledger) -> bool:
    at = now(ledger)
    return at.lag_positions == 0 and at.halted_at is None


def contact(world: World, subject: str, minute: int = 0) -> None:
    world.tell("contact.received", subject, f"2025-03-03 09:{minute:02}")


@pytest.fixture(scope="module")
def told(postgres: str, template: str) -> Iterator[tuple[Ledger, dict[str, list[tuple[Any, ...]]]]]:
    """A few weeks of a company, and its tables as projected in one go."""
    with new_ledger(postgres, template) as ledger:
        play_company(ledger, contacts=40, days=40)
        caught_up(ledger)
        yield ledger, everything(ledger)


@pytest.mark.parametrize("limit", [3, 37, 250])
def test_batches_cut_anywhere_give_the_same_tables(
    postgres: str, template: str, told: tuple[Ledger, dict[str, list[tuple[Any, ...]]]], limit: int
) -> None:
    with new_ledger(postgres, template) as ledger:
        play_company(ledger, contacts=40, days=40)
        caught_up(ledger, limit)
        found = everything(ledger)
    for name, rows in told[1].items():
        if name == "counters":
            assert [row for row in found[name] if row[-2:] != (0, 0)] == [row for row in rows if row[-2:] != (0, 0)]
        else:
            assert found[name] == rows, name


def test_every_position_is_projected_once_over_restarts(world: World) -> None:
    for nth in range(12):
        contact(world, f"c{nth}", nth)
    head = world.ledger.head().position
    done = []
    for _ in range(30):
        with world.ledger.database.connect() as connection:
            done.append(Batches(world.ledger, connection, generations.live(connection)).advance(3))
    assert sum(done) == head
    assert done[:5] == [3, 3, 3, 3, head - 12]
    assert set(done[5:]) == {0}
    assert len(world.rows("contacts")) == 12


def test_what_is_not_committed_is_done_again(world: World) -> None:
    contact(world, "c1")
    with world.ledger.database.connect() as connection:
        batches = Batches(world.ledger, connection, generations.live(connection))
        with connection.transaction(force_rollback=True):
            assert batches.advance() == world.ledger.head().position
        assert now(world.ledger).position == 0
        assert world.rows("contacts") == []
        assert batches.advance() == world.ledger.head().position
    assert len(world.rows("contacts")) == 1


def test_it_follows_the_log(world: World) -> None:
    with projecting(world.ledger):
        contact(world, "c1")
        eventually(lambda: world.rows("contacts", contact_id="c1"))
        world.tell("contact.answered", "c1", "2025-03-03 09:02")
        eventually(lambda: world.row("contacts", contact_id="c1")["answered_at"])
        assert level(world.ledger)


def test_it_survives_killed_connections(world: World) -> None:
    with projecting(world.ledger):
        killed = 0
        for nth in range(4):
            contact(world, f"c{nth}", nth)
            eventually(lambda: level(world.ledger))
            with world.ledger.database.connect() as connection:
                killed += len(connection.execute(CUT_PROJECTORS).fetchall())
            eventually(lambda: now(world.ledger).halted_at is None)
        contact(world, "last", 30)
        eventually(lambda: level(world.ledger) and len(world.rows("contacts")) == 5)
    assert killed >= 4


class DeafWaker(Waker):
    """One that is never notified."""

    def _listen(self, connection: Any) -> None:
        connection.execute("UNLISTEN *")
        super()._listen(connection)


def test_it_misses_no_event_for_want_of_a_notification(world: World) -> None:
    with DeafWaker(world.ledger.database) as waker:
        projector = Projector(world.ledger, waker)
        projector.start()
        try:
            for nth in range(3):
                contact(world, f"c{nth}", nth)
                eventually(lambda nth=nth: len(world.rows("contacts")) == nth + 1, patience=5)
        finally:
            projector.stop()


def test_it_survives_a_listener_that_is_cut_off(world: World) -> None:
    with projecting(world.ledger):
        contact(world, "c1")
        eventually(lambda: level(world.ledger))
        with world.ledger.database.connect() as connection:
            assert connection.execute(CUT_LISTENERS).fetchall()
        contact(world, "c2", 1)
        eventually(lambda: len(world.rows("contacts")) == 2)


def test_two_projectors_at_once_project_once(postgres: str, template: str, told: Any) -> None:
    with new_ledger(postgres, template) as ledger, projecting(ledger, projectors=3):
        play_company(ledger, contacts=40, days=40)
        eventually(lambda: level(ledger), 60)
        found = everything(ledger)
    counted = {row[:-2]: row[-2:] for row in found["counters"] if row[-2:] != (0, 0)}
    assert counted == {row[:-2]: row[-2:] for row in told[1]["counters"] if row[-2:] != (0, 0)}
    assert found["contacts"] == told[1]["contacts"]


def test_a_second_projector_is_turned_away_while_the_first_is_at_it(world: World) -> None:
    contact(world, "c1")
    with world.ledger.database.connect() as one, world.ledger.database.connect() as other:
        first = Batches(world.ledger, one, generations.live(one))
        second = Batches(world.ledger, other, generations.live(other))
        with one.transaction():
            assert first.advance()
            assert second.advance() is None
        assert second.advance() == 0


def test_it_says_where_and_why_it_cannot_go_on_and_resumes_when_mended(world: World) -> None:
    contact(world, "c1")
    with projecting(world.ledger):
        eventually(lambda: level(world.ledger))
        stands = now(world.ledger).position
        with world.ledger.database.connect() as connection:
            schema = generations.live(connection).schema
            connection.execute(f"ALTER TABLE {schema}.contacts RENAME TO hidden".encode())
        world.tell("contact.answered", "c1", "2025-03-03 09:02", agent_id="secret agent")
        halted = eventually(lambda: now(world.ledger).halted_at and now(world.ledger))
        assert halted.halted_at == stands + 1
        assert halted.position == stands
        assert halted.lag_positions == 1
        assert f'relation "{schema}.contacts" does not exist' in halted.halted_by
        assert "secret agent" not in halted.halted_by
        with world.ledger.database.connect() as connection:
            connection.execute(f"ALTER TABLE {schema}.hidden RENAME TO contacts".encode())
        eventually(lambda: level(world.ledger))
        assert now(world.ledger).halted_by is None
        assert world.row("contacts")["answered_at"] == "2025-03-03T01:02:00.000000Z"


def test_a_cause_tells_no_value_of_an_event(world: World) -> None:
    with world.ledger.database.connect() as connection:
        schema = generations.live(connection).schema
        connection.execute(f"ALTER TABLE {schema}.contacts ADD CHECK (department <> 'Anna''s ward')".encode())
    world.tell("contact.received", "c1", "2025-03-03 09:00", department="Anna's ward")
    with projecting(world.ledger):
        halted = eventually(lambda: now(world.ledger).halted_by)
    assert "contacts" in halted
    assert "Anna" not in halted


def test_tables_of_other_definitions_are_not_projected_into(world: World) -> None:
    with world.ledger.database.connect() as connection:
        connection.execute("UPDATE projections.generations SET definition = 'older'")
    contact(world, "c1")
    with projecting(world.ledger):
        halted = eventually(lambda: now(world.ledger).halted_by)
        assert "built under other definitions" in halted
        assert "reqledger replay" in halted
        rebuild(world.ledger)
        eventually(lambda: level(world.ledger))
    assert len(world.rows("contacts")) == 1


def test_lag_is_told_in_positions_and_seconds(postgres: str, template: str) -> None:
    with new_ledger(postgres, template, simulated=False) as ledger:
        caught_up(ledger)
        assert now(ledger).lag_positions == 0
        assert now(ledger).lag_seconds == 0.0
        world = World(ledger)
        for nth in range(3):
            contact(world, f"c{nth}", nth)
        time.sleep(0.3)
        behind = now(ledger)
        assert (behind.position, behind.head, behind.lag_positions) == (1, 4, 3)
        assert 0.3 <= behind.lag_seconds < 30
        caught_up(ledger)
        assert now(ledger).lag_seconds == 0.0


def test_a_switched_generation_is_followed_by_a_projector_that_never_rests(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, numbers = Batches.advance, itertools.count()

    def busy(batches: Batches, *args: Any, **kwargs: Any) -> int | None:
        contact(world, f"busy{next(numbers)}")
        return usual(batches, *args, **kwargs)

    with world.ledger.database.connect() as connection:
        other = generations.create(connection, generations.live(connection).book_text)
        with monkeypatch.context() as patched:
            patched.setattr(Batches, "advance", busy)
            with projecting(world.ledger):
                eventually(lambda: now(world.ledger).position > 5)
                with connection.transaction():
                    generations.switch(connection, other)
                eventually(lambda: now(world.ledger).position > 5)
    assert now(world.ledger).generation == other.number


def test_a_switched_generation_is_followed_while_appends_go_on(world: World) -> None:
    ending = threading.Event()

    def append() -> None:
        nth = 0
        while not ending.is_set():
            contact(world, f"busy{nth}", nth % 60)
            nth += 1

    appender = threading.Thread(target=append)
    with projecting(world.ledger):
        appender.start()
        try:
            before = now(world.ledger).generation
            report = rebuild(world.ledger)
            assert (report.replaced, report.differences) == (before, [])
            assert now(world.ledger).generation == report.generation
            switched_at = world.ledger.head().position
            eventually(lambda: now(world.ledger).position > switched_at + 20)
        finally:
            ending.set()
            appender.join()
        eventually(lambda: level(world.ledger))
    assert len(world.rows("contacts")) == min(world.ledger.head().position - 1, 1_000)


SLOW_ROWS = """
CREATE FUNCTION {schema}.slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END';
CREATE TRIGGER slow BEFORE INSERT ON {schema}.contacts FOR EACH ROW EXECUTE FUNCTION {schema}.slow();
"""


def test_a_batch_that_takes_too_long_is_tried_smaller(world: World) -> None:
    with world.ledger.database.connect() as connection:
        schema = generations.live(connection).schema
        connection.execute(SLOW_ROWS.format(schema=schema).encode())
    for nth in range(120):
        contact(world, f"c{nth}", nth % 60)
    with world.ledger.waker() as waker:
        projector = Projector(world.ledger, waker)
        projector.STATEMENT_SECONDS = 0.5  # type: ignore[misc]
        projector.start()
        try:
            # 120 rows at once would take 1.2 s
            eventually(lambda: now(world.ledger).lag_positions == 0, 60)
            assert now(world.ledger).halted_at is None
        finally:
            projector.stop()
    assert len(world.rows("contacts")) == 120


def test_a_projector_that_was_killed_in_a_long_statement_holds_nobody_up(world: World) -> None:
    contact(world, "c1")
    killed = world.ledger.database.connect()
    schema = Batches(world.ledger, killed, generations.live(killed)).generation.schema
    long = f"BEGIN; {WAIT_CHECKPOINT.replace('%s', repr(schema))}; SELECT pg_sleep(300)"
    killed.pgconn.send_query(long.encode())
    killed.pgconn.flush()
    with world.ledger.database.connect() as connection:
        batches = Batches(world.ledger, connection, generations.live(connection))
        eventually(lambda: batches.advance() is None)
        # what the kernel does to the sockets of a process that is gone
        with socket.socket(fileno=os.dup(killed.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)
        eventually(batches.advance, patience=10)
    killed.close()
