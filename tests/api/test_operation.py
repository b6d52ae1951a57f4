"""Keeping it running: health, readiness, measurements, overload, reading one's own write, and a quiet log."""

from __future__ import annotations

import io
import json
import logging
import threading
import time
from collections.abc import Callable

import httpx
import orjson
import psycopg
import pytest

from api.bootstrap import Program, running
from api.cli.client import in_process
from api.http import context
from api.logs import configure
from ledger.settings import Settings
from tests.api.conftest import event, received
from tests.api.test_append import BATCH, post


def test_a_reader_waits_for_its_own_write(settings: Settings) -> None:
    with running(settings) as program, in_process(program.asgi, program.local_token) as client:
        for number in range(3):
            position = post(client, received(f"C-{number}")).json()["position"]
            answer = client.get("/v1/tables/contacts", params={"min_position": position, "contact_id": f"C-{number}"})
            assert answer.status_code == 200, answer.text
            assert [row["contact_id"] for row in answer.json()["rows"]] == [f"C-{number}"]
            assert answer.json()["position"] >= position


def test_waiting_ends_when_the_tables_do_not_come(
    program: Program, admin: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "CATCH_UP_SECONDS", 0.2)
    position = post(admin, received("C-1")).json()["position"]
    answer = admin.get("/v1/kpis", params={"min_position": position})
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert answer.json()["type"].endswith(":not-projected-yet")
    assert answer.json()["position"] == program.projected_position()


def test_overload_is_answered_at_once(settings: Settings) -> None:
    small = settings.model_copy(update={"queue_events": 1, "lock_timeout_seconds": 20.0})
    with running(small, project=False) as program, in_process(program.asgi, program.local_token) as client:
        assert post(client, received("C-0")).status_code == 201
        answers: list[httpx.Response] = []
        threads = [
            threading.Thread(target=lambda number=number: answers.append(post(client, received(f"C-{number}"))))
            for number in range(1, 7)
        ]
        with psycopg.connect(program.database.conninfo) as other:
            # another process is appending, and takes its time
            other.execute("SELECT 1 FROM log.ledger FOR UPDATE")
            for thread in threads:
                thread.start()
            until = time.monotonic() + 5
            while not any(answer.status_code == 503 for answer in answers) and time.monotonic() < until:
                time.sleep(0.01)
            assert {answer.status_code for answer in answers} == {503}, "nobody is turned away while others wait"
        for thread in threads:
            thread.join()
        turned_away = [answer for answer in answers if answer.status_code == 503]
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in turned_away)
        assert turned_away[0].json()["type"].endswith(":overloaded")
        taken = [answer for answer in answers if answer.status_code == 201]
        assert len(taken) + len(turned_away) == 6
        # what was turned away goes in when it is sent again
        assert all(post(client, received(f"C-{number}")).status_code in (200, 201) for number in range(1, 7))


def test_health_readiness_and_welcome(client_of: Callable[..., httpx.Client], program: Program) -> None:
    client = client_of()
    assert client.get("/healthz").json() == {"status": "alive", "simulated": False}
    assert client.get("/").json()["name"] == "requirements-ledger"
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["head"]["position"] == program.ledger.head().position
    assert "ledger-simulated" not in ready.headers


def test_a_projector_that_cannot_go_on_is_told_by_readyz(
    client_of: Callable[..., httpx.Client], program: Program
) -> None:
    with program.database.connect() as connection:
        connection.execute(
            "UPDATE projections.generations SET halted_at = 7, halted_by = 'DiskFull: no space' WHERE state = 'live'"
        )
    answer = client_of().get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["projector"]["halted_at"] == 7
    assert "DiskFull" in answer.json()["projector"]["halted_by"]
    assert "ledger_projector_halted 1.0" in client_of("service").get("/metrics").text


def test_a_simulated_ledger_says_so_everywhere(local: httpx.Client) -> None:
    for path in ("/", "/healthz", "/readyz", "/v1/tables", "/v1/nothing"):
        assert local.get(path).headers["ledger-simulated"] == "true", path
    assert local.get("/").json()["simulated"]
    assert local.get("/healthz").json()["simulated"]
    assert "simulated" in local.get("/openapi.json").json()["info"]["description"]


def test_measurements(client_of: Callable[..., httpx.Client], service: httpx.Client) -> None:
    post(service, [received("C-1"), received("C-2")], BATCH)
    post(service, received("C-1"))
    post(service, event("contact.answered", "never-opened"))
    post(service, b"{")
    told = client_of("analyst").get("/metrics").text
    values = dict(line.rsplit(" ", 1) for line in told.splitlines() if not line.startswith("#"))
    assert values["ledger_appended_events_total"] == "2.0"
    assert values["ledger_duplicate_events_total"] == "1.0"
    assert values['ledger_refusals_total{rule="bad-request"}'] == "1.0"
    assert any(name.startswith('ledger_refusals_total{rule="contact.') for name in values)
    assert values["ledger_append_seconds_count"] == "4.0"
    assert values["ledger_append_queue_length"] == "0.0"
    assert values["ledger_head_position"] == "3.0"
    assert {"ledger_projector_lag_positions", "ledger_projector_lag_seconds"} <= values.keys()


def test_a_request_id_is_kept_or_made(client_of: Callable[..., httpx.Client]) -> None:
    client = client_of()
    assert client.get("/healthz", headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
    made = client.get("/healthz", headers={"x-request-id": "no spaces, please"}).headers["x-request-id"]
    assert made.isalnum()
    problem = client.get("/v1/tables", headers={"x-request-id": "mine-2"}).json()
    assert problem["instance"].endswith(":mine-2")


def test_bodies_under_way_are_bounded_together(settings: Settings) -> None:
    body = orjson.dumps(received("C-1"))
    small = settings.model_copy(update={"queue_bytes": len(body) + 10, "lock_timeout_seconds": 20.0})
    with running(small, project=False) as program, in_process(program.asgi, program.local_token) as client:
        assert post(client, received("C-0")).status_code == 201
        answers: list[httpx.Response] = []
        first = threading.Thread(target=lambda: answers.append(post(client, body)))
        with psycopg.connect(program.database.conninfo) as other:
            other.execute("SELECT 1 FROM log.ledger FOR UPDATE")
            first.start()
            until = time.monotonic() + 5
            while (answer := post(client, received("C-2"))).status_code != 503 and time.monotonic() < until:
                time.sleep(0.01)
            assert answer.status_code == 503
            assert "bytes of events" in answer.json()["detail"]
            assert int(answer.headers["retry-after"]) >= 1
        first.join()
        assert answers[0].status_code == 201
        # the room is given back
        assert all(post(client, received(f"C-{number}")).status_code == 201 for number in range(2, 6))


def test_a_database_that_is_away_is_a_503(settings: Settings) -> None:
    brief = settings.model_copy(update={"pool_timeout_seconds": 0.5})
    with running(brief, project=False) as program, in_process(program.asgi, program.local_token) as client:
        program.database.pool.close()
        answer = client.get("/v1/tables/contacts")
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200


@pytest.fixture
def json_log(own_logging: None) -> Callable[[], list[dict[str, object]]]:
    """The log as the server writes it; gives the lines written so far."""
    return logged("DEBUG")


def logged(level: str) -> Callable[[], list[dict[str, object]]]:
    """Write the log from `level` on to where its lines can be read."""
    written = io.StringIO()
    configure(level, written)
    return lambda: [json.loads(line) for line in written.getvalue().splitlines()]


def test_the_log_tells_what_happened_and_nothing_personal(
    json_log: Callable[[], list[dict[str, object]]],
    program: Program,
    secrets_of: dict[str, str],
    client_of: Callable[..., httpx.Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service, auditor = client_of("service"), client_of("auditor")
    post(service, received("C-1", reason="My secret reason"))
    post(service, received("C-1", reason="My secret reason") | {"data": {"message": ["My secret complaint"]}})
    post(service, b'{"data": {"message": "My secret complaint"}')
    auditor.get("/v1/history/contact/C-1")
    auditor.get("/v1/events", params={"source": "My secret source", "id": "My secret id"})
    client_of().get("/v1/tables", headers={"authorization": "Bearer My-secret-key"})

    def broken(*_: object, **__: object) -> None:
        raise ValueError("My secret exception")

    monkeypatch.setattr(program.ledger, "entries", broken)
    failed = auditor.get("/v1/events", headers={"x-request-id": "mine-3"})
    assert failed.status_code == 500
    assert failed.headers["content-type"] == "application/problem+json"
    assert failed.json()["instance"].endswith(":mine-3")
    assert "secret" not in failed.text
    logging.getLogger("some.library").warning("with a traceback", exc_info=ValueError("My secret exception"))
    lines = json_log()
    text = json.dumps(lines)
    assert "secret" not in text
    assert not any(secret in text for secret in secrets_of.values())
    assert {line["event"] for line in lines} >= {"request", "request failed"}
    (error,) = (line for line in lines if line["event"] == "request failed")
    assert error["error"] == "ValueError"
    assert any("broken" in frame for frame in error["frames"])  # type: ignore[attr-defined]
    assert all(line["level"] and line["time"] for line in lines)
