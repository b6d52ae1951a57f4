"""`reqledger migrate`: the database's structure, and the rights of the role that runs the ledger."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.client import ClientError
from api.cli.connection import AsJson, nowhere, somewhere
from api.cli.output import say, show_json
from ledger.settings import Settings


def migrate(
    grant_to: Annotated[
        str | None,
        typer.Option(metavar="ROLE", help="An existing role, other than the owner, that is to run the ledger."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring the database to this program's structure, as its owner (LEDGER_OWNER_URL), and grant what running needs."""
    from ledger.log.database import Database
    from ledger.log.preparing import prepare
    from ledger.log.rights import Granted, grant, running_roles, withdraw
    from projections.generations import hand_over

    settings = Settings()
    if settings.owner_url is not None:
        settings = settings.model_copy(update={"database_url": settings.owner_url})
    if not somewhere(settings):
        raise ClientError(nowhere(settings))
    changed: dict[str, Granted] = {}
    handed: list[str] = []
    with Database.open(settings) as database, database.connect() as connection:
        # the running role may make schemas, also one that the owner's search path would lead to
        connection.execute("SET search_path TO pg_catalog")
        done = prepare(connection)
        with connection.transaction():
            before = running_roles(connection)
            for role in [grant_to] if grant_to else before:
                changed[role] = grant(connection, role)
                handed += hand_over(connection, role)
            # tables that one role makes are not another's to replace: one runs the ledger
            for role in before if grant_to else ():
                if role != grant_to:
                    changed[role] = withdraw(connection, role)
    if as_json:
        rights = {
            role: {"granted": [*map(str, each.granted)], "revoked": [*map(str, each.revoked)]}
            for role, each in changed.items()
        }
        show_json({"migrated": done, "rights": rights, "handed_over": handed})
        return
    say(f"Migrated: {', '.join(done)}." if done else "The database is at this program's structure.")
    for role, each in changed.items():
        for right in each.granted:
            say(f"granted to {role}: {right}")
        for right in each.revoked:
            say(f"revoked from {role}: {right}")
        if not each.granted and not each.revoked:
            say(f"{role} holds what running needs, and no more.")
    if handed:
        say(f"{grant_to or ', '.join(changed)} owns now: {', '.join(handed)}.")
