"""Key-encryption keys: what data keys are wrapped by, kept outside the database.

`Wrapping` is all that the ledger asks of them. `KeyFile` holds them in a file or a setting; a key service would be
another one.
"""

from __future__ import annotations

import hashlib
import os
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import Connection

from ledger import files
from ledger.errors import Unavailable
from ledger.settings import Settings

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
FINGERPRINT_DIGITS: Final = 16
FILE: Final = "wrapping-{ledger_id}.key"
"""Name of the keys' file in LEDGER_HOME: several ledgers may share one home."""
LOCK: Final = "SELECT pg_advisory_xact_lock(7246331902131)"
LEDGER: Final = "SELECT ledger_id FROM log.ledger"
KNOWN: Final = "SELECT fingerprint FROM log.wrapping_keys ORDER BY since DESC, fingerprint LIMIT 1"
KNOW: Final = "INSERT INTO log.wrapping_keys (fingerprint) VALUES (%s) ON CONFLICT DO NOTHING"


class NoWrappingKey(Unavailable):
    """The key-encryption key that is needed is not here."""


class Wrapping(Protocol):
    """What wraps data keys. `about` is authenticated with the key, and has to be the same when it is unwrapped."""

    def wrap(self, secret: bytes, about: bytes) -> tuple[bytes, str]:
        """A data key, wrapped by the current key, and that key's fingerprint. Raises NoWrappingKey."""

    def unwrap(self, wrapped: bytes, by: str, about: bytes) -> bytes:
        """The data key again. Raises NoWrappingKey where the key `by` is not here, or does not open it."""


@dataclass(frozen=True)
class KeyRing:
    """Key-encryption keys: AES-256-GCM, by fingerprint. The first one wraps, all of them unwrap."""

    keys: Mapping[str, bytes]

    @classmethod
    def read(cls, text: str) -> KeyRing:
        """The keys of a file: one a line, 32 bytes in base64. Raises ValueError."""
        keys = [b64decode(line, validate=True) for line in text.split()]
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"a key-encryption key is {KEY_BYTES} bytes in base64, one a line")
        return cls({fingerprint(key): key for key in keys})

    def renewed(self) -> KeyRing:
        """The ring with a new key before those it has."""
        made = os.urandom(KEY_BYTES)
        return KeyRing({fingerprint(made): made, **self.keys})

    def only(self) -> KeyRing:
        """The ring without all keys but the first."""
        return KeyRing({self.current: self.keys[self.current]})

    @property
    def text(self) -> str:
        """What `read` reads."""
        return "".join(f"{b64encode(key).decode('ascii')}\n" for key in self.keys.values())

    @property
    def current(self) -> str:
        """The fingerprint of the key that wraps; "none" where there is no key."""
        return next(iter(self.keys), "none")

    def wrap(self, secret: bytes, about: bytes) -> tuple[bytes, str]:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self.keys[self.current]).encrypt(nonce, secret, about), self.current

    def unwrap(self, wrapped: bytes, by: str, about: bytes) -> bytes:
        if by not in self.keys:
            raise NoWrappingKey(
                f"The key-encryption key {by} is not here, which wrapped data keys of this ledger: put it into the "
                "file that LEDGER_WRAPPING_KEY_FILE names, a line of its own."
            )
        try:
            return AESGCM(self.keys[by]).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], about)
        except InvalidTag:
            raise NoWrappingKey(
                f"A data key does not open under the key-encryption key {by}: it was altered, or put in another's "
                "place."
            ) from None


class KeyFile:
    """The key ring in a file, which is read again whenever it changes, or in a setting."""

    def __init__(self, ledger_id: object, settings: Settings) -> None:
        self._setting = settings.wrapping_key
        self.path = settings.wrapping_key_file or settings.home / FILE.format(ledger_id=ledger_id)
        self._ring = KeyRing({})
        self._read: tuple[int, int, int] | None = None

    @classmethod
    def of(cls, connection: Connection[Any], settings: Settings) -> KeyFile:
        """The place of a ledger's keys. Where it has none yet, the first is made, kept and made known."""
        row = connection.execute(LEDGER).fetchone()
        assert row is not None, "a ledger's row is made when it is opened"
        place = cls(row[0], settings)
        if connection.execute(KNOWN).fetchone() is None:
            with connection.transaction():
                connection.execute(LOCK)
                if connection.execute(KNOWN).fetchone() is None:
                    if not place.ring.keys:
                        place.keep(KeyRing({}).renewed())
                    connection.execute(KNOW, [place.ring.current])
        return place

    def __str__(self) -> str:
        return str(self.path) if self._setting is None else "LEDGER_WRAPPING_KEY"

    @property
    def ring(self) -> KeyRing:
        """The keys as they stand there now; none where there is no file. Raises NoWrappingKey where they cannot be
        read.
        """
        try:
            if self._setting is not None:
                if not self._ring.keys:
                    self._ring = KeyRing.read(self._setting.get_secret_value())
                return self._ring
            told = os.stat(self.path)
            read = (told.st_mtime_ns, told.st_size, told.st_ino)
            if read != self._read:
                self._ring, self._read = KeyRing.read(self.path.read_text("ascii")), read
        except FileNotFoundError:
            return KeyRing({})
        except (OSError, ValueError) as error:
            raise NoWrappingKey(f"The key-encryption keys in {self} cannot be read: {error}") from error
        return self._ring

    @property
    def present(self) -> KeyRing:
        """The keys that are there. Raises NoWrappingKey where there are none."""
        if not (ring := self.ring).keys:
            raise NoWrappingKey(
                f"There is no key-encryption key in {self}, and personal texts of this ledger are kept encrypted: "
                "copy it from where the ledger is served, or name its place with LEDGER_WRAPPING_KEY_FILE."
            )
        return ring

    def keep(self, ring: KeyRing) -> None:
        """Put these keys there. Raises NoWrappingKey."""
        if self._setting is not None:
            raise NoWrappingKey("LEDGER_WRAPPING_KEY holds the keys: where it comes from is where new ones are put.")
        try:
            files.put_secret(Path(self.path), ring.text)
        except OSError as error:
            raise NoWrappingKey(
                f"The key-encryption key cannot be kept in {self.path}: {error.strerror or error}"
            ) from error

    def wrap(self, secret: bytes, about: bytes) -> tuple[bytes, str]:
        return self.present.wrap(secret, about)

    def unwrap(self, wrapped: bytes, by: str, about: bytes) -> bytes:
        return self.ring.unwrap(wrapped, by, about)


def missing(connection: Connection[Any], settings: Settings) -> str | None:
    """Why a process of these settings could not keep or read personal texts; None where it could."""
    try:
        place = KeyFile.of(connection, settings)
        (known,) = connection.execute(KNOWN).fetchone() or (None,)
        if known not in place.ring.keys:
            return (
                f"The key-encryption key {known} is not in {place}: copy it from where the ledger is served, or name "
                "its place with LEDGER_WRAPPING_KEY_FILE."
            )
    except NoWrappingKey as error:
        return str(error)
    return None


def fingerprint(key: bytes) -> str:
    """What a key is called: it tells nothing of the key."""
    return hashlib.sha256(b"requirements-ledger key-encryption key\x00" + key).hexdigest()[:FINGERPRINT_DIGITS]
