"""`reqledger replay`: tables and counters anew from the log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import httpx
import typer

from api.cli.client import ClientError, ask, in_process
from api.cli.connection import AsJson, Key, Url, connected, nowhere, somewhere
from api.cli.jobs import followed
from api.cli.output import note, say, show_json, show_rows
from api.cli.watching import watched
from ledger.settings import Settings

if TYPE_CHECKING:
    from api.http.replays import Kind
    from replays.spark.replaying import Cluster


def replay(
    compare: Annotated[bool, typer.Option("--compare", help="Only build and compare; the live tables stay.")] = False,
    back: Annotated[bool, typer.Option("--back", help="Make the previous tables live again.")] = False,
    archive: Annotated[
        str | None, typer.Option(help="Folder or URI of an archive: only what comes after it is read from the log.")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="duckdb, in this process; or a Spark master: spark://host:7077, local[2], yarn, k8s://…")
    ] = "duckdb",
    out: Annotated[
        str | None,
        typer.Option(help="With Spark: an empty folder or URI for the tables as Parquet; no ledger is touched."),
    ] = None,
    work: Annotated[
        str | None,
        typer.Option(
            help="With Spark: an empty folder or URI that its workers and this machine reach, used meanwhile."
        ),
    ] = None,
    conf: Annotated[
        list[str] | None, typer.Option(help="With Spark: a setting of it, NAME=VALUE; may be given several times.")
    ] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Build all tables and counters anew beside the live ones, compare row by row, and switch."""
    if compare and back:
        raise typer.BadParameter("choose one of --compare and --back")
    kind: Kind = "compare" if compare else "back" if back else "rebuild"
    if archive is not None and (url or back):
        raise typer.BadParameter("an archive is read here, for this machine's database: leave out --url and --back")
    cluster = _cluster(engine, archive, out, work, conf or [])
    if cluster is not None and archive is not None and out is not None:
        if compare:
            raise typer.BadParameter("--compare looks at the live tables, and --out leaves them alone: choose one")
        _write(cluster, archive, out, as_json)
        return
    with _begun(url, key, kind) if archive is None else _begun_here(archive, kind, cluster) as (client, job):
        job = followed(client, job, f"/v1/replays/{job['id']}")
    if as_json:
        show_json(job)
    else:
        _show(job["report"], kind)


def _cluster(engine: str, archive: str | None, out: str | None, work: str | None, conf: list[str]) -> Cluster | None:
    """Where Spark is to run; None for DuckDB."""
    if engine == "duckdb":
        if out or work or conf:
            raise typer.BadParameter("--out, --work and --conf are for Spark: name its master with --engine")
        return None
    from replays.spark.replaying import Cluster
    from replays.spark.session import is_master

    if not is_master(engine):
        raise typer.BadParameter(
            "duckdb, or a Spark master: spark://host:7077, local[2], yarn, k8s://…", param_hint="--engine"
        )
    if archive is None:
        raise typer.BadParameter(
            "Spark reads an archive: name its folder or URI, which the workers reach too", param_hint="--archive"
        )
    if out and work:
        raise typer.BadParameter(
            "--work is for tables on their way into the ledger, --out for tables to keep: choose one"
        )
    if wrong := [one for one in conf if "=" not in one]:
        raise typer.BadParameter(f"{wrong[0]!r} is not NAME=VALUE", param_hint="--conf")
    return Cluster(engine, dict(one.split("=", 1) for one in conf), work)


def _write(cluster: Cluster, archive: str, out: str, as_json: bool) -> None:
    from replays.archive.reading import Archive

    with watched("Replaying") as progress:
        told = cluster.write(Archive.open(archive), out, progress)
    if as_json:
        show_json(told)
        return
    rows = [{"table": name, **one} for name, one in told["tables"].items()]
    show_rows(("table", "rows"), rows, right=("rows",))
    note(f"{len(rows)} tables as of position {told['position']} written to {out}")


@contextmanager
def _begun(url: str | None, key: str | None, kind: str) -> Iterator[tuple[httpx.Client, dict[str, Any]]]:
    with connected(url, key) as client:
        yield client, ask(client, "POST", "/v1/replays", json={"kind": kind}).json()


@contextmanager
def _begun_here(archive: str, kind: Kind, cluster: Cluster | None) -> Iterator[tuple[httpx.Client, dict[str, Any]]]:
    """The same out of an archive. Which folders are read is not for a request over HTTP to say."""
    from api.bootstrap import running
    from api.http.replays import begin_replay, told
    from api.logs import configure
    from replays.archive.reading import Archive

    settings = Settings()
    if not somewhere(settings):
        raise ClientError(nowhere(settings))
    configure("WARNING")
    opened = Archive.open(archive)
    with (
        running(settings, project=False, founding=False) as program,
        in_process(program.asgi, program.local_token) as client,
    ):
        yield client, told(begin_replay(program.jobs, program.ledger, kind, archive=opened, elsewhere=cluster))


def _show(report: dict[str, Any], kind: str) -> None:
    if kind == "compare":
        say(f"Compared at position {report['position']}; the live tables stay.")
    else:
        say(
            f"Generation {report['generation']} is live, at position {report['position']}; "
            "--back returns to the one before."
        )
    if report["compared_at"] is None:
        say("The tables before could not be compared.")
    elif not report["differences"]:
        say("No row differs.")
    else:
        say(f"{report['differing']} rows differ:")
        numbers = ("rows", "only_live", "only_new", "changed")
        rows = [one | {"columns": _columns(one)} for one in report["differences"]]
        show_rows(("table", *numbers, "columns"), rows, right=numbers)
        for one in report["differences"]:
            for cell in one["changed_samples"]:
                key = ", ".join(str(value) for value in cell["key"].values())
                say(f"  {one['table']} {key}: {cell['column']} {cell['live']} → {cell['new']}")
            for side in ("live", "new"):
                for row in one[f"{side}_samples"]:
                    say(f"  {one['table']}, only {side}: {row}")


def _columns(one: dict[str, Any]) -> str:
    """The columns that differ: how often, or that only one side has them."""
    told = [f"{name} ×{count:,}" for name, count in one["columns"].items()]
    return ", ".join(
        [*told, *(f"+{name}" for name in one["columns_added"]), *(f"−{name}" for name in one["columns_gone"])]
    )
