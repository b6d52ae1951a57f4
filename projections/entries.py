"""From the bytes of the log's entries to typed columns, in DuckDB and in Spark: counterparts of the view log.events."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ledger.events import COLUMNS
from projections.relation import ENVELOPE, raw_schema

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

IN_SPARK = {"integer": "BIGINT", "boolean": "BOOLEAN"}
FROM_JSON_IN_SPARK = {
    "time": "unix_micros(CAST(data.`{0}` AS TIMESTAMP))",
    "day": "unix_date(CAST(data.`{0}` AS DATE)) * 86400000000",
    "week": "(unix_date(trunc(make_date(CAST(substr(data.`{0}`, 1, 4) AS INT), 1, 4), 'WEEK')) "
    "+ 7 * (CAST(substr(data.`{0}`, 7, 2) AS INT) - 1)) * 86400000000",
    "quarter": "unix_date(make_date(CAST(substr(data.`{0}`, 1, 4) AS INT), "
    "CAST(substr(data.`{0}`, 7, 1) AS INT) * 3 - 2, 1)) * 86400000000",
}


def typed_sql(aggregate: str) -> str:
    """The statement that adds an aggregate's entries among those in `chunk` (the envelope's columns and `entry`) to
    `raw_<aggregate>`."""
    columns = raw_schema(aggregate).names
    told = ", ".join(map(_quoted, columns))
    return f"INSERT INTO {_quoted(f'raw_{aggregate}')} ({told}) {typed_query(columns, aggregate=aggregate)}"


def typed_query(columns: Sequence[str], carried: Sequence[str] = (), aggregate: str | None = None) -> str:
    """The query that gives columns of the entries in `chunk` (of all, or of one aggregate's), typed; `carried` are
    further columns of `chunk`."""
    kinds = {name: COLUMNS[name] for name in columns if name in COLUMNS}
    shape = json.dumps({name: JSON_TYPES[kind] for name, kind in kinds.items()})
    fields = ", ".join(
        f'{FROM_JSON.get(kind, chr(34).join(("data.", "{0}", ""))).format(name)} AS "{name}"'
        for name, kind in kinds.items()
    )
    envelope = ", ".join(map(_quoted, (*ENVELOPE, *carried)))
    among = "" if aggregate is None else f" WHERE \"aggregate\" = '{aggregate}'"
    return (
        f"SELECT {', '.join(map(_quoted, columns))} FROM (SELECT {envelope}, {fields} FROM "
        f"(SELECT {envelope}, json_transform(CAST(decode(entry) AS JSON) -> 'data', '{shape}') AS data FROM "
        f"chunk{among}))"
    )


def typed_spark_query() -> str:
    """The query that gives the envelope and every typed field of the entries in `chunk`, for Spark."""
    shape = ", ".join(f"`{name}`: {IN_SPARK.get(kind, 'STRING')}" for name, kind in COLUMNS.items())
    fields = ", ".join(
        f"{FROM_JSON_IN_SPARK.get(kind, 'data.`{0}`').format(name)} AS `{name}`" for name, kind in COLUMNS.items()
    )
    envelope = ", ".join(f"`{name}`" for name in ENVELOPE)
    return (
        f"SELECT {envelope}, {fields} FROM (SELECT {envelope}, "
        f"from_json(decode(entry, 'UTF-8'), 'data STRUCT<{shape}>').data AS data FROM chunk)"
    )


def _quoted(name: str) -> str:
    return f'"{name}"'
