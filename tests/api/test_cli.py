"""The command line: tables for people, JSON for programs, and exit status 1 with a sentence when it cannot."""

from __future__ import annotations

import csv
import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from api.bootstrap import Program, running
from api.cli import main
from api.cli.client import over_network
from api.jobs import Progress
from api.logs import configure
from ledger.settings import Settings
from tests.api.conftest import received, served
from tests.api.test_append import post


class Ran(NamedTuple):
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, own_logging: None) -> Run:
    """Runs `reqledger` with arguments in this process; `LEDGER_HOME` is a directory without a ledger."""
    monkeypatch.setenv("LEDGER_HOME", str(tmp_path / "home"))
    for name in ("LEDGER_DATABASE_URL", "LEDGER_URL", "LEDGER_KEY"):
        monkeypatch.delenv(name, raising=False)

    def command(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["reqledger", *map(str, arguments)])
        status = 0
        try:
            main()
        except SystemExit as ended:
            status = int(ended.code or 0)
        printed = capsys.readouterr()
        return Ran(status, printed.out, printed.err)

    return command


@pytest.fixture
def on_company(run: Run, company_database: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The same, directly on the simulated company's database."""
    assert company_database.database_url is not None
    monkeypatch.setenv("LEDGER_DATABASE_URL", company_database.database_url.get_secret_value())
    return run


@pytest.fixture
def over_http(run: Run, shop: Program, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The same, through the simulated company's server."""
    key, secret = shop.ledger.keys.create("admin", "command line")
    monkeypatch.setenv("LEDGER_KEY", secret)
    # the server runs in this process too: what it logs is not what the command prints
    configure("WARNING", io.StringIO())
    with served(shop) as address:
        monkeypatch.setenv("LEDGER_URL", address)
        yield run
    shop.ledger.keys.revoke(key.id)


def test_version_and_help(run: Run) -> None:
    assert "requirements-ledger" in run("version").out
    told = run("--help").out
    commands = "serve demo simulate import table clocks kpi history explain replay keys doctor"
    for command in commands.split():
        assert command in told
        assert run(command, "--help").status == 0


def test_where_there_is_no_ledger_it_says_how_to_make_one(run: Run) -> None:
    ran = run("table", "contacts")
    assert ran.status == 1
    assert "reqledger serve" in ran.err
    assert run("doctor").status == 1


def test_a_server_that_does_not_answer(run: Run) -> None:
    ran = run("table", "contacts", "--url", "http://127.0.0.1:1")
    assert ran.status == 1
    assert "does not answer" in ran.err


def test_a_setting_that_makes_no_sense_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_PORT", "many")
    ran = run("doctor")
    assert ran.status == 1
    assert "PORT" in ran.err


def test_tables_directly_and_over_http(over_http: Run, local: httpx.Client) -> None:
    rows = local.get("/v1/tables/contacts", params={"channel": "email", "limit": 4}).json()["rows"]
    as_json = over_http("table", "contacts", "-w", "channel=email", "--limit", 4, "--json").json
    assert as_json["rows"] == rows
    people = over_http("table", "contacts", "-w", "channel=email", "--limit", 4, "--columns", "contact_id,channel")
    assert all(row["contact_id"] in people.out for row in rows)
    told = list(csv.DictReader(io.StringIO(over_http("table", "contacts", "--limit", 4, "--csv").out)))
    assert len(told) == 4
    assert "requirements" in over_http("table").out
    wrong = over_http("table", "contacts", "-w", "colour=red")
    assert wrong.status == 1
    assert "colour" in wrong.err
    assert over_http("table", "contacts", "-w", "colour").status == 2
    assert over_http("table", "contacts", "--key", "rl_no_no").status == 1


def test_figures_history_and_explanations_over_http(over_http: Run, local: httpx.Client) -> None:
    figures = over_http("kpi")
    assert "First answers in time" in figures.out
    assert "渠道响应达标率" in over_http("kpi", "--language", "zh").out
    (one,) = over_http("kpi", "first_response_in_time", "--json").json["figures"]
    assert one["denominator"] > 0
    requirement = local.get("/v1/tables/requirements", params={"limit": 1}).json()["rows"][0]["requirement_id"]
    assert "Requirement captured" in over_http("history", "requirement", requirement).out
    assert "需求采集" in over_http("history", "requirement", requirement, "--language", "zh").out
    told = over_http("history", "requirement", requirement, "--as-of", "2026-12-31T00:00:00Z", "--json").json
    assert told["state"]["requirements"][0]["requirement_id"] == requirement
    assert over_http("history", "requirement", "none-such").status == 1
    explained = over_http("explain", "requirements", requirement, "captured_at")
    assert "requirement.captured" in explained.out
    assert over_http("explain", "requirements", requirement).status == 2
    assert over_http("clocks", "--overdue").status == 0


def test_the_rows_behind_a_figure(over_http: Run, local: httpx.Client) -> None:
    ran = over_http("rows", "first_response_in_time", "--part", "denominator_only", "--where", "channel=email")
    assert ran.status == 0, ran.err
    assert "in the denominator alone" in ran.out
    assert "contact_id" in ran.out
    told = over_http("rows", "first_response_in_time", "--json", "--limit", 3).json
    assert len(told["rows"]) == 3
    assert told["rows"] == local.get("/v1/kpis/first_response_in_time/rows", params={"limit": 3}).json()["rows"]
    table = list(csv.DictReader(io.StringIO(over_http("rows", "complaint_rate", "--csv", "--limit", 2).out)))
    assert [row["reason_zh"] for row in table] == ["只计入分母", "只计入分母"]
    assert "计入" in over_http("rows", "first_response_median", "--language", "zh").out
    assert "no metric" in over_http("rows", "wit").err


def test_jobs_are_listed_told_and_cancelled(over_http: Run, shop: Program) -> None:
    def endless(progress: Progress) -> dict[str, Any]:
        while True:
            progress("thinking", 1, 3)
            time.sleep(0.01)

    job = shop.jobs.start("what_if", endless)
    assert job.id in over_http("jobs", "--kind", "what_if").out
    assert over_http("jobs", "--kind", "none-such").out == "No jobs.\n"
    assert "is told to end" in over_http("jobs", job.id, "--cancel").out
    shop.jobs.wait()
    assert over_http("jobs", job.id).out == f"what_if {job.id}: cancelled: it was cancelled\n"
    assert over_http("jobs", job.id, "--json").json["state"] == "cancelled"
    assert over_http("jobs", "none-such").status == 1


def test_a_history_is_read_to_its_end(on_company: Run, local: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    longest = local.get("/v1/tables/requirements", params={"limit": 1}).json()["rows"][0]["requirement_id"]
    whole = local.get(f"/v1/history/requirement/{longest}").json()
    assert len(whole["items"]) > 4
    monkeypatch.setenv("LEDGER_MAX_PAGE_ROWS", "2")
    # the log goes on in between: that it was read is recorded
    again = on_company("history", "requirement", longest, "--json").json
    assert again | {"position": whole["position"]} == whole
    then = on_company("history", "requirement", longest, "--as-of", whole["position"], "--json").json
    assert then["items"] == whole["items"]
    assert then["state"]["requirements"]
    told = on_company("history", "requirement", longest).out
    assert all(f"\n{item['position']:>8}" in told for item in whole["items"])


def test_what_a_page_leaves_out_is_said(on_company: Run) -> None:
    more = "there are more"
    assert more in on_company("clocks", "--due-before", "2030-01-01T00:00:00Z", "--overdue", "--limit", 1).err
    assert more not in on_company("clocks", "--due-before", "2000-01-01T00:00:00Z").err
    assert more in on_company("table", "contacts", "--limit", 3).err
    cut = on_company("table", "contacts", "--limit", 3, "--csv")
    assert more in cut.err
    assert len(list(csv.DictReader(io.StringIO(cut.out)))) == 3


def test_directly_on_the_database(on_company: Run) -> None:
    assert on_company("table", "contacts", "--limit", 1, "--json").json["rows"]
    compared = on_company("replay", "--compare", "--json")
    assert compared.status == 0, compared.err
    assert compared.json["report"]["compared_at"] is not None
    assert compared.json["report"]["differing"] == 0
    assert compared.json["state"] == "done"
    examined = on_company("doctor", "--json")
    verdicts = {one["check"]: one["verdict"] for one in examined.json}
    for check in ("database", "durability", "migrations", "append-only", "log", "tables"):
        assert verdicts[check] == "ok", examined.out


def test_keys_are_made_listed_and_revoked(run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.database_url is not None
    monkeypatch.setenv("LEDGER_DATABASE_URL", settings.database_url.get_secret_value())
    made = run(
        "keys", "create", "service", "--label", "phones", "--source", "/phones/*", "--type", "contact.*", "--json"
    )
    assert made.status == 0, made.err
    key = made.json["key"]
    assert made.json["secret"].startswith("rl_")
    assert (key["role"], key["sources"], key["types"]) == ("service", ["/phones/*"], ["contact.*"])
    assert [one["id"] for one in run("keys", "list", "--json").json] == [key["id"]]
    assert "ended" in run("keys", "revoke", key["id"]).out
    assert not run("keys", "list", "--json").json[0]["valid"]
    assert run("keys", "revoke", "none-such").status == 1
    assert run("keys", "create", "emperor").status == 1


def test_the_doctor_finds_what_is_wrong(
    run: Run, program: Program, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings.database_url is not None
    monkeypatch.setenv("LEDGER_DATABASE_URL", settings.database_url.get_secret_value())
    with program.database.connect() as connection:
        connection.execute("ALTER TABLE log.entries DISABLE TRIGGER append_only")
        connection.execute("DELETE FROM log.entries WHERE position = 1")
        connection.execute(
            "INSERT INTO log.entries SELECT 5, 'contact', 'C', 1, 'contact.rang', now(), now(), 'k', 's', 'i', NULL, ''"
        )
        connection.execute("UPDATE projections.generations SET halted_at = 5, halted_by = 'Broken: x'")
    ran = run("doctor", "--json")
    assert ran.status == 1
    verdicts = {one["check"]: one for one in ran.json}
    assert {name for name, one in verdicts.items() if one["verdict"] == "wrong"} >= {"append-only", "log", "tables"}
    assert all(one["mend"] for one in verdicts.values() if one["verdict"] != "ok")
    assert "Broken" in verdicts["tables"]["found"]


def test_a_company_is_simulated_and_a_file_imported(
    run: Run, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LEDGER_DATABASE_URL", new_database())
    played = run("simulate", "--contacts", 5, "--days", 10, "--json")
    assert played.status == 0, played.err
    assert played.json["appended"] > 20
    again = run("simulate", "--contacts", 5, "--days", 10, "--json").json
    assert (again["appended"], again["duplicates"]) == (0, again["events"])
    counted = run("table", "contacts", "--json").json
    assert counted["rows"]
    assert run("simulate", "--start", "someday").status == 2
    assert run("import", tmp_path / "none.csv", "--mapping", "boston311").status == 2


def test_whom_a_survey_is_due_to(over_http: Run, local: httpx.Client) -> None:
    wanted = local.get("/v1/surveys/due", params={"kind": "needs", "limit": 3}).json()
    assert over_http("survey", "due", "--kind", "needs", "--limit", 3, "--json").json == wanted
    shown = over_http("survey", "due", "--kind", "needs", "--limit", 3)
    assert wanted["rows"][0]["customer_id"] in shown.out
    assert "--limit shows up to 1000" in shown.err


def test_a_void_is_proposed_by_one_and_approved_by_another(
    run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(settings, project=False) as program:
        configure("WARNING", io.StringIO())
        people = {name: program.ledger.keys.create("admin", name)[1] for name in ("ann", "bo")}
        with served(program) as address, over_network(address, people["ann"]) as client:
            monkeypatch.setenv("LEDGER_URL", address)
            wrong, other = (post(client, received(subject)).json()["position"] for subject in ("C-1", "C-2"))

            def said(name: str, *arguments: object) -> Ran:
                return run("void", *arguments, "--key", people[name])

            assert "No void waits" in said("ann", "list").out
            assert said("bo", "approve", wrong).status == 1
            assert "is proposed" in said("ann", "propose", wrong, "--actor", "ann", "--reason", "told twice").out
            assert said("ann", "propose", other, "--json").json["position"] > wrong
            listed = said("bo", "list").out
            assert all(word in listed for word in (str(wrong), "contact.received", "C-1", "told twice"))
            assert "declined" in said("bo", "decline", other).out
            assert f"Voided: {wrong}" in said("bo", "approve", wrong, "--actor", "bo").out
            every = said("bo", "list", "--all", "--json").json["voids"]
            assert [(one["position"], one["state"]) for one in every] == [(other, "declined"), (wrong, "approved")]
            assert "approved" in said("bo", "list", "--all").out
            assert f"position {wrong} was already voided" in said("bo", "propose", wrong).err
