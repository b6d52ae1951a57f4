"""One group of units decided against the caught-up world: duplicates answered, clocks read, each unit on its own."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from ledger.claims import Claim, Recorded
from ledger.decisions import Overlay, World, decide_unit
from ledger.errors import AppendFailed, DuplicateMismatch, LedgerError, Refused
from ledger.events import PERSONAL
from ledger.vocabulary import Erased

Unit = Sequence[Claim]

_logger = logging.getLogger(__name__)


class Appended(NamedTuple):
    """Where a claim stands in the log. `duplicate`: it stood there before; nothing was appended for it now."""

    position: int
    aggregate: str
    subject: str
    version: int
    recorded_at: datetime
    duplicate: bool


Outcome = list[Appended] | LedgerError


@dataclass
class Group:
    """Units going into one transaction. `position` is the last one taken; `clock` the ledger's present time.

    `told` holds, by source and id, what is recorded already among what was asked for, personal texts readable or
    Erased.
    """

    world: World
    position: int
    clock: datetime
    simulated: bool
    skew: timedelta
    told: dict[tuple[str, str], Recorded]
    overlay: Overlay = field(init=False)

    def __post_init__(self) -> None:
        self.overlay = Overlay(self.world)

    def decide(self, unit: Unit, recorded_by: str) -> Outcome:
        """What becomes of a unit. One that is refused leaves the group as it was."""
        try:
            return self._decide(unit, recorded_by)
        except LedgerError as refusal:
            return refusal
        except Exception:
            # a fault of ours in one unit must not take the others with it
            _logger.exception("deciding a unit of %d claims failed", len(unit))
            return AppendFailed("The events could not be decided; the ledger's log says why.")

    def _decide(self, unit: Unit, recorded_by: str) -> list[Appended]:
        answers: list[Appended | None] = [None] * len(unit)
        fresh: list[int] = []
        first: dict[tuple[str, str], int] = {}
        for index, claim in enumerate(unit):
            key = (claim.source, claim.id)
            earlier = self.told.get(key)
            if earlier is not None:
                if not same(claim, earlier):
                    raise DuplicateMismatch(claim.source, claim.id, earlier.position, index)
                answers[index] = _appended(earlier, duplicate=True)
            elif key not in first:
                first[key] = index
                fresh.append(index)
            elif not same(claim, unit[first[key]]):
                raise Refused(
                    "event.id_taken",
                    f"source {claim.source} tells two different events with id {claim.id} in one request: "
                    "give each an id of its own",
                    index,
                )
        times = self._times([(index, unit[index]) for index in fresh])
        try:
            decided = decide_unit(
                [unit[index] for index in fresh],
                self.overlay,
                position=self.position + 1,
                recorded_at=times,
                recorded_by=recorded_by,
                skew=self.skew,
            )
        except Refused as refusal:
            if refusal.index is not None:
                refusal.index = fresh[refusal.index]
            raise
        self._take(decided)
        for index, entry in zip(fresh, decided.entries, strict=True):
            answers[index] = _appended(entry, duplicate=False)
        return [
            answer or _appended(self.told[claim.source, claim.id], duplicate=True)
            for claim, answer in zip(unit, answers, strict=True)
        ]

    def _times(self, claims: Iterable[tuple[int, Claim]]) -> list[datetime]:
        """When each claim is recorded: now, or on a simulated ledger when the claim says so; never going back."""
        clock = self.clock
        times = []
        for index, claim in claims:
            if claim.recorded_at is not None:
                if not self.simulated:
                    raise Refused(
                        "clock.not_simulated",
                        "only a ledger created for simulation takes recordedat; this one reads its own clock",
                        index,
                    )
                clock = max(clock, claim.recorded_at)
            times.append(clock)
        return times

    def _take(self, decided: Overlay) -> None:
        self.overlay.absorb(decided)
        for entry in decided.entries:
            self.told[entry.source, entry.id] = entry
        if decided.entries:
            self.position = decided.entries[-1].position
            self.clock = decided.entries[-1].recorded_at


def same(claim: Claim, told: Claim | Recorded) -> bool:
    """Whether a claim says what was told before, taking its word for what was erased.

    The aggregate of a void is not its sender's to say.
    """
    told = _given_back(claim, told)
    return (
        claim.type == told.type
        and claim.subject == told.subject
        and claim.occurred_at == told.occurred_at
        and claim.data == told.data
        and claim.actor == told.actor
        and claim.reason == told.reason
        and claim.correlation_id == told.correlation_id
        and claim.causation_id == told.causation_id
    )


def _given_back(claim: Claim, told: Claim | Recorded) -> Claim | Recorded:
    """What was told, with the claim's texts in place of those that are erased."""
    if isinstance(told.reason, Erased):
        told = replace(told, reason=claim.reason)
    erased = [name for name in PERSONAL[told.type] if isinstance(getattr(told.data, name), Erased)]
    if erased and claim.type == told.type:
        told = replace(told, data=told.data.model_copy(update={name: getattr(claim.data, name) for name in erased}))
    return told


def _appended(entry: Recorded, *, duplicate: bool) -> Appended:
    return Appended(entry.position, entry.aggregate, entry.subject, entry.version, entry.recorded_at, duplicate)
