"""API keys: 256 random bits, kept only as a SHA-256, bound to a role, sources and event types, expiring.

A secret reads `rl_<key id>_<random>`; the key id stands in every event the key records.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Literal

from psycopg.rows import class_row

from ledger.errors import KeyRefused
from ledger.log.database import Database

Role = Literal["service", "analyst", "auditor", "admin"]
ROLES: tuple[Role, ...] = ("service", "analyst", "auditor", "admin")

INSERT = """
INSERT INTO log.keys (id, hash, role, label, sources, types, expires_at)
VALUES (%s, %s, %s, %s, %s, %s, %s)
RETURNING id, role, label, sources, types, created_at, expires_at, revoked_at, hash
"""
_COLUMNS = "SELECT id, role, label, sources, types, created_at, expires_at, revoked_at, hash FROM log.keys"
SELECT_ONE = _COLUMNS + " WHERE id = %s"
SELECT_ALL = _COLUMNS + " ORDER BY created_at, id"
REVOKE = """
UPDATE log.keys SET revoked_at = coalesce(revoked_at, clock_timestamp()) WHERE id = %s
RETURNING id, role, label, sources, types, created_at, expires_at, revoked_at, hash
"""


@dataclass(frozen=True)
class Key:
    """An API key as the ledger knows it: everything but the secret. All times are UTC."""

    id: str
    role: Role
    label: str
    sources: list[str]
    types: list[str]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    hash: bytes = field(repr=False)

    def allows(self, source: str, type: str) -> bool:  # noqa: A002 - the envelope's own word
        """Whether this key may record events of `type` told by `source`; its own are patterns such as `contact.*`."""
        return _matches(source, self.sources) and _matches(type, self.types)

    def valid(self, now: datetime | None = None) -> bool:
        """Whether the key is neither revoked nor expired."""
        return self.revoked_at is None and self.expires_at > (now or datetime.now(UTC))


class Keys:
    """The keys of one ledger. Every method raises Unavailable when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        role: Role,
        label: str,
        *,
        sources: Sequence[str] = ("*",),
        types: Sequence[str] = ("*",),
        days: int | None = None,
    ) -> tuple[Key, str]:
        """A new key and its secret, which is told this once and cannot be had again.

        `sources` and `types` are patterns (`*` for any) of what events it may record; it expires after `days`
        (LEDGER_KEY_DAYS unless said). Raises ValueError for an unknown role or a day count below 1.
        """
        days = self._database.settings.key_days if days is None else days
        if role not in ROLES:
            raise ValueError(f"role must be one of {', '.join(ROLES)}, not {role!r}")
        if days < 1:
            raise ValueError("a key is valid for at least one day")
        key_id = secrets.token_hex(6)
        secret = f"rl_{key_id}_{secrets.token_urlsafe(32)}"
        expires_at = datetime.now(UTC) + timedelta(days=days)
        values = [key_id, _hash(secret), role, label, list(sources), list(types), expires_at]
        with self._database.reading() as connection, connection.cursor(row_factory=class_row(Key)) as cursor:
            key = cursor.execute(INSERT, values).fetchone()
        assert key is not None
        return key, secret

    def check(self, secret: str) -> Key:
        """The key a secret belongs to. Raises KeyRefused, without saying more than the sender may know."""
        parts = secret.split("_", 2)
        key = self._find(parts[1]) if len(parts) == 3 and parts[0] == "rl" and parts[1].isalnum() else None
        if key is None or not hmac.compare_digest(key.hash, _hash(secret)):
            raise KeyRefused("The API key is not known.")
        if key.revoked_at is not None:
            raise KeyRefused(f"The API key {key.id} was revoked on {key.revoked_at:%Y-%m-%d}.")
        if not key.valid():
            raise KeyRefused(f"The API key {key.id} expired on {key.expires_at:%Y-%m-%d}.")
        return key

    def list(self) -> list[Key]:
        """All keys, revoked and expired ones too, oldest first."""
        with self._database.reading() as connection, connection.cursor(row_factory=class_row(Key)) as cursor:
            return cursor.execute(SELECT_ALL).fetchall()

    def revoke(self, key_id: str) -> Key:
        """End a key now; one revoked already stays so. Raises KeyRefused when there is none of that id."""
        with self._database.reading() as connection, connection.cursor(row_factory=class_row(Key)) as cursor:
            key = cursor.execute(REVOKE, [key_id]).fetchone()
        if key is None:
            raise KeyRefused(f"There is no API key {key_id}.")
        return key

    def _find(self, key_id: str) -> Key | None:
        with self._database.reading() as connection, connection.cursor(row_factory=class_row(Key)) as cursor:
            return cursor.execute(SELECT_ONE, [key_id]).fetchone()


def _matches(text: str, patterns: Sequence[str]) -> bool:
    # most keys may record anything: no need to ask for each event
    return "*" in patterns or any(fnmatchcase(text, pattern) for pattern in patterns)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
