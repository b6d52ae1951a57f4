"""Personal text as the log keeps it: encrypted, each text on its own, under the data key of whose it is. Pure.

AES-256-GCM under a key derived from the data key and from where the text stands (subject, source and id of the event,
field), which is authenticated too. A hash of that key is stored beside the ciphertext and commits to it: GCM alone
would let who chooses the keys find two that open one ciphertext to two texts. So a single text can be shown to
somebody, provably, by giving its own key away.
"""

from __future__ import annotations

import hmac
import os
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.claims import Recorded, encode_json
from ledger.decisions import Key
from ledger.errors import LedgerError
from ledger.events import PERSONAL
from ledger.vocabulary import Encrypted, Erased

CONTEXT: Final = b"requirements-ledger personal text 1\x00"
COMMITMENT: Final = b"requirements-ledger personal text commitment 1\x00"
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
REASON: Final = "reason"
"""The name of the envelope's personal text; those of an event's data are named `data.<field>`."""


class Undecipherable(LedgerError):
    """An encrypted text that its key does not open: one of both was altered."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """A key of 32 bytes under which personal texts of one stream are encrypted, and its id,
    `<aggregate>:<subject>/<n>`.
    """

    id: str
    secret: bytes

    @classmethod
    def make(cls, key_id: str) -> DataKey:
        return cls(key_id, os.urandom(KEY_BYTES))


def key_id(of: Key, number: int) -> str:
    """What the n-th data key of an owner is called."""
    return f"{of[0]}:{of[1]}/{number}"


def parts_of(keys: Iterable[str]) -> tuple[list[str], list[str], list[int]]:
    """Aggregates, subjects and numbers of keys called so: three columns, a row each. Raises ValueError."""
    aggregates, subjects, numbers = [], [], []
    for key in keys:
        of, _, number = key.rpartition("/")
        aggregate, _, subject = of.partition(":")
        aggregates.append(aggregate)
        subjects.append(subject)
        numbers.append(int(number))
    return aggregates, subjects, numbers


def personal(recorded: Recorded) -> Iterator[tuple[str, str | Encrypted | Erased]]:
    """The personal texts an event holds, each with the name of its place."""
    if recorded.reason is not None:
        yield REASON, recorded.reason
    for name in PERSONAL[recorded.type]:
        text = getattr(recorded.data, name)
        if text is not None:
            yield f"data.{name}", text


def encrypt(text: str, key: DataKey, recorded: Recorded, place: str) -> Encrypted:
    """A text of an event, as the log keeps it."""
    where = _where(recorded, place)
    own = _derived(key, where)
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(own).encrypt(nonce, text.encode(), where)
    return Encrypted(key.id, _text(_commitment(own)), _text(nonce), _text(sealed))


def decrypt(encrypted: Encrypted, key: DataKey, recorded: Recorded, place: str) -> str:
    """The text again. Raises Undecipherable when text, key or place is another than when it was encrypted."""
    where = _where(recorded, place)
    own = _derived(key, where)
    try:
        if hmac.compare_digest(b64decode(encrypted.commitment, validate=True), _commitment(own)):
            nonce, sealed = (b64decode(part, validate=True) for part in (encrypted.nonce, encrypted.text))
            return AESGCM(own).decrypt(nonce, sealed, where).decode()
    except (InvalidTag, ValueError):
        pass
    raise Undecipherable(
        f"{place} at position {recorded.position} does not open under data key {key.id}: the entry or the key was "
        "altered. `reqledger verify` tells whether it was the entry."
    )


def _where(recorded: Recorded, place: str) -> bytes:
    return encode_json([recorded.aggregate, recorded.subject, recorded.source, recorded.id, place])


def own_key(key: DataKey, recorded: Recorded, place: str) -> bytes:
    """The key of one text, 32 bytes: it opens that text and no other."""
    return _derived(key, _where(recorded, place))


def _derived(key: DataKey, where: bytes) -> bytes:
    return hmac.digest(key.secret, CONTEXT + where, "sha256")


def _commitment(own: bytes) -> bytes:
    return sha256(COMMITMENT + own).digest()


def _text(value: bytes) -> str:
    return b64encode(value).decode("ascii")
