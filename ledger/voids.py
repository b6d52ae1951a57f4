"""Voiding: taking back what was told, without leaving nonsense behind. Pure.

A void stands in the stream of what it voids. What remains of a subject is decided again in the order of positions, its
opening first wherever it was told: so an opening told wrongly is voided and told again in one unit. What may hang on
the subject from elsewhere (deliveries of a requirement or a notice, merges) is decided again too, each on the world as
it was at its own position.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from ledger.aggregates.delivery import DeliveryPlanned
from ledger.aggregates.record import RecordVoided
from ledger.claims import Claim, Recorded
from ledger.errors import Refused
from ledger.events import AGGREGATES
from ledger.occurrence import Reading
from ledger.second_person import another_person

NOT_VOIDABLE = frozenset({"customer.key_destroyed", "rulebook.published", "void.proposed", "void.declined"})
PROPOSED = "void.proposed"
MERGEABLE = frozenset({"customer", "contact", "requirement"})
DELIVERED_BY = {"requirement": ("delivery", "requirement_id"), "notice": ("notice_delivery", "notice_id")}
"""What hangs on a subject beside merges: the aggregate, and the field by which it names the subject."""

Reshaped = dict[tuple[str, str], list[tuple[int, Recorded]]]
"""The streams a unit voids something of, with the voids' places in the unit and what they void."""


class Streams(Protocol):
    """What voiding reads: part of ``ledger.decisions.World``."""

    def referring(self, aggregate: str, field: str, subject: str) -> Iterable[str]: ...

    def stream(self, aggregate: str, subject: str) -> Sequence[Recorded]: ...

    def entry(self, position: int) -> Recorded | None: ...


def effective(entries: Iterable[Recorded]) -> list[Recorded]:
    """What counts of one subject's entries: neither voided nor voids; by position, the opening event first."""
    entries = list(entries)
    voided = {entry.data.voided_position for entry in entries if isinstance(entry.data, RecordVoided)}
    if not voided:
        return entries
    live = [entry for entry in entries if entry.position not in voided and not isinstance(entry.data, RecordVoided)]
    return sorted(live, key=lambda entry: not entry.data.about.opens)


def fold(aggregate: str, entries: Iterable[Recorded]) -> Any:
    """The state all entries of one subject, given by position, come to; None when it is not open."""
    evolve = AGGREGATES[aggregate].evolve
    state = None
    for entry in effective(entries):
        state = evolve(state, entry)
    return state


def void_target(claim: Claim, world: Streams) -> Recorded:
    """What ``claim`` voids. Raises Refused when that is nothing, not the subject's, not voidable or voided already."""
    assert isinstance(claim.data, RecordVoided)
    target = _voidable(claim.data.voided_position, world)
    if target.subject != claim.subject:
        raise Refused(
            "void.other_subject",
            f"position {target.position} belongs to {target.aggregate} {target.subject}, not to {claim.subject}",
        )
    return target


def refuse_proposal(claim: Claim, world: Streams) -> None:
    """Refuse to propose the void of what cannot be voided, or to decline it then. Raises Refused."""
    if not re.fullmatch(r"[1-9][0-9]{0,17}", claim.subject):
        raise Refused(
            "void.subject_no_position",
            f"the subject of {claim.type} is the position to be voided, a number, not {claim.subject}",
        )
    _voidable(int(claim.subject), world)


def refuse_alone(target: Recorded, recorded_by: str, world: Streams) -> None:
    """Refuse to void ``target`` unless that is proposed, and under another key. Raises Refused, SamePerson."""
    told = world.stream("void", str(target.position))
    if not told or told[-1].type != PROPOSED:
        raise Refused(
            "void.not_proposed",
            f"to void a {target.type} needs a second person: tell void.proposed with the subject {target.position}, "
            "and have it voided under another key",
        )
    another_person(told[-1].recorded_by, recorded_by, f"the void of position {target.position}")


def _voidable(position: int, world: Streams) -> Recorded:
    target = world.entry(position)
    if target is None:
        raise Refused("void.unknown_position", f"nothing is recorded at position {position}")
    if isinstance(target.data, RecordVoided):
        raise Refused(
            "void.of_a_void",
            f"position {position} is itself a void, which cannot be voided: tell again what it took back",
        )
    if target.type in NOT_VOIDABLE:
        raise Refused("void.not_voidable", f"position {position} is a {target.type}, which cannot be voided")
    for entry in world.stream(target.aggregate, target.subject):
        if isinstance(entry.data, RecordVoided) and entry.data.voided_position == position:
            raise Refused(
                "void.already_voided", f"position {position} was already voided, at position {entry.position}"
            )
    return target


def refuse_nonsense(world: Streams, reshaped: Reshaped) -> None:
    """Refuse voids after which something that remains could not have been accepted.

    ``world`` holds the unit's entries already. Raises Refused("void.leaves_nonsense") naming what depends on the
    voided, with the index of a void in the unit.
    """
    first_void = min(index for voids in reshaped.values() for index, _ in voids)
    for key in _concerned(world, reshaped):
        rules = AGGREGATES[key[0]]
        index = reshaped[key][0][0] if key in reshaped else first_void
        state = None
        for entry in effective(world.stream(*key)):
            try:
                rules.decide(state, entry, _Past(world, entry.position))
            except Refused as refusal:
                raise _nonsense(entry, refusal, index) from refusal
            state = rules.evolve(state, entry)
        if rules.settle is not None and state is not None:
            try:
                rules.settle(state, key[1])
            except Refused as refusal:
                raise Refused(
                    "void.leaves_nonsense", f"what remains makes no sense: {refusal.message}", index
                ) from refusal


def _nonsense(entry: Recorded, refusal: Refused, index: int) -> Refused:
    return Refused(
        "void.leaves_nonsense",
        f"position {entry.position} ({entry.type} of {entry.subject}) depends on what is voided: {refusal.message}; "
        "void it in the same request, or leave both",
        index,
    )


class _Past(Reading):
    """The world an entry at ``position`` was decided on, less what was voided since."""

    def __init__(self, world: Streams, position: int) -> None:
        self._world = world
        self._position = position

    def state(self, aggregate: str, subject: str) -> Any:
        evolve = AGGREGATES[aggregate].evolve
        told = self._world.stream(aggregate, subject)
        voided_at = {
            entry.data.voided_position: entry.position for entry in told if isinstance(entry.data, RecordVoided)
        }
        # an opening voided since, and told again, stands for the one that was there
        retold = any(
            entry.data.about.opens and entry.position < self._position < voided_at.get(entry.position, 0)
            for entry in told
        )
        state = None
        for entry in effective(told):
            if entry.position < self._position or (retold and entry.data.about.opens):
                state = evolve(state, entry)
        return state

    def referring(self, aggregate: str, field: str, subject: str) -> Iterable[str]:
        return self._world.referring(aggregate, field, subject)


def _concerned(world: Streams, reshaped: Mapping[tuple[str, str], list[tuple[int, Recorded]]]) -> list[tuple[str, str]]:
    """The streams to decide again, each once: the reshaped ones and those whose decisions may have read them."""
    found = dict.fromkeys(reshaped)
    for (aggregate, subject), voids in reshaped.items():
        if aggregate in DELIVERED_BY:
            deliverer, field = DELIVERED_BY[aggregate]
            found.update(dict.fromkeys((deliverer, name) for name in world.referring(deliverer, field, subject)))
        if aggregate == "delivery":
            for entry in world.stream(aggregate, subject):
                if isinstance(entry.data, DeliveryPlanned):
                    found["requirement", entry.data.requirement_id] = None
        if aggregate in MERGEABLE and any(_moves_merges(target) for _, target in voids):
            found.update(dict.fromkeys((aggregate, name) for name in _merged_with(world, aggregate, subject)))
    return list(found)


def _moves_merges(target: Recorded) -> bool:
    return target.data.about.opens or target.type.endswith(("merged", "unmerged"))


def _merged_with(world: Streams, aggregate: str, subject: str) -> set[str]:
    """All subjects ever connected with ``subject`` by merges, itself included."""
    found: set[str] = set()
    waiting = [subject]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        waiting.extend(world.referring(aggregate, "into_id", name))
        waiting.extend(_survivors(world.stream(aggregate, name)))
    return found


def _survivors(entries: Iterable[Recorded]) -> Iterator[str]:
    for entry in entries:
        into = getattr(entry.data, "into_id", None)
        if into is not None:
            yield into
