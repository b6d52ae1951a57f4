"""`reqledger replay`: tables and counters anew from the log."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from api.cli.client import ask
from api.cli.connection import AsJson, Key, Url, connected
from api.cli.jobs import followed
from api.cli.output import say, show_json, show_rows


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
        job = followed(client, job, f"/v1/replays/{job['id']}")
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
    if report["compared_at"] is None:
        say("The tables before could not be compared.")
    elif not report["differences"]:
        say("No row differs.")
    else:
        say(f"{report['differing']} rows differ:")
        numbers = ("rows", "only_live", "only_new", "changed")
        rows = [one | {"columns": _columns(one)} for one in report["differences"]]
        show_rows(("table", *numbers, "columns"), rows, right=numbers)
        for one in report["differences"]:
            for cell in one["changed_samples"]:
                key = ", ".join(str(value) for value in cell["key"].values())
                say(f"  {one['table']} {key}: {cell['column']} {cell['live']} → {cell['new']}")
            for side in ("live", "new"):
                for row in one[f"{side}_samples"]:
                    say(f"  {one['table']}, only {side}: {row}")


def _columns(one: dict[str, Any]) -> str:
    """The columns that differ: how often, or that only one side has them."""
    told = [f"{name} ×{count:,}" for name, count in one["columns"].items()]
    return ", ".join(
        [*told, *(f"+{name}" for name in one["columns_added"]), *(f"−{name}" for name in one["columns_gone"])]
    )
