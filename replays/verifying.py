"""Verify: the log hashed again from its stored bytes, and all that was ever signed or derived held against it.

No stored hash is believed. Every row must be where it belongs and every entry be the one that was sealed; where one is
not, what was sealed instead goes on into the tree, so that one alteration is not reported for everything after it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from adbc_driver_postgresql import dbapi as adbc
from psycopg import Connection

from ledger.log.application import Ledger
from ledger.seal.cosigning import Cosigner
from ledger.seal.keys import verifiers
from ledger.seal.notes import BadNote, Note, Verifier, opened
from ledger.seal.outside import renamings
from ledger.seal.tree import WIDTH, Growing, Hash, Tile, fold, leaf_hash
from replays.ahead import batches
from replays.archive.columns import ENTRY
from replays.archive.reading import Archive
from replays.data_keys import keys_against_the_log
from replays.derived import BYTES, ENTRIES, Derived, differing_in
from replays.engine import Engine, Progress
from replays.findings import Finding

MEMORY_MB: Final = 1_000
MOST: Final = 100
"""Findings that are told; the others are counted."""
CHECKPOINTS: Final = "SELECT size, root, note FROM log.checkpoints ORDER BY size"
COSIGNATURES: Final = """
SELECT size, verifier, signature, note FROM log.cosignatures LEFT JOIN log.checkpoints USING (size)
ORDER BY size, verifier
"""
CONTRADICTIONS: Final = "SELECT place, note FROM log.contradictions WHERE origin = %s ORDER BY size, found_at"
HEAD: Final = "SELECT coalesce(max(position), 0) FROM log.entries"
TILES: Final = "SELECT number, root, hashes FROM log.tiles WHERE level = %s AND number >= %s AND number <= %s"
DOCUMENTS: Final = (
    "SELECT digest FROM log.documents WHERE digest <> 'sha256:' || encode(sha256(content), 'hex') ORDER BY digest"
)
NOTHING: Final = bytes(32)
"""Stands for the hash of an entry that is gone and was not sealed in a full tile."""


@dataclass
class Report:
    """What verifying came to. entries: rows read; sealed: of the newest checkpoint; checkpoints: how many were checked;
    findings: what is wrong, the first of them; more: how many others; seconds: what it took; cosignatures: how many
    were checked, of the keys of `cosigners`, the newest over `cosigned` entries; renamed: each other name the log was
    given, and why."""

    entries: int = 0
    sealed: int = 0
    checkpoints: int = 0
    findings: list[Finding] = field(default_factory=list)
    more: int = 0
    seconds: float = 0.0
    cosignatures: int = 0
    cosigned: int = 0
    cosigners: list[str] = field(default_factory=list)
    renamed: list[str] = field(default_factory=list)

    def add(self, *found: Finding) -> None:
        for each in found:
            if len(self.findings) < MOST:
                self.findings.append(each)
            else:
                self.more += 1


@dataclass(frozen=True)
class Held:
    """A checkpoint held outside the ledger: what it is called (a file), and its note."""

    name: str
    note: str


def verify(
    ledger: Ledger,
    held: Sequence[Held] = (),
    trusted: Sequence[Verifier] = (),
    progress: Progress = lambda *_: None,
    *,
    beside: bool = True,
    archive: Archive | None = None,
) -> Report:
    """Verify the log as it stands, while it may be appended to. Checkpoints `held` outside must be of this very log.

    With `trusted` keys, only what these signed is believed to be signed; else the keys that the database names. With
    `beside=False`, the columns and names beside the entries, which no seal is over, are not looked at. An archive is
    held against its manifest and against the log. Raises OtherArchive where it is of another ledger.
    """
    began = time.monotonic()
    report = Report()
    if archive is not None:
        archive.of(ledger)
    with ledger.database.connect() as connection:
        signed = _signed(connection, held, trusted, report)
        _cosigned(connection, report)
        for each in renamings(connection):
            why = f"{each.former} until {each.size:,} entries, {each.origin} since: {each.reason}"
            report.renamed.append(why)
        row = connection.execute(HEAD).fetchone()
        assert row is not None
        walk = _Walk(connection, signed, report, max(row[0], report.sealed), archive.last if archive else None)
        with (
            Engine(min(MEMORY_MB, ledger.settings.replay_memory_mb)) as engine,
            adbc.connect(ledger.database.conninfo) as source,
            ThreadPoolExecutor(1) as pool,
        ):
            derived = Derived(engine)
            waiting: Future[list[Finding]] | None = None
            for batch in batches(source, (ENTRIES if beside else BYTES).format(upto=row[0])):
                if waiting is not None:
                    report.add(*waiting.result())
                waiting = pool.submit(derived.columns, batch) if beside else None
                walk.take(batch.column("position").to_pylist(), batch.column("entry").to_pylist())
                progress("verifying", walk.tree.size, walk.end)
            if waiting is not None:
                report.add(*waiting.result())
            walk.finish()
            if beside:
                report.add(*derived.names(connection, source, row[0], MOST))
                report.add(*derived.keys(connection, MOST), *keys_against_the_log(connection, ledger.wrapping, row[0]))
            if archive is not None:
                found = _archived(connection, archive, signed, walk.wanted_root, engine, progress)
                report.add(*(Finding(each.position, f"in the archive, {each.what}") for each in found))
        for (digest,) in connection.execute(DOCUMENTS):
            report.add(Finding(None, f"document {digest}: its content is not the one it is named after"))
    report.findings.sort(key=lambda found: (found.position is None, found.position or 0))
    report.seconds = time.monotonic() - began
    return report


Claims = Mapping[int, Sequence[tuple[str, Hash]]]
"""Size → the roots that were signed for it, and by what name each is told."""


def _signed(connection: Connection[Any], held: Sequence[Held], trusted: Sequence[Verifier], report: Report) -> Claims:
    """The roots of all checkpoints, here and outside, whose signatures are good; what is wrong goes into the report."""
    keys: Sequence[Verifier] = trusted
    try:
        keys = trusted or verifiers(connection)
    except BadNote as error:
        report.add(Finding(None, f"log.seal_keys: {error}"))
    names = [each.name for each in keys]
    origin, latest = names[-1] if names else None, 0
    claims: dict[int, list[tuple[str, Hash]]] = {}
    for size, root, note in connection.execute(CHECKPOINTS):
        name = f"the checkpoint of size {size}"
        report.checkpoints += 1
        report.sealed = size
        try:
            told = opened(note, keys)
        except BadNote as error:
            report.add(Finding(None, f"{name}: {error}"))
            continue
        if (told.size, told.root) != (size, root):
            report.add(Finding(None, f"{name}: its row is not what its note says, of size {told.size}"))
        elif not trusted and names.index(told.origin) < latest:
            report.add(Finding(None, f"{name}: it bears {told.origin}, a name that the log no longer had"))
        latest = names.index(told.origin)
        claims.setdefault(told.size, []).append((name, told.root))
    found = [Held(*row) for row in connection.execute(CONTRADICTIONS, [origin])]
    for each in [*held, *found]:
        name = f"the checkpoint in {each.name}"
        try:
            told = opened(each.note, keys)
        except BadNote as error:
            report.add(Finding(None, f"{name}: {error}"))
            continue
        if told.size and told.size not in claims:
            newest = f"the newest here is of size {report.sealed}"
            report.add(Finding(None, f"{name}, of size {told.size}, was signed and is gone from the ledger; {newest}"))
        claims.setdefault(told.size, []).append((name, told.root))
    return claims


def _cosigned(connection: Connection[Any], report: Report) -> None:
    """Check the cosignatures of witnesses that are kept."""
    for size, verifier, signature, note in connection.execute(COSIGNATURES):
        report.cosignatures += 1
        try:
            if note is None:
                raise BadNote("the checkpoint is gone")
            cosigner = Cosigner.read(verifier)
            cosigner.checked(Note.read(note).text, bytes(signature))
        except BadNote as error:
            report.add(Finding(None, f"a witness's signature under the checkpoint of size {size}: {error}"))
            continue
        report.cosigned = size
        if cosigner.name not in report.cosigners:
            report.cosigners.append(cosigner.name)


def _archived(
    connection: Connection[Any],
    archive: Archive,
    signed: Claims,
    root: Hash | None,
    engine: Engine,
    progress: Progress,
) -> list[Finding]:
    """What is wrong with an archive, of which the log, so far, has a root: with its files; with its entries, hashed as
    the log's are; and with the columns beside them, typed again."""
    if damaged := archive.examine(progress):
        return [Finding(None, str(each)) for each in damaged]
    report = Report()
    claims = {size: roots for size, roots in signed.items() if size <= archive.last}
    if root is None:
        report.add(Finding(None, f"positions to {archive.last} are held; the log ends before"))
    elif archive.last:
        claims[archive.last] = [*claims.get(archive.last, ()), ("the log", root)]
    report.sealed = max(claims, default=0)
    walk = _Walk(connection, claims, report, archive.last)
    for segment in archive.segments:
        for batch in archive.batches([segment], ["position", ENTRY]):
            walk.take(batch.column("position").to_pylist(), batch.column(ENTRY).to_pylist())
            progress("verifying the archive", walk.tree.size, archive.last)
        report.add(*differing_in(engine, archive, segment, MOST))
    walk.finish()
    return report.findings


class _Walk:
    """Goes through the log, tile by tile, and holds stored tiles and signed roots against it.

    `wanted_root` is in the end the root of the tree of a size asked for, where the log is as long.
    """

    def __init__(
        self, connection: Connection[Any], signed: Claims, report: Report, end: int, wanted: int | None = None
    ) -> None:
        self.tree = Growing()
        self.wanted_root: Hash | None = None
        self._wanted = wanted
        self.end = end
        self._connection = connection
        self._signed = signed
        self._report = report
        self._sizes = sorted(size for size in {*signed, wanted} if size)
        self._good = 0
        self._next = 1
        self._leaves: list[Hash | None] = []
        self._broken = False

    def take(self, positions: list[int], entries: list[bytes]) -> None:
        """Rows in the order of their positions."""
        self._report.entries += len(positions)
        first = self._next
        if positions == list(range(first, first + len(positions))):
            self._leaves += map(leaf_hash, entries)
            self._next += len(positions)
        else:
            for position, entry in zip(positions, entries, strict=True):
                self._place(position, entry)
        self._grow()

    def finish(self) -> None:
        """The log has ended: what is gone from its end, and what was signed beyond it."""
        self._missing(self.end + 1)
        self._grow()
        self._add(self._leaves)
        for size in self._sizes:
            for name, _ in self._signed.get(size, ()):
                self._report.add(
                    Finding(None, f"{name} was signed over {size} entries, and the log has {self.tree.size}")
                )

    def _place(self, position: int, entry: bytes) -> None:
        if position < self._next:
            self._report.add(Finding(position, "a row that does not belong there: the position is taken, or is none"))
            return
        self._missing(position)
        self._leaves.append(leaf_hash(entry))
        self._next += 1

    def _missing(self, upto: int) -> None:
        """Nothing stands at the next positions before `upto`."""
        gap = upto - self._next
        if gap > 0:
            until = f" (and all up to {upto - 1})" if gap > 1 else ""
            self._report.add(Finding(self._next, f"the entry is missing{until}"))
            self._leaves += [None] * gap
            self._next = upto

    def _grow(self) -> None:
        whole = len(self._leaves) // WIDTH
        if not whole:
            return
        first = self.tree.size // WIDTH
        stored = self._stored(0, first, first + whole - 1)
        for number in range(first, first + whole):
            at = (number - first) * WIDTH
            self._add(self._compared(number, self._leaves[at : at + WIDTH], stored.get(number)))
        del self._leaves[: whole * WIDTH]

    def _compared(
        self, number: int, leaves: list[Hash | None], stored: tuple[Hash, bytes] | None
    ) -> Sequence[Hash | None]:
        """The leaves under a tile as they were sealed, after telling which of the log's are others."""
        if stored is None:
            if (number + 1) * WIDTH <= self._report.sealed:
                self._report.add(Finding(None, f"tile {number} of level 0 is missing"))
            return leaves
        root, hashes = stored
        if b"".join(leaf or NOTHING for leaf in leaves) == hashes:
            return leaves
        kept = [hashes[at : at + 32] for at in range(0, 32 * WIDTH, 32)]
        if fold(kept) != root:
            self._report.add(Finding(None, f"tile {number} of level 0: its hashes are not those of its root"))
            return leaves
        for place, (leaf, sealed) in enumerate(zip(leaves, kept, strict=True)):
            # one that is missing was told already
            if leaf is not None and leaf != sealed:
                self._report.add(Finding(number * WIDTH + place + 1, "the entry is not the one that was sealed"))
        return kept

    def _add(self, leaves: Sequence[Hash | None]) -> None:
        """Let the tree grow, and stop at each size that was signed."""
        done = 0
        while done < len(leaves):
            until = len(leaves)
            if self._sizes:
                until = min(until, done + self._sizes[0] - self.tree.size)
            for tile in self.tree.add(leaf or NOTHING for leaf in leaves[done:until]):
                self._tile(tile)
            done = until
            if self._sizes and self._sizes[0] == self.tree.size:
                self._root(self._sizes.pop(0))

    def _tile(self, tile: Tile) -> None:
        stored = self._stored(tile.level, tile.number, tile.number).get(tile.number)
        if stored is None:
            if tile.level and (tile.number + 1) * WIDTH ** (tile.level + 1) <= self._report.sealed:
                self._report.add(Finding(None, f"tile {tile.number} of level {tile.level} is missing"))
        elif stored != (tile.root, tile.hashes):
            self._report.add(
                Finding(None, f"tile {tile.number} of level {tile.level}: its hashes are not those of the log")
            )

    def _root(self, size: int) -> None:
        root = self.tree.root()
        if size == self._wanted:
            self.wanted_root = root
        for name, signed in self._signed.get(size, ()):
            if signed == root:
                self._good = size
            elif not self._broken:
                self._broken = True
                where = f"{self._good + 1} to {size}" if size > self._good + 1 else f"{size}"
                self._report.add(
                    Finding(
                        self._good + 1,
                        f"not what was sealed: among the positions {where}, an entry is not the one under {name}",
                    )
                )

    def _stored(self, level: int, first: int, last: int) -> dict[int, tuple[Hash, bytes]]:
        rows = self._connection.execute(TILES, [level, first, last], binary=True)
        return {number: (bytes(root), bytes(hashes)) for number, root, hashes in rows}
