"""What a team would write first: a FastAPI endpoint that calls the eventsourcing library's `save()` per request.

It takes the same CloudEvents, validates them with pydantic, and saves an aggregate with one event in PostgreSQL
through the library's own module for it. Started as `python -m tests.benchmarks.library_server PORT CONNINFO`.
"""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import NAMESPACE_URL, UUID, uuid5

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from fastapi import FastAPI
from pydantic import BaseModel, StringConstraints

from api.http.serving import listen, serve_here
from tests.benchmarks.running import library_settings

Id = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Data(BaseModel):
    customer_id: Id
    channel: Literal["phone", "meeting", "web_chat", "community", "email", "form", "app"]
    department: Id
    kind: Literal["inquiry", "problem", "complaint", "suggestion", "feedback", "other"]


class Told(BaseModel):
    specversion: Literal["1.0"]
    id: Id
    source: Id
    type: Literal["contact.received"]
    subject: Id
    time: datetime
    data: Data


class Contact(Aggregate):
    @event("Received")
    def __init__(self, *, subject: str, source: str, told_as: str, occurred_at: datetime, data: dict[str, Any]) -> None:
        self.subject = subject
        self.source = source
        self.told_as = told_as
        self.occurred_at = occurred_at
        self.data = data

    @staticmethod
    def create_id(subject: str) -> UUID:
        return uuid5(NAMESPACE_URL, subject)


def build(conninfo: str) -> FastAPI:
    application: Application[UUID] = Application(library_settings(conninfo))
    app = FastAPI()

    @app.get("/readyz")
    def ready() -> dict[str, str]:
        return {"status": "ready"}

    @app.post("/events", status_code=201)
    def append(told: Told) -> dict[str, Any]:
        contact = Contact(
            subject=told.subject,
            source=told.source,
            told_as=told.id,
            occurred_at=told.time,
            data=told.data.model_dump(),
        )
        recordings = application.save(contact)
        return {"position": recordings[-1].notification.id, "subject": told.subject, "version": contact.version}

    return app


if __name__ == "__main__":
    with listen("127.0.0.1", int(sys.argv[1])) as listening:
        serve_here(build(sys.argv[2]), listening)
