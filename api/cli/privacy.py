"""`reqledger erase` and `reqledger privacy`: personal data erased, and the keys it is encrypted under."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from api.cli.client import ClientError, ask
from api.cli.connection import AsJson, Key, Url, connected, ledger_here
from api.cli.output import note, say, show_json, show_rows
from api.cli.watching import watched

app = typer.Typer(help="The keys that personal texts are encrypted under.", no_args_is_help=True)

COLUMNS = ("customer", "request_id", "basis", "requested_at", "requested_by")


def erase(
    customer: Annotated[str | None, typer.Argument(help="Whose personal data; left out: what waits is listed.")] = None,
    basis: Annotated[str | None, typer.Option(help="On what basis, such as 'GDPR Art. 17'.")] = None,
    request: Annotated[str | None, typer.Option(help="The number of the request.")] = None,
    approve: Annotated[bool, typer.Option("--approve", help="Approve what another key asked for.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Erase a customer's personal data: one person asks, another one approves, and nobody reads it any more."""
    if customer is not None and not approve and (basis is None or request is None):
        raise ClientError("Say on what basis and under which request: --basis … --request …; or --approve it.")
    if approve and customer is not None and not yes:
        typer.confirm(
            f"What {customer} and about {customer} was told can be read by nobody afterwards. Go on?", abort=True
        )
    with connected(url, key) as client:
        if customer is None:
            told = ask(client, "GET", "/v1/erasures").json()
        elif approve:
            told = ask(client, "POST", f"/v1/erasures/{quote(customer, safe='')}/approve").json()
        else:
            wanted = {"customer_id": customer, "basis": basis, "request_id": request}
            told = ask(client, "POST", "/v1/erasures", json=wanted).json()
    if as_json:
        show_json(told)
    elif customer is None:
        show_rows(COLUMNS, told["erasures"])
    elif approve:
        say(
            f"Erased: {', '.join(told['customers'])}; {told['keys']} keys destroyed, recorded at position "
            f"{told['position']}."
        )
    else:
        say(f"Asked for at position {told['position']}; another key approves: reqledger erase {customer} --approve")


@app.command()
def show(as_json: AsJson = False) -> None:
    """Show whether personal texts are encrypted here, under which key, and how many data keys there are."""
    from ledger.privacy.rotating import state

    with ledger_here() as ledger, ledger.database.connect() as connection:
        if ledger.wrapping is None:
            told: dict[str, Any] = {"encrypted": False}
        else:
            found = state(connection, ledger.wrapping)
            told = {
                "encrypted": True,
                "wrapping_key": found.current,
                "kept_in": str(ledger.wrapping),
                "data_keys": found.alive,
                "wrapped_by_others": found.by_others,
                "destroyed": found.destroyed,
                "register": str(ledger.register.path),
            }
    if as_json:
        show_json(told)
        return
    for name, value in told.items():
        say(f"{name.replace('_', ' ')}: {value}")


@app.command()
def renew(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Make a new key-encryption key, wrap all data keys by it, and forget the old one."""
    from ledger.privacy.rotating import renew as make

    if not yes:
        typer.confirm("Backups from before can then not be read without the old key. Go on?", abort=True)
    _wrapped(make)


@app.command()
def rewrap() -> None:
    """Wrap all data keys by the first of the key-encryption keys that are there."""
    from ledger.privacy.rotating import rewrap as wrap

    _wrapped(wrap)


def _wrapped(work: Any) -> None:
    with ledger_here() as ledger, ledger.database.connect() as connection:
        if ledger.wrapping is None:
            raise ClientError("This ledger keeps personal texts as they are told: there are no keys.")
        with watched("Wrapping") as progress:
            done = work(connection, ledger.wrapping, lambda done, of: progress("wrapping data keys", done, of))
        note(f"{done} data keys wrapped by {ledger.wrapping.ring.current}, kept in {ledger.wrapping}")
