"""What keeps the log from being changed, looked at in a running database: its triggers, and the role that runs.

A trigger refuses everybody, but whoever owns a table can drop it, and a superuser can do anything. So the role that
runs should be neither, and hold no right to change; `weaknesses` says in words what it could do all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psycopg import Connection

from ledger.log.rights import TABLES

# BEFORE, for each statement, on DELETE, UPDATE and TRUNCATE: the bits of tgtype
GUARDING = 2 + 8 + 16 + 32
# rows whose columns may be updated are kept all the same
KEEPING = 2 + 8 + 32
# A: fires always; O: not while a replication stream is replayed; R: only then; D: never
TRIGGER = """
SELECT tgenabled, tgtype, tgfoid = to_regproc('log.refuse_change') FROM pg_trigger
WHERE tgrelid = to_regclass(%s) AND tgname = %s AND NOT tgisinternal
"""
STATES = {"O": "not while replicating", "R": "while replicating only", "D": "disabled"}
POWERS = """
SELECT rolsuper, rolcreaterole, pg_has_role(role.oid, datdba, 'MEMBER'),
       pg_has_role(role.oid, (SELECT nspowner FROM pg_namespace WHERE nspname = 'log'), 'MEMBER'),
       has_schema_privilege(role.oid, 'log', 'CREATE'),
       has_parameter_privilege(role.oid, 'session_replication_role', 'SET'),
       pg_has_role(role.oid, 'pg_write_server_files', 'MEMBER')
       OR pg_has_role(role.oid, 'pg_execute_server_program', 'MEMBER')
FROM pg_roles AS role CROSS JOIN pg_database WHERE datname = current_database() AND rolname = %s
"""
OWNED = """
SELECT relname FROM pg_class WHERE relnamespace = 'log'::regnamespace AND relkind IN ('r', 'p', 'v')
AND pg_has_role(%s, relowner, 'MEMBER') ORDER BY relname
"""
MAY = "SELECT has_table_privilege(%s, to_regclass(%s), %s)"
MAY_UPDATE = """
SELECT attname FROM pg_attribute
WHERE attrelid = to_regclass(%(table)s) AND attnum > 0 AND NOT attisdropped AND attname <> ALL (%(allowed)s)
AND has_column_privilege(%(role)s, attrelid, attnum, 'UPDATE') ORDER BY attnum
"""
CHANGES = ("UPDATE", "DELETE", "TRUNCATE", "TRIGGER")
CURRENT = "SELECT current_user, current_setting('session_replication_role')"


def unguarded(connection: Connection[Any]) -> list[str]:
    """The tables that must not change and whose trigger is missing, weakened or off, each with what is wrong."""
    found = []
    for table in TABLES:
        if table.trigger is None:
            continue
        row = connection.execute(TRIGGER, [table.name, table.trigger]).fetchone()
        if row is None:
            found.append(f"{table.name} (trigger {table.trigger} is missing)")
            continue
        state, kind, refuses = row
        state = state.decode() if isinstance(state, bytes) else state
        if state != "A":
            found.append(f"{table.name} (trigger {table.trigger}: {STATES.get(state, state)})")
        elif kind != (KEEPING if table.trigger == "kept" else GUARDING) or not refuses:
            found.append(f"{table.name} (trigger {table.trigger} is another one)")
    return found


def current_role(connection: Connection[Any]) -> str:
    """The role this connection has."""
    return str(_row(connection, CURRENT)[0])


def replicating(connection: Connection[Any]) -> str | None:
    """The session's replication role where it is not the ordinary one: ordinary triggers do not fire then."""
    said = str(_row(connection, CURRENT)[1])
    return None if said == "origin" else said


def is_superuser(connection: Connection[Any], role: str) -> bool:
    """Whether a role is a superuser."""
    return bool(_row(connection, POWERS, [role])[0])


def weaknesses(connection: Connection[Any], role: str) -> list[str]:
    """By what a role could change the log, in words; nothing where it cannot. Of a superuser, that alone."""
    superuser, creates, database, owner, schema, replication, files = _row(connection, POWERS, [role])
    if superuser:
        return ["is a superuser"]
    said = {
        "may make roles and give itself others'": creates,
        "owns the database, or is a member of its owner": database,
        "owns the schema log, or is a member of its owner": owner,
        "may create in the schema log": schema and not owner,
        "may set session_replication_role": replication,
        "may write files or run programs on the server": files,
    }
    return [*(told for told, true in said.items() if true), *_on_tables(connection, role)]


def _on_tables(connection: Connection[Any], role: str) -> Iterator[str]:
    owned = [name for (name,) in connection.execute(OWNED, [role])]
    if owned:
        yield f"owns {', '.join(f'log.{name}' for name in owned)}"
    for table in TABLES:
        if table.trigger is None or table.name.removeprefix("log.") in owned:
            continue
        may = [right for right in CHANGES if _row(connection, MAY, [role, table.name, right])[0]]
        if "UPDATE" not in may:
            values = {"table": table.name, "allowed": list(table.update), "role": role}
            columns = [name for (name,) in connection.execute(MAY_UPDATE, values)]
            if columns:
                may.append(f"UPDATE ({', '.join(columns)})")
        if may:
            yield f"may {', '.join(may)} on {table.name}"


def _row(connection: Connection[Any], query: str, values: list[Any] | None = None) -> Any:
    row = connection.execute(query.encode(), values).fetchone()
    assert row is not None
    return row
