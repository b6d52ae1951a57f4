"""Which ledger a command speaks to: the running server of `--url`, else the database the settings name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import httpx
import typer

from api.cli.client import ClientError, in_process, over_network
from ledger.settings import Settings

Url = Annotated[
    str | None,
    typer.Option(
        "--url", envvar="LEDGER_URL", help="Address of a running ledger; without it the database is read directly."
    ),
]
Key = Annotated[str | None, typer.Option("--key", envvar="LEDGER_KEY", help="API key, with --url.", show_envvar=True)]
AsJson = Annotated[bool, typer.Option("--json", help="JSON for programs instead of a table for people.")]


@contextmanager
def connected(
    url: str | None, key: str | None, *, create: bool = False, simulated: bool | None = None, project: bool = False
) -> Iterator[httpx.Client]:
    """A client of the ledger. Without `url` the application runs in this process, over the database itself.

    `create` makes a ledger where there is none (`simulated` or not); `project` keeps its tables up to date meanwhile.
    Raises `ClientError` where there is no ledger.
    """
    if url:
        with over_network(url, key) as client:
            yield client
        return
    settings = Settings()
    if not create and settings.database_url is None and not (settings.home / "postgres").exists():
        raise ClientError(
            f"There is no ledger in {settings.home}. `reqledger serve` or `reqledger demo` makes one; "
            "LEDGER_HOME or LEDGER_DATABASE_URL name another, --url a running one."
        )
    # building the application takes longer than asking a server: only those who need it pay
    from api.bootstrap import running
    from api.logs import configure

    configure("WARNING")
    with (
        running(settings, simulated=simulated, project=project) as program,
        in_process(program.asgi, program.local_token) as client,
    ):
        yield client
