"""`reqledger table`, `clocks`, `kpi`, `history` and `explain`: what the ledger tells, on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import quote

import typer

from api.cli.client import ask
from api.cli.connection import AsJson, Key, Url, connected
from api.cli.figures import show_figures, show_rows_behind
from api.cli.output import STRUCK, fitting, note, say, show_json, show_rows

Where = Annotated[
    list[str] | None,
    typer.Option("--where", "-w", help="A condition such as channel=email or received_at__gte=2026-04-01T00:00:00Z."),
]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="Most rows.")]
AsOf = Annotated[str | None, typer.Option(help="As the ledger knew it then: a position or a time of recording.")]
ValidAt = Annotated[str | None, typer.Option(help="As it had happened by this time.")]
Language = Annotated[str, typer.Option(help="en or zh.")]

NUMBERS = ("integer", "duration")
MORE = "there are more: --limit shows up to 1000"


def conditions(where: Sequence[str] | None) -> list[tuple[str, str]]:
    """`column=value` texts as parameters. Raises typer.BadParameter for anything else."""
    found = []
    for text in where or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{text!r} is not of the form column=value", param_hint="--where")
        found.append((name.strip(), value))
    return found


def table(
    name: Annotated[str | None, typer.Argument(help="The table; without it, all tables are listed.")] = None,
    where: Where = None,
    sort: Annotated[str | None, typer.Option(help="Columns with commas, - for descending.")] = None,
    columns: Annotated[str | None, typer.Option(help="Only these columns, with commas.")] = None,
    limit: Limit = 20,
    as_of: AsOf = None,
    valid_at: ValidAt = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV instead of a table for people.")] = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show rows of a tracking table."""
    with connected(url, key) as client:
        if name is None:
            told = ask(client, "GET", "/v1/tables").json()["tables"]
            if as_json:
                show_json(told)
            else:
                rows = [
                    {
                        "table": one["name"],
                        "en": one["label"]["en"],
                        "zh": one["label"]["zh"],
                        "columns": len(one["columns"]),
                    }
                    for one in told
                ]
                show_rows(("table", "en", "zh", "columns"), rows, right=("columns",))
            return
        parameters: list[tuple[str, str]] = [*conditions(where), ("limit", str(limit))]
        told_then = (("sort", sort), ("as_of", as_of), ("valid_at", valid_at))
        parameters += [(option, value) for option, value in told_then if value]
        if as_csv:
            parameters.append(("format", "csv"))
        answer = ask(client, "GET", f"/v1/tables/{quote(name, safe='')}", params=parameters)
    if as_csv:
        sys.stdout.write(answer.text)
        if "ledger-next-cursor" in answer.headers:
            note(f"The first {limit} rows; {MORE}")
    elif as_json:
        show_json(answer.json())
    else:
        show_page(answer.json(), columns)


def clocks(
    due_before: Annotated[str | None, typer.Option(help="A time with its offset; a day from now if left out.")] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Also what ran out already and has not stopped.")] = False,
    limit: Limit = 20,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show what runs out next."""
    parameters = [("limit", str(limit)), ("overdue", str(overdue).lower())]
    if due_before:
        parameters.append(("due_before", due_before))
    with connected(url, key) as client:
        page = ask(client, "GET", "/v1/clocks", params=parameters).json()
    if as_json:
        show_json(page)
    else:
        show_page(page, "deadline,clock,aggregate,subject,part,customer_id,owner,overdue")


def show_page(page: dict[str, Any], columns: str | None) -> None:
    """A page of rows for people: the columns asked for, or those there is room for."""
    wanted = [one.strip() for one in columns.split(",")] if columns else None
    left_out = ""
    if wanted is None:
        # tables are wide: what no row has is left out, and what the terminal has no room for
        told = [one for one in page["columns"] if any(row[one] is not None for row in page["rows"])]
        wanted = fitting(told, page["rows"])
        left_out = ", ".join(one for one in told if one not in wanted)
    right = [one for one, kind in page["columns"].items() if kind in NUMBERS]
    if not page["rows"]:
        say("No rows.")
        return
    show_rows(wanted, page["rows"], right=right)
    more = f"; {MORE}" if page["next_cursor"] else ""
    note(f"{len(page['rows'])} rows as of position {page['position']}{more}")
    if left_out:
        note(f"No room for {left_out}; --columns chooses")


def kpi(
    metric: Annotated[list[str] | None, typer.Argument(help="Names of metrics; all if left out.")] = None,
    period: Annotated[str, typer.Option(help="day, week, month, quarter, year or all.")] = "all",
    first: Annotated[str | None, typer.Option("--from", help="First day, such as 2026-04-01.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day; today if left out.")] = None,
    by: Annotated[str | None, typer.Option(help="Dimensions with commas, such as channel,department.")] = None,
    where: Where = None,
    language: Language = "en",
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show figures against their targets."""
    parameters = [("metric", one) for one in metric or ()] + [("period", period)] + conditions(where)
    parameters += [(name, value) for name, value in (("from", first), ("to", last), ("by", by)) if value]
    with connected(url, key) as client:
        told = ask(client, "GET", "/v1/kpis", params=parameters).json()
    if as_json:
        show_json(told)
    else:
        show_figures(told, language)


def rows(
    metric: Annotated[str, typer.Argument(help="The metric.")],
    part: Annotated[
        str,
        typer.Option(
            help="denominator (all that count), numerator, denominator_only (not in the numerator), open or left_out."
        ),
    ] = "denominator",
    state: Annotated[str | None, typer.Option(help="Only rows of this state, such as merged.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="First day, such as 2026-04-01.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day; today if left out.")] = None,
    where: Where = None,
    limit: Limit = 20,
    language: Language = "en",
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV instead of a table for people.")] = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show the rows behind a figure: what each adds, or why it is left out; `explain` goes on from there."""
    parameters = [("part", part), ("limit", str(limit)), *conditions(where)]
    parameters += [(name, value) for name, value in (("from", first), ("to", last), ("state", state)) if value]
    if as_csv:
        parameters.append(("format", "csv"))
    with connected(url, key) as client:
        answer = ask(client, "GET", f"/v1/kpis/{quote(metric, safe='')}/rows", params=parameters)
    if as_csv:
        sys.stdout.write(answer.text)
        if "ledger-next-cursor" in answer.headers:
            note(f"The first {limit} rows; {MORE}")
        return
    told = answer.json()
    if as_json:
        show_json(told)
        return
    told_of = {name: told[name] for name in ("rule_book", "position", "asked_at")}
    show_figures({"figures": told["figures"]} | told_of, language)
    show_rows_behind(told, language)
    if told["next_cursor"]:
        note(f"The first {limit} rows; {MORE}")


def history(
    aggregate: Annotated[str, typer.Argument(help="Its kind: customer, contact, requirement, plan, notice, …")],
    subject: Annotated[str, typer.Argument(help="Its id.")],
    as_of: AsOf = None,
    valid_at: ValidAt = None,
    language: Language = "en",
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show every event that concerns a subject, voided ones struck through."""
    parameters = {name: value for name, value in (("as_of", as_of), ("valid_at", valid_at)) if value}
    with connected(url, key) as client:
        path = f"/v1/history/{quote(aggregate, safe='')}/{quote(subject, safe='')}"
        told = ask(client, "GET", path, params=parameters).json()
        while told["next_after"] is not None:
            # as of the first page: what is recorded meanwhile must not appear in the later ones alone
            then = parameters | {"as_of": str(told["position"]), "after": str(told["next_after"])}
            page = ask(client, "GET", path, params=then).json()
            told["items"] += page["items"]
            told["next_after"] = page["next_after"]
    if as_json:
        show_json(told)
        return
    rows = [
        {
            "position": item["position"],
            "occurred": item["event"]["time"][:19],
            "recorded": item["event"]["recordedat"][:19],
            "subject": "" if item["own"] else f"{item['event']['aggregate']} {item['event']['subject']}",
            "what": item["words"].get(language, item["words"]["en"])
            + (f" [{item['event']['reason']}]" if "reason" in item["event"] else "")
            + (f" (voided by {item['voided_by']})" if item["voided_by"] else ""),
            "actor": item["event"].get("actor"),
            "key": item["event"]["recordedby"],
            "_style": STRUCK if item["voided_by"] else "",
        }
        for item in told["items"]
    ]
    show_rows(("position", "occurred", "recorded", "subject", "what", "actor", "key"), rows, right=("position",))
    for name, found in told.get("state", {}).items():
        say(f"\n{name}, as it stood then:")
        for row in found:
            shown = {column: value for column, value in row.items() if value is not None}
            show_rows(("column", "value"), [{"column": one, "value": value} for one, value in shown.items()])


def explain(
    name: Annotated[str, typer.Argument(metavar="TABLE", help="The table.")],
    row: Annotated[list[str], typer.Argument(metavar="KEY... COLUMN", help="The row's key, then the column.")],
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Say which events are behind a cell of a table."""
    if len(row) < 2:
        raise typer.BadParameter("give the row's key and then the column", param_hint="KEY... COLUMN")
    path = "/".join(quote(part, safe="") for part in (name, *row))
    with connected(url, key) as client:
        told = ask(client, "GET", f"/v1/explain/{path}").json()
    if as_json:
        show_json(told)
    else:
        _explained(told, 0)


def _explained(told: dict[str, Any], depth: int) -> None:
    space = "  " * depth
    at = ", ".join(f"{name} {value}" for name, value in told["key"].items())
    say(f"{space}{told['table']}.{told['column']} of {at} = {told['value']}")
    say(f"{space}  from: {told['from']}")
    if not told["through"]:
        for event in told["events"]:
            say(
                f"{space}  position {event['position']}: {event['type']} of {event['subject']}, "
                f"occurred {event['time']}"
            )
    for one in told["through"]:
        _explained(one, depth + 1)
