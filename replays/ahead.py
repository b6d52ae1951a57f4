"""Rows of a query as Arrow batches, read ahead: the database works on the next ones while one is worked on here."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import pyarrow

WAITING: Final = 2
"""Batches that may wait to be worked on."""
BATCH_BYTES: Final = 16 << 20


def batches(connection: Any, query: str, batch_bytes: int = BATCH_BYTES) -> Iterator[pyarrow.RecordBatch]:
    """The batches of a query on an ADBC connection that have rows, of about so many bytes each, in its order.

    Meanwhile the connection is not to be used otherwise. Raises what reading raises.
    """
    ready: queue.Queue[pyarrow.RecordBatch | BaseException | None] = queue.Queue(WAITING)
    stopping = threading.Event()

    def read() -> None:
        try:
            with connection.cursor() as cursor:
                cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(batch_bytes)})
                cursor.execute(query)
                for batch in cursor.fetch_record_batch():
                    if stopping.is_set():
                        return
                    if batch.num_rows:
                        ready.put(batch)
            ready.put(None)
        except BaseException as error:
            ready.put(error)

    thread = threading.Thread(target=read, name="reading-ahead", daemon=True)
    thread.start()
    try:
        while (batch := ready.get()) is not None:
            if isinstance(batch, BaseException):
                raise batch
            yield batch
    finally:
        # whoever stops early may close the connection next; the reader may be waiting for room
        stopping.set()
        while thread.is_alive():
            with suppress(queue.Empty):
                ready.get(timeout=0.02)
