"""Checkpoints held outside against the log: what it does not go on from keeps anything more from being signed.

A checkpoint that this ledger's own key signed is evidence, and kept for good. A witness that only says so is believed
for as long as it says so and is asked (LEDGER_WITNESSES).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

import orjson
from psycopg import Connection

from ledger.seal.cosigning import Cosigner
from ledger.seal.keys import verifiers
from ledger.seal.notes import BadNote, Checkpoint, Note, opened
from ledger.seal.tiles import Signed, root_of

KEEP: Final = """
INSERT INTO log.contradictions (place, origin, size, root, note) VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
KEPT: Final = """
SELECT place, size, root FROM log.contradictions
WHERE origin = %s AND (%s::text IS NULL OR place = %s) ORDER BY size DESC, found_at
"""
COSIGN: Final = """
INSERT INTO log.cosignatures (size, verifier, signature) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING
"""
COSIGNED: Final = "SELECT verifier, signature FROM log.cosignatures WHERE size = %s ORDER BY kept_at, verifier"
IS_COSIGNED: Final = "SELECT EXISTS (SELECT FROM log.cosignatures WHERE size = %s AND verifier = %s)"
NEWEST_COSIGNED: Final = "SELECT max(size) FROM log.cosignatures"
TELL: Final = """
INSERT INTO log.meta (name, value) VALUES ('witness/' || %s, %s)
ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value
"""
TOLD: Final = "SELECT value FROM log.meta WHERE name = 'witness/' || %s"
FORGET: Final = "DELETE FROM log.meta WHERE name LIKE 'witness/%%' AND substr(name, 9) <> ALL(%s::text[])"
# by the clock that checkpoints are signed by, which is never a simulated one
STATUS: Final = """
SELECT told.value, sealed.size, coalesce(extract(epoch FROM clock_timestamp() - waiting.signed_at), 0)::float8
FROM log.meta AS told
CROSS JOIN (SELECT coalesce(max(size), 0) AS size FROM log.checkpoints) AS sealed
LEFT JOIN LATERAL (
    SELECT signed_at FROM log.checkpoints WHERE size > coalesce((told.value::jsonb ->> 'size')::bigint, 0)
    ORDER BY size LIMIT 1
) AS waiting ON true
WHERE told.name LIKE 'witness/%' ORDER BY told.name
"""
RENAMINGS: Final = "SELECT origin, former, size, reason, declared_at FROM log.renamings ORDER BY declared_at"
WAY_OUT: Final = (
    "Nothing more is signed; what is appended is recorded, and not sealed. Restore a newer backup, or the archive, "
    "that holds what was signed. Where that is lost for good, `reqledger seal rename` lets the log go on under another "
    "name"
)


@dataclass(frozen=True)
class Told:
    """What the sealing process last saw of a witness. origin: the log's name; size: of the newest checkpoint under it
    that is held; given_at: when it took one last (an instant); error: why it did not since; claim: what it says that
    contradicts the log, without showing it."""

    name: str
    kind: str
    origin: str | None = None
    size: int | None = None
    given_at: str | None = None
    error: str | None = None
    claim: str | None = None


@dataclass(frozen=True)
class Witnessed(Told):
    """The same with how far it is behind the newest checkpoint: entries, and seconds since the first it lacks."""

    lag_positions: int = 0
    lag_seconds: float = 0.0


@dataclass(frozen=True)
class Renaming:
    """That the log was given another name: which, from which, how many entries were sealed then, why, and when."""

    origin: str
    former: str
    size: int
    reason: str
    declared_at: Any


def compare(connection: Connection[Any], place: str, note: str, origin: str) -> Checkpoint:
    """The checkpoint of this ledger that a place holds; where the log contradicts it, that is kept for good.

    One under a name that the log had before `origin` is not compared. Raises BadNote where it is not this ledger's.
    """
    told = opened(note, verifiers(connection))
    if told.origin == origin and _contradicted(connection, told.size, told.root):
        connection.execute(KEEP, [place, told.origin, told.size, told.root, note])
    return told


def of_unknown_key(connection: Connection[Any], note: str, origin: str) -> int | None:
    """The size of a checkpoint under the log's name that only keys signed which are not known here; None for others.

    So looks what was signed after the key was renewed, to a database from before that.
    """
    try:
        read = Note.read(note)
        told = Checkpoint.of(read)
    except BadNote:
        return None
    known = {each.key_id for each in verifiers(connection)}
    if told.origin != origin or any(each.name == origin and each.key_id in known for each in read.signatures):
        return None
    return told.size


def refusal(connection: Connection[Any], origin: str, place: str | None = None) -> str | None:
    """Why nothing may be signed under a name, by the evidence that was found (at one place); None where nothing is."""
    for found_at, size, root in connection.execute(KEPT, [origin, place, place]).fetchall():
        if why := _contradicted(connection, size, bytes(root)):
            return f"{found_at} holds a checkpoint of {size} entries that this ledger signed, and {why}. {WAY_OUT}"
    return None


def _contradicted(connection: Connection[Any], size: int, root: bytes) -> str | None:
    found = root_of(connection, size)
    if found is None:
        return "the log has fewer: it was set back, as by restoring an old backup"
    if found != root:
        return f"the log's first {size} are others: it was set back and told anew, or altered"
    return None


def keep_cosignature(connection: Connection[Any], size: int, cosigner: Cosigner, signature: bytes) -> None:
    """Keep a cosignature that was verified."""
    connection.execute(COSIGN, [size, cosigner.text, signature])


def is_cosigned(connection: Connection[Any], size: int, cosigner: Cosigner) -> bool:
    """Whether a cosignature of this key under the checkpoint of a size is kept."""
    row = connection.execute(IS_COSIGNED, [size, cosigner.text]).fetchone()
    return row is not None and bool(row[0])


def cosigned(connection: Connection[Any], signed: Signed) -> str:
    """A checkpoint's note with the witnesses' signatures below the log's own."""
    rows = connection.execute(COSIGNED, [signed.size]).fetchall()
    note = signed.note
    for verifier, signature in rows:
        # a row that somebody changed by hand is named by `verify`, and no reason to show nothing
        with suppress(BadNote):
            note += Cosigner.read(verifier).line(bytes(signature))
    return note


def newest_cosigned(connection: Connection[Any]) -> int | None:
    """The size of the newest checkpoint that a witness cosigned."""
    row = connection.execute(NEWEST_COSIGNED).fetchone()
    return None if row is None else row[0]


def tell(connection: Connection[Any], told: Told) -> None:
    """Write down what was seen of a witness, for every process to read."""
    connection.execute(TELL, [told.name, orjson.dumps(asdict(told)).decode()])


def told_of(connection: Connection[Any], name: str) -> Told | None:
    """What was last written down of a witness."""
    row = connection.execute(TOLD, [name]).fetchone()
    return None if row is None else _told(row[0])


def forget_others(connection: Connection[Any], names: list[str]) -> None:
    """Drop what was written down of witnesses that are no longer asked."""
    connection.execute(FORGET, [names])


def witnessed(connection: Connection[Any]) -> Iterator[Witnessed]:
    """How far each witness is, as the process that seals last saw it."""
    for value, size, seconds in connection.execute(STATUS.encode()).fetchall():
        told = _told(value)
        yield Witnessed(**asdict(told), lag_positions=max(size - (told.size or 0), 0), lag_seconds=seconds)


def renamings(connection: Connection[Any]) -> list[Renaming]:
    """The names the log was given after its first one, and why."""
    return [Renaming(*row) for row in connection.execute(RENAMINGS)]


def _told(value: str) -> Told:
    read = orjson.loads(value)
    return Told(**{field.name: read.get(field.name) for field in fields(Told)})
