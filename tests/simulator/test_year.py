"""A year played to a real ledger: every figure has data, and the programme's phases are visible in them."""

import time
import uuid
from itertools import takewhile

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from api.bootstrap import running
from api.cli.client import in_process
from api.cli.demo import DIAGNOSED, PHASES
from api.cli.output import console
from api.cli.phases import freeze_diagnosis, show_phases
from api.sending import OverHttp
from api.simulator import company, play
from ledger.rulebook.loading import default_book
from ledger.settings import Settings

METRICS = {metric.name: metric for metric in default_book().metrics}
COMPARED = {name for name, metric in METRICS.items() if metric.baseline}
YEAR = {"from": "2026-01-01", "to": "2026-12-31"}


@pytest.fixture(scope="module")
def database(postgres, template):
    name = f"ledger_year_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        yield make_conninfo(postgres, dbname=name)
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture(scope="module")
def client(database):
    """Of a program whose ledger holds the year, its tables up to date, its diagnosis frozen."""
    with (
        running(Settings(database_url=database, poll_seconds=0.2), simulated=True) as program,
        in_process(program.asgi, program.local_token) as client,
    ):
        diagnosis = play(OverHttp(client), takewhile(lambda event: event["recordedat"] < DIAGNOSED, company()))
        wait_projected(program)
        assert freeze_diagnosis(client, PHASES) == len(COMPARED)
        assert freeze_diagnosis(client, PHASES) == 0
        year = play(OverHttp(client), company())
        assert year.duplicates > diagnosis.appended
        wait_projected(program)
        yield client


def wait_projected(program):
    until = time.monotonic() + 120
    while program.projected_position() < program.ledger.head().position:
        assert time.monotonic() < until
        time.sleep(0.05)


def figures(client, **parameters):
    answer = client.get("/v1/kpis", params={**YEAR, **parameters})
    assert answer.status_code == 200, answer.text
    return answer.json()["figures"]


def test_the_diagnosis_is_frozen_when_it_is_known(client):
    told = client.get("/v1/baselines").json()["baselines"]
    assert {one["kpi"] for one in told} == COMPARED
    entries = client.get("/v1/events", params={"type": "baseline.frozen"}).json()
    moments = {one["recordedat"][:10] for one in entries["events"]}
    assert moments == {"2026-03-04"}


def test_every_figure_has_data_over_the_year(client):
    found = [one for one in figures(client) if one["value"] is not None]
    assert {one["metric"] for one in found} == METRICS.keys()
    assert not [one["metric"] for one in found if one["verdict"] in ("no data", "no baseline yet")]


def test_most_figures_have_data_every_quarter(client):
    found = {}
    for one in figures(client, period="quarter"):
        if one["value"] is not None:
            found.setdefault(one["metric"], set()).add(one["period"]["first"])
    # no plan is launched in the months of the diagnosis, and in some quarter nobody may leave
    few = {name for name in METRICS if len(found.get(name, ())) < 4}
    assert few <= {"plan_goals_met", "budget_used", "risk_identification"}


def test_months_are_answered_for_every_figure(client):
    found = {}
    for one in figures(client, period="month"):
        if one["value"] is not None:
            found.setdefault(one["metric"], set()).add(one["period"]["first"])
    assert found.keys() == METRICS.keys()
    assert len([name for name, months in found.items() if len(months) == 12]) > 0.7 * len(METRICS)


def test_what_changed_since_the_diagnosis_is_told(client):
    ended = figures(client, **{"from": "2026-11-01"})
    compared = {one["metric"]: one for one in ended if one["metric"] in COMPARED and one["verdict"] != "too few"}
    # of identification_accuracy the goal of change holds in the first months alone
    changes = {name: one["change"] for name, one in compared.items() if one["change"] is not None}
    assert len(changes) >= len(COMPARED) - 2
    goals = {name: next(goal.change for goal in METRICS[name].goal if goal.change is not None) for name in changes}
    assert {name for name, change in changes.items() if (change > 0) != (goals[name] > 0)} == set()


def test_the_phases_are_visible(client):
    bounds = [("2026-01-01", "2026-02-28"), ("2026-03-01", "2026-06-30"), ("2026-07-01", "2026-12-31")]
    phases = [
        {one["metric"]: one["value"] for one in figures(client, **{"from": first, "to": last})}
        for first, last in bounds
    ]
    for name in (
        "pickup_in_time",
        "online_satisfaction",
        "review_pass",
        "dual_confirmation",
        "tier_coverage",
        "standards_known",
    ):
        diagnosed, rolled_out, improved = (phase[name] for phase in phases)
        assert diagnosed + 0.02 < rolled_out, name
        assert diagnosed + 0.05 < improved, name
        assert improved > 0.8, name


def test_few_references_are_to_nothing(client):
    rows = client.get("/v1/tables/anomalies", params={"kind": "unknown_reference", "limit": 1000}).json()["rows"]
    assert rows == []


def test_the_table_of_phases_names_every_figure(client):
    with console.capture() as shown:
        show_phases(client, PHASES, "A year")
    told = shown.get()
    for metric in METRICS.values():
        assert metric.label.en.split()[0] in told
    assert "Jan – Feb" in told
    assert "no baseline yet" not in told
