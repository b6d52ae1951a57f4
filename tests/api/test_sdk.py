"""The official CloudEvents SDK as a client, unchanged, over a socket."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest
from cloudevents.core.bindings import http
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

CONTACT = {"channel": "email", "department": "front_desk", "kind": "problem", "message": "Grüße, 客户"}


def contact(subject: str) -> CloudEvent:
    return CloudEvent(
        {
            "type": "contact.received",
            "source": "/tests/sdk",
            "subject": subject,
            "time": datetime(2026, 4, 1, 9, 30, 0, 123456, tzinfo=UTC),
            "actor": "Zoë Müller 100%",
            "expectedversion": 0,
        },
        CONTACT,
    )


@pytest.fixture
def key(secrets_of: dict[str, str]) -> dict[str, str]:
    return {"authorization": f"Bearer {secrets_of['admin']}"}


def read_back(address: str, key: dict[str, str], event: CloudEvent) -> CloudEvent:
    """The event as the ledger hands it out, read by the SDK."""
    answer = httpx.get(f"{address}/v1/events", params={"source": event.get_source(), "id": event.get_id()}, headers=key)
    (told,) = answer.json()["events"]
    return JSONFormat().read(CloudEvent, httpx.Response(200, json=told).content)


@pytest.mark.parametrize("mode", ["structured", "binary"])
def test_one_event(address: str, key: dict[str, str], mode: str) -> None:
    event = contact(f"C-{mode}")
    message = http.to_structured_event(event) if mode == "structured" else http.to_binary_event(event)
    answer = httpx.post(f"{address}/v1/events", headers=message.headers | key, content=message.body)
    assert answer.status_code == 201, answer.text
    told = read_back(address, key, event)
    assert told.get_time() == event.get_time()
    assert told.get_extension("actor") == "Zoë Müller 100%"
    assert {name: value for name, value in told.get_data().items() if name in CONTACT} == CONTACT


def test_binary_with_a_content_type(address: str, key: dict[str, str]) -> None:
    event = CloudEvent(contact("C-typed").get_attributes() | {"datacontenttype": "application/json"}, CONTACT)
    message = http.to_binary_event(event)
    assert message.headers["content-type"] == "application/json"
    answer = httpx.post(f"{address}/v1/events", headers=message.headers | key, content=message.body)
    assert answer.status_code == 201, answer.text


def test_a_batch(address: str, key: dict[str, str]) -> None:
    events = [contact("C-1"), contact("C-2")]
    body = b"[" + b",".join(JSONFormat().write(event) for event in events) + b"]"
    headers = {"content-type": "application/cloudevents-batch+json"} | key
    answer = httpx.post(f"{address}/v1/events", headers=headers, content=body)
    assert answer.status_code == 201, answer.text
    assert [told["subject"] for told in answer.json()["events"]] == ["C-1", "C-2"]
    assert read_back(address, key, events[1]).get_subject() == "C-2"


def test_an_event_without_data(address: str, key: dict[str, str]) -> None:
    opened = http.to_structured_event(contact("C-1"))
    httpx.post(f"{address}/v1/events", headers=opened.headers | key, content=opened.body)
    rang = CloudEvent({"type": "contact.rang", "source": "/tests/sdk", "subject": "C-1"})
    for message in (http.to_binary_event(rang), http.to_structured_event(rang)):
        answer = httpx.post(f"{address}/v1/events", headers=message.headers | key, content=message.body)
        assert answer.is_success, answer.text
    assert answer.json()["events"][0]["duplicate"]
