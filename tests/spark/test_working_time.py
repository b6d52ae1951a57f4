"""Clocks on drawn calendars, with pauses, in Spark too: against one minute after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ibis
import psycopg

from projections.recipes import compiled
from tests.projections.test_working_time import Both, agree

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class WithSpark(Both):
    """DuckDB, PostgreSQL and Spark, given the same rows."""

    def __init__(self, postgres: psycopg.Connection[Any], spark: SparkSession) -> None:
        super().__init__(postgres)
        self.spark = spark.newSession()

    def table(self, name: str, schema: ibis.Schema, rows: list[tuple[Any, ...]]) -> None:
        super().table(name, schema, rows)
        self.spark.createDataFrame(self.duckdb.table(name).to_arrow_table()).createOrReplaceTempView(name)

    def stage(self, name: str, rows: Any) -> None:
        super().stage(name, rows)
        self.spark.sql(compiled(rows, "pyspark")).localCheckpoint().createOrReplaceTempView(name)

    def asked(self, rows: Any) -> list[list[tuple[Any, ...]]]:
        in_spark = [tuple(row) for row in self.spark.sql(compiled(rows, "pyspark")).collect()]
        return [*super().asked(rows), in_spark]


def test_deadlines_and_elapsed_time_are_those_of_the_open_minutes_in_spark(postgres: str, spark: SparkSession) -> None:
    with psycopg.connect(postgres) as connection:
        connection.execute("SET jit TO off")
        agree(WithSpark(connection, spark), 4)
