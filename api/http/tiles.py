"""The tree as C2SP's tlog-tiles serves it: the newest checkpoint, tiles of hashes, and bundles of entries.

A number is written in groups of three digits, all but the last marked with an x (1234067 is x001/x234/067); a tile that
is not full yet is asked for with how many hashes of it are wanted (067.p/40).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import PlainTextResponse, Response
from psycopg import Connection

from api.http.context import program_of
from api.http.disclosure import note_stored_read
from api.http.problems import Problem, not_found
from ledger.seal.outside import cosigned
from ledger.seal.tiles import HIGHEST_LEVEL, Signed, Tree, last_signed
from ledger.seal.tree import WIDTH

router = APIRouter()

NUMBER: Final = re.compile(r"((?:x[0-9]{3}/)*)([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
LONGEST: Final = 65_535
"""Bytes of the longest entry that a bundle can hold: it writes an entry's length in two."""
BYTES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}

Number = Annotated[str, Path(max_length=60, description="Such as x001/x234/067, or 067.p/40 for a part of the last.")]


@contextmanager
def sealed(request: Request) -> Iterator[tuple[Signed, Connection[Any]]]:
    """The newest checkpoint, and a connection to read its tree with. Raises a `Problem` (404) before there is one."""
    with program_of(request).database.reading() as connection:
        signed = last_signed(connection)
        if signed is None:
            raise not_found("Nothing is sealed yet: a running server does so within a second of an append")
        yield signed, connection


@router.get("/checkpoint", summary="The newest signed checkpoint", response_class=PlainTextResponse)
def checkpoint(request: Request) -> PlainTextResponse:
    """A signed note: whose log, how many entries, the tree's root over them, the signature, and those of witnesses."""
    with sealed(request) as (signed, connection):
        return PlainTextResponse(cosigned(connection, signed))


@router.get("/tile/entries/{number:path}", summary="A bundle of entries", response_class=Response, responses=BYTES)
def bundle(request: Request, number: Number) -> Response:
    """The entries under a tile of level 0 as they are stored, each after its length in two bytes.

    An entry of more than 65,535 bytes fits in no bundle: its bundle is answered with 422, naming the position.
    """
    with sealed(request) as (signed, connection):
        tree = Tree(connection, signed.size)
        at, width = _asked(tree, 0, number)
        entries = tree.entries(at, width)
    first = at * WIDTH + 1
    long = [str(first + place) for place, entry in enumerate(entries) if len(entry) > LONGEST]
    if long:
        raise Problem(
            422,
            "invalid",
            f"A bundle holds entries of up to {LONGEST:,} bytes, and there are longer ones at {', '.join(long)}: "
            "GET /v1/entries/{position} gives each by itself",
        )
    note_stored_read(request, entries, f"entries {first} to {first + width - 1}")
    return _bytes(b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries))


@router.get("/tile/{level}/{number:path}", summary="A tile of hashes", response_class=Response, responses=BYTES)
def tile(request: Request, level: Annotated[int, Path(ge=0, le=63)], number: Number) -> Response:
    """Up to 256 hashes of 32 bytes on end: of entries (level 0), or of tiles of the level below."""
    with sealed(request) as (signed, connection):
        tree = Tree(connection, signed.size)
        at, width = _asked(tree, level, number)
        return _bytes(tree.tile(level, at)[: 32 * width])


def _asked(tree: Tree, level: int, written: str) -> tuple[int, int]:
    """The number of a tile, and how many of its hashes are asked for. Raises a `Problem` (404) where it has less."""
    found = NUMBER.fullmatch(written)
    if found is None or level > HIGHEST_LEVEL:
        raise not_found("There is no such tile; a path ends in 067, x001/067, or 067.p/40")
    number = int(found[1].replace("x", "").replace("/", "") + found[2])
    width = WIDTH if found[3] is None else int(found[3])
    if width > tree.width(level, number) or (found[3] is not None and width == WIDTH):
        raise not_found(f"Under the newest checkpoint, of size {tree.size}, there is no such tile")
    return number, width


def _bytes(content: bytes) -> Response:
    return Response(content, media_type="application/octet-stream")
