"""Which ledger a command speaks to: the running server of `--url`, else the database the settings name."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import httpx
import typer
from rich.progress import Progress

from api.cli.client import ClientError, ask, in_process, over_network
from api.cli.output import errors
from ledger.settings import Settings

if TYPE_CHECKING:
    from api.bootstrap import Program
    from api.sending import Destination

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
        running(settings, simulated=simulated, project=project, founding=create or project) as program,
        in_process(program.asgi, program.local_token) as client,
    ):
        yield client


@contextmanager
def sending_to(url: str | None, key: str | None, *, simulated: bool | None = None) -> Iterator[Destination]:
    """Where a command sends events: the running server of `url`, else the ledger itself, made if there is none.

    A ledger opened here has its tables brought up to date before this ends. Raises `ClientError` where simulated
    events would go to a real ledger.
    """
    from api.sending import Direct, OverHttp

    if url:
        with over_network(url, key) as client:
            if simulated and not ask(client, "GET", "/").json()["simulated"]:
                raise ClientError(f"The ledger at {url} is a real one: simulated events have no place there.")
            yield OverHttp(client)
        return
    from api.bootstrap import running
    from api.http.doorkeeper import LOCAL
    from api.logs import configure

    configure("WARNING")
    with running(Settings(), simulated=simulated, project=False) as program:
        yield Direct(program.ledger, LOCAL)
        bring_up_tables(program)


def bring_up_tables(program: Program) -> None:
    """Bring the tables up to all that is recorded now, with a progress bar."""
    from replays.catching_up import bring_up

    with Progress(console=errors, transient=True) as bar:
        task = bar.add_task("Bringing the tables up to date")
        bring_up(
            program.ledger,
            progress=lambda what, done, of: bar.update(task, description=f"Tables: {what}", completed=done, total=of),
        )


def await_tables(program: Program) -> None:
    """Wait, with a progress bar, until the tables hold all that is recorded now; `ClientError` if they cannot."""
    head = program.ledger.head().position
    with Progress(console=errors, transient=True) as bar:
        first = program.projected_position()
        task = bar.add_task("Bringing the tables up to date", total=max(head - first, 1))
        while (status := program.tables_status()) is not None and status.position < head:
            if status.halted_by is not None:
                raise ClientError(
                    f"The tables stand still at position {status.halted_at}: {status.halted_by}. "
                    "The events are safe; `reqledger doctor` says how to go on."
                )
            bar.update(task, completed=status.position - first)
            time.sleep(0.1)
