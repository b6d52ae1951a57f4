"""`reqledger keys`: make, list and revoke API keys."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from api.cli.client import ask
from api.cli.connection import AsJson, Key, Url, connected
from api.cli.output import note, say, show_json, show_rows

app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)

COLUMNS = ("id", "role", "label", "sources", "types", "created_at", "expires_at", "revoked_at")


@app.command()
def create(
    role: Annotated[str, typer.Argument(help="service, analyst, auditor or admin.")],
    label: Annotated[str, typer.Option(help="What the key is for.")] = "made on the command line",
    source: Annotated[
        list[str] | None, typer.Option(help="Pattern of sources it may tell for; any if left out.")
    ] = None,
    event_type: Annotated[
        list[str] | None, typer.Option("--type", help="Pattern of event types it may append; any if left out.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Days it is valid.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Make a key. Its secret is printed this once."""
    wanted: dict[str, Any] = {"role": role, "label": label, "days": days}
    if source:
        wanted["sources"] = source
    if event_type:
        wanted["types"] = event_type
    with connected(url, key) as client:
        made = ask(client, "POST", "/v1/keys", json=wanted).json()
    if as_json:
        show_json(made)
        return
    note(f"Key {made['key']['id']} ({role}), valid until {made['key']['expires_at'][:10]}. Shown this once:")
    say(made["secret"])


@app.command("list")
def list_(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List all keys, revoked and expired ones too."""
    with connected(url, key) as client:
        told = ask(client, "GET", "/v1/keys").json()["keys"]
    if as_json:
        show_json(told)
        return
    rows = [one | {"sources": " ".join(one["sources"]), "types": " ".join(one["types"])} for one in told]
    show_rows(COLUMNS, [row | {"_style": "" if row["valid"] else "dim"} for row in rows])


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, as listed.")],
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """End a key now."""
    with connected(url, key) as client:
        told = ask(client, "DELETE", f"/v1/keys/{key_id}").json()["key"]
    if as_json:
        show_json(told)
    else:
        say(f"Key {told['id']} ({told['label']}) ended at {told['revoked_at']}.")
