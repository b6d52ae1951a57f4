"""`reqledger jobs`: long work, how far it is, and that it ends."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

import httpx
import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from api.cli.client import ClientError, ask
from api.cli.connection import AsJson, Key, Url, connected
from api.cli.output import errors, say, show_json, show_rows

STEP_SECONDS = 0.2
COLUMNS = ("id", "kind", "state", "started_at", "step", "done", "of", "error")


def done(client: httpx.Client, path: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of a route that takes long: worked on as a job, with its progress shown. Raises ClientError."""
    job = ask(client, "POST", path, params={"job": "true"}, json=wanted).json()
    found: dict[str, Any] = followed(client, job, f"/v1/jobs/{job['id']}")["result"]
    return found


def followed(client: httpx.Client, job: dict[str, Any], path: str) -> dict[str, Any]:
    """A job once it is done, its progress shown meanwhile; interrupting the command cancels it. Raises ClientError."""
    bar = Progress(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=errors, transient=True)
    try:
        with bar:
            task = bar.add_task(job["step"], total=None)
            while job["state"] == "running":
                time.sleep(STEP_SECONDS)
                job = ask(client, "GET", path).json()
                bar.update(task, description=job["step"], completed=job["done"], total=job["of"] or None)
    except KeyboardInterrupt:
        ask(client, "DELETE", f"/v1/jobs/{job['id']}")
        raise
    if job["state"] != "done":
        raise ClientError(f"The {job['kind']} {job['state']}: {job['error']}")
    return job


def jobs(
    job: Annotated[str | None, typer.Argument(help="The id of one; without it, the latest are listed.")] = None,
    cancel: Annotated[bool, typer.Option("--cancel", help="Have it end at its next step.")] = False,
    kind: Annotated[list[str] | None, typer.Option(help="Only jobs of this kind.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Most jobs.")] = 20,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show jobs of all processes, or what became of one; --cancel ends it."""
    if cancel and job is None:
        raise typer.BadParameter("name the job to cancel", param_hint="JOB")
    with connected(url, key) as client:
        if job is None:
            parameters = [("limit", str(limit)), *(("kind", one) for one in kind or ())]
            told = ask(client, "GET", "/v1/jobs", params=parameters).json()["jobs"]
        else:
            told = ask(client, "DELETE" if cancel else "GET", f"/v1/jobs/{quote(job, safe='')}").json()
    if as_json:
        show_json(told)
    elif job is None:
        _listed(told)
    else:
        state = "is told to end" if told["cancelling"] and told["state"] == "running" else told["state"]
        progress = f", {told['step']} {told['done']} of {told['of']}" if told["state"] == "running" else ""
        error = f": {told['error']}" if told["error"] else ""
        say(f"{told['kind']} {told['id']}: {state}{progress}{error}")


def _listed(told: list[dict[str, Any]]) -> None:
    if told:
        show_rows(COLUMNS, told, right=("done", "of"))
    else:
        say("No jobs.")
