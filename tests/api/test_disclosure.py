"""Who was shown personal texts, and who took rows out, stands in the log before it is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from api.bootstrap import Program
from ledger.claims import Claim, Recorded
from ledger.privacy import erasing

Clients = Callable[..., httpx.Client]
CONTACT = {"channel": "email", "department": "desk", "kind": "inquiry", "customer_id": "ann"}


@pytest.fixture
def position(program: Program, tell: Callable[..., Claim]) -> int:
    """Where a contact with a message stands."""
    told = tell("contact.received", "C-1", CONTACT | {"message": "so she said"}, reason="because")
    rang = tell("contact.rang", "C-1")
    (outcome,) = program.ledger.append([[told, rang]], "key")
    assert isinstance(outcome, list)
    return outcome[0].position


def records(program: Program) -> list[Recorded]:
    return [entry for entry in program.ledger.entries() if entry.aggregate == "access"]


def told(program: Program) -> list[tuple[str, str, str, int]]:
    """Role of the key, what it did, regarding what, how many."""
    roles = {key.id: key.role for key in program.ledger.keys.list()}
    found = []
    for entry in records(program):
        data: Any = entry.data
        assert entry.subject == entry.recorded_by
        found.append((roles[entry.subject], entry.type, data.regarding, data.shown))
    return found


def test_what_an_auditor_reads_is_recorded(program: Program, client_of: Clients, position: int) -> None:
    auditor = client_of("auditor")
    assert "so she said" in auditor.get("/v1/history/contact/C-1").text
    assert "so she said" in auditor.get("/v1/events", params={"after": position - 1, "limit": 2}).text
    found = auditor.get("/v1/events", params={"source": "test", "id": "event-1"}).json()["events"]
    assert found[0]["reason"] == "because"
    read = "access.personal_read"
    assert told(program) == [
        ("auditor", read, "contact C-1", 1),
        ("auditor", read, f"positions {position} to {position + 1}", 1),
        ("auditor", read, f"positions {position} to {position}", 1),
    ]
    assert getattr(records(program)[0].data, "route", None) == "GET /v1/history/{aggregate}/{subject}"
    assert b"so she said" not in b"".join(program.ledger.entry_bytes(one.position) or b"" for one in records(program))


def test_who_is_shown_nothing_personal_leaves_no_record(program: Program, client_of: Clients, position: int) -> None:
    client_of("analyst").get("/v1/history/contact/C-1")
    client_of("analyst").get("/v1/events", params={"after": position - 1})
    auditor = client_of("auditor")
    auditor.get("/v1/events", params={"after": position})
    auditor.get(f"/v1/entries/{position}")
    assert told(program) == [], "stored entries hold encrypted texts, which say nothing"


def test_paging_to_the_end_ends(program: Program, client_of: Clients, position: int) -> None:
    auditor, after, pages = client_of("auditor"), 0, 0
    while after is not None:
        after = auditor.get("/v1/events", params={"after": after, "limit": 1}).json()["next_after"]
        pages += 1
        assert pages < 20
    assert len(told(program)) == 1


def test_what_cannot_be_recorded_is_not_shown(program: Program, client_of: Clients, position: int) -> None:
    auditor, analyst = client_of("auditor"), client_of("analyst")
    program.ledger.appender.close()
    answer = auditor.get("/v1/history/contact/C-1")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "so she said" not in answer.text
    assert analyst.get("/v1/history/contact/C-1").status_code == 200


def test_an_export_is_recorded_whoever_takes_it(program: Program, client_of: Clients, position: int) -> None:
    client_of("analyst").get("/v1/tables/contacts", params={"format": "csv"})
    client_of("analyst").get("/v1/tables/contacts")
    assert told(program) == [("analyst", "access.exported", "contacts", 0)]


def test_what_was_erased_is_no_reading(program: Program, client_of: Clients, position: int) -> None:
    erasing.ask(program.ledger, "ann", basis="GDPR", request_id="dsr-1", by="asks")
    erasing.approve(program.ledger, "ann", by="approves")
    event = client_of("auditor").get("/v1/events", params={"after": position - 1, "limit": 1}).json()["events"][0]
    assert event["erased"] == "message reason"
    assert told(program) == []


def test_only_the_ledger_itself_tells_it(client_of: Clients) -> None:
    event = {
        "specversion": "1.0", "id": "1", "source": "test", "type": "access.personal_read", "subject": "k",
        "time": "2026-04-01T01:00:00Z", "data": {"route": "GET /", "regarding": "nothing", "shown": 1},
    }  # fmt: skip
    headers = {"content-type": "application/cloudevents+json"}
    assert client_of("admin").post("/v1/events", json=event, headers=headers).status_code == 403


def test_the_record_is_the_keys_history(program: Program, client_of: Clients, position: int) -> None:
    client_of("auditor").get("/v1/history/contact/C-1")
    key = records(program)[0].subject
    (item,) = client_of("analyst").get(f"/v1/history/access/{key}").json()["items"]
    assert "Personal texts read" in item["words"]["en"]
    assert "contact C-1" in item["words"]["en"]
    assert "个人信息查阅" in item["words"]["zh"]
