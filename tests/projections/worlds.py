"""Words for given/when/then on a real ledger: tell events, bring the tables up to the log, look at their rows."""

import itertools
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from api.sending import Direct
from api.simulator.company import company
from api.simulator.playing import play
from ledger.claims import claim
from ledger.errors import LedgerError
from ledger.log.application import Ledger
from ledger.rulebook.loading import default_text
from ledger.rulebook.model import instant_us
from ledger.settings import Settings
from projections import generations
from projections.projector import Batches
from projections.reading import Filter, read_table
from projections.tables import READABLE
from replays.founding import found

SHANGHAI = ZoneInfo("Asia/Shanghai")
DEFAULTS: dict[str, dict[str, Any]] = {
    "customer.registered": {"stage": "customer"},
    "contact.received": {"channel": "web_chat", "department": "front", "kind": "inquiry"},
    "handoff.requested": {"from_department": "front", "to_department": "lab"},
    "requirement.captured": {"source_kind": "contact"},
}


def at(text: str) -> datetime:
    """A moment in Shanghai, such as "2025-03-03 09:00"."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def us(text: str) -> int:
    """The same as the tables hold it."""
    return instant_us(at(text))


class World:
    """A ledger that is told its clock, with live tables."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._numbers = itertools.count(1)
        self.simulated = ledger.simulated

    def tell(self, kind: str, subject: str, when: str, /, **data: Any) -> int:
        """Record one event at the moment it occurs (or at `recorded`); its position. Refusals are raised."""
        return self.tell_all([(kind, subject, when, data)])[0]

    def tell_all(self, unit: list[tuple[str, str, str, dict[str, Any]]]) -> list[int]:
        """Record events that stand or fall together."""
        claims = []
        for kind, subject, when, data in unit:
            told = dict(data)
            envelope = {name: told.pop(name) for name in ("actor", "reason", "id", "source") if name in told}
            recorded = told.pop("recorded", when)
            claims.append(
                claim(
                    kind,
                    subject,
                    {**DEFAULTS.get(kind, {}), **told},
                    source=envelope.pop("source", "test"),
                    occurred_at=at(when),
                    recorded_at=at(recorded) if self.simulated else None,
                    **{"id": f"{next(self._numbers)}", **envelope},
                )
            )
        (outcome,) = self.ledger.append([claims], "key-1")
        if isinstance(outcome, LedgerError):
            raise outcome
        return [one.position for one in outcome]

    def catch_up(self) -> None:
        """Bring the live tables up to the log."""
        caught_up(self.ledger)

    def rows(self, table: str, **where: Any) -> list[dict[str, Any]]:
        """Rows of a live table as people read them, by its key."""
        filters = [Filter(name, "eq", (str(value),)) for name, value in where.items()]
        with self.ledger.pool.connection() as connection:
            return read_table(connection, table, filters=filters, limit=1_000).rows

    def row(self, table: str, **where: Any) -> dict[str, Any]:
        rows = self.rows(table, **where)
        assert len(rows) == 1, f"{len(rows)} rows of {table} with {where}"
        return rows[0]


def caught_up(ledger: Ledger, limit: int | None = None) -> None:
    """Project until nothing is left, `limit` positions a batch."""
    with ledger.database.connect() as connection:
        batches = Batches(ledger, connection, generations.live(connection))
        while batches.advance(*([limit] if limit else []), wait=True):
            pass


def everything(ledger: Ledger) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all live tables, the clocks and the counters, in an order of their own."""
    with ledger.pool.connection() as connection:
        generation = generations.live(connection)
        return {
            name: sorted(
                connection.execute(
                    sql.SQL("SELECT * FROM {}").format(sql.Identifier(generation.schema, name))
                ).fetchall(),
                key=repr,
            )
            for name in [*READABLE, "counters"]
        }


@contextmanager
def new_ledger(postgres: str, template: str, *, simulated: bool = True, book: str | None = None) -> Iterator[Ledger]:
    """A founded ledger on a database of its own, gone afterwards."""
    name = f"ledger_test_{uuid.uuid4().hex[:12]}"
    copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(copy)
    try:
        with tempfile.TemporaryDirectory() as home:
            settings = Settings(database_url=make_conninfo(postgres, dbname=name), home=Path(home), poll_seconds=0.2)
            with Ledger.open(settings, simulated=simulated) as ledger:
                found(ledger, book or default_text())
                yield ledger
    finally:
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def play_company(ledger: Ledger, contacts: int, days: int, seed: int = 5) -> None:
    """Tell the ledger the first days of a simulated year, and what a small company may not come to by itself."""
    play(Direct(ledger, "simulator"), company(seed=seed, contacts=contacts, days=days, start=date(2025, 1, 1)))
    now = ledger.now().astimezone(SHANGHAI).replace(tzinfo=None).isoformat()
    world = World(ledger)
    for name in ("Z-1", "Z-2"):
        world.tell("customer.registered", name, now)
    world.tell("customer.merged", "Z-2", now, into_id="Z-1")
    steps: dict[str, dict[str, Any]] = {
        "alert_raised": {"indicator": "silence", "evidence": "no contact"},
        "alert_answered": {"owner_id": "bo", "contact_id": "K-000001"},
        "cause_diagnosed": {"cause": "service"},
        "cause_verified": {"correct": True},
        "win_back_planned": {},
        "won_back": {},
    }
    for step, data in steps.items():
        world.tell(f"customer.{step}", "Z-1", now, alert_id="A-1", **data)
    world.tell("customer.churned", "Z-1", now, cause="price")
    world.tell(
        "report.issued", "RP-1", now, report_kind="diagnosis", period_start="2025-01-01", period_end="2025-01-31",
        figures=[], digest="sha256:" + "0" * 64,
    )  # fmt: skip
    world.tell(
        "benchmark.entered", "BM-1", now, topic="satisfaction", rank=7, field_size=120, ranked_on="2024-12-31",
        ranked_by="the association", evidence="its yearbook", evidence_digest="sha256:" + "0" * 64,
    )  # fmt: skip
