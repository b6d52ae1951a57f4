"""The history of a subject: every event that concerns it, across aggregates, in the order the ledger took them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from ledger.claims import Recorded, decode
from ledger.log.application import Ledger
from projections import trail
from projections.words import LANGUAGES, Language, sentence

OF_STREAMS = (
    "SELECT e.position, e.entry FROM log.entries e "
    "JOIN unnest(%(aggregates)s::text[], %(subjects)s::text[]) AS s(aggregate, subject) USING (aggregate, subject) "
    "WHERE e.position <= %(upto)s"
)
AT = "SELECT position, entry FROM log.entries WHERE position = ANY(%s)"
VOIDS = "SELECT voided_position, position FROM log.entries WHERE voided_position = ANY(%s) AND position <= %s"
PROPOSED_VOIDS = """
SELECT position, entry FROM log.entries WHERE aggregate = 'void' AND subject = ANY(%s) AND position <= %s
"""


@dataclass(frozen=True)
class Item:
    """One event of a history.

    own: whether it stands in the subject's own stream; voided_by: the position of the record that voids it (it stays in
    the history, struck); words: what happened, by language.
    """

    event: Recorded
    own: bool
    voided_by: int | None
    words: dict[Language, str]


def history(
    ledger: Ledger,
    aggregate: str,
    subject: str,
    *,
    as_of: int | None = None,
    personal: bool = False,
) -> list[Item]:
    """Everything that concerns a subject, up to position `as_of`, by position; empty when nothing does.

    Voided events, the voids and what was proposed to be voided are all there. With `personal`, words hold personal
    fields.
    """
    upto = trail.NO_END if as_of is None else as_of
    own = (aggregate, subject)
    with ledger.pool.connection() as connection:
        entries = _of_streams(connection, trail.streams(connection, own, upto), upto)
        naming = trail.naming_positions(connection, own, upto) - entries.keys()
        entries |= _at(connection, sorted(naming))
        voids = {row[0]: row[1] for row in connection.execute(VOIDS, [sorted(entries), upto])}
        entries |= _at(connection, sorted(voids.values() - entries.keys()))
        entries |= _proposed_voids(connection, entries, upto)
    told = [entries[position] for position in sorted(entries)]
    return [
        Item(
            event=entry,
            own=(entry.aggregate, entry.subject) == own,
            voided_by=voids.get(entry.position),
            words={language: sentence(entry, language, personal) for language in LANGUAGES},
        )
        for entry in (ledger.reveal(told) if personal else told)
    ]


def _of_streams(connection: Connection[Any], streams: set[trail.Entity], upto: int) -> dict[int, Recorded]:
    told = {
        "aggregates": [aggregate for aggregate, _ in streams],
        "subjects": [subject for _, subject in streams],
        "upto": upto,
    }
    return {row[0]: decode(row[1]) for row in connection.execute(OF_STREAMS, told)}


def _proposed_voids(connection: Connection[Any], entries: Iterable[int], upto: int) -> dict[int, Recorded]:
    rows = connection.execute(PROPOSED_VOIDS, [[str(position) for position in entries], upto])
    return {row[0]: decode(row[1]) for row in rows}


def _at(connection: Connection[Any], positions: Sequence[int]) -> dict[int, Recorded]:
    return {row[0]: decode(row[1]) for row in connection.execute(AT, [list(positions)])}
