"""Who is asking: bearer tokens looked up in the ledger's keys, remembered for a moment."""

from __future__ import annotations

import asyncio
import hmac
import time
from datetime import UTC, datetime
from typing import Final

from starlette.concurrency import run_in_threadpool

from api.http.problems import unauthenticated
from ledger.errors import KeyRefused
from ledger.log.keys import Key, Keys

REMEMBER_SECONDS: Final = 2.0
"""How long a revoked key may still be let in by a process that saw it before."""
REMEMBER_KEYS: Final = 10_000
LOCAL: Final = "local"
"""What `recorded_by` says of what the command line records without a key."""
_EVER: Final = datetime(9999, 1, 1, tzinfo=UTC)


def local_key() -> Key:
    """The key of the command line when it works on the database directly: whoever can open that may do everything."""
    return Key(LOCAL, "admin", "this machine", ["*"], ["*"], datetime.now(UTC), _EVER, None, b"")


class Doorkeeper:
    """Turns an Authorization header into a key.

    `local_token` lets the process that made it in as `local_key`; it never leaves the process.
    """

    def __init__(self, keys: Keys, local_token: str | None = None) -> None:
        self._keys = keys
        self._local = (local_token.encode("ascii"), local_key()) if local_token else None
        self._seen: dict[bytes, tuple[float, Key]] = {}
        self._looking: dict[bytes, asyncio.Task[Key]] = {}

    def remembered(self, authorization: bytes) -> Key | None:
        """The key if it was looked up within `REMEMBER_SECONDS` and is still valid."""
        found = self._seen.get(authorization)
        if found is None or time.monotonic() - found[0] > REMEMBER_SECONDS or not found[1].valid():
            return None
        return found[1]

    async def key(self, authorization: bytes | None) -> Key | None:
        """The key, or None where no Authorization was sent. Raises a `Problem` (401) for one that is not good."""
        if not authorization:
            return None
        if (key := self.remembered(authorization)) is not None:
            return key
        scheme, _, token = authorization.partition(b" ")
        token = token.strip()
        if scheme.lower() != b"bearer" or not token:
            raise unauthenticated("Authorization takes the form: Bearer <key>")
        if self._local is not None and hmac.compare_digest(token, self._local[0]):
            return self._local[1]
        # all that asks with this key meanwhile waits for the one answer: else the moment it is forgotten, every request
        # under way would take a connection of its own to the database
        looking = self._looking.get(authorization)
        if looking is None:
            looking = self._looking[authorization] = asyncio.ensure_future(self._remember(authorization, token))
        # who asked first may leave; the others still want to know
        return await asyncio.shield(looking)

    async def _remember(self, authorization: bytes, token: bytes) -> Key:
        asked = time.monotonic()
        try:
            key = await run_in_threadpool(self._look_up, token)
        finally:
            # not so if all was forgotten since: then this answer may be out of date
            current = self._looking.get(authorization) is asyncio.current_task()
            if current:
                del self._looking[authorization]
        if current:
            if len(self._seen) >= REMEMBER_KEYS:
                self._seen.clear()
            self._seen[authorization] = (asked, key)
        return key

    def forget(self) -> None:
        """Look every key up again; called when one was revoked here."""
        self._seen.clear()
        self._looking.clear()

    def _look_up(self, token: bytes) -> Key:
        try:
            secret = token.decode("ascii")
            if "\x00" in secret:
                raise KeyRefused("The API key is not known.")
            return self._keys.check(secret)
        except UnicodeDecodeError:
            raise unauthenticated("The API key is not known.") from None
        except KeyRefused as error:
            raise unauthenticated(str(error)) from None
