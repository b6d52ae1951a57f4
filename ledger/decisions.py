"""Deciding: whether what is claimed may be recorded, all of a unit or nothing. Pure.

The appender supplies a ``World``, what is recorded so far, and calls ``decide_unit`` for each unit, holding the lock
under which it appends. What a unit was given back is an ``Overlay``: a world with the unit's entries on top. Units that
go into one transaction are decided one after another against a common overlay::

    batch = Overlay(world)
    for unit in units:
        decided = decide_unit(unit, batch, position=next_position, recorded_at=times, recorded_by=key_id)
        batch.absorb(decided)
        next_position += len(decided.entries)

and afterwards ``batch.entries`` is what to store, ``batch.snapshots`` what to put into a cache of states. ``reads``
tells beforehand which subjects a claim is going to be decided on, so that they can be loaded before the lock is taken.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from ledger.aggregates.rulebook import Rulebook
from ledger.claims import VOID, Claim, Recorded
from ledger.errors import Refused, VersionMismatch
from ledger.events import AGGREGATES
from ledger.voids import (
    PROPOSED,
    Reshaped,
    effective,
    fold,
    refuse_alone,
    refuse_nonsense,
    refuse_proposal,
    void_target,
)

Key = tuple[str, str]
"""A stream: aggregate and subject."""

SKEW = timedelta(minutes=5)
"""How far a sender's clock may run ahead of the ledger's."""

HARD_REFERENCES = {
    "delivery.planned": "requirement_id",
    "notice_delivery.sent": "notice_id",
    "customer.merged": "into_id",
    "contact.merged": "into_id",
    "requirement.merged": "into_id",
}
"""The references a decision may follow backwards: event type and the field that names another subject."""


class Snapshot(NamedTuple):
    """A subject at one version (the number of its entries, voids included). ``state`` is None when it is not open."""

    version: int
    state: Any


NOTHING = Snapshot(0, None)
"""A subject of which nothing is recorded."""


class World(Protocol):
    """What is recorded, as decisions read it. ``Overlay`` is a World too."""

    def snapshot(self, aggregate: str, subject: str) -> Snapshot:
        """The subject's version and state: ``fold`` of its stream, or kept up to date with ``evolve``."""

    def referring(self, aggregate: str, field: str, subject: str) -> Iterable[str]:
        """The subjects of ``aggregate`` that have ever named ``subject`` in ``field``, voided or not.

        Asked for the fields of ``HARD_REFERENCES`` only: on a merge, on the void of what one names.
        """

    def subjects(self, aggregate: str) -> Iterable[str]:
        """The subjects of ``aggregate`` that anything is recorded of. Asked for rule books, on a void."""

    def stream(self, aggregate: str, subject: str) -> Sequence[Recorded]:
        """All entries of a subject by position, voided ones and voids too. Asked when something is voided."""

    def entry(self, position: int) -> Recorded | None:
        """The entry at a position, None beyond the last. Asked when something is voided."""


class Overlay:
    """A world with entries on top that are decided and not yet stored."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.entries: list[Recorded] = []
        """What was decided, at consecutive positions."""
        self.snapshots: dict[Key, Snapshot] = {}
        """The subjects those entries changed, as they are afterwards."""
        self._referring: dict[tuple[str, str, str], list[str]] = {}

    def snapshot(self, aggregate: str, subject: str) -> Snapshot:
        return self.snapshots.get((aggregate, subject)) or self._world.snapshot(aggregate, subject)

    def state(self, aggregate: str, subject: str) -> Any:
        return self.snapshot(aggregate, subject).state

    def referring(self, aggregate: str, field: str, subject: str) -> Iterable[str]:
        here = self._referring.get((aggregate, field, subject), ())
        return dict.fromkeys((*self._world.referring(aggregate, field, subject), *here))

    def subjects(self, aggregate: str) -> Iterable[str]:
        here = (entry.subject for entry in self.entries if entry.aggregate == aggregate)
        return dict.fromkeys((*self._world.subjects(aggregate), *here))

    def stream(self, aggregate: str, subject: str) -> Sequence[Recorded]:
        here = (entry for entry in self.entries if entry.subject == subject and entry.aggregate == aggregate)
        return [*self._world.stream(aggregate, subject), *here]

    def entry(self, position: int) -> Recorded | None:
        place = position - self.entries[0].position if self.entries else -1
        return self.entries[place] if 0 <= place < len(self.entries) else self._world.entry(position)

    def add(self, entry: Recorded, snapshot: Snapshot) -> None:
        """Put one more entry on top, and the snapshot of its subject after it."""
        key = (entry.aggregate, entry.subject)
        self.entries.append(entry)
        self.snapshots[key] = snapshot
        field = HARD_REFERENCES.get(entry.type)
        if field is not None:
            self._referring.setdefault((entry.aggregate, field, getattr(entry.data, field)), []).append(entry.subject)

    def absorb(self, decided: "Overlay") -> None:
        """Take over what was decided on top of this overlay."""
        self.entries += decided.entries
        self.snapshots |= decided.snapshots
        for reference, subjects in decided._referring.items():
            self._referring.setdefault(reference, []).extend(subjects)


def reads(claim: Claim) -> Iterator[Key]:
    """The streams a claim is surely decided on: its own and those it may not name in vain.

    A merge goes on to read the survivors above, and the merged below; a void reads its stream when it is decided.
    """
    if claim.type == VOID:
        return
    yield claim.aggregate, claim.subject
    field = HARD_REFERENCES.get(claim.type)
    if field is not None:
        yield (claim.aggregate if field == "into_id" else field.removesuffix("_id")), getattr(claim.data, field)


def decide_unit(
    claims: Sequence[Claim],
    world: World,
    *,
    position: int,
    recorded_at: Sequence[datetime],
    recorded_by: str,
    skew: timedelta = SKEW,
) -> Overlay:
    """Decide claims that stand or fall together; the overlay given back holds their entries.

    The entries take the positions from ``position`` on; ``recorded_at`` holds one aware UTC time per claim, never
    going back. Claims already recorded (same source and id) are to be left out before. Raises Refused, with the
    index of the claim, when a rule refuses one of them; then none may be recorded.
    """
    unit = Overlay(world)
    reshaped: Reshaped = {}
    places: dict[Key, int] = {}
    for index, (claim, at) in enumerate(zip(claims, recorded_at, strict=True)):
        try:
            if claim.occurred_at > at + skew:
                raise Refused(
                    "event.ahead_of_clock",
                    f"{claim.type} of {claim.subject} would have occurred {claim.occurred_at - at} after the ledger's "
                    f"present time; at most {skew} is taken for a clock that runs ahead",
                )
            places[_decide(claim, unit, reshaped, position + index, at, recorded_by, index)] = index
        except Refused as refusal:
            refusal.index = index
            raise
    if reshaped:
        refuse_nonsense(unit, reshaped)
    for (aggregate, subject), snapshot in unit.snapshots.items():
        settle = AGGREGATES[aggregate].settle
        if settle is not None and snapshot.state is not None:
            try:
                settle(snapshot.state, subject)
            except Refused as refusal:
                refusal.index = places[aggregate, subject]
                raise
    return unit


def _decide(
    claim: Claim,
    unit: Overlay,
    reshaped: Reshaped,
    position: int,
    recorded_at: datetime,
    recorded_by: str,
    index: int,
) -> Key:
    """Decide one claim and put its entry on top of the unit."""
    target = void_target(claim, unit) if claim.type == VOID else None
    key = (target.aggregate if target else claim.aggregate, claim.subject)
    rules = AGGREGATES[key[0]]
    before = unit.snapshot(*key)
    if claim.expected_version is not None and claim.expected_version != before.version:
        raise VersionMismatch(f"{key[0]} {key[1]}", claim.expected_version, before.version)
    if target is None:
        if claim.type == PROPOSED or (key[0] == "void" and before.state is not None):
            refuse_proposal(claim, unit)
        rules.decide(before.state, claim, unit)
    else:
        if _needs_second_person(target, unit):
            refuse_alone(target, recorded_by, unit)
        reshaped.setdefault(key, []).append((index, target))
    entry = Recorded(
        id=claim.id,
        source=claim.source,
        type=claim.type,
        aggregate=key[0],
        subject=claim.subject,
        occurred_at=claim.occurred_at,
        data=claim.data,
        actor=claim.actor,
        reason=claim.reason,
        correlation_id=claim.correlation_id,
        causation_id=claim.causation_id,
        position=position,
        version=before.version + 1,
        recorded_at=recorded_at,
        recorded_by=recorded_by,
    )
    # A stream something was voided of is folded anew: an opening told again takes its old place before the rest.
    state = fold(key[0], [*unit.stream(*key), entry]) if key in reshaped else rules.evolve(before.state, entry)
    unit.add(entry, Snapshot(before.version + 1, state))
    return key


def _needs_second_person(target: Recorded, unit: Overlay) -> bool:
    """Whether the rule book published last says so: one recorded rule for all, whoever voids."""
    books: Iterable[Rulebook | None] = (unit.state("rulebook", name) for name in unit.subjects("rulebook"))
    return any(book is not None and book.needs_second_person(target.type) for book in books)


__all__ = [
    "HARD_REFERENCES",
    "NOTHING",
    "SKEW",
    "Key",
    "Overlay",
    "Snapshot",
    "World",
    "decide_unit",
    "effective",
    "fold",
    "reads",
]
