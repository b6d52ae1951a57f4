"""`reqledger demo`: a ledger with a simulated year in it, served until it is stopped. `make run` calls it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx

from api.cli.client import ClientError, ask, over_network
from api.cli.connection import await_tables
from api.cli.data import play_company
from api.cli.figures import show_figures
from api.cli.output import note, say
from api.cli.phases import Phases, freeze_diagnosis, show_phases
from api.cli.serve import listen, show_first_key
from api.sending import OverHttp, SendingError
from api.simulator import Played, company, play
from ledger.errors import OtherLedger
from ledger.settings import Settings

if TYPE_CHECKING:
    from api.bootstrap import Program

START_SECONDS: Final = 60.0
PHASES: Final = Phases((date(2026, 1, 1), date(2026, 2, 28)), (date(2026, 11, 1), date(2026, 12, 31)))
"""Of the company that is played: its two months of diagnosis, and its last two."""
DIAGNOSED: Final = "2026-03-05"
"""Until then the company hears of what happened in the months of its diagnosis."""
BEGUN: Final = "INSERT INTO log.meta (name, value) VALUES ('demo', 'begun') ON CONFLICT DO NOTHING"
PLAYED: Final = "UPDATE log.meta SET value = 'played' WHERE name = 'demo'"
STATE: Final = "SELECT value FROM log.meta WHERE name = 'demo'"


def demo() -> None:
    """Serve a ledger with a simulated year in it: made at the first start, kept from then on."""
    from api.logs import configure

    settings = Settings()
    configure("WARNING")
    listen(settings.host, settings.port).close()
    address = f"http://{settings.host}:{settings.port}"
    with stopping_on_signals():
        say(f"Opening the ledger in {settings.home if settings.database_url is None else 'the database named'} …")
        with _program(settings) as program:
            if (secret := program.first_key()) is not None:
                show_first_key(secret)
            log = settings.home / "server.log"
            server = _start_server(log)
            try:
                _await_server(server, address, log)
                _fill_and_show(program, address)
            except BaseException:
                _stop(server)
                raise
        _where_next(address, log)
        try:
            server.wait()
        finally:
            _stop(server)


class Stopped(Exception):
    """The process was asked to stop."""


@contextmanager
def stopping_on_signals() -> Iterator[None]:
    """Leave the block, in order, at the first SIGINT or SIGTERM."""

    def stop(_number: int, _frame: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise Stopped

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except Stopped:
        note("Stopped. What was recorded stays; `make run` goes on from there.")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _program(settings: Settings) -> Iterator[Program]:
    from api.bootstrap import running

    try:
        with running(settings, simulated=True, project=False, founding=False) as program:
            yield program
    except OtherLedger:
        # a ledger of real events is served as it is
        with running(settings, project=False, founding=False) as program:
            yield program


def _start_server(log: Path) -> subprocess.Popen[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "api.cli", "serve", "--until-stdin-ends"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=file,
            env=os.environ.copy(),
        )


def _await_server(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if server.poll() is not None:
            break
        try:
            if httpx.get(f"{address}/healthz", timeout=2).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
    raise ClientError(f"The server does not start. Its log, {log}, ends:\n{tail}")


def _fill_and_show(program: Program, address: str) -> None:
    """Play the year where it is missing, freeze its baselines, print the figures; with a key for just that."""
    key, secret = program.ledger.keys.create("admin", "the demonstration itself", days=1)
    try:
        with over_network(address, secret) as client:
            if _to_be_played(program):
                diagnosed = _play_diagnosis(client)
                await_tables(client)
                note(f"{freeze_diagnosis(client, PHASES)} metrics of the diagnosis frozen as baselines.")
                played = play_company(OverHttp(client))
                # the diagnosis is sent once more at the year's beginning: nobody told that twice
                twice = played.duplicates - diagnosed.appended
                appended = played.appended + diagnosed.appended
                note(f"{appended:,} events appended; {twice:,} were sent twice and recorded once.")
                with program.database.reading() as connection:
                    connection.execute(PLAYED)
            await_tables(client)
            if _state(program) == "played":
                show_phases(client, PHASES, "A simulated company's year")
            else:
                show_figures(ask(client, "GET", "/v1/kpis").json(), title="Figures")
    finally:
        program.ledger.keys.revoke(key.id)


def _play_diagnosis(client: httpx.Client) -> Played:
    """Play the year up to the day on which its diagnosis is known. Raises ClientError."""
    try:
        return play(OverHttp(client), takewhile(lambda event: event["recordedat"] < DIAGNOSED, company()))
    except SendingError as error:
        raise ClientError(str(error)) from error


def _to_be_played(program: Program) -> bool:
    """Whether the year is still to be played, or was cut short: then the part recorded is answered as sent twice."""
    if not program.simulated:
        return False
    with program.database.reading() as connection:
        # the first event of a new ledger is its rule book
        if program.ledger.head().position <= 1:
            connection.execute(BEGUN)
    return _state(program) == "begun"


def _state(program: Program) -> str | None:
    """How far the demonstration is with this ledger: `begun`, `played`, or None where it never filled it."""
    with program.database.reading() as connection:
        row = connection.execute(STATE).fetchone()
    return None if row is None else str(row[0])


def _where_next(address: str, log: Path) -> None:
    say(f"""
The ledger is served on {address} until Ctrl-C. Look further, in another terminal:

  .venv/bin/reqledger kpi --period month --by channel first_response_in_time
  .venv/bin/reqledger table requirements --where status=archived
  .venv/bin/reqledger clocks --overdue
  .venv/bin/reqledger history requirement R-000001
  .venv/bin/reqledger explain requirements R-000001 status
  .venv/bin/reqledger report issue annual --from 2026-01-01 --to 2026-12-31 --output annual.html
  curl -H "Authorization: Bearer <key>" {address}/v1/tables/deliveries

The contract is at {address}/openapi.json, the server's log in {log}.""")


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.stdin is not None:
        server.stdin.close()
    if server.poll() is None:
        server.terminate()
    try:
        server.wait(30)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
