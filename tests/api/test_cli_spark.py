"""`reqledger replay --engine spark://…` where Spark cannot be run, or is told too little."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ledger.settings import Settings
from projections import generations
from tests.api.test_cli import Run, on_company, run

__all__ = ["on_company", "run"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--engine", "spark://h:7077"], "Spark reads an archive"),
        (["--engine", "flink", "--archive", "a"], "a Spark master"),
        (["--engine", "local[x]", "--archive", "a"], "a Spark master"),
        (["--out", "tables"], "are for Spark"),
        (["--conf", "a=b"], "are for Spark"),
        (["--engine", "local[2]", "--archive", "a", "--conf", "a"], "NAME=VALUE"),
        (["--engine", "local[2]", "--archive", "a", "--out", "b", "--work", "c"], "choose one"),
        (["--engine", "local[2]", "--archive", "a", "--out", "b", "--compare"], "choose one"),
        (["--engine", "local[2]", "--archive", "a", "--back"], "leave out"),
    ],
)
def test_what_is_missing_is_said(run: Run, arguments: list[str], said: str) -> None:
    told = run("replay", *arguments)
    assert told.status == 2
    assert said in " ".join(told.err.replace("│", " ").split())


@pytest.fixture
def without_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pyspark", "py4j"):
        for module in [each for each in sys.modules if each.partition(".")[0] == name]:
            monkeypatch.delitem(sys.modules, module)
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.usefixtures("without_spark")
def test_without_the_extra_it_says_what_to_install(on_company: Run, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    on_company("archive", "write", folder)
    for further in (["--out", tmp_path / "out"], ["--compare"]):
        told = on_company("replay", "--engine", "local[2]", "--archive", folder, *further)
        assert told.status == 1
        assert "pip install 'requirements-ledger[spark]'" in " ".join(told.err.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("without_spark")
def test_a_rebuild_that_could_not_be_begun_leaves_nothing(
    on_company: Run, company_database: Settings, tmp_path: Path
) -> None:
    from ledger.log.application import Ledger

    folder = tmp_path / "archive"
    on_company("archive", "write", folder)
    with Ledger.open(company_database) as ledger, ledger.pool.connection() as connection:
        before = generations.live(connection)
        on_company("replay", "--engine", "local[2]", "--archive", folder)
        assert generations.live(connection) == before
        left = connection.execute("SELECT count(*) FROM projections.generations WHERE state = 'building'").fetchone()
    assert left == (0,)
