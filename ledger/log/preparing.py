"""A database made ready for this program: by its owner; any other role only looks whether it is."""

from __future__ import annotations

from typing import Any

from psycopg import Connection
from psycopg.errors import InsufficientPrivilege

from ledger.errors import DatabaseUnfit, MigrationError
from ledger.events import COLUMNS
from ledger.log.migration import migrate, pending
from ledger.log.relation import events_view_stands, make_events_view
from ledger.log.rights import grant, running_roles

OWNER = """
SELECT current_user, pg_get_userbyid(nspowner), pg_has_role(nspowner, 'USAGE'), has_schema_privilege(oid, 'USAGE')
FROM pg_namespace WHERE nspname = 'log'
"""
EVENTS_VIEW = "the view log.events"


def prepare(connection: Connection[Any]) -> list[str]:
    """Bring the database to this program's structure; what had to be done, by name.

    Where it has that structure already nothing is touched, so that any role may start on it. Raises MigrationError
    where it has not and this role does not own the log, DatabaseUnfit where the role has no rights here at all.
    """
    row = connection.execute(OWNER).fetchone()
    if row is not None:
        role, owner, owns, sees = row
        if not owns:
            if not sees:
                raise _no_rights(role, owner)
            try:
                missing = _missing(connection)
            except InsufficientPrivilege as error:
                raise _no_rights(role, owner) from error
            if missing:
                raise MigrationError(
                    f"The database is not at this program's structure ({', '.join(missing)} missing), and the role "
                    f"{role} may not change it: run `reqledger migrate` as {owner} (LEDGER_OWNER_URL), then start "
                    "again."
                )
            return []
        if not _missing(connection):
            return []
    done = migrate(connection)
    if make_events_view(connection, COLUMNS):
        done.append(EVENTS_VIEW)
    # a view made anew and a table made by a migration have no rights on them yet
    for running in running_roles(connection):
        grant(connection, running)
    return done


def _missing(connection: Connection[Any]) -> list[str]:
    missing = pending(connection)
    return missing or ([] if events_view_stands(connection, COLUMNS) else [EVENTS_VIEW])


def _no_rights(role: str, owner: str) -> DatabaseUnfit:
    return DatabaseUnfit(
        f"The role {role} has no rights on this ledger, which {owner} owns: run `reqledger migrate --grant-to {role}` "
        f"as {owner} (LEDGER_OWNER_URL), then start again."
    )
