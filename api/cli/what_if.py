"""`reqledger what-if`: figures and rows under other rules, without touching anything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from api.cli.client import ClientError, ask
from api.cli.comparison import show_comparison
from api.cli.connection import AsJson, Key, Url, connected
from api.cli.jobs import done
from api.cli.output import say, show_json

LONG_SECONDS = 3_600.0
"""How long a file may take to be worked out."""


def what_if(
    book: Annotated[Path | None, typer.Argument(exists=True, dir_okay=False, help="A draft, as YAML.")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="A change, such as targets.first_response.limits[email]=12h.")
    ] = None,
    version: Annotated[str | None, typer.Option(help="A published version instead of a draft.")] = None,
    against: Annotated[str | None, typer.Option(help="Compare with this version, not with the rules in force.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="First day; this year's if left out.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day; today if left out.")] = None,
    period: Annotated[Literal["day", "week", "month", "quarter", "year", "all"], typer.Option()] = "month",
    by: Annotated[str | None, typer.Option(help="Dimensions with commas.")] = None,
    metric: Annotated[list[str] | None, typer.Option(help="Only these metrics.")] = None,
    as_of: Annotated[int | None, typer.Option(help="A position of the log.")] = None,
    rows: Annotated[int, typer.Option(min=0, max=10_000, help="Rows told of each metric.")] = 20,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A .csv or .xlsx file to write.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Compare the rules in force with a draft, a published version or a change told on one line."""
    if output is not None and output.suffix not in (".csv", ".xlsx"):
        raise typer.BadParameter("--output is a .csv or .xlsx file")
    if book is None and not changes and version is None:
        raise typer.BadParameter("give a draft, --version or --set")
    after: dict[str, Any] = {"set": changes or []}
    after |= {"book": book.read_text("utf-8")} if book else {"version": version} if version else {}
    wanted: dict[str, Any] = {
        "before": {"version": against} if against else {},
        "after": after,
        "from": first,
        "to": last,
        "period": period,
        "by": [name.strip() for name in (by or "").split(",") if name.strip()],
        "metrics": metric or [],
        "as_of": as_of,
        "rows": rows,
    }
    with connected(url, key) as client:
        if output is None:
            told = done(client, "/v1/what-if", wanted)
        else:
            kind = output.suffix[1:]
            answer = ask(client, "POST", "/v1/what-if", params={"format": kind}, json=wanted, timeout=LONG_SECONDS)
    if output is not None:
        try:
            output.write_bytes(answer.content)
        except OSError as error:
            raise ClientError(f"{output} cannot be written: {error.strerror}") from None
        say(f"{output} is written.")
    elif as_json:
        show_json(told)
    else:
        show_comparison(told)
