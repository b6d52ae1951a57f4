"""Personal texts as readers get them: decrypted, or told to be erased, when and on what basis.

Data keys are read anew for each reading, and kept nowhere: once one is destroyed, no process opens anything with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from psycopg import Connection

from ledger.aggregates.customer import CustomerKeyDestroyed
from ledger.claims import Recorded, decode
from ledger.errors import LedgerError
from ledger.privacy.encryption import REASON, DataKey, Undecipherable, decrypt, own_key, parts_of, personal
from ledger.privacy.wrapping import Wrapping
from ledger.vocabulary import Encrypted, Erased

KEYS: Final = """
SELECT kept.aggregate || ':' || kept.subject || '/' || kept.number, kept.wrapped, kept.wrapped_by, destroying.entry
FROM unnest(%s::text[], %s::text[], %s::integer[]) AS asked (aggregate, subject, number)
JOIN log.data_keys AS kept
  ON kept.aggregate = asked.aggregate AND kept.subject = asked.subject AND kept.number = asked.number
LEFT JOIN log.entries AS destroying ON destroying.position = kept.destroyed_at
"""


class KeyMissing(LedgerError):
    """A data key is gone, and no event says that it was destroyed: a failure, not an erasure."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The data keys of some texts: each as it is, or what stands for texts that it was destroyed of."""

    keys: Mapping[str, DataKey | Erased]

    @classmethod
    def read(cls, connection: Connection[Any], wrapping: Wrapping, entries: Iterable[Recorded]) -> Opened:
        """The keys of all personal texts of these entries. Raises NoWrappingKey."""
        names = {text.key for entry in entries for _, text in personal(entry) if isinstance(text, Encrypted)}
        found: dict[str, DataKey | Erased] = {}
        if names:
            for name, wrapped, by, entry in connection.execute(KEYS, parts_of(names)):
                if wrapped is not None:
                    found[name] = DataKey(name, wrapping.unwrap(bytes(wrapped), by, name.encode()))
                elif entry is not None and (erased := _erased(decode(bytes(entry)), name)) is not None:
                    found[name] = erased
        return cls(found)

    def open(self, entry: Recorded) -> Recorded:
        """The entry with its personal texts as text, or Erased. Raises KeyMissing, Undecipherable."""
        told = {place: self._text(text, entry, place) for place, text in personal(entry) if isinstance(text, Encrypted)}
        if not told:
            return entry
        reason = told.pop(REASON, entry.reason)
        data = entry.data.model_copy(update={place.removeprefix("data."): text for place, text in told.items()})
        return replace(entry, reason=reason, data=data)

    def own_keys(self, entry: Recorded) -> dict[str, bytes]:
        """The own key of each text of an entry that can be read, by its place."""
        return {
            place: own_key(key, entry, place)
            for place, text in personal(entry)
            if isinstance(text, Encrypted) and isinstance(key := self.keys.get(text.key), DataKey)
        }

    def open_if_whole(self, entry: Recorded) -> Recorded:
        """The entry opened, or as it is where that fails."""
        try:
            return self.open(entry)
        except (KeyMissing, Undecipherable):
            return entry

    def _text(self, text: Encrypted, entry: Recorded, place: str) -> str | Erased:
        key = self.keys.get(text.key)
        if key is None:
            raise KeyMissing(
                f"{place} at position {entry.position} cannot be read: its data key {text.key} is gone, and no event "
                "says that it was destroyed. Restore log.data_keys from a backup."
            )
        return key if isinstance(key, Erased) else decrypt(text, key, entry, place)


def reveal(connection: Connection[Any], wrapping: Wrapping, entries: Iterable[Recorded]) -> list[Recorded]:
    """Entries with their personal texts as text, or Erased. Raises NoWrappingKey, KeyMissing, Undecipherable."""
    entries = list(entries)
    opened = Opened.read(connection, wrapping, entries)
    return [opened.open(entry) for entry in entries]


def _erased(entry: Recorded, key: str) -> Erased | None:
    """What stands for texts under a key that this event destroyed; None where it destroyed no such key."""
    match entry.data:
        case CustomerKeyDestroyed(basis=basis, destroyed_keys=keys) if key in (keys or ()):
            return Erased(entry.position, entry.recorded_at, basis)
    return None
