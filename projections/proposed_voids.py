"""Proposed voids as a list: what is asked to be voided, by whom, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from psycopg import Connection

from ledger.aggregates.void import VoidProposed
from ledger.claims import Recorded, decode

# in the order of the index; all of them, as there are few
PROPOSALS = "SELECT entry FROM log.entries WHERE aggregate = 'void' ORDER BY subject, version"
TARGETS = "SELECT position, entry FROM log.entries WHERE position = ANY(%s)"
VOIDS = "SELECT voided_position, entry FROM log.entries WHERE voided_position = ANY(%s)"

State = Literal["open", "approved", "declined"]


@dataclass(frozen=True)
class ProposedVoid:
    """The last proposal to void `target`, and what answered it: the void, or that it was declined; None while open."""

    target: Recorded
    proposed: Recorded
    answered: Recorded | None

    @property
    def state(self) -> State:
        if self.answered is None:
            return "open"
        return "declined" if self.answered.aggregate == "void" else "approved"


def proposed_voids(connection: Connection[Any]) -> list[ProposedVoid]:
    """Every position whose void was proposed, the newest proposal first."""
    told: dict[int, list[Recorded]] = {}
    for (entry,) in connection.execute(PROPOSALS):
        recorded = decode(entry)
        told.setdefault(int(recorded.subject), []).append(recorded)
    positions = list(told)
    targets = _by_position(connection.execute(TARGETS, [positions]))
    voids = _by_position(connection.execute(VOIDS, [positions]))
    found = [_last(targets[position], entries, voids.get(position)) for position, entries in told.items()]
    return sorted(found, key=lambda each: -each.proposed.position)


def _last(target: Recorded, told: list[Recorded], void: Recorded | None) -> ProposedVoid:
    proposed = next(entry for entry in reversed(told) if isinstance(entry.data, VoidProposed))
    declined = told[-1] if told[-1] is not proposed else None
    return ProposedVoid(target, proposed, void or declined)


def _by_position(rows: Iterable[tuple[int, bytes]]) -> dict[int, Recorded]:
    return {position: decode(entry) for position, entry in rows}
