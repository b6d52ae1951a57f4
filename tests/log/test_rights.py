"""The role that runs can add to the log and not change it: PostgreSQL refuses, whatever the program does."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql

from ledger.claims import Claim
from ledger.errors import DatabaseUnfit, MigrationError
from ledger.log.application import Ledger
from ledger.log.guarding import unguarded, weaknesses
from ledger.log.migration import Migration, migrations
from ledger.log.rights import ADD, TABLES, NotGranted, grant, running_roles, withdraw
from ledger.settings import Settings
from tests.roles import Roles, migrated, roles

Tell = Callable[..., Claim]
RELATIONS = """
SELECT nspname || '.' || relname FROM pg_class JOIN pg_namespace AS schema ON schema.oid = relnamespace
WHERE nspname IN ('log', 'projections') AND relkind IN ('r', 'p', 'v', 'm', 'f')
"""
ATTEMPTS = (
    "UPDATE log.entries SET subject = 'other'",
    "UPDATE log.entries SET entry = '' WHERE false",
    "DELETE FROM log.entries",
    "TRUNCATE log.entries",
    "ALTER TABLE log.entries ADD COLUMN more text",
    "ALTER TABLE log.entries DISABLE TRIGGER append_only",
    "ALTER TABLE log.entries DISABLE TRIGGER ALL",
    "ALTER TABLE log.entries OWNER TO CURRENT_USER",
    "DROP TABLE log.entries",
    "DROP TRIGGER append_only ON log.entries",
    "CREATE TRIGGER mine BEFORE INSERT ON log.entries FOR EACH ROW EXECUTE FUNCTION log.refuse_change()",
    "CREATE RULE mine AS ON INSERT TO log.entries DO INSTEAD NOTHING",
    "CREATE OR REPLACE FUNCTION log.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "DROP FUNCTION log.refuse_change() CASCADE",
    "CREATE TABLE log.mine (a int)",
    "DROP SCHEMA log CASCADE",
    "ALTER SCHEMA log RENAME TO other",
    "SET session_replication_role = replica",
    "UPDATE log.ledger SET simulated = true",
    "UPDATE log.ledger SET only_one = true",
    "UPDATE log.checkpoints SET note = ''",
    "DELETE FROM log.tiles",
    "DELETE FROM log.documents",
    "INSERT INTO log.migrations (number, name, digest) VALUES (1, 'mine', '')",
    "UPDATE log.keys SET role = 'admin'",
    "DELETE FROM log.keys",
)


@pytest.fixture
def made(postgres: str) -> Iterator[Roles]:
    """A database with its two roles, migrated."""
    with roles(postgres) as made:
        migrated(made)
        yield made


@pytest.fixture
def run_ledger(made: Roles, open_ledger: Callable[..., Ledger]) -> Ledger:
    """A new ledger, opened by the role that runs."""
    return open_ledger(Settings(database_url=made.runner_url))


def test_every_table_of_the_ledger_is_listed_with_its_rights(database: str) -> None:
    with psycopg.connect(database) as connection:
        found = {name for (name,) in connection.execute(RELATIONS)}
    assert found == {table.name for table in TABLES}


def test_every_table_that_is_only_added_to_has_its_trigger(database: str) -> None:
    assert [table.name for table in TABLES if table.rights == ADD and not table.update and table.trigger is None] == []
    assert [table.name for table in TABLES if table.trigger and {"UPDATE", "DELETE"} & {*table.rights}] == []
    with psycopg.connect(database, autocommit=True) as connection:
        assert unguarded(connection) == []
        connection.execute("ALTER TABLE log.tiles DISABLE TRIGGER append_only")
        connection.execute("ALTER TABLE log.names ENABLE REPLICA TRIGGER append_only")
        connection.execute("DROP TRIGGER append_only ON log.documents")
        connection.execute("DROP TRIGGER created_once ON log.ledger")
        connection.execute(
            "CREATE TRIGGER created_once BEFORE DELETE ON log.ledger FOR EACH STATEMENT "
            "EXECUTE FUNCTION log.refuse_change()"
        )
        connection.execute("ALTER TABLE log.ledger ENABLE ALWAYS TRIGGER created_once")
        assert unguarded(connection) == [
            "log.names (trigger append_only: while replicating only)",
            "log.ledger (trigger created_once is another one)",
            "log.documents (trigger append_only is missing)",
            "log.tiles (trigger append_only: disabled)",
        ]


def test_the_role_that_runs_cannot_change_the_log(made: Roles, run_ledger: Ledger, tell: Tell) -> None:
    run_ledger.append([[tell("customer.registered", "C-1", {"stage": "customer"})]], "key")
    with psycopg.connect(made.runner_url, autocommit=True) as connection:
        for attempt in ATTEMPTS:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(attempt.encode())
    assert [entry.subject for entry in run_ledger.entries()] == ["C-1"]


def test_the_owner_is_refused_by_the_triggers(made: Roles, run_ledger: Ledger, tell: Tell) -> None:
    run_ledger.append([[tell("customer.registered", "C-1", {"stage": "customer"})]], "key")
    with psycopg.connect(made.owner_url, autocommit=True) as connection:
        connection.execute(sql.SQL("GRANT ALL ON log.entries TO {}").format(sql.Identifier(made.owner)))
        for attempt in ("UPDATE log.entries SET subject = 'x'", "DELETE FROM log.entries", "TRUNCATE log.entries"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
                connection.execute(attempt.encode())


def test_granting_twice_changes_nothing_and_takes_what_is_too_much(made: Roles) -> None:
    with psycopg.connect(made.owner_url, autocommit=True) as connection:
        assert running_roles(connection) == [made.runner]
        again = grant(connection, made.runner)
        assert (again.granted, again.revoked) == ((), ())
        runner = sql.Identifier(made.runner)
        connection.execute(sql.SQL("GRANT UPDATE, TRIGGER ON log.entries TO {}").format(runner))
        connection.execute(sql.SQL("GRANT UPDATE ON log.ledger TO {}").format(runner))
        connection.execute(sql.SQL("REVOKE SELECT ON log.head FROM {}").format(runner))
        assert weaknesses(connection, made.runner) == [
            "may UPDATE, TRIGGER on log.entries",
            "may UPDATE on log.ledger",
        ]
        mended = grant(connection, made.runner)
        assert [*map(str, mended.granted)] == ["SELECT on log.head"]
        assert [*map(str, mended.revoked)] == [
            "TRIGGER on log.entries",
            "UPDATE on log.entries",
            "UPDATE on log.ledger",
        ]
        again = grant(connection, made.runner)
        assert (again.granted, again.revoked) == ((), ())
        assert weaknesses(connection, made.runner) == []
        withdraw(connection, made.runner)
        assert running_roles(connection) == []


def test_who_cannot_be_given_the_rights(made: Roles) -> None:
    with psycopg.connect(made.superuser_url, autocommit=True) as connection:
        (superuser,) = connection.execute("SELECT current_user::text").fetchone() or ("",)
    with psycopg.connect(made.owner_url, autocommit=True) as connection:
        with pytest.raises(NotGranted, match="no role nobody_here"):
            grant(connection, "nobody_here")
        with pytest.raises(NotGranted, match="superuser"):
            grant(connection, superuser)
        with pytest.raises(NotGranted, match="owns the log"):
            grant(connection, made.owner)
    with psycopg.connect(made.superuser_url, autocommit=True) as connection:
        connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(made.owner), sql.Identifier(made.runner)))
        with pytest.raises(NotGranted, match="owns the log"):
            grant(connection, made.runner)


def test_what_a_role_could_do_is_told(made: Roles) -> None:
    with psycopg.connect(made.superuser_url, autocommit=True) as connection:
        assert weaknesses(connection, made.runner) == []
        assert weaknesses(connection, made.owner)[:2] == [
            "owns the database, or is a member of its owner",
            "owns the schema log, or is a member of its owner",
        ]
        runner = sql.Identifier(made.runner)
        connection.execute(sql.SQL("GRANT SET ON PARAMETER session_replication_role TO {}").format(runner))
        connection.execute(sql.SQL("GRANT CREATE ON SCHEMA log TO {}").format(runner))
        connection.execute(sql.SQL("GRANT pg_write_server_files TO {}").format(runner))
        connection.execute(sql.SQL("ALTER ROLE {} CREATEROLE").format(runner))
        connection.execute("GRANT DELETE ON log.names TO PUBLIC")
        assert weaknesses(connection, made.runner) == [
            "may make roles and give itself others'",
            "may create in the schema log",
            "may set session_replication_role",
            "may write files or run programs on the server",
            "may DELETE on log.names",
        ]
        connection.execute(sql.SQL("REVOKE SET ON PARAMETER session_replication_role FROM {}").format(runner))
        connection.execute(sql.SQL("GRANT pg_write_all_data TO {}").format(runner))
        assert "may UPDATE, DELETE on log.entries" in weaknesses(connection, made.runner)
        connection.execute(sql.SQL("ALTER ROLE {} SUPERUSER").format(runner))
        assert weaknesses(connection, made.runner) == ["is a superuser"]


def test_a_role_without_rights_is_told_which_command_grants_them(made: Roles) -> None:
    with psycopg.connect(made.owner_url, autocommit=True) as connection:
        withdraw(connection, made.runner)
    with pytest.raises(DatabaseUnfit, match=f"migrate --grant-to {made.runner}"):
        Ledger.open(Settings(database_url=made.runner_url))


def test_the_role_that_runs_does_not_migrate(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = migrations()
    newest = Migration(known[-1].number + 1, "9999_newest", "SELECT 1")
    with roles(postgres) as made:
        migrated(made)
        monkeypatch.setattr("ledger.log.migration.migrations", lambda: [*known, newest])
        with pytest.raises(MigrationError, match=f"{newest.name} missing.*reqledger migrate.*{made.owner}"):
            Ledger.open(Settings(database_url=made.runner_url))
        Ledger.prepare(Settings(database_url=made.owner_url))
        Ledger.open(Settings(database_url=made.runner_url)).close()


def test_rights_follow_a_view_that_is_made_anew(made: Roles) -> None:
    with psycopg.connect(made.owner_url, autocommit=True) as connection:
        connection.execute("DROP VIEW log.events")
        connection.execute("UPDATE log.meta SET value = 'older' WHERE name = 'events_view'")
    with pytest.raises(MigrationError, match=r"view log\.events missing"):
        Ledger.open(Settings(database_url=made.runner_url))
    Ledger.prepare(Settings(database_url=made.owner_url))
    with Ledger.open(Settings(database_url=made.runner_url)) as ledger, ledger.pool.connection() as connection:
        assert connection.execute("SELECT count(*) FROM log.events").fetchone() == (0,)
