"""Where the program is put together: the one place that knows which part is made of which others."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fastapi import FastAPI

from api.http.appending import Appending
from api.http.application import build_application
from api.http.doorkeeper import Doorkeeper
from api.http.gate import Gate
from api.http.metrics import Metrics
from api.http.past import Past
from api.http.replays import begin_catching_up
from api.http.tail import Tail
from api.jobs import Jobs
from api.schedule import Schedule
from ledger.log.application import Ledger
from ledger.log.database import Database
from ledger.log.waker import Waker
from ledger.privacy.wrapping import NoWrappingKey, missing
from ledger.seal.outside import Witnessed, witnessed
from ledger.seal.sealing import Sealer
from ledger.seal.sealing import Status as SealStatus
from ledger.seal.sealing import status as seal_status
from ledger.settings import Settings
from projections.projector import Projector, Status, status
from replays.founding import found


class Program:
    """One process of the ledger: the log, its tables, and the HTTP application over both.

    `local_token` is a bearer token only this process knows: with it the command line asks its own application.
    `at_stop` is called when the server stops serving the application.
    """

    def __init__(self, settings: Settings, ledger: Ledger, waker: Waker) -> None:
        self.settings = settings
        self.ledger = ledger
        self.database: Database = ledger.database
        self.simulated = ledger.simulated
        self.local_token = secrets.token_urlsafe(32)
        self.metrics = Metrics()
        self.doorkeeper = Doorkeeper(ledger.keys, self.local_token)
        self.tail = Tail(waker)
        self.at_stop: Callable[[], None] = lambda: None
        self.jobs = Jobs(ledger)
        self.past = Past(ledger)
        self.app: FastAPI = build_application(self)
        appending = Appending(ledger, self.doorkeeper, settings, self.metrics)
        self.asgi = Gate(self.app, appending, self.metrics, simulated=self.simulated)

    def first_key(self) -> str | None:
        """The secret of a first admin key, made where the ledger has no key yet; None where it has."""
        if self.ledger.keys.list():
            return None
        return self.ledger.keys.create("admin", "first key")[1]

    def tables_status(self) -> Status | None:
        """How far the live tables are, whichever process projects them; None where there are none yet."""
        with self.database.reading() as connection:
            return status(connection)

    def seal_status(self) -> SealStatus:
        """How far the log is sealed, whichever process seals it."""
        with self.database.reading() as connection:
            return seal_status(connection)

    def witnesses(self) -> list[Witnessed]:
        """How far each place outside that holds checkpoints is, whichever process gives them."""
        with self.database.reading() as connection:
            return list(witnessed(connection))

    def projected_position(self) -> int:
        """The position up to which the live tables hold everything."""
        found = self.tables_status()
        return 0 if found is None else found.position


@contextmanager
def running(
    settings: Settings,
    *,
    simulated: bool | None = None,
    project: bool = True,
    founding: bool = True,
    sealing: bool | None = None,
) -> Iterator[Program]:
    """A program over the database `settings` name, made ready and shut down in order.

    `simulated` decides what a new ledger is to be; `project` keeps its tables up to date for as long as it runs;
    `founding` gives it its first rule book and tables of this program's definitions where it has none (which takes
    seconds to find out: a command that only reads does without); `sealing` seals what is appended (where it projects,
    unless said). Raises Unfit or Unavailable where the database cannot be used.
    """
    with Ledger.open(settings, simulated=simulated) as ledger, ledger.waker() as waker:
        if project and ledger.encrypted:
            with ledger.database.connect() as connection:
                if without := missing(connection, settings):
                    raise NoWrappingKey(without)
        if founding:
            found(ledger)
        projector = Projector(ledger, waker) if project else None
        if projector is not None:
            projector.start()
        sealer = Sealer(ledger.database, waker) if (project if sealing is None else sealing) else None
        if sealer is not None:
            sealer.start()
        program = Program(settings, ledger, waker)
        schedule = Schedule(ledger, settings.watch_seconds if project else 0)
        schedule.start()
        try:
            if projector is not None and founding:
                begin_catching_up(program.jobs, ledger)
            yield program
        finally:
            schedule.stop()
            program.jobs.stop()
            program.past.close()
            if projector is not None:
                projector.stop()
            if sealer is not None:
                sealer.stop()
