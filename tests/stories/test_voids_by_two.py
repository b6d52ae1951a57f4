"""A void that needs two persons, over HTTP: what one proposes changes nothing until another voids it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from api.bootstrap import Program, running
from api.cli.client import in_process
from ledger.log.application import Ledger
from ledger.rulebook.loading import default_text
from ledger.settings import Settings
from replays.rebuild import rebuild
from tests.projections.worlds import everything

BATCH = {"content-type": "application/cloudevents-batch+json"}
Clients = Callable[[str], httpx.Client]


def by_two(version: str = "2", voids: str = "{second_person: true, types: [contact.*]}") -> str:
    """The default rule book with a rule of voiding, from today on."""
    text, _, _ = default_text().partition("\ntests:\n")
    text = re.sub(r"(?m)^version: .*$", f'version: "{version}"', text)
    text = re.sub(r"(?m)^effective_from: .*$", f"effective_from: {datetime.now(UTC).date():%Y-%m-%d}", text)
    return f"{text}\nvoids: {voids}\n"


@pytest.fixture
def program(settings: Settings) -> Iterator[Program]:
    with running(settings) as program:
        yield program


@pytest.fixture
def as_person(program: Program) -> Iterator[Clients]:
    """Clients of persons, each with an admin's key of their own."""
    with ExitStack() as stack:
        made: dict[str, httpx.Client] = {}

        def client(name: str) -> httpx.Client:
            if name not in made:
                secret = program.ledger.keys.create("admin", name)[1]
                made[name] = stack.enter_context(in_process(program.asgi, secret))
            return made[name]

        yield client


def event(kind: str, subject: str, number: int = 1, /, **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"{kind}/{subject}/{number}",
        "source": "/desk",
        "type": kind,
        "subject": subject,
        "time": datetime.now(UTC).isoformat(),
        "reason": "because",
        "data": data,
    }


def tell(client: httpx.Client, *events: dict[str, Any]) -> httpx.Response:
    return client.post("/v1/events", json=list(events), headers=BATCH)


def told(client: httpx.Client, *events: dict[str, Any]) -> int:
    answer = tell(client, *events)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["position"])


def publish(client: httpx.Client, text: str) -> None:
    made = client.post("/v1/rulebooks/plans", json={"book": text, "retroactive": True})
    assert made.status_code == 201, made.text
    applied = client.post(f"{made.headers['location']}/apply", json={})
    assert applied.status_code == 200, applied.text


def complaints(client: httpx.Client, position: int) -> tuple[int, int]:
    """Numerator and denominator of the complaint rate, over all time."""
    (figure,) = client.get("/v1/kpis", params={"metric": "complaint_rate", "min_position": position}).json()["figures"]
    return figure["numerator"], figure["denominator"]


@pytest.fixture
def complained(as_person: Clients) -> int:
    """The position of a complaint told twice by mistake, on a ledger whose contacts are voided by two."""
    ann = as_person("ann")
    publish(ann, by_two())
    told(ann, event("contact.received", "C-1", channel="phone", kind="complaint", department="desk"))
    return told(ann, event("contact.received", "C-1b", channel="phone", kind="complaint", department="desk"))


def test_what_one_proposes_another_voids(program: Program, as_person: Clients, complained: int) -> None:
    ann, bo = as_person("ann"), as_person("bo")
    before = complaints(ann, complained)
    assert before == (2, 2)
    void = event("record.voided", "C-1b", voided_position=complained)

    direct = tell(bo, void)
    assert (direct.status_code, direct.json()["rule"]) == (409, "void.not_proposed")
    assert f"void.proposed with the subject {complained}" in direct.json()["detail"]

    proposed = told(ann, event("void.proposed", str(complained)))
    assert complaints(ann, proposed) == before
    alone = tell(ann, void)
    assert (alone.status_code, alone.json()["rule"]) == (409, "second_person.same_key")
    (waiting,) = ann.get("/v1/voids", params={"state": "open"}).json()["voids"]
    assert (waiting["position"], waiting["target"]["subject"]) == (complained, "C-1b")
    assert waiting["proposed"]["position"] == proposed
    assert complaints(ann, proposed) == before

    voided = told(bo, void)
    assert complaints(ann, voided) == (1, 1)
    assert ann.get("/v1/voids", params={"state": "open"}).json()["found"] == 0
    (done,) = ann.get("/v1/voids").json()["voids"]
    assert (done["state"], done["answered"]["position"]) == ("approved", voided)

    items = ann.get("/v1/history/contact/C-1b").json()["items"]
    assert [(item["position"], item["event"]["type"], item["voided_by"]) for item in items] == [
        (complained, "contact.received", voided),
        (proposed, "void.proposed", None),
        (voided, "record.voided", None),
    ]
    keys = {key.label: key.id for key in program.ledger.keys.list()}
    assert [item["event"]["recordedby"] for item in items] == [keys["ann"], keys["ann"], keys["bo"]]
    assert all(item["event"]["recordedat"] for item in items)
    assert {item["words"]["zh"] for item in items[1:]}

    assert replayed_is_live(program.ledger)


def replayed_is_live(ledger: Ledger) -> bool:
    live = everything(ledger)
    rebuild(ledger)
    return everything(ledger) == live


def test_what_is_declined_stays_as_it_was(as_person: Clients, complained: int) -> None:
    ann, bo = as_person("ann"), as_person("bo")
    told(ann, event("void.proposed", str(complained)))
    declined = told(bo, event("void.declined", str(complained)))
    assert complaints(ann, declined) == (2, 2)
    (one,) = ann.get("/v1/voids").json()["voids"]
    assert (one["state"], one["answered"]["reason"]) == ("declined", "because")
    refused = tell(bo, event("record.voided", "C-1b", voided_position=complained))
    assert refused.json()["rule"] == "void.not_proposed"
    again = told(bo, event("void.proposed", str(complained), 2))
    assert complaints(ann, told(ann, event("record.voided", "C-1b", voided_position=complained))) == (1, 1)
    assert ann.get("/v1/voids").json()["voids"][0]["proposed"]["position"] == again


def test_two_who_approve_at_once_void_once(program: Program, as_person: Clients, complained: int) -> None:
    told(as_person("ann"), event("void.proposed", str(complained)))
    names = ("bo", "cho", "dan", "eva")
    clients = [as_person(name) for name in names]
    answers: list[httpx.Response] = []
    begin = threading.Barrier(len(names))

    def approve(number: int) -> None:
        begin.wait()
        answers.append(tell(clients[number], event("record.voided", "C-1b", number, voided_position=complained)))

    threads = [threading.Thread(target=approve, args=[number]) for number in range(len(names))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    refused = {answer.json()["rule"] for answer in answers if answer.status_code == 409}
    assert refused == {"void.already_voided"}
    voids = [entry for entry in program.ledger.entries() if entry.type == "record.voided"]
    assert len(voids) == 1


def test_who_may_propose_and_who_may_approve(program: Program, as_person: Clients, complained: int) -> None:
    secret = program.ledger.keys.create("service", "desk")[1]
    with in_process(program.asgi, secret) as service:
        told(service, event("void.proposed", str(complained)))
        void = event("record.voided", "C-1b", voided_position=complained)
        for refused in (void, event("void.declined", str(complained))):
            assert tell(service, refused).status_code == 403
        assert service.get("/v1/voids").status_code == 403
    told(as_person("ann"), void)


def test_the_rule_is_changed_by_publishing_another(as_person: Clients, complained: int) -> None:
    ann = as_person("ann")
    wrong = ann.post("/v1/rulebooks/check", json={"book": by_two("3", "{second_person: true, types: [contakt.*]}")})
    assert "contakt.*" in wrong.text
    changed = ann.post("/v1/rulebooks/plans", json={"book": by_two("3", "{second_person: false}"), "retroactive": True})
    assert changed.json()["recomputes"] is False
    publish(ann, by_two("4", "{second_person: false}"))
    assert complaints(ann, told(ann, event("record.voided", "C-1b", voided_position=complained))) == (1, 1)
