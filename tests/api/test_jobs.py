"""Long work: its progress is seen from anywhere, anybody may end it, and a process that is killed leaves it told."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import psycopg
import pytest

from api import jobs as module
from api.bootstrap import Program
from api.cli.client import in_process
from api.jobs import Job, Jobs, Progress, TooManyJobs
from ledger.errors import LedgerError
from ledger.settings import Settings
from tests.api.conftest import served
from tests.api.test_stream import messages


@pytest.fixture
def jobs(program: Program) -> Iterator[Jobs]:
    """Of the program's process."""
    yield program.jobs
    program.jobs.stop()


@pytest.fixture
def others(program: Program) -> Iterator[Jobs]:
    """Of another process, as it were, on the same database."""
    other = Jobs(program.ledger)
    yield other
    other.stop()


class Steps:
    """Work of ten steps that goes on one step at a time, when it is let."""

    def __init__(self) -> None:
        self.let = threading.Semaphore(0)
        self.result: Mapping[str, Any] = {"b": [1, 2.5, "三"], "a": {"nothing": None}}

    def __call__(self, progress: Progress) -> Mapping[str, Any]:
        for nth in range(10):
            progress("stepping", nth, 10)
            while not self.let.acquire(timeout=0.02):
                progress("stepping", nth, 10)
        return self.result

    def go(self, steps: int) -> None:
        self.let.release(steps)


def until(jobs: Jobs, job: Job, holds: Callable[[Job], bool], seconds: float = 10) -> Job:
    """The job once something holds of it."""
    end = time.monotonic() + seconds
    while True:
        found = jobs.find(job.id)
        assert found is not None
        if holds(found):
            return found
        assert time.monotonic() < end, found
        time.sleep(0.02)


def test_progress_is_seen_from_another_process_and_the_result_stays(jobs: Jobs, others: Jobs) -> None:
    steps = Steps()
    job = jobs.start("plan", steps, wanted={"base": "2"}, begun_by="K-1")
    assert (job.state, job.kind, job.wanted, job.begun_by) == ("running", "plan", {"base": "2"}, "K-1")
    steps.go(4)
    half = until(others, job, lambda now: now.done == 4)
    assert (half.state, half.step, half.of) == ("running", "stepping", 10)
    steps.go(6)
    done = until(others, job, lambda now: now.ended)
    assert (done.state, done.error, done.result) == ("done", None, steps.result)
    assert [*(done.result or {})] == ["b", "a"]
    assert [each.id for each in others.latest(5)] == [job.id]
    assert others.latest(5, ["rebuild"]) == []
    assert others.find("none-such") is None


def test_whoever_looks_sees_that_it_is_still_worked_on(
    jobs: Jobs, others: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SILENT_SECONDS", 1.5)
    ended = threading.Event()

    def in_one_long_statement(_progress: Progress) -> Mapping[str, Any]:
        ended.wait(10)
        return {}

    job = jobs.start("what_if", in_one_long_statement)
    for _ in range(30):
        found = others.find(job.id)
        assert found is not None
        assert found.state == "running"
        time.sleep(0.1)
    ended.set()
    assert until(others, job, lambda now: now.ended).state == "done"


def test_a_job_is_cancelled_from_another_process(jobs: Jobs, others: Jobs) -> None:
    steps = Steps()
    job = jobs.start("plan", steps)
    steps.go(2)
    until(others, job, lambda now: now.done == 2)
    asked = others.cancel(job.id)
    assert asked is not None
    assert asked.cancelling
    cancelled = until(others, job, lambda now: now.ended)
    assert (cancelled.state, cancelled.error, cancelled.result) == ("cancelled", "it was cancelled", None)
    assert others.cancel(job.id) == cancelled
    assert others.cancel("none-such") is None


def test_work_that_fails_says_why(jobs: Jobs) -> None:
    def refused(_progress: Progress) -> Mapping[str, Any]:
        raise LedgerError("the base has moved")

    def mistaken(_progress: Progress) -> Mapping[str, Any]:
        raise ZeroDivisionError("secret")

    failed = until(jobs, jobs.start("apply", refused), lambda now: now.ended)
    assert (failed.state, failed.error) == ("failed", "the base has moved")
    failed = until(jobs, jobs.start("apply", mistaken), lambda now: now.ended)
    assert failed.error == "ZeroDivisionError; the server's log has the place"


def test_a_process_works_on_so_many_at_most(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_RUNNING", 2)
    steps = Steps()
    first, second = jobs.start("plan", steps), jobs.start("plan", steps)
    with pytest.raises(TooManyJobs):
        jobs.start("plan", steps)
    steps.go(20)
    jobs.wait()
    jobs.start("plan", steps)
    assert [jobs.find(each.id).state for each in (first, second)] == ["done", "done"]  # type: ignore[union-attr]


WORKER = """
import sys, time
from api.jobs import Jobs
from ledger.log.application import Ledger
from ledger.settings import Settings

def endless(progress):
    while True:
        progress("working", 1, 2)
        time.sleep(0.05)

with Ledger.open(Settings(database_url=sys.argv[1])) as ledger:
    print(Jobs(ledger).start("plan", endless).id, flush=True)
    time.sleep(60)
"""


def test_a_killed_process_leaves_an_interrupted_job(settings: Settings, others: Jobs) -> None:
    assert settings.database_url is not None
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, settings.database_url.get_secret_value()], stdout=subprocess.PIPE, text=True
    )
    try:
        assert worker.stdout is not None
        name = worker.stdout.readline().strip()
        job = others.find(name)
        assert job is not None
        until(others, job, lambda now: now.step == "working")
        worker.send_signal(signal.SIGKILL)
        worker.wait(10)
        killed = time.monotonic()
        assert others.find(name).state == "running"  # type: ignore[union-attr]
        found = until(others, job, lambda now: now.ended, seconds=15)
        assert time.monotonic() - killed > 3
    finally:
        worker.kill()
        worker.wait(10)
        if worker.stdout is not None:
            worker.stdout.close()
    assert (found.state, found.error) == ("interrupted", "its process ended before it was done")
    assert others.latest(1) == [found]
    assert others.cancel(name) == found


def test_one_whose_database_is_away_for_a_moment_goes_on(
    jobs: Jobs, others: Jobs, settings: Settings, postgres: str
) -> None:
    steps = Steps()
    job = jobs.start("plan", steps)
    assert settings.database_url is not None
    name = psycopg.conninfo.conninfo_to_dict(settings.database_url.get_secret_value())["dbname"]
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            [name],
        )
    steps.go(10)
    assert until(others, job, lambda now: now.ended).state == "done"


def test_over_http(program: Program, client_of: Callable[..., httpx.Client]) -> None:
    analyst, auditor, admin = client_of("analyst"), client_of("auditor"), client_of("admin")
    steps = Steps()
    key, secret = program.ledger.keys.create("analyst", "who began it")
    job = program.jobs.start("plan", steps, begun_by=key.id, wanted={"base": "2"})
    assert analyst.get("/v1/jobs").json()["jobs"][0]["id"] == job.id
    assert "wanted" not in analyst.get("/v1/jobs", params={"kind": "plan"}).json()["jobs"][0]
    assert analyst.get("/v1/jobs", params={"kind": "rebuild"}).json() == {"jobs": []}
    assert auditor.get(f"/v1/jobs/{job.id}").json()["wanted"] == {"base": "2"}
    assert auditor.delete(f"/v1/jobs/{job.id}").status_code == 403
    assert "Another key" in analyst.delete(f"/v1/jobs/{job.id}").json()["detail"]
    with in_process(program.asgi, secret) as owner:
        answer = owner.delete(f"/v1/jobs/{job.id}")
    assert (answer.status_code, answer.json()["cancelling"]) == (202, True)
    program.jobs.wait()
    assert admin.get(f"/v1/jobs/{job.id}").json()["state"] == "cancelled"
    assert admin.delete(f"/v1/jobs/{job.id}").json()["state"] == "cancelled"
    assert admin.get("/v1/jobs/none-such").status_code == 404
    assert admin.get("/v1/jobs/none-such/events").status_code == 404
    assert admin.get(f"/v1/replays/{job.id}").status_code == 404


def test_a_stream_tells_progress_and_ends_with_the_result(
    program: Program, address: str, secrets_of: dict[str, str]
) -> None:
    steps = Steps()
    job = program.jobs.start("what_if", steps)
    headers = {"authorization": f"Bearer {secrets_of['analyst']}"}
    told: list[dict[str, Any]] = []
    with httpx.stream("GET", f"{address}/v1/jobs/{job.id}/events", headers=headers, timeout=20) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        for message in messages(response):
            told.append(message)
            steps.go(4)
    assert [one["event"] for one in told][-2:] == ["progress", "done"]
    done = [one["data"]["done"] for one in told[:-1]]
    assert done == sorted(set(done))
    assert len(done) >= 2
    assert told[-1]["data"]["result"] == steps.result
    assert all("result" not in one["data"] for one in told[:-1])
    assert program.tail.listeners == 0
    # one that has ended is told at once
    with httpx.stream("GET", f"{address}/v1/jobs/{job.id}/events", headers=headers, timeout=20) as response:
        assert [one["event"] for one in messages(response)] == ["done"]


def test_a_stream_does_not_outlive_the_server(program: Program, secrets_of: dict[str, str]) -> None:
    job = program.jobs.start("what_if", Steps())
    headers = {"authorization": f"Bearer {secrets_of['analyst']}"}
    with served(program) as address:
        stream = httpx.stream("GET", f"{address}/v1/jobs/{job.id}/events", headers=headers, timeout=20)
        with stream as response:
            told = messages(response)
            assert next(told)["event"] == "progress"
            program.tail.stop()
            assert all(message["event"] == "progress" for message in told)
    program.jobs.stop()
    assert program.jobs.find(job.id).state == "interrupted"  # type: ignore[union-attr]
