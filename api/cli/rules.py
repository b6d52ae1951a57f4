"""`reqledger rules`: rule books written, tried, planned, applied, listed, compared and taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.client import ClientError, ask
from api.cli.comparison import show_comparison
from api.cli.connection import AsJson, Key, Url, connected
from api.cli.holidays import Language, listing
from api.cli.jobs import done
from api.cli.output import say, show_json, show_rows
from ledger.rulebook.loading import BadRuleBook

app = typer.Typer(help="Write, try, plan and apply rule books.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The book, as YAML.")]


@app.callback()
def rules() -> None:
    """Write, try, plan and apply rule books."""


@app.command()
def check(file: File, as_json: AsJson = False) -> None:
    """Try a rule book: its schema, its expressions, its own tests. Needs no ledger."""
    # what compiles takes seconds to import: only those who need it pay
    from replays.trying import check as tried

    try:
        book = tried(file.read_text("utf-8"), str(file))
    except (BadRuleBook, UnicodeDecodeError) as error:
        raise ClientError(str(error)) from None
    if as_json:
        show_json({"rule_book": book.rule_book, "version": book.version, "tests": len(book.tests)})
    else:
        say(
            f"{file}: {book.rule_book} {book.version} can be published; {len(book.targets)} targets, "
            f"{len(book.metrics)} metrics, {len(book.tests)} tests passed"
        )


@app.command()
def plan(
    file: Annotated[Path | None, typer.Argument(exists=True, dir_okay=False, help="The book, as YAML.")] = None,
    back: Annotated[str | None, typer.Option(help="Take the last book back; the version this becomes.")] = None,
    retroactive: Annotated[bool, typer.Option("--retroactive", help="It is meant that the book reaches back.")] = False,
    first: Annotated[str | None, typer.Option("--from", help="Compare figures from this day on.")] = None,
    by: Annotated[str | None, typer.Option(help="Break figures down by dimensions, with commas.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show what publishing a rule book would change: figures, rows and why. Nothing changes."""
    if (file is None) == (back is None):
        raise typer.BadParameter("give a file, or --back VERSION")
    wanted: dict[str, Any] = {"retroactive": retroactive, "from": first, "back": back}
    wanted["book"] = None if file is None else file.read_text("utf-8")
    wanted["by"] = [name.strip() for name in (by or "").split(",") if name.strip()]
    with connected(url, key) as client:
        told = done(client, "/v1/rulebooks/plans", wanted)
    if as_json:
        show_json(told)
        return
    show_comparison(told)
    if not told["recomputes"]:
        say("Only texts, targets of figures or tasks change: nothing is computed again.")
    if told["retroactive"]:
        say(f"It reaches back: from {told['effective_from']} on, figures already told are judged anew.")
    say(f"\nVersion {told['version']}, in force from {told['effective_from']}. To publish it exactly so:")
    say(f"  reqledger rules apply {told['plan']}")


@app.command()
def apply(
    plan: Annotated[str, typer.Argument(help="The digest of a plan.")],
    actor: Annotated[str | None, typer.Option(help="Who says so.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse if anything was recorded since.")] = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Publish a rule book as planned; the tables follow in the same moment."""
    wanted = {"actor": actor, "strict": strict}
    with connected(url, key) as client:
        told = done(client, f"/v1/rulebooks/plans/{plan}/apply", wanted)
    if as_json:
        show_json(told)
    elif told["generation"] is None:
        say(f"Version {told['version']} is published; nothing had to be computed again.")
    else:
        say(f"Version {told['version']} is published; generation {told['generation']} of the tables is live.")


@app.command()
def back(
    version: Annotated[str, typer.Argument(help="The version that what held before becomes.")],
    actor: Annotated[str | None, typer.Option(help="Who says so.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Take the book published last back: what held before it holds again, from the same day on."""
    with connected(url, key) as client:
        told = done(client, "/v1/rulebooks/plans", {"back": version})
        show_comparison(told)
        if not yes:
            typer.confirm("Publish this?", abort=True)
        path = f"/v1/rulebooks/plans/{told['plan']}/apply"
        made = done(client, path, {"actor": actor})
    say(f"Version {made['version']} is published.")


@app.command("list")
def list_(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List the rule books published."""
    with connected(url, key) as client:
        told = ask(client, "GET", "/v1/rulebooks").json()
    if as_json:
        show_json(told)
    else:
        columns = ("version", "effective_from", "published_at", "position", "actor", "retroactive", "in_force")
        show_rows(columns, told["rulebooks"], right=("position",))


@app.command()
def show(
    version: Annotated[str, typer.Argument(help="The version.")],
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Print a rule book as it was published."""
    with connected(url, key) as client:
        told = ask(client, "GET", f"/v1/rulebooks/{version}").json()
    if as_json:
        show_json(told)
    else:
        say(told["book"].rstrip())


@app.command()
def diff(
    before: Annotated[str, typer.Argument(help="A version.")],
    after: Annotated[str, typer.Argument(help="Another.")],
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show what two versions of the rule book say differently."""
    with connected(url, key) as client:
        parameters = {"before": before, "after": after}
        told = ask(client, "GET", "/v1/rulebooks/differences", params=parameters).json()
    if as_json:
        show_json(told)
    else:
        show_rows(("path", "before", "after", "figures"), told["changes"])


@app.command()
def holidays(
    country: Annotated[str, typer.Argument(help="CN.")],
    year: Annotated[int, typer.Argument(help="A year with an official notice, such as 2026.")],
    language: Annotated[Language, typer.Option(help="Language of the days' names.")] = "en",
) -> None:
    """Print a year's official holidays and make-up workdays, to be put into a rule book's calendar."""
    say(listing(country, year, language).rstrip())
