"""Data keys held against the log: what is destroyed was said to be destroyed, and what was is; the others open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from psycopg import Connection

from ledger.aggregates.customer import CustomerKeyDestroyed
from ledger.claims import decode
from ledger.errors import LedgerError
from ledger.privacy.encryption import key_id
from ledger.privacy.wrapping import KeyFile, NoWrappingKey
from replays.findings import Finding

DESTROYING: Final = """
SELECT position, entry FROM log.entries WHERE type = 'customer.key_destroyed' AND position <= %s
"""
KEYS: Final = "SELECT aggregate, subject, number, wrapped, wrapped_by, destroyed_at FROM log.data_keys"


def keys_against_the_log(connection: Connection[Any], wrapping: KeyFile | None, upto: int) -> Iterator[Finding]:
    """What is wrong with the data keys, by the entries up to a position.

    Where no key-encryption key is at hand, whether they open is not looked at.
    """
    said: dict[str, int] = {}
    for position, entry in connection.execute(DESTROYING, [upto]):
        try:
            data = decode(bytes(entry)).data
        except LedgerError:
            continue  # found as an entry already
        if isinstance(data, CustomerKeyDestroyed):
            said |= dict.fromkeys(data.destroyed_keys or (), position)
    held = wrapping is not None and bool(wrapping.ring.keys)
    with connection.transaction(), connection.cursor("data_keys") as cursor:
        for aggregate, subject, number, wrapped, by, destroyed_at in cursor.execute(KEYS):
            name = key_id((aggregate, subject), number)
            if wrapped is None:
                if destroyed_at <= upto and said.get(name) != destroyed_at:
                    yield Finding(
                        destroyed_at, f"no event here says that the data key {name} was destroyed, and it is gone"
                    )
                continue
            if name in said:
                yield Finding(said[name], f"the data key {name} that was destroyed here is there again")
            try:
                if held and wrapping is not None:
                    wrapping.unwrap(bytes(wrapped), by, name.encode())
            except NoWrappingKey as error:
                yield Finding(None, f"data key {name}: {error}")
