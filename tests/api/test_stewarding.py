"""The churn watch and the weekly sample over HTTP, and the watch that a server keeps by itself."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from api.bootstrap import Program, running
from api.cli.client import in_process
from ledger.settings import Settings

ClientOf = Callable[[str], httpx.Client]


def told(kind: str, subject: str, when: datetime, /, **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"{kind}/{subject}",
        "source": "/test",
        "type": kind,
        "subject": subject,
        "time": when.isoformat(),
        "data": data,
    }


def send(client: httpx.Client, events: list[dict[str, Any]]) -> int:
    answer = client.post("/v1/events", json=events, headers={"content-type": "application/cloudevents-batch+json"})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["position"])


def rows(client: httpx.Client, table: str, position: int = 0) -> list[dict[str, Any]]:
    answer = client.get(f"/v1/tables/{table}", params={"min_position": position})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["rows"])


@pytest.fixture
def client_of(settings: Settings) -> Iterator[ClientOf]:
    with running(settings) as program, ExitStack() as stack:
        yield lambda role: _client(program, role, stack)


def _client(program: Program, role: str, stack: ExitStack) -> httpx.Client:
    return stack.enter_context(in_process(program.asgi, program.ledger.keys.create(role, role)[1]))  # type: ignore[arg-type]


def test_a_silent_customer_is_shown_and_then_raised_once(client_of: ClientOf) -> None:
    service, analyst = client_of("service"), client_of("analyst")
    send(service, [told("customer.registered", "anna", datetime.now(UTC) - timedelta(100), stage="customer")])
    tried = analyst.post("/v1/watch", json={"dry_run": True}).json()
    assert (tried["raised"], len(tried["signs"])) == (0, 1)
    raised = analyst.post("/v1/watch", json={}).json()
    assert (raised["raised"], raised["signs"]) == (1, tried["signs"])
    assert analyst.post("/v1/watch", json={}).json() == {"raised": 0, "signs": []}
    assert service.post("/v1/watch", json={}).status_code == 403


def test_a_week_is_drawn_and_drawn_again(client_of: ClientOf) -> None:
    service, analyst = client_of("service"), client_of("analyst")
    contact = {"channel": "email", "department": "desk", "kind": "inquiry"}
    monday = datetime(2026, 3, 30, 2, tzinfo=UTC)
    position = send(
        service, [told("contact.received", f"C{nth}", monday + timedelta(hours=nth), **contact) for nth in range(9)]
    )
    rows(analyst, "contacts", position)
    drawn = analyst.post("/v1/samples", json={"week": "2026-W14", "seed": 5, "per_channel": 3}).json()
    assert (drawn["of"], drawn["seed"], drawn["position"]) == ({"email": 9}, 5, position)
    assert {row["contact_id"] for row in rows(analyst, "reviews", position + 3)} == {*drawn["contacts"]["email"]}
    assert analyst.post("/v1/samples", json={"week": "2026-W14", "per_channel": 3}).json()["seed"] == 5
    other = analyst.post("/v1/samples", json={"week": "2026-W14", "seed": 6})
    assert (other.status_code, "under seed 5" in other.json()["detail"]) == (409, True)
    wrong = analyst.post("/v1/samples", json={"week": "2025-W53"})
    assert (wrong.status_code, "is not a week" in wrong.json()["detail"]) == (422, True)


def test_two_servers_watch_by_themselves_and_raise_once(settings: Settings) -> None:
    watchful = settings.model_copy(update={"watch_seconds": 0.2})
    with running(watchful) as first, running(watchful), ExitStack() as stack:
        admin = _client(first, "admin", stack)
        send(admin, [told("customer.registered", "anna", datetime.now(UTC) - timedelta(100), stage="customer")])
        until = time.monotonic() + 20
        while not rows(admin, "alerts"):
            assert time.monotonic() < until
            time.sleep(0.1)
        time.sleep(1.0)
        assert len(rows(admin, "alerts")) == 1
        events = admin.get("/v1/events", params={"type": "customer.alert_raised"}).json()["events"]
        assert [event["recordedby"] for event in events] == ["ledger"]


def test_duplicates_are_proposed_and_what_they_say_is_for_auditors(client_of: ClientOf) -> None:
    service, analyst, auditor = client_of("service"), client_of("analyst"), client_of("auditor")
    now = datetime.now(UTC)
    said = {"source_kind": "contact", "statement": "Please show the order number"}
    position = send(service, [told("requirement.captured", f"R{nth}", now, **said) for nth in range(2)])
    shown = auditor.get("/v1/duplicates", params={"min_position": position}).json()
    (pair,) = shown["candidates"]
    assert (shown["compared"], shown["found"], pair["likeness"]) == (2, 1, 100)
    assert pair["requirements"][0]["statement"] == said["statement"]
    (pair,) = analyst.get("/v1/duplicates").json()["candidates"]
    assert pair["requirements"][0] == {"requirement_id": "R0", "customer_id": None, "withheld": ["statement"]}
    position = send(service, [told("requirement.merged", "R1", now, into_id="R0")])
    assert auditor.get("/v1/duplicates", params={"min_position": position}).json()["found"] == 0
