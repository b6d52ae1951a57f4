"""`reqledger verify`: whether anything in the log was altered since it was sealed."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from api.cli.client import ClientError
from api.cli.connection import AsJson, ledger_here
from api.cli.output import say, show_json
from api.cli.watching import watched


def verify(
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE|URL", help="A checkpoint kept outside: the log must go on from it."),
    ] = None,
    verifier: Annotated[
        list[str] | None,
        typer.Option(help="A public key kept outside: only what it signed counts. Else the database's own are taken."),
    ] = None,
    hashes: Annotated[
        bool, typer.Option("--hashes", help="Leave out the columns and the trail beside the entries: twice as fast.")
    ] = False,
    archive: Annotated[
        str | None, typer.Option(help="Also an archive of it: its files, every entry, and the columns beside them.")
    ] = None,
    tables: Annotated[bool, typer.Option("--tables", help="Also build all tables anew and compare them.")] = False,
    as_json: AsJson = False,
) -> None:
    """Hash the log again; hold tree, checkpoints, columns and trail against it; exit 1 where anything differs."""
    from ledger.seal.notes import Verifier
    from replays.archive.reading import Archive
    from replays.rebuild import rebuild
    from replays.verifying import Held, verify

    trusted = [Verifier.read(text) for text in verifier or ()]
    held = [Held(place, _note(place)) for place in checkpoint or ()]
    with ledger_here() as ledger:
        with watched("Verifying") as progress:
            segments = None if archive is None else Archive.open(archive)
            report = verify(ledger, held, trusted, progress, beside=not hashes, archive=segments)
        compared = None
        if tables:
            with watched("Comparing tables") as progress:
                compared = rebuild(ledger, switch=False, progress=progress)
    differing = 0 if compared is None else compared.differing
    if as_json:
        show_json(asdict(report) | {"tables_differing": None if compared is None else differing})
    else:
        say(
            f"{report.entries:,} entries, {report.sealed:,} of them sealed, and {report.checkpoints:,} checkpoints "
            f"verified in {report.seconds:,.1f} s."
        )
        if report.cosignatures:
            names = ", ".join(report.cosigners)
            say(f"{report.cosignatures:,} cosignatures of {names}, the newest over {report.cosigned:,} entries.")
        for renamed in report.renamed:
            say(f"  {renamed}")
        for found in report.findings:
            say(f"  {found}")
        if report.more:
            say(f"  and {report.more:,} more")
        if not report.findings:
            held_too = "" if segments is None else f" The archive's {segments.last:,} entries are the log's."
            say(f"Nothing was altered.{held_too}")
        if compared is not None:
            say(f"{differing} rows of the live tables differ from a replay; `reqledger replay --compare` shows them."
                if differing else "The live tables equal a replay.")  # fmt: skip
    if report.findings or differing:
        raise typer.Exit(1)


def _note(place: str) -> str:
    """The checkpoint in a file or at a URL. Raises ClientError."""
    from ledger.seal.holding import NotHeld, fetched

    try:
        return fetched(place) if place.startswith(("https://", "http://")) else Path(place).read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ClientError(f"A checkpoint is text, and {place} is not: {error}") from error
    except OSError as error:
        raise ClientError(f"The checkpoint {place} cannot be read: {error.strerror or error}") from error
    except NotHeld as error:
        raise ClientError(f"There is no checkpoint to be had at {place}: {error}") from error
