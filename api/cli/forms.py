"""`reqledger form`: a form of the documents, filled, as XLSX."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.client import ask
from api.cli.connection import Key, Url, connected
from api.cli.output import note, show_rows
from api.forms.definitions import FORMS


def form(
    name: Annotated[str | None, typer.Argument(help="The form's name; lists them if left out.")] = None,
    out: Annotated[Path | None, typer.Option(help="File to write; the form's name if left out.")] = None,
    language: Annotated[str, typer.Option(help="zh or en, of heads and values.")] = "zh",
    url: Url = None,
    key: Key = None,
) -> None:
    """Write a form, filled from the tables, as XLSX."""
    if name is None:
        show_rows(("name", "en", "zh"), [{"name": each.name, **each.label._asdict()} for each in FORMS.values()])
        return
    with connected(url, key) as client:
        answer = ask(client, "GET", f"/v1/forms/{name}", params={"language": language})
    path = out or Path(f"{name}.xlsx")
    path.write_bytes(answer.content)
    note(f"{path}: {len(answer.content):,} bytes, as of position {answer.headers['ledger-position']}")
