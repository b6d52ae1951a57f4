"""The database: append-only, migrated to one structure, refused when it would lose events."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ledger.claims import Claim
from ledger.errors import DatabaseUnfit, MigrationError, OtherLedger, Unavailable
from ledger.events import CATALOGUE, COLUMNS
from ledger.log.application import Ledger
from ledger.log.database import Database
from ledger.log.migration import migrate, migrations
from ledger.log.relation import ENVELOPE, make_events_view
from ledger.settings import Settings

Tell = Callable[..., Claim]
STRUCTURE = """
SELECT 'column', table_name, column_name, ordinal_position::text, data_type, is_nullable, column_default
FROM information_schema.columns WHERE table_schema = 'log'
UNION ALL
SELECT 'index', tablename, indexname, indexdef, NULL, NULL, NULL FROM pg_indexes WHERE schemaname = 'log'
UNION ALL
SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), NULL, NULL, NULL
FROM pg_constraint WHERE connamespace = 'log'::regnamespace
UNION ALL
SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), tgenabled::text, NULL, NULL
FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT 'view', viewname, definition, NULL, NULL, NULL, NULL FROM pg_views WHERE schemaname = 'log'
UNION ALL
SELECT 'function', proname, pg_get_functiondef(oid), NULL, NULL, NULL, NULL
FROM pg_proc WHERE pronamespace = 'log'::regnamespace
ORDER BY 1, 2, 3, 4
"""


COLUMN_OF = {
    "entries": "subject",
    "names": "subject",
    "ledger": "simulated",
    "documents": "content",
    "tiles": "root",
    "checkpoints": "note",
    "seal_keys": "verifier",
    "migrations": "name",
}


@pytest.mark.parametrize("table", COLUMN_OF)
@pytest.mark.parametrize("change", ["UPDATE log.{} SET {} = {}", "DELETE FROM log.{}", "TRUNCATE log.{}"])
@pytest.mark.parametrize("role", ["origin", "replica"])
def test_the_log_is_append_only(ledger: Ledger, tell: Tell, table: str, change: str, role: str) -> None:
    unit = [tell("requirement.captured", "R1", {"source_kind": "form", "customer_id": "C1"})]
    ledger.append([unit], "key")
    column = COLUMN_OF[table]
    statement = sql.SQL(change).format(*[sql.Identifier(name) for name in (table, column, column)])
    with ledger.database.connect() as connection:
        connection.execute(sql.SQL("SET session_replication_role = {}").format(sql.Literal(role)))
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            connection.execute(statement)
    assert [entry.subject for entry in ledger.entries()] == ["R1"]


@pytest.mark.parametrize("released", range(len(migrations())))
def test_a_migrated_database_has_the_structure_of_a_fresh_one(
    database: str, postgres: str, released: int, request: pytest.FixtureRequest
) -> None:
    name = f"{conninfo_to_dict(database)['dbname']}_old"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    request.addfinalizer(lambda: _drop(postgres, name))
    with psycopg.connect(make_conninfo(postgres, dbname=name)) as old, psycopg.connect(database) as fresh:
        migrate(old, upto=released)
        ran = migrate(old)
        make_events_view(old, COLUMNS)
        assert ran == [migration.name for migration in migrations()[released:]]
        assert migrate(old) == []
        assert old.execute(STRUCTURE).fetchall() == fresh.execute(STRUCTURE).fetchall()


def test_a_database_of_a_newer_program_is_refused(database: str, settings: Settings) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("INSERT INTO log.migrations (number, name, digest) VALUES (9999, '9999_future', '')")
    with pytest.raises(MigrationError, match="newer program"):
        Ledger.open(settings)


def test_a_database_migrated_by_other_files_is_refused(database: str, settings: Settings) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("ALTER TABLE log.migrations DISABLE TRIGGER append_only")
        connection.execute("UPDATE log.migrations SET digest = 'other' WHERE number = 1")
    with pytest.raises(MigrationError, match="0001_log"):
        Ledger.open(settings)


@pytest.mark.parametrize("switch", ["synchronous_commit"])
def test_a_database_that_would_lose_events_is_refused(database: str, settings: Settings, switch: str) -> None:
    name = conninfo_to_dict(database)["dbname"]
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET {} = off").format(sql.Identifier(str(name)), sql.Identifier(switch))
        )
    with pytest.raises(DatabaseUnfit, match=switch):
        Ledger.open(settings)


@pytest.mark.parametrize("switch", ["fsync", "full_page_writes"])
def test_a_server_that_would_lose_events_is_refused(cluster: Any, switch: str) -> None:
    with psycopg.connect(cluster.conninfo, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(switch)))
        connection.execute("SELECT pg_reload_conf()")
    with psycopg.connect(cluster.conninfo) as connection:
        for _ in range(100):
            row = connection.execute("SELECT current_setting(%s), pg_sleep(0.02)", [switch]).fetchone()
            if row is not None and row[0] == "off":
                break
    with pytest.raises(DatabaseUnfit, match=switch):
        Ledger.open(Settings(database_url=cluster.conninfo))


def test_a_database_that_cannot_hold_every_text_is_refused(postgres: str, request: pytest.FixtureRequest) -> None:
    name = "ledger_latin1"
    request.addfinalizer(lambda: _drop(postgres, name))
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE DATABASE ledger_latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(DatabaseUnfit, match="LATIN1"):
        Database.open(Settings(database_url=make_conninfo(postgres, dbname=name)))


def test_nobody_answers() -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        Ledger.open(Settings(database_url="postgresql://postgres@127.0.0.1:1/nothing"))


def test_simulated_is_decided_when_the_ledger_is_created(
    settings: Settings, open_ledger: Callable[..., Ledger]
) -> None:
    created = open_ledger(settings, simulated=True)
    assert created.simulated
    assert open_ledger(settings).simulated
    assert open_ledger(settings, simulated=True).head().ledger_id == created.head().ledger_id
    with pytest.raises(OtherLedger, match="for simulation"):
        open_ledger(settings, simulated=False)


def test_the_typed_relation_has_every_column_of_every_event(ledger: Ledger, tell: Tell) -> None:
    claims = [
        tell("customer.registered", "C1", {"name": "Ann", "stage": "customer"}, actor="clerk"),
        tell("requirement.captured", "R1", {"source_kind": "form", "statement": "quiet \\u0041 \n", "key": True}),
        tell("requirement.value_assessed", "R1", {"quarter": "2026-Q2", "repurchase_bp": -5}),
        tell("delivery.planned", "D1", {"requirement_id": "R1", "due_at": "2026-04-30T10:00:00.000001+08:00"}),
        tell("record.voided", "D1", {"voided_position": 4}, reason="mistake"),
    ]
    (outcome,) = ledger.append([claims], "key")
    assert isinstance(outcome, list)
    with ledger.pool.connection() as connection:
        cursor = connection.execute("SELECT * FROM log.events ORDER BY position")
        assert cursor.description is not None
        names = [column.name for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor]
    assert names[: len(ENVELOPE)] == list(ENVELOPE)
    assert set(names) == {*ENVELOPE, *COLUMNS}
    personal = {field.name for known in CATALOGUE.values() for field in known.fields if field.personal}
    assert not personal & set(names)
    assert (rows[0]["actor"], rows[0]["stage"], rows[0]["occurred_at"]) == ("clerk", "customer", 1775005200000000)
    assert (rows[1]["key"], rows[1]["source_kind"]) == (True, "form")
    assert (rows[2]["quarter"], rows[2]["repurchase_bp"]) == (1775001600000000, -5)
    assert (rows[3]["due_at"], rows[3]["requirement_id"]) == (1777514400000001, "R1")
    assert (rows[4]["voided_position"], rows[4]["aggregate"]) == (4, "delivery")
    microseconds = int(outcome[0].recorded_at.timestamp() * 1_000_000)
    assert abs(rows[0]["recorded_at"] - microseconds) <= 1


def test_the_typed_relation_is_made_anew_when_the_columns_change(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        assert not make_events_view(connection, COLUMNS)
        assert make_events_view(connection, {"severity": "integer", **COLUMNS})
        connection.execute("SELECT severity FROM log.events")
        assert make_events_view(connection, COLUMNS)
        with pytest.raises(psycopg.errors.UndefinedColumn):
            connection.execute("SELECT severity FROM log.events")
        connection.execute("CREATE VIEW dependent AS SELECT position FROM log.events")
        with pytest.raises(MigrationError, match="dependent"):
            make_events_view(connection, {"severity": "integer", **COLUMNS})


def _drop(conninfo: str, name: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
