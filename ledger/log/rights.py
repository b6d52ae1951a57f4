"""Who may do what to the log's tables: the one list of them, and the role that runs the ledger without owning it.

`TABLES` names every table and view of the schemas `log` and `projections`, what running needs to do with it, and the
trigger that keeps it from being changed. A table that a migration makes stands here too, in one line.

The owner migrates; one other role runs. What a role holds is read from the database itself, nowhere else: so granting
again after a migration gives what is new, and takes what is more than the list says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from psycopg import Connection, sql

from ledger.errors import LedgerError

READ = ("SELECT",)
ADD = ("SELECT", "INSERT")
CHANGE = ("SELECT", "INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True)
class Table:
    """What running the ledger does with a table. `update` names the columns that it may update, and no others.

    `trigger` refuses UPDATE (unless there are such columns), DELETE and TRUNCATE to everybody, the owner included.
    """

    name: str
    rights: tuple[str, ...]
    update: tuple[str, ...] = ()
    trigger: str | None = None


TABLES = (
    Table("log.entries", ADD, trigger="append_only"),
    Table("log.names", ADD, trigger="append_only"),
    # an append locks its one row, which takes the right to update a column; this one can only ever say true
    Table("log.ledger", ADD, update=("only_one",), trigger="created_once"),
    Table("log.documents", ADD, trigger="append_only"),
    Table("log.tiles", ADD, trigger="append_only"),
    Table("log.checkpoints", ADD, trigger="append_only"),
    Table("log.seal_keys", ADD, trigger="append_only"),
    Table("log.cosignatures", ADD, trigger="append_only"),
    Table("log.contradictions", ADD, trigger="append_only"),
    Table("log.renamings", ADD, trigger="append_only"),
    # a data key is destroyed by emptying its row, and wrapped again by another key-encryption key
    Table("log.data_keys", ADD, update=("wrapped", "wrapped_by", "destroyed_at"), trigger="kept"),
    Table("log.wrapping_keys", ADD, trigger="append_only"),
    Table("log.migrations", READ, trigger="append_only"),
    Table("log.head", READ),
    Table("log.events", READ),
    Table("log.keys", ADD, update=("revoked_at",)),
    Table("log.meta", CHANGE),
    Table("log.tracking", CHANGE),
    Table("projections.generations", ("SELECT", "INSERT", "UPDATE")),
    Table("projections.compiled", ("SELECT", "INSERT", "DELETE")),
)
"""Every table and view of the ledger's own schemas. Those of generations belong to the role that runs."""
SCHEMAS = ("log", "projections")
OF_DATABASE = ("CONNECT", "CREATE", "TEMPORARY")
"""To make the generations' schemas, and temporary tables."""

ROLE = """
SELECT rolsuper, pg_has_role(rolname, (SELECT nspowner FROM pg_namespace WHERE nspname = 'log'), 'MEMBER'),
       rolname = current_user
FROM pg_roles WHERE rolname = %s
"""
RUNNING = """
SELECT DISTINCT role.rolname
FROM pg_class AS entries CROSS JOIN LATERAL aclexplode(entries.relacl) JOIN pg_roles AS role ON role.oid = grantee
WHERE entries.oid = 'log.entries'::regclass AND privilege_type = 'INSERT' AND grantee <> entries.relowner
ORDER BY role.rolname
"""
# what was granted to the role by name: (kind, place, column, right)
HELD = """
SELECT 'database', datname::text, NULL, privilege_type
FROM pg_database CROSS JOIN LATERAL aclexplode(datacl) JOIN pg_roles AS role ON role.oid = grantee
WHERE datname = current_database() AND rolname = %(role)s
UNION ALL
SELECT 'schema', nspname::text, NULL, privilege_type
FROM pg_namespace CROSS JOIN LATERAL aclexplode(nspacl) JOIN pg_roles AS role ON role.oid = grantee
WHERE nspname = ANY(%(schemas)s) AND rolname = %(role)s
UNION ALL
SELECT 'table', nspname || '.' || relname, NULL, privilege_type
FROM pg_class JOIN pg_namespace AS schema ON schema.oid = relnamespace CROSS JOIN LATERAL aclexplode(relacl)
JOIN pg_roles AS role ON role.oid = grantee
WHERE nspname = ANY(%(schemas)s) AND rolname = %(role)s AND relkind IN ('r', 'p', 'v', 'm')
UNION ALL
SELECT 'table', nspname || '.' || relname, attname::text, privilege_type
FROM pg_attribute JOIN pg_class AS class ON class.oid = attrelid
JOIN pg_namespace AS schema ON schema.oid = relnamespace
CROSS JOIN LATERAL aclexplode(attacl) JOIN pg_roles AS role ON role.oid = grantee
WHERE nspname = ANY(%(schemas)s) AND rolname = %(role)s
"""
GRANT = sql.SQL("GRANT {right} ON {kind} {place} TO {role}")
REVOKE = sql.SQL("REVOKE {right} ON {kind} {place} FROM {role} CASCADE")
DATABASE = "SELECT current_database()"


class NotGranted(LedgerError):
    """A role cannot be given the rights of running the ledger: the message says why and what to do."""


class Right(NamedTuple):
    """A right on a database, a schema, a table or one of its columns."""

    kind: str
    place: str
    column: str | None
    right: str

    def __str__(self) -> str:
        column = f" ({self.column})" if self.column else ""
        return f"{self.right}{column} on {'' if self.kind == 'table' else self.kind + ' '}{self.place}"

    def statement(self, how: sql.SQL, role: str) -> sql.Composed:
        right: sql.Composable = sql.SQL(self.right)
        if self.column is not None:
            right = sql.SQL("{} ({})").format(right, sql.Identifier(self.column))
        place = sql.Identifier(*(self.place.split(".") if self.kind == "table" else [self.place]))
        return how.format(right=right, kind=sql.SQL(self.kind.upper()), place=place, role=sql.Identifier(role))


@dataclass(frozen=True)
class Granted:
    """What became of a role's rights; both empty where it held exactly these."""

    granted: tuple[Right, ...]
    revoked: tuple[Right, ...]


def running_roles(connection: Connection[Any]) -> list[str]:
    """The roles, beside the owner, that were given the right to append: one, or none yet."""
    return [name for (name,) in connection.execute(RUNNING)]


def grant(connection: Connection[Any], role: str) -> Granted:
    """Give an existing role what running the ledger needs and take whatever else it was given, in one transaction.

    Raises NotGranted for a role that is not there, a superuser, or one that is or may become the owner.
    """
    found = connection.execute(ROLE, [role]).fetchone()
    if found is None:
        raise NotGranted(f"There is no role {role}: make it first, CREATE ROLE {role} LOGIN PASSWORD '…'.")
    superuser, owns, own = found
    if superuser:
        raise NotGranted(f"{role} is a superuser, whom no right can be kept from: name an ordinary role.")
    if own or owns:
        raise NotGranted(
            f"{role} owns the log, or is a member of the role that does, and may change it: name another role, which "
            "runs the ledger while this one migrates it."
        )
    return _settle(connection, role, set(_needed(connection)))


def withdraw(connection: Connection[Any], role: str) -> Granted:
    """Take all rights that a role was given on the ledger, in one transaction."""
    return _settle(connection, role, set())


def _settle(connection: Connection[Any], role: str, needed: set[Right]) -> Granted:
    with connection.transaction():
        held = {Right(*row) for row in connection.execute(HELD, {"role": role, "schemas": list(SCHEMAS)})}
        granted, revoked = sorted(needed - held, key=str), sorted(held - needed, key=str)
        # first: taking a right on a whole table takes it on the columns too
        for right in revoked:
            connection.execute(right.statement(REVOKE, role))
        again = {right for right in needed & held if right.column and any(right.place == one.place for one in revoked)}
        for right in (*granted, *again):
            connection.execute(right.statement(GRANT, role))
    return Granted(tuple(granted), tuple(revoked))


def _needed(connection: Connection[Any]) -> Iterator[Right]:
    row = connection.execute(DATABASE).fetchone()
    assert row is not None
    yield from (Right("database", row[0], None, right) for right in OF_DATABASE)
    yield from (Right("schema", schema, None, "USAGE") for schema in SCHEMAS)
    for table in TABLES:
        yield from (Right("table", table.name, None, right) for right in table.rights)
        yield from (Right("table", table.name, column, "UPDATE") for column in table.update)
