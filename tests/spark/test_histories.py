"""Generated histories, under a book with office-time clocks across a change of the clocks: on Spark as on DuckDB."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from projections.recipes import recipe
from projections.tables import READABLE
from replays.archive.loading import Archived
from replays.archive.reading import Archive
from replays.archive.writing import write
from replays.engine import Replay
from replays.spark.replaying import worked_out
from tests.reference.test_tables_agree import Company

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def test_a_history_comes_out_alike(spark: SparkSession, database: str, tmp_path: Path) -> None:
    company = Company(database, tmp_path, "new_york", Random(7))
    try:
        company.tell(150)
        write(company.ledger, tmp_path / "archive", segment=100)
    finally:
        company.close()
    archive = Archive.open(tmp_path / "archive")
    made = worked_out(spark, archive, company.text, archive.last, str(tmp_path / "tables"), lambda *_: None)
    with Replay(recipe(company.text)) as engine:
        engine.load(Archived(archive), archive.last)
        engine.build()
        for name in (*READABLE, "counters"):
            assert sorted(map(repr, made.rows(name))) == sorted(map(repr, engine.rows(name))), name
