"""As of: what the ledger knew at a position, and what had happened by a moment, from the same definitions."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from psycopg import sql

from ledger.log.application import Ledger
from ledger.rulebook.model import instant_us
from projections import generations
from projections.contributions import columns_of
from projections.generations import live
from projections.projector import Batches
from projections.tables import READABLE, TABLES
from projections.tables.anomalies import SUBJECTS
from projections.values import instant, shown
from replays.as_of import SUBJECT_COLUMNS, state, tables_at
from tests.projections.worlds import World, at, new_ledger, play_company

Tables = dict[str, list[dict[str, Any]]]
STOPS = 4


def live_tables(ledger: Ledger) -> Tables:
    with ledger.database.connect() as connection:
        generation = generations.live(connection)
        found: Tables = {}
        for name in [*READABLE, "counters"]:
            rows = connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(generation.schema, name)))
            names = [column.name for column in rows.description or []]
            found[name] = [dict(zip(names, row, strict=True)) for row in rows]
    found["counters"] = [row for row in found["counters"] if (row["numerator"], row["denominator"]) != (0, 0)]
    return found


def in_order(rows: Any) -> list[Any]:
    return sorted((tuple(row.items()) for row in rows), key=repr)


@pytest.fixture(scope="module")
def filmed(postgres: str, template: str) -> Iterator[tuple[Ledger, dict[int, Tables]]]:
    """A company, and what its live tables said when the log ended at some earlier positions."""
    with new_ledger(postgres, template) as ledger:
        play_company(ledger, contacts=60, days=70)
        head = ledger.head().position
        stops = [*sorted(random.Random(7).sample(range(50, head), STOPS - 1)), head]
        frames = {}
        with ledger.database.connect() as connection:
            batches = Batches(ledger, connection, generations.live(connection))
            for stop in stops:
                batches.catch_up(upto=stop)
                frames[stop] = live_tables(ledger)
        yield ledger, frames


@pytest.mark.parametrize("nth", range(STOPS))
def test_the_tables_as_of_a_position_are_what_the_live_ones_were(
    filmed: tuple[Ledger, dict[int, Tables]], nth: int
) -> None:
    ledger, frames = filmed
    stop = list(frames)[nth]
    with tables_at(ledger, as_of=stop) as engine:
        for name, rows in frames[stop].items():
            assert in_order(engine.rows(name)) == in_order(rows), f"{name} as of {stop}"


def _of(table: str, row: dict[str, Any], aggregate: str, subject: str) -> bool:
    if "subject" in row:
        return (row["aggregate"], row["subject"]) == (aggregate, subject)
    return aggregate in READABLE[table].aggregates and row[SUBJECT_COLUMNS[aggregate]] == subject


@pytest.mark.parametrize("aggregate", SUBJECT_COLUMNS)
def test_the_state_of_a_subject_is_its_rows_in_the_tables_then(
    filmed: tuple[Ledger, dict[int, Tables]], aggregate: str
) -> None:
    """Only a small part of the log is replayed for it; nothing that matters may be missing."""
    ledger, frames = filmed
    with ledger.pool.connection() as connection:
        rules = live(connection).rules
    home, _ = SUBJECTS[aggregate]
    dice = random.Random(aggregate)
    for stop in dice.sample(list(frames), 2):
        tables = frames[stop]
        subjects = sorted(row[SUBJECT_COLUMNS[aggregate]] for row in tables[home])
        merged = [row[SUBJECT_COLUMNS[aggregate]] for row in tables[home] if row.get("merged_into")]
        into = [row["merged_into"] for row in tables[home] if row.get("merged_into")]
        for subject in {*dice.sample(subjects, min(3, len(subjects))), *merged[:1], *into[:1]}:
            wanted = {}
            for name in READABLE:
                kinds = columns_of(name, rules) if name in TABLES else READABLE[name].columns
                rows = [row for row in tables[name] if _of(name, row, aggregate, subject)]
                if rows:
                    wanted[name] = [
                        {column: shown(kind, row[column]) for column, kind in kinds.items()} for row in rows
                    ]
            found = state(ledger, aggregate, subject, as_of=stop)
            assert {*found} == {*wanted}, f"{aggregate} {subject} as of {stop}"
            for name, rows in wanted.items():
                assert in_order(found[name]) == in_order(rows), f"{name} of {aggregate} {subject} as of {stop}"


@pytest.fixture(scope="module")
def told(postgres: str, template: str) -> Iterator[tuple[Ledger, dict[str, int]]]:
    with new_ledger(postgres, template) as ledger:
        world = World(ledger)
        at_ = {
            "receive": world.tell("contact.received", "K", "2025-03-03 09:00", channel="email"),
            "late": world.tell("contact.answered", "K", "2025-03-03 10:00", recorded="2025-03-05 09:00"),
            "solve": world.tell("contact.resolved", "K", "2025-03-04 09:00", solved=True, recorded="2025-03-05 09:01"),
        }
        at_["void"] = world.tell("record.voided", "K", "2025-03-06 09:00", voided_position=at_["solve"])
        at_["twin"] = world.tell("contact.received", "T", "2025-03-03 08:00", recorded="2025-03-06 10:00")
        at_["merge"] = world.tell("contact.merged", "T", "2025-03-06 11:00", into_id="K")
        world.catch_up()
        yield ledger, at_


def contact(ledger: Ledger, subject: str = "K", **moment: Any) -> dict[str, Any]:
    (row,) = state(ledger, "contact", subject, **moment)["contacts"]
    return row


def test_as_of_knows_what_was_recorded_by_then(told: tuple[Ledger, dict[str, int]]) -> None:
    ledger, at_ = told
    assert contact(ledger, as_of=at_["receive"])["status"] == "open"
    assert contact(ledger, as_of=at_["late"])["answered_at"] == "2025-03-03T02:00:00.000000Z"
    assert contact(ledger, as_of=at_["solve"])["status"] == "resolved"
    assert contact(ledger, as_of=at_["void"])["status"] == "answered"
    assert contact(ledger)["resolved_at"] is None
    # a recorded time is a position
    assert ledger.position_at(at("2025-03-05 08:59")) == at_["receive"]
    assert ledger.position_at(at("2025-03-05 09:00")) == at_["late"]


def test_as_of_before_a_subject_was_told_there_is_nothing(told: tuple[Ledger, dict[str, int]]) -> None:
    ledger, at_ = told
    assert state(ledger, "contact", "T", as_of=at_["void"]) == {}
    assert state(ledger, "contact", "K", as_of=at_["receive"] - 1) == {}
    assert state(ledger, "contact", "nobody") == {}


def test_valid_at_knows_what_had_happened_by_then_as_known_today(told: tuple[Ledger, dict[str, int]]) -> None:
    ledger, _ = told
    assert contact(ledger, valid_at=at("2025-03-03 09:59"))["status"] == "open"
    assert contact(ledger, valid_at=at("2025-03-03 10:00"))["status"] == "answered"
    # what was voided never happened, whenever one asks about
    assert contact(ledger, valid_at=at("2025-03-05 00:00"))["status"] == "answered"
    assert state(ledger, "contact", "K", valid_at=at("2025-03-03 08:59")) == {}
    assert contact(ledger, "T", valid_at=at("2025-03-03 08:30"))["status"] == "open"
    assert contact(ledger, "T", valid_at=at("2025-03-06 11:00"))["status"] == "merged"


def test_both_at_once_ask_what_was_known_of_then(told: tuple[Ledger, dict[str, int]]) -> None:
    ledger, at_ = told
    moment = at("2025-03-04 12:00")
    assert contact(ledger, as_of=at_["receive"], valid_at=moment)["status"] == "open"
    assert contact(ledger, as_of=at_["solve"], valid_at=moment)["status"] == "resolved"
    assert contact(ledger, as_of=at_["void"], valid_at=moment)["status"] == "answered"


def test_a_survivors_clock_knows_the_group_of_then(told: tuple[Ledger, dict[str, int]]) -> None:
    ledger, at_ = told

    def deadline(position: int) -> Any:
        rows = state(ledger, "contact", "K", as_of=position)["contact_cycles"]
        return rows[0]["group_received_at"]

    assert deadline(at_["twin"]) is None
    assert deadline(at_["merge"]) == "2025-03-03T00:00:00.000000Z"


def test_valid_at_over_a_company_shows_nothing_of_later(filmed: tuple[Ledger, dict[int, Tables]]) -> None:
    ledger, _ = filmed
    moment = datetime(2025, 2, 1, tzinfo=UTC)
    told_of_later = {
        "deadline", "due_at", "committed_due_at", "effective_at", "ended_at", "quarter", "until_at", "recorded_at",
    }  # fmt: skip
    with tables_at(ledger, valid_at=moment) as engine:
        assert sum(1 for _ in engine.rows("contacts")) > 10
        for name, table in TABLES.items():
            moments = [
                column
                for column, kind in columns_of(name, engine.rules).items()
                if kind == "time" and not column.endswith(tuple(told_of_later))
            ]
            for row in engine.rows(name):
                for column in moments:
                    value = row[column]
                    assert value is None or value <= instant_us(moment), (name, table.key, column, instant(value))


def test_a_replay_takes_the_memory_that_is_set(postgres: str, template: str) -> None:
    with new_ledger(postgres, template) as ledger:
        ledger.settings = ledger.settings.model_copy(update={"replay_memory_mb": 200})
        with tables_at(ledger) as engine:
            told = engine.connection.execute("SELECT current_setting('memory_limit')").fetchone()
    assert told == ("190.7 MiB",)
