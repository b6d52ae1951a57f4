"""Erasing personal data over HTTP: one admin's key asks, another one approves."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from api.http.context import key_of, program_of
from ledger.privacy import erasing

router = APIRouter()


class Wanted(BaseModel):
    """Whose personal data is to be erased, on what basis, under which request."""

    model_config = ConfigDict(extra="forbid")

    customer_id: Annotated[str, Field(min_length=1, max_length=200)]
    basis: Annotated[str, Field(min_length=1, max_length=2_000, examples=["GDPR Art. 17"])]
    request_id: Annotated[str, Field(min_length=1, max_length=200, examples=["dsr-2026-014"])]


@router.get("/v1/erasures", summary="Erasures that wait for a second person")
def waiting(request: Request) -> dict[str, Any]:
    """Each with the key that asked, which may not approve. Voiding the request withdraws it."""
    return {"erasures": [asdict(one) for one in erasing.waiting(program_of(request).ledger)]}


@router.post("/v1/erasures", status_code=201, summary="Ask that a customer's personal data be erased")
def asked(request: Request, wanted: Wanted) -> dict[str, Any]:
    """Nothing is erased until somebody else approves, with a key of their own."""
    told = erasing.ask(
        program_of(request).ledger,
        wanted.customer_id,
        basis=wanted.basis,
        request_id=wanted.request_id,
        by=key_of(request).id,
    )
    return {"customer_id": wanted.customer_id, "position": told.position, "duplicate": told.duplicate}


@router.post("/v1/erasures/{customer_id:path}/approve", summary="Approve an erasure: the keys are destroyed, for good")
def approved(request: Request, customer_id: Annotated[str, Path(max_length=200)]) -> dict[str, Any]:
    """Of all customers that are merged with this one. The entries stay, and so do all proofs; nobody reads the
    texts.
    """
    done = erasing.approve(program_of(request).ledger, customer_id, by=key_of(request).id)
    return {"customers": list(done.customers), "keys": done.keys, "position": done.position}
