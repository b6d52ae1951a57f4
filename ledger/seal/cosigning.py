"""Cosignatures of witnesses over checkpoints (C2SP tlog-cosignature, cosignature/v1 with Ed25519).

A witness says by one that it saw this tree at that time, as the largest of this log, and that it goes on from all that
it saw before. A witness's verifier key reads `name+hash+base64`, as others do; its kind is another one.
"""

from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.seal.notes import BadNote, Note, Signature, in_base64, key_id, key_of

COSIGNATURE = b"\x04"
LENGTH = 72
"""Bytes of a cosignature: eight that tell the time, in seconds since 1970, and the signature."""
LATEST = 2**63 - 1


@dataclass(frozen=True)
class Cosignature:
    """What a witness signed under a checkpoint: when, and the 72 bytes that say so."""

    time: int
    signature: bytes


@dataclass(frozen=True)
class Cosigner:
    """The public half of a witness's key."""

    name: str
    public: bytes

    @classmethod
    def read(cls, text: str) -> Self:
        """The cosigner a verifier key names. Raises BadNote."""
        name, found, key = key_of(text, "a verifier key of a witness (cosignature/v1, its first byte a 4)", COSIGNATURE)
        cosigner = cls(name, key)
        if found != cosigner.key_id.hex():
            raise BadNote("a verifier key's hash is not that of its name and key")
        return cosigner

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell keys of one name apart."""
        return key_id(self.name, COSIGNATURE + self.public)

    @property
    def text(self) -> str:
        """The verifier key as it is handed out."""
        return f"{self.name}+{self.key_id.hex()}+{in_base64(COSIGNATURE + self.public)}"

    def line(self, signature: bytes) -> str:
        """A cosignature as it stands below a note."""
        return Signature(self.name, self.key_id, signature).line

    def cosignature(self, note: Note) -> Cosignature | None:
        """The cosignature of this key under a note, the latest one of several; None where there is none.

        Raises BadNote where one under its name and key is not over this note.
        """
        found = [
            self.checked(note.text, each.signature)
            for each in note.signatures
            if (each.name, each.key_id) == (self.name, self.key_id)
        ]
        return max(found, key=lambda each: each.time, default=None)

    def checked(self, text: str, signature: bytes) -> Cosignature:
        """The cosignature that 72 bytes are, over a note's text. Raises BadNote."""
        time = int.from_bytes(signature[:8], "big")
        try:
            if len(signature) != LENGTH or time > LATEST:
                raise InvalidSignature
            message = f"cosignature/v1\ntime {time}\n{text}".encode()
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature[8:], message)
        except InvalidSignature:
            raise BadNote(f"the cosignature of {self.name}+{self.key_id.hex()} is not one over this note") from None
        return Cosignature(time, signature)
