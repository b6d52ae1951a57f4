"""The OpenAPI document, and a walk through all of it that never meets a server error."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from api.bootstrap import Program, running
from api.http.contract import event_schema, example
from ledger.events import CATALOGUE
from ledger.settings import Settings


@pytest.fixture(scope="module")
def contract(shop: Program) -> dict:  # type: ignore[type-arg]
    return shop.app.openapi()


def test_every_event_type_has_a_schema_and_an_example_that_is_taken(
    contract: dict, program: Program, admin: httpx.Client
) -> None:  # type: ignore[type-arg]
    append = contract["paths"]["/v1/events"]["post"]
    examples = append["requestBody"]["content"]["application/cloudevents+json"]["examples"]
    assert set(examples) == set(CATALOGUE)
    for known in CATALOGUE.values():
        assert contract["components"]["schemas"][known.name] == event_schema(known)
        answer = admin.post("/v1/events", json=example(known), headers={"content-type": "application/cloudevents+json"})
        # the examples are taken as they stand, or a rule refuses them for what was told before
        assert answer.status_code in (201, 409), (known.name, answer.text)
