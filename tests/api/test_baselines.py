"""Baselines over HTTP: frozen by those who plan, seen by those who read."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from api.bootstrap import running
from api.cli.client import in_process
from ledger.settings import Settings

PERIOD = {"from": "2026-04-01", "to": "2026-04-01"}


@pytest.fixture
def live_client_of(settings: Settings) -> Iterator[Callable[..., httpx.Client]]:
    """Clients of a program that projects, of a role."""
    with running(settings) as program, ExitStack() as stack:
        made = {role: program.ledger.keys.create(role, role)[1] for role in ("service", "analyst")}
        yield lambda role: stack.enter_context(in_process(program.asgi, made[role]))


def contact(number: int) -> dict[str, object]:
    return {
        "specversion": "1.0",
        "id": str(number),
        "source": "/test",
        "type": "contact.received",
        "subject": f"CT-{number}",
        "time": "2026-04-01T01:00:00Z",
        "data": {"channel": "email", "department": "desk", "kind": "complaint" if number < 2 else "inquiry"},
    }


def test_a_figure_is_frozen_and_listed(live_client_of: Callable[..., httpx.Client]) -> None:
    service, analyst = live_client_of("service"), live_client_of("analyst")
    sent = service.post(
        "/v1/events",
        json=[contact(number) for number in range(8)],
        headers={"content-type": "application/cloudevents-batch+json"},
    )
    position = sent.json()["position"]
    analyst.get("/v1/kpis", params={"min_position": position}).raise_for_status()
    made = analyst.post("/v1/baselines", json={"metric": "complaint_rate", **PERIOD, "actor": "ann"})
    assert made.status_code == 201, made.text
    (baseline,) = made.json()["baselines"]
    assert baseline["id"] == "complaint_rate.2026-04-01.2026-04-01"
    assert (baseline["value"], baseline["sample"], baseline["position"]) == (0.25, 8, position + 1)
    assert analyst.get("/v1/baselines").json() == {"baselines": [baseline]}
    again = analyst.post("/v1/baselines", json={"metric": "complaint_rate", **PERIOD})
    assert again.status_code == 409
    assert again.json()["rule"] == "baseline.already_opened"


def test_figures_are_computed_again_from_their_stamps(live_client_of: Callable[..., httpx.Client]) -> None:
    service, analyst = live_client_of("service"), live_client_of("analyst")
    batch = {"content-type": "application/cloudevents-batch+json"}
    sent = service.post("/v1/events", json=[contact(number) for number in range(8)], headers=batch)
    asked = {"metric": "complaint_rate", **PERIOD, "min_position": sent.json()["position"]}
    before = analyst.get("/v1/kpis", params=asked).json()["figures"]
    filtered = analyst.get("/v1/kpis", params={**asked, "channel": "email", "by": "department"}).json()["figures"]
    (frozen,) = analyst.post("/v1/baselines", json={"metric": "complaint_rate", **PERIOD}).json()["baselines"]
    service.post("/v1/events", json=[contact(number) for number in range(8, 12)], headers=batch).raise_for_status()

    stamps = [one["stamp"] for one in [*before, *filtered, frozen]]
    again = analyst.post("/v1/recompute", json={"stamps": stamps})
    assert again.json()["figures"][:-1] == [*before, *filtered]
    assert again.json()["figures"][-1]["numerator"] == 2
    assert analyst.post("/v1/recompute", json={"stamps": [json.loads(stamps[0])]}).json()["figures"] == before
    for stamp, said in (("wit", "not a stamp"), (stamps[0].replace("complaint_rate", "wit"), "no metric 'wit'")):
        refused = analyst.post("/v1/recompute", json={"stamps": [stamp]})
        assert refused.status_code == 422
        assert said in refused.json()["detail"]


def test_what_cannot_be_frozen_is_told(live_client_of: Callable[..., httpx.Client]) -> None:
    analyst = live_client_of("analyst")
    for wanted, said in (
        ({"metric": "complaint_rate", **PERIOD}, "nothing to freeze"),
        ({"metric": "nonsense", **PERIOD}, "no metric"),
        ({"metric": "complaint_rate", "from": "2026-04-02", "to": "2026-04-01"}, "first day comes after"),
        ({"metric": "complaint_rate", **PERIOD, "by": ["owner_id"]}, "no dimension"),
    ):
        answer = analyst.post("/v1/baselines", json=wanted)
        assert answer.status_code == 422
        assert said in answer.json()["detail"]
