"""Tallies: rows of a table counted by the value of a column, of a stretch of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql

from projections.generations import Generation

COUNTED = sql.SQL(
    "SELECT coalesce({by}, ''), count(*), count(*) FILTER (WHERE {lasting}), sum({lasted})::bigint FROM {table} "
    "WHERE {at} >= %(begins)s AND {at} < %(ends)s AND {standing} GROUP BY 1 ORDER BY 2 DESC, 1"
)


@dataclass(frozen=True)
class Tallied:
    """How many rows have a value ('' for none); of those that last, how many still did, and for how long (in
    microseconds, up to the moment of asking) all of them together."""

    value: str
    count: int
    lasting: int
    lasted: int | None


def tally(
    connection: Connection[Any],
    generation: Generation,
    table: str,
    *,
    at: str,
    by: str,
    begins: int,
    ends: int,
    asked: int,
    until: str | None = None,
    merged: bool = False,
) -> list[Tallied]:
    """Rows whose moment `at` lies from `begins` on and before `ends`, the most frequent value first.

    `until` is the column of the moment at which a row ended; with `merged`, what was merged away is left out. Moments
    are in microseconds. Within the snapshot of the caller's transaction.
    """
    moment = sql.Identifier(at)
    lasting: sql.Composable = sql.SQL("false")
    lasted: sql.Composable = sql.SQL("NULL::bigint")
    if until is not None:
        ended = sql.Identifier(until)
        lasting = sql.SQL("coalesce({}, %(asked)s + 1) > %(asked)s").format(ended)
        lasted = sql.SQL("least(coalesce({}, %(asked)s), %(asked)s) - {}").format(ended, moment)
    query = COUNTED.format(
        by=sql.Identifier(by),
        lasting=lasting,
        lasted=lasted,
        table=sql.Identifier(generation.schema, table),
        at=moment,
        standing=sql.SQL("merged_into IS NULL" if merged else "true"),
    )
    values = {"begins": begins, "ends": min(ends, asked + 1), "asked": asked}
    return [Tallied(*row) for row in connection.execute(query, values)]
