"""`reqledger report`: issue the documents' reports, list them, and get one back as it was issued."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from api.cli.client import ask
from api.cli.connection import AsJson, Key, Url, connected
from api.cli.output import note, say, show_json, show_rows

app = typer.Typer(help="Issue reports, and get them back as they were issued.", no_args_is_help=True)

COLUMNS = ("report_id", "report", "from", "to", "issued_at", "digest")


@app.command()
def issue(
    kind: Annotated[str, typer.Argument(help="diagnosis, pain_points or annual.")],
    first: Annotated[str, typer.Option("--from", help="First day, such as 2026-01-01.")],
    last: Annotated[str, typer.Option("--to", help="Last day, such as 2026-12-31.")],
    language: Annotated[str, typer.Option(help="zh or en: the one it opens in; it holds both.")] = "zh",
    actor: Annotated[str | None, typer.Option(help="Who issues it.")] = None,
    output: Annotated[Path | None, typer.Option(help="File to write the document to as well.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Issue a report on a period: figures, document and event."""
    order = {"report_kind": kind, "from": first, "to": last, "language": language, "actor": actor}
    with connected(url, key) as client:
        made = ask(client, "POST", "/v1/reports", json=order).json()
        if output is not None:
            output.write_bytes(ask(client, "GET", made["document"]).content)
    if as_json:
        show_json(made)
        return
    say(f"{made['report_id']} issued at position {made['position']}, {made['digest']}")
    note(f"{output} written" if output else f"reqledger report show {made['report_id']} --output FILE.html writes it")


@app.command("list")
def list_(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List the reports that were issued."""
    with connected(url, key) as client:
        told = ask(client, "GET", "/v1/reports").json()
    if as_json:
        show_json(told)
        return
    rows = [
        one | {"report": one["label"]["zh"], "from": one["period_start"], "to": one["period_end"]}
        for one in told["reports"]
    ]
    show_rows(COLUMNS, rows)


@app.command()
def show(
    report_id: Annotated[str, typer.Argument(help="The report's id, as `report list` shows it.")],
    output: Annotated[Path | None, typer.Option(help="File to write the document to, as it was issued.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show what a report says of itself and its figures, or write its document."""
    path = f"/v1/reports/{quote(report_id, safe='')}"
    with connected(url, key) as client:
        if output is not None:
            content = ask(client, "GET", f"{path}/document").content
            output.write_bytes(content)
            note(f"{output}: {len(content):,} bytes, as issued")
            return
        told = ask(client, "GET", path).json()
    if as_json:
        show_json(told)
        return
    say(f"{told['label']['zh']} {told['label']['en']}, {told['period_start']} to {told['period_end']}")
    say(f"issued {told['issued_at']} by {told['actor'] or told['recorded_by']}, {told['digest']}")
    if told["voided_by"] is not None:
        say(f"voided at position {told['voided_by']}")
    show_rows(("metric", "of", "numerator", "denominator", "value"), [_row(one) for one in told["figures"]])


def _row(figure: dict[str, Any]) -> dict[str, Any]:
    of = ", ".join(f"{name}={value}" for name, value in figure.get("dimensions", {}).items())
    return {"numerator": "", "denominator": "", "value": "", **figure, "of": of}
