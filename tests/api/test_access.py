"""Every role on every route: let in where the table says so, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from api.bootstrap import Program
from api.cli.client import in_process
from api.http.access import ACCESS, EVERYBODY, Role
from api.http.application import served_routes

PATHS = {
    "{event_type}": "contact.received",
    "{table}": "contacts",
    "{aggregate}": "contact",
    "{subject}": "none-such",
    "{key}": "none-such",
    "{column}": "status",
    "{version}": "1",
    "{replay}": "none-such",
    "{metric}": "complaint_rate",
    "{job}": "none-such",
    "{report_id}": "none-such",
    "{level}": "0",
    "{number}": "000",
    "{position}": "1",
}
BODIES = {"/v1/events": {"specversion": "1.0"}, "/v1/replays": {"kind": "none-such"}, "/v1/keys": {"role": "none-such"}}
STREAM = "/v1/events/stream"


@pytest.fixture(scope="module")
def clients(shop: Program) -> Iterator[dict[str | None, httpx.Client]]:
    made: dict[str | None, httpx.Client] = {}
    keys = []
    managers = []
    for role in (None, *Role):
        secret = ""
        if role is not None:
            key, secret = shop.ledger.keys.create(role.value, "walker")
            keys.append(key)
        manager = in_process(shop.asgi, secret)
        managers.append(manager)
        made[role] = manager.__enter__()
    yield made
    for manager in managers:
        manager.__exit__(None, None, None)
    for key in keys:
        shop.ledger.keys.revoke(key.id)


def ask(client: httpx.Client, method: str, path: str) -> httpx.Response:
    for name, value in PATHS.items():
        path = path.replace(name, value)
    if path == STREAM:
        # an answer that begins is an answer that never ends: one that is refused for another reason is let in
        return client.get(path, headers={"last-event-id": "nonsense"})
    headers = {"content-type": "application/cloudevents+json"} if path == "/v1/events" else {}
    # what a service may ask there: the one event it sent
    asked = {"source": "/nobody", "id": "1"} if (method, path) == ("GET", "/v1/events") else None
    body = BODIES.get(path) if method == "POST" else None
    return client.request(method, path, headers=headers, params=asked, json=body)


@pytest.mark.parametrize(("method", "path"), ACCESS)
@pytest.mark.parametrize("role", [None, *Role])
def test_a_role_is_let_in_where_the_table_says_so(
    clients: dict[str | None, httpx.Client], role: Role | None, method: str, path: str
) -> None:
    answer = ask(clients[role], method, path)
    allowed = ACCESS[method, path]
    if allowed == EVERYBODY or role in allowed:
        assert answer.status_code not in (401, 403), answer.text
        # of a ledger that nobody seals there is no evidence
        unsealed = path.startswith("/v1/evidence/") and answer.status_code == 503
        assert answer.status_code < 500 or unsealed, answer.text
    else:
        assert answer.status_code == (401 if role is None else 403), answer.text
        assert answer.headers["content-type"] == "application/problem+json"


def test_every_route_stands_in_the_table_and_in_the_contract(shop: Program) -> None:
    contract = shop.app.openapi()["paths"]
    for route in served_routes(shop.app):
        for method in route.methods or ():
            assert (method, route.path_format) in ACCESS
            assert contract[route.path_format][method.lower()]["x-roles"] == sorted(ACCESS[method, route.path_format])


def test_personal_fields_are_for_auditors_and_admins(shop: Program, clients: dict[str | None, httpx.Client]) -> None:
    for role in (Role.ANALYST, Role.AUDITOR, Role.ADMIN):
        events = clients[role].get("/v1/events", params={"type": "contact.received", "limit": 20}).json()["events"]
        voids = clients[role].get("/v1/events", params={"type": "record.voided", "limit": 20}).json()["events"]
        shown = any("message" in event["data"] for event in events), any("reason" in event for event in voids)
        withheld = (
            any("message" in event.get("withheld", "") for event in events),
            any("reason" in event.get("withheld", "") for event in voids),
        )
        assert shown == ((False, False) if role is Role.ANALYST else (True, True))
        assert withheld == ((True, True) if role is Role.ANALYST else (False, False))


def test_history_and_explanations_withhold_personal_fields_too(clients: dict[str | None, httpx.Client]) -> None:
    contact = clients[Role.ADMIN].get("/v1/events", params={"type": "contact.received", "limit": 50}).json()["events"]
    told = next(event for event in contact if "message" in event["data"])
    message = told["data"]["message"]
    for path in (
        f"/v1/history/contact/{told['subject']}",
        f"/v1/explain/contacts/{told['subject']}/channel",
    ):
        assert message in clients[Role.AUDITOR].get(path).text
        answer = clients[Role.ANALYST].get(path)
        assert answer.status_code == 200, answer.text
        assert message not in answer.text


def test_a_service_finds_its_own_event_and_reads_no_table(clients: dict[str | None, httpx.Client]) -> None:
    event = clients[Role.ADMIN].get("/v1/events", params={"after": 1, "limit": 1}).json()["events"][0]
    found = clients[Role.SERVICE].get("/v1/events", params={"source": event["source"], "id": event["id"]})
    assert found.json()["events"][0]["position"] == event["position"]
    assert clients[Role.SERVICE].get("/v1/tables/contacts").status_code == 403


def test_a_service_finds_what_it_sent_and_lists_nothing(clients: dict[str | None, httpx.Client]) -> None:
    answer = clients[Role.SERVICE].get("/v1/events", params={"after": 0})
    assert answer.status_code == 403
    assert "source and id" in answer.json()["detail"]


@pytest.mark.parametrize("role", [Role.SERVICE, Role.ADMIN])
def test_no_key_publishes_a_rule_book(clients: dict[str | None, httpx.Client], role: Role) -> None:
    event = {
        "specversion": "1.0",
        "id": "book-2",
        "source": "/somebody",
        "type": "rulebook.published",
        "subject": "customer_service",
        "time": "2026-04-01T00:00:00Z",
        "data": {"book_version": "2", "digest": "0", "effective_from": "2026-04-01T00:00:00Z", "book": "nonsense: ["},
    }
    answer = clients[role].post("/v1/events", json=event, headers={"content-type": "application/cloudevents+json"})
    assert answer.status_code == 403
    assert "the ledger itself" in answer.json()["detail"]
