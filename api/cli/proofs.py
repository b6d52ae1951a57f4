"""`reqledger proof`: that an entry is in the log, and that the log only grew."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from api.cli.client import ask
from api.cli.connection import AsJson, Key, Url, connected
from api.cli.output import say, show_json

app = typer.Typer(help="Proofs for whoever holds a checkpoint to check.", no_args_is_help=True)

Size = Annotated[int | None, typer.Option(min=1, help="Of how many entries; the newest checkpoint's if left out.")]


@app.command()
def inclusion(
    position: Annotated[int, typer.Argument(min=1, help="The entry's position.")],
    size: Size = None,
    as_text: Annotated[bool, typer.Option("--text", help="C2SP's tlog-proof, to be kept in a file.")] = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Prove that the entry at a position is in the log."""
    asked: dict[str, Any] = {"position": position} | ({} if size is None else {"size": size})
    with connected(url, key) as client:
        if as_text:
            found = ask(client, "GET", "/v1/proofs/inclusion", params=asked | {"format": "tlog-proof"})
            typer.echo(found.text, nl=False)
            return
        proof = ask(client, "GET", "/v1/proofs/inclusion", params=asked).json()
    if as_json:
        show_json(proof)
        return
    say(f"The entry at {position:,} is leaf {proof['index']:,} of the tree over {proof['size']:,} entries:")
    say(f"  leaf  {proof['leaf']}")
    for each in proof["hashes"]:
        say(f"        {each}")
    say(f"  root  {proof['root']}")
    _show_note(proof["checkpoint"])


@app.command()
def consistency(
    old: Annotated[int, typer.Argument(min=1, metavar="FROM", help="Entries of the older checkpoint.")],
    to: Annotated[int | None, typer.Argument(min=1, help="Of the newer one; the newest if left out.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Prove that the log begins with the log as it was at an older checkpoint."""
    asked = {"from": old} | ({} if to is None else {"to": to})
    with connected(url, key) as client:
        proof = ask(client, "GET", "/v1/proofs/consistency", params=asked).json()
    if as_json:
        show_json(proof)
        return
    say(f"The tree over {proof['to']:,} entries begins with the tree over {proof['from']:,}:")
    say(f"  from  {proof['from_root']}")
    for each in proof["hashes"]:
        say(f"        {each}")
    say(f"  to    {proof['to_root']}")
    _show_note(proof["to_checkpoint"])


def _show_note(note: str | None) -> None:
    say()
    say("That size has no checkpoint; others have." if note is None else note.rstrip("\n"))
