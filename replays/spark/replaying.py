"""A replay on Spark: an archive, examined by the workers that read it, and every table out of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from ledger.rulebook.rules import in_force
from projections.compiled import parsed
from projections.tables import READABLE
from replays.archive.columns import current
from replays.archive.manifest import ArchiveDamaged, Finding, Segment
from replays.archive.reading import Archive
from replays.spark.engine import Tables
from replays.spark.folders import Folder, spark_uri
from replays.spark.session import session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Progress = Callable[[str, int, int], None]
OVERVIEW: Final = "replay.json"


@dataclass(frozen=True)
class Cluster:
    """Where Spark runs. master: `spark://host:7077`, `local[2]`, …; conf: further settings of Spark; work: a folder or
    URI that all its workers and this machine reach, for tables on their way into a ledger (default: one of this
    machine, which will do where the workers are on it)."""

    master: str
    conf: Mapping[str, str] = field(default_factory=dict)
    work: str | None = None

    @contextmanager
    def tables(
        self, archive: Archive, book_text: str, upto: int, progress: Progress = lambda *_: None
    ) -> Iterator[Tables]:
        """All tables out of an archive's events up to a position, for as long as they are asked for.

        Raises NoSpark, SparkFailed, ArchiveDamaged, FolderTaken.
        """
        with tempfile.TemporaryDirectory(prefix="reqledger-spark-") as here, session(self.master, self.conf) as spark:
            made = worked_out(spark, archive, book_text, upto, self.work or here, progress)
            try:
                yield made
            finally:
                made.drop()

    def write(self, archive: Archive, out: str, progress: Progress = lambda *_: None) -> dict[str, Any]:
        """Write all tables of an archive, under the rule books in force at its end, into a vacant folder as Parquet,
        and beside them, last, what they are of; the latter.

        Raises NoSpark, SparkFailed, ArchiveDamaged, FolderTaken.
        """
        with session(self.master, self.conf) as spark:
            book_text = in_force(archive.books())
            made = worked_out(spark, archive, book_text, archive.last, out, progress)
            told = {
                "ledger_id": str(archive.manifest.ledger_id),
                "simulated": archive.manifest.simulated,
                "position": archive.last,
                "rule_books": [
                    {"rule_book": book.rule_book, "version": book.version, "digest": book.digest()}
                    for book in parsed(book_text).books
                ],
                "tables": {
                    name: {"folder": name, "rows": made.count(name), "columns": dict(made.columns[name])}
                    for name in (*READABLE, "counters")
                },
            }
            made.folder.write(OVERVIEW, orjson.dumps(told, option=orjson.OPT_INDENT_2))
            return told


def worked_out(
    spark: SparkSession, archive: Archive, book_text: str, upto: int, out: str, progress: Progress
) -> Tables:
    """Tables written to a vacant folder; where that fails, nothing is left in it.

    Raises ArchiveDamaged, FolderTaken.
    """
    wanted = archive.upto(upto)
    typed = [one for one in wanted if one.typed == current()]
    made = Tables(spark, book_text, Folder(spark, out))
    try:
        examine(spark, archive, wanted, progress)
        entries = [one for one in wanted if one not in typed]
        size = sum(one.bytes for one in wanted)
        made.load(_uris(archive, typed), _uris(archive, entries), upto, size, progress)
        made.build(progress)
        made.finish()
    except BaseException:
        made.drop()
        raise
    return made


def examine(spark: SparkSession, archive: Archive, segments: Sequence[Segment], progress: Progress) -> None:
    """Have the workers compare each segment's bytes with what the manifest says of them. Raises ArchiveDamaged."""
    progress("checking the archive", 0, len(segments))
    found = [*archive.manifest.gaps()]
    there = {*archive.storage.names("segments")}
    found += [Finding(one.file, "is missing") for one in segments if one.file not in there]
    if not found:
        files = spark.read.format("binaryFile").load(_uris(archive, segments))
        rows = files.selectExpr("substring_index(path, '/', -2) AS file", "length", "sha2(content, 256) AS sha256")
        told = {row["file"]: (row["length"], row["sha256"]) for row in rows.collect()}
        found += [
            Finding(one.file, f"was altered: its SHA-256 is {told[one.file][1]}, and was {one.sha256}")
            for one in segments
            if told[one.file] != (one.bytes, one.sha256)
        ]
    if found:
        raise ArchiveDamaged(archive.place, found)
    progress("checking the archive", len(segments), len(segments))


def _uris(archive: Archive, segments: Sequence[Segment]) -> list[str]:
    return [spark_uri(archive.uri(one)) for one in segments]
