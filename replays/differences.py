"""What differs between two generations of the tables, at one position: rows by key, and cells column by column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import Connection, sql

from projections.generations import Generation
from projections.tables import TABLES
from replays.engine import Progress

SAMPLE = 5
COLUMNS = (
    "SELECT column_name FROM information_schema.columns "
    "WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position"
)
SIDES = sql.SQL(
    "(SELECT * FROM {one} {nonzero}) AS live FULL JOIN (SELECT * FROM {other} {nonzero}) AS new ON {same_key}"
)
COUNT = sql.SQL("SELECT count(*) FROM {}")
COUNTS = sql.SQL("SELECT {columns} FROM {sides}")
ROWS = sql.SQL("SELECT {columns} FROM {sides} WHERE {condition} ORDER BY {key} LIMIT {sample}")
NONZERO = sql.SQL("WHERE numerator <> 0 OR denominator <> 0")
MEASURES = ("numerator", "denominator")
COMMA, AND = sql.SQL(", "), sql.SQL(" AND ")


@dataclass(frozen=True)
class Changed:
    """A cell that both generations have, with another value in each."""

    key: dict[str, Any]
    column: str
    live: Any
    new: Any


@dataclass(frozen=True)
class TableDifference:
    """How one table differs: rows only in the live generation or only in the new one, rows changed, how often each
    column was, and the first few of each kind. Columns and tables that only one of the two has are named.

    rows: those of the new table.
    """

    table: str
    rows: int
    only_live: int = 0
    only_new: int = 0
    changed: int = 0
    columns: dict[str, int] = field(default_factory=dict)
    live_samples: list[dict[str, Any]] = field(default_factory=list)
    new_samples: list[dict[str, Any]] = field(default_factory=list)
    changed_samples: list[Changed] = field(default_factory=list)
    columns_gone: tuple[str, ...] = ()
    columns_added: tuple[str, ...] = ()

    @property
    def differing(self) -> int:
        return self.only_live + self.only_new + self.changed


def differences(
    connection: Connection[Any], live: Generation, new: Generation, progress: Progress = lambda *_: None
) -> list[TableDifference]:
    """The tables that differ, the counters among them."""
    found = []
    names = [*TABLES, "counters"]
    for done, name in enumerate(names):
        progress(f"comparing {name}", done, len(names))
        if not _columns(connection, live, name):
            found.append(_only_new(connection, new, name))
            continue
        difference = _Compared(connection, live, new, name).difference()
        if difference is not None:
            found.append(difference)
    return found


def _only_new(connection: Connection[Any], new: Generation, name: str) -> TableDifference:
    """A table that the live generation does not have."""
    row = connection.execute(COUNT.format(sql.Identifier(new.schema, name))).fetchone()
    assert row is not None
    return TableDifference(name, row[0], only_new=row[0], columns_added=tuple(_columns(connection, new, name)))


class _Compared:
    def __init__(self, connection: Connection[Any], live: Generation, new: Generation, name: str) -> None:
        self.connection = connection
        self.name = name
        before, after = (_columns(connection, generation, name) for generation in (live, new))
        self.gone = tuple(column for column in before if column not in after)
        self.added = tuple(column for column in after if column not in before)
        self.shared = [column for column in after if column in before]
        wanted = TABLES[name].key if name in TABLES else [column for column in after if column not in MEASURES]
        # a dimension that only one of the two counts by would set every counter apart
        self.key = [column for column in wanted if column in before]
        self.cells = [column for column in self.shared if column not in self.key]
        self.sides = SIDES.format(
            one=sql.Identifier(live.schema, name),
            other=sql.Identifier(new.schema, name),
            # a counter that came back to nothing is as good as none
            nonzero=NONZERO if name == "counters" else sql.SQL(""),
            same_key=AND.join(sql.SQL("live.{0} = new.{0}").format(sql.Identifier(column)) for column in self.key),
        )
        first = sql.Identifier(self.key[0])
        self.no_live = sql.SQL("live.{} IS NULL").format(first)
        self.no_new = sql.SQL("new.{} IS NULL").format(first)
        self.both = sql.SQL("live.{0} IS NOT NULL AND new.{0} IS NOT NULL").format(first)

    def difference(self) -> TableDifference | None:
        any_changed = sql.SQL(" OR ").join(map(self._differs, self.cells)) if self.cells else sql.SQL("false")
        counted = [
            sql.SQL("count(*) FILTER (WHERE {})").format(condition)
            for condition in (
                sql.SQL("NOT ({})").format(self.no_new),
                self.no_new,
                self.no_live,
                sql.SQL("{} AND ({})").format(self.both, any_changed),
                *(sql.SQL("{} AND {}").format(self.both, self._differs(column)) for column in self.cells),
            )
        ]
        row = self.connection.execute(COUNTS.format(columns=COMMA.join(counted), sides=self.sides)).fetchone()
        assert row is not None
        rows, only_live, only_new, changed, *by_column = row
        columns = {column: count for column, count in zip(self.cells, by_column, strict=True) if count}
        if not (only_live or only_new or changed or self.gone or self.added):
            return None
        return TableDifference(
            table=self.name,
            rows=rows,
            only_live=only_live,
            only_new=only_new,
            changed=changed,
            columns=columns,
            live_samples=self._rows("live", self.no_new) if only_live else [],
            new_samples=self._rows("new", self.no_live) if only_new else [],
            changed_samples=[cell for column in columns for cell in self._cells(column)],
            columns_gone=self.gone,
            columns_added=self.added,
        )

    def _differs(self, column: str) -> sql.Composed:
        return sql.SQL("live.{0} IS DISTINCT FROM new.{0}").format(sql.Identifier(column))

    def _rows(self, side: str, condition: sql.Composable) -> list[dict[str, Any]]:
        """The first rows that only one side has, with the columns that both have."""
        found = self._select([sql.Identifier(side, column) for column in self.shared], side, condition)
        return [dict(zip(self.shared, row, strict=True)) for row in found]

    def _cells(self, column: str) -> list[Changed]:
        wanted = [sql.Identifier("new", name) for name in self.key]
        wanted += [sql.Identifier(side, column) for side in ("live", "new")]
        found = self._select(wanted, "new", AND.join([self.both, self._differs(column)]))
        return [Changed(dict(zip(self.key, row, strict=False)), column, row[-2], row[-1]) for row in found]

    def _select(self, columns: Sequence[sql.Composable], side: str, condition: sql.Composable) -> list[tuple[Any, ...]]:
        query = ROWS.format(
            columns=COMMA.join(columns),
            sides=self.sides,
            condition=condition,
            key=COMMA.join(sql.Identifier(side, name) for name in self.key),
            sample=sql.Literal(SAMPLE),
        )
        return self.connection.execute(query).fetchall()


def _columns(connection: Connection[Any], generation: Generation, name: str) -> list[str]:
    return [row[0] for row in connection.execute(COLUMNS, [generation.schema, name])]
