"""Gives checkpoints to the places outside that LEDGER_WITNESSES names, and asks them what they hold.

Each has a thread of its own in the process that seals, so that neither sealing nor another place waits for a slow one;
only before its first signature does a process wait for what they hold, and that for a few seconds at most. What they
hold against the log is told by `refusal`.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from psycopg import Connection, Error

from ledger.errors import LedgerError
from ledger.log.database import Database
from ledger.seal.addresses import Address, AtWitness, InFile, addresses
from ledger.seal.holding import Disputed, FileHolder, NotHeld, Proof, WebhookHolder, holder
from ledger.seal.notes import BadNote, Checkpoint, Note
from ledger.seal.outside import (
    WAY_OUT,
    Told,
    compare,
    forget_others,
    is_cosigned,
    keep_cosignature,
    of_unknown_key,
    refusal,
    tell,
    told_of,
)
from ledger.seal.tiles import Signed, Tree, TreeDamaged, last_signed
from ledger.seal.tree import Hash
from ledger.vocabulary import instant_text

LOOK_SECONDS: Final = 5.0
"""How long a process waits for what is held outside before it signs first, and at its end until the last is given."""
AGAIN_SECONDS: Final = 0.5
"""Seconds after which a place is looked at that could not be, as this ledger's own database did not answer."""
LONGEST_WAIT: Final = 600.0
"""Seconds after which a place is tried again, however often it failed."""
FILE_SECONDS: Final = 1.0
"""Least time between two checkpoints given to a file: it costs nobody else anything."""


class Witnesses:
    """All places outside, as the process that seals deals with them."""

    def __init__(self, database: Database) -> None:
        settings = database.settings
        self._keepers = [Keeper(database, each) for each in addresses(settings.witnesses.get_secret_value())]
        self._origin: str | None = None

    def begin(self, connection: Connection[Any], origin: str) -> None:
        """Look at what is held outside of the log of this name; to be called by who holds the sealers' lock."""
        self._origin = origin
        forget_others(connection, [each.name for each in self._keepers])
        for each in self._keepers:
            each.begin(connection, origin)
        until = time.monotonic() + LOOK_SECONDS
        for each in self._keepers:
            each.looked.wait(max(until - time.monotonic(), 0))

    def offer(self) -> None:
        """Say that there may be a newer checkpoint to give."""
        for each in self._keepers:
            each.offer()

    def refusal(self, connection: Connection[Any]) -> str | None:
        """Why nothing may be signed, by what is held outside; None where nothing is against it."""
        assert self._origin is not None, "asked after it began"
        for each in self._keepers:
            if each.claim is not None:
                return f"{each.name} says that {each.claim}. {WAY_OUT}"
        return refusal(connection, self._origin)

    def end(self) -> None:
        """Another process may seal from now on."""
        for each in self._keepers:
            each.end()

    def stop(self) -> None:
        """End all threads, after a last checkpoint to each place that takes them."""
        for each in self._keepers:
            each.stop()
        until = time.monotonic() + LOOK_SECONDS
        for each in self._keepers:
            each.join(max(until - time.monotonic(), 0))


class Keeper:
    """Deals with one place, in a thread of its own."""

    def __init__(self, database: Database, address: Address) -> None:
        self.name = address.name
        self.looked = threading.Event()
        """Set once it was asked what it holds, or did not answer."""
        self.claim: str | None = None
        """What it says that the log contradicts, without evidence."""
        self._database = database
        self._address = address
        self._holder = holder(address)
        seconds = database.settings.witness_seconds
        self._seconds = min(seconds, FILE_SECONDS) if isinstance(address, InFile) else seconds
        self._changed = threading.Condition()
        self._origin: str | None = None
        self._offered = False
        self._stopping = False
        self._began = 0
        self._failures = 0
        self._due = 0.0
        self._told = Told(self.name, _kind(address))
        # the size it took last from this process, as long as nothing went wrong since
        self._held: int | None = None
        self._log = structlog.get_logger("witness")
        self._thread: threading.Thread | None = None

    def begin(self, connection: Connection[Any], origin: str) -> None:
        known = told_of(connection, self.name)
        with self._changed:
            # what it said of the log under another name counts no longer
            self._told = Told(self.name, self._told.kind, origin)
            if known is not None and known.origin == origin:
                self._told = known
            self.claim = self._told.claim
            self._origin, self._offered, self._held = origin, True, None
            self._began, self._due = self._began + 1, 0.0
            self.looked.clear()
            self._changed.notify_all()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"witness {self.name}", daemon=True)
            self._thread.start()

    def offer(self) -> None:
        with self._changed:
            self._offered = True
            self._changed.notify_all()

    def end(self) -> None:
        with self._changed:
            self._origin = None

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def join(self, seconds: float) -> None:
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._stopping and (wait := self._waits()):
                    self._changed.wait(None if wait < 0 else wait)
                if self._stopping and (self._origin is None or self._failures):
                    return
                stopping, origin, began, self._offered = self._stopping, self._origin, self._began, False
            if origin is not None:
                told = self._try(origin)
                with self._changed:
                    # what was found before the process began anew says nothing of the log as it is now
                    if began == self._began:
                        self._take(told)
            if stopping:
                return

    def _waits(self) -> float:
        """Seconds until there is something to do; less than 0 where only a call can bring that."""
        if self._origin is None or not (self._offered or self._failures):
            return -1.0
        return max(self._due - time.monotonic(), 0.0)

    def _try(self, origin: str) -> Told | None:
        """What was seen of the place; None where the database did not answer, and nothing could be compared."""
        try:
            with self._database.connect() as connection:
                try:
                    told = self._turn(connection, origin)
                except NotHeld as error:
                    told = self._failed(str(error), self.claim)
                except Disputed as error:
                    told = self._failed(str(error), str(error))
                except TreeDamaged as error:
                    # the sealer says so too
                    told = self._failed(str(error), self.claim)
                tell(connection, told)
        except (Error, LedgerError) as error:
            self._log.warning("witness_not_asked", witness=self.name, cause=type(error).__name__)
            return None
        except Exception as error:
            # a place outside, whatever it does, must not end the asking
            return self._failed(f"{type(error).__name__}: {error}", self.claim)
        return told

    def _take(self, told: Told | None) -> None:
        if told is None:
            self._failures, self._due = self._failures + 1, time.monotonic() + AGAIN_SECONDS
            return
        failed = told.error is not None
        if failed and told.error != self._told.error:
            self._log.warning("witness_failed", witness=self.name, cause=told.error)
        self._told, self.claim = told, told.claim
        self._held = None if failed else told.size
        self._failures = self._failures + 1 if failed else 0
        self._due = time.monotonic() + min(self._seconds * 2.0 ** min(self._failures, 20), LONGEST_WAIT)
        self.looked.set()

    def _turn(self, connection: Connection[Any], origin: str) -> Told:
        """Ask what is held, hold it against the log, and give the newest checkpoint where it is newer."""
        size = self._look(connection, origin)
        if refusal(connection, origin, self.name):
            return self._failed("what it holds, the log contradicts", None)
        signed = last_signed(connection)
        if signed is None or signed.size < size or Checkpoint.of(Note.read(signed.note)).origin != origin:
            # it is given what goes on from what it holds, once that is sealed
            return self._holds(size or None)
        cosigner = self._address.cosigner if isinstance(self._address, AtWitness) else None
        if signed.size == size and (cosigner is None or is_cosigned(connection, size, cosigner)):
            return self._holds(size)
        try:
            found = self._holder.give(signed, _proofs(connection, signed), size)
        except Disputed as error:
            newest = last_signed(connection)
            if newest is not None and signed.size < error.size <= newest.size:
                raise NotHeld("it was given a newer checkpoint meanwhile") from error
            raise
        if found is not None and cosigner is not None:
            keep_cosignature(connection, signed.size, cosigner, found.signature)
        return replace(self._holds(signed.size), given_at=instant_text(datetime.now(UTC)))

    def _look(self, connection: Connection[Any], origin: str) -> int:
        """The size that is held of the log of this name; 0 where none is known."""
        if isinstance(self._holder, WebhookHolder):
            return self._told.size or 0
        # a file may have been put there by hand; a witness holds what it was given
        if self._held is not None and not isinstance(self._holder, FileHolder):
            return self._held
        note = self._holder.held(origin)
        if note is None:
            return 0
        try:
            told = compare(connection, self.name, note, origin)
        except BadNote as error:
            if size := of_unknown_key(connection, note, origin):
                said = f"it holds a checkpoint of {size} entries of {origin}, by a key that this database does not know"
                raise Disputed(said, size) from error
            if isinstance(self._holder, FileHolder):
                raise NotHeld(f"it holds something else, which is not replaced: {error}") from error
            return 0
        if told.origin != origin:
            if isinstance(self._holder, FileHolder):
                self._holder.put_aside(note)
            return 0
        return told.size

    def _holds(self, size: int | None) -> Told:
        return replace(self._told, size=size, error=None, claim=None)

    def _failed(self, error: str, claim: str | None) -> Told:
        return replace(self._told, error=error, claim=claim)


def _proofs(connection: Connection[Any], signed: Signed) -> Proof:
    tree = Tree(connection, signed.size)

    def proof(old: int) -> list[Hash]:
        return tree.consistency(old) if 0 < old < signed.size else []

    return proof


def _kind(address: Address) -> str:
    if isinstance(address, InFile):
        return "file"
    return "witness" if isinstance(address, AtWitness) else "webhook"
