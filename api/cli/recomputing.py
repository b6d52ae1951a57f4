"""`reqledger recompute` and `reqledger restate`: a figure once more from its stamp, and beside what it is today."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import quote

import httpx
import typer

from api.cli.client import ClientError, ask
from api.cli.connection import AsJson, Key, Url, connected
from api.cli.figures import show_figures, show_rows_behind
from api.cli.jobs import done
from api.cli.output import note, say, show_json, show_rows
from api.figures import value_in_words

Baseline = Annotated[str | None, typer.Option(help="The id of a baseline: its figure.")]
Report = Annotated[str | None, typer.Option(help="The id of a report: all its figures.")]

MOST_SHOWN = 100
"""Figures that are shown; of more it is only said whether they are the same."""


def recompute(
    stamp: Annotated[list[str] | None, typer.Argument(help="Stamps, as `kpi --json` and reports tell them.")] = None,
    baseline: Baseline = None,
    report: Report = None,
    rows: Annotated[bool, typer.Option("--rows", help="Also the rows behind each figure, as they were.")] = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Compute figures again out of the log, exactly as they were; exits with 1 where one kept differs."""
    with connected(url, key) as client:
        kept = _kept(client, baseline, report)
        told = done(client, "/v1/recompute", _wanted(stamp, kept, report) | {"rows": rows})
    if as_json:
        show_json(told)
    else:
        if len(told["figures"]) <= MOST_SHOWN:
            show_figures(told)
        for figure in told["figures"] if rows else ():
            say(f"\n{figure['label']['en']}")
            show_rows_behind(figure)
            if figure["more"]:
                note(f"The first {len(figure['rows'])} rows; `reqledger rows` pages through those of today")
    again = told["figures"][len(stamp or []) :]
    wrong = [
        f"{one['name']} was {one['told']} and is {now} now"
        for one, figure in zip(kept, again, strict=True)
        if (now := {name: figure[name] for name in one["told"]}) != one["told"]
    ]
    if wrong:
        raise ClientError("; ".join(wrong))
    if kept and not as_json:
        say("The same as it was kept." if len(kept) == 1 else f"All {len(kept)} are the same as they were kept.")


def restate(
    stamp: Annotated[list[str] | None, typer.Argument(help="Stamps, as `kpi --json` and reports tell them.")] = None,
    baseline: Baseline = None,
    report: Report = None,
    history: Annotated[
        bool, typer.Option("--history-is-late", help="Count imported history as told late, not apart.")
    ] = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show figures as reported beside what they are today, and by what they differ: told late, voided, other rules."""
    with connected(url, key) as client:
        wanted = _wanted(stamp, _kept(client, baseline, report), report) | {"history_is_late": history}
        told = done(client, "/v1/restatements", wanted)
    if as_json:
        show_json(told)
        return
    for one in told["figures"]:
        dimensions = f" ({', '.join(one['dimensions'].values())})" if one["dimensions"] else ""
        title = f"{one['label']['en']}{dimensions}, {one['period']['first']} – {one['period']['last']}"
        show_rows(("step", "value", "made of", "open"), list(_steps(one)), title=title, right=("value", "made of"))


def _wanted(stamp: list[str] | None, kept: list[dict[str, Any]], report: str | None) -> dict[str, Any]:
    """The body of a request; a report's stamps are known where it is kept."""
    stamps = [*(stamp or []), *(one["stamp"] for one in kept if not one["reported"])]
    if not stamps and report is None:
        raise typer.BadParameter("give stamps, --baseline or --report")
    return {"stamps": stamps, "report": report}


def _steps(one: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The first step, those that changed anything, and the last."""
    last: Any = None
    for nth, step in enumerate(one["steps"]):
        figure = step["figure"]
        if nth and figure == last:
            continue
        last = figure
        if figure is None:
            yield {"step": step["cause"], "value": "–"}
            continue
        made_of = f"{figure['denominator']:,}"
        if figure["numerator"] is not None:
            made_of = f"{figure['numerator']:,} / {made_of}"
        value = value_in_words({"value": figure["value"], "unit": one["unit"]})
        yield {"step": step["cause"], "value": value, "made of": made_of, "open": figure["open"] or None}


def _kept(client: httpx.Client, baseline: str | None, report: str | None) -> list[dict[str, Any]]:
    """The stamps of figures that events keep, with their names and what they are made of."""
    found = []
    if baseline is not None:
        known = ask(client, "GET", "/v1/baselines").json()["baselines"]
        one = next((one for one in known if one["id"] == baseline), None)
        if one is None:
            raise ClientError(f"There is no baseline {baseline} in use; `reqledger baseline list` shows them")
        found.append({"name": baseline, "stamp": one["stamp"], "told": {"value": one["value"]}, "reported": False})
    if report is not None:
        for one in ask(client, "GET", f"/v1/reports/{quote(report, safe='')}").json()["figures"]:
            parts = {name: one.get(name) for name in ("numerator", "denominator")}
            found.append({"name": one["metric"], "stamp": one["stamp"], "told": parts, "reported": True})
    unstamped = [one["name"] for one in found if one["stamp"] is None]
    if unstamped:
        raise ClientError(f"told without a stamp, so that nothing computes it again: {', '.join(unstamped)}")
    return found
