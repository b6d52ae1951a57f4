"""Signed notes (C2SP signed-note) and the checkpoints they carry (C2SP tlog-checkpoint), with Ed25519.

A verifier key reads `name+hash+base64`, a signer key `PRIVATE+KEY+name+hash+base64`, as Go's sumdb/note writes them.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.errors import LedgerError
from ledger.seal.tree import Hash

ED25519 = b"\x01"
PRIVATE = "PRIVATE+KEY+"
DASH = "— "
NAME = re.compile(r"[^\s+\x00-\x1f\x7f-\x9f]+")
NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


class BadNote(LedgerError):
    """A key, a note or a checkpoint is not one, or is not signed by who should have signed it."""


@dataclass(frozen=True)
class Verifier:
    """The public half of a key: it checks notes signed under its name."""

    name: str
    public: bytes

    @classmethod
    def read(cls, text: str) -> Self:
        """The verifier key a text is. Raises BadNote."""
        name, found, key = key_of(text, "a verifier key", ED25519)
        verifier = cls(name, key)
        if found != verifier.key_id.hex():
            raise BadNote("a verifier key's hash is not that of its name and key")
        return verifier

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell keys of one name apart."""
        return key_id(self.name, ED25519 + self.public)

    @property
    def text(self) -> str:
        """The verifier key as it is handed out."""
        return f"{self.name}+{self.key_id.hex()}+{in_base64(ED25519 + self.public)}"

    def signed(self, note: "Note") -> bool:
        """Whether this key signed a note. A signature of its that is wrong makes the note a bad one: BadNote."""
        mine = [each for each in note.signatures if (each.name, each.key_id) == (self.name, self.key_id)]
        try:
            for each in mine:
                Ed25519PublicKey.from_public_bytes(self.public).verify(each.signature, note.text.encode())
        except InvalidSignature:
            raise BadNote(f"the signature of {self.name}+{self.key_id.hex()} is not one over this note") from None
        return bool(mine)


@dataclass(frozen=True)
class Signer:
    """A whole key: it signs notes under its name. Its text form is a secret."""

    name: str
    private: bytes

    @classmethod
    def make(cls, name: str) -> Self:
        """A new key. Raises BadNote for a name that cannot stand in a note."""
        if not NAME.fullmatch(name):
            raise BadNote(f"{name!r} cannot name a key: no spaces, no plus sign, no control characters")
        return cls(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def read(cls, text: str) -> Self:
        """The signer key a text is. Raises BadNote, which does not repeat it."""
        if not text.startswith(PRIVATE):
            raise BadNote(f"a signer key begins with {PRIVATE}")
        name, found, key = key_of(text.removeprefix(PRIVATE), "a signer key", ED25519)
        signer = cls(name, key)
        if found != signer.verifier.key_id.hex():
            raise BadNote("a signer key's hash is not that of its name and key")
        return signer

    @property
    def verifier(self) -> Verifier:
        return Verifier(self.name, Ed25519PrivateKey.from_private_bytes(self.private).public_key().public_bytes_raw())

    @property
    def secret(self) -> str:
        """The signer key as it is kept."""
        return f"{PRIVATE}{self.name}+{self.verifier.key_id.hex()}+{in_base64(ED25519 + self.private)}"

    def __repr__(self) -> str:
        return f"Signer({self.name!r})"

    def sign(self, text: str) -> str:
        """The note: a text of whole lines, a blank line, and this key's signature over the text."""
        if not text.endswith("\n"):
            raise BadNote("a note's text ends with a newline")
        signature = Ed25519PrivateKey.from_private_bytes(self.private).sign(text.encode())
        return f"{text}\n{Signature(self.name, self.verifier.key_id, signature).line}"


@dataclass(frozen=True)
class Signature:
    """A line of a note: who signed, the four bytes that name the key, and the signature."""

    name: str
    key_id: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """As it stands below a note."""
        return f"{DASH}{self.name} {in_base64(self.key_id + self.signature)}\n"


@dataclass(frozen=True)
class Note:
    """A text and the signatures under it. Nothing is said of whether they are good."""

    text: str
    signatures: tuple[Signature, ...]

    @classmethod
    def read(cls, note: str) -> Self:
        """The note a text is. Raises BadNote."""
        text, blank, lines = note.rpartition("\n\n")
        if not blank or not lines.endswith("\n") or any(ord(each) < 32 and each != "\n" for each in note):
            raise BadNote("this is not a signed note: a text, a blank line, and lines of signatures")
        signatures = []
        for line in lines[:-1].split("\n"):
            name, _, told = line.removeprefix(DASH).partition(" ")
            signature = of_base64(told)
            if not line.startswith(DASH) or not NAME.fullmatch(name) or signature is None or len(signature) < 5:
                raise BadNote("a line below the note's text is not a signature")
            signatures.append(Signature(name, signature[:4], signature[4:]))
        return cls(text + "\n", tuple(signatures))


@dataclass(frozen=True)
class Checkpoint:
    """A tree as it stood: whose, of how many leaves, and its root."""

    origin: str
    size: int
    root: Hash

    @property
    def text(self) -> str:
        """What is signed of it."""
        return f"{self.origin}\n{self.size}\n{in_base64(self.root)}\n"

    @classmethod
    def of(cls, note: Note) -> Self:
        """The checkpoint a note carries. Raises BadNote."""
        origin, *rest = note.text[:-1].split("\n")
        root = of_base64(rest[1]) if len(rest) > 1 else None
        if not origin or root is None or len(root) != 32 or not NUMBER.fullmatch(rest[0]) or "" in rest:
            raise BadNote("this note is not a checkpoint: its lines are an origin, a size and a root")
        return cls(origin, int(rest[0]), root)


def opened(note: str, verifiers: Sequence[Verifier]) -> Checkpoint:
    """The checkpoint in a note, signed by one of the keys under the name it has as its origin. Raises BadNote."""
    read = Note.read(note)
    checkpoint = Checkpoint.of(read)
    # all are asked: one good signature does not make up for one that is wrong
    signed = [each.signed(read) for each in verifiers if each.name == checkpoint.origin]
    if not any(signed):
        raise BadNote(f"no key of {checkpoint.origin} that is known here signed this checkpoint")
    return checkpoint


def key_of(text: str, what: str, kind: bytes) -> tuple[str, str, bytes]:
    """Name, hash (hex, as it stands there) and the 32 bytes of a key of a kind of signature. Raises BadNote."""
    name, _, rest = text.strip().partition("+")
    found, _, told = rest.partition("+")
    key = of_base64(told)
    if not NAME.fullmatch(name) or key is None or len(key) != 33 or key[:1] != kind:
        raise BadNote(f"this is not {what} for Ed25519: name+hash+base64")
    return name, found, key[1:]


def key_id(name: str, key: bytes) -> bytes:
    """The four bytes that tell keys of one name apart; `key` begins with the kind of signature it is for."""
    return sha256(name.encode() + b"\n" + key).digest()[:4]


def in_base64(value: bytes) -> str:
    """Bytes as notes write them."""
    return base64.b64encode(value).decode()


def of_base64(text: str) -> bytes | None:
    """The bytes of a text in base64, written as `in_base64` writes them; None for any other text."""
    try:
        value = base64.b64decode(text)
    except (binascii.Error, ValueError):
        return None
    return value if in_base64(value) == text else None
