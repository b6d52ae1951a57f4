"""The past over HTTP: what the ledger knew by then, what had happened by then, history, and replays."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from api.bootstrap import Program, running
from api.cli.client import in_process
from api.http import replays
from api.http.past import MOST_QUESTIONS, asking_the_past
from api.jobs import Progress
from ledger.settings import Settings
from projections.generations import live

QUESTIONS: list[dict[str, Any]] = [
    {"sort": "-received_at", "channel__in": "email,phone"},
    {"sort": "channel,-agent_id", "agent_id__null": "false"},
    {"received_at__lt": "2026-03-01T00:00:00Z", "channel__ne": "phone"},
    {"reopened__gte": "1"},
    {"status": "closed", "sort": "customer_id"},
]


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_end_of_the_log_replayed_is_what_the_live_tables_say(
    local: httpx.Client, shop: Program, question: dict[str, Any]
) -> None:
    live = local.get("/v1/tables/contacts", params=question | {"limit": 1000}).json()
    assert live["rows"]
    head = shop.ledger.head().position
    replayed: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = local.get("/v1/tables/contacts", params=question | {"limit": 20, "as_of": head} | more).json()
        replayed += page["rows"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert replayed == live["rows"]


def test_a_moment_in_between(local: httpx.Client) -> None:
    then = "2026-02-01T00:00:00Z"
    known = local.get("/v1/tables/contacts", params={"as_of": then, "limit": 1000}).json()
    now = local.get("/v1/tables/contacts", params={"limit": 1000}).json()
    assert 0 < len(known["rows"]) < len(now["rows"])
    assert known["position"] < now["position"]
    assert local.get("/v1/tables/contacts", params={"as_of": known["position"], "limit": 1000}).json() == known
    happened = local.get("/v1/tables/contacts", params={"valid_at": then, "limit": 1000}).json()
    assert all(row["received_at"] <= "2026-02-01T00:00:00.000000Z" for row in happened["rows"])
    # that the history was read stands in the log too
    assert happened["position"] >= now["position"]


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"as_of": "99999999"}, 422),
        ({"as_of": "9" * 30}, 422),
        ({"as_of": "soon"}, 422),
        ({"valid_at": "2026-01-01"}, 422),
        ({"as_of": "5", "colour": "red"}, 422),
        ({"as_of": "5", "sort": "colour"}, 422),
        ({"as_of": "5", "cursor": "x"}, 422),
        ({"as_of": "5", "reopened": "many"}, 422),
        ({"as_of": "0"}, 200),
    ],
)
def test_wrong_questions_about_the_past(local: httpx.Client, parameters: dict[str, str], status: int) -> None:
    assert local.get("/v1/tables/contacts", params=parameters).status_code == status
    assert local.get("/v1/tables/nothing", params={"as_of": "5"}).status_code == 404


def test_a_subject_now_and_then(local: httpx.Client) -> None:
    row = local.get("/v1/tables/requirements", params={"deliveries__gte": "1", "limit": 1}).json()["rows"][0]
    subject = row["requirement_id"]
    now = local.get(f"/v1/requirement/{subject}").json()
    assert now["tables"]["requirements"] == [row]
    replayed = local.get(f"/v1/requirement/{subject}", params={"as_of": now["position"]}).json()
    assert replayed == now
    items = local.get(f"/v1/history/requirement/{subject}").json()["items"]
    # the contact it came from stands before it
    first = next(item["position"] for item in items if item["event"]["type"] == "requirement.captured")
    then = local.get(f"/v1/requirement/{subject}", params={"as_of": first}).json()
    assert then["tables"]["requirements"][0]["status"] == "captured"
    assert local.get(f"/v1/requirement/{subject}", params={"as_of": first - 1}).status_code == 404
    assert local.get("/v1/requirement/none-such").status_code == 404
    assert local.get("/v1/emperor/none-such").status_code == 404


def test_the_history_of_a_requirement_crosses_aggregates_and_hides_nothing(local: httpx.Client) -> None:
    rows = local.get("/v1/tables/requirements", params={"deliveries__gte": "1", "limit": 100}).json()["rows"]
    told = [local.get(f"/v1/history/requirement/{row['requirement_id']}").json() for row in rows[:30]]
    aggregates = {item["event"]["aggregate"] for one in told for item in one["items"]}
    assert {"requirement", "delivery", "handoff", "contact"} <= aggregates
    voided = [item for one in told for item in one["items"] if item["voided_by"]]
    assert voided
    for one in told:
        positions = [item["position"] for item in one["items"]]
        assert positions == sorted(positions)
        assert all(set(item["words"]) == {"en", "zh"} for item in one["items"])
    book = local.get("/v1/history/rulebook/customer_service").json()
    assert book["items"][0]["event"]["type"] == "rulebook.published"
    assert local.get("/v1/history/emperor/none-such").status_code == 404


def test_a_cell_is_explained_by_its_event(local: httpx.Client) -> None:
    row = local.get("/v1/tables/contact_cycles", params={"first_response_outcome": "missed", "limit": 1}).json()[
        "rows"
    ][0]
    told = local.get(f"/v1/explain/contact_cycles/{row['contact_id']}/{row['cycle']}/first_response_outcome").json()
    assert told["value"] == "missed"
    assert told["rule"]["name"] == "first_response"
    assert told["events"]
    assert local.get("/v1/explain/contacts/none-such/status").status_code == 404
    assert local.get(f"/v1/explain/contacts/{row['contact_id']}/colour").status_code == 422
    assert local.get("/v1/explain/contacts/a%2Fb/status").status_code == 404


def test_a_replay_is_a_job_that_tells_its_progress(shop: Program) -> None:
    with in_process(shop.asgi, shop.local_token) as client:
        begun = client.post("/v1/replays", json={"kind": "rebuild"})
        assert begun.status_code == 202, begun.text
        assert client.post("/v1/replays", json={"kind": "compare"}).status_code == 409
        until = time.monotonic() + 120
        while (job := client.get(begun.headers["location"]).json())["state"] == "running":
            assert time.monotonic() < until
            # readers never notice
            assert client.get("/v1/tables/contacts", params={"limit": 1}).json()["rows"]
            time.sleep(0.1)
        assert job["state"] == "done", job
        assert job["report"]["compared_at"] is not None
        assert job["report"]["differing"] == 0
        assert client.get("/v1/replays").json()["replays"][-1]["kind"] in ("rebuild", "compare")
        shop.jobs.wait()
        returned = client.post("/v1/replays", json={"kind": "back"}).json()
        shop.jobs.wait()
        assert client.get(f"/v1/replays/{returned['id']}").json()["state"] == "done"


def test_a_replay_is_cancelled_and_the_live_tables_stay(shop: Program) -> None:
    with in_process(shop.asgi, shop.local_token) as client, shop.database.reading() as connection:
        before = live(connection).number
        begun = client.post("/v1/replays", json={"kind": "rebuild"}).json()
        assert client.delete(f"/v1/jobs/{begun['id']}").json()["cancelling"]
        shop.jobs.wait()
        assert client.get(f"/v1/replays/{begun['id']}").json()["state"] == "cancelled"
        assert live(connection).number == before
        compared = client.post("/v1/replays", json={"kind": "compare"})
        assert compared.status_code == 202, compared.text
        shop.jobs.wait()
        assert client.get(compared.headers["location"]).json()["state"] == "done"


def test_a_history_comes_in_pages(local: httpx.Client) -> None:
    row = local.get("/v1/tables/requirements", params={"deliveries__gte": "1", "limit": 1}).json()["rows"][0]
    path = f"/v1/history/requirement/{row['requirement_id']}"
    whole = local.get(path).json()
    assert whole["next_after"] is None
    found: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page = local.get(path, params={"limit": 2, "after": after}).json()
        assert len(page["items"]) <= 2
        found += page["items"]
        after = page["next_after"]
    assert found == whole["items"]
    assert local.get(path, params={"limit": 1_000_000}).status_code == 422


def test_more_questions_about_the_past_than_fit_are_turned_away_at_once(local: httpx.Client, shop: Program) -> None:
    row = local.get("/v1/tables/contacts", params={"limit": 1}).json()["rows"][0]
    head = shop.ledger.head().position
    paths = ("/v1/tables/contacts", f"/v1/contact/{row['contact_id']}", f"/v1/history/contact/{row['contact_id']}")
    with ExitStack() as others:
        for _ in range(MOST_QUESTIONS):
            others.enter_context(asking_the_past())
        for path in paths:
            started = time.monotonic()
            answer = local.get(path, params={"as_of": head})
            assert answer.status_code == 503, path
            assert int(answer.headers["retry-after"]) >= 1
            assert time.monotonic() - started < 2
            assert local.get(path).status_code == 200
    assert all(local.get(path, params={"as_of": head}).status_code == 200 for path in paths)


def test_a_process_that_stops_does_not_wait_for_its_replays(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def endless(_ledger: object, _kind: object, progress: Progress, *_more: object) -> dict[str, Any]:
        while True:
            progress("writing", 1, 2)
            begun.set()
            time.sleep(0.01)

    monkeypatch.setattr(replays, "_replay", endless)
    with running(settings, project=False) as program:
        job = replays.begin_replay(program.jobs, program.ledger, "rebuild")
        assert begun.wait(10)
        started = time.monotonic()
    assert time.monotonic() - started < 8
    with running(settings, project=False) as program:
        found = program.jobs.find(job.id)
        assert found is not None
        assert found.state == "interrupted"
