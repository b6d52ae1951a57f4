"""A ledger that people and services work with over HTTP, and words to tell a story in."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api.bootstrap import running
from api.cli.client import in_process
from ledger.settings import Settings


class Story:
    """Tells events over HTTP in the order in which they happen, and reads what the ledger makes of them."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._numbers = itertools.count(1)
        self.position = 0

    def tell(self, when: str, kind: str, subject: str, actor: str = "ann", /, **data: Any) -> int:
        """One event, at a time in Shanghai such as "2026-03-02 09:00"; its position."""
        answer = self.send(when, kind, subject, actor, **data)
        assert answer.status_code == 201, answer.text
        self.position = int(answer.json()["position"])
        return self.position

    def send(self, when: str, kind: str, subject: str, actor: str = "ann", /, **data: Any) -> httpx.Response:
        event = {
            "specversion": "1.0",
            "id": str(next(self._numbers)),
            "source": "/story",
            "type": kind,
            "subject": subject,
            "time": f"{when.replace(' ', 'T')}:00+08:00",
            "actor": actor,
            "data": data,
        }
        return self._client.post("/v1/events", json=event, headers={"content-type": "application/cloudevents+json"})

    def get(self, path: str, **parameters: Any) -> Any:
        """A JSON answer, once the tables hold all that was told."""
        until = time.monotonic() + 60
        while True:
            answer = self._client.get(path, params={**parameters, "min_position": self.position})
            if answer.status_code != 503 or time.monotonic() > until:
                break
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, **told: Any) -> Any:
        answer = self._client.post(path, json=told)
        assert answer.is_success, answer.text
        return answer.json()

    def row(self, table: str, **where: str) -> dict[str, Any]:
        (row,) = self.get(f"/v1/tables/{table}", **where)["rows"]
        return dict(row)

    def figure(self, metric: str, first: str, last: str, **filters: str) -> tuple[int | None, int]:
        """Numerator and denominator of the days from first to last."""
        parameters = {"metric": metric, "from": first, "to": last, **filters}
        (figure,) = self.get("/v1/kpis", **parameters)["figures"]
        return figure["numerator"], figure["denominator"]

    def history(self, aggregate: str, subject: str) -> list[str]:
        """The event types of a history, in order; a voided one in brackets."""
        answer = self._client.get(f"/v1/history/{aggregate}/{subject}")
        assert answer.status_code == 200, answer.text
        return [
            f"[{item['event']['type']}]" if item["voided_by"] else item["event"]["type"]
            for item in answer.json()["items"]
        ]


@pytest.fixture
def story(settings: Settings) -> Iterator[Story]:
    with running(settings) as program:
        secret = program.ledger.keys.create("admin", "story")[1]
        with in_process(program.asgi, secret) as client:
            yield Story(client)
