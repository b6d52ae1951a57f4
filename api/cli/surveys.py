"""`reqledger survey`: whom to send one to."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.client import ask
from api.cli.connection import AsJson, Key, Url, connected
from api.cli.output import say, show_json
from api.cli.reads import Limit, show_page
from ledger.choices import SurveyKind

app = typer.Typer(help="Surveys that are to be sent.", no_args_is_help=True)


@app.command()
def due(
    kind: Annotated[SurveyKind | None, typer.Option(help="Of which kind; any survey counts if left out.")] = None,
    limit: Limit = 20,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show the active customers that were sent no survey yet in the month that runs."""
    parameters = {"limit": str(limit)} | ({} if kind is None else {"kind": kind.value})
    with connected(url, key) as client:
        page = ask(client, "GET", "/v1/surveys/due", params=parameters).json()
    if as_json:
        show_json(page)
    elif page["rows"]:
        show_page(page, "customer_id,tier,manager_id,preferred_channel,last_sent_at")
    else:
        say("Every active customer was sent one this month.")
