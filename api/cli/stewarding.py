"""`reqledger watch`, `sample`, `duplicates`, `merge` and `unmerge`: what follows from the tables, and is recorded."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from api.cli.client import ask
from api.cli.connection import AsJson, Key, Url, connected
from api.cli.output import note, say, show_json, show_rows

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show it, record nothing.")]


def watch(dry_run: DryRun = False, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Raise an alert for every customer that looks as if it were about to leave."""
    with connected(url, key) as client:
        told = ask(client, "POST", "/v1/watch", json={"dry_run": dry_run}).json()
    if as_json:
        show_json(told)
    elif told["signs"]:
        show_rows(("customer_id", "indicator", "evidence"), told["signs"])
        note(f"{told['raised']} alerts raised" + (" (dry run)" if dry_run else ""))
    else:
        say("Nothing new to raise.")


def sample(
    week: Annotated[str, typer.Argument(help="An ISO week such as 2026-W14.")],
    seed: Annotated[
        int | None, typer.Option(min=0, help="Chosen if left out; shown, and kept with the sample.")
    ] = None,
    per_channel: Annotated[int | None, typer.Option(min=1, help="The rule book's if left out.")] = None,
    dry_run: DryRun = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Draw a week's sample of contacts for quality reviews, by channel."""
    wanted: dict[str, Any] = {"week": week, "seed": seed, "per_channel": per_channel, "dry_run": dry_run}
    with connected(url, key) as client:
        told = ask(client, "POST", "/v1/samples", json=wanted).json()
    if as_json:
        show_json(told)
        return
    rows = [
        {"channel": channel, "drawn": len(found), "of": told["of"][channel], "contacts": " ".join(found)}
        for channel, found in told["contacts"].items()
    ]
    if rows:
        show_rows(("channel", "drawn", "of", "contacts"), rows, right=("drawn", "of"))
    else:
        say(f"No contacts in {week}.")
    note(f"Week {told['week']}, seed {told['seed']}, as of position {told['position']}")


def duplicates(
    threshold: Annotated[
        int | None, typer.Option(min=1, max=100, help="Least likeness; the rule book's if left out.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Most pairs.")] = 50,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show requirements that may say the same; `reqledger merge` makes them one."""
    parameters = {"limit": limit} | ({} if threshold is None else {"threshold": threshold})
    with connected(url, key) as client:
        told = ask(client, "GET", "/v1/duplicates", params=parameters).json()
    if as_json:
        show_json(told)
        return
    rows = [
        {"likeness": one["likeness"]}
        | {
            f"{name}_{which}": side.get(name)
            for which, side in zip(("1", "2"), one["requirements"], strict=True)
            for name in ("requirement_id", "customer_id", "statement")
        }
        for one in told["candidates"]
    ]
    columns = [f"{name}_{which}" for which in ("1", "2") for name in ("requirement_id", "customer_id", "statement")]
    if rows:
        show_rows(("likeness", *columns), rows, right=("likeness",))
    more = f", {told['found'] - len(rows)} more with --limit" if told["found"] > len(rows) else ""
    note(f"{told['found']} pairs among the {told['compared']} newest open requirements that say something{more}")


def merge(
    aggregate: Annotated[str, typer.Argument(help="requirement, contact or customer.")],
    subject: Annotated[str, typer.Argument(help="The one that is merged away.")],
    into: Annotated[str, typer.Option(help="The one that survives.")],
    actor: Annotated[str | None, typer.Option(help="Who confirms it.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Make one of two: confirm that they are the same. History, clocks and figures follow."""
    _tell(aggregate, "merged", subject, {"into_id": into}, actor, reason, url, key, as_json)


def unmerge(
    aggregate: Annotated[str, typer.Argument(help="requirement, contact or customer.")],
    subject: Annotated[str, typer.Argument(help="The one that was merged away.")],
    actor: Annotated[str | None, typer.Option(help="Who says so.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Take a merge back: both are restored."""
    _tell(aggregate, "unmerged", subject, {}, actor, reason, url, key, as_json)


def _tell(
    aggregate: str,
    what: str,
    subject: str,
    data: dict[str, Any],
    actor: str | None,
    reason: str | None,
    url: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    now = datetime.now(UTC).isoformat()
    told = {"actor": actor, "reason": reason}
    event = {
        "specversion": "1.0",
        "id": f"{subject}/{what}/{now}",
        "source": "/reqledger",
        "type": f"{aggregate}.{what}",
        "subject": subject,
        "time": now,
        "data": data,
        **{name: value for name, value in told.items() if value is not None},
    }
    with connected(url, key) as client:
        headers = {"content-type": "application/cloudevents+json"}
        answer = ask(client, "POST", "/v1/events", content=json.dumps(event).encode(), headers=headers).json()
    if as_json:
        show_json(answer)
    else:
        say(f"{aggregate} {subject} {what} at position {answer['position']}.")
