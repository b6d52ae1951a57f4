"""A Spark session: on a cluster, or inside this process; under settings that give SQL the same meaning everywhere."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from ledger.errors import LedgerError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MASTER: Final = re.compile(r"local(\[(\d+|\*)(,\d+)?\])?|spark://.+|k8s://.+|yarn")
LOOPBACK: Final = re.compile(r"local.*|spark://(127\.\d+\.\d+\.\d+|localhost)(:\d+)?")
ALIKE: Final[Mapping[str, str]] = {
    # an overflow is an error, as it is in PostgreSQL and DuckDB
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.caseSensitive": "true",
    # ${…} in a text of a rule book is text
    "spark.sql.variable.substitute": "false",
    "spark.sql.parser.escapedStringLiterals": "false",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.compression.codec": "zstd",
}
"""Settings that no one can choose otherwise: they decide what is computed, or what its files hold."""


class NoSpark(LedgerError):
    """Spark cannot be run here, or not on what was named."""


class SparkFailed(LedgerError):
    """Spark could not do what it was told; the rest of its own error is the cause."""

    def __init__(self, master: str, error: BaseException) -> None:
        said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        super().__init__(f"Spark on {master} could not go on: {said[:500]}")


def is_master(engine: str) -> bool:
    """Whether an engine's name is that of a Spark master: `spark://host:port`, `local[2]`, `yarn`, `k8s://…`."""
    return MASTER.fullmatch(engine) is not None


@contextmanager
def session(master: str, conf: Mapping[str, str] | None = None) -> Iterator[SparkSession]:
    """A session on a master, stopped at the end; `conf` are further settings of Spark, such as `spark.executor.memory`.

    On this machine's loopback interface, nobody else can reach it. Raises NoSpark, SparkFailed.
    """
    if not is_master(master):
        raise NoSpark(f"{master!r} is no Spark master: name one such as spark://host:7077, local[2], yarn or k8s://…")
    try:
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException
    except ImportError:
        raise NoSpark("Spark is not installed here: run `pip install 'requirements-ledger[spark]'`") from None
    if not os.environ.get("JAVA_HOME") and shutil.which("java") is None:
        raise NoSpark("Spark needs Java 17 or later: install it (Debian: openjdk-17-jre-headless) or set JAVA_HOME")
    try:
        spark = _begin(master, {**(conf or {}), **ALIKE})
        try:
            yield spark
        finally:
            spark.stop()
    except (PySparkException, Py4JError, ConnectionError) as error:
        raise SparkFailed(master, error) from error


def _begin(master: str, conf: Mapping[str, str]) -> SparkSession:
    from pyspark.sql import SparkSession

    here = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    settings = {
        "spark.ui.showConsoleProgress": "false",
        **(here if LOOPBACK.fullmatch(master) else {}),
        **conf,
    }
    builder = SparkSession.builder.master(master).appName("requirements-ledger replay")
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark
