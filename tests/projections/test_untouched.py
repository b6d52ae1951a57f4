"""What a batch costs the tables that none of its events can change: nothing, not even a look at their keys."""

import pytest

from projections import generations
from projections.projector import Batches
from tests.projections.worlds import World

# scans and rows of this transaction, by scratch table of one step
LOOKED_AT = (
    "SELECT split_part(relname, '_', 1), substr(relname, strpos(relname, '_') + 1) FROM pg_stat_xact_all_tables "
    "WHERE schemaname LIKE 'pg_temp_%' AND relname ~ '^(keys|changed)_' "
    "AND coalesce(seq_scan, 0) + coalesce(idx_scan, 0) + n_tup_ins + n_tup_del > 0"
)
WRITTEN = (
    "SELECT relname FROM pg_stat_xact_all_tables WHERE schemaname LIKE 'generation_%' "
    "AND n_tup_ins + n_tup_upd + n_tup_del > 0"
)
EVENTS = {
    "contact.received": ({"contacts", "contact_cycles"}, {"anomalies"}),
    "customer.registered": ({"customers", "active_spells"}, {"anomalies"}),
    "requirement.captured": ({"requirements"}, {"anomalies", "value_assessments"}),
    "handoff.requested": ({"handoffs", "anomalies"}, set()),
}
"""For one event of each type: tables that have a row then, and those whose keys it touches without one."""


@pytest.mark.parametrize("kind", EVENTS)
def test_a_table_that_no_event_can_change_is_not_looked_at(world: World, kind: str) -> None:
    world.catch_up()
    with world.ledger.database.connect() as connection:
        batches = Batches(world.ledger, connection, generations.live(connection))
        told = {"contact_id": "nobody"} if kind == "handoff.requested" else {}
        world.tell(kind, "one", "2025-03-03 09:00", **told)
        with connection.transaction():
            assert batches.advance() == 1
            looked = connection.execute(LOOKED_AT.encode()).fetchall()
            written = {row[0] for row in connection.execute(WRITTEN.encode())}
    rows, only_keys = EVENTS[kind]
    assert {table for scratch, table in looked if scratch == "changed"} == rows
    assert {table for scratch, table in looked if scratch == "keys"} == rows | only_keys
    assert written - {"counters"} == rows


def test_an_event_that_changes_no_column_writes_nothing(world: World) -> None:
    world.tell("contact.received", "one", "2025-03-03 09:00")
    world.tell("contact.screened", "one", "2025-03-03 09:01", has_requirement=True)
    world.catch_up()
    with world.ledger.database.connect() as connection:
        batches = Batches(world.ledger, connection, generations.live(connection))
        world.tell("contact.screened", "one", "2025-03-03 09:02", has_requirement=True)
        with connection.transaction():
            assert batches.advance() == 1
            assert connection.execute(WRITTEN.encode()).fetchall() == []
