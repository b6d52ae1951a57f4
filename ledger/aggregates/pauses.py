"""The pauses of a contact: intervals by the time they occurred that never overlap, each begun and resumed once."""

from dataclasses import dataclass, replace
from datetime import datetime

from ledger.errors import Refused
from ledger.occurrence import Occurrence
from ledger.vocabulary import instant_text


@dataclass(frozen=True, slots=True)
class Pause:
    """One pause of a contact's clocks; ``resumed_at`` is None while it lasts."""

    pause_id: str
    paused_at: datetime
    resumed_at: datetime | None = None


Pauses = tuple[Pause, ...]


def resumed(pauses: Pauses, pause_id: str, at: datetime) -> Pauses:
    """The pauses, with one of them ended."""
    return tuple(replace(pause, resumed_at=at) if pause.pause_id == pause_id else pause for pause in pauses)


def refuse_pause(pauses: Pauses, pause_id: str, told: Occurrence) -> None:
    """Refuse a pause that was told before, or that begins inside another."""
    for pause in pauses:
        if pause.pause_id == pause_id:
            raise Refused("contact.pause_repeated", f"pause {pause_id} of {told.subject} was already told")
        if pause.paused_at <= told.occurred_at and (pause.resumed_at is None or told.occurred_at < pause.resumed_at):
            raise _overlap(told.subject, pause_id, pause)


def refuse_resumption(pauses: Pauses, pause_id: str, told: Occurrence) -> None:
    """Refuse to end a pause that is unknown or ended, before its beginning, or after another began."""
    ended = next((pause for pause in pauses if pause.pause_id == pause_id), None)
    if ended is None:
        raise Refused(
            "contact.pause_unknown", f"{told.subject} has no pause {pause_id}: tell contact.paused before its end"
        )
    if ended.resumed_at is not None:
        raise Refused("contact.pause_resumed_twice", f"pause {pause_id} of {told.subject} was already resumed")
    if told.occurred_at < ended.paused_at:
        raise Refused(
            "contact.resumed_before_paused",
            f"pause {pause_id} of {told.subject} began at {instant_text(ended.paused_at)}: it cannot end before",
        )
    for pause in pauses:
        empty = pause.resumed_at == pause.paused_at
        if pause is not ended and not empty and ended.paused_at <= pause.paused_at < told.occurred_at:
            raise _overlap(told.subject, pause_id, pause)


def refuse_open_across(pauses: Pauses, subject: str) -> None:
    """Refuse a pause left open across another one.

    Asked at the end of a unit, not at each claim: a pause told late, with its end in the same unit, may lie before one
    already recorded.
    """
    for pause in pauses:
        if pause.resumed_at is not None:
            continue
        for other in pauses:
            if other is not pause and (other.resumed_at is None or other.resumed_at > pause.paused_at):
                raise _overlap(subject, pause.pause_id, other)


def _overlap(subject: str, pause_id: str, other: Pause) -> Refused:
    until = "now" if other.resumed_at is None else instant_text(other.resumed_at)
    return Refused(
        "contact.pauses_overlap",
        f"pause {pause_id} of {subject} would overlap pause {other.pause_id} "
        f"({instant_text(other.paused_at)} until {until})",
    )
