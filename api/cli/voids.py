"""`reqledger void`: voids that need two persons, proposed by one and approved or declined by another."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import httpx
import typer

from api.cli.client import ClientError, ask
from api.cli.connection import AsJson, Key, Url, connected
from api.cli.output import note, say, show_json, show_rows

app = typer.Typer(help="Propose voids; approve or decline what somebody else proposed.", no_args_is_help=True)

COLUMNS = ("position", "event", "of", "proposed_at", "proposed_by", "reason", "state", "answered_by")

At = Annotated[int, typer.Argument(min=1, help="The position to be voided, as history shows it.")]
Actor = Annotated[str | None, typer.Option(help="Who does it.")]
Reason = Annotated[str | None, typer.Option(help="Why.")]


@app.command()
def propose(
    position: At,
    actor: Actor = None,
    reason: Reason = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Ask for a position to be voided. Nothing changes until it is approved under another key."""
    with connected(url, key) as client:
        answer = _tell(client, [_event("void.proposed", str(position), {}, actor, reason)])
    _said(answer, as_json, f"The void of position {position} is proposed")


@app.command()
def approve(
    positions: Annotated[list[int], typer.Argument(min=1, help="Proposed positions, voided in one request.")],
    actor: Actor = None,
    reason: Reason = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Void what somebody else proposed. To tell something else in its stead, send both as events in one request."""
    with connected(url, key) as client:
        proposed = {
            one["position"]: one["target"]["subject"]
            for one in ask(client, "GET", "/v1/voids", params={"state": "open", "limit": 1_000}).json()["voids"]
        }
        if unknown := [str(position) for position in positions if position not in proposed]:
            raise ClientError(
                f"No void is proposed of position {', '.join(unknown)}: `reqledger void list` shows them."
            )
        events = [
            _event("record.voided", proposed[position], {"voided_position": position}, actor, reason)
            for position in positions
        ]
        answer = _tell(client, events)
    _said(answer, as_json, f"Voided: {', '.join(map(str, positions))}")


@app.command()
def decline(
    position: At,
    actor: Actor = None,
    reason: Reason = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Decline a proposed void, somebody else's or one's own. It can be proposed again."""
    with connected(url, key) as client:
        answer = _tell(client, [_event("void.declined", str(position), {}, actor, reason)])
    _said(answer, as_json, f"The void of position {position} is declined")


@app.command("list")
def list_(
    every: Annotated[bool, typer.Option("--all", help="Those approved and declined too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Most of them.")] = 100,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List the voids that wait for a second person, the newest first."""
    with connected(url, key) as client:
        wanted = {"limit": limit} | ({} if every else {"state": "open"})
        told = ask(client, "GET", "/v1/voids", params=wanted).json()
    if as_json:
        show_json(told)
    elif told["voids"]:
        show_rows(COLUMNS, [_row(one) for one in told["voids"]], right=("position",))
        if told["found"] > len(told["voids"]):
            note(f"{told['found']} in all; --limit shows more")
    else:
        say("No void is proposed." if every else "No void waits for a second person.")


def _row(one: dict[str, Any]) -> dict[str, Any]:
    target, proposed, answered = one["target"], one["proposed"], one["answered"] or {}
    return {
        "position": one["position"],
        "event": target["type"],
        "of": target["subject"],
        "proposed_at": proposed["recordedat"],
        "proposed_by": proposed.get("actor") or proposed["recordedby"],
        "reason": proposed.get("reason"),
        "state": one["state"],
        "answered_by": answered.get("actor") or answered.get("recordedby"),
    }


def _event(kind: str, subject: str, data: dict[str, Any], actor: str | None, reason: str | None) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    told = {"actor": actor, "reason": reason}
    return {
        "specversion": "1.0",
        "id": f"{kind}/{data.get('voided_position', subject)}/{now}",
        "source": "/reqledger",
        "type": kind,
        "subject": subject,
        "time": now,
        "data": data,
        **{name: value for name, value in told.items() if value is not None},
    }


def _tell(client: httpx.Client, events: list[dict[str, Any]]) -> dict[str, Any]:
    headers = {"content-type": "application/cloudevents-batch+json"}
    answer: dict[str, Any] = ask(
        client, "POST", "/v1/events", content=json.dumps(events).encode(), headers=headers
    ).json()
    return answer


def _said(answer: dict[str, Any], as_json: bool, what: str) -> None:
    if as_json:
        show_json(answer)
    else:
        say(f"{what}, recorded at position {answer['position']}.")
