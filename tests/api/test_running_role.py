"""The whole program under a role that cannot change the log; and the commands that set such a role up."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import sql

from api.bootstrap import Program, running
from api.cli.client import in_process
from api.sending import Direct
from api.simulator import company
from api.simulator.playing import play
from ledger.rulebook.loading import default_text
from ledger.settings import Settings
from tests.api.test_cli import Run, run
from tests.roles import Roles, migrated, roles

__all__ = ["run"]

CARRIES_ON = ("table contacts --limit 1", "keys list", "rules list", "verify", "jobs", "replay --compare")


@pytest.fixture
def empty(postgres: str) -> Iterator[Roles]:
    """An empty database and its two roles."""
    with roles(postgres) as made:
        yield made


def draft() -> str:
    text, _, _ = default_text().partition("\ntests:\n")
    text = re.sub(r"(?m)^version: .*$", 'version: "2"', text)
    text = re.sub(r"(?m)^effective_from: .*$", "effective_from: 2026-02-01", text)
    return text.replace("within: 3 min", "within: 1 min")


def soon(so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    until = time.monotonic() + 60
    while not so():
        assert time.monotonic() < until
        time.sleep(0.05)


def lived(program: Program, client: httpx.Client) -> None:
    """Append, project, seal, publish rules, rebuild, make and revoke a key."""
    play(Direct(program.ledger, "simulator"), company(contacts=20, days=20))
    position = program.ledger.head().position
    soon(lambda: program.projected_position() >= position)
    assert client.get("/v1/tables/contacts").json()["rows"]
    made = client.post("/v1/rulebooks/plans", json={"book": draft(), "retroactive": True})
    assert made.status_code == 201, made.text
    applied = client.post(f"{made.headers['location']}/apply", json={})
    assert applied.status_code == 200, applied.text
    key = client.post("/v1/keys", json={"role": "service", "label": "one"}).json()["key"]
    assert client.delete(f"/v1/keys/{key['id']}").json()["key"]["revoked_at"]


def test_the_program_runs_under_a_role_that_cannot_change_the_log(
    run: Run, empty: Roles, postgres: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LEDGER_DATABASE_URL", empty.runner_url)
    monkeypatch.setenv("LEDGER_OWNER_URL", empty.owner_url)
    first = run("migrate", "--grant-to", empty.runner)
    assert first.status == 0, first.err
    assert "0001_log" in first.out
    assert f"granted to {empty.runner}: INSERT on log.entries" in first.out
    again = run("migrate")
    assert "at this program's structure" in again.out
    assert f"{empty.runner} holds what running needs, and no more" in again.out

    settings = Settings(database_url=empty.runner_url, home=tmp_path / "home")
    with running(settings, simulated=True) as program, in_process(program.asgi, program.local_token) as client:
        lived(program, client)
        head = program.ledger.head().position
        soon(lambda: program.seal_status().size >= head)
        entries = [entry.position for entry in program.ledger.entries()]
    assert entries == list(range(1, head + 1))
    for command in CARRIES_ON:
        ran = run(*command.split())
        assert ran.status == 0, (command, ran.out, ran.err)
    archived = run("archive", "write", tmp_path / "archive")
    assert archived.status == 0, archived.err
    with roles(postgres) as other:
        migrated(other)
        monkeypatch.setenv("LEDGER_DATABASE_URL", other.runner_url)
        restored = run("archive", "restore", tmp_path / "archive")
        assert restored.status == 0, restored.err
        with psycopg.connect(other.runner_url) as connection:
            assert connection.execute("SELECT max(position) FROM log.entries").fetchone() == (head,)
    monkeypatch.setenv("LEDGER_DATABASE_URL", empty.runner_url)
    examined = run("doctor", "--json").json
    verdicts = {one["check"]: one for one in examined}
    assert verdicts["role"]["verdict"] == "ok", verdicts["role"]
    assert verdicts["append-only"]["verdict"] == "ok"
    assert not [one for one in examined if one["verdict"] == "wrong"]

    with psycopg.connect(empty.runner_url, autocommit=True) as connection:
        for attempt in ("UPDATE log.entries SET subject = ''", "DELETE FROM log.entries", "TRUNCATE log.entries"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
                connection.execute(attempt.encode())


def test_a_ledger_that_its_owner_ran_is_handed_over(
    run: Run, empty: Roles, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with running(Settings(database_url=empty.owner_url, home=tmp_path), project=False) as program:
        assert program.projected_position() == 0
    monkeypatch.setenv("LEDGER_DATABASE_URL", empty.owner_url)
    examined = {one["check"]: one for one in run("doctor", "--json").json}
    assert examined["role"]["verdict"] == "wrong"
    assert "migrate --grant-to" in examined["role"]["mend"]

    refused = run("migrate", "--grant-to", empty.runner)
    assert refused.status == 1
    assert f"GRANT {empty.runner}" in refused.err
    with psycopg.connect(empty.superuser_url, autocommit=True) as connection:
        names = sql.Identifier(empty.runner), sql.Identifier(empty.owner)
        connection.execute(sql.SQL("GRANT {} TO {}").format(*names))
    # the role has no rights yet: each command says which one gives them
    monkeypatch.setenv("LEDGER_DATABASE_URL", empty.runner_url)
    for command in ("keys list", "archive write nowhere"):
        assert f"migrate --grant-to {empty.runner}" in run(*command.split()).err
    looked = run("doctor", "--json")
    assert (looked.status, looked.json[-1]["check"], looked.json[-1]["verdict"]) == (1, "role", "wrong")
    monkeypatch.setenv("LEDGER_DATABASE_URL", empty.owner_url)
    handed = run("migrate", "--grant-to", empty.runner)
    assert handed.status == 0, handed.err
    assert f"{empty.runner} owns now: generation_1" in handed.out

    monkeypatch.setenv("LEDGER_DATABASE_URL", empty.runner_url)
    assert run("replay").status == 0
    assert {one["check"]: one for one in run("doctor", "--json").json}["role"]["verdict"] == "ok"


def test_another_role_takes_over(run: Run, empty: Roles, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_DATABASE_URL", empty.superuser_url)
    assert run("migrate", "--grant-to", empty.runner).status == 0
    with roles(postgres) as other:
        moved = run("migrate", "--grant-to", other.runner, "--json").json
        assert {role: bool(each["granted"]) for role, each in moved["rights"].items()} == {
            empty.runner: False,
            other.runner: True,
        }
        assert "INSERT on log.entries" in moved["rights"][empty.runner]["revoked"]
        refused = run("migrate", "--grant-to", "nobody")
        assert (refused.status, "There is no role nobody" in refused.err) == (1, True)
        assert run("migrate", "--grant-to", empty.runner).status == 0
    monkeypatch.delenv("LEDGER_DATABASE_URL")
    nowhere = run("migrate")
    assert (nowhere.status, "There is no ledger" in nowhere.err) == (1, True)
