"""Evidence over HTTP: all about a subject, with what proves it, in one file that needs no ledger to be checked."""

from __future__ import annotations

import re
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.evidence.bundle import NothingKnown, bundle
from api.http.context import program_of
from api.http.disclosure import note_export, note_personal_read
from api.http.problems import not_found
from ledger.events import AGGREGATES

router = APIRouter()

ZIP: Final = "application/zip"
NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]+")


@router.get(
    "/v1/evidence/{aggregate}/{subject:path}",
    summary="Everything about a subject, with proofs and a verifier, as a zip",
    response_class=Response,
    responses={200: {"content": {ZIP: {"schema": {"type": "string", "format": "binary"}}}}},
)
def evidence(
    request: Request,
    aggregate: str,
    subject: str,
    texts: Annotated[bool, Query(description="Show personal texts.")] = True,
) -> Response:
    """As of the newest checkpoint, which has all that is recorded when it is asked for.

    With `texts=false` personal texts are shown nowhere; entries that hold them unencrypted are proven by their hashes.
    """
    if aggregate not in AGGREGATES:
        raise not_found(f"There is nothing at this path; subjects are {', '.join(AGGREGATES)}")
    try:
        if "\x00" in subject:
            raise NothingKnown(f"no id of a {aggregate} holds the NUL character")
        made = bundle(program_of(request).ledger, aggregate, subject, texts=texts)
    except NothingKnown as error:
        raise not_found(str(error)[:300]) from None
    note_personal_read(request, f"evidence {aggregate} {subject}", made.texts)
    note_export(request, f"evidence {aggregate} {subject}", made.entries)
    name = NOT_IN_NAMES.sub("-", f"evidence-{aggregate}-{subject}-at-{made.size}")
    headers = {"content-disposition": f'attachment; filename="{name}.zip"', "ledger-position": str(made.size)}
    return Response(made.content, media_type=ZIP, headers=headers)
