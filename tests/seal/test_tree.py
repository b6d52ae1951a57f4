"""The tree: the reference vectors of Certificate Transparency, and the RFC's own definitions over any sizes."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.seal.tree import (
    EMPTY,
    HEIGHT,
    WIDTH,
    Growing,
    Tile,
    consistency_path,
    extends,
    fold,
    includes,
    inclusion_path,
    leaf_hash,
    prove,
)
from tests.seal.plain_tree import mth, path, proof

REFERENCE = [
    bytes.fromhex(leaf)
    for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
"""The roots of the first 0, 1, … 8 reference leaves, as published with Certificate Transparency's test data."""


def tree(leaves: list[bytes]) -> Growing:
    made = Growing()
    list(made.add(map(leaf_hash, leaves)))
    return made


def node_of(leaves: list[bytes]):  # type: ignore[no-untyped-def]
    hashes = [leaf_hash(leaf) for leaf in leaves]
    return lambda height, index: fold(hashes[index << height : (index + 1) << height])


@pytest.mark.parametrize("size", range(len(ROOTS)))
def test_the_reference_trees_have_their_published_roots(size: int) -> None:
    assert tree(REFERENCE[:size]).root().hex() == ROOTS[size]
    assert fold([leaf_hash(leaf) for leaf in REFERENCE[:size]]).hex() == ROOTS[size]


def test_the_reference_proofs() -> None:
    """Of the leaf 5 among 8, and from 6 leaves to 8, as published."""
    inclusion = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    consistency = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    assert [each.hex() for each in prove(inclusion_path(5, 8), node_of(REFERENCE))] == inclusion
    assert [each.hex() for each in prove(consistency_path(6, 8), node_of(REFERENCE))] == consistency


SIZES = st.integers(1, 700)


def leaves(size: int, salt: int = 0) -> list[bytes]:
    return [b"%d %d" % (salt, number) for number in range(size)]


@given(SIZES, st.data())
def test_a_tree_grown_in_any_steps_is_the_one_the_rfc_defines(size: int, data: st.DataObject) -> None:
    told = leaves(size)
    grown, tiles, done, steps = Growing(), list[Tile](), 0, list[int]()
    while done < size:
        step = min(data.draw(st.integers(1, 400)), size - done) if len(steps := [*steps, done]) < 6 else size - done
        tiles += grown.add(map(leaf_hash, told[done : done + step]))
        done += step
        assert grown.root() == mth(told[:done])
    assert grown.size == size
    assert len(tiles) == size // WIDTH
    for tile in tiles:
        under = told[tile.number * WIDTH : (tile.number + 1) * WIDTH]
        assert (tile.level, tile.root) == (0, mth(under))
        assert tile.hashes == b"".join(map(leaf_hash, under))


def test_tiles_of_higher_levels_are_the_roots_of_those_below() -> None:
    size = WIDTH * WIDTH + 3 * WIDTH + 5
    hashes = [sha256(b"%d" % number).digest() for number in range(size)]
    grown = Growing()
    tiles = {(tile.level, tile.number): tile for tile in grown.add(hashes)}
    assert sorted(tiles) == [(0, number) for number in range(WIDTH + 3)] + [(1, 0)]
    assert tiles[1, 0].hashes == b"".join(tiles[0, number].root for number in range(WIDTH))
    assert tiles[1, 0].root == fold(hashes[: WIDTH**2])
    edge = [hashes[size - 5 :], [tiles[0, WIDTH + number].root for number in range(3)], [tiles[1, 0].root]]
    assert Growing(size, edge).root() == grown.root() == fold(hashes)
    assert WIDTH == 1 << HEIGHT


@given(SIZES, st.data())
def test_every_leaf_is_proven_and_nothing_else(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    told = leaves(size)
    root, leaf = mth(told), leaf_hash(told[index])
    hashes = prove(inclusion_path(index, size), node_of(told))
    assert hashes == path(index, told)
    assert includes(leaf, index, size, hashes, root)
    assert not includes(leaf_hash(told[index] + b" "), index, size, hashes, root)
    assert not includes(leaf, index, size, hashes, leaf) or size == 1
    other = data.draw(st.integers(-1, size).filter(lambda other: other != index))
    assert not includes(leaf, other, size, hashes, root)
    assert not includes(leaf, index, size, [*hashes, root], root)
    assert not includes(leaf, index, 0, hashes, root)
    for wrong in altered(hashes, data):
        assert not includes(leaf, index, size, wrong, root)


@given(SIZES, st.data())
def test_every_older_tree_is_proven_and_no_other(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    told, others = leaves(size), leaves(size, 1)
    old_root, root = mth(told[:old]), mth(told)
    hashes = prove(consistency_path(old, size), node_of(told))
    assert hashes == proof(old, told)
    assert extends(old, old_root, size, root, hashes)
    assert not extends(old, mth(others[:old]), size, root, hashes)
    assert not extends(old, old_root, size, mth(others), hashes)
    assert not extends(old, old_root, size, root, [*hashes, root])
    assert not extends(size + 1, old_root, size, root, hashes)
    for wrong in altered(hashes, data):
        assert not extends(old, old_root, size, root, wrong)


def altered(hashes: list[bytes], data: st.DataObject) -> list[list[bytes]]:
    """The proof with one bit of it changed, and one hash left out."""
    if not hashes:
        return []
    place, byte, bit = data.draw(st.tuples(st.integers(0, len(hashes) - 1), st.integers(0, 31), st.integers(0, 7)))
    changed = bytearray(hashes[place])
    changed[byte] ^= 1 << bit
    return [[*hashes[:place], bytes(changed), *hashes[place + 1 :]], hashes[:place] + hashes[place + 1 :]]


def test_the_empty_tree_begins_every_tree() -> None:
    root = mth(leaves(3))
    assert extends(0, EMPTY, 3, root, [])
    assert not extends(0, root, 3, root, [])
    assert not extends(0, EMPTY, 3, root, [root])
    with pytest.raises(ValueError, match="has no leaf 3"):
        inclusion_path(3, 3)
    with pytest.raises(ValueError, match="does not begin with one of 4"):
        consistency_path(4, 3)
