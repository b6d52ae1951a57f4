"""The data keys of an archive: as they stood when it was last written, wrapped, in one file that replaces the last.

Without them what is encrypted in the segments could be read by nobody. They open nothing without the key-encryption
key, which is in no archive; a key that was destroyed is in it as destroyed, from the next writing on.
"""

from __future__ import annotations

from typing import Any, Final

import pyarrow
import pyarrow.parquet
from psycopg import Connection

from replays.archive.manifest import KEYS, KeptKeys, Manifest
from replays.archive.storage import Storage

SCHEMA: Final = pyarrow.schema(
    {
        "aggregate": pyarrow.string(),
        "subject": pyarrow.string(),
        "number": pyarrow.int32(),
        "wrapped": pyarrow.binary(),
        "wrapped_by": pyarrow.string(),
        "destroyed_at": pyarrow.int64(),
    }
)
BATCH: Final = 50_000
ROWS: Final = f"SELECT {', '.join(SCHEMA.names)} FROM log.data_keys ORDER BY aggregate, subject, number"
COPY: Final = f"COPY log.data_keys ({', '.join(SCHEMA.names)}) FROM STDIN"
WRAPPING: Final = "SELECT fingerprint FROM log.wrapping_keys ORDER BY since, fingerprint"
KNOW: Final = "INSERT INTO log.wrapping_keys (fingerprint) VALUES (%s)"


def archive_keys(connection: Connection[Any], storage: Storage) -> KeptKeys:
    """Write the file of data keys as they stand now; it is named after its digest."""
    unnamed = f"{KEYS}/writing.parquet"
    with storage.filling(unnamed) as path, pyarrow.parquet.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        rows = 0
        with connection.transaction(), connection.cursor("data_keys") as cursor:
            cursor.itersize = BATCH
            cursor.execute(ROWS)
            while found := cursor.fetchmany(BATCH):
                rows += len(found)
                columns = zip(*found, strict=True)
                arrays = [pyarrow.array(list(one), kind) for one, kind in zip(columns, SCHEMA.types, strict=True)]
                writer.write_batch(pyarrow.record_batch(arrays, schema=SCHEMA))
    digest, length = storage.digest(unnamed)
    kept = KeptKeys(
        rows=rows, bytes=length, sha256=digest, wrapping=tuple(one for (one,) in connection.execute(WRAPPING))
    )
    storage.write(kept.file, storage.read(unnamed))
    storage.delete(unnamed)
    return kept


def restore_keys(connection: Connection[Any], storage: Storage, manifest: Manifest) -> None:
    """Put an archive's data keys into an empty ledger."""
    if manifest.keys is None:
        return
    for fingerprint in manifest.keys.wrapping:
        connection.execute(KNOW, [fingerprint])
    with storage.open(manifest.keys.file) as file, connection.cursor() as cursor, cursor.copy(COPY) as copy:
        for batch in pyarrow.parquet.ParquetFile(file).iter_batches(BATCH):
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                copy.write_row(row)
