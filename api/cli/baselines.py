"""`reqledger baseline`: freeze figures, and list what is frozen."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from api.cli.client import ask
from api.cli.connection import AsJson, Key, Url, connected
from api.cli.output import show_json, show_rows

app = typer.Typer(help="Freeze figures that later ones are compared with.", no_args_is_help=True)

COLUMNS = ("id", "kpi", "dimensions", "from", "to", "value", "sample", "position")


@app.command()
def freeze(
    metric: Annotated[str, typer.Argument(help="The metric's name.")],
    first: Annotated[str, typer.Option("--from", help="First day, such as 2026-01-01.")],
    last: Annotated[str, typer.Option("--to", help="Last day, such as 2026-02-28.")],
    by: Annotated[str | None, typer.Option(help="Dimensions with commas: one baseline for each value.")] = None,
    actor: Annotated[str | None, typer.Option(help="Who says so.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Freeze a metric's figures of a period as baselines."""
    wanted: dict[str, Any] = {"metric": metric, "from": first, "to": last, "actor": actor}
    if by:
        wanted["by"] = [name.strip() for name in by.split(",") if name.strip()]
    with connected(url, key) as client:
        _show(ask(client, "POST", "/v1/baselines", json=wanted).json(), as_json)


@app.command("list")
def list_(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List the baselines in use."""
    with connected(url, key) as client:
        _show(ask(client, "GET", "/v1/baselines").json(), as_json)


def _show(told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(told)
        return
    rows = [
        one
        | {
            "dimensions": ", ".join(f"{name}={value}" for name, value in one["dimensions"].items()),
            "from": one["period"]["first"],
            "to": one["period"]["last"],
        }
        for one in told["baselines"]
    ]
    show_rows(COLUMNS, rows, right=("value", "sample", "position"))
