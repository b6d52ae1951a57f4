"""`reqledger serve`: the HTTP server."""

from __future__ import annotations

import os
import signal
import socket
import threading
from typing import Annotated

import typer

from api.cli.client import ClientError
from api.cli.output import console, say
from ledger.settings import Settings


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (LEDGER_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one (PORT).")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that share the port and the database.")] = 1,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="If the ledger is new, make it one that is told its clock.")
    ] = False,
    until_stdin_ends: Annotated[bool, typer.Option("--until-stdin-ends", hidden=True)] = False,
) -> None:
    """Serve the ledger over HTTP until Ctrl-C or SIGTERM."""
    from api.bootstrap import running
    from api.http.serving import serve_here, serve_workers
    from api.logs import configure

    settings = Settings()
    configure(settings.log_level)
    host = settings.host if host is None else host
    with listen(host, settings.port if port is None else port) as listening:
        at = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{listening.getsockname()[1]}"
        with running(settings, simulated=simulated or None, project=workers == 1) as program:
            if (secret := program.first_key()) is not None:
                show_first_key(secret)
            what = "A simulated ledger (what it tells is invented)" if program.simulated else "The ledger"
            say(f"{what} is served on {at}; Ctrl-C stops it.")
            if until_stdin_ends:
                threading.Thread(target=_stop_with_parent, name="parent", daemon=True).start()
            if workers == 1:
                serve_here(program.asgi, listening)
            else:
                serve_workers(workers, listening)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on an address. Raises `ClientError` where something else does."""
    from api.http import serving

    try:
        return serving.listen(host, port)
    except serving.PortInUse as error:
        raise ClientError(str(error)) from error


def _stop_with_parent() -> None:
    """Stop this process when whoever holds the other end of standard input is gone, however it went."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def show_first_key(secret: str) -> None:
    """Tell the first admin key, which is told this once."""
    say("\nThe first admin key, shown this once. Keep it; `reqledger keys create` makes more:")
    console.print(f"  {secret}\n", markup=False, style="bold", soft_wrap=True)
