"""What a start finds and makes: the first rule book, tables where there are none, and those of older definitions."""

import threading

from projections import generations
from projections.projector import status
from replays.founding import found
from tests.projections.worlds import World, new_ledger
from tests.replays.test_rebuild import live, query, states


def test_tables_of_older_definitions_are_built_anew_at_the_start(world: World) -> None:
    world.tell("contact.received", "c1", "2025-03-03 09:00")
    world.catch_up()
    old = live(world.ledger)
    found(world.ledger)
    assert live(world.ledger) == old
    query(world.ledger, "UPDATE projections.generations SET definition = 'older' RETURNING 1")
    assert not live(world.ledger).current
    found(world.ledger)
    assert live(world.ledger).current
    assert live(world.ledger).number != old.number
    assert len(world.rows("contacts")) == 1


def test_a_ledger_with_events_but_no_tables_is_built_at_the_start(world: World) -> None:
    world.tell("contact.received", "c1", "2025-03-03 09:00")
    with world.ledger.database.connect() as connection, connection.transaction():
        generations.drop(connection, generations.live(connection))
    with world.ledger.database.connect() as connection:
        assert status(connection) is None
    found(world.ledger)
    assert len(world.rows("contacts")) == 1


def test_founding_twice_at_once_publishes_one_book_and_makes_one_generation(postgres: str, template: str) -> None:
    with new_ledger(postgres, template) as ledger:
        threads = [threading.Thread(target=found, args=(ledger,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ledger.head().position == 1
        assert list(states(ledger).values()) == ["live"]
