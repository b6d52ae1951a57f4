"""`reqledger seal`: the key and the checkpoints that the log is sealed with."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from api.cli.client import ClientError, ask
from api.cli.connection import AsJson, Key, Url, connected, ledger_here
from api.cli.output import say, show_json, show_rows

app = typer.Typer(help="The log's seal: its keys and checkpoints, and who holds them outside.", no_args_is_help=True)

COLUMNS = ("name", "kind", "size", "lag_positions", "lag_seconds", "given_at", "error")


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
    for each in told["renamings"]:
        say(f"Since {each['size']:,} entries {each['origin']}, before that {each['former']}: {each['reason']}")
    if told["checkpoint"] is None:
        say("Nothing is sealed yet: a running server does so within a second of an append.")
    else:
        say(f"\n{told['checkpoint']['note']}")


@app.command()
def checkpoint(url: Url = None, key: Key = None) -> None:
    """Print the newest checkpoint as it was signed, and cosigned by witnesses, to be kept elsewhere."""
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
    say("New checkpoints are signed with this key; other machines that seal need its file:")
    say(made.verifier.text)


@app.command()
def witnesses(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show where checkpoints are held outside, and how far each place is behind the newest."""
    with connected(url, key) as client:
        told: list[dict[str, Any]] = ask(client, "GET", "/readyz").json()["witnesses"]
    if as_json:
        show_json(told)
    elif told:
        rows = [
            each | {"lag_seconds": round(each["lag_seconds"]), "_style": "" if each["error"] is None else "yellow"}
            for each in told
        ]
        show_rows(COLUMNS, rows, right=("size", "lag_positions", "lag_seconds"))
    else:
        say("Checkpoints are held nowhere outside: LEDGER_WITNESSES names no place to the process that seals.")


@app.command()
def rename(
    reason: Annotated[str, typer.Option(help="Why the log does not go on from what was signed. Kept for good.")],
    name: Annotated[str | None, typer.Option(help="The new name; the first one with a number if left out.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Seal the log under another name from now on; for one that what is held outside contradicts for good."""
    from ledger.seal.keys import rename as give

    if not reason.strip():
        raise ClientError("--reason is empty: say why, for those who will ask.")
    if not yes:
        typer.confirm(
            "Everybody will see that the log does not go on from what was signed, and when. Witnesses and whoever "
            "checks must be given the new name and key. Go on?",
            abort=True,
        )
    with ledger_here() as ledger, ledger.database.connect() as connection:
        made = give(connection, ledger.settings, reason.strip(), name)
    say("New checkpoints bear this name, and are signed with this key; other machines that seal need its file:")
    say(made.verifier.text)
