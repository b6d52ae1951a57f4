"""Documents kept by their digest: what events name so, word for word, for as long as the ledger stands."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from ledger.errors import LedgerError

KEEP = "INSERT INTO log.documents (digest, media_type, content) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
FETCH = "SELECT media_type, content FROM log.documents WHERE digest = %s"


class NoDocument(LedgerError):
    """No document is kept under that digest."""

    def __init__(self, digest: str) -> None:
        super().__init__(f"no document is kept under {digest}")


class DocumentAltered(LedgerError):
    """What is kept under a digest is not what was put there."""

    def __init__(self, digest: str) -> None:
        super().__init__(f"the document kept under {digest} has another digest now: it was altered in the database")


@dataclass(frozen=True)
class Document:
    media_type: str
    content: bytes


def digest_of(content: bytes) -> str:
    """SHA-256, as digests are told everywhere."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def keep(connection: Connection[Any], content: bytes, media_type: str) -> str:
    """Keep a document, within the caller's transaction; its digest. The same content is kept once."""
    digest = digest_of(content)
    connection.execute(KEEP, [digest, media_type, content])
    return digest


def fetch(connection: Connection[Any], digest: str) -> Document:
    """The document of a digest. Raises NoDocument, DocumentAltered."""
    row = connection.execute(FETCH, [digest]).fetchone()
    if row is None:
        raise NoDocument(digest)
    media_type, content = row
    if digest_of(bytes(content)) != digest:
        raise DocumentAltered(digest)
    return Document(media_type, bytes(content))
