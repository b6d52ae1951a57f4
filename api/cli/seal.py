"""`reqledger seal`: the key and the checkpoints that the log is sealed with."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from api.cli.client import ask
from api.cli.connection import AsJson, Key, Url, connected, ledger_here
from api.cli.output import say, show_json

app = typer.Typer(help="The log's seal: its public keys, its newest checkpoint.", no_args_is_help=True)


@app.command()
def show(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show whose checkpoints these are, the keys to check them with, and the newest."""
    with connected(url, key) as client:
        told: dict[str, Any] = ask(client, "GET", "/v1/seal").json()
    if as_json:
        show_json(told)
        return
    for each in told["verifiers"]:
        say(each)
    if told["checkpoint"] is None:
        say("Nothing is sealed yet: a running server does so within a second of an append.")
    else:
        say(f"\n{told['checkpoint']['note']}")


@app.command()
def checkpoint(url: Url = None, key: Key = None) -> None:
    """Print the newest checkpoint as it was signed, to be kept elsewhere."""
    with connected(url, key) as client:
        typer.echo(ask(client, "GET", "/checkpoint").text, nl=False)


@app.command()
def renew(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Make a new key that signs from now on; for a key that was lost, or that somebody else may hold."""
    from ledger.seal.keys import renew as make

    if not yes:
        typer.confirm("Whoever checks this ledger's checkpoints must be given the new public key. Go on?", abort=True)
    with ledger_here() as ledger, ledger.database.connect() as connection:
        made = make(connection, ledger.settings)
    say("New checkpoints are signed with this key; restart the servers that seal, with its file:")
    say(made.verifier.text)
