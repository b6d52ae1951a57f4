"""What stands beside the entries and was derived from them as they were appended: their columns, and what they name.

An entry's bytes begin with the envelope in a fixed order, so that most rows are held against their bytes by one
comparison in DuckDB. What does not match that way, and every void, is derived again by the code that appends.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import duckdb
import pyarrow
from psycopg import Connection

from ledger.claims import decode
from ledger.errors import Invalid
from ledger.log.persistence import ENTRY_COLUMNS, REFERENCES, entry_of
from projections.relation import FIELDS
from replays.archive.columns import COLUMNS, current, segment_query
from replays.archive.loading import segment_rows
from replays.archive.manifest import Segment
from replays.archive.reading import Archive
from replays.engine import Engine
from replays.findings import Finding

TIMES: Final = ("occurred_at", "recorded_at")
ENTRIES: Final = f"""
SELECT {", ".join(f"{name} AT TIME ZONE 'UTC' AS {name}" if name in TIMES else name for name in ENTRY_COLUMNS)}
FROM log.entries WHERE position <= {{upto}} ORDER BY position
"""
"""The rows of the log in order; `upto` is a position. Times come without a zone, in UTC."""
BYTES: Final = "SELECT position, entry FROM log.entries WHERE position <= {upto} ORDER BY position"
"""The same without what was derived."""
DIFFERENT: Final = """
SELECT place FROM chunk WHERE coalesce(NOT starts_with(decode(entry),
    '{"position":' || position || ',"type":"' || type || '","aggregate":"' || aggregate || '","subject":"' || subject
    || '","version":' || version || ',"occurred_at":"' || strftime(occurred_at, '%Y-%m-%dT%H:%M:%S.%fZ')
    || '","recorded_at":"' || strftime(recorded_at, '%Y-%m-%dT%H:%M:%S.%fZ') || '","recorded_by":"' || recorded_by
    || '","source":"' || source || '","id":"' || id || '"'
), true) OR voided_position IS NOT NULL OR type = 'record.voided' ORDER BY place
"""
NAMING: Final = tuple(sorted({field for references in REFERENCES.values() for _, field in references}))
"""Every field in which an event may name another entity."""
DIGEST: Final = "md5_number(aggregate || chr(0) || subject || chr(0) || field)"
NAMED: Final = f"""
INSERT INTO told_names SELECT position, {DIGEST} FROM (
    SELECT position, type, unnest(json_extract_string(decode(entry), {[f"$.data.{field}" for field in NAMING]}))
           AS subject, unnest({list(NAMING)}) AS field
    FROM chunk WHERE type IN (SELECT type FROM refs)
) JOIN refs USING (type, field) WHERE subject IS NOT NULL
"""
NAMES: Final = "SELECT position, aggregate, subject, field FROM log.names WHERE position <= {upto}"
KEPT: Final = f"INSERT INTO kept_names SELECT position, {DIGEST} FROM chunk"
OTHER_NAMES: Final = """
SELECT DISTINCT position FROM (
    (FROM told_names EXCEPT ALL FROM kept_names) UNION ALL (FROM kept_names EXCEPT ALL FROM told_names)
) ORDER BY position LIMIT {most}
"""
USED: Final = r"""
INSERT INTO told_keys SELECT position, json_extract_string('"' || key || '"', '$') FROM (
    SELECT position, unnest(regexp_extract_all(decode(entry), '\{"key":"((?:[^"\\]|\\.)*)","commitment":', 1)) AS key
    FROM chunk WHERE contains(decode(entry), '","commitment":')
)
"""
"""Which data keys the texts of a chunk's entries are encrypted under."""
MISSING: Final = """
SELECT min(position), key FROM told_keys WHERE key NOT IN (SELECT key FROM kept_keys) GROUP BY key
ORDER BY 1 LIMIT {most}
"""
ENTRIES_AT: Final = "SELECT position, entry FROM log.entries WHERE position = ANY(%s)"
KEPT_KEYS: Final = "SELECT aggregate || ':' || subject || '/' || number FROM log.data_keys"
NAMES_AT: Final = "SELECT aggregate, subject, position, field FROM log.names WHERE position = ANY(%s)"


MOMENTS: Final = ", ".join(f"make_timestamp({name}) AS {name}" for name in TIMES)
IN_SEGMENT: Final = f"SELECT position AS place, * REPLACE ({MOMENTS}) FROM {{rows}}"
TYPED_OTHERWISE: Final = """
SELECT position FROM ({typed} EXCEPT ALL SELECT {columns} FROM {rows}) ORDER BY position LIMIT {most}
"""
"""Positions whose typed columns are not what their entries say. Positions stand once each in a segment."""


Name = tuple[str, str, int, str]
"""Aggregate, subject, position and field, as in log.names."""


class Derived:
    """Holds rows of the log against their bytes, in an engine of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        rows = [(kind, aggregate, field) for kind, references in REFERENCES.items() for aggregate, field in references]
        engine.connection.execute("CREATE TABLE refs (type VARCHAR, aggregate VARCHAR, field VARCHAR)")
        engine.connection.executemany("INSERT INTO refs VALUES (?, ?, ?)", rows)
        for table in ("told_names", "kept_names"):
            engine.connection.execute(f"CREATE TABLE {table} (position BIGINT, digest UHUGEINT)")
        engine.connection.execute("CREATE TABLE told_keys (position BIGINT, key VARCHAR)")

    def columns(self, batch: pyarrow.RecordBatch) -> list[Finding]:
        """What differs between the columns of rows as `ENTRIES` gives them and the rows' bytes."""
        places = pyarrow.array(range(batch.num_rows), pyarrow.int64())
        self._register(batch.append_column("place", places))
        try:
            doubtful = self._engine.connection.execute(DIFFERENT).fetchall()
            self._engine.connection.execute(NAMED)
            self._engine.connection.execute(USED)
        except Exception:
            # bytes that are not even text: each row by itself
            doubtful = [(place,) for place in range(batch.num_rows)]
        return [found for (place,) in doubtful for found in _row(batch.slice(place, 1).to_pylist()[0])]

    def names(self, connection: Connection[Any], source: Any, upto: int, most: int) -> list[Finding]:
        """What differs between what the entries name, of those seen, and the trail; of `most` positions at most."""
        with source.cursor() as cursor:
            cursor.execute(NAMES.format(upto=upto))
            for batch in cursor.fetch_record_batch():
                if batch.num_rows:
                    self._register(batch)
                    self._engine.connection.execute(KEPT)
        found = self._engine.connection.execute(OTHER_NAMES.format(most=most)).fetchall()
        positions = [position for (position,) in found]
        return [*_names(connection, positions)] if positions else []

    def keys(self, connection: Connection[Any], most: int) -> list[Finding]:
        """The data keys that texts seen are encrypted under and of which there is no trace, `most` of them at most."""
        kept = connection.execute(KEPT_KEYS).fetchall()
        table = pyarrow.table({"key": pyarrow.array([key for (key,) in kept], pyarrow.string())})
        self._engine.connection.register("kept_keys", table)
        return [
            Finding(position, f"its data key {key} is gone, and no event says that it was destroyed")
            for position, key in self._engine.connection.execute(MISSING.format(most=most)).fetchall()
        ]

    def _register(self, batch: pyarrow.RecordBatch) -> None:
        self._engine.connection.register("chunk", pyarrow.Table.from_batches([batch]))


def differing_in(engine: Engine, archive: Archive, segment: Segment, most: int) -> list[Finding]:
    """What differs between the columns of an archive's segment and its entries, of `most` positions at most.

    Columns that were typed by other definitions than this program's are not used by it, and not looked at.
    """
    connection = engine.connection
    rows = segment_rows(connection, archive, segment)
    found: list[Finding] = []
    try:
        connection.execute(f"CREATE OR REPLACE TEMP VIEW chunk AS {IN_SEGMENT.format(rows=rows)}")
        doubtful = [place for (place,) in connection.execute(DIFFERENT).fetchall()]
        for row in _rows(connection, "SELECT * FROM chunk WHERE list_contains(?, place)", doubtful):
            found += _row(row)
        if segment.typed == current():
            connection.execute(f"CREATE OR REPLACE TEMP VIEW chunk AS SELECT * FROM {rows}")
            columns = ", ".join(f'"{name}"' for name in COLUMNS)
            otherwise = TYPED_OTHERWISE.format(typed=segment_query(), columns=columns, rows=rows, most=most)
            places = [place for (place,) in connection.execute(otherwise).fetchall()]
            typed = _rows(connection, f"SELECT * FROM ({segment_query()}) WHERE list_contains(?, position)", places)
            kept = _rows(connection, "SELECT * FROM chunk WHERE list_contains(?, position)", places)
            for told, stands in zip(typed, kept, strict=True):
                found += [
                    Finding(told["position"], f"column {name} is {stands[name]!r}, but the entry says {told[name]!r}")
                    for name in FIELDS
                    if told[name] != stands[name]
                ]
    except duckdb.Error as error:
        found.append(Finding(None, f"{segment.file}: its entries cannot be read ({type(error).__name__})"))
    finally:
        connection.execute("DROP VIEW IF EXISTS chunk")
    return found


def _rows(connection: duckdb.DuckDBPyConnection, query: str, places: list[int]) -> list[dict[str, Any]]:
    """The rows of a query for some positions, in their order."""
    found = connection.execute(f"{query} ORDER BY position", [places])
    names = [column[0] for column in found.description or []]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _row(row: dict[str, Any]) -> Iterator[Finding]:
    """What differs in one row, by the code that appends."""
    position = row["position"]
    try:
        derived = dict(zip(ENTRY_COLUMNS, entry_of(decode(row["entry"]), row["entry"]).row, strict=True))
    except Invalid:
        yield Finding(position, "the bytes are not an entry of this ledger")
        return
    for name, told in derived.items():
        kept = row[name].replace(tzinfo=UTC) if isinstance(row[name], datetime) else row[name]
        if kept != told:
            yield Finding(position, f"column {name} is {_shown(kept)}, but the entry says {_shown(told)}")


def _names(connection: Connection[Any], positions: list[int]) -> Iterator[Finding]:
    told, kept = set[Name](), set[Name]()
    for position, entry in connection.execute(ENTRIES_AT, [positions]):
        try:
            told.update(entry_of(decode(bytes(entry)), bytes(entry)).names)
        except Invalid:
            # found as a row already
            positions = [each for each in positions if each != position]
    kept.update(connection.execute(NAMES_AT, [positions]).fetchall())
    for aggregate, subject, position, field in sorted(told - kept, key=lambda name: name[2]):
        yield Finding(position, f"log.names lacks {aggregate} {subject}, which the entry names as its {field}")
    for aggregate, subject, position, field in sorted(kept - told, key=lambda name: name[2]):
        yield Finding(position, f"log.names has {aggregate} {subject} as its {field}, which the entry does not name")


def _shown(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value)
