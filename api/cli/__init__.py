"""The command line: `reqledger`. It mirrors the HTTP API and decides nothing itself."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed

import typer
from pydantic import ValidationError

from api.cli import (
    archive,
    baselines,
    data,
    keys,
    privacy,
    proofs,
    reads,
    reports,
    rules,
    seal,
    serve,
    stewarding,
    surveys,
    voids,
)
from api.cli.as_of import as_of
from api.cli.client import ClientError
from api.cli.demo import demo
from api.cli.doctor import doctor
from api.cli.evidence import evidence
from api.cli.forms import form
from api.cli.jobs import jobs
from api.cli.migrate import migrate
from api.cli.output import errors, say
from api.cli.recomputing import recompute, restate
from api.cli.replay import replay
from api.cli.verify import verify
from api.cli.what_if import what_if
from ledger.errors import LedgerError

app = typer.Typer(
    name="reqledger",
    help="An event-sourced ledger of customer requirements: events in, tables, figures and history out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serve.serve)
for command in (
    reads.table,
    reads.clocks,
    reads.kpi,
    reads.rows,
    reads.history,
    reads.explain,
    recompute,
    restate,
    what_if,
    replay,
    jobs,
    form,
    stewarding.watch,
    stewarding.sample,
    stewarding.duplicates,
    stewarding.merge,
    stewarding.unmerge,
    privacy.erase,
    data.simulate,
    demo,
    doctor,
    evidence,
    migrate,
    verify,
):
    app.command()(command)
app.command("import")(data.import_)
app.command("as-of")(as_of)
app.add_typer(archive.app, name="archive")
app.add_typer(keys.app, name="keys")
app.add_typer(baselines.app, name="baseline")
app.add_typer(rules.app, name="rules")
app.add_typer(surveys.app, name="survey")
app.add_typer(reports.app, name="report")
app.add_typer(proofs.app, name="proof")
app.add_typer(seal.app, name="seal")
app.add_typer(voids.app, name="void")
app.add_typer(privacy.app, name="privacy")


@app.command()
def version() -> None:
    """Print the version."""
    say(f"requirements-ledger {installed('requirements-ledger')}")


def main() -> None:
    """Run a command; what went wrong is told in words, with exit status 1."""
    try:
        app()
    except (ClientError, LedgerError) as error:
        _fail(str(error))
    except ValidationError as error:
        # settings are the only models that are read from outside here
        wrong = [f"LEDGER_{'_'.join(map(str, one['loc'])).upper()}: {one['msg']}" for one in error.errors()]
        _fail("A setting makes no sense: " + "; ".join(wrong))


def _fail(message: str) -> None:
    errors.print(f"Error: {message}", markup=False, style="red", soft_wrap=True)
    sys.exit(1)
