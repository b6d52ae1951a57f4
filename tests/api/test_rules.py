"""The life cycle of rule books over HTTP: listed, tried, planned, applied, compared; figures restated."""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest
from openpyxl import load_workbook

from api.bootstrap import running
from api.cli.client import in_process
from ledger.rulebook.loading import default_text
from ledger.settings import Settings

Client = Callable[[str], httpx.Client]


@pytest.fixture
def client_of(settings: Settings) -> Iterator[Client]:
    """Clients of a program that projects, of a role; four chats answered after two minutes, one each month."""
    with running(settings, simulated=True) as program, ExitStack() as stack:
        made = {role: program.ledger.keys.create(role, role)[1] for role in ("service", "analyst", "auditor", "admin")}
        clients = {role: stack.enter_context(in_process(program.asgi, key)) for role, key in made.items()}
        sent = clients["service"].post(
            "/v1/events",
            json=[event for month in range(1, 5) for event in chat(month)],
            headers={"content-type": "application/cloudevents-batch+json"},
        )
        asked = {"metric": "complaint_rate", "min_position": sent.json()["position"]}
        clients["analyst"].get("/v1/kpis", params=asked).raise_for_status()
        yield clients.__getitem__


def chat(month: int) -> Iterator[dict[str, object]]:
    told = {"channel": "web_chat", "department": "=1+1", "kind": "inquiry"}
    for kind, minute, data in (("received", 0, told), ("answered", 2, {})):
        at = f"2025-0{month}-03T01:{minute:02}:00Z"
        yield {
            "specversion": "1.0", "id": f"{kind}-{month}", "source": "/test", "type": f"contact.{kind}",
            "subject": f"C-{month}", "time": at, "recordedat": at, "data": data,
        }  # fmt: skip


def draft(version: str, since: str, within: str = "1 min") -> str:
    text, _, _ = default_text().partition("\ntests:\n")
    text = re.sub(r"(?m)^version: .*$", f'version: "{version}"', text)
    text = re.sub(r"(?m)^effective_from: .*$", f"effective_from: {since}", text)
    return text.replace("within: 3 min", f"within: {within}")


def test_a_book_is_planned_applied_listed_and_compared(client_of: Client) -> None:
    analyst, admin = client_of("analyst"), client_of("admin")
    wanted = {"book": draft("2", "2025-03-01"), "retroactive": True, "from": "2025-01-01"}
    made = analyst.post("/v1/rulebooks/plans", json=wanted)
    assert made.status_code == 201, made.text
    plan = made.json()
    assert analyst.get(made.headers["location"]).json() == plan
    assert [
        (one["period"]["first"], one["before"]["numerator"], one["after"]["numerator"]) for one in plan["figures"]
    ] == [
        ("2025-03-01", 1, 0),
        ("2025-04-01", 1, 0),
    ]
    assert analyst.post(f"{made.headers['location']}/apply", json={}).status_code == 403
    done = admin.post(f"{made.headers['location']}/apply", json={"actor": "ann"})
    assert (done.status_code, done.json()["version"]) == (200, "2")
    listed = analyst.get("/v1/rulebooks").json()["rulebooks"]
    assert [(one["version"], one["retroactive"], one["in_force"], one["actor"]) for one in listed] == [
        ("1", False, True, None),
        ("2", True, True, "ann"),
    ]
    changes = analyst.get("/v1/rulebooks/differences", params={"before": "1", "after": "2"}).json()["changes"]
    assert ("3 min", "1 min", True) in [(one["before"], one["after"], one["figures"]) for one in changes]
    again = admin.post(f"{made.headers['location']}/apply", json={})
    assert (again.status_code, "plan again" in again.json()["detail"]) == (409, True)


def test_what_is_wrong_with_a_book_is_told_line_by_line(client_of: Client) -> None:
    analyst = client_of("analyst")
    told = analyst.post("/v1/rulebooks/check", json={"book": default_text()})
    assert told.json()["tests"] > 0
    wrong = default_text().replace("from: received_at", "from: recieved_at")
    refused = analyst.post("/v1/rulebooks/check", json={"book": wrong})
    assert refused.status_code == 422
    assert re.match(r"line:\d+: targets\.0\.from: .*has no time 'recieved_at'", refused.json()["errors"][0]["message"])
    late = analyst.post("/v1/rulebooks/plans", json={"book": draft("2", "2025-03-01")})
    assert (late.status_code, "lies before today" in late.json()["detail"]) == (409, True)
    assert analyst.post("/v1/rulebooks/plans", json={}).status_code == 422
    assert analyst.get("/v1/rulebooks/plans/sha256:" + "0" * 64).status_code == 404


def test_what_if_as_json_csv_and_xlsx(client_of: Client) -> None:
    auditor = client_of("auditor")
    wanted = {
        "after": {"set": ["targets.first_response.limits[web_chat]=1 min"]},
        "from": "2025-01-01",
        "by": ["department"],
    }
    told = auditor.post("/v1/what-if", json=wanted).json()
    assert [one["after"]["numerator"] for one in told["figures"]] == [0, 0, 0, 0]
    assert told["rows"][0]["rows"] == 4
    text = auditor.post("/v1/what-if", params={"format": "csv"}, json=wanted).text
    assert text.splitlines()[1].startswith("first_response_in_time,")
    answer = auditor.post("/v1/what-if", params={"format": "xlsx"}, json=wanted)
    book = load_workbook(io.BytesIO(answer.content))
    assert book.sheetnames == ["figures", "rows", "changes"]
    assert book["figures"].max_row == 5
    assert {cell.data_type for row in book["figures"].iter_rows(min_row=2) for cell in row} <= {"s", "n"}
    assert auditor.get("/v1/rulebooks").json()["rulebooks"][-1]["version"] == "1"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("targets.first_response.limits[fax]=1 min", "0 members are 'fax'"),
        ("targets.first_response.limits[web_chat]=soon", "is not a duration"),
        ("nonsense", "is not a change such as"),
        ("targets.first_response.limits[web_chat]=[1 min", "its value is not YAML"),
    ],
)
def test_a_change_that_does_not_fit_is_told(client_of: Client, setting: str, said: str) -> None:
    refused = client_of("analyst").post("/v1/what-if", json={"after": {"set": [setting]}})
    assert refused.status_code == 422
    assert said in refused.text


def test_a_job_plans_and_restates(client_of: Client) -> None:
    analyst, admin = client_of("analyst"), client_of("admin")
    asked = {"metric": "first_response_in_time", "from": "2025-03-01", "to": "2025-03-31"}
    (figure,) = analyst.get("/v1/kpis", params=asked).json()["figures"]
    plan = done(analyst, "/v1/rulebooks/plans", {"book": draft("2", "2025-03-01"), "retroactive": True})
    done(admin, f"/v1/rulebooks/plans/{plan['plan']}/apply", {})
    (restated,) = done(analyst, "/v1/restatements", {"stamps": [figure["stamp"]]})["figures"]
    steps = {step["cause"]: step["figure"]["numerator"] for step in restated["steps"]}
    assert steps == {
        "reported": 1, "told late": 1, "imported": 1, "voided": 1, "happened since": 1, "rules changed": 0,
    }  # fmt: skip
    assert analyst.post("/v1/recompute", json={"stamps": [figure["stamp"]]}).json()["figures"] == [figure]
    job = analyst.post("/v1/rulebooks/plans", params={"job": "true"}, json={"book": draft("3", "2025-03-01")}).json()
    failed = ended(analyst, job)
    assert (failed["state"], "lies before today" in failed["error"]) == ("failed", True)


def done(client: httpx.Client, path: str, wanted: dict[str, object]) -> dict[str, object]:
    begun = client.post(path, params={"job": "true"}, json=wanted)
    assert begun.status_code == 202, begun.text
    job = ended(client, begun.json())
    assert job["state"] == "done", job["error"]
    return job["result"]


def ended(client: httpx.Client, job: dict[str, object]) -> dict[str, object]:
    with client.stream("GET", f"/v1/jobs/{job['id']}/events") as events:
        events.read()
    return client.get(f"/v1/jobs/{job['id']}").json()
