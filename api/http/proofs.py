"""Proofs that an entry is in the log and that the log only grew, for whoever holds a checkpoint to check."""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from psycopg import Connection

from api.http.context import program_of
from api.http.disclosure import note_stored_read
from api.http.problems import FieldError, invalid, not_found
from api.http.tiles import sealed
from ledger.seal.keys import verifiers
from ledger.seal.outside import cosigned, newest_cosigned, renamings
from ledger.seal.tiles import Signed, Tree, TreeDamaged, last_signed, signed_of
from ledger.seal.tree import extends, includes
from ledger.vocabulary import instant_text

router = APIRouter()

LARGEST: Final = 2**63 - 1
Position = Annotated[int, Query(ge=1, le=LARGEST)]
Size = Annotated[
    int | None, Query(ge=1, le=LARGEST, description="Of how many entries; the newest checkpoint's if left out.")
]
Form = Annotated[
    Literal["json", "tlog-proof"], Query(alias="format", description="tlog-proof: C2SP's text, under a checkpoint.")
]


@router.get("/v1/seal", summary="Whose checkpoints these are, and the keys to check them with")
def seal(request: Request) -> dict[str, Any]:
    """`verifiers` are the public keys, the last one signs now. Whoever checks keeps a copy from elsewhere.

    `cosigned` is the newest checkpoint that a witness cosigned; `renamings` are the names the log was given after its
    first one, with the reasons.
    """
    with program_of(request).database.reading() as connection:
        known, signed = verifiers(connection), last_signed(connection)
        size = newest_cosigned(connection)
        told = [
            None if each is None else _told(each, cosigned(connection, each))
            for each in (signed, None if size is None else signed_of(connection, size))
        ]
        renamed = renamings(connection)
    return {
        "origin": known[-1].name if known else None,
        "verifiers": [each.text for each in known],
        "checkpoint": told[0],
        "cosigned": told[1],
        "renamings": [asdict(each) | {"declared_at": instant_text(each.declared_at)} for each in renamed],
    }


@router.get(
    "/v1/entries/{position}",
    summary="An entry as it is stored",
    response_class=Response,
    responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
)
def entry(request: Request, position: Annotated[int, Path(ge=1, le=LARGEST)]) -> Response:
    """The very bytes that are a leaf of the tree."""
    found = program_of(request).ledger.entry_bytes(position)
    if found is None:
        raise not_found("There is no such position")
    note_stored_read(request, [found], f"entry {position}")
    return Response(found, media_type="application/json")


@router.get("/v1/proofs/inclusion", summary="Proof that the entry at a position is in the log", response_model=None)
def inclusion(request: Request, position: Position, size: Size = None, form: Form = "json") -> Response:
    """The hashes from the entry's up to the root, RFC 9162's inclusion proof, in base64."""
    with sealed(request) as (newest, connection):
        tree, signed, root = _tree(connection, newest, size, position, "position")
        hashes, leaf = tree.inclusion(position - 1), tree.leaf(position - 1)
        note = None if signed is None else cosigned(connection, signed)
    if not includes(leaf, position - 1, tree.size, hashes, root):
        raise TreeDamaged("the stored tree does not have the root that was signed")
    if form == "tlog-proof":
        if note is None:
            raise invalid(
                "A tlog-proof is under a checkpoint", [FieldError("size", "has none", "leave it out: the newest has")]
            )
        lines = ["c2sp.org/tlog-proof@v1", f"index {position - 1}", *map(_base64, hashes), "", note]
        return PlainTextResponse("\n".join(lines))
    return JSONResponse(
        {
            "position": position,
            "index": position - 1,
            "size": tree.size,
            "leaf": _base64(leaf),
            "hashes": [_base64(each) for each in hashes],
            "root": _base64(root),
            "checkpoint": note,
        }
    )


@router.get("/v1/proofs/consistency", summary="Proof that the log as it is now begins with the log as it was")
def consistency(
    request: Request,
    old: Annotated[int, Query(alias="from", ge=1, le=LARGEST, description="Of how many entries the older one is.")],
    to: Size = None,
) -> dict[str, Any]:
    """RFC 9162's consistency proof, in base64, between the roots of two sizes."""
    with sealed(request) as (newest, connection):
        tree, signed, root = _tree(connection, newest, to, old, "from")
        hashes = tree.consistency(old)
        before, signed_before, old_root = _tree(connection, newest, old, old, "from")
    if not extends(before.size, old_root, tree.size, root, hashes):
        raise TreeDamaged("the stored tree does not have the roots that were signed")
    return {
        "from": before.size,
        "to": tree.size,
        "from_root": _base64(old_root),
        "to_root": _base64(root),
        "hashes": [_base64(each) for each in hashes],
        "from_checkpoint": None if signed_before is None else signed_before.note,
        "to_checkpoint": None if signed is None else signed.note,
    }


def _tree(
    connection: Connection[Any], newest: Signed, size: int | None, least: int, name: str
) -> tuple[Tree, Signed | None, bytes]:
    """The tree of a size (the newest checkpoint's, unless said), its checkpoint if it has one, and its root.

    Raises a `Problem` (422) where it is not sealed so far, or has less than `least` leaves.
    """
    size = newest.size if size is None else size
    if size > newest.size:
        raise invalid(
            f"The newest checkpoint is of size {newest.size}",
            [FieldError("size", "is more than that", "what was just appended is sealed within a second")],
        )
    if least > size:
        raise invalid(f"The tree has {size} entries", [FieldError(name, "is more than that")])
    tree = Tree(connection, size)
    signed = newest if size == newest.size else signed_of(connection, size)
    return tree, signed, tree.root() if signed is None else signed.root


def _told(signed: Signed, note: str) -> dict[str, Any]:
    return {
        "size": signed.size,
        "root": _base64(signed.root),
        "signed_at": instant_text(signed.signed_at),
        "note": note,
    }


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
