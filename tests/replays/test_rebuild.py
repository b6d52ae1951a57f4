"""Rebuild: beside the live tables, compared with them, switched in one step; nobody notices, nothing is lost."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from ledger.log.application import Ledger
from ledger.rulebook.loading import default_text
from projections import generations
from projections.generations import NoGeneration
from projections.kpis import figures
from projections.reading import read_table
from projections.tables import READABLE
from replays.differences import SAMPLE
from replays.rebuild import ReplayRunning, back, rebuild
from tests.projections.worlds import World, caught_up, everything, new_ledger, play_company, us

GENERATIONS = "SELECT number, state FROM projections.generations ORDER BY number"
SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'generation%' ORDER BY nspname"


@pytest.fixture(scope="module")
def played(postgres: str, template: str) -> Iterator[Ledger]:
    """A small company, projected; every test leaves the live tables as they should be."""
    with new_ledger(postgres, template) as ledger:
        play_company(ledger, contacts=50, days=60)
        caught_up(ledger)
        yield ledger


def query(ledger: Ledger, statement: str) -> list[Any]:
    with ledger.database.connect() as connection:
        return connection.execute(statement.encode()).fetchall()


def live(ledger: Ledger) -> generations.Generation:
    with ledger.database.connect() as connection:
        return generations.live(connection)


def states(ledger: Ledger) -> dict[int, str]:
    return dict(query(ledger, GENERATIONS))


def without_nothing(tables: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """A counter that came back to nothing is as good as none."""
    return {**tables, "counters": [row for row in tables["counters"] if row[-2:] != (0, 0)]}


def test_a_rebuild_equals_the_live_tables(played: Ledger) -> None:
    before, old = without_nothing(everything(played)), live(played)
    told: list[str] = []
    report = rebuild(played, progress=lambda what, *_: told.append(what))
    assert (report.compared_at, report.switched, report.differences, report.differing) == (
        report.position,
        True,
        [],
        0,
    )
    assert (report.replaced, report.position) == (old.number, played.head().position)
    assert live(played).number == report.generation != old.number
    assert without_nothing(everything(played)) == before
    assert {"reading", "building contacts", "writing", "comparing contacts"} <= {*told}
    assert states(played)[old.number] == "previous"


def test_an_unswitched_rebuild_only_compares(played: Ledger) -> None:
    before, schemas = live(played), query(played, SCHEMAS)
    report = rebuild(played, switch=False)
    assert (report.compared_at, report.switched, report.differences) == (report.position, False, [])
    assert live(played) == before
    assert query(played, SCHEMAS) == schemas
    assert states(played)[report.generation] == "retired"


def test_what_differs_is_named_row_by_row(postgres: str, template: str) -> None:
    with new_ledger(postgres, template) as ledger:
        play_company(ledger, contacts=40, days=40)
        caught_up(ledger)
        schema = live(ledger).schema
        first, second = [row[0] for row in query(ledger, f"SELECT contact_id FROM {schema}.contacts LIMIT 2")]
        with ledger.database.connect() as connection:
            connection.execute(f"UPDATE {schema}.contacts SET department = 'forged' WHERE contact_id = %s", [first])
            connection.execute(f"DELETE FROM {schema}.contacts WHERE contact_id = %s", [second])
            connection.execute(f"UPDATE {schema}.handoffs SET returned = returned + 1".encode())
            connection.execute(
                f"UPDATE {schema}.counters SET numerator = numerator + 1 WHERE metric = 'complaint_rate' "
                f"AND day = (SELECT min(day) FROM {schema}.counters WHERE metric = 'complaint_rate')".encode()
            )
            counted = connection.execute(f"SELECT count(*) FROM {schema}.handoffs".encode()).fetchone()
        assert counted is not None
        handed = counted[0]
        assert handed
        report = rebuild(ledger)
        found_in = {each.table: each for each in report.differences}
        assert {*found_in} == {"contacts", "handoffs", "counters"}
        contacts = found_in["contacts"]
        assert (contacts.only_live, contacts.only_new, contacts.changed) == (0, 1, 1)
        assert [(each.key, each.column, each.live) for each in contacts.changed_samples] == [
            ({"contact_id": first}, "department", "forged")
        ]
        assert [row["contact_id"] for row in contacts.new_samples] == [second]
        handoffs = found_in["handoffs"]
        assert (handoffs.rows, handoffs.changed, handoffs.columns) == (handed, handed, {"returned": handed})
        assert len(handoffs.changed_samples) == min(handed, SAMPLE)
        counters = found_in["counters"]
        assert {(each.key["metric"], each.column) for each in counters.changed_samples} == {
            ("complaint_rate", "numerator")
        }
        assert report.differing == 2 + handed + counters.changed
        assert not query(ledger, f"SELECT 1 FROM {live(ledger).schema}.contacts WHERE department = 'forged'")


def test_going_back_brings_the_previous_generation_up_to_the_log(world: World) -> None:
    world.tell("contact.received", "c1", "2025-03-03 09:00")
    world.catch_up()
    with pytest.raises(NoGeneration, match="no previous generation"):
        back(world.ledger)
    first = live(world.ledger)
    report = rebuild(world.ledger)
    world.tell("contact.received", "c2", "2025-03-03 09:01")
    world.catch_up()
    returned = back(world.ledger)
    assert (returned.generation, returned.replaced, returned.differences) == (first.number, report.generation, [])
    assert live(world.ledger).number == first.number
    assert {row["contact_id"] for row in world.rows("contacts")} == {"c1", "c2"}
    assert back(world.ledger).generation == report.generation
    assert states(world.ledger) == {first.number: "previous", report.generation: "live"}


def test_only_the_previous_generation_is_kept(world: World) -> None:
    numbers = [rebuild(world.ledger, compare=False).generation for _ in range(3)]
    assert [row[0] for row in query(world.ledger, SCHEMAS)] == [f"generation_{number}" for number in numbers[-2:]]
    assert sorted(states(world.ledger).values()) == ["live", "previous", "retired", "retired"]


def test_a_generation_of_other_definitions_cannot_be_gone_back_to(world: World) -> None:
    rebuild(world.ledger)
    query_ = "UPDATE projections.generations SET definition = 'older' WHERE state = 'previous' RETURNING 1"
    assert query(world.ledger, query_)
    with pytest.raises(NoGeneration, match="other table definitions"):
        back(world.ledger)


def test_two_rebuilds_at_once_are_refused(played: Ledger) -> None:
    inside, go_on = threading.Event(), threading.Event()
    done: list[Any] = []

    def hold(*_: object) -> None:
        inside.set()
        assert go_on.wait(60)

    thread = threading.Thread(target=lambda: done.append(rebuild(played, switch=False, progress=hold)))
    thread.start()
    try:
        assert inside.wait(60)
        with pytest.raises(ReplayRunning):
            rebuild(played)
        with pytest.raises(ReplayRunning):
            back(played)
    finally:
        go_on.set()
        thread.join()
    assert done[0].differences == []


def test_a_rebuild_that_fails_leaves_nothing_behind(played: Ledger) -> None:
    before, schemas, state = live(played), query(played, SCHEMAS), without_nothing(everything(played))

    def fail(what: str, *_: object) -> None:
        if what == stop:
            raise RuntimeError("no more")

    stop = "comparing deliveries"
    with pytest.raises(RuntimeError, match="no more"):
        rebuild(played, progress=fail)
    assert live(played) == before
    assert query(played, SCHEMAS) == schemas
    stop = "building handoffs"
    with pytest.raises(RuntimeError, match="no more"):
        rebuild(played, progress=fail)
    assert live(played) == before
    assert rebuild(played, switch=False).differences == []
    assert query(played, SCHEMAS) == schemas
    assert without_nothing(everything(played)) == state


KILLED = """
import os, sys
from ledger.log.application import Ledger
from ledger.settings import Settings
from replays.rebuild import rebuild

def progress(what, *_):
    print(what, flush=True)
    if what == sys.argv[2]:
        import time
        time.sleep(60)

with Ledger.open(Settings(database_url=sys.argv[1])) as ledger:
    rebuild(ledger, progress=progress)
"""


def test_a_rebuild_that_is_killed_leaves_the_live_tables_as_they_were(played: Ledger) -> None:
    moment = "writing"
    before, kept = live(played), without_nothing(everything(played))
    url = played.database.conninfo
    process = subprocess.Popen([sys.executable, "-c", KILLED, url, moment], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == moment:
                break
        else:
            pytest.fail("the rebuild ended before it could be killed")
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
    assert live(played) == before
    assert without_nothing(everything(played)) == kept
    left = [number for number, state in states(played).items() if state == "building"]
    assert len(left) == 1
    report = _when_free(lambda: rebuild(played))
    assert report.differences == []
    assert states(played)[left[0]] == "retired"
    assert f"generation_{left[0]}" not in {row[0] for row in query(played, SCHEMAS)}


CUT_OFF = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def test_a_rebuild_cut_off_while_it_compares_leaves_the_live_tables_as_they_were(played: Ledger) -> None:
    before, kept = live(played), without_nothing(everything(played))

    def cut(what: str, *_: object) -> None:
        if what == "comparing customers":
            query(played, CUT_OFF)

    with pytest.raises(psycopg.Error):
        rebuild(played, progress=cut)
    caught_up(played)
    assert live(played) == before
    assert without_nothing(everything(played)) == kept
    assert _when_free(lambda: rebuild(played)).differences == []
    assert "building" not in states(played).values()


def _when_free(run: Callable[[], Any]) -> Any:
    """The server takes a moment to notice that a killed client is gone."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return run()
        except ReplayRunning:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_readers_never_notice_a_switch(played: Ledger) -> None:
    ending = threading.Event()
    failed: list[BaseException] = []
    seen: set[tuple[int, int]] = set()
    asked = us("2025-03-01 00:00")
    with played.pool.connection() as connection:
        wanted = _figures(connection, asked)

    def read() -> None:
        while not ending.is_set():
            try:
                with played.pool.connection() as connection:
                    page = read_table(connection, "contacts", limit=1_000)
                    seen.add((len(page.rows), page.position))
                with played.pool.connection() as connection:
                    assert _figures(connection, asked) == wanted
            except BaseException as error:
                failed.append(error)
                return

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(2):
            rebuild(played)
    finally:
        ending.set()
        for reader in readers:
            reader.join()
    assert failed == []
    assert len(seen) == 1


def _figures(connection: Any, asked: int) -> list[Any]:
    return [(f.metric.name, f.numerator, f.denominator, f.value) for f in figures(connection, asked=asked).figures]


def test_appends_go_on_during_a_rebuild_and_are_in_what_goes_live(world: World) -> None:
    for nth in range(20):
        world.tell("contact.received", f"c{nth}", "2025-03-03 09:00")
    world.catch_up()
    late: list[int] = []

    def append(what: str, *_: object) -> None:
        late.append(world.tell("contact.received", f"late{len(late)}", "2025-03-03 10:00"))

    report = rebuild(world.ledger, progress=append)
    assert late
    assert report.differences == []
    world.catch_up()
    assert {row["contact_id"] for row in world.rows("contacts")} >= {f"late{nth}" for nth in range(len(late))}
    assert rebuild(world.ledger, switch=False).differences == []


def test_tables_that_lag_behind_are_caught_up_with_and_compared(world: World) -> None:
    world.tell("contact.received", "c1", "2025-03-03 09:00")
    report = rebuild(world.ledger)
    assert (report.compared_at, report.differences) == (report.position, [])
    assert len(world.rows("contacts")) == 1
    assert report.position == world.ledger.head().position


def test_another_rule_book_gives_other_tables_and_what_differs(world: World) -> None:
    world.tell("contact.received", "c1", "2025-03-03 09:00")
    world.catch_up()
    stricter = default_text().replace("within: 3 min}", "within: 1 min}")
    report = rebuild(world.ledger, book_text=stricter)
    (cycles,) = report.differences
    assert (cycles.table, cycles.changed, cycles.columns) == (
        "contact_cycles",
        1,
        {"first_response_deadline": 1, "first_response_ended_at": 1},
    )
    row = world.row("contact_cycles")
    assert row["first_response_deadline"] == "2025-03-03T01:01:00.000000Z"


def test_tables_of_other_definitions_are_compared_where_they_stand(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.tell("customer.registered", "CUS-1", "2025-03-03 09:00", region="north")
    world.tell("contact.received", "c1", "2025-03-03 09:00")
    world.catch_up()
    at = world.ledger.head().position
    with world.ledger.database.connect() as connection:
        schema = generations.live(connection).schema
        connection.execute(f"ALTER TABLE {schema}.customers RENAME COLUMN region TO area".encode())
        connection.execute(f"UPDATE {schema}.contacts SET department = upper(department)".encode())
        connection.execute(f"DROP TABLE {schema}.scripts CASCADE".encode())
        connection.execute("UPDATE projections.generations SET definition = 'older'")
    world.tell("contact.received", "c2", "2025-03-03 09:01")
    report = rebuild(world.ledger)
    assert (report.compared_at, report.position) == (at, at + 1)
    found_in = {each.table: each for each in report.differences}
    assert {*found_in} == {"customers", "contacts", "scripts"}
    assert (found_in["customers"].columns_gone, found_in["customers"].columns_added) == (("area",), ("region",))
    assert found_in["contacts"].columns == {"department": 1}
    assert "title" in found_in["scripts"].columns_added
    assert len(world.rows("contacts")) == 2


def test_a_rebuild_only_reads_the_log(played: Ledger) -> None:
    head, first = played.head(), played.entry_bytes(1)
    rebuild(played)
    assert played.head() == head
    assert played.entry_bytes(1) == first
    assert {*everything(played)} == {*READABLE, "counters"}
