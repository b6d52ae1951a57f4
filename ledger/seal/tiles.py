"""The tree as it is read: from the stored tiles and, beyond the last full one, from the entries themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from ledger.errors import LedgerError
from ledger.seal.tree import (
    HEIGHT,
    WIDTH,
    Growing,
    Hash,
    consistency_path,
    fold,
    inclusion_path,
    joined,
    leaf_hash,
    prove,
    subtrees,
)

LAST = "SELECT size, root, note, signed_at FROM log.checkpoints ORDER BY size DESC LIMIT 1"
OF_SIZE = "SELECT size, root, note, signed_at FROM log.checkpoints WHERE size = %s"
TILE = "SELECT hashes FROM log.tiles WHERE level = %s AND number = %s"
ROOTS = "SELECT root FROM log.tiles WHERE level = %s AND number >= %s AND number < %s ORDER BY number"
ENTRIES = "SELECT entry FROM log.entries WHERE position > %s AND position <= %s ORDER BY position"
CHUNK = 20_000
"""Entries read at a time."""
HIGHEST_LEVEL = 7
"""The level of the highest tile a tree can have: there are fewer than 2^63 positions."""


class TreeDamaged(LedgerError):
    """The stored tree or the log lacks what a signed checkpoint says is there."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: somebody changed the database by hand; `reqledger verify` says where")


@dataclass(frozen=True)
class Signed:
    """A checkpoint as it is kept: what it says, and the note it is signed in."""

    size: int
    root: Hash
    note: str
    signed_at: datetime


def last_signed(connection: Connection[Any]) -> Signed | None:
    """The newest checkpoint."""
    row = connection.execute(LAST).fetchone()
    return None if row is None else Signed(*row)


def signed_of(connection: Connection[Any], size: int) -> Signed | None:
    """The checkpoint of a size; not every size has one."""
    row = connection.execute(OF_SIZE, [size]).fetchone()
    return None if row is None else Signed(*row)


class Tree:
    """The tree of a size that has been sealed. Raises TreeDamaged where hashes are missing."""

    def __init__(self, connection: Connection[Any], size: int) -> None:
        self._connection = connection
        self.size = size
        self._read: dict[tuple[int, int], bytes] = {}

    def tile(self, level: int, number: int) -> bytes:
        """The hashes of a tile on end: all 256, or those there are in the last one of its level."""
        if (level, number) not in self._read:
            self._read[level, number] = self._tile(level, number)
        return self._read[level, number]

    def node(self, height: int, index: int) -> Hash:
        """The hash of a complete node."""
        level, above = divmod(height, HEIGHT)
        first = index << above
        hashes = self.tile(level, first // WIDTH)
        place = first % WIDTH
        return fold([hashes[32 * at : 32 * at + 32] for at in range(place, place + (1 << above))])

    def root(self) -> Hash:
        return joined([self.node(height, index) for height, index in subtrees((0, self.size))])

    def leaf(self, index: int) -> Hash:
        return self.node(0, index)

    def inclusion(self, index: int) -> list[Hash]:
        """The proof that the leaf is in this tree. Raises ValueError where there is no such leaf."""
        return prove(inclusion_path(index, self.size), self.node)

    def consistency(self, old: int) -> list[Hash]:
        """The proof that this tree begins with the one of an older size. Raises ValueError where it cannot."""
        return prove(consistency_path(old, self.size), self.node)

    def width(self, level: int, number: int) -> int:
        """How many hashes a tile has: none where there is no such tile."""
        return min(max((self.size >> HEIGHT * level) - number * WIDTH, 0), WIDTH)

    def entries(self, number: int, width: int) -> list[bytes]:
        """The first `width` entries under a tile of level 0, as stored."""
        first = number * WIDTH
        rows = self._connection.execute(ENTRIES, [first, first + width], binary=True).fetchall()
        if len(rows) != width:
            raise TreeDamaged(f"entries between the positions {first + 1} and {first + width} are gone")
        return [bytes(entry) for (entry,) in rows]

    def _tile(self, level: int, number: int) -> bytes:
        width = self.width(level, number)
        if width == WIDTH:
            row = self._connection.execute(TILE, [level, number], binary=True).fetchone()
            if row is None:
                raise TreeDamaged(f"tile {number} of level {level} is gone")
            return bytes(row[0])
        if level == 0:
            return b"".join(map(leaf_hash, self.entries(number, width)))
        return b"".join(roots(self._connection, level - 1, number * WIDTH, width))


def roots(connection: Connection[Any], level: int, first: int, count: int) -> Sequence[Hash]:
    """The hashes over stored tiles of a level, from the first on. Raises TreeDamaged where one is missing."""
    rows = connection.execute(ROOTS, [level, first, first + count], binary=True).fetchall()
    if len(rows) != count:
        raise TreeDamaged(f"tiles of level {level} between {first} and {first + count - 1} are gone")
    return [bytes(root) for (root,) in rows]


def edge(connection: Connection[Any], size: int) -> list[list[Hash]]:
    """The hashes, level by level, beyond the full tiles of a sealed tree whose last tile of level 0 is full."""
    found: list[list[Hash]] = [[]]
    while count := size >> HEIGHT * len(found):
        beyond = count % WIDTH
        found.append([*roots(connection, len(found) - 1, count - beyond, beyond)])
    return found


def root_of(connection: Connection[Any], size: int) -> Hash | None:
    """The root of the log's first entries, sealed or not; None where it has fewer. Raises TreeDamaged."""
    last = last_signed(connection)
    sealed = 0 if last is None else last.size
    if size <= sealed:
        return Tree(connection, size).root()
    at = sealed // WIDTH * WIDTH
    tree = Growing(at, edge(connection, at))
    while tree.size < size:
        until = min(size, tree.size + CHUNK)
        rows = connection.execute(ENTRIES, [tree.size, until], binary=True).fetchall()
        if len(rows) < until - tree.size:
            return None
        for _ in tree.add(leaf_hash(entry) for (entry,) in rows):
            pass
    return tree.root()
