"""`reqledger archive`, `replay --archive` and `as-of`: from a ledger to its archive and back, on the command line."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pyarrow.parquet
import pytest

from ledger.log.application import Ledger
from ledger.settings import Settings
from tests.api.test_cli import Run, on_company, run

__all__ = ["on_company", "run"]


def test_from_a_ledger_to_its_archive_and_back(
    on_company: Run, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "archive"
    written = on_company("archive", "write", folder, "--segment", 1_000, "--json").json
    assert (written["first"], written["left"]) == (1, 0)
    again = on_company("archive", "write", folder)
    assert again.out.startswith(f"Nothing new for {folder}")
    checked = on_company("archive", "check", folder)
    assert (checked.status, "the log says the same" in checked.out) == (0, True)
    replayed = on_company("replay", "--compare", "--archive", folder)
    assert (replayed.status, "No row differs" in replayed.out) == (0, True), replayed.err
    counted = "SELECT count(*) AS n FROM contacts"
    wanted = on_company("as-of", "--sql", counted, "--json").json["rows"]

    assert settings.database_url is not None
    monkeypatch.setenv("LEDGER_DATABASE_URL", settings.database_url.get_secret_value())
    assert on_company("archive", "write", tmp_path / "none").err.startswith("Error: There is no ledger in the database")
    assert on_company("archive", "check", folder).status == 0
    restored = on_company("archive", "restore", folder)
    assert restored.status == 0, restored.err
    assert "prints a first admin key" in restored.out
    assert on_company("as-of", "--sql", counted, "--json").json["rows"] == wanted
    twice = on_company("archive", "restore", folder)
    assert (twice.status, "has a ledger already" in twice.err) == (1, True)
    with Ledger.open(settings) as ledger:
        assert ledger.head().position == written["last"]


def test_a_damaged_archive_is_told(on_company: Run, tmp_path: Path) -> None:
    on_company("archive", "write", tmp_path, "--segment", 1_000)
    first, *_ = sorted((tmp_path / "segments").iterdir())
    first.write_bytes(first.read_bytes()[:-1])
    told = on_company("archive", "check", tmp_path)
    assert (told.status, first.name in told.out, "was altered" in told.out) == (1, True, True)
    (one,) = on_company("archive", "check", tmp_path, "--json").json["findings"]
    assert one["file"] == f"segments/{first.name}"
    replayed = on_company("replay", "--archive", tmp_path)
    assert (replayed.status, first.name in replayed.err) == (1, True)


def test_an_archive_of_another_ledger(on_company: Run, run: Run, tmp_path: Path, ledger: Ledger, settings: Settings,
                                      monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    on_company("archive", "write", tmp_path)
    assert settings.database_url is not None
    monkeypatch.setenv("LEDGER_DATABASE_URL", settings.database_url.get_secret_value())
    told = run("archive", "check", tmp_path)
    assert (told.status, "is of the ledger" in told.err) == (1, True)
    assert run("archive", "check", tmp_path, "--without-log").status == 0


def test_tables_as_of_a_moment(on_company: Run, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_company("archive", "write", tmp_path / "archive")
    told = on_company("as-of", "500", "--out", tmp_path / "tables", "--json").json
    assert (told["position"], pyarrow.parquet.read_metadata(tmp_path / "tables" / "contacts.parquet").num_rows) == (
        500, told["tables"]["contacts"]["rows"],
    )  # fmt: skip
    assert "holds active_spells.parquet already" in on_company("as-of", "--out", tmp_path / "tables").err
    query = (
        "SELECT channel, count(*) AS n, min(received_at) AS first FROM contacts GROUP BY channel ORDER BY n, channel"
    )
    # without any database
    monkeypatch.delenv("LEDGER_DATABASE_URL")
    shown = run("as-of", told["recorded_at"], "--sql", query, "--archive", tmp_path / "archive")
    assert (shown.status, "channel" in shown.out, "as of position" in shown.err) == (0, True, True)
    text = run("as-of", "500", "--sql", query, "--archive", tmp_path / "archive", "--csv").out
    rows = list(csv.DictReader(io.StringIO(text)))
    assert sum(int(row["n"]) for row in rows) == told["tables"]["contacts"]["rows"]
    assert all(row["first"].endswith("Z") for row in rows)


def test_what_as_of_cannot_do_is_said(on_company: Run, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments, said in (
        (("500",), "either --out FOLDER or --sql QUERY"),
        (("500", "--sql", "SELECT 1", "--out", "x"), "either --out FOLDER or --sql QUERY"),
        (("99999999", "--sql", "SELECT 1"), "there is no such position"),
        (("yesterday", "--sql", "SELECT 1"), "MOMENT"),
        (("500", "--sql", "DROP TABLE contacts"), "must be one SELECT"),
        (("500", "--sql", "SELECT 1", "--archive", "/nowhere"), "there is no archive in /nowhere"),
    ):
        told = on_company("as-of", *arguments)
        assert told.status != 0
        assert said in " ".join(told.err.replace("│", " ").split()), told.err
    monkeypatch.delenv("LEDGER_DATABASE_URL")
    assert "There is no ledger" in run("as-of", "--sql", "SELECT 1").err
