"""`reqledger archive`: the log in Parquet segments, written, checked, and made a ledger again."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from api.cli.connection import AsJson, ledger_here, ledger_if_any
from api.cli.output import say, show_json, show_rows
from api.cli.watching import watched
from ledger.settings import Settings

app = typer.Typer(help="Archive the log as Parquet, check an archive, restore a ledger from it.", no_args_is_help=True)

Folder = Annotated[str, typer.Argument(help="A folder, or a URI such as s3://bucket/ledger or gs://bucket/ledger.")]


@app.command()
def write(
    folder: Folder,
    whole: Annotated[
        bool, typer.Option("--whole", help="Only whole segments; what is left waits for a later time.")
    ] = False,
    segment: Annotated[int, typer.Option(min=1_000, help="Positions in a whole segment.")] = 1_000_000,
    as_json: AsJson = False,
) -> None:
    """Add to an archive what the log has beyond it; the first time, all of it."""
    from replays.archive.writing import write as write_archive

    with ledger_here() as ledger, watched("Archiving") as progress:
        written = write_archive(ledger, folder, segment=segment, whole=whole, progress=progress)
    if as_json:
        show_json(asdict(written))
        return
    if written.segments:
        say(
            f"Positions {written.first:,} to {written.last:,} written to {written.place}: {written.segments} segments, "
            f"{written.bytes / 1e6:,.1f} MB, and {written.documents} documents."
        )
    else:
        say(f"Nothing new for {written.place}, which ends at position {written.last:,}.")
    if written.left:
        say(f"{written.left:,} positions are left for a later time.")


@app.command()
def check(
    folder: Folder,
    without_log: Annotated[
        bool, typer.Option("--without-log", help="Do not compare it with the ledger that is here.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look for segments that were altered, are missing, overlap or are of another ledger; exit 1 where any is."""
    from replays.archive.reading import Archive

    archive = Archive.open(folder)
    with watched("Checking") as progress:
        found = archive.examine(progress)
    compared = False
    if not without_log and not found:
        with ledger_if_any() as ledger:
            if ledger is not None:
                found, compared = archive.against(ledger), True
    manifest = archive.manifest
    if as_json:
        show_json(
            {
                "ledger_id": str(manifest.ledger_id),
                "last": archive.last,
                "segments": len(archive.segments),
                "documents": len(manifest.documents),
                "compared_with_log": compared,
                "findings": [asdict(one) for one in found],
            }
        )
    elif found:
        show_rows(("file", "wrong"), [asdict(one) for one in found])
    else:
        log = "; the log says the same where the segments end" if compared else ""
        say(
            f"Ledger {manifest.ledger_id}, positions 1 to {archive.last:,} in {len(archive.segments)} segments, "
            f"{len(manifest.documents)} documents: all as written{log}."
        )
    if found:
        raise typer.Exit(1)


@app.command()
def restore(folder: Folder, as_json: AsJson = False) -> None:
    """Restore an archive's ledger into the empty database the settings name, and build its tables."""
    from api.logs import configure
    from ledger.log.application import Ledger
    from replays.archive.reading import Archive
    from replays.archive.restoring import restore as restore_archive
    from replays.founding import found

    configure("WARNING")
    settings = Settings()
    archive = Archive.open(folder)
    with watched("Restoring") as progress:
        restored = restore_archive(archive, settings, progress)
        with Ledger.open(settings) as ledger:
            found(ledger, archive=archive, progress=progress)
    if as_json:
        show_json(asdict(restored))
        return
    say(
        f"Ledger {restored.ledger_id} restored: positions 1 to {restored.last:,}, {restored.documents} documents, and "
        "all tables. API keys are in no archive: `reqledger serve` prints a first admin key."
    )
