"""The arithmetic of the transparency tree (RFC 6962 section 2.1, RFC 9162 section 2.1): hashes, paths, proofs.

A leaf is an entry's bytes; its index is the entry's position − 1. A node is named by its height and index: node (h, i)
stands over the leaves from i·2^h to (i+1)·2^h. Hashes are 32 bytes. Nothing here reads or writes.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

HEIGHT = 8
"""Levels of nodes that a tile stands for: those of level L are at height 8·L."""
WIDTH = 1 << HEIGHT
"""Hashes in a full tile."""
EMPTY = sha256().digest()
"""The root of the tree without leaves."""

Hash = bytes
Range = tuple[int, int]
"""Leaves from the first up to, and without, the second."""


def leaf_hash(entry: bytes) -> Hash:
    """The hash of a leaf."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: Hash, right: Hash) -> Hash:
    """The hash of a node over its two children."""
    return sha256(b"\x01" + left + right).digest()


def fold(hashes: Sequence[Hash]) -> Hash:
    """The root over nodes of one height, one after the other from a tree's or a node's first on."""
    if not hashes:
        return EMPTY
    row = hashes
    while len(row) > 1:
        pairs = zip(row[::2], row[1::2], strict=False)
        above = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
        # one without a neighbour stands in the row above as it is: so RFC 6962's largest power of two comes out
        row = above if len(row) % 2 == 0 else [*above, row[-1]]
    return row[0]


def joined(peaks: Sequence[Hash]) -> Hash:
    """The hash over complete subtrees that stand side by side, each smaller than the one on its left."""
    if not peaks:
        return EMPTY
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def subtrees(leaves: Range) -> Iterator[tuple[int, int]]:
    """The complete nodes (height, index), from the left, that a node over these leaves stands on.

    `leaves` begin where a node of at least their number may begin, as all ranges here do.
    """
    first, end = leaves
    while first < end:
        height = (end - first).bit_length() - 1
        yield height, first >> height
        first += 1 << height


def inclusion_path(index: int, size: int) -> list[Range]:
    """The ranges of leaves whose hashes prove that a leaf is in the tree of a size, from the leaf up."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    path = []
    first, end = 0, size
    while end - first > 1:
        middle = first + _split(end - first)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((first, middle))
            first = middle
    return path[::-1]


def consistency_path(old: int, size: int) -> list[Range]:
    """The ranges of leaves whose hashes prove that the tree of a size begins with the tree of an older one."""
    if not 0 < old <= size:
        raise ValueError(f"a tree of {size} leaves does not begin with one of {old}")
    path = []
    first, end = 0, size
    while end != old:
        middle = first + _split(end - first)
        if old <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((first, middle))
            first = middle
    # the old tree's own root is known to who asks
    return ([(first, end)] if first else []) + path[::-1]


def includes(leaf: Hash, index: int, size: int, proof: Sequence[Hash], root: Hash) -> bool:
    """Whether a proof shows that a leaf has an index in the tree of a size and root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for each in proof:
        if not last:
            return False
        if at & 1 or at == last:
            found = node_hash(each, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, each)
        at, last = at >> 1, last >> 1
    return not last and found == root


def extends(old: int, old_root: Hash, size: int, root: Hash, proof: Sequence[Hash]) -> bool:
    """Whether a proof shows that a tree begins with an older one (RFC 9162, 2.1.4.2). The empty one begins any."""
    if old == 0 or old == size:
        return not proof and (old_root == EMPTY if old == 0 else old_root == root)
    if not 0 < old < size or not proof:
        return False
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    found_old = found = path[0]
    for each in path[1:]:
        if not last:
            return False
        if at & 1 or at == last:
            found_old, found = node_hash(each, found_old), node_hash(each, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, each)
        at, last = at >> 1, last >> 1
    return not last and found_old == old_root and found == root


@dataclass(frozen=True, slots=True)
class Tile:
    """A full tile: its level, its number in it, its 256 hashes on end, and the hash of the node over them."""

    level: int
    number: int
    root: Hash
    hashes: bytes


class Growing:
    """A tree that leaves are added to. It holds what has no full tile yet: of each level, the last hashes."""

    def __init__(self, size: int = 0, edge: Sequence[Sequence[Hash]] = ()) -> None:
        """The tree of `size` leaves; `edge` are, level by level, the hashes beyond the level's full tiles."""
        self.size = size
        self._edge = [list(level) for level in edge]
        # complete runs of the edge that were folded already: many roots may be asked for while one tile fills
        self._runs: dict[tuple[int, int, int], Hash] = {}

    def add(self, leaves: Iterable[Hash]) -> Iterator[Tile]:
        """Add leaves; the tiles that become full. To be read to the end."""
        if not self._edge:
            self._edge.append([])
        for leaf in leaves:
            self._edge[0].append(leaf)
            self.size += 1
            if len(self._edge[0]) == WIDTH:
                yield from self._filled()

    def root(self) -> Hash:
        """The root over all leaves added."""
        peaks: list[Hash] = []
        for number in reversed(range(len(self._edge))):
            peaks += (self._run(number, first, end) for first, end in _runs(len(self._edge[number])))
        return joined(peaks)

    def _run(self, level: int, first: int, end: int) -> Hash:
        found = self._runs.get((level, first, end))
        if found is None:
            found = self._runs[level, first, end] = fold(self._edge[level][first:end])
        return found

    def _filled(self) -> Iterator[Tile]:
        level = 0
        self._runs.clear()
        while len(self._edge[level]) == WIDTH:
            hashes = self._edge[level]
            root = fold(hashes)
            yield Tile(level, (self.size >> HEIGHT * (level + 1)) - 1, root, b"".join(hashes))
            self._edge[level] = []
            level += 1
            if level == len(self._edge):
                self._edge.append([])
            self._edge[level].append(root)


def prove(path: Sequence[Range], node: Callable[[int, int], Hash]) -> list[Hash]:
    """The hashes of a path's ranges, of nodes that `node(height, index)` gives."""
    return [joined([node(height, index) for height, index in subtrees(leaves)]) for leaves in path]


def _split(leaves: int) -> int:
    """The largest power of two smaller than a number of leaves."""
    return 1 << (leaves - 1).bit_length() - 1


def _runs(count: int) -> Iterator[Range]:
    """The complete subtrees, from the left, of so many nodes of one height."""
    first = 0
    while first < count:
        end = first + (1 << (count - first).bit_length() - 1)
        yield first, end
        first = end
