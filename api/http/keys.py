"""Keys over HTTP: made, listed and revoked by an admin. A secret is told once, in the answer that makes it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from api.http.context import program_of
from api.http.problems import not_found
from ledger.errors import KeyRefused
from ledger.log.keys import Key
from ledger.log.keys import Role as RoleName
from ledger.vocabulary import instant_text

router = APIRouter()

Pattern = Annotated[str, Field(min_length=1, max_length=400, pattern=r"^[^\x00-\x1f]+$")]


class NewKey(BaseModel):
    """What a new key is for, and what it may append."""

    model_config = ConfigDict(extra="forbid")

    role: RoleName
    label: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]
    sources: Annotated[list[Pattern], Field(min_length=1, max_length=100)] = ["*"]
    types: Annotated[list[Pattern], Field(min_length=1, max_length=100)] = ["*"]
    days: Annotated[int | None, Field(ge=1, le=36_500, description="Days it is valid; the setting's if left out.")] = (
        None
    )


@router.get("/v1/keys", summary="All keys, revoked and expired ones too; no secrets")
def keys(request: Request) -> dict[str, Any]:
    """Oldest first."""
    return {"keys": [shown(key) for key in program_of(request).ledger.keys.list()]}


@router.post("/v1/keys", summary="Make a key", status_code=201)
def new_key(request: Request, wanted: NewKey) -> dict[str, Any]:
    """`secret` is told this once and cannot be had again."""
    key, secret = program_of(request).ledger.keys.create(
        wanted.role, wanted.label, sources=wanted.sources, types=wanted.types, days=wanted.days
    )
    return {"key": shown(key), "secret": secret}


@router.delete("/v1/keys/{key}", summary="Revoke a key")
def revoke(request: Request, key: Annotated[str, Path(max_length=100)]) -> dict[str, Any]:
    """It ends now, everywhere within two seconds; what it recorded stays."""
    program = program_of(request)
    try:
        if "\x00" in key:
            raise KeyRefused("There is no API key of that id.")
        revoked = program.ledger.keys.revoke(key)
    except KeyRefused as error:
        raise not_found(str(error)) from None
    program.doorkeeper.forget()
    return {"key": shown(revoked)}


def shown(key: Key) -> dict[str, Any]:
    """A key without its secret."""
    return {
        "id": key.id,
        "role": key.role,
        "label": key.label,
        "sources": key.sources,
        "types": key.types,
        "created_at": instant_text(key.created_at),
        "expires_at": instant_text(key.expires_at),
        "revoked_at": None if key.revoked_at is None else instant_text(key.revoked_at),
        "valid": key.valid(),
    }
