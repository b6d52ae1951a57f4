"""Reading the live tables: filters, order, pages, and what runs out next."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from psycopg import Connection, sql

from ledger.rulebook.expressions import Kind
from projections.contributions import columns_of
from projections.generations import Generation, live, position
from projections.standing import READABLE_STANDING, moments, rows_sql
from projections.tables import READABLE
from projections.tables.standing import STANDING
from projections.values import BadValue, read, shown

Operator = Literal["eq", "ne", "lt", "lte", "gt", "gte", "in", "null"]
COMPARE: Mapping[str, sql.SQL] = {
    "eq": sql.SQL("{} = {}"),
    "ne": sql.SQL("{} IS DISTINCT FROM {}"),
    "lt": sql.SQL("{} < {}"),
    "lte": sql.SQL("{} <= {}"),
    "gt": sql.SQL("{} > {}"),
    "gte": sql.SQL("{} >= {}"),
}
SURROGATE = re.compile(r"[\ud800-\udfff]")
DUE = [(name, False) for name in ("deadline", "clock", "aggregate", "subject", "part")]
AND, OR, COMMA = sql.SQL(" AND "), sql.SQL(" OR "), sql.SQL(", ")


KEYS: Mapping[str, tuple[str, ...]] = {
    **{name: table.key for name, table in READABLE.items()},
    **{name: STANDING[name].key for name in READABLE_STANDING},
}
"""All that can be read, and what names a row of it."""


class UnknownTable(LookupError):
    """There is no such table."""


class UnknownColumn(LookupError):
    """The table has no such column."""


class BadCursor(ValueError):
    """The cursor is not one that this table and order gave out."""


@dataclass(frozen=True)
class Filter:
    """A condition on a column; `values` are texts as a person writes them (for `null`: true or false)."""

    column: str
    operator: Operator
    values: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """Rows of a table, ready to show, as of a position of the log. `next_cursor` is None on the last page."""

    columns: Mapping[str, Kind]
    rows: list[dict[str, Any]]
    next_cursor: str | None
    position: int


def columns(generation: Generation, table: str) -> dict[str, Kind]:
    """The columns a table has in a generation. Raises UnknownTable."""
    if table not in KEYS:
        raise UnknownTable(f"there is no table {table!r}; there are {', '.join(sorted(KEYS))}")
    if table == "clocks":
        return dict(READABLE[table].columns)
    return columns_of(table, generation.rules)


def read_table(
    connection: Connection[Any],
    table: str,
    *,
    asked: int | None = None,
    filters: Sequence[Filter] = (),
    sort: Sequence[str] = (),
    cursor: str | None = None,
    limit: int = 100,
) -> Page:
    """One page of a live table, within one snapshot; `asked` (microseconds) is the moment of asking, for a table that
    depends on it.

    `sort` names columns, `-` before one for descending; rows without a value come last. Raises UnknownTable,
    UnknownColumn, BadValue, BadCursor.
    """
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    generation = live(connection)
    kinds = columns(generation, table)
    order = _order(table, kinds, sort)
    where = [_condition(each, kinds, table) for each in filters]
    if cursor is not None:
        where.append(_after(order, kinds, open_cursor(cursor, table, order, kinds)))
    query = sql.SQL("{} SELECT {} FROM {} AS rows {} ORDER BY {} LIMIT {}").format(
        _moments(connection, generation, table, asked),
        COMMA.join(map(sql.Identifier, kinds)),
        _where_rows_are(generation, table),
        sql.SQL("WHERE ") + AND.join(where) if where else sql.SQL(""),
        _ordered(order),
        sql.Literal(limit + 1),
    )
    found = [dict(zip(kinds, row, strict=True)) for row in connection.execute(query)]
    more = len(found) > limit
    found = found[:limit]
    return Page(
        columns=kinds,
        rows=[{name: shown(kind, row[name]) for name, kind in kinds.items()} for row in found],
        next_cursor=close_cursor(table, order, found[-1]) if more else None,
        position=position(connection, generation),
    )


def _moments(connection: Connection[Any], generation: Generation, table: str, asked: int | None) -> sql.Composable:
    if table not in READABLE_STANDING:
        return sql.SQL("")
    if asked is None:
        raise ValueError(f"{table} depends on the moment of asking: give one")
    return moments(connection, generation, (), asked)


def _where_rows_are(generation: Generation, table: str) -> sql.Composable:
    if table in READABLE_STANDING:
        found = rows_sql(generation.book_text, generation.schema, table)
        return sql.SQL("({})").format(sql.SQL(found))
    return sql.Identifier(generation.schema, table)


def rows_of(
    connection: Connection[Any], table: str, *, asked: int, most: int
) -> tuple[dict[str, Kind], list[dict[str, Any]], int]:
    """A live table's columns, its rows by key (cells as engines hold them; `most` of them), and their position.

    Within the snapshot of the caller's transaction. Raises UnknownTable.
    """
    generation = live(connection)
    kinds = columns(generation, table)
    query = sql.SQL("{} SELECT {} FROM {} AS rows ORDER BY {} LIMIT {}").format(
        _moments(connection, generation, table, asked),
        COMMA.join(map(sql.Identifier, kinds)),
        _where_rows_are(generation, table),
        COMMA.join(map(sql.Identifier, KEYS[table])),
        sql.Literal(most),
    )
    found = [dict(zip(kinds, row, strict=True)) for row in connection.execute(query)]
    return kinds, found, position(connection, generation)


def due_clocks(
    connection: Connection[Any],
    *,
    asked: int,
    before: int,
    overdue: bool = False,
    cursor: str | None = None,
    limit: int = 100,
) -> Page:
    """Clocks that run out before a moment (all in microseconds), the next one first.

    With `overdue`, also those that ran out already and still have not stopped. Each row says `overdue` and how long
    is left (`left_us`, negative when overdue). Raises BadCursor.
    """
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    generation = live(connection)
    kinds = columns(generation, "clocks")
    running = sql.SQL(
        "(SELECT * FROM {table} WHERE outcome IS NULL AND deadline < {before} AND deadline >= {least})"
    ).format(
        table=sql.Identifier(generation.schema, "clocks"),
        before=sql.Literal(before),
        least=sql.Literal(-(2**63) if overdue else asked),
    )
    found, more = paged(connection, running, kinds, DUE, mark="due", cursor=cursor, limit=limit)
    rows = []
    for cells in found:
        told = {name: shown(kind, cells[name]) for name, kind in kinds.items()}
        left = cells["deadline"] - asked
        rows.append({**told, "left_us": left, "overdue": left < 0})
    full: dict[str, Kind] = {**kinds, "left_us": "duration", "overdue": "boolean"}
    return Page(full, rows, more, position(connection, generation))


def paged(
    connection: Connection[Any],
    rows: sql.Composable,
    kinds: Mapping[str, Kind],
    order: list[tuple[str, bool]],
    *,
    mark: str,
    cursor: str | None,
    limit: int,
) -> tuple[list[dict[str, Any]], str | None]:
    """One page of what a query in parentheses gives, cells as engines hold them, and the cursor of the next page.

    The last column of the `order` (column, whether it descends) is never empty; `mark` tells the lists apart that
    cursors are for. Raises BadCursor.
    """
    beyond = sql.SQL("true") if cursor is None else _after(order, kinds, open_cursor(cursor, mark, order, kinds))
    query = sql.SQL("SELECT {columns} FROM {rows} AS rows WHERE {beyond} ORDER BY {order} LIMIT {limit}").format(
        columns=COMMA.join(map(sql.Identifier, kinds)),
        rows=rows,
        beyond=beyond,
        order=_ordered(order),
        limit=sql.Literal(limit + 1),
    )
    found = [dict(zip(kinds, row, strict=True)) for row in connection.execute(query)]
    more = close_cursor(mark, order, found[limit - 1]) if len(found) > limit else None
    return found[:limit], more


def _ordered(order: list[tuple[str, bool]]) -> sql.Composable:
    return COMMA.join(
        sql.SQL("{} {} NULLS LAST").format(sql.Identifier(name), sql.SQL("DESC" if down else "ASC"))
        for name, down in order
    )


def _order(table: str, kinds: Mapping[str, Kind], sort: Sequence[str]) -> list[tuple[str, bool]]:
    order = [(name.removeprefix("-"), name.startswith("-")) for name in sort]
    for name, _ in order:
        _known(table, name, kinds)
    named = {name for name, _ in order}
    return order + [(name, False) for name in KEYS[table] if name not in named]


def _known(table: str, column: str, kinds: Mapping[str, Kind]) -> Kind:
    if column not in kinds:
        raise UnknownColumn(f"table {table} has no column {column!r}; it has {', '.join(kinds)}")
    return kinds[column]


def _condition(each: Filter, kinds: Mapping[str, Kind], table: str) -> sql.Composable:
    kind = _known(table, each.column, kinds)
    column = sql.Identifier(each.column)
    try:
        if each.operator == "null":
            return sql.SQL("{} IS NULL" if read("boolean", each.values[0]) else "{} IS NOT NULL").format(column)
        values = [read(kind, value) for value in each.values]
    except BadValue as error:
        raise BadValue(f"{each.column}: {error}") from error
    if each.operator == "in":
        return sql.SQL("{} = ANY({})").format(column, sql.Literal(values))
    return COMPARE[each.operator].format(column, sql.Literal(values[0]))


def _after(order: list[tuple[str, bool]], kinds: Mapping[str, Kind], last: list[Any]) -> sql.Composable:
    """Rows behind the last one of a page, in an order in which NULL comes last."""
    ways = []
    for index, (name, down) in enumerate(order):
        if last[index] is None:
            continue
        same = [
            sql.SQL("{} IS NOT DISTINCT FROM {}").format(sql.Identifier(earlier), sql.Literal(last[place]))
            for place, (earlier, _) in enumerate(order[:index])
        ]
        column = sql.Identifier(name)
        beyond = sql.SQL("({0} < {1} OR {0} IS NULL)" if down else "({0} > {1} OR {0} IS NULL)")
        ways.append(AND.join([*same, beyond.format(column, sql.Literal(last[index]))]))
    return sql.SQL("({})").format(OR.join(sql.SQL("({})").format(way) for way in ways))


def close_cursor(table: str, order: list[tuple[str, bool]], row: Mapping[str, Any]) -> str:
    """The place behind a row, good for the same table and order only."""
    place = [_order_mark(table, order), *(row[name] for name, _ in order)]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def open_cursor(cursor: str, table: str, order: list[tuple[str, bool]], kinds: Mapping[str, Kind]) -> list[Any]:
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError) as error:
        raise BadCursor("this cursor cannot be read; start again without one") from error
    if not isinstance(place, list) or len(place) != len(order) + 1 or place[0] != _order_mark(table, order):
        raise BadCursor("this cursor belongs to another table or order; start again without one")
    values = place[1:]
    fit = all(_fits(kinds[name], value) for (name, _), value in zip(order, values, strict=True))
    if not fit or values[-1] is None:
        raise BadCursor("this cursor was not given out by this ledger; start again without one")
    return values


def _order_mark(table: str, order: list[tuple[str, bool]]) -> str:
    return hashlib.sha256(json.dumps([table, order]).encode()).hexdigest()[:8]


def _fits(kind: Kind, value: Any) -> bool:
    """Whether a cursor's value can stand in a column."""
    if value is None:
        return True
    if kind == "text":
        return isinstance(value, str) and "\x00" not in value and not SURROGATE.search(value)
    if kind == "boolean":
        return isinstance(value, bool)
    return type(value) is int and -(2**63) <= value < 2**63
