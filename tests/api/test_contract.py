"""The OpenAPI document, and a walk through all of it that never meets a server error."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from api.bootstrap import Program, running
from api.http.access import ACCESS, OWN_TYPES
from api.http.contract import event_schema, example
from ledger.events import CATALOGUE
from ledger.settings import Settings
from tests.api.conftest import served


def test_every_event_type_has_a_schema_and_an_example_that_is_taken(program: Program, admin: httpx.Client) -> None:
    contract: dict[str, Any] = program.app.openapi()
    append = contract["paths"]["/v1/events"]["post"]
    examples = append["requestBody"]["content"]["application/cloudevents+json"]["examples"]
    assert set(examples) == set(CATALOGUE)
    for known in CATALOGUE.values():
        assert contract["components"]["schemas"][known.name] == event_schema(known)
        answer = admin.post("/v1/events", json=example(known), headers={"content-type": "application/cloudevents+json"})
        # the examples are taken as they stand, or a rule refuses them for what was told before
        own = {*OWN_TYPES, "customer.key_destroyed"}
        wanted = (403,) if known.name in own else (201, 409)
        assert answer.status_code in wanted, (known.name, answer.text)


def test_the_catalogue_tells_labels_schema_and_example_of_every_type(client_of: Callable[..., httpx.Client]) -> None:
    client = client_of("service")
    told = {one["type"]: one for one in client.get("/v1/catalogue").json()["types"]}
    assert set(told) == set(CATALOGUE)
    assert told["requirement.captured"]["label"]["zh"]
    fields = {field["name"]: field for field in told["requirement.captured"]["fields"]}
    assert fields["statement"]["personal"]
    assert fields["contact_id"]["refers_to"] == "contact"
    assert client.get("/v1/catalogue/requirement.captured").json() == told["requirement.captured"]
    assert client.get("/v1/catalogue/requirement.forgotten").status_code == 404


@pytest.fixture
def walked(settings: Settings) -> Iterator[tuple[str, dict[str, str]]]:
    """The address of a ledger with tables, and an admin's header."""
    with running(settings) as program:
        _, secret = program.ledger.keys.create("admin", "walker")
        with served(program) as address:
            headers = {"authorization": f"Bearer {secret}"}
            for known in CATALOGUE.values():
                httpx.post(
                    f"{address}/v1/events",
                    json=example(known),
                    headers=headers | {"content-type": "application/cloudevents+json"},
                )
            yield address, headers
        program.jobs.wait()


# the server runs in this process, and its threads draw random numbers while cases are made
@pytest.mark.filterwarnings("ignore:Do not use the `random` module:hypothesis.errors.HypothesisDeprecationWarning")
def test_no_walk_through_the_contract_meets_a_server_error(walked: tuple[str, dict[str, str]]) -> None:
    address, headers = walked
    # what a stream begins never ends
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json").exclude(path="/v1/events/stream")
    met = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        met.add((operation.method.upper(), operation.path))
        for mode, examples in ((GenerationMode.POSITIVE, 20), (GenerationMode.NEGATIVE, 15)):
            walk(operation.as_strategy(generation_mode=mode), headers, examples)
    assert met == set(ACCESS) - {("GET", "/v1/events/stream"), ("GET", "/openapi.json")}


def walk(cases: SearchStrategy[schemathesis.Case], headers: dict[str, str], examples: int) -> None:
    """Call with a number of generated cases, always the same ones, and check every answer against the contract."""

    @seed(1)
    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def called(case: schemathesis.Case) -> None:
        # a walk that waits for positions that never come would take all day
        if isinstance(case.query, dict):
            case.query.pop("min_position", None)
        answer = case.call(headers=headers)
        case.validate_response(
            answer, checks=[not_a_server_error, content_type_conformance, response_schema_conformance]
        )

    # an operation without anything to get wrong has no negative cases
    with contextlib.suppress(Unsatisfiable):
        called()
