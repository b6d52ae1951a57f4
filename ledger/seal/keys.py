"""The key that signs checkpoints: its private half in a file or the environment, its public half in the database.

Whoever holds the database alone can thus alter the log, but sign no checkpoint over what they altered. The first
process that seals a ledger makes its key; from then on, a process without it does not seal.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from psycopg import Connection
from pydantic import SecretStr

from ledger import files
from ledger.errors import LedgerError
from ledger.seal.notes import BadNote, Signer, Verifier
from ledger.settings import Settings

FILE = "seal-{ledger_id}.key"
"""Name of the key's file in LEDGER_HOME: several ledgers may share one home."""
LOCK = "SELECT pg_advisory_xact_lock(7246331902123)"
KNOWN = "SELECT verifier FROM log.seal_keys ORDER BY since, verifier"
KNOW = "INSERT INTO log.seal_keys (verifier) VALUES (%s)"
RENAME = """
INSERT INTO log.renamings (verifier, origin, former, size, reason)
SELECT %s, %s, %s, coalesce(max(size), 0), %s FROM log.checkpoints
"""
LEDGER = "SELECT ledger_id FROM log.ledger"


class NoSealKey(LedgerError):
    """This process does not have the key that the ledger's checkpoints are signed with."""


@dataclass(frozen=True)
class Place:
    """Where the private key of a ledger is: in a file, or in a setting itself."""

    ledger_id: UUID
    path: Path
    setting: SecretStr | None

    @classmethod
    def of(cls, connection: Connection[Any], settings: Settings) -> Self:
        row = connection.execute(LEDGER).fetchone()
        assert row is not None, "a ledger's row is made when it is opened"
        path = settings.seal_key_file or settings.home / FILE.format(ledger_id=row[0])
        return cls(row[0], path, settings.seal_key)

    def __str__(self) -> str:
        return str(self.path) if self.setting is None else "LEDGER_SEAL_KEY"

    def held(self) -> Signer | None:
        """The key that is there, if any. Raises NoSealKey where it cannot be read."""
        try:
            if self.setting is not None:
                return Signer.read(self.setting.get_secret_value())
            return Signer.read(self.path.read_text("ascii"))
        except FileNotFoundError:
            return None
        except (BadNote, OSError, UnicodeDecodeError) as error:
            raise NoSealKey(f"The seal key in {self} cannot be read: {error}") from error

    def keep(self, key: Signer) -> None:
        """Write a key where only its owner reads it, on disk before anybody is told of it. Raises NoSealKey."""
        try:
            files.put_secret(self.path, key.secret + "\n")
        except OSError as error:
            raise NoSealKey(f"The seal key cannot be kept in {self.path}: {error.strerror or error}") from error


def verifiers(connection: Connection[Any]) -> list[Verifier]:
    """The public halves of all keys this ledger was ever sealed with, the first one first; none before it was."""
    return [Verifier.read(text) for (text,) in connection.execute(KNOWN)]


def signer(connection: Connection[Any], settings: Settings) -> Signer:
    """The key to sign with; made, kept and made known where the ledger has none yet. Raises NoSealKey."""
    with connection.transaction():
        connection.execute(LOCK)
        known = verifiers(connection)
        place = Place.of(connection, settings)
        held = place.held()
        if known:
            return _one_of(known, held, place)
        origin = settings.seal_origin or origin_of(place.ledger_id)
        if held is None:
            held = Signer.make(origin)
            place.keep(held)
        elif held.name != origin:
            raise NoSealKey(
                f"The seal key in {place} belongs to {held.name}, and this ledger is {origin}: give it a key of its "
                "own with LEDGER_SEAL_KEY_FILE, or name it with LEDGER_SEAL_ORIGIN."
            )
        connection.execute(KNOW, [held.verifier.text])
        return held


def missing(connection: Connection[Any], settings: Settings) -> str | None:
    """Why a process of these settings could not seal this ledger; None where it could. Nothing is made."""
    try:
        known = verifiers(connection)
        if known:
            place = Place.of(connection, settings)
            _one_of(known, place.held(), place)
    except NoSealKey as error:
        return str(error)
    return None


def renew(connection: Connection[Any], settings: Settings) -> Signer:
    """Make a new key that signs from now on, in place of the one in the file. Raises NoSealKey.

    The old public half stays known, for the checkpoints it signed; the old file is kept beside the new one.
    """
    with connection.transaction():
        connection.execute(LOCK)
        known = verifiers(connection)
        place = Place.of(connection, settings)
        name = known[-1].name if known else settings.seal_origin or origin_of(place.ledger_id)
        return _replace(connection, place, name)


def rename(connection: Connection[Any], settings: Settings, reason: str, name: str | None = None) -> Signer:
    """Give the log another name, and a new key under it, from now on; the reason is kept for good. Raises NoSealKey.

    Without a `name`, it is the first one with a number behind it. Nothing is signed under the former ones any more.
    """
    with connection.transaction():
        connection.execute(LOCK)
        known = verifiers(connection)
        if not known:
            raise NoSealKey("Nothing was signed under a name yet: LEDGER_SEAL_ORIGIN gives the first one.")
        had = {each.name for each in known}
        name = name or f"{known[0].name}/{len(had) + 1}"
        if name in had:
            raise NoSealKey(f"The log had the name {name} already: another one is needed.")
        made = _replace(connection, Place.of(connection, settings), name)
        connection.execute(RENAME, [made.verifier.text, name, known[-1].name, reason])
        return made


def origin_of(ledger_id: UUID) -> str:
    """The name a ledger's checkpoints bear unless LEDGER_SEAL_ORIGIN says otherwise."""
    return f"requirements-ledger/{ledger_id}"


def _replace(connection: Connection[Any], place: Place, name: str) -> Signer:
    if place.setting is not None:
        raise NoSealKey("LEDGER_SEAL_KEY holds the key: where it comes from is where a new one is put.")
    made = Signer.make(name)
    held = place.held()
    if held is not None:
        place.path.rename(place.path.with_name(f"{place.path.name}.{held.verifier.key_id.hex()}"))
    place.keep(made)
    connection.execute(KNOW, [made.verifier.text])
    return made


def _one_of(known: list[Verifier], held: Signer | None, place: Place) -> Signer:
    if held is None:
        raise NoSealKey(
            f"There is no seal key in {place}: copy it from where the ledger is sealed, or name its place with "
            "LEDGER_SEAL_KEY_FILE. Where it is lost, `reqledger seal renew` makes a new one."
        )
    # the last one is the one that signs; one that was replaced may have been replaced because it was stolen
    if held.verifier != known[-1]:
        raise NoSealKey(
            f"The seal key in {place} is {held.name}+{held.verifier.key_id.hex()}, but this ledger is sealed with "
            f"{known[-1].name}+{known[-1].key_id.hex()}: put that one there."
        )
    return held
