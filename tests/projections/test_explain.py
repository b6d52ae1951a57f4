"""Explain: the event behind a cell is the one that says it."""

from collections.abc import Iterator
from typing import Any

import pytest

from ledger.claims import stored
from ledger.log.application import Ledger
from projections.explain import Explanation, UnknownRow, explain
from projections.reading import UnknownColumn, UnknownTable, read_table
from projections.tables import TABLES
from projections.values import BadValue, shown
from tests.projections.worlds import World, new_ledger


@pytest.fixture(scope="module")
def told(postgres: str, template: str) -> Iterator[tuple[Ledger, dict[str, int]]]:
    with new_ledger(postgres, template) as ledger:
        world = World(ledger)
        at = {
            "register": world.tell("customer.registered", "C", "2025-03-01 08:00", segment="retail"),
            "tier": world.tell("customer.tiered", "C", "2025-03-01 09:00", tier="mid"),
            "retier": world.tell("customer.tiered", "C", "2025-03-02 09:00", tier="high"),
            "receive": world.tell("contact.received", "K", "2025-03-03 09:00", kind="complaint"),
            "robot": world.tell("contact.answered", "K", "2025-03-03 09:00:30", automated=True),
            "identify": world.tell("contact.identified", "K", "2025-03-03 09:01", customer_id="C"),
            "answer": world.tell("contact.answered", "K", "2025-03-03 09:02", agent_id="a1"),
            "again": world.tell("contact.answered", "K", "2025-03-03 09:30", agent_id="a2"),
            "resolve": world.tell("contact.resolved", "K", "2025-03-03 10:00", solved=True),
            "reopen": world.tell("contact.reopened", "K", "2025-03-04 10:00"),
            "reresolve": world.tell("contact.resolved", "K", "2025-03-04 11:00", solved=False),
            "twin": world.tell("contact.received", "K2", "2025-03-03 09:05"),
            "merge": world.tell("contact.merged", "K2", "2025-03-03 09:06", into_id="K"),
            "machine": world.tell("contact.received", "K3", "2025-03-03 09:05"),
            "machine_answer": world.tell("contact.answered", "K3", "2025-03-03 09:06", automated=True),
            "capture": world.tell("requirement.captured", "R", "2025-03-03 11:00", customer_id="C"),
            "reject": world.tell("requirement.rejected", "R", "2025-03-03 11:10", rejection="infeasible"),
            "revive": world.tell("requirement.reopened", "R", "2025-03-03 11:20"),
            "plan": world.tell(
                "delivery.planned", "D", "2025-03-03 12:00", requirement_id="R", due_at="2025-03-10T00:00:00Z"
            ),
            "bad": world.tell("delivery.delivered", "D", "2025-03-04 12:00"),
            "refuse": world.tell("delivery.refused", "D", "2025-03-04 13:00"),
            "good": world.tell("delivery.delivered", "D", "2025-03-05 12:00"),
            "plan2": world.tell(
                "delivery.planned",
                "D2",
                "2025-03-02 12:00",
                requirement_id="R",
                due_at="2025-03-10T00:00:00Z",
                recorded="2025-03-05 12:00",
            ),
            "bad2": world.tell("delivery.delivered", "D2", "2025-03-04 12:00", recorded="2025-03-05 12:00"),
            "refuse2": world.tell("delivery.refused", "D2", "2025-03-04 13:00", recorded="2025-03-05 12:00"),
        }
        at["wrong"] = world.tell("contact.closed", "K", "2025-03-05 12:00", valid=False)
        at["void"] = world.tell("record.voided", "K", "2025-03-05 12:01", voided_position=at["wrong"])
        at["early"] = world.tell("contact.rang", "K", "2025-03-03 08:59", recorded="2025-03-05 12:02")
        world.catch_up()
        yield ledger, at


CELLS = [
    ("contacts", "K", "customer_id", "C", ["identify"]),
    ("contacts", "K", "channel", "web_chat", ["receive"]),
    ("contacts", "K", "answered_at", "2025-03-03T01:02:00.000000Z", ["answer"]),
    ("contacts", "K", "agent_id", "a2", ["again"]),
    ("contacts", "K", "reopened", 1, ["reopen"]),
    ("contacts", "K", "solved", False, ["reresolve"]),
    ("contacts", "K", "resolved_at", "2025-03-03T02:00:00.000000Z", ["resolve"]),
    ("contacts", "K", "valid", None, []),  # what was said of it is void
    ("contacts", "K", "abandoned_at", None, []),
    ("contacts", "K", "status", "resolved", ["reresolve"]),
    ("contacts", "K", "contact_id", "K", ["receive"]),
    ("contacts", "K2", "status", "merged", ["merge"]),
    ("contacts", "K2", "merged_into", "K", ["merge"]),
    ("contacts", "K3", "status", "open", ["machine"]),  # a machine's answer changes no status
    ("contact_groups", "K2", "survivor_id", "K", ["merge"]),
    ("contact_groups", "K2", "joined_at", "2025-03-03T01:06:00.000000Z", ["merge"]),
    ("contact_cycles", "K/1", "resolved_at", "2025-03-03T02:00:00.000000Z", ["resolve"]),
    ("contact_cycles", "K/2", "resolved_at", "2025-03-04T03:00:00.000000Z", ["reresolve"]),
    ("contact_cycles", "K/2", "received_at", "2025-03-04T02:00:00.000000Z", ["reopen"]),
    ("contact_cycles", "K/2", "answered_at", None, []),
    ("contact_cycles", "K/1", "kind", "complaint", ["receive"]),
    ("contact_cycles", "K/1", "customer_id", "C", ["identify"]),
    ("contact_cycles", "K/1", "tier", "high", ["retier"]),
    ("contact_cycles", "K/1", "first_response_deadline", "2025-03-03T01:03:00.000000Z", ["receive"]),
    ("contact_cycles", "K/1", "first_response_stopped_at", "2025-03-03T01:02:00.000000Z", ["answer"]),
    ("contact_cycles", "K/1", "first_response_outcome", "met", ["receive", "answer"]),
    ("tier_spells", "C/1", "tier", "mid", ["tier"]),
    ("tier_spells", "C/2", "tier", "high", ["retier"]),
    ("customers", "C", "tier", "high", ["retier"]),
    ("customers", "C", "status", "customer", ["register"]),
    ("requirements", "R", "rejected_at", None, ["revive"]),  # undone by the reopening
    ("requirements", "R", "rejection", None, ["revive"]),
    ("requirements", "R", "status", "reopened", ["revive"]),
    ("requirements", "R", "delivered_at", "2025-03-05T04:00:00.000000Z", ["good"]),
    ("deliveries", "D", "delivered_at", "2025-03-05T04:00:00.000000Z", ["good"]),
    ("deliveries", "D2", "delivered_at", None, ["refuse2"]),
    ("deliveries", "D", "due_at", "2025-03-10T00:00:00.000000Z", ["plan"]),
    ("tellings", "D/C", "delivered_at", "2025-03-05T04:00:00.000000Z", ["good"]),
    ("tellings", "D/C", "started_at", "2025-03-05T04:00:00.000000Z", ["good"]),
    ("tellings", "D/C", "customer_id", "C", ["capture"]),
    ("tellings", "D/C", "delivery_id", "D", ["plan"]),
    ("tellings", "D/C", "told_deadline", "2025-03-10T15:59:59.999999Z", ["good"]),
]


@pytest.mark.parametrize(("table", "key", "column", "value", "events"), CELLS, ids=[" ".join(c[:3]) for c in CELLS])
def test_a_cell_names_its_events(
    told: tuple[Ledger, dict[str, int]], table: str, key: str, column: str, value: Any, events: list[str]
) -> None:
    ledger, at = told
    found = explain(ledger, table, tuple(key.split("/")), column)
    names = {position: name for name, position in at.items()}
    assert found.value == value
    assert [names.get(event.position, event.position) for event in found.events] == events
    assert found.from_


def test_an_anomaly_names_the_event_that_looks_odd(told: tuple[Ledger, dict[str, int]]) -> None:
    ledger, at = told
    key = ("contact", "K", str(at["early"]), "before_opening", "")
    found = explain(ledger, "anomalies", key, "kind")
    assert [event.position for event in found.events] == [at["early"]]


def test_a_clock_shows_its_rule(told: tuple[Ledger, dict[str, int]]) -> None:
    found = explain(told[0], "contact_cycles", ("K", "1"), "first_response_outcome")
    assert found.rule is not None
    assert found.rule.name == "first_response"
    assert "3 min when direction = 'inbound' and channel = 'web_chat'" in found.from_
    assert [each.column for each in found.through] == ["received_at", "answered_at", "merged_at"]


def test_what_there_is_not_is_told(told: tuple[Ledger, dict[str, int]]) -> None:
    ledger, _ = told
    with pytest.raises(UnknownTable, match="no table 'contract'"):
        explain(ledger, "contract", ("K",), "channel")
    with pytest.raises(UnknownTable):
        explain(ledger, "clocks", ("first_response", "contact", "K", "1"), "deadline")
    with pytest.raises(UnknownColumn, match="no column 'message'"):
        explain(ledger, "contacts", ("K",), "message")
    for key in (("nobody",), ("K", "1"), ()):
        with pytest.raises(UnknownRow):
            explain(ledger, "contacts", key, "channel")
    with pytest.raises(BadValue):
        explain(ledger, "contact_cycles", ("K", "one"), "channel")


@pytest.mark.parametrize("table", TABLES)
def test_every_cell_is_explained_by_events_that_say_it(company: Ledger, table: str) -> None:
    """Of the row of which most is told."""
    with company.pool.connection() as connection:
        rows = read_table(connection, table, limit=1_000).rows
    row = max(rows, key=lambda row: sum(value is not None for value in row.values()))
    key = tuple(str(row[name]) for name in TABLES[table].key)
    for column, kind in TABLES[table].columns.items():
        found = explain(company, table, key, column)
        assert (found.table, found.column, found.value) == (table, column, row[column])
        if row[column] not in (None, 0, False, ""):
            assert found.events, f"nothing is behind {table} {key} {column} = {row[column]!r}"
        _says_it(found, kind)


def _says_it(found: Explanation, kind: Any) -> None:
    """Where one event sets a cell, it says just that."""
    spec = TABLES[found.table].cells.get(found.column)
    if spec is None or found.value is None or spec.pick not in ("first", "last") or found.through:
        return
    (event,) = found.events
    if (found.table, event.type) == ("ratings", "delivery.feedback_received") and found.column == "aspect":
        return  # a delivery's rating has no aspect of its own
    assert event.type in spec.types
    if spec.field == "occurred_at":
        assert found.value == event.occurred_at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    elif spec.field == "position":
        assert found.value == event.position
    else:
        said = stored(event.data)[spec.field]
        assert str(found.value)[:4] == str(said)[:4] if kind in ("time", "day") else found.value == shown(kind, said)


def test_contacts_of_a_merged_customer_are_behind_the_survivors(world: World) -> None:
    at = {}
    for name in ("anna", "twin"):
        world.tell("customer.registered", name, "2025-03-03 08:00")
    for name, customer, when in (("K1", "anna", "2025-03-03 09:00"), ("K2", "twin", "2025-03-04 09:00")):
        at[name] = world.tell("contact.received", name, when, customer_id=customer)
    world.tell("customer.merged", "twin", "2025-03-05 08:00", into_id="anna")
    world.catch_up()
    row = world.row("customers", customer_id="anna")
    assert (row["contacts"], row["last_contact_at"]) == (2, "2025-03-04T01:00:00.000000Z")
    found = explain(world.ledger, "customers", ("anna",), "contacts")
    assert {event.position for event in found.events} == set(at.values())
    found = explain(world.ledger, "customers", ("anna",), "last_contact_at")
    assert [event.position for event in found.events] == [at["K2"]]
    world.tell("customer.unmerged", "twin", "2025-03-06 08:00")
    world.catch_up()
    assert [row["contacts"] for row in world.rows("customers")] == [1, 1]
