"""Who was shown what: reads of personal texts, and exports, recorded in the log before the answer is given.

They stand in the stream `access` of the key that asks, and say the route and the ids of what was read; never what a
text says. Where it cannot be recorded, nothing is shown.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, Final

from fastapi import Request

from api.http.context import key_of, program_of
from ledger.aggregates.access import AccessExported, AccessPersonalRead
from ledger.claims import Recorded, claim, decode
from ledger.errors import Invalid
from ledger.privacy.encryption import personal

SOURCE: Final = "/ledger/access"
LONGEST: Final = 2_000


def disclosed(request: Request, entries: Iterable[Recorded], about: str) -> list[Recorded]:
    """Entries with their personal texts made readable, which is on record where there are any.

    Raises LedgerError where they cannot be read, or it cannot be recorded.
    """
    opened = program_of(request).ledger.reveal(entries)
    note_personal_read(request, about, holding(opened))
    return opened


def note_personal_read(request: Request, about: str, shown: int) -> None:
    """Record that the key is shown personal texts of `shown` events or statements; none is no reading."""
    if shown:
        _record(request, AccessPersonalRead.about.type, about, shown)


def note_stored_read(request: Request, entries: Iterable[bytes], about: str) -> None:
    """The same of entries as they are stored, in which texts can be read where the ledger does not encrypt."""
    note_personal_read(request, about, sum(map(_says_something, entries)))


def note_export(request: Request, about: str, rows: int) -> None:
    """Record that the key takes rows out as a file."""
    _record(request, AccessExported.about.type, about, rows)


def positions(entries: Iterable[Recorded]) -> str:
    """Which entries these are, in words."""
    numbers = [entry.position for entry in entries]
    return f"positions {numbers[0]} to {numbers[-1]}" if numbers else "nothing"


def holding(entries: Iterable[Recorded]) -> int:
    """How many of these entries hold a personal text that can be read."""
    return sum(any(isinstance(text, str) for _, text in personal(entry)) for entry in entries)


def _says_something(stored: bytes) -> bool:
    try:
        return holding([decode(stored)]) > 0
    except Invalid:
        # damaged: it may
        return True


def _record(request: Request, kind: str, about: str, shown: int) -> None:
    key, ledger = key_of(request), program_of(request).ledger
    data: dict[str, Any] = {
        "route": f"{request.method} {request.scope['route'].path_format}",
        "regarding": about[:LONGEST].replace("\x00", " "),
        "shown": shown,
    }
    told = claim(kind, key.id, data, id=uuid.uuid4().hex, source=SOURCE, occurred_at=ledger.now())
    ledger.appender.submit([told], key.id).result()
