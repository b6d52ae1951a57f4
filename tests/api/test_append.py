"""Appending over HTTP: what is answered, and what is not appended."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import orjson

from api.bootstrap import Program
from tests.api.conftest import event, received

STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
NDJSON = {"content-type": "application/x-ndjson"}


def post(client: httpx.Client, body: Any, headers: dict[str, str] = STRUCTURED, query: str = "") -> httpx.Response:
    content = body if isinstance(body, (bytes, str)) else orjson.dumps(body)
    return client.post(f"/v1/events{query}", content=content, headers=headers)


def test_an_event_is_answered_with_its_place_in_the_log(service: httpx.Client, program: Program) -> None:
    before = program.ledger.head().position
    answer = post(service, received("C-1"))
    assert answer.status_code == 201, answer.text
    (told,) = answer.json()["events"]
    assert answer.json()["position"] == told["position"] == before + 1
    assert (told["aggregate"], told["subject"], told["version"], told["duplicate"]) == ("contact", "C-1", 1, False)
    assert told["recorded_at"].endswith("Z")


def test_the_same_event_again_is_answered_with_the_first_result(service: httpx.Client, program: Program) -> None:
    first = post(service, received("C-1")).json()["events"][0]
    again = post(service, received("C-1"))
    assert again.status_code == 200
    assert again.json()["events"][0] == first | {"duplicate": True}
    assert program.ledger.head().position == first["position"]


def test_the_same_id_with_other_content_is_a_conflict(service: httpx.Client, program: Program) -> None:
    post(service, received("C-1"))
    answer = post(service, received("C-1") | {"subject": "C-2"})
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].endswith(":duplicate-conflict")
    assert answer.json()["rule"] == "event.id_taken"


def test_a_rule_that_refuses_is_named(service: httpx.Client, program: Program) -> None:
    before = program.ledger.head().position
    answer = post(service, event("contact.answered", "never-opened"))
    assert answer.status_code == 409
    problem = answer.json()
    assert problem["type"].endswith(":refused")
    assert problem["rule"].startswith("contact.")
    assert program.ledger.head().position == before


def test_another_version_than_the_expected_one_is_a_conflict(service: httpx.Client) -> None:
    assert post(service, received("C-1", expectedversion=0)).status_code == 201
    answer = post(service, event("contact.rang", "C-1", expectedversion=7))
    assert answer.status_code == 409
    assert answer.json()["type"].endswith(":version-conflict")
    assert (answer.json()["expected"], answer.json()["actual"]) == (7, 1)
    assert post(service, event("contact.rang", "C-1", expectedversion=1)).status_code == 201


def test_what_is_not_well_formed_names_every_field(service: httpx.Client) -> None:
    wrong = received("C-1", specversion="0.3", colour="red", time="yesterday")
    wrong["data"] |= {"channel": "smoke", "weight": 3}
    answer = post(service, wrong)
    assert answer.status_code == 422
    errors = {error["field"]: error for error in answer.json()["errors"]}
    assert set(errors) == {"specversion", "colour", "time", "data.channel", "data.weight"}
    assert "phone" in errors["data.channel"]["message"]
    assert all(error["hint"] for error in errors.values())


def test_a_problem_does_not_repeat_what_was_sent(service: httpx.Client) -> None:
    wrong = received("C-1", reason="x" * 20_001)
    wrong["data"]["message"] = ["My secret complaint"]
    answer = post(service, wrong)
    assert answer.status_code == 422
    assert "secret" not in answer.text
    assert "xxx" not in answer.text


def test_a_batch_stands_or_falls_together(service: httpx.Client, program: Program) -> None:
    before = program.ledger.head().position
    refused = post(service, [received("C-1"), event("contact.answered", "never-opened")], BATCH)
    assert refused.status_code == 409
    assert refused.json()["errors"][0]["index"] == 1
    malformed = post(service, [received("C-1"), {"id": 3}, 5], BATCH)
    assert malformed.status_code == 422
    assert {error["index"] for error in malformed.json()["errors"]} == {1, 2}
    assert program.ledger.head().position == before
    taken = post(service, [received("C-1"), event("contact.rang", "C-1")], BATCH)
    assert taken.status_code == 201
    assert [told["position"] for told in taken.json()["events"]] == [before + 1, before + 2]
    assert taken.json()["position"] == before + 2


def test_per_item_every_event_has_its_own_result(service: httpx.Client, program: Program) -> None:
    batch = [received("C-1"), event("contact.answered", "never-opened"), {"type": "x"}, received("C-1")]
    answer = post(service, batch, BATCH, "?atomic=false")
    assert answer.status_code == 207
    results = answer.json()["events"]
    assert [result["status"] for result in results] == [201, 409, 422, 200]
    assert results[1]["problem"]["rule"].startswith("contact.")
    assert results[2]["problem"]["errors"]
    assert answer.json()["position"] == program.ledger.head().position == results[0]["position"]


def test_one_event_a_line(service: httpx.Client) -> None:
    lines = b"\n".join(orjson.dumps(received(f"C-{number}")) for number in range(3)) + b"\r\n\n"
    answer = post(service, lines, NDJSON)
    assert answer.status_code == 201
    assert [told["subject"] for told in answer.json()["events"]] == ["C-0", "C-1", "C-2"]
    broken = post(service, b'{"specversion": "1.0"\n' + lines, NDJSON, "?atomic=false").json()["events"]
    assert [result["status"] for result in broken] == [422, 200, 200, 200]


def test_header_values_are_unquoted_and_percent_decoded(service: httpx.Client, admin: httpx.Client) -> None:
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "/tests",
        "ce-type": "contact.rang",
        "ce-subject": "Kunde%20%E5%BC%A0%20%F0%9F%98%80",
        "ce-time": "2026-04-01T09:00:00+08:00",
        "ce-actor": '"Ann \\"A\\" Lee"',
        "ce-expectedversion": "1",
    }
    assert post(service, received("Kunde 张 😀")).status_code == 201
    answer = post(service, b"", headers)
    assert answer.status_code == 201, answer.text
    told = admin.get("/v1/events", params={"source": "/tests", "id": "1"}).json()["events"][0]
    assert (told["subject"], told["actor"], told["time"]) == (
        "Kunde 张 😀",
        'Ann "A" Lee',
        "2026-04-01T01:00:00.000000Z",
    )
    broken = post(service, b"", headers | {"ce-subject": "%ff"})
    assert broken.status_code == 422
    assert broken.json()["errors"][0]["field"] == "subject"


def test_content_types_that_are_not_events(service: httpx.Client) -> None:
    body = orjson.dumps(received("C-1"))
    for content_type in ("application/json", "text/plain", "application/cloudevents+avro", ""):
        answer = post(service, body, {"content-type": content_type})
        assert answer.status_code == 415, content_type
        assert "application/cloudevents+json" in answer.json()["detail"]
    assert post(service, body, {"content-type": "application/cloudevents+json; charset=utf-16"}).status_code == 415
    assert post(service, body, {"content-type": 'application/cloudevents+json; charset="UTF-8"'}).status_code == 201


def test_what_is_not_json_is_a_bad_request(service: httpx.Client) -> None:
    for body in (b"", b"{", b"\xff", b'{"a": NaN}', b'"\\ud800"'):
        assert post(service, body).status_code in (400, 422), body
    assert post(service, {"events": []}, BATCH).status_code == 400
    assert post(service, [], BATCH).status_code == 200


def test_data_may_come_as_base64(service: httpx.Client) -> None:
    sent = event("contact.received", "C-1")
    data = orjson.dumps(received("C-1")["data"])
    del sent["data"]
    assert post(service, sent | {"data_base64": base64.b64encode(data).decode()}).status_code == 201
    assert post(service, sent | {"data_base64": "???"}).status_code == 422


def test_too_much_at_once_is_refused(service: httpx.Client, program: Program) -> None:
    limit = program.settings.max_body_bytes
    answer = post(service, b"x" * (limit + 1))
    assert answer.status_code == 413
    assert str(limit) in answer.json()["detail"]
    many = b"{}\n" * (program.settings.max_batch_events + 1)
    assert post(service, many, NDJSON).status_code == 413


def test_unknown_parameters_are_refused(service: httpx.Client) -> None:
    assert post(service, received("C-1"), query="?atomic=maybe").status_code == 422
    assert post(service, received("C-1"), query="?atomik=false").status_code == 422


def test_a_key_is_bound_to_sources_and_types(program: Program, client_of: Any) -> None:
    _, secret = program.ledger.keys.create("service", "phones", sources=["/tests/*"], types=["contact.*"])
    client = client_of()
    client.headers["authorization"] = f"Bearer {secret}"
    assert post(client, received("C-1", source="/tests/phones")).status_code == 201
    assert post(client, received("C-2", source="/elsewhere")).status_code == 403
    batch = [
        received("C-3", source="/tests/phones"),
        event("customer.registered", "K", {"stage": "customer"}, source="/tests/phones"),
    ]
    answer = post(client, batch, BATCH)
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["index"] == 1


def test_voiding_needs_an_admin(service: httpx.Client, admin: httpx.Client) -> None:
    position = post(service, received("C-1")).json()["position"]
    voided = event("record.voided", "C-1", {"voided_position": position})
    assert post(service, voided).status_code == 403
    answer = post(admin, voided)
    assert answer.status_code == 201, answer.text
    assert answer.json()["events"][0]["aggregate"] == "contact"


def test_revoked_and_invented_keys_are_not_let_in(program: Program, client_of: Any) -> None:
    key, secret = program.ledger.keys.create("service", "gone")
    client = client_of()
    client.headers["authorization"] = f"Bearer {secret}"
    assert post(client, received("C-1")).status_code == 201
    program.ledger.keys.revoke(key.id)
    program.doorkeeper.forget()
    for authorization in (f"Bearer {secret}", "Bearer rl_x_y", "Bearer", "Basic YTpi", "Bearer \x7f"):
        client.headers["authorization"] = authorization
        answer = post(client, received("C-2"))
        assert answer.status_code == 401, authorization
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_recorded_by_is_the_key_that_sent_it(service: httpx.Client, admin: httpx.Client, program: Program) -> None:
    post(service, received("C-1"))
    told = admin.get("/v1/events", params={"type": "contact.received"}).json()["events"][0]
    keys = {key.id: key.role for key in program.ledger.keys.list()}
    assert keys[told["recordedby"]] == "service"
