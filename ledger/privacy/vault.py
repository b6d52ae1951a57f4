"""The vault: data keys, made as they are needed, and found again to encrypt under.

A stream has a key of its own: whose it is may be corrected until the day it is erased, and what belongs to a customer
then is what is erased. Where a customer is named by an event of a stream that is not one customer's (feedback on a
delivery), it is the customer's key.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from psycopg import Connection

from ledger.claims import Recorded
from ledger.decisions import Key
from ledger.events import CATALOGUE
from ledger.log.database import by_first, text_array
from ledger.privacy.destroying import CUSTOMER, destroy
from ledger.privacy.encryption import DataKey, encrypt, key_id, personal
from ledger.privacy.register import Register
from ledger.privacy.revealing import Opened
from ledger.privacy.wrapping import Wrapping
from ledger.vocabulary import Encrypted

NAMING: Final = "customer_id"
OWNED: Final = frozenset(
    {CUSTOMER}
    | {
        known.aggregate
        for known in CATALOGUE.values()
        if known.opens and any(field.refers_to == CUSTOMER for field in known.fields)
    }
)
"""The aggregates that are opened with their customer: a stream of theirs is one customer's."""
# the last key of each owner that has any
LATEST: Final = """
SELECT asked.aggregate, own.subject, own.number, own.wrapped, own.wrapped_by
FROM unnest(%s::text[], %s::text[]) AS asked (aggregate, subjects)
CROSS JOIN LATERAL (
    SELECT subject, number, wrapped, wrapped_by FROM log.data_keys AS kept
    WHERE kept.aggregate = asked.aggregate AND kept.subject = ANY(asked.subjects::text[]) OFFSET 0
) AS own
ORDER BY asked.aggregate, own.subject, own.number
"""
MAKE: Final = """
INSERT INTO log.data_keys (aggregate, subject, number, wrapped, wrapped_by)
SELECT * FROM unnest(%s::text[], %s::text[], %s::integer[], %s::bytea[], %s::text[])
"""
Concealed = Mapping[str, Encrypted]
"""What is kept in place of an event's personal texts, by their places."""


def owner(recorded: Recorded) -> Key:
    """Whose key an event's personal texts are encrypted under, as (aggregate, subject)."""
    customer = None if recorded.aggregate in OWNED else getattr(recorded.data, NAMING, None)
    return (recorded.aggregate, recorded.subject) if customer is None else (CUSTOMER, customer)


class Vault:
    """The data keys of one ledger, as the append needs them: called by one thread, which holds the ledger's lock."""

    def __init__(self, wrapping: Wrapping, register: Register, most: int) -> None:
        self._wrapping = wrapping
        self._register = register
        self._most = most
        self._kept: OrderedDict[Key, DataKey] = OrderedDict()

    def conceal(self, connection: Connection[Any], entries: Sequence[Recorded]) -> list[Concealed | None]:
        """For each entry, its personal texts encrypted; None where it has none. Keys that are missing are made, in the
        transaction of `connection`: where that fails, `forget` them."""
        told = [(entry, owner(entry), [*personal(entry)]) for entry in entries]
        # a stream has no key before its first event
        new = {(entry.aggregate, entry.subject) for entry in entries if entry.version == 1}
        keys = self._keys(connection, {of: of in new for _, of, texts in told if texts})
        return [
            {place: encrypt(text, keys[of], entry, place) for place, text in texts if isinstance(text, str)}
            if texts
            else None
            for entry, of, texts in told
        ]

    def destroy(self, connection: Connection[Any], entries: Sequence[Recorded]) -> None:
        """Destroy the keys that these entries say are destroyed, in the transaction of `connection`. Raises as
        `destroying.destroy` does."""
        if destroy(connection, self._register, entries):
            self.forget()

    def reveal(self, connection: Connection[Any], entries: Sequence[Recorded]) -> list[Recorded]:
        """Entries with their personal texts as text, or Erased; as they are where they cannot be read."""
        opened = Opened.read(connection, self._wrapping, entries)
        return [*map(opened.open_if_whole, entries)]

    def forget(self) -> None:
        """Forget all keys: some may not have been committed, others been destroyed by another process."""
        self._kept.clear()

    def _keys(self, connection: Connection[Any], owners: Mapping[Key, bool]) -> dict[Key, DataKey]:
        """The key of each owner, who is new or not."""
        found: dict[Key, DataKey] = {}
        numbers: dict[Key, int] = {}
        for of in owners:
            if (kept := self._kept.get(of)) is None:
                numbers[of] = 1
            else:
                self._kept.move_to_end(of)
                found[of] = kept
        if numbers:
            asked = [of for of in numbers if not (owners[of] and of[0] != CUSTOMER)]
            if asked:
                found |= self._stored(connection, asked, numbers)
            found |= self._made(connection, {of: number for of, number in numbers.items() if of not in found})
            self._keep(found)
        return found

    def _stored(self, connection: Connection[Any], asked: Sequence[Key], numbers: dict[Key, int]) -> dict[Key, DataKey]:
        """The keys there are; `numbers` is left with the number that the next one of each owner has."""
        found: dict[Key, DataKey] = {}
        for aggregate, subject, number, wrapped, by in connection.execute(LATEST, by_first(asked), binary=True):
            of = (aggregate, subject)
            numbers[of] = number + 1
            if wrapped is not None:
                name = key_id(of, number)
                found[of] = DataKey(name, self._wrapping.unwrap(bytes(wrapped), by, name.encode()))
        return found

    def _made(self, connection: Connection[Any], wanted: Mapping[Key, int]) -> dict[Key, DataKey]:
        made = {of: DataKey.make(key_id(of, number)) for of, number in wanted.items()}
        if made:
            wrapped = [self._wrapping.wrap(key.secret, key.id.encode()) for key in made.values()]
            owners = [text_array([of[place] for of in made]) for place in (0, 1)]
            values = [*owners, [*wanted.values()], [each for each, _ in wrapped], text_array([by for _, by in wrapped])]
            connection.execute(MAKE, values)
        return made

    def _keep(self, keys: Mapping[Key, DataKey]) -> None:
        self._kept.update(keys)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
