"""One group of units decided against the caught-up world: duplicates answered, clocks read, each unit on its own."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from ledger.claims import Claim, Recorded, decode
from ledger.decisions import Overlay, World, decide_unit
from ledger.errors import AppendFailed, DuplicateMismatch, LedgerError, Refused

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

    `stored` holds, by source and id, the bytes of entries that are recorded already among those asked for.
    """

    world: World
    position: int
    clock: datetime
    simulated: bool
    skew: timedelta
    stored: dict[tuple[str, str], bytes]
    overlay: Overlay = field(init=False)
    _told: dict[tuple[str, str], Recorded] = field(init=False, default_factory=dict)

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
            earlier = self._earlier(key)
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
            answer or _appended(self._told[claim.source, claim.id], duplicate=True)
            for claim, answer in zip(unit, answers, strict=True)
        ]

    def _earlier(self, key: tuple[str, str]) -> Recorded | None:
        told = self._told.get(key)
        if told is None and key in self.stored:
            told = self._told[key] = decode(self.stored[key])
        return told

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
            self._told[entry.source, entry.id] = entry
        if decided.entries:
            self.position = decided.entries[-1].position
            self.clock = decided.entries[-1].recorded_at


def same(claim: Claim, told: Claim | Recorded) -> bool:
    """Whether a claim says what was told before. The aggregate of a void is not its sender's to say."""
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


def _appended(entry: Recorded, *, duplicate: bool) -> Appended:
    return Appended(entry.position, entry.aggregate, entry.subject, entry.version, entry.recorded_at, duplicate)
