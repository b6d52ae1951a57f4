"""The two questions about the past that reads take: what the ledger knew by then, and what had happened by then."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Query, Request

from api.http.context import program_of
from api.http.problems import FieldError, Problem, invalid
from ledger.vocabulary import instant

AsOf = Annotated[
    str | None,
    Query(
        max_length=64,
        description="As the ledger knew it then: a position, or a time of recording with its offset from UTC.",
    ),
]
ValidAt = Annotated[
    str | None, Query(max_length=64, description="As it had happened by this time, as known today (or by `as_of`).")
]


def moment(name: str, text: str) -> datetime:
    """A parameter that is a time. Raises a `Problem` (422) for anything else."""
    try:
        # a plus sign that was not percent-encoded arrives as a space
        return instant(text.replace(" ", "+"))
    except ValueError as error:
        raise invalid("A time cannot be read", [FieldError(name, str(error))]) from None


def position_of(request: Request, as_of: str | None) -> int | None:
    """The position `as_of` names, by itself or by the time of recording; None where it is left out."""
    if as_of is None:
        return None
    if as_of.isascii() and as_of.isdigit():
        if int(as_of) >= 2**63:
            raise _beyond()
        head = program_of(request).ledger.head().position
        if int(as_of) > head:
            raise _beyond(head)
        return int(as_of)
    return program_of(request).ledger.position_at(moment("as_of", as_of))


def valid_of(valid_at: str | None) -> datetime | None:
    """The time `valid_at` names; None where it is left out."""
    return None if valid_at is None else moment("valid_at", valid_at)


def _beyond(head: int | None = None) -> Problem:
    end = "" if head is None else f": the log ends at {head}"
    return invalid(f"There is no such position{end}", [FieldError("as_of", "lies beyond the end of the log")])
