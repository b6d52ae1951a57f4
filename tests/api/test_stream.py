"""The event stream: everything once, in order, and resumable."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest

from api.bootstrap import Program
from tests.api.conftest import event, received, served


def messages(response: httpx.Response) -> Iterator[dict[str, Any]]:
    """The server-sent events of an answer: id, event and data."""
    message: dict[str, Any] = {}
    for line in response.iter_lines():
        if line == "":
            if message:
                yield message
            message = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            message[name] = json.loads(value) if name == "data" else value


def append(address: str, secret: str, *events: dict[str, Any]) -> int:
    headers = {"authorization": f"Bearer {secret}", "content-type": "application/cloudevents-batch+json"}
    answer = httpx.post(f"{address}/v1/events", headers=headers, content=orjson.dumps(events))
    assert answer.status_code == 201, answer.text
    return int(answer.json()["position"])


def test_a_stream_tells_what_was_and_what_comes(address: str, secrets_of: dict[str, str]) -> None:
    append(address, secrets_of["service"], *(received(f"C-{number}") for number in range(3)))
    headers = {"authorization": f"Bearer {secrets_of['analyst']}"}
    with httpx.stream("GET", f"{address}/v1/events/stream?type=contact.received", headers=headers) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        told = messages(response)
        first = [next(told) for _ in range(3)]
        later = threading.Timer(
            0.2, append, (address, secrets_of["service"], received("C-3"), event("contact.rang", "C-3"))
        )
        later.start()
        started = time.monotonic()
        fourth = next(told)
        assert time.monotonic() - started < 2
        later.join()
    assert [one["data"]["subject"] for one in [*first, fourth]] == ["C-0", "C-1", "C-2", "C-3"]
    assert all(one["event"] == "contact.received" and int(one["id"]) == one["data"]["position"] for one in first)
    assert all(one["data"]["withheld"] == "message" for one in first)


def test_a_client_that_reconnects_misses_nothing(address: str, secrets_of: dict[str, str]) -> None:
    append(address, secrets_of["service"], *(received(f"C-{number}") for number in range(500)))
    headers = {"authorization": f"Bearer {secrets_of['auditor']}"}
    seen: list[str] = []
    last = "0"
    while len(seen) < 500:
        with httpx.stream(
            "GET", f"{address}/v1/events/stream?aggregate=contact", headers=headers | {"last-event-id": last}
        ) as response:
            for count, one in enumerate(messages(response)):
                seen.append(one["data"]["subject"])
                last = one["id"]
                if count == 120 or len(seen) == 500:
                    break
    assert seen == [f"C-{number}" for number in range(500)]


def test_what_is_rare_is_found_a_stretch_of_the_log_at_a_time(
    address: str, secrets_of: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http.events.LOOK_THROUGH", 10)
    append(address, secrets_of["service"], *(received(f"C-{number}") for number in range(33)))
    rang = [append(address, secrets_of["service"], event("contact.rang", "C-1", id=str(number))) for number in range(2)]
    headers = {"authorization": f"Bearer {secrets_of['analyst']}"}
    asked: dict[str, Any] = {"type": "contact.rang", "limit": 10}
    found, after, pages = [], 0, 0
    while after is not None:
        page = httpx.get(f"{address}/v1/events", params=asked | {"after": after}, headers=headers).json()
        found += [one["position"] for one in page["events"]]
        after, pages = page["next_after"], pages + 1
    assert found == rang
    assert pages == 4
    whole = httpx.get(f"{address}/v1/events", params={"limit": 1000}, headers=headers).json()
    assert (len(whole["events"]), whole["next_after"]) == (rang[-1], None)
    started = time.monotonic()
    with httpx.stream("GET", f"{address}/v1/events/stream?aggregate=customer", headers=headers) as response:
        append(address, secrets_of["service"], event("customer.registered", "CU-1", {"stage": "customer"}))
        assert next(messages(response))["data"]["subject"] == "CU-1"
    assert time.monotonic() - started < 2


def test_a_stream_that_cannot_begin_says_so(address: str, secrets_of: dict[str, str]) -> None:
    headers = {"authorization": f"Bearer {secrets_of['analyst']}"}
    url = f"{address}/v1/events/stream"
    assert httpx.get(url, headers=headers | {"last-event-id": "yesterday"}).status_code == 422
    assert httpx.get(f"{url}?type=nonsense", headers=headers).status_code == 422
    assert httpx.get(f"{url}?after=-1", headers=headers).status_code == 422


def test_a_server_that_stops_ends_its_streams(program: Program, secrets_of: dict[str, str]) -> None:
    with served(program) as address:
        append(address, secrets_of["service"], received("C-1"))
        headers = {"authorization": f"Bearer {secrets_of['analyst']}"}
        ended = threading.Event()

        def read() -> None:
            with httpx.stream("GET", f"{address}/v1/events/stream", headers=headers, timeout=30) as response:
                for _ in messages(response):
                    begun.set()
            ended.set()

        begun = threading.Event()
        reader = threading.Thread(target=read)
        reader.start()
        assert begun.wait(10)
        started = time.monotonic()
    reader.join(10)
    assert ended.is_set()
    assert time.monotonic() - started < 4


def test_a_stream_ends_when_its_key_is_revoked(address: str, program: Program) -> None:
    key, secret = program.ledger.keys.create("auditor", "soon gone")
    headers = {"authorization": f"Bearer {secret}"}
    with httpx.stream("GET", f"{address}/v1/events/stream?after=1", headers=headers, timeout=15) as response:
        assert response.status_code == 200
        program.ledger.keys.revoke(key.id)
        assert list(messages(response)) == []


def test_a_last_event_id_is_a_position(address: str, secrets_of: dict[str, str]) -> None:
    headers = {"authorization": f"Bearer {secrets_of['analyst']}"}
    for nonsense in ("0" * 5000, "0" * 30 + "9" * 100, str(2**63)):
        answer = httpx.get(f"{address}/v1/events/stream", headers=headers | {"last-event-id": nonsense})
        assert answer.status_code == 422, answer.text
