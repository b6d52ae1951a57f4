"""From the bytes of the log's entries to typed columns, in DuckDB: the counterpart of the view log.events."""

from __future__ import annotations

import json

from ledger.events import COLUMNS
from projections.relation import ENVELOPE, RAW

JSON_TYPES = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "boolean": "BOOLEAN",
    "time": "TIMESTAMPTZ",
    "day": "DATE",
    "week": "VARCHAR",
    "quarter": "VARCHAR",
}
FROM_JSON = {
    "time": 'epoch_us(data."{0}")',
    "day": 'epoch_us(data."{0}")',
    # the fourth of January lies in the first ISO week of its year
    "week": "epoch_us(date_trunc('week', make_date(CAST(data.\"{0}\"[1:4] AS INTEGER), 1, 4))"
    ' + INTERVAL 7 DAY * (CAST(data."{0}"[7:8] AS INTEGER) - 1))',
    "quarter": 'epoch_us(make_date(CAST(data."{0}"[1:4] AS INTEGER), CAST(data."{0}"[7:7] AS INTEGER) * 3 - 2, 1))',
}


def typed_sql() -> str:
    """The statement that adds the entries in `chunk` (the envelope's columns and `entry`) to `raw_events`."""
    shape = json.dumps({name: JSON_TYPES[kind] for name, kind in COLUMNS.items()})
    fields = ", ".join(
        f'{FROM_JSON.get(kind, chr(34).join(("data.", "{0}", ""))).format(name)} AS "{name}"'
        for name, kind in COLUMNS.items()
    )
    envelope = ", ".join(f'"{name}"' for name in ENVELOPE)
    columns = ", ".join(f'"{name}"' for name in RAW.names)
    return (
        f"INSERT INTO raw_events ({columns}) SELECT {columns} FROM (SELECT {envelope}, {fields} FROM "
        f"(SELECT {envelope}, json_transform(CAST(decode(entry) AS JSON) -> 'data', '{shape}') AS data FROM chunk))"
    )
