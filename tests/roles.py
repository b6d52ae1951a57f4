"""A database as it should be run: one ordinary role owns and migrates it, another runs the ledger."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from ledger.log.application import Ledger
from ledger.log.rights import grant
from ledger.settings import Settings


@dataclass(frozen=True)
class Roles:
    """Connection strings of one database under its roles, and the roles' names."""

    owner: str
    owner_url: str
    runner: str
    runner_url: str
    superuser_url: str


@contextmanager
def roles(postgres: str) -> Iterator[Roles]:
    """An empty database and its two roles, of which neither is a superuser; all gone afterwards."""
    mark = uuid.uuid4().hex[:12]
    owner, runner, database = f"owner_{mark}", f"runner_{mark}", f"ledger_roles_{mark}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        for role in (owner, runner):
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
        made = sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0")
        connection.execute(made.format(sql.Identifier(database), sql.Identifier(owner)))
    try:
        yield Roles(
            owner,
            make_conninfo(postgres, dbname=database, user=owner),
            runner,
            make_conninfo(postgres, dbname=database, user=runner),
            make_conninfo(postgres, dbname=database),
        )
    finally:
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))
            for role in (owner, runner):
                connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def migrated(made: Roles) -> None:
    """Migrate the database as its owner, and grant the runner what running needs."""
    Ledger.prepare(Settings(database_url=made.owner_url))
    with psycopg.connect(made.owner_url, autocommit=True) as connection:
        grant(connection, made.runner)
