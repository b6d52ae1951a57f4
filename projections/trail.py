"""The trail: which other entities' events concern one, found through the names that every append keeps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from psycopg import Connection

Entity = tuple[str, str]

NAMING = (
    "SELECT DISTINCT e.aggregate, e.subject, n.field FROM log.names n JOIN log.entries e USING (position) "
    "WHERE n.aggregate = %s AND n.subject = %s AND e.position <= %s"
)
NAMED = (
    "SELECT DISTINCT n.aggregate, n.subject, n.field FROM log.entries e JOIN log.names n USING (position) "
    "WHERE e.aggregate = %s AND e.subject = %s AND e.position <= %s"
)
NAMING_POSITIONS = (
    "SELECT n.position FROM log.names n WHERE n.aggregate = %(aggregate)s AND n.subject = %(subject)s "
    "AND n.position <= %(upto)s"
)
NO_END = 2**63 - 1
ENDS = frozenset({"customer", "plan", "notice"})
"""What many others name without depending on each other for it."""


def streams(connection: Connection[Any], entity: Entity, upto: int = NO_END) -> set[Entity]:
    """The entities whose whole streams belong to the history of one.

    A requirement: the contact it came from, the handoffs of both, its deliveries, and all that was merged into it. A
    contact: its handoffs, and what was merged into it. A handoff, delivery or delivery of a notice: what it is about.
    """
    aggregate = entity[0]
    found = {entity}
    if aggregate in ("requirement", "contact", "customer"):
        found |= _merged_into(connection, entity, upto)
    for member in tuple(found):
        if aggregate == "requirement":
            contacts = {each for each, _ in _named(connection, member, upto) if each[0] == "contact"}
            found |= contacts
            for about in {member, *contacts}:
                found |= {
                    each
                    for each, _ in _naming(connection, about, upto)
                    if each[0] == "handoff" or (each[0] == "delivery" and about == member)
                }
        elif aggregate == "contact":
            found |= {each for each, _ in _naming(connection, member, upto) if each[0] == "handoff"}
        elif aggregate in ("handoff", "delivery"):
            found |= {each for each, _ in _named(connection, member, upto) if each[0] in ("contact", "requirement")}
        elif aggregate == "notice_delivery":
            found |= {each for each, _ in _named(connection, member, upto) if each[0] == "notice"}
    return found


def cluster(connection: Connection[Any], entity: Entity, upto: int = NO_END) -> set[Entity]:
    """Every entity that the rows of one can depend on: all that is linked to it, `ENDS` being where links end.

    Behind a customer stands whoever survives it; a customer's own rows are made of all that it was merged with.
    """
    found, waiting = {entity}, [entity]
    while waiting:
        each = waiting.pop()
        own = each == entity or each[0] == entity[0] == "customer"
        whole = own or (each[0] not in ENDS and entity[0] != "customer")
        linked: set[Entity] = set()
        if whole:
            linked = {other for other, _ in (*_named(connection, each, upto), *_naming(connection, each, upto))}
        elif each[0] == "customer":
            linked = {other for other, field in _named(connection, each, upto) if field == "into_id"}
        waiting += linked - found
        found |= linked
    return found


def naming_positions(connection: Connection[Any], entity: Entity, upto: int = NO_END) -> set[int]:
    """Positions of other entities' events that name this one."""
    aggregate, subject = entity
    parameters = {"aggregate": aggregate, "subject": subject, "upto": upto}
    return {row[0] for row in connection.execute(NAMING_POSITIONS, parameters)}


def _merged_into(connection: Connection[Any], entity: Entity, upto: int) -> set[Entity]:
    found: set[Entity] = set()
    waiting = [entity]
    while waiting:
        members = {
            each
            for each, field in _naming(connection, waiting.pop(), upto)
            if field == "into_id" and each[0] == entity[0]
        }
        waiting += members - found
        found |= members
    return found


def _naming(connection: Connection[Any], entity: Entity, upto: int) -> Iterable[tuple[Entity, str]]:
    return [((row[0], row[1]), row[2]) for row in connection.execute(NAMING, [*entity, upto])]


def _named(connection: Connection[Any], entity: Entity, upto: int) -> Iterable[tuple[Entity, str]]:
    return [((row[0], row[1]), row[2]) for row in connection.execute(NAMED, [*entity, upto])]
