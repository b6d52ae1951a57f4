"""`reqledger simulate` and `reqledger import`: events from an invented company, or from a file."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from api.cli.client import ClientError
from api.cli.connection import AsJson, Key, Url, sending_to
from api.cli.output import errors, note, say, show_json, show_rows
from api.sending import Destination, SendingError
from api.simulator import CONTACTS, FIRST_DAY, YEAR, Played, company, play


def simulate(
    contacts: Annotated[int, typer.Option(min=1, help="Contacts of the company.")] = CONTACTS,
    seed: Annotated[int, typer.Option(help="The same seed gives the same company.")] = 1,
    start: Annotated[str, typer.Option(help="First simulated day.")] = FIRST_DAY.isoformat(),
    days: Annotated[int, typer.Option(min=1, help="Simulated days.")] = YEAR,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Play a simulated company to a simulated ledger; a new ledger becomes one."""
    try:
        first_day = date.fromisoformat(start)
    except ValueError as error:
        raise typer.BadParameter(f"{start!r} is not a day such as 2026-01-01", param_hint="--start") from error
    with sending_to(url, key, simulated=True) as destination:
        played = play_company(destination, contacts=contacts, seed=seed, start=first_day, days=days)
    if as_json:
        show_json(asdict(played))
    else:
        say(f"{played.appended:,} events appended; {played.duplicates:,} were sent twice and recorded once.")


def play_company(
    destination: Destination,
    *,
    contacts: int = CONTACTS,
    seed: int = 1,
    start: date = FIRST_DAY,
    days: int = YEAR,
) -> Played:
    """Play a company with a progress bar over its days. Raises `ClientError` where the ledger does not take it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("days"),
               TimeElapsedColumn(), TextColumn("{task.fields[events]:,} events"))  # fmt: skip
    with Progress(*columns, console=errors) as bar:
        task = bar.add_task("Simulating", total=days, events=0)
        began = datetime(start.year, start.month, start.day, tzinfo=UTC)

        def progress(events: int, reached: str) -> None:
            passed = (datetime.fromisoformat(reached) - began).total_seconds() / 86_400
            bar.update(task, completed=min(max(int(passed), 0), days), events=events)

        try:
            played = play(destination, company(seed, contacts, start, days), progress=progress)
        except SendingError as error:
            raise ClientError(str(error)) from error
        bar.update(task, completed=days)
    return played


def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A CSV (also gzipped) or XLSX file.")],
    mapping: Annotated[
        str | None, typer.Option("--mapping", "-m", help="A mapping's file, or the name of one that ships.")
    ] = None,
    form: Annotated[str | None, typer.Option(help="Instead of a mapping: the form that was filled in.")] = None,
    zone: Annotated[str | None, typer.Option(help="Whose times a form holds that does not say it itself.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check everything, send nothing.")] = False,
    rejected: Annotated[Path | None, typer.Option(help="Where refused rows go; FILE.rejected.csv if left out.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Import a file's rows as events; refused rows are set aside with line and reason."""
    from api.forms.reading import loaded
    from api.importer.errors import BadFile, BadMapping
    from api.importer.importing import Report, import_file
    from api.importer.loading import Loaded

    if (mapping is None) == (form is None):
        raise typer.BadParameter("say how the file is read: either --mapping or --form", param_hint="--mapping")

    def run(destination: Destination | None, source: str | Loaded, aside: Path | None) -> Report:
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(),
                   TextColumn("{task.fields[rows]:,} rows, {task.fields[refused]:,} refused"))  # fmt: skip
        with Progress(*columns, console=errors) as bar:
            task = bar.add_task("Importing", total=1.0, rows=0, refused=0)

            def progress(rows: int, refused: int, share: float) -> None:
                bar.update(task, completed=share, rows=rows, refused=refused)

            return import_file(file, source, destination, rejected=aside, progress=progress)

    try:
        sources: list[tuple[str | Loaded, Path | None]] = [(mapping, rejected)] if mapping is not None else [
            (sheet, (rejected or file).with_suffix(f".{sheet.mapping.mapping}.rejected.csv"))
            for sheet in loaded(file, form or "", zone)
        ]  # fmt: skip
        if dry_run:
            reports = [run(None, source, None) for source, _ in sources]
        else:
            with sending_to(url, key) as destination:
                reports = [run(destination, source, aside) for source, aside in sources]
    except (BadMapping, BadFile, SendingError) as error:
        raise ClientError(str(error)) from error
    if as_json:
        show_json([_as_json(report) for report in reports] if form else _as_json(reports[0]))
    else:
        for report in reports:
            _show(report)
    if any(report.refused for report in reports):
        raise typer.Exit(3)


def _as_json(report: Any) -> dict[str, Any]:
    told = asdict(report)
    for name in ("file", "rejected"):
        told[name] = None if told[name] is None else str(told[name])
    told["types"] = dict(report.types)
    told.pop("first")
    return told


def _show(report: Any) -> None:
    if report.dry_run:
        say(f"{report.rows:,} rows would make {report.events:,} events; {report.refused:,} rows would be refused.")
        show_rows(
            ("type", "events"), [{"type": kind, "events": count} for kind, count in report.types.most_common()],
            right=("events",),
        )  # fmt: skip
    else:
        say(
            f"{report.rows:,} rows: {report.appended:,} events appended, {report.duplicates:,} recorded before, "
            f"{report.refused:,} rows refused."
        )
    for refusal in report.refusals:
        note(f"line {refusal.line}: {refusal.reason}")
    if report.rejected is not None:
        say(f"The refused rows stand, with line and reason, in {report.rejected}.")
