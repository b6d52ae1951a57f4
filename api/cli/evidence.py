"""`reqledger evidence`: all about a subject in one file, with what proves it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from api.cli.client import ClientError, ask
from api.cli.connection import Key, Url, connected
from api.cli.output import say


def evidence(
    aggregate: Annotated[str, typer.Argument(help="Its kind: requirement, customer, contact, …")],
    subject: Annotated[str, typer.Argument(help="Its id.")],
    out: Annotated[Path | None, typer.Option(help="The file; named after the subject if left out.")] = None,
    without_texts: Annotated[bool, typer.Option("--without-texts", help="Show personal texts nowhere.")] = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Write a zip that proves a subject's history to somebody who has no ledger: `verify.py`, which is in it, checks
    it.
    """
    with connected(url, key, sealing=True) as client:
        path = f"/v1/evidence/{quote(aggregate, safe='')}/{quote(subject, safe='')}"
        found = ask(client, "GET", path, params={"texts": str(not without_texts).lower()}, timeout=300)
    name = found.headers["content-disposition"].partition('"')[2].rstrip('"')
    out = out or Path(name)
    try:
        out.write_bytes(found.content)
    except OSError as error:
        raise ClientError(f"{out} cannot be written: {error.strerror or error}") from None
    say(f"{out}: {len(found.content):,} bytes, as of position {int(found.headers['ledger-position']):,}.")
    say(f"To check it: unzip -p {out} verify.py > verify.py; python verify.py {out} --key VERIFIER-KEY")
