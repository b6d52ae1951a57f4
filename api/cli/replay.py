"""`reqledger replay`: tables and counters anew from the log."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from api.cli.client import ClientError, ask
from api.cli.connection import AsJson, Key, Url, connected
from api.cli.output import errors, say, show_json, show_rows

STEP_SECONDS = 0.2


def replay(
    compare: Annotated[bool, typer.Option("--compare", help="Only build and compare; the live tables stay.")] = False,
    back: Annotated[bool, typer.Option("--back", help="Make the previous tables live again.")] = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Build all tables and counters anew beside the live ones, compare row by row, and switch."""
    if compare and back:
        raise typer.BadParameter("choose one of --compare and --back")
    kind = "compare" if compare else "back" if back else "rebuild"
    with connected(url, key) as client:
        job = ask(client, "POST", "/v1/replays", json={"kind": kind}).json()
        bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=errors, transient=True
        )
        with bar:
            task = bar.add_task(job["step"], total=None)
            while job["state"] == "running":
                time.sleep(STEP_SECONDS)
                job = ask(client, "GET", f"/v1/replays/{job['id']}").json()
                bar.update(task, description=job["step"], completed=job["done"], total=job["of"] or None)
    if job["state"] != "done":
        raise ClientError(f"The replay {job['state']}: {job['error']}")
    if as_json:
        show_json(job)
    else:
        _show(job["report"], kind)


def _show(report: dict[str, Any], kind: str) -> None:
    if kind == "compare":
        say(f"Compared at position {report['position']}; the live tables stay.")
    else:
        say(
            f"Generation {report['generation']} is live, at position {report['position']}; "
            "--back returns to the one before."
        )
    if not report["compared"]:
        say("The tables before were made under other definitions and were not compared.")
    elif not report["differences"]:
        say("No row differs.")
    else:
        say(f"{report['differing']} rows differ:")
        show_rows(
            ("table", "rows", "only_live", "only_new"), report["differences"], right=("rows", "only_live", "only_new")
        )
        for one in report["differences"]:
            for side in ("live", "new"):
                for row in one[f"{side}_samples"]:
                    say(f"  {one['table']}, only {side}: {row}")
