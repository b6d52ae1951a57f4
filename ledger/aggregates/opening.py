"""The first rule of every aggregate: a subject is opened once, and nothing happens to what was never opened."""

from ledger.errors import Refused
from ledger.occurrence import Occurrence


def refuse_first(told: Occurrence) -> None:
    """Refuse anything but the opening event of a subject that does not exist yet."""
    if not told.data.about.opens:
        raise Refused(
            f"{told.aggregate}.never_opened",
            f"{told.aggregate} {told.subject} is not recorded: tell the event that opens it before {told.type}",
        )


def refuse_later(told: Occurrence) -> None:
    """Refuse to open a subject that exists."""
    if told.data.about.opens:
        raise Refused(
            f"{told.aggregate}.already_opened",
            f"{told.aggregate} {told.subject} is already recorded: to correct how it began, void that event "
            "and tell it again in one request",
        )
