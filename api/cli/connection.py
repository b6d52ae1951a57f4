"""Which ledger a command speaks to: the running server of `--url`, else the database the settings name."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
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
    from ledger.log.application import Ledger

Url = Annotated[
    str | None,
    typer.Option(
        "--url", envvar="LEDGER_URL", help="Address of a running ledger; without it the database is read directly."
    ),
]
Key = Annotated[str | None, typer.Option("--key", envvar="LEDGER_KEY", help="API key, with --url.", show_envvar=True)]
AsJson = Annotated[bool, typer.Option("--json", help="JSON for programs instead of a table for people.")]


STANDSTILL_SECONDS = 60.0


@contextmanager
def connected(
    url: str | None,
    key: str | None,
    *,
    create: bool = False,
    simulated: bool | None = None,
    project: bool = False,
    sealing: bool = False,
) -> Iterator[httpx.Client]:
    """A client of the ledger. Without `url` the application runs in this process, over the database itself.

    `create` makes a ledger where there is none (`simulated` or not); `project` keeps its tables up to date meanwhile,
    `sealing` seals it.
    Raises `ClientError` where there is no ledger.
    """
    if url:
        with over_network(url, key) as client:
            yield client
        return
    settings = Settings()
    if not create and not somewhere(settings):
        raise ClientError(nowhere(settings))
    # building the application takes longer than asking a server: only those who need it pay
    from api.bootstrap import running
    from api.logs import configure

    configure("WARNING")
    with (
        running(
            settings,
            simulated=simulated,
            project=project,
            founding=create or project,
            sealing=project or sealing,
        ) as program,
        in_process(program.asgi, program.local_token) as client,
    ):
        yield client


@contextmanager
def ledger_here() -> Iterator[Ledger]:
    """The ledger of the database the settings name, without the application over it. Raises `ClientError` where there
    is none: none is made."""
    with ledger_if_any() as ledger:
        if ledger is None:
            raise ClientError(nowhere(Settings()))
        yield ledger


@contextmanager
def ledger_if_any() -> Iterator[Ledger | None]:
    """The same, or None where there is no ledger."""
    from api.logs import configure
    from ledger.log.application import Ledger

    configure("WARNING")
    settings = Settings()
    ledger = Ledger.existing(settings) if somewhere(settings) else None
    with nullcontext() if ledger is None else ledger as found:
        yield found


def somewhere(settings: Settings) -> bool:
    """Whether there is a database that a ledger may be in."""
    return settings.database_url is not None or (settings.home / "postgres").exists()


def nowhere(settings: Settings) -> str:
    place = settings.home if settings.database_url is None else "the database of LEDGER_DATABASE_URL"
    return (
        f"There is no ledger in {place}. `reqledger serve` or `reqledger demo` makes one; "
        "LEDGER_HOME or LEDGER_DATABASE_URL name another, --url a running one."
    )


@contextmanager
def sending_to(url: str | None, key: str | None, *, simulated: bool | None = None) -> Iterator[Destination]:
    """Where a command sends events: the running server of `url`, else the ledger itself, made if there is none.

    Its tables hold what was sent before this ends. Raises `ClientError` where simulated
    events would go to a real ledger.
    """
    from api.sending import Direct, OverHttp

    if url:
        with over_network(url, key) as client:
            if simulated and not ask(client, "GET", "/").json()["simulated"]:
                raise ClientError(f"The ledger at {url} is a real one: simulated events have no place there.")
            yield OverHttp(client)
            await_tables(client)
        return
    from api.bootstrap import running
    from api.http.doorkeeper import LOCAL
    from api.logs import configure

    configure("WARNING")
    with running(Settings(), simulated=simulated, project=False, sealing=True) as program:
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


def await_tables(client: httpx.Client) -> None:
    """Wait, with a progress bar, until a server's tables hold all that is recorded now.

    Raises `ClientError` where they stand still: halted, or without a step for `STANDSTILL_SECONDS`.
    """
    now = ask(client, "GET", "/readyz").json()
    head, first = now["head"]["position"], now["projector"]["position"]
    with Progress(console=errors, transient=True) as bar:
        task = bar.add_task("Bringing the tables up to date", total=max(head - first, 1))
        reached, moved = first, time.monotonic()
        while reached < head:
            time.sleep(0.05)
            position = ask(client, "GET", "/readyz").json()["projector"]["position"]
            if position > reached:
                reached, moved = position, time.monotonic()
                bar.update(task, completed=reached - first)
            elif time.monotonic() - moved > STANDSTILL_SECONDS:
                raise ClientError(
                    f"The events are recorded, but the tables have stood at position {reached} of {head} for "
                    f"{STANDSTILL_SECONDS:.0f} s. `reqledger doctor` says how to go on."
                )
