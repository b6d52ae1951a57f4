"""Kill −9 of the HTTP server while clients send: nothing acknowledged is lost, nothing is there twice."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import httpx
import orjson
import psycopg

from ledger.log.application import Ledger
from ledger.settings import Settings
from replays.founding import RECORDED_BY
from replays.rebuild import rebuild
from tests.api.conftest import event, received
from tests.api.processes import Server

Event = dict[str, Any]
Unit = list[Event]
Start = Callable[..., Server]

SENDERS = 4
TOLD = "SELECT source, id, position FROM log.entries WHERE recorded_by <> %s"
POSITIONS = "SELECT position FROM log.entries ORDER BY position"


class Load:
    """Clients that send unit after unit, each until it is acknowledged, and remember what was.

    `acknowledged` holds the position told for each id; `retried` counts requests that had no answer or 503; `unheard`
    counts units that turned out to be in the log although their sender had not heard so.
    """

    def __init__(self, server: Server, seed: int) -> None:
        self.address, self.secret = server.address, server.secret
        self.seed = seed
        self.acknowledged: dict[str, int] = {}
        self.told: dict[str, int] = {}
        self.retried = self.unheard = 0
        self.ending = threading.Event()
        self._lock = threading.Lock()

    def send(self, sender: int) -> None:
        chance = random.Random(self.seed * SENDERS + sender)
        headers = {"authorization": f"Bearer {self.secret}", "content-type": "application/cloudevents-batch+json"}
        with httpx.Client(base_url=self.address, headers=headers, timeout=20) as client:
            for number in range(1_000_000):
                if self.ending.is_set():
                    return
                for unit in story(f"{sender}-{number}", chance):
                    self._note(unit, self._until_acknowledged(client, unit))
                    time.sleep(chance.uniform(0, 0.02))

    def _until_acknowledged(self, client: httpx.Client, unit: Unit) -> list[dict[str, Any]]:
        single = {"content-type": "application/cloudevents+json"} if len(unit) == 1 else {}
        body = orjson.dumps(unit[0] if single else unit)
        until, repeated = time.monotonic() + 60, False
        while True:
            try:
                answer = client.post("/v1/events", content=body, headers=single)
            except httpx.TransportError as error:
                reason = repr(error)
            else:
                if answer.status_code != 503:
                    assert answer.status_code in (200, 201), answer.text
                    events: list[dict[str, Any]] = answer.json()["events"]
                    # a unit stands or falls whole, and what was never sent before cannot be a duplicate
                    assert {one["duplicate"] for one in events} == {answer.status_code == 200}
                    assert repeated or answer.status_code == 201
                    return events
                reason = answer.text
            assert time.monotonic() < until, reason
            repeated = True
            with self._lock:
                self.retried += 1
            time.sleep(0.1)

    def _note(self, unit: Unit, events: list[dict[str, Any]]) -> None:
        assert [(one["source"], one["id"]) for one in events] == [(one["source"], one["id"]) for one in unit]
        positions = [one["position"] for one in events]
        assert all(later == earlier + 1 for earlier, later in pairwise(positions))
        with self._lock:
            self.unheard += events[0]["duplicate"]
            for told, position in zip(unit, positions, strict=True):
                assert told["id"] not in self.acknowledged
                self.acknowledged[told["id"]] = position
                self.told[told["type"]] = self.told.get(told["type"], 0) + 1


def story(name: str, chance: random.Random) -> Iterator[Unit]:
    """What becomes of a contact: alone, several contacts at once, or with a requirement of its own."""

    def one(kind: str, subject: str, data: dict[str, Any] | None = None, minute: int = 0) -> Event:
        return event(kind, subject, data, id=f"{kind}/{subject}", time=f"2026-04-01T01:{minute:02}:00Z")

    contact = f"CT-{name}"
    yield [received(contact, id=f"received/{contact}")]
    if chance.random() < 0.3:
        yield [received(f"{contact}-{n}", id=f"received/{contact}-{n}") for n in range(chance.randrange(2, 30))]
    if chance.random() < 0.6:
        yield [
            one("contact.answered", contact, {"agent_id": "A-1"}, chance.randrange(1, 10)),
            one("contact.resolved", contact, {"solved": chance.random() < 0.8}, chance.randrange(10, 59)),
        ]
    if chance.random() < 0.4:
        data = {"source_kind": "contact", "contact_id": contact}
        yield [one("requirement.captured", f"R-{name}", data)]
        yield [one("requirement.classified", f"R-{name}", {"kano": "must_be"}, 20)]


@contextmanager
def loaded(server: Server, seed: int) -> Iterator[Load]:
    load = Load(server, seed)
    with ThreadPoolExecutor(SENDERS) as pool:
        senders = [pool.submit(load.send, sender) for sender in range(SENDERS)]
        try:
            yield load
        finally:
            load.ending.set()
        for sender in senders:
            sender.result(90)


def test_a_server_killed_again_and_again_under_load(serve: Start, settings: Settings) -> None:
    chance = random.Random(20260403)
    server = serve()
    port = server.address.rsplit(":", 1)[1]
    with loaded(server, 20260404) as load:
        for projecting in (False, True, False):
            _wait_for(_more_than(load, len(load.acknowledged) + 20))
            if projecting:
                # not only before its projector has begun
                _wait_for(_projects_beyond(server, load))
            time.sleep(chance.uniform(0.0, 0.8))
            server.process.kill()
            server.process.wait()
            server = serve("--port", port)
            server.secret = load.secret
        _wait_for(_more_than(load, len(load.acknowledged) + 20))
    assert load.retried
    head = max(load.acknowledged.values())
    _wait_for(lambda: server.get(f"/v1/tables/contacts?min_position={head}&limit=1").status_code == 200)
    counted = {table: len(list(_rows(server, table))) for table in ("contacts", "requirements")}
    assert counted == {
        "contacts": load.told["contact.received"],
        "requirements": load.told["requirement.captured"],
    }
    answered = sum(row["answered_at"] is not None for row in _rows(server, "contacts"))
    assert answered == load.told["contact.answered"]
    server.process.kill()
    server.process.wait()
    with Ledger.open(settings) as ledger:
        _check(ledger.database.conninfo, load.acknowledged)
        report = rebuild(ledger, switch=False)
    assert (report.compared_at, report.position, report.differences) == (head, head, [])


def _check(conninfo: str, acknowledged: dict[str, int]) -> None:
    with psycopg.connect(conninfo) as connection:
        positions = [row[0] for row in connection.execute(POSITIONS)]
        rows = connection.execute(TOLD, [RECORDED_BY]).fetchall()
    assert positions == list(range(1, len(positions) + 1))
    stored = {event_id: position for _, event_id, position in rows}
    assert len(stored) == len(rows)
    # senders ended only once all they had sent was acknowledged
    assert stored == acknowledged


def _rows(server: Server, table: str) -> Iterator[dict[str, Any]]:
    cursor = ""
    while True:
        page = server.get(f"/v1/tables/{table}?limit=1000{cursor}").json()
        yield from page["rows"]
        if page["next_cursor"] is None:
            return
        cursor = f"&cursor={page['next_cursor']}"


def _projects_beyond(server: Server, load: Load) -> Callable[[], bool]:
    """Whether the tables hold something that was acknowledged only now."""
    position = max(load.acknowledged.values())
    return lambda: server.get("/readyz").json()["projector"]["position"] > position


def _more_than(load: Load, count: int) -> Callable[[], bool]:
    return lambda: len(load.acknowledged) > count


def _wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)
