"""Spark as an engine: an archive's events into every table, by the same definitions as everywhere.

All that is worked out is written to a folder once, and whoever stands on it reads it there: Spark would otherwise work
a view out again for each of its readers. The driver sees no row; executors read and write the files themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import ibis
import pyarrow
import pyarrow.compute as pc

from ledger.events import AGGREGATES
from ledger.rulebook.expressions import Kind
from projections.compiled import parsed
from projections.contributions import columns_of
from projections.entries import typed_spark_query
from projections.inputs import CALENDARS
from projections.recipes import calendars_of, compiled, definitions
from projections.relation import RAW, effective_apart, effective_schema, raw_schema
from projections.statements import counters_schema
from projections.tables import READABLE, TABLES
from projections.tables.clockwork import DAY_US
from replays.spark.folders import Folder

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Progress = Callable[[str, int, int], None]
TYPES: Final = {"string": "STRING", "int64": "BIGINT", "boolean": "BOOLEAN"}
COUNTED: Final[Mapping[str, Kind]] = {"string": "text", "int64": "integer"}
STORED: Final = {"time": "TIMESTAMP", "day": "DATE"}
OUTWARD: Final[Mapping[str, str]] = {
    "time": "timestamp_micros(`{0}`) AS `{0}`",
    "day": "date_from_unix_date(CAST(`{0}` DIV 86400000000 AS INT)) AS `{0}`",
}
INWARD: Final[Mapping[str, str]] = {
    "time": "unix_micros(`{0}`) AS `{0}`",
    "day": "unix_date(`{0}`) * 86400000000 AS `{0}`",
}
"""A written table has timestamps and dates for those who read it, engines whole microseconds."""
READ: Final[Mapping[str, Callable[[str], pc.Expression]]] = {
    "time": lambda name: pc.field(name).cast(pyarrow.int64()),
    "day": lambda name: pc.multiply(pc.field(name).cast(pyarrow.int32()).cast(pyarrow.int64()), DAY_US),
}
WORK: Final = "_work"
"""The folder of what is not a table: deleted at the end, and passed over by whoever reads the folder above."""
RAW_EVENTS: Final = f"{WORK}/raw_events"
BYTES_A_PARTITION: Final = 64 * 2**20
UNPACKED: Final = 4
"""How many times as large as its archive a log is in Spark's memory, about."""
MOST_PARTITIONS: Final = 2_000


class Tables:
    """Every table by one rule book, worked out into a folder, which must be vacant. Raises FolderTaken."""

    def __init__(self, spark: SparkSession, book_text: str, folder: Folder) -> None:
        folder.require_vacant()
        # names of relations are a session's own, and the processes are shared
        self.spark = spark.newSession()
        self.book_text = book_text
        self.rules = parsed(book_text)
        self.folder = folder
        counters = {name: COUNTED[str(kind)] for name, kind in counters_schema(self.rules).items()} | {"day": "day"}
        self.columns: Mapping[str, Mapping[str, Kind]] = {
            **{name: columns_of(name, self.rules) for name in TABLES},
            **{name: READABLE[name].columns for name in READABLE if name not in TABLES},
            "counters": counters,
        }
        """The tables' columns and their kinds."""

    def load(
        self,
        typed: Sequence[str],
        entries: Sequence[str],
        upto: int,
        size: int = 0,
        progress: Progress = lambda *_: None,
    ) -> None:
        """Take in the events up to a position out of an archive's segments, together `size` bytes: of some the typed
        columns, of others the entries, which are typed here."""
        progress("reading the archive", 0, 1)
        self._partitions(size)
        told = [self.spark.read.parquet(*typed)] if typed else []
        if entries:
            self.spark.read.parquet(*entries).createOrReplaceTempView("chunk")
            told.append(self.spark.sql(typed_spark_query()))
        for part in told:
            # a folder for each aggregate, so that a table reads only the events it is made of
            rows = part.where(part["position"] <= upto).select(*RAW.names)
            rows.write.mode("append").partitionBy("aggregate").parquet(self.folder.uri(RAW_EVENTS))
        progress("reading the archive", 1, 1)

    def build(self, progress: Progress = lambda *_: None) -> None:
        """Work out effective events, all tables, the clocks and the counters."""
        for done, aggregate in enumerate(AGGREGATES):
            progress("ordering events", done, len(AGGREGATES))
            self._effective(aggregate)
        for name, content in calendars_of(self.book_text).items():
            self._calendar(name, content)
        known = definitions(self.book_text, "pyspark")
        counters = counters_schema(self.rules)
        for done, table in enumerate(known):
            progress(f"building {table.name}", done, len(known))
            for stage, schema, query in table.stages:
                self.fill(stage, schema, query, within=WORK)
            self.fill(table.name, table.schema, table.rows)
            for stage, _, _ in table.stages:
                self.spark.catalog.dropTempView(stage)
                self.folder.delete(f"{WORK}/{stage}")
            if table.contributions is not None:
                self.fill("counters", counters, table.contributions)
        progress("built", len(known), len(known))

    def fill(self, name: str, schema: ibis.Schema, query: str, within: str = "") -> None:
        """Add the rows of a query to a relation, which is written then, and read from there by its name."""
        self.spark.sparkContext.setJobDescription(name)
        kinds = {} if within else self.columns[name]
        uri = self.folder.uri(f"{within}/{name}".lstrip("/"))
        cast = ", ".join(f"CAST(`{column}` AS {TYPES[str(kind)]}) AS `{column}`" for column, kind in schema.items())
        rows = self.spark.sql(f"SELECT {cast} FROM ({query})")
        rows.selectExpr(*_turned(schema.names, kinds, OUTWARD)).write.mode("append").parquet(uri)
        stored = ", ".join(
            f"`{column}` {STORED.get(kinds.get(column, ''), TYPES[str(kind)])}" for column, kind in schema.items()
        )
        written = self.spark.read.schema(stored).parquet(uri)
        written.selectExpr(*_turned(schema.names, kinds, INWARD)).createOrReplaceTempView(name)

    def events(self) -> DataFrame:
        """The typed events taken in."""
        stored = ", ".join(f"`{name}` {TYPES[str(kind)]}" for name, kind in RAW.items())
        return self.spark.read.schema(stored).parquet(self.folder.uri(RAW_EVENTS))

    def rows(self, table: str) -> Iterator[dict[str, Any]]:
        """The rows of a table, times and days as integers."""
        for batch in self.arrow(table):
            yield from batch.to_pylist()

    def arrow(self, table: str) -> pyarrow.RecordBatchReader:
        """The rows of a table out of its files, as Arrow record batches, times and days as integers."""
        kinds = self.columns[table]
        columns = {name: READ.get(kind, pc.field)(name) for name, kind in kinds.items()}
        return self.folder.dataset(table).scanner(columns=columns).to_reader()

    def count(self, table: str) -> int:
        """How many rows a table has."""
        rows: int = self.folder.dataset(table).count_rows()
        return rows

    def finish(self) -> None:
        """Delete what is not a table."""
        self.folder.delete(WORK)

    def drop(self) -> None:
        """Delete all that was written."""
        for name in self.folder.names():
            self.folder.delete(name)

    def _effective(self, aggregate: str) -> None:
        events = self.events()
        raw = raw_schema(aggregate)
        events = events.where(events["aggregate"] == aggregate).select(*raw.names)
        events.createOrReplaceTempView(f"raw_{aggregate}")
        query = compiled(effective_apart(ibis.table(raw, name=f"raw_{aggregate}")), "pyspark")
        self.fill(f"effective_{aggregate}", effective_schema(aggregate), query, within=WORK)

    def _calendar(self, name: str, content: bytes) -> None:
        self.spark.createDataFrame(pyarrow.ipc.open_stream(content).read_all()).createOrReplaceTempView(f"told_{name}")
        self.fill(name, CALENDARS[name], f"SELECT * FROM `told_{name}`", within=WORK)

    def _partitions(self, size: int) -> None:
        """Have as many pieces as the log needs to be worked on piece by piece, at least two for each core."""
        least = 2 * self.spark.sparkContext.defaultParallelism
        wanted = max(least, min(MOST_PARTITIONS, UNPACKED * size // BYTES_A_PARTITION))
        self.spark.conf.set("spark.sql.shuffle.partitions", str(wanted))


def _turned(names: Sequence[str], kinds: Mapping[str, Kind], how: Mapping[str, str]) -> list[str]:
    return [how.get(kinds.get(name, ""), "`{0}`").format(name) for name in names]
